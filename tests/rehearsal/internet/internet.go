// Package internet is the way to public names and addresses of the simulated clouds: an HTTP proxy on the loopback interface,
// which any client takes. Nothing that it is asked for leaves the computer.
package internet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"time"

	"lke-platform/tests/rehearsal/relay"
)

// Options say where names and addresses lead.
type Options struct {
	// Resolve returns the addresses of a public name, and Dial connects to one of them ("ip:port").
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Proxy is one that serves until it is closed.
type Proxy struct {
	options  Options
	listener net.Listener
	server   *http.Server
}

// patience is how long somebody may take to say what he wants, and to be connected.
const patience = 10 * time.Second

// New serves on a free port of the loopback interface.
func New(options Options) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("internet: finding a free port: %w", err)
	}
	p := &Proxy{options: options, listener: listener}
	forward := &httputil.ReverseProxy{
		Rewrite: func(*httputil.ProxyRequest) {}, // the request says where to
		Transport: &http.Transport{
			DialContext: p.Dial, DisableCompression: true, DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute,
		},
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { unreachable(w, err) },
	}
	p.server = &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			p.connect(w, r)
		case r.URL.IsAbs():
			forward.ServeHTTP(w, r)
		default:
			http.Error(w, "this is a proxy: curl --proxy http://"+p.Address(), http.StatusBadRequest)
		}
	})}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// Address is where the proxy is.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Close ends the proxy. Connections through it end with what they lead to.
func (p *Proxy) Close() error { return p.server.Close() }

// Dial connects to a public name, or to an address, and to the next one of a name where one does not answer.
func (p *Proxy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := p.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, found := range addresses {
		connection, err := p.options.Dial(ctx, network, net.JoinHostPort(found.String(), port))
		if err == nil {
			return connection, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

func (p *Proxy) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	addresses, err := p.options.Resolve(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = fmt.Errorf("%s has no address", host)
	}
	return addresses, err
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), patience)
	defer stop()
	to, err := p.Dial(ctx, "tcp", r.Host)
	if err != nil {
		unreachable(w, err)
		return
	}
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	if _, err := fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		_, _ = from.Close(), to.Close()
		return
	}
	relay.Join(from, to)
}

func unreachable(w http.ResponseWriter, err error) {
	http.Error(w, "not to be reached: "+err.Error(), http.StatusBadGateway)
}
