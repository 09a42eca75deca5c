package nodebalancers

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"

	"lke-platform/tests/rehearsal/linode"
)

// backend is a node behind a port. What changes of it is guarded by the port's mutex.
type backend struct {
	linode.Backend

	stop     context.CancelFunc
	up       bool
	failures int // checks in a row
	open     int // connections
	credit   int // what it has saved of its weight
}

// add begins to look at a backend, which gets connections at once. The first check that fails counts for all.
func (p *port) add(wanted linode.Backend) *backend {
	added := &backend{Backend: wanted, up: true, failures: p.config.Check.Attempts - 1}
	var ctx context.Context
	ctx, added.stop = context.WithCancel(p.ctx)
	p.running.Go(func() { p.watch(ctx, added) })
	return added
}

func (p *port) health(id int) (up, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.backends {
		if b.ID == id {
			return b.up, true
		}
	}
	return false, false
}

// watch checks a backend until it goes.
func (p *port) watch(ctx context.Context, b *backend) {
	for {
		p.mu.Lock()
		check := p.config.Check
		p.mu.Unlock()
		err := p.check(ctx, check, b.Address)
		if ctx.Err() != nil {
			return
		}
		p.note(b, err, check.Attempts)
		select {
		case <-ctx.Done():
			return
		case <-time.After(check.Interval):
		}
	}
}

// note counts what checks say: some in a row that fail, or one that does not.
func (p *port) note(b *backend, err error, attempts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		b.failures = 0
	} else {
		b.failures++
	}
	if up := b.failures < attempts && (b.up || err == nil); up != b.up {
		b.up = up
		p.options.Log.Info("a backend has changed", "backend", b.Address, "up", up, "error", err)
	}
}

// fail notes that a backend did not take a connection.
func (p *port) fail(b *backend) {
	p.release(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.config.Check.Passive {
		b.up, b.failures = false, p.config.Check.Attempts
	}
}

func (p *port) release(b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.open--
}

// check asks a backend whether it serves.
func (p *port) check(ctx context.Context, check linode.BalancerCheck, address string) error {
	if check.Kind == "none" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	connection, err := p.options.Dial(ctx, p.source(), address)
	if err != nil || check.Kind == "connection" {
		if err == nil {
			err = connection.Close()
		}
		return err
	}
	return p.ask(ctx, check, connection, address)
}

// ask checks by a request, before which comes a header of the PROXY protocol that names nobody where the port speaks it.
func (p *port) ask(ctx context.Context, check linode.BalancerCheck, connection net.Conn, address string) error {
	defer connection.Close()
	p.mu.Lock()
	version := proxyVersions[p.config.ProxyProtocol]
	p.mu.Unlock()
	if version != 0 {
		nobody := proxyproto.Header{Version: version, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
		if _, err := nobody.WriteTo(connection); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+check.Path, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return connection, nil },
	}).RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("answers %s", response.Status)
	}
	if check.Kind == "http" {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && !strings.Contains(string(body), check.Body) {
		err = fmt.Errorf("answers without %q", check.Body)
	}
	return err
}

// choose takes a backend that was not tried yet for a client, nil where none is left.
func (p *port) choose(client netip.Addr, tried map[*backend]bool) *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	mode := func(mode string) []*backend {
		return slices.DeleteFunc(slices.Clone(p.backends), func(b *backend) bool { return b.Mode != mode || !b.up || tried[b] })
	}
	candidates := mode("accept")
	if len(candidates) == 0 {
		candidates = mode("backup")
	}
	chosen := p.stuck[client]
	if chosen == nil || !slices.Contains(append(candidates, mode("drain")...), chosen) {
		chosen = p.balance(client, candidates)
	}
	if chosen != nil {
		chosen.open++
		if p.config.Stickiness == "table" {
			p.stuck[client] = chosen
		}
	}
	return chosen
}

func (p *port) balance(client netip.Addr, candidates []*backend) *backend {
	switch p.config.Algorithm {
	case "source":
		return bySource(client, candidates)
	case "leastconn":
		return inTurn(leastBusy(candidates))
	default:
		return inTurn(candidates)
	}
}

// inTurn takes backends in turn, each as often as its weight says, and spread out.
func inTurn(candidates []*backend) (chosen *backend) {
	total := 0
	for _, b := range candidates {
		b.credit += b.Weight
		total += b.Weight
		if chosen == nil || b.credit > chosen.credit {
			chosen = b
		}
	}
	if chosen != nil {
		chosen.credit -= total
	}
	return chosen
}

// leastBusy are those with the fewest connections for their weight.
func leastBusy(candidates []*backend) []*backend {
	var least []*backend
	for _, b := range candidates {
		switch {
		case len(least) == 0 || b.open*least[0].Weight < least[0].open*b.Weight:
			least = []*backend{b}
		case b.open*least[0].Weight == least[0].open*b.Weight:
			least = append(least, b)
		}
	}
	return least
}

// bySource takes the same one for the same client, as long as the candidates are the same.
func bySource(client netip.Addr, candidates []*backend) *backend {
	total := 0
	for _, b := range candidates {
		total += b.Weight
	}
	if total == 0 {
		return nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write(client.AsSlice())
	at := int(hash.Sum32()) % total
	for _, b := range candidates {
		if at < b.Weight {
			return b
		}
		at -= b.Weight
	}
	return nil
}
