package nameserver_test

import (
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

func serve(t *testing.T, handler dns.Handler) (address string) {
	t.Helper()
	address, stop, err := nameserver.Serve(handler)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return address
}
