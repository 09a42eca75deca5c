package incluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
)

// poolerRole asks the servers for the passwords of the pooler's clients.
const poolerRole = "_crunchypgbouncer"

// passwordOf returns the password in the Secret of one of the operator's own roles, which it makes where there is none.
func (c *cluster) passwordOf(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster, purpose, role string,
) (string, error) {
	secrets, name := c.client.CoreV1().Secrets(wanted.Namespace), wanted.Name+"-"+purpose
	found, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return string(found.Data["password"]), nil
	}
	if !apierrors.IsNotFound(err) {
		return "", err
	}
	password := rand.Text()
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{postgresPrefix + "cluster": wanted.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())},
		},
		StringData: map[string]string{"password": password, "users.txt": fmt.Sprintf("%q %q\n", role, password)},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return "", errNotYet
	}
	return password, err
}

// poolerConfiguration is PgBouncer's, with what is asked for over what the operator sets.
// Upstream: https://www.pgbouncer.org/config.html
func (w *postgresCluster) poolerConfiguration() string {
	pooler := w.Spec.Proxy.PGBouncer
	global := map[string]string{
		"client_tls_sslmode": "require", "ignore_startup_parameters": "extra_float_digits", "auth_type": "scram-sha-256",
	}
	maps.Copy(global, pooler.Config.Global)
	maps.Copy(global, map[string]string{
		"listen_addr": "*", "listen_port": fmt.Sprint(pooler.Port), "unix_socket_dir": "",
		"auth_file": "/etc/pgbouncer-users/users.txt", "auth_user": poolerRole,
		"auth_query":           "SELECT username, password FROM pgbouncer.get_auth($1)",
		"client_tls_cert_file": "/etc/pgbouncer-tls/tls.crt", "client_tls_key_file": "/etc/pgbouncer-tls/tls.key",
		"client_tls_ca_file": "/etc/pgbouncer-tls/ca.crt",
		"server_tls_sslmode": "verify-full", "server_tls_ca_file": "/etc/pgbouncer-tls/ca.crt",
	})
	var text strings.Builder
	fmt.Fprintf(&text, "[databases]\n* = host=%s-primary.%s.svc port=%d\n[pgbouncer]\n", w.Name, w.Namespace, w.Spec.Port)
	for _, name := range slices.Sorted(maps.Keys(global)) {
		fmt.Fprintf(&text, "%s = %s\n", name, global[name])
	}
	return text.String()
}

// startPooler leaves out what this version of PgBouncer does not know: it would not start.
const startPooler = `while read -r name rest; do
  case "$name" in '*' | '['*) ;; *) grep -qaF "$name" "$(command -v pgbouncer)" || continue ;; esac
  echo "$name $rest"
done </etc/pgbouncer/pgbouncer.ini >/tmp/pgbouncer.ini
exec pgbouncer /tmp/pgbouncer.ini`

// equipPooler makes what a pooler that runs needs, and has a pod of the operator's be one.
func (c *cluster) equipPooler(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster, pod *corev1.PodSpec,
) error {
	name := wanted.Name + "-pgbouncer"
	err := c.make(ctx, owner, configMaps, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"pgbouncer.ini": wanted.poolerConfiguration()},
	})
	if err != nil {
		return err
	}
	pod.SecurityContext.FSGroup = ptr.To[int64](postgresGID)
	pooler := &pod.Containers[0]
	pooler.Image, pooler.ImagePullPolicy = c.options.Postgres, corev1.PullIfNotPresent
	pooler.Command = []string{"sh", "-c", startPooler}
	mountAll(pod, pooler, map[string]corev1.VolumeSource{
		"/tmp": {EmptyDir: &corev1.EmptyDirVolumeSource{}},
		"/etc/pgbouncer": {ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name},
		}},
		"/etc/pgbouncer-users": {Secret: &corev1.SecretVolumeSource{SecretName: name}},
		"/etc/pgbouncer-tls":   {Secret: &corev1.SecretVolumeSource{SecretName: wanted.Name + "-cluster-cert"}},
	})
	return nil
}

// mountAll mounts volumes in a container, by their paths.
func mountAll(pod *corev1.PodSpec, container *corev1.Container, sources map[string]corev1.VolumeSource) {
	for _, path := range slices.Sorted(maps.Keys(sources)) {
		name := strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: sources[path]})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
}
