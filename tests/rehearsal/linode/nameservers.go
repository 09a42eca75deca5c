package linode

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"lke-platform/tests/rehearsal/simulation"
)

const (
	// publishing is how long the name servers take until they answer with what the API holds, where nothing else is said.
	publishing = time.Minute / simulation.Haste
	// longestChain is how many aliases they follow.
	longestChain = 8
	// defaultTTL is, in seconds, that of a zone that says nothing of it.
	defaultTTL = 86400
)

// nameServers are Linode's.
var nameServers = []string{"ns1.linode.com.", "ns2.linode.com.", "ns3.linode.com.", "ns4.linode.com.", "ns5.linode.com."}

// publication is what the name servers have at a time.
type publication struct {
	at    time.Time
	zones map[string]*zoneFile // by name
}

// zoneFile is a zone as the name servers have it.
type zoneFile struct {
	soa     *dns.SOA
	records map[string][]dns.RR // by whole name
}

// ServeDNS answers a question as ns1.linode.com does: from what was published of the account's zones, and only as long as the
// account has a Linode. Aliases are followed as far as the zones go.
func (a *API) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg)
	if len(query.Question) != 1 {
		_ = w.WriteMsg(answer.SetRcodeFormatError(query))
		return
	}
	asked, published := query.Question[0], a.serving()
	if published.zoneOf(asked.Name) == nil {
		_ = w.WriteMsg(answer.SetRcode(query, dns.RcodeRefused))
		return
	}
	answer.SetReply(query)
	for range longestChain {
		zone := published.zoneOf(asked.Name)
		if zone == nil {
			break
		}
		if asked.Name = zone.answer(answer, asked); asked.Name == "" {
			break
		}
	}
	_ = w.WriteMsg(answer)
}

// serving is what the name servers answer with; nothing while the account has no Linode.
func (a *API) serving() *publication {
	serving := false
	a.store.View(func(s *state) { serving = len(s.Instances) > 0 })
	if !serving {
		return &publication{}
	}
	return a.published.Load()
}

// zoneOf returns the zone that a name belongs to, the longest that fits; nil where there is none.
func (p *publication) zoneOf(name string) *zoneFile {
	for name = dns.CanonicalName(name); name != ""; name = parent(name) {
		if zone := p.zones[name]; zone != nil {
			return zone
		}
	}
	return nil
}

// publication returns what the name servers are to answer with after this change.
func (s *state) publication() *publication {
	p := &publication{at: time.Now(), zones: map[string]*zoneFile{}}
	for _, d := range s.Domains {
		if d.Type == "master" && d.Status == "active" {
			p.zones[dns.CanonicalName(d.Domain)] = d.file()
		}
	}
	return p
}

// publish has the name servers answer with the zones as they were at a change, unless they have a later one already.
func (a *API) publish(p *publication) {
	for {
		present := a.published.Load()
		if present != nil && present.at.After(p.at) || a.published.CompareAndSwap(present, p) {
			return
		}
	}
}

// file is the zone as name servers read it. Its TTL is also for how long resolvers may remember that a name is not there.
func (d *domain) file() *zoneFile {
	apex, ttl := dns.CanonicalName(d.Domain), uint32(cmp.Or(d.TTLSec, defaultTTL))
	header := func(recordType uint16) dns.RR_Header {
		return dns.RR_Header{Name: apex, Rrtype: recordType, Class: dns.ClassINET, Ttl: ttl}
	}
	file := &zoneFile{records: map[string][]dns.RR{}, soa: &dns.SOA{
		Hdr: header(dns.TypeSOA), Ns: nameServers[0], Mbox: strings.Replace(d.SOAEmail, "@", ".", 1) + ".",
		Serial: 2021000066, Refresh: 14400, Retry: 14400, Expire: 1209600, Minttl: ttl,
	}}
	file.records[apex] = []dns.RR{file.soa}
	for _, server := range nameServers {
		file.records[apex] = append(file.records[apex], &dns.NS{Hdr: header(dns.TypeNS), Ns: server})
	}
	for _, r := range d.Records {
		name := dns.CanonicalName(strings.TrimPrefix(r.Name+"."+d.Domain, "."))
		own := dns.RR_Header{Name: name, Rrtype: dns.StringToType[r.Type], Class: dns.ClassINET, Ttl: ttl}
		if r.TTLSec != 0 {
			own.Ttl = uint32(r.TTLSec)
		}
		file.records[name] = append(file.records[name], r.line(own))
	}
	return file
}

// line is the record as it stands in a zone file.
func (r *record) line(header dns.RR_Header) dns.RR {
	switch target := dns.Fqdn(r.Target); r.Type {
	case "A":
		return &dns.A{Hdr: header, A: net.ParseIP(r.Target)}
	case "AAAA":
		return &dns.AAAA{Hdr: header, AAAA: net.ParseIP(r.Target)}
	case "CNAME":
		return &dns.CNAME{Hdr: header, Target: target}
	case "MX":
		return &dns.MX{Hdr: header, Preference: uint16(r.Priority), Mx: target}
	case "NS":
		return &dns.NS{Hdr: header, Ns: target}
	case "PTR":
		return &dns.PTR{Hdr: header, Ptr: target}
	case "SRV":
		return &dns.SRV{Hdr: header, Priority: uint16(r.Priority), Weight: uint16(r.Weight), Port: uint16(r.Port), Target: target}
	case "CAA":
		return &dns.CAA{Hdr: header, Tag: *r.Tag, Value: r.Target}
	default:
		text := &dns.TXT{Hdr: header}
		for part := range slices.Chunk([]byte(r.Target), 255) { // the longest that one string of a record can be
			text.Txt = append(text.Txt, string(part))
		}
		return text
	}
}

// answer fills in what the zone says to a question, and returns the name that it leads to, if that is an alias.
func (z *zoneFile) answer(m *dns.Msg, question dns.Question) (target string) {
	name := dns.CanonicalName(question.Name)
	if m.Ns = z.delegation(name); m.Ns != nil {
		return ""
	}
	m.Authoritative = true
	records, exists := z.find(name)
	found := false
	for _, record := range records {
		kind := record.Header().Rrtype
		if kind != question.Qtype && kind != dns.TypeCNAME {
			continue
		}
		record = dns.Copy(record)
		record.Header().Name = question.Name // which a wildcard answers for
		m.Answer, found = append(m.Answer, record), true
		if alias, isAlias := record.(*dns.CNAME); isAlias && question.Qtype != dns.TypeCNAME {
			target = alias.Target
		}
	}
	if !found {
		m.Ns = []dns.RR{z.soa}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	return target
}

// delegation is where others answer for a name.
func (z *zoneFile) delegation(name string) (servers []dns.RR) {
	for ; name != z.soa.Hdr.Name; name = parent(name) {
		for _, record := range z.records[name] {
			if record.Header().Rrtype == dns.TypeNS {
				servers = append(servers, record)
			}
		}
	}
	return servers
}

// find returns the records of a name. One that is not there has those of the wildcard right below the next name above that is
// (RFC 4592).
func (z *zoneFile) find(name string) (records []dns.RR, exists bool) {
	encloser := name
	for !z.holds(encloser) {
		encloser = parent(encloser)
	}
	if encloser != name {
		name = "*." + encloser
	}
	records, exists = z.records[name]
	return records, exists || encloser == name
}

// holds says whether a name, or one below it, has a record.
func (z *zoneFile) holds(name string) bool {
	for owner := range z.records {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}

// parent is the name above.
func parent(name string) string {
	_, above, _ := strings.Cut(name, ".")
	return above
}
