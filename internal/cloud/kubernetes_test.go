package cloud

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// The token that opens everything is for the cluster of the kubeconfig, and for nobody who says that he is it.
func TestAKubeconfigOpensItsOwnCluster(t *testing.T) {
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		asked++
		_, _ = w.Write([]byte(`{"gitVersion": "v1.36.2"}`))
	}))
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	const kubeconfig = "clusters: [{cluster: {server: %q, certificate-authority-data: %q}}]\nusers: [{user: {token: secret}}]\n"
	var version struct{ GitVersion string }

	cluster, err := Kubernetes(fmt.Sprintf(kubeconfig, server.URL, base64.StdEncoding.EncodeToString(authority)))
	require.NoError(t, err)
	require.NoError(t, cluster.Get(t.Context(), "/version", &version))
	require.Equal(t, "v1.36.2", version.GitVersion)

	other, err := Kubernetes(fmt.Sprintf(kubeconfig, server.URL, ""))
	require.NoError(t, err)
	other.Once = true
	require.ErrorContains(t, other.Get(t.Context(), "/version", &version), "certificate")
	require.Equal(t, 1, asked)
}

func TestAKubeconfigOfAnotherKindIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "clusters: [{}, {}]", "clusters: [{}]\nusers: [{user: {exec: {command: login}}}]"} {
		_, err := Kubernetes(text)
		require.ErrorContains(t, err, "not one of Linode's", text)
	}
	_, err := Kubernetes("clusters: 1")
	require.ErrorContains(t, err, "reading the kubeconfig")
}
