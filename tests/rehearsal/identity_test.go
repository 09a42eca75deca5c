package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// knowItsService has the origin know the stack's Fastly service by a certificate, which no other customer of Fastly's has.
func (e *estate) knowItsService(t *testing.T) {
	secret, err := e.cluster.CoreV1().Secrets("ingress").Get(t.Context(), "cdn-client", metav1.GetOptions{})
	require.NoError(t, err)
	authority := x509.NewCertPool()
	require.True(t, authority.AppendCertsFromPEM(secret.Data["ca.crt"]))

	shown := e.originBackend(t)
	pair, err := tls.X509KeyPair([]byte(*shown.SSLClientCert), []byte(*shown.SSLClientKey))
	require.NoError(t, err)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: authority, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err, "what Fastly shows is what the origin asks for")
	require.False(t, pair.Leaf.IsCA)

	state := readFile(t, filepath.Join(e.dir(), "state", ".pulumi", "stacks", "lke-platform", e.options.stack+".json"))
	const key = "-----BEGIN PRIVATE KEY-----"
	require.NotContains(t, state, key)
	require.NotContains(t, state, base64.StdEncoding.EncodeToString([]byte(key)), "nor as Kubernetes writes it")
}

// originBackend is how Fastly connects to the origin.
func (e *estate) originBackend(t *testing.T) *fastly.Backend {
	t.Helper()
	cdn, err := fastly.NewClientForEndpoint(token, e.world.fastlyURL)
	require.NoError(t, err)
	services, err := cdn.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	require.Len(t, services, 1)
	backend, err := cdn.GetBackend(t.Context(), &fastly.GetBackendInput{
		ServiceID: *services[0].ServiceID, ServiceVersion: *services[0].ActiveVersion, Name: "origin",
	})
	require.NoError(t, err)
	return backend
}

// confineTheController asks the API server whether Traefik, which faces the internet, could read Linode's token.
func (e *estate) confineTheController(t *testing.T) {
	for namespace, allowed := range map[string]bool{
		"changelog": true, "keel": true, "monitoring": true, "kube-system": false, "": false, // of all namespaces
	} {
		review, err := e.cluster.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:ingress:traefik",
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: "secrets"},
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Equal(t, allowed, review.Status.Allowed, "Secrets in %q", namespace)
	}
}
