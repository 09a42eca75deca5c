package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/require"
	"lke-platform/components/dns"
	"lke-platform/components/dns/public"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/nameserver"
)

// A zone at another provider is served with its certificates, proven through the records that have to be there before, and `up`
// tells the others, which `make records` looks for. A host deep below it has a certificate, and a record, of its own.
func TestAZoneAtAnotherProviderIsServed(t *testing.T) {
	e := &estate{options: options{root: repository(t, strings.NewReplacer(
		"      - name: staging.changelog.com\n",
		"      - name: staging.changelog.com\n      - {name: example.org, external: true}\n",
		"hosts: [staging.changelog.com]", "hosts: [staging.changelog.com, example.org, a.b.example.org]",
	).Replace), stack: "staging"}}
	e.start(t)
	e.up(t)
	var served []string
	for _, activation := range e.world.fastly.Activations() {
		served = append(served, activation.Domain)
	}
	require.Subset(t, served, []string{"example.org", "a.b.example.org"})
	records := toSet(t, e.stack)
	require.Len(t, records, 2*3)
	require.Equal(t, dns.ByHand{
		Zone: "example.org", Name: "_acme-challenge.example.org", Type: "CNAME",
		Values: []string{"_acme-challenge.example.org.staging.changelog.com"},
		Why:    "proves example.org to Let's Encrypt, at each renewal too",
	}, records[1])
	require.Equal(t, "_acme-challenge.a.b.example.org", records[0].Name)
	for _, record := range records[:2] {
		found, err := public.Ask(t.Context(), record.Zone, record.Name, record.Type)
		require.NoError(t, err)
		require.Equal(t, record.Values, found)
	}
	for i, kind := range []string{"A", "AAAA"} {
		require.Equal(t, "example.org", records[i+2].Name)
		require.Equal(t, kind, records[i+2].Type)
		require.NotEmpty(t, records[i+2].Values)
	}
}

func TestWhatIsSetElsewhereIsNotRehearsed(t *testing.T) {
	t.Parallel()
	w := &world{elsewhere: &nameserver.Elsewhere{}}
	config, _ := stacks.Decode(func(section string) string {
		return map[string]string{"domains": `{"zones": [{"name": "a.example"}, {"name": "b.example", "external": true}]}`}[section]
	})
	w.setElsewhere(config)
	require.Equal(t, []string{"zones at other DNS providers: nobody sets the records there that `up` tells: b.example; those that " +
		"have to be there first are: _acme-challenge.b.example"}, newSummary(options{}, w, nil).NotRehearsed[2:])
}

// toSet are the records that the stack tells.
func toSet(t *testing.T, stack auto.Stack) (records []dns.ByHand) {
	t.Helper()
	outputs, err := stack.Outputs(t.Context())
	require.NoError(t, err)
	text, err := json.Marshal(outputs["dnsRecords"].Value)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &records))
	return records
}
