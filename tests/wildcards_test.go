package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withHosts gives staging's app these hosts.
func withHosts(hosts string) func(text string) string {
	return func(text string) string {
		return strings.Replace(text, "hosts: [staging.changelog.com]", "hosts: ["+hosts+"]", 1)
	}
}

// Tenants come and go without the platform being told: their names all lead to the app, over TLS.
func TestAWildcardServesTenants(t *testing.T) {
	t.Parallel()
	const tenants = "*.shops.staging.changelog.com"
	g, err := deploy(t, copyStack(t, "staging", withHosts(`"*.staging.changelog.com", "`+tenants+`", staging.changelog.com`)), "staging")
	require.NoError(t, err)
	record := g.find(t, recordType, "hosts-"+tenants+"-A-0")
	require.Equal(t, "*.shops", record.inputs["name"].StringValue())
	require.Contains(t, g.resources, recordType+" hosts-*.staging.changelog.com-A-0")
	require.Equal(t, []any{"shops.staging.changelog.com", tenants},
		reveal(g.specOf(t, certificateType, "site-shops.staging.changelog.com")["dnsNames"]))
	tls := reveal(g.specOf(t, ingressType, "app")["tls"]).([]any)
	require.Contains(t, tls, map[string]any{"hosts": []any{tenants}, "secretName": "shops-staging-changelog-com-tls"})
	domains := plain(g.find(t, serviceVclType, "cdn").inputs["domains"]).String()
	require.Contains(t, domains, tenants)
	check := only(t, g.find(t, serviceVclType, "cdn").inputs["healthchecks"])
	require.Equal(t, "staging.changelog.com", check["host"].StringValue(), "a wildcard is no name to ask for")
	asked := at(reveal(g.specOf(t, probeType, "probes-site")["targets"]), "staticConfig", "static")
	require.Contains(t, asked, "https://staging.changelog.com/")
	for _, target := range asked.([]any) {
		require.NotContains(t, target, "*")
	}
}

func TestFaultsOfWildcards(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(text string) string
		fault string
	}{
		"nothing else":         {withHosts(`"*.staging.changelog.com"`), "app.hosts: Invalid value"},
		"in the middle":        {withHosts(`"a.*.staging.changelog.com", staging.changelog.com`), "app.hosts[0]: Invalid value"},
		"of one label":         {withHosts(`"*.com", staging.changelog.com`), "app.hosts[0]: Invalid value"},
		"twice":                {withHosts(`"*.staging.changelog.com", "*.staging.changelog.com", staging.changelog.com`), "app.hosts[1]: Duplicate value"},
		"outside of the zones": {withHosts(`"*.example.com", staging.changelog.com`), "app.hosts[0]: Invalid value"},
		"certificates of Fastly's": {func(text string) string {
			text = withHosts(`"*.staging.changelog.com", staging.changelog.com`)(text)
			return strings.Replace(text, "tls: {image:", "tls: {mode: managed, image:", 1)
		}, "app.hosts: Invalid value: \"*.staging.changelog.com\": cannot have a certificate of Fastly's own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := deploy(t, copyStack(t, "staging", test.edit), "staging")
			require.ErrorContains(t, err, test.fault)
		})
	}
}
