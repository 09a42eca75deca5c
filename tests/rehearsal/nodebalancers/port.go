package nodebalancers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/time/rate"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/relay"
)

const (
	// introduction is how long a client has to say who it is. One that says nothing may be of a protocol where the server begins.
	introduction = time.Second
	// connectTime is how long a node has to take a connection.
	connectTime = 5 * time.Second
)

// port is one of a NodeBalancer.
type port struct {
	*Balancers

	listener net.Listener
	ctx      context.Context
	stop     context.CancelFunc

	mu       sync.Mutex
	balancer linode.Balancer
	config   linode.BalancerPort
	backends []*backend
	limits   map[netip.Addr]*rate.Limiter
	stuck    map[netip.Addr]*backend // which a client came to before
}

// open begins to listen.
func (b *Balancers) open() (*port, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &port{Balancers: b, listener: listener, limits: map[netip.Addr]*rate.Limiter{}, stuck: map[netip.Addr]*backend{}}
	p.ctx, p.stop = context.WithCancel(b.ctx)
	b.running.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			b.running.Go(func() { p.serve(connection) })
		}
	})
	return p, nil
}

func (p *port) close() {
	p.stop()
	_ = p.listener.Close()
}

// configure has the port be as the API says. Backends that stay keep their connections and their health; one that goes gets no
// more connections, and keeps those that it has.
func (p *port) configure(balancer linode.Balancer, config linode.BalancerPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if balancer.Throttle != p.balancer.Throttle {
		clear(p.limits)
	}
	p.balancer, p.config = balancer, config
	var backends []*backend
	for _, wanted := range config.Backends {
		at := slices.IndexFunc(p.backends, func(b *backend) bool { return b.ID == wanted.ID && b.Address == wanted.Address })
		if at >= 0 {
			p.backends[at].Weight, p.backends[at].Mode = wanted.Weight, wanted.Mode
			backends = append(backends, p.backends[at])
			continue
		}
		backends = append(backends, p.add(wanted))
	}
	for _, before := range p.backends {
		if !slices.Contains(backends, before) {
			before.stop()
		}
	}
	p.backends = backends
}

// public is the address that clients know.
func (p *port) public(six bool) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	address := p.balancer.IPv4
	if six {
		address = p.balancer.IPv6
	}
	return netip.AddrPortFrom(address, uint16(p.config.Port))
}

// admits says whether the firewall lets a client in. This computer, which is no client that it could know, is never kept off.
func (p *port) admits(client netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return client.IsLoopback() || p.balancer.Admits(client, p.config.Port)
}

// throttles says whether a client has connected too often within a second.
func (p *port) throttles(client netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := p.balancer.Throttle
	if most == 0 {
		return false
	}
	if p.limits[client] == nil {
		p.limits[client] = rate.NewLimiter(rate.Limit(most), most)
	}
	return !p.limits[client].Allow()
}

// serve brings a connection to a backend.
func (p *port) serve(connection net.Conn) {
	defer connection.Close()
	defer context.AfterFunc(p.ctx, func() { _ = connection.Close() })()
	client, err := introduce(connection)
	log := p.options.Log.With("port", p.public(false).String())
	if err != nil {
		log.Info("a client ended before it was known", "error", err)
		return
	}
	switch {
	case !p.admits(client.from.Addr()):
		log.Info("the firewall drops a client", "client", client.from.String())
		return
	case p.throttles(client.from.Addr()):
		log.Info("a client connects too often", "client", client.from.String())
		return
	}
	to, backend, err := p.reach(client.from)
	if err != nil {
		log.Warn("no backend takes a connection", "client", client.from.String(), "error", err)
		return
	}
	defer context.AfterFunc(p.ctx, func() { _ = to.Close() })()
	relay.Join(client, to)
	p.release(backend)
}

// client is a connection of one.
type client struct {
	net.Conn // which the reader may be ahead of

	reader io.Reader
	from   netip.AddrPort
}

func (c *client) Read(content []byte) (int, error) { return c.reader.Read(content) }

// CloseWrite tells the client that nothing more comes.
func (c *client) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// introduce finds out who a client is.
func introduce(connection net.Conn) (*client, error) {
	reader := bufio.NewReader(connection)
	known := &client{Conn: connection, reader: reader, from: connection.RemoteAddr().(*net.TCPAddr).AddrPort()}
	if err := connection.SetReadDeadline(time.Now().Add(introduction)); err != nil {
		return nil, err
	}
	named, err := proxyproto.Read(reader)
	var late net.Error
	if err != nil && !errors.Is(err, proxyproto.ErrNoProxyProtocol) && (!errors.As(err, &late) || !late.Timeout()) {
		return nil, err
	}
	if named != nil {
		if from, _, isTCP := named.TCPAddrs(); isTCP {
			known.from = netip.AddrPortFrom(from.AddrPort().Addr().Unmap(), from.AddrPort().Port())
		}
	}
	return known, connection.SetReadDeadline(time.Time{})
}

// reach connects to a backend, or to the next one where that does not take it.
func (p *port) reach(client netip.AddrPort) (net.Conn, *backend, error) {
	var faults []error
	tried := map[*backend]bool{}
	for p.ctx.Err() == nil {
		chosen := p.choose(client.Addr(), tried)
		if chosen == nil {
			break
		}
		tried[chosen] = true
		to, err := p.connectTo(chosen.Address, connectTime)
		if err == nil {
			if err = p.greet(to, client); err == nil {
				return to, chosen, nil
			}
			_ = to.Close()
		}
		faults = append(faults, err)
		p.fail(chosen)
	}
	return nil, nil, errors.Join(append(faults, errors.New("no other is up"))...)
}

// connectTo connects to a backend as the NodeBalancer does.
func (p *port) connectTo(address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return p.options.Dial(ctx, p.source(), address)
}

// source is the address that nodes see. A NodeBalancer has one here, and some at Linode.
func (p *port) source() netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := netip.MustParsePrefix(linode.BalancerRange).Addr().As4()
	bytes[3] = byte(1 + p.balancer.ID%254)
	return netip.AddrFrom4(bytes)
}

// greet says who the client is, where the backend is to be told.
func (p *port) greet(backend net.Conn, client netip.AddrPort) error {
	p.mu.Lock()
	version := proxyVersions[p.config.ProxyProtocol]
	p.mu.Unlock()
	if version == 0 {
		return nil
	}
	_, err := header(version, client, p.public(client.Addr().Is6())).WriteTo(backend)
	return err
}

var proxyVersions = map[string]byte{"v1": 1, "v2": 2}
