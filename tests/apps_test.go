package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	namespaceType = "kubernetes:core/v1:Namespace"
	policyType    = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
	secretType    = "kubernetes:core/v1:Secret"
)

// shop is an application beside the first, with a bit of everything; further are keys of it.
func withShop(further ...string) func(text string) string {
	return func(text string) string {
		text = strings.Replace(text, "postgres:\n", "postgres:\n    databases: [{name: shop_production}, {name: shop_cache, user: shop-production}]\n", 1)
		return text + `
  lke-platform:caches: [{name: jobs, memory: 256Mi}]
  lke-platform:apps:
    - name: shop
      image: ghcr.io/acme/shop` + digest + `
      hosts: [shop.staging.changelog.com]
      database: {DATABASE_URL: shop_production/uri, DATABASE_CA: shop_production/ca-file}
      caches: {REDIS_URL: jobs/uri}
      media: {BUCKET: bucket, SECRET: secretKey}
      secrets: {KEY_BASE: shop-key-base}
      processes: [{name: worker, command: [work]}]
      release: {command: [migrate]}
` + strings.Join(further, "")
	}
}

// deployWithSecrets runs the program over a stack file that names further secrets.
func deployWithSecrets(t *testing.T, edit func(string) string, secrets ...string) (*graph, error) {
	t.Helper()
	return deploy(t, copyStack(t, "staging", func(text string) string {
		for _, name := range secrets {
			text += "  " + projectName + ":secret-" + name + ":\n    secure: v1:ciphertext\n"
		}
		return edit(text)
	}), "staging")
}

// An application beside the first has all that the first has, of its own: only the servers of databases and caches are shared.
func TestAnotherAppHasAllOfItsOwn(t *testing.T) {
	t.Parallel()
	g, err := deployWithSecrets(t, withShop(), "shop-key-base")
	require.NoError(t, err)
	require.Contains(t, g.resources, namespaceType+" shop")

	credentials := g.find(t, secretType, "shop.app-shop-production")
	require.True(t, g.waitsFor(secretType+" shop.app-shop-production", postgresType+" postgres"))
	require.True(t, credentials.inputs["stringData"].IsSecret())
	require.Equal(t, "shop", reveal(credentials.inputs["metadata"].ObjectValue()["namespace"]))
	container := only(t, podOf(g.find(t, deploymentType, "shop.app-worker").inputs)["containers"])
	require.Equal(t, []any{
		map[string]any{"name": "BUCKET", "value": "lke-platform-staging-media-shop"},
		map[string]any{"name": "DATABASE_CA", "value": "/etc/database/ca.crt"},
		map[string]any{"name": "DATABASE_URL", "valueFrom": map[string]any{"secretKeyRef": map[string]any{
			"name": "shop.app-shop-production-1a2b3c4d", "key": "uri",
		}}},
		map[string]any{"name": "REDIS_URL", "value": "redis://cache-jobs-haproxy.changelog.svc:6379/0"},
	}, reveal(container["env"]))
	require.True(t, g.waitsFor(deploymentType+" shop.app", jobType+" shop.app-release"))
	require.False(t, g.waitsFor(deploymentType+" shop.app", deploymentType+" app"))

	for name, port := range map[string]float64{"changelog-database": 5432, "changelog-caches": 6379} {
		rule := only(t, g.specOf(t, policyType, name)["ingress"])
		require.Equal(t, map[string]any{"port": port}, reveal(rule["ports"]).([]any)[0], name)
		require.Contains(t, fmt.Sprint(reveal(rule["from"])), "kubernetes.io/metadata.name:shop")
	}
	const host = "shop.staging.changelog.com"
	require.Contains(t, g.resources, certificateType+" shop.app-"+host)
	require.Contains(t, g.resources, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding ingress-traefik-shop")
	require.True(t, g.waitsFor(recordType+" shop.app-"+host+"-A-0", deploymentType+" shop.app"))
	require.True(t, g.waitsFor(recordType+" shop.app-"+host+"-A-0", serviceVclType+" cdn"))
	require.False(t, g.waitsFor(recordType+" shop.app-"+host+"-A-0", deploymentType+" app"), "none keeps the other back")
	require.False(t, g.waitsFor(recordType+" hosts-staging.changelog.com-A-0", deploymentType+" shop.app"))
	require.Contains(t, plain(g.find(t, serviceVclType, "cdn").inputs["domains"]).String(), host)
	parameters := at(reveal(g.find(t, postgresType, "postgres").inputs["spec"]), "config", "parameters")
	require.Equal(t, "838", at(parameters, "max_connections"), "2 × 123 for each of three databases, and 100 for all others")
}

func TestFaultsOfFurtherApps(t *testing.T) {
	t.Parallel()
	const another = "    - {name: %s, image: ghcr.io/acme/b" + digest + ", hosts: [b.staging.changelog.com]%s}\n"
	for name, test := range map[string]struct{ further, fault string }{
		"the first one's name":   {fmt.Sprintf(another, "changelog", ""), `apps[1].name: Duplicate value: "changelog"`},
		"the platform's name":    {fmt.Sprintf(another, "monitoring", ""), "apps[1].name: Forbidden: the namespace of this name"},
		"one name twice":         {fmt.Sprintf(another, "shop", ""), `apps[1].name: Duplicate value: "shop"`},
		"another app's host":     {strings.Replace(fmt.Sprintf(another, "b", ""), "b.staging", "shop.staging", 1), "apps[1].hosts[0]: Duplicate value"},
		"a host of no zone":      {strings.Replace(fmt.Sprintf(another, "b", ""), "b.staging", "b", 1), "apps[1].hosts[0]: Invalid value"},
		"a tag":                  {strings.Replace(fmt.Sprintf(another, "b", ""), digest, ":v1", 1), "apps[1].image: Invalid value"},
		"a database of no name":  {fmt.Sprintf(another, "b", ", database: {DB: uri}"), "apps[1].database[DB]: Invalid value: \"uri\": must name one of postgres.databases"},
		"a database that is not": {fmt.Sprintf(another, "b", ", database: {DB: blog/uri}"), `apps[1].database[DB]: Unsupported value: "blog"`},
		"a cache that is not":    {fmt.Sprintf(another, "b", ", caches: {URL: pages/uri}"), `apps[1].caches[URL]: Unsupported value: "pages"`},
		"a long name with media": {fmt.Sprintf(another, strings.Repeat("b", 25), ", media: {B: bucket}"), "apps[1].name: Too long"},
		"no count for a session": {fmt.Sprintf(another, "b", ", database: {DB: changelog/pgbouncer-uri}"), "apps[1].databaseConnections: Required value"},
		"a shared pool":          {fmt.Sprintf(another, "b", ", databaseConnections: 1, database: {DB: changelog/pgbouncer-uri}"), "so many connections to changelog are held while new versions roll out (app 123, apps[1] 3)"},
		"no secret":              {fmt.Sprintf(another, "b", ", secrets: {A: b-key}"), `apps: Required value: secret "b-key" is not set`},
		"a chart's namespace":    {"  lke-platform:charts: [{name: a, namespace: shop}]\n", "charts[0].namespace"},
		"an unknown key":         {fmt.Sprintf(another, "b", ", hots: []"), "apps[1].hots: Forbidden: unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := deployWithSecrets(t, withShop(test.further), "shop-key-base")
			require.ErrorContains(t, err, test.fault)
			require.Empty(t, g.resources, "nothing may be declared")
		})
	}
}

func TestAHundredAppsAreToldApart(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", withApps(100)), "staging")
	require.NoError(t, err)
	count := 0
	for key := range g.resources {
		if strings.HasPrefix(key, deploymentType) && strings.Contains(key, ".app") {
			count++
		}
	}
	require.Equal(t, 200, count, "one of them is called like a process of another")
}

// withApps adds small applications, half of which are called like a process of another.
func withApps(count int) func(text string) string {
	return func(text string) string {
		text += "  lke-platform:apps:\n"
		for i := range count {
			name := fmt.Sprintf("a%d%s", i/2, strings.Repeat("-b", i%2))
			text += fmt.Sprintf("    - {name: %s, image: ghcr.io/acme/a%s, hosts: [%[1]s.staging.changelog.com], processes: [{name: b, command: [work]}]}\n",
				name, digest)
		}
		return text
	}
}
