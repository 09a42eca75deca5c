package tests

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// without is staging without a section, and the secret that it names.
func without(t *testing.T, section, secret string) *graph {
	t.Helper()
	cut := regexp.MustCompile(`(?m)^  lke-platform:` + section + `:\n(    .*\n|\n)*`)
	named := regexp.MustCompile(`(?m)^  lke-platform:secret-` + secret + `:\n    .*\n`)
	g, err := deploy(t, copyStack(t, "staging", func(text string) string {
		require.Regexp(t, cut, text)
		return named.ReplaceAllString(cut.ReplaceAllString(text, "  lke-platform:"+section+": off\n"), "")
	}), "staging")
	require.NoError(t, err)
	return g
}

// An app with its database elsewhere has none here, and nothing that belongs to one.
func TestAStackDoesWithoutADatabase(t *testing.T) {
	t.Parallel()
	g := without(t, "postgres", "backups-passphrase")
	for key := range g.resources {
		require.NotContains(t, key, "postgres")
		require.NotContains(t, key, "backups")
		require.NotContains(t, key, "database-bound")
	}
	fromSecrets := func(g *graph) (names []any) {
		container := only(t, podOf(g.find(t, deploymentType, "app").inputs)["containers"])
		for _, variable := range reveal(container["env"]).([]any) {
			if at(variable, "valueFrom", "secretKeyRef") != nil {
				names = append(names, at(variable, "name"))
			}
		}
		return names
	}
	require.Contains(t, fromSecrets(deployed(t, "staging")), "DB_HOST")
	require.Empty(t, fromSecrets(g))

	_, err := deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.NewReplacer("lke-platform:postgres:\n", "lke-platform:postgres: off\n  lke-platform:nothing:\n",
			"    health:\n", "    database: {URL: uri}\n    health:\n").Replace(text)
	}), "staging")
	require.ErrorContains(t, err, "app.database: Forbidden: describes the platform's database, and postgres is off")
}

// Without Fastly the names lead to the NodeBalancer, which shows the certificates, and nothing of Fastly is declared or asked.
func TestAStackDoesWithoutACDN(t *testing.T) {
	t.Parallel()
	g := without(t, "cdn", "fastly-tls-token")
	for key := range g.resources {
		require.NotContains(t, key, "fastly")
		require.NotContains(t, key, "certsync")
	}
	for kind, address := range map[string]string{"A-0": "192.0.2.7", "AAAA-0": "2001:db8::7"} {
		record := g.find(t, recordType, "hosts-staging.changelog.com-"+kind).inputs
		require.Equal(t, address, plain(record["target"]).StringValue())
	}
	require.NotContains(t, g.resources, recordType+" hosts-staging.changelog.com-A-1")
	require.NotEmpty(t, g.specOf(t, ingressType, "app")["tls"].ArrayValue())
	file := at(reveal(g.find(t, chartReleaseType, "ingress-traefik").inputs["values"]), "providers", "file", "content")
	require.Contains(t, file, "http")
	require.NotContains(t, file, "tls", "nobody has a certificate to show")

	_, err := deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.NewReplacer("lke-platform:cdn:\n", "lke-platform:cdn: off\n  lke-platform:nothing:\n",
			"retention: 7d\n", "retention: 7d\n    fastly: {token: app-signing-salt}\n").Replace(text)
	}), "staging")
	require.ErrorContains(t, err, "monitoring.fastly: Forbidden: has nothing to ask, as cdn is off")
}
