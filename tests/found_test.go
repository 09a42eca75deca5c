package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// mover is an account into which a zone moves, which is not empty. Of the platform there is nothing yet, unless a NodeBalancer has
// a tag.
type mover struct {
	*graph
	zone []any
	tag  string
}

func (m *mover) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	switch args.Token {
	case "linode:index/getNodebalancers:getNodebalancers":
		wanted := args.Args["filters"].ArrayValue()[0].ObjectValue()["values"].Mappable().([]any)
		if m.tag != "" && slices.Contains(wanted, any(m.tag)) {
			break
		}
		return list("nodebalancers"), nil
	case "linode:index/getDomainZonefile:getDomainZonefile":
		return resource.NewPropertyMapFromMap(map[string]any{
			"id": "4711", "domainId": args.Args["domainId"].NumberValue(), "zoneFiles": m.zone,
		}), nil
	}
	return m.graph.Call(args)
}

// What stands in a zone and is not listed would lead visitors away by turns, from the platform's own names too.
func TestARecordThatNobodyListedIsFoundBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	const zone = "      - name: staging.changelog.com\n"
	for name, test := range map[string]struct {
		record, listed, fault string
	}{
		"the site's":             {"@\tIN\tA\t203.0.113.9", "", "adopt: Forbidden: the zone has a record staging.changelog.com A 203.0.113.9 that is not listed"},
		"the site's, listed":     {"@\tIN\tA\t203.0.113.9", "{name: staging.changelog.com, type: A, target: 203.0.113.9, adopt: 8}", "records[0].adopt: Forbidden: the platform publishes staging.changelog.com, and would make a second record"},
		"the site's, gone since": {"shop A 203.0.113.9", "{name: staging.changelog.com, type: A, target: 203.0.113.9, adopt: 8}", ""},
		"the origin's":           {"origin\t300\tIN\tAAAA\t2001:db8::1", "", "adopt: Forbidden: the zone has a record origin.staging.changelog.com AAAA 2001:db8::1"},
		"Grafana's":              {"grafana CNAME old.example.com.", "", "adopt: Forbidden: the zone has a record grafana.staging.changelog.com CNAME old.example.com"},
		"Keel's, as whole name":  {"keel.staging.changelog.com. A 203.0.113.9", "", "adopt: Forbidden: the zone has a record keel.staging.changelog.com A 203.0.113.9"},
		"of another name":        {"shop A 203.0.113.9", "", ""},
		"of mail":                {"@\tMX\t10\tmail.example.com", "", ""},
		"of senders":             {`@	TXT	"v=spf1 A mx"`, "", ""},
		"a comment":              {"; grafana A 203.0.113.9", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyStack(t, "staging", func(text string) string {
				listed := zone + "        adopt: 4711\n"
				if test.listed != "" {
					listed += "        records: [" + test.listed + "]\n"
				}
				return strings.Replace(text, zone, listed, 1)
			})
			m := &mover{&graph{resources: map[string]*node{}}, []any{"; staging.changelog.com [4711]", "$TTL 300", test.record}, ""}
			err := deployTo(t, dir, "staging", m)
			if test.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "domains.zones[0]."+test.fault)
			require.Empty(t, m.resources, "nothing may be declared")
		})
	}
}

// The records of the platform's names are there, and not listed, from the first run on: also while another controller is about to
// have a NodeBalancer of its own.
func TestAZoneIsNotLookedIntoOnceThePlatformIsThere(t *testing.T) {
	t.Parallel()
	for _, controller := range []string{"traefik", "nginx"} {
		dir := copyStack(t, "staging", func(text string) string {
			return strings.NewReplacer("- name: staging.changelog.com\n", "- name: staging.changelog.com\n        adopt: 4711\n",
				"  lke-platform:storage:\n", "  lke-platform:ingress: {controller: "+controller+"}\n  lke-platform:storage:\n").Replace(text)
		})
		m := &mover{&graph{resources: map[string]*node{}}, []any{"origin A 192.0.2.7"}, "lke-platform-staging-traefik"}
		require.NoError(t, deployTo(t, dir, "staging", m), controller)
	}
}
