package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const deepHost = "a.b.staging.changelog.com"

// No certificate of a zone is valid for a host two labels below it, so that it has one of its own: at Fastly, and where its
// Ingress is.
func TestAHostDeepBelowItsZoneIsServed(t *testing.T) {
	t.Parallel()
	const site = "hosts: [staging.changelog.com]"
	g := deployedWith(t, "staging", site, "hosts: [staging.changelog.com, "+deepHost+"]")
	require.Equal(t, []string{deepHost, "staging.changelog.com"}, named(g, certificateType, "site-"))
	certificate := g.find(t, certificateType, "site-"+deepHost).inputs.Mappable()
	require.Equal(t, []any{deepHost}, inside(t, certificate, "spec", "dnsNames"))
	tls := inside(t, g.find(t, ingressType, "app").inputs.Mappable(), "spec", "tls").([]any)
	require.Equal(t, []any{
		map[string]any{"hosts": []any{deepHost}, "secretName": "a-b-staging-changelog-com-tls"},
		map[string]any{"hosts": []any{"staging.changelog.com"}, "secretName": "staging-changelog-com-tls"},
	}, tls)
	require.Contains(t, slices.Collect(maps.Keys(cdnBlocks(g.find(t, serviceVclType, "cdn"), "domains"))), deepHost)
	pod := inside(t, g.find(t, syncJobType, "certsync").inputs.Mappable(), "spec", "template", "spec")
	sources := inside(t, inside(t, pod, "volumes").([]any)[0], "projected", "sources").([]any)
	require.Equal(t, map[string]any{"name": "a-b-staging-changelog-com-tls", "items": []any{
		map[string]any{"key": "tls.crt", "path": deepHost + "/tls.crt"}, map[string]any{"key": "tls.key", "path": deepHost + "/tls.key"},
	}}, inside(t, sources[0], "secret"))
	record := g.find(t, recordType, "hosts-"+deepHost+"-A-0")
	require.Equal(t, "a.b", record.inputs["name"].StringValue())
	require.True(t, g.waitsFor(recordType+" hosts-"+deepHost+"-A-0", certificateType+" site-"+deepHost))
}

// Where it has two, in two namespaces, they are proven one after the other: the record can hold one proof.
func TestADeepHostIsProvenOnceAtATime(t *testing.T) {
	t.Parallel()
	const keel, further = "hooks.b.staging.changelog.com", "shop.b.staging.changelog.com"
	edit := strings.NewReplacer("keel.staging.changelog.com", keel, "  lke-platform:cdn:\n", `  lke-platform:apps:
    - {name: shop, image: "shop@sha256:`+strings.Repeat("0", 64)+`", hosts: [`+further+`, short.staging.changelog.com]}
  lke-platform:cdn:
`)
	g, err := deploy(t, copyStack(t, "staging", edit.Replace), "staging")
	require.NoError(t, err)
	for own, host := range map[string]string{"keel-" + keel: keel, "shop.app-" + further: further} {
		require.True(t, g.waitsFor(certificateType+" "+own, certificateType+" site-"+host), own)
	}
	require.False(t, g.waitsFor(certificateType+" grafana-grafana.staging.changelog.com", certificateType+" site-"+keel))

	// Where Fastly gets its own, the cluster has none, but for a bypass.
	const managed = "domainManagement: true\n    tls: {mode: managed, "
	for bypass, certificates := range map[string][]string{
		"": {"origin.staging.changelog.com"}, "bypass: true\n    ": {keel, "origin.staging.changelog.com", further, "staging.changelog.com"},
	} {
		g, err := deploy(t, copyStack(t, "staging", func(text string) string {
			return withoutSecrets(strings.Replace(edit.Replace(text), "tls: {", bypass+managed, 1), "fastly-tls-token")
		}), "staging")
		require.NoError(t, err)
		require.Equal(t, certificates, named(g, certificateType, "site-"))
	}
}
