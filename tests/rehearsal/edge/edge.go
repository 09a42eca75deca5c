// Package edge is Fastly's edge on the loopback interface: it serves the active version of each service of the simulated Fastly
// (package fastly), with the certificates that are activated there. The VCL runs in package program, answers are kept in package
// cache, and backends are asked over real connections. Shields are a second site, with a cache of its own.
//
// Not as at Fastly: there is one site for visitors and one machine in it; HTTP/3 and the image optimizer are not served; logs are
// written nowhere; Brotli is gzip; what is kept in parts is fetched as a whole.
package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"lke-platform/tests/rehearsal/fastly"
	"lke-platform/tests/rehearsal/simulation"
)

// Options say what an edge serves, and how it gets to its backends.
type Options struct {
	// Fastly keeps private keys, see fastly.Options.
	Fastly *fastly.API
	// Resolve returns the addresses of a host, and Dial connects to one of them ("ip:port").
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are who may have issued certificates of backends. Default: those of the system.
	Roots *x509.CertPool
	Log   *slog.Logger
}

// Edge serves until it is closed.
type Edge struct {
	options        Options
	faults         simulation.Faults // taken over HTTP, see simulation.FaultsPath
	served         atomic.Pointer[served]
	encrypted      net.Listener
	plain          net.Listener
	servers        []*http.Server
	mu             sync.Mutex // of reload, and what follows
	purges         int        // how many are done
	closed         bool
	sitesMu        sync.Mutex
	sitesByService map[string]map[string]*site // by the site's code
}

// served is what there is to serve, as a whole.
type served struct {
	services     []*service
	certificates map[string]*tls.Certificate // by domain
}

// New serves on two free ports of the loopback interface. What is deployed at Fastly later is served as soon as Fastly says so.
func New(options Options) (*Edge, error) {
	e := &Edge{options: options, sitesByService: map[string]map[string]*site{}, purges: len(options.Fastly.Purges())}
	e.served.Store(&served{})
	e.reload()
	var err error
	if e.encrypted, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
		e.plain, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("edge: finding a free port: %w", err), e.Close())
	}
	quiet := slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug)
	configuration := &tls.Config{
		GetCertificate: e.certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
	for _, listener := range []net.Listener{tls.NewListener(e.encrypted, configuration), e.plain} {
		e.serve(listener, &http.Server{Handler: e.faults.Wrap(e, failing), ReadHeaderTimeout: patience, ErrorLog: quiet})
	}
	options.Fastly.OnChange(e.reload)
	return e, nil
}

// failing is how an edge answers that serves nobody. Connections end, so that visitors look anew where the name leads.
func failing(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	http.Error(w, fmt.Sprintf("Error %d %s", status, http.StatusText(status)), status)
}

func (e *Edge) serve(listener net.Listener, server *http.Server) {
	e.servers = append(e.servers, server)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			e.options.Log.Error("the edge ended", "error", err)
		}
	}()
}

// Address is where the edge speaks TLS.
func (e *Edge) Address() string { return e.encrypted.Addr().String() }

// PlainAddress is where the edge speaks without.
func (e *Edge) PlainAddress() string { return e.plain.Addr().String() }

// Close ends everything, requests too.
func (e *Edge) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	var faults []error
	for _, server := range e.servers {
		faults = append(faults, server.Close())
	}
	for _, listener := range []net.Listener{e.encrypted, e.plain} {
		if listener != nil {
			_ = listener.Close() // its server has, if it had begun
		}
	}
	for _, s := range e.served.Load().services {
		s.close()
	}
	return errors.Join(faults...)
}

// reload takes over what has changed at Fastly. Requests that are under way end as they began.
func (e *Edge) reload() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	deployments, err := e.options.Fastly.Deployments()
	if err != nil {
		e.options.Log.Error("reading what is deployed", "error", err)
		return
	}
	before := e.served.Load()
	next := &served{certificates: e.options.Fastly.KeyPairs()}
	for i := range deployments {
		next.services = append(next.services, e.serviceOf(&deployments[i], before))
	}
	e.served.Store(next)
	for _, s := range before.services {
		if !next.has(s) {
			s.close()
		}
	}
	e.purge()
}

// serviceOf returns what is served already, where nothing has changed.
func (e *Edge) serviceOf(d *fastly.Deployment, before *served) *service {
	for _, s := range before.services {
		if reflect.DeepEqual(s.deployment, d) {
			return s
		}
	}
	s := newService(d, &e.options)
	log := e.options.Log.With("service", d.Name, "version", d.Version)
	if s.fault != nil {
		log.Error("cannot be served", "error", s.fault.Error())
	} else {
		log.Info("is served")
	}
	return s
}

func (s *served) has(one *service) bool {
	for _, other := range s.services {
		if other == one {
			return true
		}
	}
	return false
}

// find returns the service of a name, nil where there is none.
func (s *served) find(host string) *service {
	for _, one := range s.services {
		if domainOf(host, one.deployment.Domains) != "" {
			return one
		}
	}
	return nil
}

// certificateOf returns the one that is activated for a name, nil where there is none.
func (s *served) certificateOf(name string) *tls.Certificate {
	if exact := s.certificates[name]; exact != nil {
		return exact
	}
	return s.certificates[wildcardOf(name)]
}

// certificate chooses by the name that the visitor says; without one there is no handshake.
func (e *Edge) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return e.served.Load().certificateOf(strings.ToLower(hello.ServerName)), nil
}

// hostOf is the name that a request is for.
func hostOf(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ServeHTTP answers as Fastly does.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := e.answer(r)
	defer a.close()
	write(w, r, a)
}

func (e *Edge) answer(r *http.Request) *answer {
	now := e.served.Load()
	host := hostOf(r)
	svc := now.find(host)
	if svc == nil {
		return unknownDomain(r, host)
	}
	if r.TLS != nil {
		if certificate := now.certificateOf(strings.ToLower(r.TLS.ServerName)); certificate != nil &&
			certificate.Leaf.VerifyHostname(host) != nil {
			return misdirected(r)
		}
	}
	if r.Method == "PURGE" {
		return e.purgePlace(svc, r, e.options.Fastly.Accepts(r.Header.Get("Fastly-Key")))
	}
	return e.site(svc.deployment.ServiceID, edgeCode).ask(svc, r)
}
