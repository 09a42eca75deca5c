package incluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	// patroniPort is where Patroni answers probes, and its like on other servers.
	patroniPort = 8008
	// postgresGID is the group that volumes of servers are given to: that of the image.
	postgresGID = 26

	replicator = "_crunchyrepl"
)

// realServers says whether servers run PostgreSQL, whose image is at hand.
func (c *cluster) realServers() bool { return c.options.Postgres != "" }

// hbaRule is who may connect, and by what.
type hbaRule struct {
	Connection string   `json:"connection"`
	Databases  []string `json:"databases"`
	Users      []string `json:"users"`
	Method     string   `json:"method"`
	HBA        string   `json:"hba"`
}

func (r hbaRule) String() string {
	if r.HBA != "" {
		return r.HBA
	}
	listed := func(names []string) string {
		if len(names) == 0 {
			return "all"
		}
		return `"` + strings.Join(names, `","`) + `"`
	}
	address := " all"
	if r.Connection == "local" {
		address = ""
	}
	return fmt.Sprintf("%s %s %s%s %s", r.Connection, listed(r.Databases), listed(r.Users), address, r.Method)
}

// rules are those of the operator's own roles, before those that are asked for.
func (w *postgresCluster) rules() (lines []string) {
	lines = []string{
		"local all postgres peer",
		"hostssl replication " + replicator + " all scram-sha-256",
		"hostssl postgres " + replicator + " all scram-sha-256",
		"host all " + replicator + " all reject",
		"hostssl all " + poolerRole + " all scram-sha-256",
		"host all " + poolerRole + " all reject",
	}
	for _, rule := range w.Spec.Authentication.Rules {
		lines = append(lines, rule.String())
	}
	if len(w.Spec.Authentication.Rules) == 0 {
		lines = append(lines, "hostssl all all all scram-sha-256")
	}
	return lines
}

// parameters are PostgreSQL's. An archive is played: what is archived is gone.
func (w *postgresCluster) parameters() map[string]any {
	parameters := maps.Clone(w.Spec.Config.Parameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	delete(parameters, preloadParameter) // what is not PostgreSQL's own is not in the image
	maps.Copy(parameters, map[string]any{
		"wal_level": "logical", "wal_log_hints": "on", "password_encryption": "scram-sha-256",
		"archive_mode": "on", "archive_command": "true", "archive_timeout": "60s",
		"ssl": "on", "ssl_cert_file": "/pgconf/tls/tls.crt", "ssl_key_file": "/pgconf/tls/tls.key",
		"ssl_ca_file": "/pgconf/tls/ca.crt", "unix_socket_directories": "/tmp",
	})
	return parameters
}

// preloadParameter lists libraries that PostgreSQL loads at its start.
const preloadParameter = "shared_preload_libraries"

// patroniScope is what Patroni calls a cluster, and the object whose addresses are those of the primary.
func (w *postgresCluster) patroniScope() string { return w.Name + "-ha" }

// patroniConfiguration is what the operator tells Patroni of a cluster.
// Upstream: https://patroni.readthedocs.io/en/latest/patroni_configuration.html
func (w *postgresCluster) patroniConfiguration() ([]byte, error) {
	dynamic := map[string]any{"ttl": 30, "loop_wait": 10}
	maps.Copy(dynamic, w.Spec.Patroni.DynamicConfiguration)
	postgresql := map[string]any{"use_slots": false}
	if asked, said := dynamic["postgresql"].(map[string]any); said {
		maps.Copy(postgresql, asked)
	}
	postgresql["parameters"], postgresql["pg_hba"], postgresql["use_pg_rewind"] = w.parameters(), w.rules(), true
	dynamic["postgresql"] = postgresql
	initdb := []any{"data-checksums", map[string]string{"encoding": "UTF8"}, map[string]string{"locale": "C.UTF-8"}}
	copied := []any{}
	if w.Spec.Instances[0].WALVolumeClaimSpec != nil {
		log := map[string]string{"waldir": "/pgwal/wal"}
		initdb, copied = append(initdb, log), append(copied, log)
	}
	return json.Marshal(map[string]any{
		"scope": w.patroniScope(),
		"kubernetes": map[string]any{
			"namespace": w.Namespace, "use_endpoints": true, "role_label": postgresPrefix + "role",
			"scope_label": postgresPrefix + "patroni", "leader_label_value": "master",
			"labels": map[string]string{postgresPrefix + "cluster": w.Name},
		},
		"restapi":  map[string]any{"listen": fmt.Sprintf("*:%d", patroniPort)},
		"watchdog": map[string]any{"mode": "off"},
		"postgresql": map[string]any{
			"listen": fmt.Sprintf("*:%d", w.Spec.Port), "data_dir": fmt.Sprintf("/pgdata/pg%d", w.Spec.PostgresVersion),
			"use_unix_socket": true, "basebackup": copied,
		},
		"bootstrap": map[string]any{"dcs": dynamic, "initdb": initdb},
	})
}

// equipServers makes what servers that run need: a Secret to copy each other's data with, rights to say who is the primary,
// Patroni's configuration, and Services.
func (c *cluster) equipServers(ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster) error {
	c.notes.add(notRehearsed, "backups of PostgresCluster %s/%s: pgBackRest is played, nothing is archived, and a restore "+
		"leaves the data as they are", wanted.Namespace, wanted.Name)
	if libraries := wanted.Spec.Config.Parameters[preloadParameter]; libraries != nil {
		c.notes.add(notRehearsed, "libraries that PostgresCluster %s/%s loads at its start: %s",
			wanted.Namespace, wanted.Name, libraries)
	}
	if _, err := c.passwordOf(ctx, owner, wanted, "replication", replicator); err != nil {
		return err
	}
	if err := c.letServersLead(ctx, owner, wanted); err != nil {
		return err
	}
	configuration, err := wanted.patroniConfiguration()
	if err != nil {
		return err
	}
	err = c.make(ctx, owner, configMaps, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: wanted.Name + "-config"},
		Data:       map[string]string{"patroni.yaml": string(configuration)},
	})
	if err != nil {
		return err
	}
	return c.serveServers(ctx, owner, wanted)
}

// letServersLead gives servers the rights that Patroni needs.
// Upstream: https://patroni.readthedocs.io/en/latest/kubernetes.html
func (c *cluster) letServersLead(ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster) error {
	name := metav1.ObjectMeta{Name: wanted.Name + "-instance"}
	rule := func(resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: verbs}
	}
	if err := c.make(ctx, owner, accounts, &corev1.ServiceAccount{ObjectMeta: name}); err != nil {
		return err
	}
	err := c.make(ctx, owner, roles, &rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
		rule("endpoints", "create", "deletecollection", "get", "list", "patch", "watch"),
		rule("endpoints/restricted", "create"),
		rule("pods", "get", "list", "patch", "watch"),
		rule("services", "create"),
	}})
	if err != nil {
		return err
	}
	return c.make(ctx, owner, roleBindings, &rbacv1.RoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name.Name, Namespace: wanted.Namespace}},
	})
}

// serveServers makes the Services of servers that run. Patroni says which of them is behind that of the scope, and the primary's
// name leads there; another Service keeps what Patroni has noted of the cluster.
func (c *cluster) serveServers(ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster) error {
	of := map[string]string{postgresPrefix + "cluster": wanted.Name}
	replicas, servers := maps.Clone(of), maps.Clone(of)
	replicas[postgresPrefix+"role"], servers[postgresPrefix+"data"] = "replica", "postgres"
	port := []corev1.ServicePort{{
		Name: "postgres", Port: int32(wanted.Spec.Port), Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("postgres"),
	}}
	scope := wanted.patroniScope()
	for name, spec := range map[string]corev1.ServiceSpec{
		scope:                     {Ports: port},
		scope + "-config":         {ClusterIP: corev1.ClusterIPNone},
		wanted.Name + "-primary":  {Ports: port, ClusterIP: corev1.ClusterIPNone},
		wanted.Name + "-replicas": {Ports: port, Selector: replicas},
		wanted.Name + "-pods":     {ClusterIP: corev1.ClusterIPNone, Selector: servers, PublishNotReadyAddresses: true},
	} {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: of}, Spec: spec}
		if err := c.remake(ctx, owner, services, service); err != nil {
			return err
		}
	}
	for _, name := range []string{scope, scope + "-config"} { // which go with the cluster; Patroni's own would stay
		kept := maps.Clone(of)
		kept[postgresPrefix+"patroni"] = scope
		addresses := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: kept}} //nolint:staticcheck // Patroni's
		if err := c.make(ctx, owner, endpoints, addresses); err != nil {
			return err
		}
	}
	leader, err := c.client.CoreV1().Services(wanted.Namespace).Get(ctx, scope, metav1.GetOptions{})
	if err != nil {
		return err
	}
	primary := maps.Clone(of)
	primary[discoveryv1.LabelServiceName] = wanted.Name + "-primary"
	return c.make(ctx, owner, endpointSlices, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: wanted.Name + "-primary", Labels: primary},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{leader.Spec.ClusterIP}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("postgres"), Port: ptr.To(int32(wanted.Spec.Port)), Protocol: ptr.To(corev1.ProtocolTCP)},
		},
	})
}

// serve has a pod of the operator's be a server that runs.
func (w *postgresCluster) serve(pod *corev1.PodSpec, image string) {
	pod.ServiceAccountName = w.Name + "-instance"
	pod.SecurityContext.FSGroup = ptr.To[int64](postgresGID)
	// Once: the group may not write to data, and servers would not start again.
	pod.SecurityContext.FSGroupChangePolicy = ptr.To(corev1.FSGroupChangeOnRootMismatch)
	database := &pod.Containers[0]
	database.Image, database.ImagePullPolicy = image, corev1.PullIfNotPresent
	database.Command = []string{"patroni", "/etc/patroni/patroni.yaml"}
	database.Env = w.serverEnvironment()
	database.Ports = append(database.Ports, corev1.ContainerPort{Name: "patroni", ContainerPort: patroniPort})
	probe := func(path string) *corev1.Probe {
		asked := &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(patroniPort)}
		return &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{HTTPGet: asked},
			InitialDelaySeconds: 3, TimeoutSeconds: 5, PeriodSeconds: 10, FailureThreshold: 3,
		}
	}
	database.LivenessProbe, database.ReadinessProbe = probe("/liveness"), probe("/readiness")
	for _, volume := range pod.Volumes { // of claims
		mount := corev1.VolumeMount{Name: volume.Name, MountPath: "/" + volume.Name}
		database.VolumeMounts = append(database.VolumeMounts, mount)
	}
	memory := &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
	mountAll(pod, database, map[string]corev1.VolumeSource{
		"/tmp": {EmptyDir: &corev1.EmptyDirVolumeSource{}}, "/dev/shm": {EmptyDir: memory},
		"/etc/patroni": {ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: w.Name + "-config"},
		}},
		"/pgconf/tls": {Secret: &corev1.SecretVolumeSource{
			SecretName: w.Name + "-cluster-cert", DefaultMode: ptr.To[int32](0o600),
		}},
	})
}

// serverEnvironment is what differs from server to server.
func (w *postgresCluster) serverEnvironment() []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
	}
	host := "$(PATRONI_NAME)." + w.Name + "-pods"
	ports := fmt.Sprintf(`[{"name": "postgres", "port": %d, "protocol": "TCP"}]`, w.Spec.Port)
	env := []corev1.EnvVar{
		field("PATRONI_NAME", "metadata.name"), field("PATRONI_KUBERNETES_POD_IP", "status.podIP"),
		{Name: "PATRONI_KUBERNETES_PORTS", Value: ports},
		{Name: "PATRONI_POSTGRESQL_CONNECT_ADDRESS", Value: fmt.Sprintf("%s:%d", host, w.Spec.Port)},
		{Name: "PATRONI_RESTAPI_CONNECT_ADDRESS", Value: fmt.Sprintf("%s:%d", host, patroniPort)},
		{Name: "PATRONICTL_CONFIG_FILE", Value: "/etc/patroni/patroni.yaml"}, {Name: "PGHOST", Value: "/tmp"},
	}
	password := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: w.Name + "-replication"}, Key: "password",
	}}
	for _, part := range []string{"PATRONI_REPLICATION_", "PATRONI_REWIND_"} {
		env = append(env, corev1.EnvVar{Name: part + "USERNAME", Value: replicator},
			corev1.EnvVar{Name: part + "PASSWORD", ValueFrom: password})
	}
	return env
}
