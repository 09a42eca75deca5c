package incluster_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"lke-platform/tests/rehearsal/incluster"
	"lke-platform/tests/rehearsal/letsencrypt"
	"lke-platform/tests/rehearsal/nameserver"
)

// acmeServer is in whose place Pebble is asked.
const acmeServer = "https://acme.shown.example/directory"

func (f *fixture) startACME() {
	f.Helper()
	var err error
	f.acme, err = letsencrypt.Start(letsencrypt.Options{
		Dir: f.TempDir(), Resolver: f.serveNames(&nameserver.Resolver{NameServer: f.nameServer, Forgets: true}),
		Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, f.acme.Close()) })
}

// issuerOfACME is an issuer whose solver has a token that opens zones only.
func (f *fixture) issuerOfACME() {
	f.Helper()
	require.NoError(f, f.controllers.Deployed(f.Context(), incluster.Release{Chart: "cert-manager", Version: "v1.21.1"}))
	token, err := f.linode.CreateToken(f.Context(), linodego.TokenCreateOptions{Label: "solver", Scopes: "domains:read_write"})
	require.NoError(f, err)
	_, err = f.client.CoreV1().Namespaces().Create(f.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}},
		metav1.CreateOptions{})
	require.NoError(f, err)
	_, err = f.client.CoreV1().Secrets("cert-manager").Create(f.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "linode-credentials"}, StringData: map[string]string{"token": token.Token},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.create(certificateResources.WithResource("clusterissuers"), `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: pebble}
spec:
  acme:
    server: `+acmeServer+`
    email: post@shown.example
    privateKeySecretRef: {name: pebble}
    solvers:
    - dns01: {webhook: {groupName: g, solverName: s, config: {apiKeySecretRef: {name: linode-credentials, key: token}}}}`)
}

func (f *fixture) zoneWith(name string, records ...linodego.DomainRecordCreateOptions) (id int) {
	f.Helper()
	zone, err := f.linode.CreateDomain(f.Context(), linodego.DomainCreateOptions{
		Domain: name, Type: linodego.DomainTypeMaster, SOAEmail: "post@" + name, TTLSec: 300,
	})
	require.NoError(f, err)
	for _, record := range records {
		_, err := f.linode.CreateDomainRecord(f.Context(), zone.ID, record)
		require.NoError(f, err)
	}
	f.eventually("its name servers have the zone", func() bool {
		answer, err := nameserver.Ask(f.Context(), f.nameServer, name, dns.TypeSOA)
		return err == nil && answer.Rcode == dns.RcodeSuccess
	})
	return zone.ID
}

func (f *fixture) certificate(name string) {
	f.Helper()
	f.create(certificateResources.WithResource("certificates"), fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %[1]s, namespace: default}
spec:
  secretName: %[1]s-tls
  dnsNames: ["%[1]s.example", "*.%[1]s.example"]
  issuerRef: {kind: ClusterIssuer, name: pebble}`, name))
}

// renew asks for a certificate as cmctl does.
func (f *fixture) renew(name string) {
	f.Helper()
	certificates := f.dynamic.Resource(certificateResources.WithResource("certificates")).Namespace(metav1.NamespaceDefault)
	object, err := certificates.Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	status := f.status(certificateResources.WithResource("certificates"), name)
	conditions := []any{}
	for _, condition := range status["conditions"].([]any) {
		if condition.(map[string]any)["type"] == "Ready" {
			conditions = append(conditions, condition)
		}
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": append(conditions, map[string]any{
		"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "observedGeneration": object.GetGeneration(),
		"lastTransitionTime": "2026-01-01T00:00:00Z", "message": "Certificate re-issuance manually triggered",
	})}})
	require.NoError(f, err)
	_, err = certificates.Patch(f.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	require.NoError(f, err)
}

// leaf is the certificate in a Secret, which goes back to the server's root.
func (f *fixture) leaf(name string) *x509.Certificate {
	f.Helper()
	secret, err := f.client.CoreV1().Secrets("default").Get(f.Context(), name+"-tls", metav1.GetOptions{})
	require.NoError(f, err)
	require.NotContains(f, secret.Data, "ca.crt")
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	require.NoError(f, err)
	require.Len(f, pair.Certificate, 2)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	require.True(f, roots.AppendCertsFromPEM(f.acme.Roots))
	require.True(f, between.AppendCertsFromPEM(secret.Data["tls.crt"]))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "www." + name + ".example"})
	require.NoError(f, err)
	return pair.Leaf
}

// acmeCertificates: the server proves the names by what the solver's token wrote, and what it refuses stands in the status.
func acmeCertificates(f *fixture) {
	all := certificateResources.WithResource("certificates")
	f.issuerOfACME()
	shown := f.zoneWith("shown.example")
	closed := f.zoneWith("closed.example", linodego.DomainRecordCreateOptions{Type: "CAA", Target: "other.example", Tag: new("issue")})
	for _, name := range []string{"shown", "closed", "nobodys"} {
		f.certificate(name)
	}
	f.eventually("the certificate is issued", func() bool { return isReady(f.status(all, "shown")) })
	first := f.leaf("shown")
	records, err := f.linode.ListDomainRecords(f.Context(), shown, nil)
	require.NoError(f, err)
	require.Empty(f, records, "proofs are taken away again")

	f.eventuallyDoomed("certificate closed: order is in \"invalid\" state: acme: authorization error for closed.example: " +
		"403 urn:ietf:params:acme:error:caa")
	f.eventually("the status says why", func() bool {
		said, err := json.Marshal(f.status(all, "closed"))
		require.NoError(f, err)
		return strings.Contains(string(said), "will be retried: Failed to wait for order resource")
	})
	status := f.status(all, "closed")
	require.Positive(f, status["failedIssuanceAttempts"], "more than once where a quarter of a minute has passed")
	require.NotEmpty(f, status["lastFailureTime"])
	records, err = f.linode.ListDomainRecords(f.Context(), closed, nil)
	require.NoError(f, err)
	require.Len(f, records, 1, "that of who may issue")
	require.NoError(f, f.linode.DeleteDomainRecord(f.Context(), closed, records[0].ID))
	f.eventually("it is published", func() bool {
		answer, err := nameserver.Ask(f.Context(), f.nameServer, "closed.example", dns.TypeCAA)
		return err == nil && len(answer.Answer) == 0
	})
	for _, name := range []string{"shown", "closed"} {
		f.renew(name)
	}
	f.eventually("both are issued anew", func() bool {
		return f.status(all, "shown")["revision"] == int64(2) && isReady(f.status(all, "closed"))
	})
	require.NotEqual(f, first.SerialNumber, f.leaf("shown").SerialNumber)
	require.Len(f, f.status(all, "shown")["conditions"], 1)
	require.NotContains(f, f.status(all, "closed"), "lastFailureTime")
	require.False(f, isReady(f.status(all, "nobodys")), "Linode has no such zone")
}
