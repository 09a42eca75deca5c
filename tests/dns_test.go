package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/dns"
)

const (
	zoneType   = "linode:index/domain:Domain"
	recordType = "linode:index/domainRecord:DomainRecord"
)

// exampleZones are two zones, the second of which is there already.
func exampleZones() dns.Args {
	return dns.Args{
		Contact: "dns@example.com",
		Protect: true,
		Zones: []dns.Zone{
			{Name: "example.com", Records: []dns.Record{
				{Name: "example.com", Type: "MX", Target: "mx1.mail.net", Priority: 1, TTL: 3600},
				{Name: "example.com", Type: "MX", Target: "mx2.mail.net", Priority: 5, TTL: 3600},
				{Name: "_dmarc.example.com", Type: "TXT", Target: "v=DMARC1; p=none"},
				{Name: "staging.example.com", Type: "NS", Target: "ns1.linode.com"},
				{Name: "s1._domainkey.example.com", Type: "CNAME", Target: "s1.domainkey.u1.mail.net"},
				{Name: "_sip._tcp.example.com", Type: "SRV", Target: "sip.mail.net", Port: 5060, Weight: 10},
				{Name: "example.com", Type: "CAA", Tag: "issue", Target: "letsencrypt.org"},
			}},
			{Name: "example.fm", Adopt: 77, Records: []dns.Record{
				{Name: "old.example.fm", Type: "A", Target: "192.0.2.1", Adopt: 88},
				{Name: "old.example.fm", Type: "AAAA", Target: "2001:db8::1"},
			}},
		},
	}
}

// declareZones declares the zones, and the records of the origin in them.
func declareZones(t *testing.T) *graph {
	t.Helper()
	return declareIssuance(t, func(ctx *pulumi.Context) error {
		args := exampleZones()
		zones, err := dns.New(ctx, "domains", &args)
		if err != nil {
			return err
		}
		_, err = dns.NewHosts(ctx, "origin", &dns.HostsArgs{
			Zones: zones, Hosts: []string{"origin.example.com"},
			IPv4: []pulumi.StringInput{pulumi.String("192.0.2.7")}, IPv6: []pulumi.StringInput{pulumi.String("2001:db8::7")},
		})
		return err
	})
}

// record returns the one record whose logical name begins so.
func (g *graph) record(t *testing.T, logicalName string) *node {
	t.Helper()
	var found []*node
	for key, node := range g.resources {
		if strings.HasPrefix(key, recordType+" "+logicalName) {
			found = append(found, node)
		}
	}
	require.Len(t, found, 1, logicalName)
	return found[0]
}

func TestRecordsAreDeclaredExactlyAsConfigured(t *testing.T) {
	t.Parallel()
	g := declareZones(t)
	for logicalName, inputs := range map[string]map[string]any{
		"domains-_dmarc.example.com-TXT":          {"name": "_dmarc", "recordType": "TXT", "target": "v=DMARC1; p=none"},
		"domains-staging.example.com-NS":          {"name": "staging", "recordType": "NS", "target": "ns1.linode.com"},
		"domains-s1._domainkey.example.com-CNAME": {"name": "s1._domainkey", "recordType": "CNAME", "target": "s1.domainkey.u1.mail.net"},
		"domains-_sip._tcp.example.com-SRV": {
			"service": "sip", "protocol": "tcp", "recordType": "SRV", "target": "sip.mail.net", "priority": 0.0, "weight": 10.0, "port": 5060.0,
		},
		"domains-example.com-CAA":     {"name": "", "recordType": "CAA", "tag": "issue", "target": "letsencrypt.org"},
		"domains-old.example.fm-AAAA": {"name": "old", "recordType": "AAAA", "target": "2001:db8::1"},
	} {
		inputs["domainId"] = 1234.0
		require.Equal(t, inputs, g.record(t, logicalName).inputs.Mappable())
	}
	var priorities []any
	for key, node := range g.resources {
		if strings.HasPrefix(key, recordType+" domains-example.com-MX-") {
			require.Equal(t, 3600.0, node.inputs.Mappable()["ttlSec"])
			priorities = append(priorities, node.inputs.Mappable()["priority"])
		}
	}
	require.ElementsMatch(t, []any{1.0, 5.0}, priorities)
}

func TestZonesAreProtectedAndAdoptedAsTheyAre(t *testing.T) {
	t.Parallel()
	g := declareZones(t)
	created, adopted := g.find(t, zoneType, "domains-example.com"), g.find(t, zoneType, "domains-example.fm")
	require.Equal(t, map[string]any{"domain": "example.com", "type": "master", "soaEmail": "dns@example.com", "ttlSec": 300.0},
		created.inputs.Mappable(), "a name that is asked for too early stays unknown for the zone's TTL, by default a day")
	require.Empty(t, created.request.GetImportId())
	require.Equal(t, "77", adopted.request.GetImportId())
	require.Subset(t, adopted.request.GetIgnoreChanges(), []string{"soaEmail", "tags", "description", "ttlSec"},
		"the engine refuses to import what looks different from how it is declared")
	for _, zone := range []*node{created, adopted} {
		require.True(t, zone.request.GetProtect())
	}
	record := g.record(t, "domains-old.example.fm-A-")
	require.Equal(t, "77,88", record.request.GetImportId())
	require.Contains(t, record.request.GetIgnoreChanges(), "ttlSec")
	for _, node := range []*node{adopted, record} {
		require.True(t, node.request.GetRetainOnDelete(), "what was there before the platform is there after it")
	}
	require.False(t, created.request.GetRetainOnDelete())
	require.Empty(t, g.record(t, "domains-old.example.fm-AAAA-").request.GetImportId())
}

// What was in the zones before the platform never waits for the platform.
func TestPlainRecordsWaitForTheirZoneOnly(t *testing.T) {
	t.Parallel()
	g := declareZones(t)
	for key := range g.resources {
		if strings.HasPrefix(key, recordType+" domains-") {
			for other := range g.resources {
				if g.waitsFor(key, other) {
					require.Contains(t, []string{"linode:index/domain:Domain", "lke-platform:dns:Zones", "pulumi:pulumi:Stack"},
						strings.Fields(other)[0])
				}
			}
		}
	}
}

func TestANameLeadsWhereItIsTold(t *testing.T) {
	t.Parallel()
	g := declareZones(t)
	for recordType, target := range map[string]string{"A": "192.0.2.7", "AAAA": "2001:db8::7"} {
		require.Equal(t, map[string]any{
			"domainId": 1234.0, "recordType": recordType, "name": "origin", "target": target, "ttlSec": 120.0,
		}, g.record(t, "origin-origin.example.com-"+recordType+"-0").inputs.Mappable())
	}
}

// I1: the address of the site moved before its certificate was there.
func TestTheOriginIsPublishedAfterItsCertificate(t *testing.T) {
	t.Parallel()
	g := deployed(t, "prod")
	for _, record := range []string{"A", "AAAA"} {
		require.True(t, g.waitsFor(recordType+" origin-origin.changelog.com-"+record+"-0", certificateType+" site-changelog.com"))
	}
}

func TestAHostBelongsToTheLongestZone(t *testing.T) {
	t.Parallel()
	args := dns.Args{Zones: []dns.Zone{
		{Name: "example.com", Records: []dns.Record{
			{Name: "staging.example.com", Type: "NS", Target: "ns1.linode.com"},
			{Name: "blog.example.com", Type: "CNAME", Target: "blogs.net"},
			{Name: "example.com", Type: "TXT", Target: "v=spf1 -all"},
		}},
		{Name: "eu.example.com"},
	}}
	for host, zone := range map[string]string{
		"example.com": "example.com", "www.example.com": "example.com",
		"eu.example.com": "eu.example.com", "www.eu.example.com": "eu.example.com",
	} {
		require.Equal(t, zone, args.ZoneOf(host).Name, host)
		require.Empty(t, args.CheckHost(nil, host), host)
	}
	require.Nil(t, args.ZoneOf("notexample.com"))
	for host, fault := range map[string]string{
		"www.example.org":         "is outside every zone of domains.zones: example.com, eu.example.com",
		"notexample.com":          "is outside every zone",
		"www.staging.example.com": "is delegated: domains.zones has an NS record for staging.example.com",
		"blog.example.com":        "has a plain CNAME record in domains.zones",
	} {
		require.ErrorContains(t, args.CheckHost(field.NewPath("app", "hosts").Index(3), host).ToAggregate(), fault)
	}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		example := exampleZones()
		zones, err := dns.New(ctx, "domains", &example)
		require.NoError(t, err)
		for host, relative := range map[string]string{"example.fm": "", "www.example.fm": "www", "a.b.example.com": "a.b"} {
			_, name, err := zones.Locate(host)
			require.NoError(t, err)
			require.Equal(t, relative, name)
		}
		_, _, err = zones.Locate("example.org")
		require.Error(t, err)
		return nil
	}, pulumi.WithMocks(projectName, "staging", issuanceGraph{&graph{resources: map[string]*node{}}})))
}

func TestFaultsOfZonesAreNamed(t *testing.T) {
	t.Parallel()
	record := func(r dns.Record) func(*dns.Args) {
		return func(a *dns.Args) { a.Zones[0].Records = append(a.Zones[0].Records, r) }
	}
	for name, test := range map[string]struct {
		edit  func(*dns.Args)
		fault string
	}{
		"no contact":            {func(a *dns.Args) { a.Contact = "" }, "domains.contact: Required value"},
		"no zones":              {func(a *dns.Args) { a.Zones = nil }, "domains.zones: Required value"},
		"no domain":             {func(a *dns.Args) { a.Zones[0].Name = "com" }, `domains.zones[0].name: Invalid value: "com"`},
		"zone twice":            {func(a *dns.Args) { a.Zones[1].Name = "example.com" }, `domains.zones[1].name: Duplicate value: "example.com"`},
		"bad number":            {func(a *dns.Args) { a.Zones[1].Adopt = -1 }, "domains.zones[1].adopt: Invalid value: -1"},
		"adopt in a new zone":   {record(dns.Record{Name: "a.example.com", Type: "TXT", Target: "a", Adopt: 1}), "records[7].adopt: Forbidden"},
		"unknown type":          {record(dns.Record{Name: "a.example.com", Type: "ALIAS", Target: "a.com"}), `records[7].type: Unsupported value: "ALIAS"`},
		"outside the zone":      {record(dns.Record{Name: "a.example.org", Type: "TXT", Target: "a"}), "records[7].name: Invalid value: \"a.example.org\": is outside the zone example.com"},
		"relative name":         {record(dns.Record{Name: "www", Type: "TXT", Target: "a"}), `records[7].name: Invalid value: "www": must be a whole name`},
		"CNAME at the zone":     {record(dns.Record{Name: "example.com", Type: "CNAME", Target: "a.com"}), "a zone itself can have no CNAME"},
		"CNAME beside a record": {record(dns.Record{Name: "_dmarc.example.com", Type: "CNAME", Target: "a.com"}), "has a record of type TXT too"},
		"two CNAMEs":            {record(dns.Record{Name: "s1._domainkey.example.com", Type: "CNAME", Target: "b.net"}), "records[7]: Duplicate value"},
		"two alike":             {record(dns.Record{Name: "example.com", Type: "MX", Target: "mx1.mail.net", Priority: 9}), "records[7]: Duplicate value: \"example.com MX mx1.mail.net\""},
		"TTL that is rounded":   {record(dns.Record{Name: "a.example.com", Type: "TXT", Target: "a", TTL: 60}), `records[7].ttl: Unsupported value: "60": supported values: "30", "120", "300", "3600"`},
		"no IPv4 address":       {record(dns.Record{Name: "a.example.com", Type: "A", Target: "::1"}), "records[7].target: Invalid value: \"::1\": must be an IPv4 address"},
		"no IPv6 address":       {record(dns.Record{Name: "a.example.com", Type: "AAAA", Target: "1.2.3.4"}), "must be an IPv6 address"},
		"dot at the end":        {record(dns.Record{Name: "a.example.com", Type: "CNAME", Target: "b.net."}), "records[7].target: Invalid value"},
		"no text":               {record(dns.Record{Name: "a.example.com", Type: "TXT"}), "records[7].target: Required value"},
		"priority of a TXT":     {record(dns.Record{Name: "a.example.com", Type: "TXT", Target: "a", Priority: 1}), "records[7].priority: Forbidden: is for records of these types only: MX, SRV"},
		"priority too high":     {record(dns.Record{Name: "a.example.com", Type: "MX", Target: "b.net", Priority: 256}), "records[7].priority: Invalid value: 256"},
		"SRV below a name":      {record(dns.Record{Name: "_sip._tcp.a.example.com", Type: "SRV", Target: "b.net", Port: 1}), "must be _service._protocol.example.com: Linode makes the names of SRV records itself, right below their zone; for one further down list that domain as a zone of its own"},
		"SRV without a port":    {record(dns.Record{Name: "_x._tcp.example.com", Type: "SRV", Target: "b.net"}), "records[7].port: Invalid value: 0"},
		"CAA without a tag":     {record(dns.Record{Name: "example.com", Type: "CAA", Target: "b.net"}), `records[7].tag: Unsupported value: ""`},
		"tag of a TXT":          {record(dns.Record{Name: "a.example.com", Type: "TXT", Target: "a", Tag: "issue"}), "records[7].tag: Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := exampleZones()
			test.edit(&args)
			require.ErrorContains(t, args.Validate(field.NewPath("domains")).ToAggregate(), test.fault)
		})
	}
	valid := exampleZones()
	require.Empty(t, valid.Validate(nil))
}

// Beside the platform's own record visitors would get both in turns; on top of a proof no certificate is issued.
func TestRecordsCannotTakeThePlatformsNames(t *testing.T) {
	t.Parallel()
	const own, proof = "which is the platform's own", "stands where certificates for"
	for record, fault := range map[string]string{
		"{name: origin.staging.changelog.com, type: A, target: 192.0.2.1}":                          own,
		"{name: origin.staging.changelog.com, type: AAAA, target: '2001:db8::1', adopt: 8}":         own,
		"{name: grafana.staging.changelog.com, type: CNAME, target: example.net}":                   own,
		"{name: grafana.staging.changelog.com, type: NS, target: ns.example.net}":                   own,
		"{name: keel.staging.changelog.com, type: A, target: 192.0.2.1, adopt: 8}":                  own,
		"{name: _acme-challenge.staging.changelog.com, type: TXT, target: x}":                       proof,
		"{name: _acme-challenge.staging.changelog.com, type: CNAME, target: example.net, adopt: 8}": proof,
		"{name: _acme-challenge.grafana.staging.changelog.com, type: TXT, target: x}":               proof,
		"{name: _acme-challenge.staging.changelog.com, type: NS, target: ns.example.net}":           proof,
		`{name: "*.staging.changelog.com", type: CNAME, target: example.net}`:                       "leads _acme-challenge.staging.changelog.com away",
		"{name: staging.changelog.com, type: NS, target: ns1.linode.com}":                           "",
		`{name: "*.staging.changelog.com", type: A, target: 192.0.2.1}`:                             "",
		"{name: origin.staging.changelog.com, type: TXT, target: x}":                                "",
		"{name: _acme-challenge.blog.staging.changelog.com, type: CNAME, target: example.net}":      "",
		"{name: my-origin.staging.changelog.com, type: A, target: 192.0.2.1}":                       "",
		"{name: staging.changelog.com, type: A, target: 192.0.2.1, adopt: 8}":                       "",
	} {
		dir := copyStack(t, "staging", func(text string) string {
			return strings.Replace(text, "      - name: staging.changelog.com\n",
				"      - name: staging.changelog.com\n        adopt: 7\n        records: ["+record+"]\n", 1)
		})
		_, err := deploy(t, dir, "staging")
		if fault == "" {
			require.NoError(t, err, record)
			continue
		}
		require.ErrorContains(t, err, "domains.zones[0].records[0].name: Invalid value", record)
		require.ErrorContains(t, err, fault, record)
	}
}
