// Package nameserver serves DNS on the loopback interface, and plays the resolvers that everybody asks.
package nameserver

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"

	"lke-platform/tests/rehearsal/simulation"
)

// Serve answers questions on a free port, until stop.
func Serve(handler dns.Handler) (address string, stop func() error, err error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("nameserver: finding a free port: %w", err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: socket, Handler: handler, NotifyStartedFunc: func() { close(started) }}
	go func() { _ = server.ActivateAndServe() }()
	<-started
	return socket.LocalAddr().String(), server.Shutdown, nil
}

// longestNegative is for how long a resolver remembers at most that there is nothing, as unbound has it by default.
const longestNegative = time.Hour

// Resolver plays the resolvers of the world: it asks the name servers, and remembers what they say for as long as they allow,
// also that there is nothing (RFC 2308).
type Resolver struct {
	// NameServer is the address of the one that it asks.
	NameServer string

	mu         sync.Mutex
	remembered map[dns.Question]memory
}

type memory struct {
	answer *dns.Msg
	until  time.Time
}

// ServeDNS answers a question.
func (r *Resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg)
	if len(query.Question) != 1 {
		_ = w.WriteMsg(answer.SetRcodeFormatError(query))
		return
	}
	known, left, err := r.ask(query.Question[0])
	if err != nil {
		_ = w.WriteMsg(answer.SetRcode(query, dns.RcodeServerFailure))
		return
	}
	answer.SetRcode(query, known.Rcode)
	for _, section := range []struct{ from, to *[]dns.RR }{{&known.Answer, &answer.Answer}, {&known.Ns, &answer.Ns}} {
		for _, record := range *section.from {
			record = dns.Copy(record)
			record.Header().Ttl = min(record.Header().Ttl, uint32(left.Seconds()))
			*section.to = append(*section.to, record)
		}
	}
	answer.RecursionAvailable = true
	_ = w.WriteMsg(answer)
}

// ask returns an answer, and for how long it is remembered still.
func (r *Resolver) ask(question dns.Question) (*dns.Msg, time.Duration, error) {
	question.Name = dns.CanonicalName(question.Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, found := r.remembered[question]; found && time.Now().Before(known.until) {
		return known.answer, time.Until(known.until) * simulation.Haste, nil
	}
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(question.Name, question.Qtype), r.NameServer)
	if err != nil {
		return nil, 0, err
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, 0, fmt.Errorf("the name server answers %s", dns.RcodeToString[answer.Rcode])
	}
	life := Life(answer)
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
