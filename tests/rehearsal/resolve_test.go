package main

import (
	"log/slog"
	"testing"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

// Fastly's authorities ask name servers, which have a record later than the API, and none where the account has no Linode.
func TestNamesAreProvenByTheNameServers(t *testing.T) {
	t.Parallel()
	const challenge, proof = "_acme-challenge.example.com", "proof.fastly-validations.com."
	api, err := linode.New(linode.Options{Dir: t.TempDir(), Token: token})
	require.NoError(t, err)
	t.Cleanup(api.Close)
	w := &world{}
	t.Cleanup(func() { require.NoError(t, w.close()) })
	w.linodeURL, err = w.serve(api, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.nameServer, err = w.serveNames(api)
	require.NoError(t, err)
	account := w.account()
	zone, err := account.CreateDomain(t.Context(), linodego.DomainCreateOptions{
		Domain: "example.com", Type: linodego.DomainTypeMaster, SOAEmail: "dns@example.com",
	})
	require.NoError(t, err)
	_, err = account.CreateDomainRecord(t.Context(), zone.ID, linodego.DomainRecordCreateOptions{
		Type: linodego.RecordTypeCNAME, Name: challenge, Target: proof,
	})
	require.NoError(t, err)
	require.Empty(t, w.resolve(challenge))

	w.nameServer, err = w.serveNames(dns.HandlerFunc(func(rw dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		answer.Answer = []dns.RR{&dns.CNAME{
			Hdr:    dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 300},
			Target: proof,
		}}
		_ = rw.WriteMsg(answer)
	}))
	require.NoError(t, err)
	require.Equal(t, proof, w.resolve(challenge))
}
