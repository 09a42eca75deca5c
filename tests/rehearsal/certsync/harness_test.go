// Package certsync runs the real binary of cmd/certsync against the simulated Fastly.
package certsync

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gofastly "github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/fastly"
)

const (
	token  = "a-token-that-nobody-may-read"
	stack  = "lke-platform-prod"
	domain = "changelog.com"
	other  = "practicalai.fm"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "certsync")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "certsync")
	build := exec.Command("go", "build", "-C", "../../..", "-o", binary, "./cmd/certsync")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// account is a simulated Fastly account with a service that has the domains, which the binary reaches through a watched door.
type account struct {
	t      *testing.T
	dir    string           // of its state
	client *gofastly.Client // through another door
	url    string

	mu     sync.Mutex
	calls  []string
	meddle func(n int, w http.ResponseWriter, r *http.Request, serve http.Handler) (handled bool)
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := openAccount(t, t.TempDir(), fastly.Usual)
	a.newService("site", domain, "*."+domain, other, "*."+other)
	return a
}

// openAccount opens an account of some sort, with the state that a folder has.
func openAccount(t *testing.T, dir, sort string) *account {
	t.Helper()
	api, err := fastly.New(fastly.Options{Dir: dir, Token: token, Account: sort})
	require.NoError(t, err)
	direct := httptest.NewServer(api)
	t.Cleanup(direct.Close)
	a := &account{t: t, dir: dir}
	a.client, err = gofastly.NewClientForEndpoint(token, direct.URL)
	require.NoError(t, err)
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.calls = append(a.calls, r.Method+" "+r.URL.Path)
		n, meddle := len(a.calls), a.meddle
		a.mu.Unlock()
		if meddle == nil || !meddle(n, w, r, api) {
			api.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(watched.Close)
	a.url = watched.URL
	return a
}

// newService makes an active service with domains.
func (a *account) newService(name string, domains ...string) {
	ctx := a.t.Context()
	address := "origin.example.com"
	svc, err := a.client.CreateService(ctx, &gofastly.CreateServiceInput{Name: &name})
	require.NoError(a.t, err)
	for _, one := range domains {
		_, err = a.client.CreateDomain(ctx, &gofastly.CreateDomainInput{ServiceID: *svc.ServiceID, ServiceVersion: 1, Name: &one})
		require.NoError(a.t, err)
	}
	_, err = a.client.CreateBackend(ctx, &gofastly.CreateBackendInput{ServiceID: *svc.ServiceID, ServiceVersion: 1,
		Name: &name, Address: &address})
	require.NoError(a.t, err)
	_, err = a.client.ActivateVersion(ctx, &gofastly.ActivateVersionInput{ServiceID: *svc.ServiceID, ServiceVersion: 1})
	require.NoError(a.t, err)
}

// watch forgets the calls so far, and meddles with those to come.
func (a *account) watch(meddle func(n int, w http.ResponseWriter, r *http.Request, serve http.Handler) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.meddle = nil, meddle
}

// writes are the calls since watch that change something.
func (a *account) writes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.calls), func(call string) bool { return strings.HasPrefix(call, http.MethodGet) })
}

func (a *account) seen() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

// outcome is how a run ended.
type outcome struct {
	status  int
	output  string
	verdict string // its last line
}

// command is the binary, pointed at the account.
func (a *account) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = []string{"FASTLY_API_KEY=" + token, "FASTLY_API_URL=" + a.url, "FASTLY_DEBUG_MODE=true"}
	return command
}

// sync runs the binary over a folder of certificates.
func (a *account) sync(dir string, arguments ...string) outcome {
	return a.run(append([]string{"sync", "--stack", stack, "--certificates", dir, "--timeout", "20s"}, arguments...)...)
}

func (a *account) run(arguments ...string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	command := a.command(ctx, arguments...)
	output, err := command.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		a.t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	a.keepsSecrets(string(output))
	return outcome{command.ProcessState.ExitCode(), string(output), lines[len(lines)-1]}
}

// keepsSecrets checks that output holds nothing of a token or of a key.
func (a *account) keepsSecrets(output string) {
	if strings.Contains(output, token) || strings.Contains(output, "PRIVATE KEY") {
		a.t.Error("the output holds a secret")
	}
	secretsMu.Lock()
	defer secretsMu.Unlock()
	for _, secret := range secrets {
		if strings.Contains(output, secret) {
			a.t.Error("the output holds a part of a key")
		}
	}
}

var (
	secretsMu sync.Mutex
	secrets   []string // lines of all keys that tests mount
)

func (o outcome) requireInStep(t *testing.T) {
	t.Helper()
	require.Zero(t, o.status, o.output)
	require.Contains(t, o.verdict, "in step")
}

func (o outcome) requireFailure(t *testing.T, texts ...string) {
	t.Helper()
	require.Equal(t, 1, o.status, o.output)
	require.Contains(t, o.verdict, "level=ERROR")
	require.Contains(t, o.verdict, "failed: ")
	for _, text := range texts {
		require.Contains(t, o.verdict, text)
	}
}

// pair is a certificate and its key.
type pair struct {
	template   *x509.Certificate
	chain, key []byte
	signer     crypto.Signer
}

type change func(*x509.Certificate)

func until(end time.Time) change       { return func(c *x509.Certificate) { c.NotAfter = end } }
func names(all ...string) change       { return func(c *x509.Certificate) { c.DNSNames = all } }
func since(begin time.Time) change     { return func(c *x509.Certificate) { c.NotBefore = begin } }
func days(n int) time.Time             { return time.Now().AddDate(0, 0, n) }
func renewed(c *x509.Certificate)      { c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), days(90) }
func bothNames(domain string) []string { return []string{domain, "*." + domain} }
func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// issue makes a certificate for a domain, as it was issued two months ago if nothing else is said.
func issue(domain string, key crypto.Signer, changes ...change) *pair {
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{CommonName: domain},
		DNSNames:     bothNames(domain),
		NotBefore:    days(-60), NotAfter: days(30),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, change := range changes {
		change(template)
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(key))
	return &pair{
		template: template, signer: key,
		chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}

// mount puts certificates into folders, as Kubernetes does: behind links.
func mount(t *testing.T, certificates map[string]*pair) string {
	t.Helper()
	dir := t.TempDir()
	for domain, one := range certificates {
		remount(t, dir, domain, one)
	}
	require.NoError(t, os.Symlink("..2026", filepath.Join(dir, "..data")))
	return dir
}

func remount(t *testing.T, dir, domain string, one *pair) {
	t.Helper()
	behind := filepath.Join(dir, "..2026", domain)
	require.NoError(t, os.MkdirAll(behind, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(behind, "tls.crt"), one.chain, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(behind, "tls.key"), one.key, 0o600))
	_ = os.Remove(filepath.Join(dir, domain))
	require.NoError(t, os.Symlink(filepath.Join("..data", domain), filepath.Join(dir, domain)))
	secretsMu.Lock()
	defer secretsMu.Unlock()
	for line := range strings.Lines(string(one.key)) {
		if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "--") {
			secrets = append(secrets, line)
		}
	}
}

// holds is what the account has, in words: keys, certificates with their serial numbers, and activations.
func (a *account) holds() (keys, certificates, activations []string) {
	a.t.Helper()
	ctx := context.Background()
	for _, one := range must(a.client.ListPrivateKeys(ctx, &gofastly.ListPrivateKeysInput{PageSize: 100})) {
		keys = append(keys, one.Name)
	}
	serials := map[string]string{}
	for _, one := range must(a.client.ListCustomTLSCertificates(ctx, &gofastly.ListCustomTLSCertificatesInput{PageSize: 100})) {
		certificates = append(certificates, one.Name+" "+one.SerialNumber)
		serials[one.ID] = one.SerialNumber
	}
	for _, one := range must(a.client.ListTLSActivations(ctx, &gofastly.ListTLSActivationsInput{PageSize: 100})) {
		activations = append(activations, one.Domain.ID+" "+serials[one.Certificate.ID])
	}
	slices.Sort(keys)
	slices.Sort(certificates)
	slices.Sort(activations)
	return keys, certificates, activations
}

// serves checks that the account has exactly what belongs to certificates: of each its key, itself, and both names activated.
func (a *account) serves(certificates map[string]*pair) error {
	var wantKeys, wantCertificates, wantActivations []string
	for domain, one := range certificates {
		wantKeys = append(wantKeys, stack+" "+domain)
		wantCertificates = append(wantCertificates, fmt.Sprintf("%s %s %s", stack, domain, one.template.SerialNumber))
		for _, name := range bothNames(domain) {
			wantActivations = append(wantActivations, name+" "+one.template.SerialNumber.String())
		}
	}
	slices.Sort(wantKeys)
	slices.Sort(wantCertificates)
	slices.Sort(wantActivations)
	keys, found, activations := a.holds()
	for _, both := range [][2][]string{{wantKeys, keys}, {wantCertificates, found}, {wantActivations, activations}} {
		if !slices.Equal(both[0], both[1]) {
			return fmt.Errorf("Fastly has\n%q\nin place of\n%q", both[1], both[0])
		}
	}
	return nil
}
