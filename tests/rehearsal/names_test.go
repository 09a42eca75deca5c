package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Resolvers that are asked before Linode has published a proof remember that it is not there: in a zone with Linode's own TTL for
// longer than `up` waits.
func TestACheckThatAsksTooEarlyFailsTheRehearsal(t *testing.T) {
	o := options{stack: "staging", root: repository(t, strings.NewReplacer(
		"      - name: staging.changelog.com\n", "      - name: staging.changelog.com\n        adopt: 4711\n",
		"lke-platform:certificates:\n", "lke-platform:certificates:\n    values: {dns01RecursiveNameserversOnly: true}\n").Replace)}
	err := run(t.Context(), o)
	require.ErrorContains(t, err, "would not be issued in time: a resolver") // whichever of the three is asked about first
	require.ErrorContains(t, err, "have it ask the zone's own name servers")
}

// docs/components/certificates.md: whoever keeps the Secrets over a rebuild orders nothing of Let's Encrypt.
func TestKeptSecretsSpareOrders(t *testing.T) {
	const pattern = "**cert-manager.io/v1:Certificate::**"
	require.Contains(t, readFile(t, "../../docs/components/certificates.md"), "--exclude '"+pattern+"' --exclude-dependents")
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	e.start(t)
	e.up(t, optup.Exclude([]string{pattern}), optup.ExcludeDependents())

	kept := certificateSecret(t, "staging-changelog-com-tls", "staging.changelog.com", "*.staging.changelog.com")
	secrets := e.cluster.CoreV1().Secrets("changelog")
	_, err := secrets.Create(t.Context(), kept, metav1.CreateOptions{})
	require.NoError(t, err)
	e.up(t)
	found, err := secrets.Get(t.Context(), kept.Name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, kept.Data, found.Data)
	require.Len(t, e.world.fastly.Activations(), 2)
}

// certificateSecret is what cert-manager left of a certificate.
func certificateSecret(t *testing.T, name string, hosts ...string) *corev1.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), DNSNames: hosts, NotBefore: time.Now(), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{"cert-manager.io/issuer-name": "letsencrypt-production"},
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
		},
	}
}
