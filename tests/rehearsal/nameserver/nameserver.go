// Package nameserver serves DNS on the loopback interface, and plays the resolvers that everybody asks.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"lke-platform/tests/rehearsal/simulation"
)

// Serve answers questions on a free port, by UDP and by TCP, until stop.
func Serve(handler dns.Handler) (address string, stop func() error, err error) {
	listener, socket, err := listen()
	if err != nil {
		return "", nil, fmt.Errorf("nameserver: finding a free port: %w", err)
	}
	servers := []*dns.Server{{Listener: listener, Handler: fitting{handler}}, {PacketConn: socket, Handler: fitting{handler}}}
	for _, server := range servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
	}
	stop = func() error { return errors.Join(servers[0].Shutdown(), servers[1].Shutdown()) }
	return socket.LocalAddr().String(), stop, nil
}

// listen finds a port that is free for both protocols. The one that is free for TCP can be taken for UDP.
func listen() (listener net.Listener, socket net.PacketConn, err error) {
	for range 10 {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		if socket, err = net.ListenPacket("udp", listener.Addr().String()); err == nil {
			return listener, socket, nil
		}
		_ = listener.Close()
	}
	return nil, nil, err
}

// fitting cuts answers short that do not fit into a packet of the size that the client takes, and says so: who wants all of it
// asks by TCP.
type fitting struct{ dns.Handler }

// ServeDNS answers a question.
func (f fitting) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	out := answers{w, dns.MaxMsgSize, query.IsEdns0()}
	if w.RemoteAddr().Network() == "udp" {
		out.size = dns.MinMsgSize
		if out.extended != nil {
			out.size = max(out.size, int(out.extended.UDPSize()))
		}
	}
	f.Handler.ServeDNS(out, query)
}

// answers takes those of a size, with the extension that the question had.
type answers struct {
	dns.ResponseWriter

	size     int
	extended *dns.OPT
}

// WriteMsg sends an answer, as much of it as fits.
func (a answers) WriteMsg(answer *dns.Msg) error {
	if a.extended != nil {
		answer.SetEdns0(a.extended.UDPSize(), false)
	}
	answer.Truncate(a.size)
	return a.ResponseWriter.WriteMsg(answer)
}

// longestNegative is for how long a resolver remembers at most that there is nothing, as unbound has it by default.
const longestNegative = time.Hour

// Resolver plays the resolvers of the world: it asks the name servers, and remembers what they say for as long as they allow,
// also that there is nothing (RFC 2308).
type Resolver struct {
	// NameServer is the address of the one that it asks.
	NameServer string
	// Forgets has it remember nothing, as who looks for proofs wants it.
	Forgets bool

	mu         sync.Mutex
	remembered map[dns.Question]memory
}

type memory struct {
	answer *dns.Msg
	until  time.Time
}

// LongestChain is how many aliases are followed.
const LongestChain = 8

// ServeDNS answers a question, wherever aliases lead.
func (r *Resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg)
	if len(query.Question) != 1 {
		_ = w.WriteMsg(answer.SetRcodeFormatError(query))
		return
	}
	answer.SetReply(query)
	answer.RecursionAvailable = true
	asked := query.Question[0]
	for range LongestChain {
		known, left, err := r.ask(asked)
		if err != nil {
			answer.SetRcode(query, dns.RcodeServerFailure)
			break
		}
		answer.Rcode = known.Rcode
		answer.Answer = append(answer.Answer, aged(known.Answer, left)...)
		answer.Ns = aged(known.Ns, left)
		if asked.Name = unresolved(known, asked.Qtype); asked.Name == "" {
			break
		}
	}
	_ = w.WriteMsg(answer)
}

// aged are records as they stand in an answer that is remembered for so long still.
func aged(records []dns.RR, left time.Duration) (aged []dns.RR) {
	for _, record := range records {
		record = dns.Copy(record)
		record.Header().Ttl = min(record.Header().Ttl, uint32(left.Seconds()))
		aged = append(aged, record)
	}
	return aged
}

// unresolved is the name that an answer leads to without saying what is there; "" where it says all.
func unresolved(answer *dns.Msg, recordType uint16) string {
	ended := slices.ContainsFunc(answer.Ns, func(record dns.RR) bool { return record.Header().Rrtype == dns.TypeSOA })
	if ended || len(answer.Answer) == 0 || recordType == dns.TypeCNAME {
		return ""
	}
	if alias, isAlias := answer.Answer[len(answer.Answer)-1].(*dns.CNAME); isAlias {
		return alias.Target
	}
	return ""
}

// ask returns an answer, and for how long it is remembered still.
func (r *Resolver) ask(question dns.Question) (*dns.Msg, time.Duration, error) {
	question.Name = dns.CanonicalName(question.Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, found := r.remembered[question]; found && time.Now().Before(known.until) {
		return known.answer, time.Until(known.until) * simulation.Haste, nil
	}
	answer, err := Ask(context.Background(), r.NameServer, question.Name, question.Qtype)
	if err != nil {
		return nil, 0, err
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, 0, fmt.Errorf("the name server answers %s", dns.RcodeToString[answer.Rcode])
	}
	life := Life(answer)
	if r.Forgets {
		return answer, life, nil
	}
	if r.remembered == nil {
		r.remembered = map[dns.Question]memory{}
	}
	r.remembered[question] = memory{answer, time.Now().Add(life / simulation.Haste)}
	return answer, life, nil
}

// Life is for how long an answer may be remembered.
func Life(answer *dns.Msg) time.Duration {
	var seconds uint32
	for i, record := range answer.Answer {
		if ttl := record.Header().Ttl; i == 0 || ttl < seconds {
			seconds = ttl
		}
	}
	if len(answer.Answer) > 0 {
		return time.Duration(seconds) * time.Second
	}
	for _, record := range answer.Ns {
		if soa, isSOA := record.(*dns.SOA); isSOA {
			return min(time.Duration(min(soa.Minttl, soa.Hdr.Ttl))*time.Second, longestNegative)
		}
	}
	return 0
}
