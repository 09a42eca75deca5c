// Package nodebalancers balances for the NodeBalancers of the simulated Linode API: each of their ports is a TCP proxy on this
// computer's loopback interface, which leads to the node ports of its backends.
//
// Linode does not publish all that a NodeBalancer does. Where it is silent this is what HAProxy does, which NodeBalancers are
// said to be made of.
package nodebalancers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"

	"lke-platform/tests/rehearsal/linode"
)

const (
	// lookAgain is how long after a change of the API a NodeBalancer follows, at most.
	lookAgain = 200 * time.Millisecond
	// unanswered is how long a client tries whose packets are dropped: as long as Linux does.
	unanswered = 127 * time.Second
)

// Options tell the NodeBalancers where their nodes are.
type Options struct {
	// Dial connects to a node, from an address of Linode's range of NodeBalancers.
	Dial func(ctx context.Context, from netip.Addr, address string) (net.Conn, error)
	// Log takes what clients only see as a closed connection; slog.Default() when nil.
	Log *slog.Logger
}

// Balancers are the NodeBalancers of an account.
type Balancers struct {
	options Options
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	ports map[int]*port // by ID
}

// New returns NodeBalancers of which there are none yet.
func New(options Options) *Balancers {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	b := &Balancers{options: options, ports: map[int]*port{}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Follow keeps the NodeBalancers as an account has them, until they are closed.
func (b *Balancers) Follow(account func() []linode.Balancer) {
	b.running.Go(func() {
		for b.ctx.Err() == nil {
			if err := b.Apply(account()); err != nil {
				b.options.Log.Error("a NodeBalancer does not listen", "error", err)
			}
			select {
			case <-b.ctx.Done():
			case <-time.After(lookAgain):
			}
		}
	})
}

// Apply has the NodeBalancers be these. Ports that are gone close, with all of their connections.
func (b *Balancers) Apply(account []linode.Balancer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		account = nil // closed
	}
	var faults []error
	wanted := map[int]bool{}
	for _, balancer := range account {
		for _, config := range balancer.Ports {
			if config.Protocol != "tcp" {
				continue
			}
			wanted[config.ID] = true
			if b.ports[config.ID] == nil {
				opened, err := b.open()
				if err != nil {
					faults = append(faults, fmt.Errorf("port %d of %s: %w", config.Port, balancer.Label, err))
					continue
				}
				b.ports[config.ID] = opened
			}
			b.ports[config.ID].configure(balancer, config)
		}
	}
	for id, port := range b.ports {
		if !wanted[id] {
			port.close()
			delete(b.ports, id)
		}
	}
	return errors.Join(faults...)
}

// Health tells whether a backend is up, by its ID. Of one that is behind no port here nothing is known, as where b is nil.
func (b *Balancers) Health(backend int) (up, known bool) {
	if b == nil {
		return false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, port := range b.ports {
		if up, known := port.health(backend); known {
			return up, true
		}
	}
	return false, false
}

// Listening are the addresses of all ports on this computer, by the public ones. A client there is 127.0.0.1, whom no firewall
// keeps off, or whom it names by a header of the PROXY protocol before all else.
func (b *Balancers) Listening() map[netip.AddrPort]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := map[netip.AddrPort]string{}
	for _, port := range b.ports {
		list[port.public(false)] = port.listener.Addr().String()
	}
	return list
}

// Dial connects clients of an address to the public address of a NodeBalancer.
func (b *Balancers) Dial(client netip.Addr) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := b.connect(ctx, client, address)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%s: %w", address, err)}
		}
		return connection, nil
	}
}

func (b *Balancers) connect(ctx context.Context, client netip.Addr, address string) (net.Conn, error) {
	public, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	port, err := b.at(public)
	if err != nil {
		return nil, err
	}
	if !port.admits(client) {
		return nil, dropped(ctx, client)
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp4", port.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	source := netip.AddrPortFrom(client, connection.LocalAddr().(*net.TCPAddr).AddrPort().Port())
	if _, err := header(2, source, public).WriteTo(connection); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return connection, nil
}

// at finds a port by its public address.
func (b *Balancers) at(public netip.AddrPort) (*port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, port := range b.ports {
		if port.public(public.Addr().Is6()) == public {
			return port, nil
		}
	}
	return nil, fmt.Errorf("no NodeBalancer listens there: %w", syscall.ECONNREFUSED)
}

// dropped waits for an answer, like who does not know of the firewall.
func dropped(ctx context.Context, client netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, unanswered)
	defer cancel()
	<-ctx.Done()
	return fmt.Errorf("no answer, as the NodeBalancer's firewall drops what comes from %s: %w", client, ctx.Err())
}

// header is one of the PROXY protocol.
func header(version byte, from, to netip.AddrPort) *proxyproto.Header {
	return proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to))
}

// Close ends all NodeBalancers, and their connections.
func (b *Balancers) Close() error {
	b.stop()
	err := b.Apply(nil)
	b.running.Wait()
	return err
}
