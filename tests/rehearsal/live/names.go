//go:build linux

package live

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/miekg/dns"
)

// forwarder is what machines have for a name server, and with them the one in the cluster for names that are not the cluster's.
type forwarder struct {
	server atomic.Pointer[string] // that it asks; nil for none
}

// ForwardNames has a name server on this computer asked for names outside the clusters. Until then none of these is found.
func (m *Machines) ForwardNames(server string) { m.names.server.Store(&server) }

// ServeDNS hands on a question, in the way that it came.
func (f *forwarder) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	failed := new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
	server := f.server.Load()
	if server == nil {
		_ = w.WriteMsg(failed)
		return
	}
	answer, _, err := (&dns.Client{Net: w.RemoteAddr().Network(), UDPSize: dns.MaxMsgSize}).Exchange(query, *server)
	if err != nil {
		answer = failed
	}
	_ = w.WriteMsg(answer)
}

// serveNames answers questions of machines, and of pods, at the gateway.
func (n *network) serveNames(handler dns.Handler) error {
	address := net.JoinHostPort(gateway, "53")
	udp, tcp := &dns.Server{Handler: handler}, &dns.Server{Handler: handler}
	err := n.inside(func() (err error) {
		if udp.PacketConn, err = net.ListenPacket("udp4", address); err != nil {
			return err
		}
		tcp.Listener, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		return fmt.Errorf("serving names to the machines: %w", err)
	}
	for _, server := range []*dns.Server{udp, tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		n.servers = append(n.servers, server)
	}
	return nil
}
