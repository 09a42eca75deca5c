package nameserver

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Hosts answers for hosts of the providers themselves, which are in no zone of an account, and leaves all else to Others.
type Hosts struct {
	// Addresses are those of a host, none where no provider has it.
	Addresses func(host string) []netip.Addr
	Others    dns.Handler
}

// hostTTL is that of the addresses of hosts, in seconds.
const hostTTL = 300

// ServeDNS answers a question.
func (h *Hosts) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	if len(query.Question) != 1 {
		h.Others.ServeDNS(w, query)
		return
	}
	asked := query.Question[0]
	addresses := h.Addresses(strings.TrimSuffix(dns.CanonicalName(asked.Name), "."))
	if len(addresses) == 0 {
		h.Others.ServeDNS(w, query)
		return
	}
	answer := new(dns.Msg).SetReply(query)
	answer.Authoritative = true
	header := dns.RR_Header{Name: asked.Name, Rrtype: asked.Qtype, Class: dns.ClassINET, Ttl: hostTTL}
	for _, address := range addresses {
		switch {
		case address.Is4() && asked.Qtype == dns.TypeA:
			answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
		case address.Is6() && asked.Qtype == dns.TypeAAAA:
			answer.Answer = append(answer.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
		}
	}
	if len(answer.Answer) == 0 {
		header.Rrtype = dns.TypeSOA
		answer.Ns = []dns.RR{&dns.SOA{Hdr: header, Ns: asked.Name, Mbox: asked.Name, Minttl: hostTTL}}
	}
	_ = w.WriteMsg(answer)
}
