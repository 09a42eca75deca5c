package certsync

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gofastly "github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/fastly"
)

func TestFirstSyncThenNothingToDo(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	all := map[string]*pair{domain: issue(domain, newKey(t)), other: issue(other, newKey(t))}
	dir := mount(t, all)

	first := a.sync(dir)
	first.requireInStep(t)
	require.Contains(t, first.verdict, "changes=8")
	require.Contains(t, first.verdict, "domains=changelog.com,practicalai.fm")
	require.NoError(t, a.serves(all))

	a.watch(nil)
	second := a.sync(dir)
	second.requireInStep(t)
	require.Contains(t, second.verdict, "changes=0")
	require.Contains(t, second.output, "Fastly has this certificate")
	require.Empty(t, a.writes())
}

// What is activated stays so while its certificate is replaced, and the key of the old one goes.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, sameKey := range map[string]bool{"with a new key": false, "with the same key": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			old := issue(domain, newKey(t))
			dir := mount(t, map[string]*pair{domain: old})
			a.sync(dir).requireInStep(t)

			key := newKey(t)
			if sameKey {
				key = old.signer
			}
			fresh := issue(domain, key, renewed)
			remount(t, dir, domain, fresh)
			a.watch(nil)
			a.sync(dir).requireInStep(t)
			require.NoError(t, a.serves(map[string]*pair{domain: fresh}))
			for _, call := range a.writes() {
				require.NotContains(t, call, "/tls/activations")
			}
			require.Len(t, a.writes(), map[bool]int{true: 1, false: 3}[sameKey])
		})
	}
}

// cert-manager may take more names into a certificate.
func TestMoreNames(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	key := newKey(t)
	dir := mount(t, map[string]*pair{domain: issue(domain, key)})
	a.sync(dir).requireInStep(t)
	more := issue(domain, key, renewed, names(domain, "*."+domain, "*.staging."+domain))
	remount(t, dir, domain, more)
	a.sync(dir).requireInStep(t)
	require.NoError(t, a.serves(map[string]*pair{domain: more}))
}

func TestFewerNamesAreRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	key := newKey(t)
	more := issue(domain, key, names(domain, "*."+domain, "*.staging."+domain))
	second := issue(other, newKey(t))
	dir := mount(t, map[string]*pair{domain: more, other: second})
	a.sync(dir).requireInStep(t)
	remount(t, dir, domain, issue(domain, key, renewed))
	fresh := issue(other, newKey(t), renewed)
	remount(t, dir, other, fresh)
	a.sync(dir).requireFailure(t, "lacks *.staging."+domain, "dnsNames")
	require.NoError(t, a.serves(map[string]*pair{domain: more, other: fresh}), "the other domain goes on")
}

// Whatever happened to a key at Fastly, it comes back.
func TestKeyLostAtFastly(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	want := map[string]*pair{domain: issue(domain, newKey(t))}
	dir := mount(t, want)
	a.sync(dir).requireInStep(t)
	file := filepath.Join(a.dir, "fastly.json")
	var state map[string]any
	require.NoError(t, json.Unmarshal(must(os.ReadFile(file)), &state))
	state["tls"].(map[string]any)["keys"] = nil
	require.NoError(t, os.WriteFile(file, must(json.Marshal(state)), 0o600))

	a = openAccount(t, a.dir, fastly.Usual)
	a.sync(dir).requireInStep(t)
	require.Equal(t, []string{"POST /tls/private_keys"}, a.writes())
	require.NoError(t, a.serves(want))
}

func TestKeyLostInTheCluster(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	first := issue(domain, newKey(t))
	dir := mount(t, map[string]*pair{domain: first})
	a.sync(dir).requireInStep(t)

	// The Secret is lost, and cert-manager makes it anew.
	fresh := issue(domain, newKey(t), renewed)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "..2026", domain)))
	remount(t, dir, domain, fresh)
	a.sync(dir).requireInStep(t)
	require.NoError(t, a.serves(map[string]*pair{domain: fresh}))
}

// Whatever form the key is mounted in, Fastly gets PKCS#8.
func TestKeyFormats(t *testing.T) {
	t.Parallel()
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := newKey(t).(*ecdsa.PrivateKey)
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ecKey))})
	for name, test := range map[string]struct {
		signer crypto.Signer
		key    []byte
	}{
		"RSA in PKCS#1": {rsaKey, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})},
		"ECDSA in SEC1": {ecKey, append(parameters, sec1...)},
		"RSA in PKCS#8": {rsaKey, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			one := issue(domain, test.signer)
			if test.key != nil {
				one.key = test.key
			}
			dir := mount(t, map[string]*pair{domain: one})
			a.sync(dir).requireInStep(t)
			require.NoError(t, a.serves(map[string]*pair{domain: one}))
			a.watch(nil)
			a.sync(dir).requireInStep(t)
			require.Empty(t, a.writes())
		})
	}
}

// A certificate that cannot be used is named, with what to do; the others are brought in step all the same.
func TestUnusableCertificates(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good := func() *pair { return issue(domain, key) }
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		mounted *pair
		says    string
	}{
		"no certificate":   {&pair{chain: []byte("what?"), key: good().key}, "tls.crt holds no certificate in PEM"},
		"broken":           {&pair{chain: []byte("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"), key: good().key}, "cannot be understood"},
		"no key":           {&pair{chain: good().chain, key: good().chain}, "tls.key holds no private key in PEM"},
		"broken key":       {&pair{chain: good().chain, key: []byte("-----BEGIN PRIVATE KEY-----\nYQ==\n-----END PRIVATE KEY-----\n")}, "cannot be understood"},
		"another key":      {&pair{chain: good().chain, key: issue(domain, newKey(t)).key}, "tls.key is not the key of tls.crt"},
		"expired":          {issue(domain, key, until(time.Now().Add(-time.Hour))), "expired on"},
		"not yet valid":    {issue(domain, key, since(time.Now().Add(time.Hour))), "is not valid before"},
		"without apex":     {issue(domain, key, names("*."+domain)), "not for " + domain},
		"without wildcard": {issue(domain, key, names(domain, "www."+domain)), "not for *." + domain},
		"of another":       {issue("example.com", key), "is for example.com, *.example.com and not for " + domain},
		"Ed25519":          {issue(domain, edwards), "give the Certificate an RSA key of 2048 bits or an ECDSA key of 256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			second := issue(other, newKey(t))
			dir := mount(t, map[string]*pair{domain: test.mounted, other: second})
			a.sync(dir).requireFailure(t, "sync failed: "+domain+": ", test.says)
			require.NoError(t, a.serves(map[string]*pair{other: second}))
		})
	}
}

// Kubernetes does not start a pod whose Secret is missing; a person may.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	dir := t.TempDir()
	a.sync(filepath.Join(dir, "none")).requireFailure(t, "there is no folder", "--certificates")
	a.sync(dir).requireFailure(t, "there is no certificate in", "mount one Secret per domain")
	require.NoError(t, os.Mkdir(filepath.Join(dir, domain), 0o700))
	a.sync(dir).requireFailure(t, domain+": there is no ", "tls.crt", "cert-manager")
	require.Empty(t, a.writes())
}

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, arguments := range [][]string{
		{"sync"}, {"push", "--stack", stack}, {"sync", "--stack", "two words"}, {"sync", "--stack", stack, domain},
		{"sync", "--stack", stack, "--timeout", "0s"}, {"sync", "--stuck"},
	} {
		wrong := a.run(arguments...)
		require.Equal(t, 2, wrong.status, wrong.output)
		require.Contains(t, wrong.verdict, "called wrongly")
	}
	require.Zero(t, a.run("--help").status)
	require.Zero(t, a.seen())
}

// A run that started before a renewal does not take it back.
func TestOlderCertificateDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	key := newKey(t)
	fresh := issue(domain, newKey(t), renewed)
	a.sync(mount(t, map[string]*pair{domain: fresh})).requireInStep(t)
	late := a.sync(mount(t, map[string]*pair{domain: issue(domain, key)}))
	late.requireInStep(t)
	require.Contains(t, late.output, "newer certificate, which stays")
	require.NoError(t, a.serves(map[string]*pair{domain: fresh}))
}

// A stack sees nothing but its own, even of a stack whose name begins like its own.
func TestAnotherStackIsUntouched(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.newService("second", "staging."+domain, "*.staging."+domain, "example.com", "*.example.com")
	theirs := issue("staging."+domain, newKey(t))
	dir := mount(t, map[string]*pair{"staging." + domain: theirs})
	a.run("sync", "--stack", stack+"-staging", "--certificates", dir).requireInStep(t)
	for _, name := range []string{"by hand", stack, stack + "-staging example.com", "x" + stack + " " + domain} {
		unused := issue("example.com", newKey(t))
		_, err := a.client.CreatePrivateKey(t.Context(), &gofastly.CreatePrivateKeyInput{Name: name, Key: string(unused.key)})
		require.NoError(t, err)
		_, err = a.client.CreateCustomTLSCertificate(t.Context(),
			&gofastly.CreateCustomTLSCertificateInput{Name: name, CertBlob: string(unused.chain)})
		require.NoError(t, err)
		_, err = a.client.CreatePrivateKey(t.Context(),
			&gofastly.CreatePrivateKeyInput{Name: name, Key: string(issue("example.com", newKey(t)).key)})
		require.NoError(t, err)
	}
	keys, certificates, activations := a.holds()

	ours := mount(t, map[string]*pair{domain: issue(domain, newKey(t))})
	a.sync(ours).requireInStep(t)
	remount(t, ours, domain, issue(domain, newKey(t), renewed))
	a.sync(ours).requireInStep(t)
	gone := a.run("remove", "--stack", stack)
	require.Zero(t, gone.status, gone.output)
	keysAfter, certificatesAfter, activationsAfter := a.holds()
	require.Equal(t, keys, keysAfter)
	require.Equal(t, certificates, certificatesAfter)
	require.Equal(t, activations, activationsAfter)
}

// A name that is served with a certificate made by hand is not taken away from it, but can be handed over.
func TestTakingOverWhatWasMadeByHand(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	hand := issue(domain, newKey(t))
	_, err := a.client.CreatePrivateKey(t.Context(), &gofastly.CreatePrivateKeyInput{Name: "by hand", Key: string(hand.key)})
	require.NoError(t, err)
	made, err := a.client.CreateCustomTLSCertificate(t.Context(),
		&gofastly.CreateCustomTLSCertificateInput{Name: "by hand", CertBlob: string(hand.chain)})
	require.NoError(t, err)
	_, err = a.client.CreateTLSActivation(t.Context(), &gofastly.CreateTLSActivationInput{
		Certificate: &gofastly.CustomTLSCertificate{ID: made.ID}, Domain: &gofastly.TLSDomain{ID: domain}})
	require.NoError(t, err)

	fresh := issue(domain, newKey(t), renewed)
	dir := mount(t, map[string]*pair{domain: fresh})
	refused := a.sync(dir)
	refused.requireFailure(t, domain+` is activated with the certificate \"by hand\"`, fmt.Sprintf(`rename that to \"%s %s\"`, stack, domain))

	_, err = a.client.UpdateCustomTLSCertificate(t.Context(),
		&gofastly.UpdateCustomTLSCertificateInput{ID: made.ID, Name: stack + " " + domain, CertBlob: string(hand.chain)})
	require.NoError(t, err)
	a.watch(nil)
	a.sync(dir).requireInStep(t)
	keys, certificates, activations := a.holds()
	require.Equal(t, []string{"by hand", stack + " " + domain}, keys)
	require.Equal(t, []string{fmt.Sprintf("%s %s %s", stack, domain, fresh.template.SerialNumber)}, certificates)
	require.Len(t, activations, 2)
	require.Zero(t, strings.Count(strings.Join(a.writes(), "\n"), "DELETE /tls/activations"))
}

// A domain that left the stack file goes on being served until somebody says that it may end.
func TestADomainThatIsNoLongerMounted(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	all := map[string]*pair{domain: issue(domain, newKey(t)), other: issue(other, newKey(t))}
	a.sync(mount(t, all)).requireInStep(t)
	one := map[string]*pair{domain: all[domain]}
	dir := mount(t, one)
	still := a.sync(dir)
	still.requireInStep(t)
	require.Contains(t, still.output, "still activated, though nothing is mounted for it")
	require.NoError(t, a.serves(all))
	gone := a.run("remove", "--stack", stack, other)
	require.Zero(t, gone.status, gone.output)
	require.NoError(t, a.serves(one))
}

func TestRemoveTakesAllBackAndIsIdempotent(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	dir := mount(t, map[string]*pair{domain: issue(domain, newKey(t)), other: issue(other, newKey(t))})
	a.sync(dir).requireInStep(t)
	for _, changes := range []string{"changes=8", "changes=0"} {
		a.watch(nil)
		gone := a.run("remove", "--stack", stack)
		require.Zero(t, gone.status, gone.output)
		require.Contains(t, gone.verdict, "removed: nothing of this stack is left")
		require.Contains(t, gone.verdict, changes)
		require.NoError(t, a.serves(nil))
	}
	require.Empty(t, a.writes())
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	dir := mount(t, map[string]*pair{domain: issue(domain, newKey(t))})
	a.sync(dir, "--configuration", "none").requireFailure(t, "the account has no TLS configuration none: give one of these to --configuration: ")
	require.Empty(t, a.writes())
	configurations, err := a.client.ListCustomTLSConfigurations(t.Context(), &gofastly.ListCustomTLSConfigurationsInput{})
	require.NoError(t, err)
	chosen := configurations[len(configurations)-1].ID
	a.sync(dir, "--configuration", chosen).requireInStep(t)
	activations, err := a.client.ListTLSActivations(t.Context(), &gofastly.ListTLSActivationsInput{})
	require.NoError(t, err)
	for _, one := range activations {
		require.Equal(t, chosen, one.Configuration.ID)
	}
}

// Accounts may have many certificates; Fastly shows them in pages.
func TestManyCertificates(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for i := range 205 {
		key := newKey(t)
		_, err := a.client.CreatePrivateKey(t.Context(), &gofastly.CreatePrivateKeyInput{
			Name: fmt.Sprint(i), Key: string(issue("example.com", key).key)})
		require.NoError(t, err)
	}
	one := issue(domain, newKey(t))
	dir := mount(t, map[string]*pair{domain: one})
	a.sync(dir).requireInStep(t)
	a.watch(nil)
	a.sync(dir).requireInStep(t)
	require.Empty(t, a.writes())
}

// A host too deep for its zone's certificate has one of its own, which is for nothing else.
func TestAHostWithACertificateOfItsOwn(t *testing.T) {
	t.Parallel()
	host := "a.b." + domain
	a := openAccount(t, t.TempDir(), fastly.Usual)
	a.newService("site", domain, host, "c."+host)
	zone, own, below := issue(domain, newKey(t)), issue(host, newKey(t), names(host)), issue("c."+host, newKey(t), names("c."+host))
	dir := mount(t, map[string]*pair{domain: zone, host: own, "c." + host: below})
	public := "--names=" + strings.Join([]string{domain, host, "c." + host}, ",")
	a.sync(dir, public).requireInStep(t)
	_, _, activations := a.holds()
	require.ElementsMatch(t, []string{
		domain + " " + zone.template.SerialNumber.String(), host + " " + own.template.SerialNumber.String(),
		"c." + host + " " + below.template.SerialNumber.String(),
	}, activations)
	a.watch(nil)
	a.sync(dir, public).requireInStep(t)
	require.Empty(t, a.writes())

	a.sync(mount(t, map[string]*pair{domain: zone, host: own}), public).
		requireFailure(t, "is for "+host+" and not for *."+host)
}
