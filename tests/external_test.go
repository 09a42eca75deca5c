package tests

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"lke-platform/components/dns/public"
	"lke-platform/stacks"
)

// externally is the staging stack with a zone at another provider, and a host in it.
func externally(text string) string {
	return strings.NewReplacer(
		"      - name: staging.changelog.com\n", "      - name: staging.changelog.com\n      - {name: example.org, external: true}\n",
		"hosts: [staging.changelog.com]", "hosts: [staging.changelog.com, example.org, en.example.org]",
	).Replace(text)
}

// provider serves a zone at another DNS provider, which has the aliases that are given, until the test ends.
func provider(t *testing.T, aliases map[string]string) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv(public.ServerVariable, socket.LocalAddr().String())
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			var m dnsmessage.Message
			if err != nil || m.Unpack(buffer[:n]) != nil {
				return
			}
			header := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if m.Questions[0].Type == dnsmessage.TypeNS {
				body := &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns.provider.example.")}
				m.Answers = []dnsmessage.Resource{{Header: header, Body: body}}
			} else if target := aliases[strings.TrimSuffix(header.Name.String(), ".")]; target != "" {
				body := &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(target + ".")}
				m.Answers = []dnsmessage.Resource{{Header: header, Body: body}}
			}
			packed, err := m.Pack()
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(packed, from)
		}
	}()
}

const delegate = "_acme-challenge.example.org.staging.changelog.com"

// Of a zone at another provider nothing is declared, and its names are served all the same.
func TestAZoneElsewhereIsLeftToItsProvider(t *testing.T) {
	provider(t, map[string]string{"_acme-challenge.example.org": delegate})
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, deployTo(t, copyStack(t, "staging", externally), "staging", &mover{graph: g}))
	require.Equal(t, []string{"staging.changelog.com"}, named(g, "linode:index/domain:Domain", "domains-"))
	for _, name := range named(g, recordType, "") {
		require.NotContains(t, name, "example.org")
	}
	require.Contains(t, cdnBlocks(g.find(t, serviceVclType, "cdn"), "domains"), "en.example.org")
	certificate := g.find(t, certificateType, "site-example.org").inputs.Mappable()
	require.Equal(t, []any{"example.org", "*.example.org"}, inside(t, certificate, "spec", "dnsNames"))
	for _, issuer := range []string{"production", "staging"} {
		acme := inside(t, g.find(t, issuerType, "certificates-"+issuer).inputs.Mappable(), "spec", "acme")
		solvers := inside(t, acme, "solvers").([]any)
		require.Len(t, solvers, 2)
		require.NotContains(t, solvers[0], "selector")
		require.NotContains(t, inside(t, solvers[0], "dns01"), "cnameStrategy")
		require.Equal(t, map[string]any{"dnsZones": []any{"example.org"}}, inside(t, solvers[1], "selector"))
		require.Equal(t, "Follow", inside(t, solvers[1], "dns01", "cnameStrategy"))
		require.Equal(t, inside(t, solvers[0], "dns01", "webhook"), inside(t, solvers[1], "dns01", "webhook"))
	}
}

// Certificates wait for what somebody has to set at the provider, so that he is told before he waits. A platform that stands can go
// on, and be taken down.
func TestWhatProvesNamesElsewhereHasToBeThereFirst(t *testing.T) {
	const fault = "domains.zones[1].external: Invalid value: true: set _acme-challenge.example.org CNAME " + delegate +
		" at the provider of example.org, which proves example.org to Let's Encrypt, at each renewal too; "
	dir := copyStack(t, "staging", externally)
	for found, aliases := range map[string]map[string]string{
		"there is none":            nil,
		"it is parked.example.net": {"_acme-challenge.example.org": "parked.example.net"},
	} {
		provider(t, aliases)
		m := &mover{graph: &graph{resources: map[string]*node{}}}
		err := deployTo(t, dir, "staging", m)
		require.ErrorContains(t, err, fault+found)
		require.Empty(t, m.resources, "nothing may be declared")
		_, err = deploy(t, dir, "staging") // which has its NodeBalancer
		require.NoError(t, err)
	}
}

// A name server that is down holds nobody up.
func TestWhatPublicDNSDoesNotTellIsNoFault(t *testing.T) {
	t.Parallel()
	nothingYet := &mover{graph: &graph{resources: map[string]*node{}}}
	require.NoError(t, deployTo(t, copyStack(t, "staging", externally), "staging", nothingYet))
}

// Whoever proves a name has its record: the cluster, or the authority that Fastly asks.
func TestEachNameElsewhereIsProvenByOne(t *testing.T) {
	t.Parallel()
	delegated := func(edit ...string) (names []string) {
		values, _ := readConfig(t, copyStack(t, "staging", func(text string) string {
			return strings.NewReplacer(edit...).Replace(externally(text))
		}), "staging")
		config, faults := stacks.Decode(func(section string) string { return values[projectName+":"+section] })
		require.Empty(t, faults)
		for _, record := range config.Delegations() {
			require.Equal(t, []string{record.Name + ".staging.changelog.com"}, record.Values)
			names = append(names, strings.TrimPrefix(record.Name, "_acme-challenge."))
		}
		return names
	}
	require.Equal(t, []string{"example.org"}, delegated(), "with all names right below")
	require.Equal(t, []string{"example.org", "keel.example.org"}, delegated("keel.staging.changelog.com", "keel.example.org"))
	const managed = "{mode: managed, "
	require.Empty(t, delegated("tls: {", "tls: "+managed))
	require.Equal(t, []string{"example.org"}, delegated("tls: {", "bypass: true\n    tls: "+managed))
	require.Empty(t, delegated("tls: {", "bypass: false\n    tls: "+managed), "Fastly has the record of example.org again")
}

// What Fastly proves in a zone elsewhere, nothing waits for: somebody has to set the record that only Fastly knows.
func TestNothingWaitsForWhatFastlyProvesElsewhere(t *testing.T) {
	t.Parallel()
	dir := copyStack(t, "staging", func(text string) string {
		return withoutSecrets(strings.Replace(externally(text), "tls: {", "domainManagement: true\n    tls: {mode: managed, ", 1),
			"fastly-tls-token")
	})
	g, err := deploy(t, dir, "staging")
	require.NoError(t, err)
	require.Contains(t, named(g, subscriptionType, "tls-"), "en.example.org")
	require.Equal(t, stagingNames, named(g, validationType, "tls-"))
	require.Equal(t, stagingNames, named(g, recordType, "challenges-"))
}
