package edge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"lke-platform/tests/rehearsal/fastly"
)

const token = "token"

// inputs are those of a service as the program declares it.
type inputs map[string]any

// shipped reads what the program makes of one of the stack files.
func shipped(t *testing.T, stack string) inputs {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "testdata", stack+".golden.yaml"))
	require.NoError(t, err)
	var graph map[string]struct{ Inputs map[string]any }
	require.NoError(t, yaml.Unmarshal(content, &graph))
	return graph["fastly:index/serviceVcl:ServiceVcl cdn"].Inputs
}

func (in inputs) blocks(kind string) (blocks []map[string]any) {
	list, _ := in[kind].([]any)
	for _, block := range list {
		blocks = append(blocks, block.(map[string]any))
	}
	return blocks
}

// origin is a server behind the edge.
type origin struct {
	*httptest.Server
	mu     sync.Mutex
	handle http.HandlerFunc
	asked  []*http.Request
	sick   atomic.Bool // what it says when it is asked how it is
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.UserAgent() == "Varnish/fastly (healthcheck)" {
		if o.sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return
	}
	o.mu.Lock()
	o.asked = append(o.asked, r)
	handle := o.handle
	o.mu.Unlock()
	handle(w, r)
}

// answer has the origin answer otherwise from now on, and forget what it was asked.
func (o *origin) answer(handle http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handle, o.asked = handle, nil
}

func (o *origin) requests() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// page answers with a body, the same for all, and headers.
func page(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		_, _ = io.WriteString(w, body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// cloud is a simulated Fastly with an edge, and servers behind it.
type cloud struct {
	*testing.T
	api       *fastly.API
	edge      *Edge
	authority *authority
	service   string // ID
	version   int
	domains   []string
	servers   map[string]*origin // by the backend's name
	addresses map[string]string  // of servers, by the address that the edge believes in
	proof     string             // where the alias leads by which names are proven
}

// serve has an edge serve a service that the program declares. Its certificates are activated.
func serve(t *testing.T, declared inputs) *cloud {
	t.Helper()
	c := newCloud(t)
	c.deploy(declared)
	c.certify(c.domains...)
	return c
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{T: t, authority: newAuthority(t), servers: map[string]*origin{}, addresses: map[string]string{}}
	api, err := fastly.New(fastly.Options{
		Dir: t.TempDir(), Token: token, KeepKeys: true, Resolve: func(string) string { return c.proof },
	})
	require.NoError(t, err)
	c.api = api
	c.edge, err = New(Options{
		Fastly: api, Resolve: c.resolve, Dial: c.dial, Roots: c.authority.pool, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.edge.Close()) })
	return c
}

// resolve gives each server an address of its own, in a range that is for documentation.
func (c *cloud) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if c.addresses[host] == "" {
		return nil, fmt.Errorf("no such host: %s", host)
	}
	return []netip.Addr{netip.MustParseAddr(c.addresses[host])}, nil
}

func (c *cloud) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, c.addresses[host])
}

// call asks the simulated API.
func (c *cloud) call(method, path string, body any) map[string]any {
	c.Helper()
	content, err := json.Marshal(body)
	require.NoError(c, err)
	r := httptest.NewRequest(method, path, bytes.NewReader(content))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Fastly-Key", token)
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	require.Less(c, w.Code, 300, "%s %s: %s", method, path, w.Body)
	answer := map[string]any{}
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // lists are nobody's business
	return answer
}

// paths are those of the API for what the SDK calls otherwise. Where logs go, the edge does not say.
var paths = map[string]string{
	"backends": "backend", "conditions": "condition", "domains": "domain", "gzips": "gzip", "healthchecks": "healthcheck",
	"requestSettings": "request_settings", "snippets": "snippet", "vcls": "vcl",
}

var upper = regexp.MustCompile(`[A-Z]`)

// deploy has a new service be what is declared, and its backends be served.
func (c *cloud) deploy(declared inputs) {
	c.Helper()
	c.service = c.call("POST", "/service", map[string]any{"name": "site"})["id"].(string)
	c.version = 1
	for _, domain := range declared.blocks("domains") {
		c.domains = append(c.domains, domain["name"].(string))
	}
	products, _ := declared["productEnablement"].(map[string]any)
	for product, enabled := range products {
		if enabled == true {
			c.call("PUT", "/enabled-products/v1/"+snake(product)+"/services/"+c.service, nil)
		}
	}
	for _, b := range declared.blocks("backends") {
		c.server(b["name"].(string), b["address"].(string))
	}
	// Conditions and health checks before what refers to them.
	for _, kind := range []string{"conditions", "healthchecks", "backends", "domains", "gzips", "requestSettings", "snippets", "vcls"} {
		for _, block := range declared.blocks(kind) {
			c.call("POST", fmt.Sprintf("/service/%s/version/%d/%s", c.service, c.version, paths[kind]), c.object(block))
		}
	}
	c.activate(c.version)
}

func snake(name string) string {
	return upper.ReplaceAllStringFunc(name, func(s string) string { return "_" + strings.ToLower(s) })
}

// object is what the API wants of a block. A certificate that is shown to the origin is secret, so that another takes its place.
func (c *cloud) object(block map[string]any) map[string]any {
	o := map[string]any{}
	for name, value := range block {
		if list, ok := value.([]any); ok {
			var texts []string
			for _, item := range list {
				texts = append(texts, fmt.Sprint(item))
			}
			value = strings.Join(texts, " ")
		}
		o[snake(name)] = value
	}
	if o["ssl_client_key"] != nil {
		o["ssl_client_cert"], o["ssl_client_key"] = c.authority.issue(c.T, "fastly.example.com")
	}
	return o
}

func (c *cloud) activate(version int) {
	c.Helper()
	c.call("PUT", fmt.Sprintf("/service/%s/version/%d/activate", c.service, version), nil)
	c.version = version
}

// change activates a version in which something is changed.
func (c *cloud) change(edit func(version string)) {
	c.Helper()
	next := int(c.call("PUT", fmt.Sprintf("/service/%s/version/%d/clone", c.service, c.version), nil)["number"].(float64))
	edit(fmt.Sprintf("/service/%s/version/%d/", c.service, next))
	c.activate(next)
}

// server is one that answers at an address, with a certificate for it.
func (c *cloud) server(name, address string) *origin {
	c.Helper()
	o := &origin{handle: status(http.StatusOK)}
	o.Server = httptest.NewUnstartedServer(o)
	o.TLS = &tls.Config{Certificates: []tls.Certificate{c.authority.pair(c.T, address)}, ClientAuth: tls.RequestClientCert}
	o.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	o.StartTLS()
	c.Cleanup(o.Close)
	c.addresses[address] = fmt.Sprintf("192.0.2.%d", len(c.servers)+1)
	c.addresses[c.addresses[address]] = o.Listener.Addr().String()
	c.servers[name] = o
	return o
}

// certify uploads a certificate for names, and activates it for each.
func (c *cloud) certify(names ...string) {
	c.Helper()
	chain, key := c.authority.issue(c.T, names...)
	upload := func(path, kind string, attributes map[string]any) string {
		data := c.call("POST", path, map[string]any{"data": map[string]any{"type": kind, "attributes": attributes}})["data"]
		return data.(map[string]any)["id"].(string)
	}
	upload("/tls/private_keys", "tls_private_key", map[string]any{"key": key, "name": names[0]})
	id := upload("/tls/certificates", "tls_certificate", map[string]any{"cert_blob": chain, "name": names[0]})
	related := func(kind, id string) map[string]any {
		return map[string]any{"data": map[string]any{"type": kind, "id": id}}
	}
	for _, name := range names {
		c.call("POST", "/tls/activations", map[string]any{"data": map[string]any{
			"type": "tls_activation", "relationships": map[string]any{
				"tls_certificate": related("tls_certificate", id), "tls_domain": related("tls_domain", name),
			},
		}})
	}
}

// got is an answer as a visitor sees it.
type got struct {
	*http.Response
	body string
}

// visitor asks the edge, whatever the name of the host, and trusts the test's authority.
func (c *cloud) visitor() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: c.authority.pool}, DisableCompression: true, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := c.edge.Address()
			if strings.HasSuffix(address, ":80") {
				to = c.edge.PlainAddress()
			}
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, to)
		},
	}
	c.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a request with headers, as lines.
func (c *cloud) ask(method, url string, headers ...string) *got {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, url, http.NoBody)
	require.NoError(c, err)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	response, err := c.visitor().Do(r)
	require.NoError(c, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(c, err)
	return &got{response, string(body)}
}

func (c *cloud) get(url string, headers ...string) *got {
	c.Helper()
	return c.ask(http.MethodGet, url, headers...)
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	issued      int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.certificate, err = x509.ParseCertificate(content)
	require.NoError(t, err)
	a.pool.AddCert(a.certificate)
	return a
}

// issue returns a certificate for names, and its key, in PEM.
func (a *authority) issue(t *testing.T, names ...string) (chain, key string) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.issued++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(100 + a.issued), DNSNames: names, Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	content, err := x509.CreateCertificate(rand.Reader, template, a.certificate, crypto.Signer(own).Public(), a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(t, err)
	encode := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	return encode("CERTIFICATE", content), encode("PRIVATE KEY", private)
}

func (a *authority) pair(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	chain, key := a.issue(t, names...)
	pair, err := tls.X509KeyPair([]byte(chain), []byte(key))
	require.NoError(t, err)
	return pair
}
