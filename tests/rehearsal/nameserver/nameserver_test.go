package nameserver_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/nameserver"
)

// A name that was asked for before it was there stays unknown for as long as its zone says, but no longer than an hour.
func TestAResolverRemembersThatThereIsNothing(t *testing.T) {
	t.Parallel()
	for name, minimum := range map[string]uint32{"brief.example.": 60, "long.example.": 86400} {
		var there atomic.Bool
		authority := serve(t, dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
			answer := new(dns.Msg).SetReply(query)
			header := dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: minimum}
			if there.Load() {
				header.Rrtype = dns.TypeTXT
				answer.Answer = []dns.RR{&dns.TXT{Hdr: header, Txt: []string{"proof"}}}
			} else {
				answer.Rcode = dns.RcodeNameError
				answer.Ns = []dns.RR{&dns.SOA{Hdr: header, Ns: name, Mbox: name, Minttl: minimum}}
			}
			_ = w.WriteMsg(answer)
		}))
		resolver := serve(t, &nameserver.Resolver{NameServer: authority})
		ask := func() *dns.Msg {
			answer, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeTXT), resolver)
			require.NoError(t, err)
			return answer
		}
		require.Equal(t, dns.RcodeNameError, ask().Rcode)
		there.Store(true)
		if minimum > 3600 {
			require.Equal(t, dns.RcodeNameError, ask().Rcode)
			require.LessOrEqual(t, nameserver.Life(ask()), time.Hour)
			continue
		}
		require.Eventually(t, func() bool { return len(ask().Answer) == 1 }, 10*time.Second, 10*time.Millisecond)
	}
}

// zone is a server that has some records, and answers all other names with nothing.
func zone(records ...string) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		for _, text := range records {
			record, _ := dns.NewRR(text)
			kind, owner := record.Header().Rrtype, record.Header().Name
			if owner == query.Question[0].Name && (kind == query.Question[0].Qtype || kind == dns.TypeCNAME) {
				answer.Answer = append(answer.Answer, record)
			}
		}
		if len(answer.Answer) == 0 {
			header := dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}
			answer.Ns = []dns.RR{&dns.SOA{Hdr: header, Ns: "example.", Mbox: "example."}}
		}
		_ = w.WriteMsg(answer)
	})
}

func TestWhatDoesNotFitIntoAPacketIsAskedForByTCP(t *testing.T) {
	t.Parallel()
	var records []string
	for i := range 20 {
		records = append(records, fmt.Sprintf("long.example. 300 IN TXT %d%s", i, strings.Repeat("x", 100)))
	}
	server := serve(t, zone(records...))
	cut, err := dns.Exchange(new(dns.Msg).SetQuestion("long.example.", dns.TypeTXT), server)
	require.NoError(t, err)
	require.True(t, cut.Truncated)
	require.LessOrEqual(t, len(cut.Answer), 4)
	query := new(dns.Msg).SetQuestion("long.example.", dns.TypeTXT)
	more, _, err := (&dns.Client{UDPSize: dns.MaxMsgSize}).Exchange(query.SetEdns0(4096, false), server)
	require.NoError(t, err)
	require.False(t, more.Truncated, "a client may take larger packets")
	require.NotNil(t, more.IsEdns0())
	whole, err := nameserver.Ask(t.Context(), server, "long.example", dns.TypeTXT)
	require.NoError(t, err)
	require.Len(t, whole.Answer, 20)
}

func TestAddressesAreThoseThatAliasesLeadTo(t *testing.T) {
	t.Parallel()
	hosts := &nameserver.Hosts{
		Addresses: func(host string) []netip.Addr {
			if host != "edge.provider.test" {
				return nil
			}
			return []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}
		},
		Others: zone("www.example. 300 IN CNAME site.example.", "site.example. 60 IN CNAME Edge.Provider.test.",
			"loop.example. 300 IN CNAME loop.example.", "mail.example. 300 IN MX 10 mail.example."),
	}
	resolver := serve(t, &nameserver.Resolver{NameServer: serve(t, hosts)})
	addresses, err := nameserver.Addresses(t.Context(), resolver, "www.example")
	require.NoError(t, err)
	require.Equal(t, hosts.Addresses("edge.provider.test"), addresses)
	answer, err := nameserver.Ask(t.Context(), resolver, "www.example", dns.TypeA)
	require.NoError(t, err)
	require.Len(t, answer.Answer, 3, "two aliases, and the address")
	answer, err = nameserver.Ask(t.Context(), resolver, "www.example", dns.TypeTXT)
	require.NoError(t, err)
	require.Len(t, answer.Answer, 2, "there is no text where they lead")
	for _, none := range []string{"mail.example", "none.example", "loop.example"} {
		_, err = nameserver.Addresses(t.Context(), resolver, none)
		var unknown *net.DNSError
		require.ErrorAs(t, err, &unknown, none)
		require.True(t, unknown.IsNotFound, none)
	}
}

func serve(t *testing.T, handler dns.Handler) (address string) {
	t.Helper()
	address, stop, err := nameserver.Serve(handler)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return address
}
