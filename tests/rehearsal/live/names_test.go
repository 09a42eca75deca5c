//go:build linux

package live

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/nameserver"
)

// Names outside the cluster are found where the rehearsal has a name server, and else nowhere.
func TestNamesAreAskedForWhereTheRehearsalSays(t *testing.T) {
	m := &Machines{}
	server, stop, err := nameserver.Serve(&m.names)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop() })
	ask := func() *dns.Msg {
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), server)
		require.NoError(t, err)
		return answer
	}
	require.Equal(t, dns.RcodeServerFailure, ask().Rcode)
	others, stop, err := nameserver.Serve(dns.HandlerFunc(answerOutside))
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop() })
	m.ForwardNames(others)
	answer := ask()
	require.Equal(t, dns.RcodeSuccess, answer.Rcode)
	require.Len(t, answer.Answer, 1)
	m.ForwardNames("127.0.0.1:1")
	require.Equal(t, dns.RcodeServerFailure, ask().Rcode)
}
