package tests

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"

	"lke-platform/stacks"
)

// shopService is a Fastly service of the shop's own, with a bit of everything.
const shopService = `      candidate: {host: next.shop.staging.changelog.com}
      cdn:
        origin: {shield: iad-va-us, healthPath: /up}
        cache: {ttl: 5m}
        media: {hosts: [files.shop.staging.changelog.com]}
        backends: [{name: old, address: old.example.net, hosts: [old.shop.staging.changelog.com], paths: [shop.staging.changelog.com/blog]}]
        redirects: {www.shop.staging.changelog.com: shop.staging.changelog.com}
        basicAuth: {alice: shop-password}
`

// shopNames are those that it serves.
var shopNames = []string{"files.shop.staging.changelog.com", "next.shop.staging.changelog.com", "old.shop.staging.changelog.com",
	"shop.staging.changelog.com", "www.shop.staging.changelog.com"}

// withService deploys staging and the shop with a service of its own.
func withService(t *testing.T, edit ...string) *graph {
	t.Helper()
	g, err := deployWithSecrets(t, func(text string) string {
		text = strings.NewReplacer(edit...).Replace(withShop(shopService)(text))
		if strings.Contains(text, "mode: managed") {
			text = withoutSecrets(text, "fastly-tls-token")
		}
		return text
	}, "shop-key-base", "shop-password")
	require.NoError(t, err)
	return g
}

// Neither service knows anything of the other, and certificates are for the names of both.
func TestAnAppHasAFastlyServiceOfItsOwn(t *testing.T) {
	t.Parallel()
	g := withService(t)
	first, own := g.find(t, serviceVclType, "cdn"), g.find(t, serviceVclType, "shop.cdn")
	require.Equal(t, "lke-platform-staging", first.inputs["name"].StringValue())
	require.Equal(t, "lke-platform-staging.shop", own.inputs["name"].StringValue())
	require.Equal(t, stagingNames, slices.Sorted(maps.Keys(cdnBlocks(first, "domains"))))
	require.Equal(t, shopNames, slices.Sorted(maps.Keys(cdnBlocks(own, "domains"))))

	check := only(t, own.inputs["healthchecks"])
	require.Equal(t, "shop.staging.changelog.com", check["host"].StringValue())
	require.Equal(t, "/up", check["path"].StringValue())
	require.Equal(t, "staging.changelog.com", only(t, first.inputs["healthchecks"])["host"].StringValue())
	program := func(service *node) string { return only(t, service.inputs["vcls"])["content"].StringValue() }
	require.Contains(t, program(own), "beresp.ttl = 300s;")
	require.Contains(t, program(own), `req.http.Host == "next.shop.staging.changelog.com"`, "nothing of what is tried is kept")
	require.NotContains(t, program(own), "grafana")
	require.NotContains(t, program(first), "shop")
	require.NotContains(t, program(first), "beresp.ttl = 300s;")

	backends := cdnBlocks(own, "backends")
	require.Equal(t, []string{"media", "old", "origin"}, slices.Sorted(maps.Keys(backends)))
	require.Equal(t, []string{"origin"}, slices.Sorted(maps.Keys(cdnBlocks(first, "backends"))))
	require.Equal(t, "lke-platform-staging-media-shop.us-east-1.linodeobjects.com", backends["media"]["address"].StringValue())
	require.Equal(t, "iad-va-us", backends["origin"]["shield"].StringValue())
	for _, property := range []resource.PropertyKey{"address", "sslClientCert"} {
		require.Equal(t, cdnBlocks(first, "backends")["origin"][property], backends["origin"][property], "there is one origin")
	}
	require.True(t, cdnBlocks(own, "snippets")["passwords"]["content"].IsSecret(), "its passwords are read")

	require.True(t, g.waitsFor(serviceVclType+" shop.cdn", serviceVclType+" cdn"), "it can have what the first gives up")
	for _, service := range []string{"cdn", "shop.cdn"} {
		require.True(t, g.waitsFor(syncJobType+" certsync", serviceVclType+" "+service))
		require.True(t, g.waitsFor(recordType+" shop.app-shop.staging.changelog.com-A-0", serviceVclType+" "+service))
	}
	job := g.find(t, syncJobType, "certsync").inputs.Mappable()
	container := inside(t, job, "spec", "template", "spec", "containers").([]any)[0]
	names := slices.Sorted(slices.Values(slices.Concat(stagingNames, shopNames)))
	require.Contains(t, inside(t, container, "args"), "--names="+strings.Join(names, ","))
}

// During a bypass visitors find what the service has beside the app where the app is, over TLS.
func TestWhatAServiceHasBesideItsAppIsServedPastFastly(t *testing.T) {
	t.Parallel()
	g := withService(t)
	for name, hosts := range map[string][]any{
		"media":       {"files.shop.staging.changelog.com"},
		"backend-old": {"old.shop.staging.changelog.com", "shop.staging.changelog.com"},
	} {
		passage := g.find(t, ingressType, "shop."+name).inputs.Mappable()
		require.Equal(t, name, inside(t, passage, "metadata", "name"))
		require.Equal(t, "shop", inside(t, passage, "metadata", "namespace"))
		var shown []any
		for _, tls := range inside(t, passage, "spec", "tls").([]any) {
			shown = append(shown, at(tls, "hosts").([]any)...)
			secret := strings.ReplaceAll(at(tls, "hosts").([]any)[0].(string), ".", "-") + "-tls"
			require.Equal(t, secret, at(tls, "secretName"))
		}
		require.Equal(t, hosts, shown)
		for _, host := range hosts {
			require.Contains(t, g.resources, certificateType+" shop.app-"+host.(string))
			require.Contains(t, g.resources, recordType+fmt.Sprintf(" shop.app-%s-A-0", host))
		}
	}
	require.NotContains(t, g.resources, ingressType+" media")
	probed := reveal(g.specOf(t, probeType, "probes-site")["targets"])
	require.Contains(t, at(probed, "staticConfig", "static"), "https://files.shop.staging.changelog.com/")
}

// A name in domain management is the same resource whatever service it leads to, so that one that moves is changed in place.
func TestAManagedNameMovesBetweenServicesInPlace(t *testing.T) {
	t.Parallel()
	const managed, name = "domainManagement: true\n    tls: {mode: managed, ", "shop.staging.changelog.com"
	apart := withService(t, "tls: {", managed)
	shared, err := deployWithSecrets(t, func(text string) string {
		return withoutSecrets(strings.Replace(withShop()(text), "tls: {", managed, 1), "fastly-tls-token")
	}, "shop-key-base")
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(slices.Values(slices.Concat(stagingNames, shopNames))), named(apart, domainType, "cdn-"))
	for service, g := range map[string]*graph{"cdn": shared, "shop.cdn": apart} {
		domain := g.find(t, domainType, "cdn-"+name)
		require.Equal(t, service+"-id", domain.inputs["serviceId"].StringValue())
		require.Equal(t, "lke-platform:cdn:Service "+service, links(domain.request)[0], "its URN has the type, and not the name")
		require.True(t, g.waitsFor(subscriptionType+" tls-"+name, domainType+" cdn-"+name))
	}
	require.Equal(t, "cdn-id", apart.find(t, domainType, "cdn-staging.changelog.com").inputs["serviceId"].StringValue())
	require.Equal(t, named(apart, domainType, "cdn-"), named(apart, subscriptionType, "tls-"))
	require.Equal(t, named(apart, domainType, "cdn-"), named(apart, recordType, "challenges-"))
	for _, own := range named(apart, domainType, "cdn-") {
		require.True(t, apart.waitsFor(validationType+" tls-"+name, domainType+" cdn-"+own), "after all services")
	}
}

// The origin asks nobody for a certificate as soon as Fastly cannot always show one.
func TestWebSocketsOfOneServiceOpenTheOrigin(t *testing.T) {
	t.Parallel()
	for key, asks := range map[string]bool{"cache: {ttl: 5m}": true, "websockets: true": false} {
		g := withService(t, "cache: {ttl: 5m}", key)
		values := reveal(g.find(t, releaseType, "ingress-traefik").inputs["values"])
		require.Equal(t, asks, strings.Contains(fmt.Sprint(values), "clientAuth"), key)
		products := g.find(t, serviceVclType, "cdn").inputs["productEnablement"].ObjectValue()
		require.NotContains(t, products, resource.PropertyKey("websockets"))
	}
}

func TestFaultsOfAServiceOfAnApp(t *testing.T) {
	t.Parallel()
	const plain = "      cdn: {origin: {shield: lga-ny-us}%s}\n"
	with := func(more string) string { return fmt.Sprintf(plain, ", "+more) }
	for name, test := range map[string]struct {
		further string
		edit    []string
		faults  []string
	}{
		"what all services share":     {with("tls: {mode: managed}"), nil, []string{"apps[0].cdn.tls: Forbidden: unknown key"}},
		"a bypass":                    {with("bypass: true"), nil, []string{"apps[0].cdn.bypass: Forbidden: unknown key"}},
		"a plan":                      {with("account: {plan: paid}"), nil, []string{"apps[0].cdn.account: Forbidden: unknown key"}},
		"no shield":                   {"      cdn: {}\n", nil, []string{"apps[0].cdn.origin.shield: Required value"}},
		"a shield that is none":       {"      cdn: {origin: {shield: lga}}\n", nil, []string{`apps[0].cdn.origin.shield: Unsupported value: "lga"`}},
		"nothing":                     {"      cdn: off\n", nil, []string{"apps[0].cdn: Invalid value"}},
		"too many health checks":      {"      cdn: {origin: {shield: lga-ny-us, healthInterval: 10s}}\n", nil, []string{`apps[0].cdn.origin.healthInterval: Invalid value: "10s"`}},
		"a host of the first app":     {with("media: {hosts: [staging.changelog.com]}"), nil, []string{"apps[0].cdn.media.hosts[0]: Duplicate value"}},
		"a host of its own app":       {with("backends: [{name: a, address: a.example.net, hosts: [shop.staging.changelog.com]}]"), nil, []string{"apps[0].cdn.backends[0].hosts[0]: Duplicate value"}},
		"a host of the tools":         {with("redirects: {grafana.staging.changelog.com: shop.staging.changelog.com}"), nil, []string{"apps[0].cdn.redirects[grafana.staging.changelog.com]: Duplicate value"}},
		"a host of no zone":           {with("media: {hosts: [cdn.example.com]}"), nil, []string{"apps[0].cdn.media.hosts[0]: Invalid value: \"cdn.example.com\": is outside every zone"}},
		"the route of another app":    {with("backends: [{name: a, address: a.example.net, paths: [staging.changelog.com/a]}]"), nil, []string{"apps[0].cdn.backends[0].paths[0]: Invalid value: \"staging.changelog.com\": is none of the names", "staging.changelog.com is no host of an app behind this service"}},
		"the first one's route to it": {with("http3: false"), []string{"cdn:\n    origin:", "cdn:\n    backends: [{name: a, address: a.example.net, paths: [shop.staging.changelog.com/a]}]\n    origin:"}, []string{"cdn.backends[0].paths[0]: Invalid value: \"shop.staging.changelog.com/a\": shop.staging.changelog.com is no host of an app behind this service"}},
		"scripts of another":          {with("crossOrigin: [staging.changelog.com]"), nil, []string{"apps[0].cdn.crossOrigin[0]: Invalid value"}},
		"nothing but redirects":       {with("redirects: {shop.staging.changelog.com: staging.changelog.com}"), nil, []string{"apps[0].hosts: Invalid value: [\"shop.staging.changelog.com\"]: must have a host that apps[0].cdn.redirects does not lead"}},
		"a circle through two": {with("redirects: {a.staging.changelog.com: b.staging.changelog.com}"), []string{"cdn:\n    origin:", "cdn:\n    redirects: {b.staging.changelog.com: a.staging.changelog.com}\n    origin:"},
			[]string{`apps[0].cdn.redirects[a.staging.changelog.com]: Invalid value: "b.staging.changelog.com": leads on`, `cdn.redirects[b.staging.changelog.com]: Invalid value: "a.staging.changelog.com": leads on`}},
		"one host led on by two": {with("redirects: {a.staging.changelog.com: shop.staging.changelog.com}"), []string{"cdn:\n    origin:", "cdn:\n    redirects: {a.staging.changelog.com: staging.changelog.com}\n    origin:"},
			[]string{"\n  apps[0].cdn.redirects[a.staging.changelog.com]: Duplicate value", "\n  cdn.redirects[a.staging.changelog.com]: Duplicate value"}},
		"media without a bucket": {with("media: {hosts: [files.staging.changelog.com]}"), []string{"media: {BUCKET: bucket, SECRET: secretKey}", "env: {}"}, []string{"apps[0].cdn.media.address: Required value: the app has no bucket"}},
		"a secret that is not":   {with("basicAuth: {alice: no-secret}"), nil, []string{`apps: Required value: secret "no-secret" is not set`}},
		"a page that is not":     {with("errorPage: sorry.html"), nil, []string{`apps[0].cdn.errorPage: Invalid value: "sorry.html": there is no such file`}},
		"fewer domains":          {with("http3: false"), []string{"plan: paid", "plan: paid, domains: 3"}, []string{"cdn.account.domains: Invalid value: 3: the stack needs 4: grafana.staging.changelog.com, keel.staging.changelog.com, shop.staging"}},
		"a trial":                {with("http3: false"), []string{"plan: paid", "plan: trial"}, []string{`cdn.account.plan: Invalid value: "trial": a trial account serves 2 names over TLS, and these are 4`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := deployWithSecrets(t, func(text string) string {
				return strings.NewReplacer(test.edit...).Replace(withShop(test.further)(text))
			}, "shop-key-base")
			for _, fault := range test.faults {
				require.ErrorContains(t, err, fault)
			}
			require.Empty(t, g.resources, "nothing may be declared")
		})
	}
}

func TestAServiceOfAnAppNeedsFastly(t *testing.T) {
	t.Parallel()
	g, err := deployWithSecrets(t, func(text string) string {
		before, _, _ := strings.Cut(text, "  lke-platform:cdn:\n")
		return withShop("      cdn: {origin: {shield: lga-ny-us}}\n")(before + "  lke-platform:cdn: off\n")
	})
	require.ErrorContains(t, err, "apps[0].cdn: Forbidden: describes a Fastly service, and cdn is off")
	require.Empty(t, g.resources)
}

func TestAServiceIsWarnedOfByItself(t *testing.T) {
	t.Parallel()
	config := func(edit ...string) *stacks.Config {
		values, _ := readConfig(t, copyStack(t, "staging", func(text string) string {
			return strings.NewReplacer(edit...).Replace(withShop(shopService)(text))
		}), "staging")
		config, faults := stacks.Decode(func(section string) string { return values[projectName+":"+section] })
		require.Empty(t, faults)
		return config
	}
	asked := config("cache: {ttl: 5m}", "websockets: true\n        openPurge: true\n        maintenance: {page: sorry.html}",
		"- name: staging.changelog.com", "- {name: staging.changelog.com, adopt: 7}", "cdn:\n    origin:", "cdn:\n    hsts: 0s\n    bypass: false\n    origin:")
	warned := strings.Join(asked.Warnings(), "\n")
	for _, key := range []string{"websockets", "openPurge", "maintenance", "hsts", "basicAuth"} {
		require.Contains(t, warned, "\napps[0].cdn."+key+": ")
		require.NotContains(t, warned, "\ncdn."+key+": ")
	}
	require.Equal(t, []string{"sorry.html"}, asked.Files())
	require.Contains(t, asked.SecretKeys(), "secret-shop-password")
	require.NotContains(t, strings.Join(config().Warnings(), "\n"), "apps[0].cdn.")
	many := config("hosts: [shop.staging.changelog.com]", "hosts: [shop.staging.changelog.com, a.staging.changelog.com, b.staging.changelog.com, c.staging.changelog.com]")
	require.Contains(t, strings.Join(many.Warnings(), "\n"), "cdn.account.domains: the stack has 11 domains", "those of both are counted")
}

// What an account lacks is told where it is asked for, and a name may come from a service that the stack has or had.
func TestTheAccountIsAskedForAllServices(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(account{
		created: "2017-03-01T10:00:00+00:00", lacks: []string{"image_optimizer"},
		domains:  `{"id": "d1", "fqdn": "shop.staging.changelog.com", "service_id": "s1"}`,
		services: map[string]string{"s1": "lke-platform-staging"},
	})
	t.Cleanup(server.Close)
	deployed := func(key string) (*graph, error) {
		return deployWithSecrets(t, func(text string) string {
			text = strings.Replace(withShop(shopService)(text), "tls: {", "domainManagement: true\n    tls: {", 1)
			return strings.Replace(text, "cache: {ttl: 5m}", key, 1) + "  fastly:apiKey: the-key\n  fastly:baseUrl: " + server.URL + "\n"
		}, "shop-key-base", "shop-password")
	}
	g, err := deployed("imageOptimizer: true")
	require.ErrorContains(t, err, "\n  apps[0].cdn.imageOptimizer: Invalid value: true: the Fastly account may not use the product image_optimizer")
	require.NotContains(t, err.Error(), "domainManagement")
	require.Empty(t, g.resources)
	g, err = deployed("http3: false")
	require.NoError(t, err)
	domain := g.find(t, domainType, "cdn-shop.staging.changelog.com")
	require.Equal(t, "shop.cdn-id", domain.inputs["serviceId"].StringValue())
	require.Equal(t, "d1", domain.request.GetImportId())
}
