package incluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// makeCertificate makes the Secret of the servers' certificate, <cluster>-cluster-cert, unless it is there. The certificate is
// its own authority, where the operator has one for the namespace.
func (c *cluster) makeCertificate(ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster) error {
	secrets, name := c.client.CoreV1().Secrets(wanted.Namespace), wanted.Name+"-cluster-cert"
	if _, err := secrets.Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return err
	}
	var asked certificate
	asked.Spec.PrivateKey.Algorithm = "ECDSA"
	for _, service := range []string{wanted.Name + "-primary", wanted.Name + "-replicas", wanted.Name + "-pgbouncer"} {
		host := service + "." + wanted.Namespace + ".svc"
		asked.Spec.DNSNames = append(asked.Spec.DNSNames, host, host+".cluster.local")
	}
	got, err := asked.issue(nil)
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				postgresPrefix + "cluster": wanted.Name, postgresPrefix + "cluster-certificate": "postgres-tls",
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())},
		},
		Data: map[string][]byte{corev1.TLSCertKey: got.chain, corev1.TLSPrivateKeyKey: got.key, "ca.crt": got.chain},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
