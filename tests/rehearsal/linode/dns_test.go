package linode_test

import (
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/nameserver"
	"lke-platform/tests/rehearsal/simulation"
)

func (r *rig) zone(name string) *linodego.Domain {
	r.t.Helper()
	domain, err := r.CreateDomain(r.t.Context(), linodego.DomainCreateOptions{
		Domain: name, Type: linodego.DomainTypeMaster, SOAEmail: "dns@example.com",
	})
	require.NoError(r.t, err)
	return domain
}

func TestDomains(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	domain := r.zone("example.com")
	require.Equal(t, linodego.DomainStatusActive, domain.Status)
	require.Empty(t, domain.Tags)
	child := r.zone("staging.example.com")

	domain, err := r.UpdateDomain(ctx, domain.ID, linodego.DomainUpdateOptions{
		Description: "the site", TTLSec: 301, RefreshSec: 14400, ExpireSec: 9999999, Tags: []string{"web"},
	})
	require.NoError(t, err)
	require.Equal(t, 3600, domain.TTLSec, "times are stored as the next one that Linode knows")
	require.Equal(t, 14400, domain.RefreshSec)
	require.Equal(t, 2419200, domain.ExpireSec)
	domain, err = r.UpdateDomain(ctx, domain.ID, linodego.DomainUpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"web"}, domain.Tags, "what is not given stays")
	found, err := r.ListDomains(ctx, &linodego.ListOptions{Filter: `{"domain":"staging.example.com"}`})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, child.ID, found[0].ID)

	for reason, options := range map[string]linodego.DomainCreateOptions{
		"[domain] DNS zone already exists.":                  {Domain: "Example.com", Type: "master", SOAEmail: "a@b.com"},
		"[domain] Domain is not valid.":                      {Domain: "example", Type: "master", SOAEmail: "a@b.com"},
		"[soa_email] soa_email required when type=master":    {Domain: "a.com", Type: "master"},
		"[soa_email] soa_email is not valid":                 {Domain: "a.com", Type: "master", SOAEmail: "me"},
		"[master_ips] master_ips required when type=slave":   {Domain: "a.com", Type: "slave"},
		"[type] Must be one of master, slave":                {Domain: "a.com", Type: "primary"},
		"[description] Must be 1-253 characters":             {Domain: "a.com", Type: "slave", Description: strings.Repeat("x", 254)},
		"[status] Must be one of active, disabled":           {Domain: "a.com", Type: "slave", Status: "gone"},
		"[domain] Domain is not valid.; [soa_email] soa_ema": {Type: "master"},
	} {
		_, err := r.CreateDomain(ctx, options)
		require.ErrorContains(t, err, reason)
	}
	require.NoError(t, r.DeleteDomain(ctx, child.ID))
	_, err = r.GetDomain(ctx, child.ID)
	require.True(t, linodego.IsNotFound(err), err)
}

func TestAZoneCanBeReadWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	zone := r.zone("example.com").ID
	for _, options := range []linodego.DomainRecordCreateOptions{
		{Type: linodego.RecordTypeA, Name: "www", Target: "203.0.113.9"},
		{Type: linodego.RecordTypeMX, Target: "mail.example.com", Priority: new(10)},
	} {
		_, err := r.CreateDomainRecord(t.Context(), zone, options)
		require.NoError(t, err)
	}
	file, err := r.GetDomainZoneFile(t.Context(), zone)
	require.NoError(t, err)
	require.Contains(t, file.ZoneFile, "$TTL 86400")
	require.Contains(t, file.ZoneFile, "@\tIN\tSOA\tns1.linode.com. dns.example.com. 2021000066 14400 14400 1209600 86400")
	require.Contains(t, file.ZoneFile, "@\t\tNS\tns1.linode.com.")
	require.Contains(t, file.ZoneFile, "www\t\tA\t203.0.113.9")
	require.Contains(t, file.ZoneFile, "@\t\tMX\t10\tmail.example.com")
	_, err = r.UpdateDomain(t.Context(), zone, linodego.DomainUpdateOptions{TTLSec: 300})
	require.NoError(t, err)
	file, err = r.GetDomainZoneFile(t.Context(), zone)
	require.NoError(t, err)
	require.Contains(t, file.ZoneFile, "$TTL 300")
	require.Contains(t, file.ZoneFile, "@\tIN\tSOA\tns1.linode.com. dns.example.com. 2021000066 14400 14400 1209600 300",
		"it is also for how long resolvers remember that a name is not there")
	_, err = r.GetDomainZoneFile(t.Context(), zone+1)
	require.True(t, linodego.IsNotFound(err), err)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	zone := r.zone("example.com").ID
	create := func(options linodego.DomainRecordCreateOptions) *linodego.DomainRecord {
		record, err := r.CreateDomainRecord(ctx, zone, options)
		require.NoError(t, err)
		return record
	}
	apex := create(linodego.DomainRecordCreateOptions{Type: "A", Name: "example.com", Target: "192.0.2.1", TTLSec: 301})
	require.Empty(t, apex.Name, "names are relative to the zone")
	require.Equal(t, 3600, apex.TTLSec)
	www := create(linodego.DomainRecordCreateOptions{Type: "CNAME", Name: "www.example.com", Target: "cdn.example.net."})
	require.Equal(t, "www", www.Name)
	require.Equal(t, "cdn.example.net", www.Target, "host names have no dot at the end")
	require.Zero(t, www.TTLSec, "that of the zone")
	mx := create(linodego.DomainRecordCreateOptions{Type: "MX", Target: "mail", Priority: new(10)})
	require.Equal(t, "mail.example.com", mx.Target, "a single label is in the zone")
	srv := create(linodego.DomainRecordCreateOptions{
		Type: "SRV", Target: "sip.example.com", Service: new("sip"), Protocol: new("tcp"), Port: new(5060), Weight: new(5),
	})
	require.Equal(t, "_sip._tcp", srv.Name)
	create(linodego.DomainRecordCreateOptions{Type: "CAA", Target: "letsencrypt.org", Tag: new("issue")})
	create(linodego.DomainRecordCreateOptions{Type: "TXT", Name: "_acme-challenge", Target: "one of them"})
	create(linodego.DomainRecordCreateOptions{Type: "TXT", Name: "_acme-challenge", Target: "another"})
	create(linodego.DomainRecordCreateOptions{Type: "AAAA", Name: "*", Target: "2001:db8::1"})
	create(linodego.DomainRecordCreateOptions{Type: "NS", Name: "staging", Target: "ns1.linode.com"})

	www, err := r.UpdateDomainRecord(ctx, zone, www.ID, linodego.DomainRecordUpdateOptions{Target: "other.example.net", TTLSec: 300})
	require.NoError(t, err)
	require.Equal(t, "www", www.Name)
	require.Equal(t, "other.example.net", www.Target)
	require.Equal(t, 300, www.TTLSec)
	records, err := r.ListDomainRecords(ctx, zone, nil)
	require.NoError(t, err)
	require.Len(t, records, 9)
	require.NoError(t, r.DeleteDomainRecord(ctx, zone, mx.ID))
	_, err = r.GetDomainRecord(ctx, zone, mx.ID)
	require.True(t, linodego.IsNotFound(err), err)
	_, err = r.GetDomainRecord(ctx, r.zone("example.org").ID, www.ID)
	require.True(t, linodego.IsNotFound(err), "a record is in its zone only")
	_, err = r.ListDomainRecords(ctx, 1, nil)
	require.True(t, linodego.IsNotFound(err), err)
}

func TestRecordsThatLinodeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	zone := r.zone("example.com").ID
	_, err := r.CreateDomainRecord(ctx, zone, linodego.DomainRecordCreateOptions{Type: "CNAME", Name: "www", Target: "a.example.net"})
	require.NoError(t, err)
	for _, test := range []struct {
		linodego.DomainRecordCreateOptions
		reason string
	}{
		{linodego.DomainRecordCreateOptions{Type: "SPF", Target: "x"}, "[type] Must be one of A, AAAA"},
		{linodego.DomainRecordCreateOptions{Type: "A", Name: "a"}, "[target] target is required"},
		{linodego.DomainRecordCreateOptions{Type: "A", Target: "2001:db8::1"}, "[target] Invalid IPv4 address"},
		{linodego.DomainRecordCreateOptions{Type: "AAAA", Target: "192.0.2.1"}, "[target] Invalid IPv6 address"},
		{linodego.DomainRecordCreateOptions{Type: "CNAME", Target: "a.example.net"}, "[name] name is required: a zone's apex"},
		{linodego.DomainRecordCreateOptions{Type: "CNAME", Name: "a", Target: "192.0.2.1"}, "[target] target is not a valid hostname"},
		{linodego.DomainRecordCreateOptions{Type: "CNAME", Name: "WWW", Target: "b.net"}, "[name] Record conflict - CNAMES must be unique"},
		{linodego.DomainRecordCreateOptions{Type: "TXT", Name: "www", Target: "x"}, "[name] Record conflict - CNAMES must be unique"},
		{linodego.DomainRecordCreateOptions{Type: "MX", Target: "m.net", Priority: new(256)}, "[priority] Must be 0-255"},
		{linodego.DomainRecordCreateOptions{Type: "SRV", Target: "s.net", Protocol: new("tcp")}, "[service] service is required"},
		{linodego.DomainRecordCreateOptions{Type: "CAA", Target: "ca.net"}, "[tag] Must be one of issue, issuewild, iodef"},
		{linodego.DomainRecordCreateOptions{Type: "NS", Name: "*", Target: "ns.net"}, "[name] Wildcard NS records are not supported"},
		{linodego.DomainRecordCreateOptions{Type: "A", Name: "a b", Target: "192.0.2.1"}, "[name] name is not valid"},
	} {
		_, err := r.CreateDomainRecord(ctx, zone, test.DomainRecordCreateOptions)
		require.ErrorContains(t, err, test.reason)
	}
	records, err := r.ListDomainRecords(ctx, zone, nil)
	require.NoError(t, err)
	require.Len(t, records, 1)
}

// ask returns what the name server says to a question.
func ask(t *testing.T, server, name string, recordType uint16) *dns.Msg {
	t.Helper()
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(name, recordType), server)
	require.NoError(t, err)
	return answer
}

func TestNameServersServeWhatWasPublishedWhileThereIsALinode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	server, stop, err := nameserver.Serve(r.api)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	zone := r.zone("example.com").ID
	for _, options := range []linodego.DomainRecordCreateOptions{
		{Type: "TXT", Name: "_acme-challenge", Target: "proof", TTLSec: 300},
		{Type: "CNAME", Name: "*", Target: "elsewhere.net"},
		{Type: "NS", Name: "staging", Target: "ns.other.net"},
		{Type: "A", Name: "deep.below", Target: "192.0.2.1"},
		{Type: "SRV", Target: "sip.net", Service: new("sip"), Protocol: new("tcp"), Port: new(5060)},
	} {
		_, err := r.CreateDomainRecord(t.Context(), zone, options)
		require.NoError(t, err)
	}
	require.Equal(t, dns.RcodeRefused, ask(t, server, "example.com.", dns.TypeSOA).Rcode, "an account without a Linode has no DNS")
	r.cluster("one", 1)
	require.Eventually(t, func() bool { // before it is there, the wildcard answers for it
		answer := ask(t, server, "_sip._tcp.example.com.", dns.TypeSRV).Answer
		return len(answer) == 1 && answer[0].Header().Rrtype == dns.TypeSRV
	}, soon, instant)

	soa := ask(t, server, "example.com.", dns.TypeSOA).Answer[0].(*dns.SOA)
	require.EqualValues(t, 86400, soa.Minttl, "the TTL of a zone that has none")
	require.Len(t, ask(t, server, "example.com.", dns.TypeNS).Answer, 5)
	proof := ask(t, server, "_ACME-challenge.example.com.", dns.TypeTXT).Answer[0].(*dns.TXT)
	require.Equal(t, []string{"proof"}, proof.Txt)
	require.EqualValues(t, 300, proof.Hdr.Ttl)
	require.Equal(t, "any.example.com.", ask(t, server, "any.example.com.", dns.TypeA).Answer[0].(*dns.CNAME).Hdr.Name)
	for name, rcode := range map[string]int{
		"_acme-challenge.example.com.": dns.RcodeSuccess, "below.example.com.": dns.RcodeSuccess,
		"other.below.example.com.": dns.RcodeNameError,
	} {
		answer := ask(t, server, name, dns.TypeA)
		require.Equal(t, rcode, answer.Rcode, name)
		require.Empty(t, answer.Answer, "a wildcard stands for no name that is there, or is below one")
		require.IsType(t, &dns.SOA{}, answer.Ns[0])
	}
	referral := ask(t, server, "www.staging.example.com.", dns.TypeA)
	require.False(t, referral.Authoritative)
	require.Equal(t, "ns.other.net.", referral.Ns[0].(*dns.NS).Ns)
	require.Equal(t, dns.RcodeRefused, ask(t, server, "example.org.", dns.TypeA).Rcode)

	_, err = r.UpdateDomain(t.Context(), zone, linodego.DomainUpdateOptions{TTLSec: 300})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return ask(t, server, "example.com.", dns.TypeSOA).Answer[0].(*dns.SOA).Minttl == 300
	}, soon, instant)
}

func TestNameServersFollowAliasesThroughTheZonesOfTheAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *linode.Options) { o.Publishing = instant })
	server, stop, err := nameserver.Serve(r.api)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	r.cluster("one", 1)
	other := r.zone("example.org").ID
	zone := r.zone("example.com").ID
	for id, records := range map[int][]linodego.DomainRecordCreateOptions{
		other: {
			{Type: "A", Name: "site", Target: "192.0.2.1"}, {Type: "AAAA", Name: "site", Target: "2001:db8::1", TTLSec: 400},
			{Type: "CNAME", Name: "far", Target: "far.example.net"},
		},
		zone: {
			{Type: "CNAME", Name: "www", Target: "site.example.org"}, {Type: "CNAME", Name: "far", Target: "far.example.org"},
			{Type: "CNAME", Name: "lost", Target: "none.example.org"}, {Type: "CNAME", Name: "loop", Target: "loop.example.com"},
			{Type: "CAA", Target: "letsencrypt.org", Tag: new("issue")}, {Type: "MX", Target: "mail", Priority: new(10)},
			{Type: "TXT", Name: "key", Target: strings.Repeat("k", 300)}, {Type: "A", Name: "last", Target: "192.0.2.2"},
		},
	} {
		for _, options := range records {
			_, err := r.CreateDomainRecord(t.Context(), id, options)
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool {
		return len(ask(t, server, "last.example.com.", dns.TypeA).Answer)*len(ask(t, server, "far.example.org.", dns.TypeA).Answer) == 1
	}, soon, instant)

	answer := ask(t, server, "www.example.com.", dns.TypeAAAA).Answer
	require.Len(t, answer, 2)
	require.Equal(t, "2001:db8::1", answer[1].(*dns.AAAA).AAAA.String())
	require.EqualValues(t, 3600, answer[1].Header().Ttl, "as Linode stores it")
	require.Len(t, ask(t, server, "www.example.com.", dns.TypeCNAME).Answer, 1)
	require.Len(t, ask(t, server, "far.example.com.", dns.TypeA).Answer, 2, "up to where others answer")
	nothing := ask(t, server, "www.example.com.", dns.TypeTXT)
	require.Equal(t, dns.RcodeSuccess, nothing.Rcode)
	require.Equal(t, "example.org.", nothing.Ns[0].Header().Name, "the zone that says so")
	require.Equal(t, dns.RcodeNameError, ask(t, server, "lost.example.com.", dns.TypeA).Rcode)
	require.NotEmpty(t, ask(t, server, "loop.example.com.", dns.TypeA).Answer)
	caa := ask(t, server, "example.com.", dns.TypeCAA).Answer[0].(*dns.CAA)
	require.Equal(t, []string{"issue", "letsencrypt.org"}, []string{caa.Tag, caa.Value})
	require.Equal(t, "mail.example.com.", ask(t, server, "example.com.", dns.TypeMX).Answer[0].(*dns.MX).Mx)
	key := ask(t, server, "key.example.com.", dns.TypeTXT).Answer[0].(*dns.TXT)
	require.Equal(t, strings.Repeat("k", 300), strings.Join(key.Txt, ""))
}

// A proof that is written while another change is about to be published has to wait for its own turn.
func TestNameServersPublishAChangeInItsTurn(t *testing.T) {
	t.Parallel()
	const publishing = time.Minute / simulation.Haste
	r := newRig(t)
	server, stop, err := nameserver.Serve(r.api)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	zone := r.zone("example.com").ID
	r.cluster("one", 1)
	r.zone("example.org")
	time.Sleep(publishing / 2)
	written := time.Now()
	_, err = r.CreateDomainRecord(t.Context(), zone, linodego.DomainRecordCreateOptions{
		Type: "TXT", Name: "_acme-challenge", Target: "proof",
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return len(ask(t, server, "_acme-challenge.example.com.", dns.TypeTXT).Answer) == 1
	}, soon, instant)
	require.GreaterOrEqual(t, time.Since(written), publishing)
}
