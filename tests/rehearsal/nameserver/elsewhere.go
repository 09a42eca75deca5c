package nameserver

import (
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// Elsewhere plays the name servers of other DNS providers: it answers for their zones with what was set there, and leaves all
// else to Linode's.
type Elsewhere struct {
	// Linode answers for all other names.
	Linode dns.Handler

	mu      sync.RWMutex
	zones   map[string]bool // which are elsewhere; the others are at Linode
	records []dns.RR
}

// Set says which zones are at other providers, with what records, and which are at Linode.
func (e *Elsewhere) Set(elsewhere, atLinode []string, records []dns.RR) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.zones, e.records = map[string]bool{}, records
	for _, zone := range atLinode {
		e.zones[dns.CanonicalName(zone)] = false
	}
	for _, zone := range elsewhere {
		e.zones[dns.CanonicalName(zone)] = true
	}
}

// elsewhereTTL is in seconds, also for how long resolvers may remember that a name is not there.
const elsewhereTTL = 1800

// ServeDNS answers a question.
func (e *Elsewhere) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	if len(query.Question) == 1 {
		if zone := e.zoneOf(query.Question[0].Name); zone != "" {
			_ = w.WriteMsg(e.answer(zone, query))
			return
		}
	}
	e.Linode.ServeDNS(w, query)
}

// zoneOf returns the zone elsewhere that a name belongs to; "" where it belongs to none, or to a longer one at Linode.
func (e *Elsewhere) zoneOf(name string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	name = dns.CanonicalName(name)
	for _, start := range dns.Split(name) {
		if elsewhere, known := e.zones[name[start:]]; known {
			if elsewhere {
				return name[start:]
			}
			break
		}
	}
	return ""
}

func (e *Elsewhere) answer(zone string, query *dns.Msg) *dns.Msg {
	e.mu.RLock()
	defer e.mu.RUnlock()
	header := func(recordType uint16) dns.RR_Header {
		return dns.RR_Header{Name: zone, Rrtype: recordType, Class: dns.ClassINET, Ttl: elsewhereTTL}
	}
	soa := &dns.SOA{Hdr: header(dns.TypeSOA), Ns: "ns.elsewhere.example.", Mbox: "post.elsewhere.example.", Minttl: elsewhereTTL}
	server := &dns.NS{Hdr: header(dns.TypeNS), Ns: "ns.elsewhere.example."}
	answer := new(dns.Msg).SetReply(query)
	answer.Authoritative, answer.Rcode = true, dns.RcodeNameError
	asked := query.Question[0]
	for _, record := range append(slices.Clone(e.records), soa, server) {
		if owner := record.Header(); dns.IsSubDomain(asked.Name, owner.Name) {
			answer.Rcode = dns.RcodeSuccess
			exact := dns.CanonicalName(asked.Name) == dns.CanonicalName(owner.Name)
			if exact && (owner.Rrtype == asked.Qtype || owner.Rrtype == dns.TypeCNAME) {
				answer.Answer = append(answer.Answer, record)
			}
		}
	}
	if len(answer.Answer) == 0 {
		answer.Ns = []dns.RR{soa}
	}
	return answer
}

// Alias is a CNAME.
func Alias(name, target string) dns.RR {
	return &dns.CNAME{
		Hdr:    dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: elsewhereTTL},
		Target: dns.Fqdn(target),
	}
}
