package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostRecords are the targets of the records of public names, by the record's logical name.
func hostRecords(g *graph) map[string]string {
	records := map[string]string{}
	for key, node := range g.resources {
		if name, found := strings.CutPrefix(key, recordType+" hosts-"); found {
			records[name] = node.inputs["target"].StringValue()
		}
	}
	return records
}

func TestEveryPublicNameLeadsToFastly(t *testing.T) {
	t.Parallel()
	records := hostRecords(deployed(t, "prod"))
	require.Len(t, records, (9+2)*3, "two IPv4 addresses and one IPv6 address for each of the site's hosts, Grafana's and Keel's")
	require.Equal(t, "151.101.2.132", records["changelog.com-A-0"], "in order, which Fastly does not keep")
	require.Equal(t, "151.101.66.132", records["grafana.changelog.com-A-1"])
	require.Equal(t, "2a04:4e42::132", records["gotime.fm-AAAA-0"])
}

// Nothing public ever points at a place that does not serve, or without a valid certificate. A bypass waits for nothing at Fastly,
// which may be down.
func TestNamesGoLiveLast(t *testing.T) {
	t.Parallel()
	const certificate, job = "kubernetes:cert-manager.io/v1:Certificate site-", "kubernetes:batch/v1:Job certsync"
	for _, bypass := range []string{"", "    bypass: true\n"} {
		g := deployedWith(t, "prod", "lke-platform:cdn:\n", "lke-platform:cdn:\n"+bypass)
		for name := range hostRecords(g) {
			host, _, _ := strings.Cut(name, "-A")
			labels := strings.Split(host, ".")
			zone := strings.Join(labels[len(labels)-2:], ".")
			for _, before := range []string{
				certificate + zone, deploymentType + " app",
				"kubernetes:networking.k8s.io/v1:Ingress app", "kubernetes:networking.k8s.io/v1:Ingress grafana",
				"kubernetes:networking.k8s.io/v1:Ingress delivery", "kubernetes:networking.k8s.io/v1:Ingress media",
			} {
				require.True(t, g.waitsFor(recordType+" hosts-"+name, before), "%s before %s", before, name)
			}
			for _, atFastly := range []string{job, serviceVclType + " cdn"} {
				require.Equal(t, bypass == "", g.waitsFor(recordType+" hosts-"+name, atFastly), "%s before %s", atFastly, name)
			}
		}
		if bypass != "" {
			require.NotContains(t, g.resources, job)
			continue
		}
		require.True(t, g.waitsFor(job, serviceVclType+" cdn"), "a certificate is activated for domains of a service that is active")
		for _, zone := range []string{"changelog.com", "gotime.fm"} {
			require.True(t, g.waitsFor(serviceVclType+" cdn", certificate+zone))
		}
	}
}

func TestABypassLeadsAroundFastlyAndOpensTheWay(t *testing.T) {
	t.Parallel()
	const firewall = linodeAnnotation + "firewall-acl"
	for name, test := range map[string]struct {
		cdn, ingress     string
		bypassed, isOpen bool
	}{
		"as ever":                   {"", "", false, false},
		"bypassed":                  {"    bypass: true\n", "", true, true},
		"back, with names cached":   {"    bypass: false\n", "", false, true},
		"back, and closed":          {"    bypass: false\n", "  lke-platform:ingress: {open: false}\n", false, false},
		"open for another reason":   {"", "  lke-platform:ingress: {open: true}\n", false, true},
		"bypassed, said to be open": {"    bypass: true\n", "  lke-platform:ingress: {open: true}\n", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := deployedWith(t, "prod", "  lke-platform:cdn:\n", test.ingress+"  lke-platform:cdn:\n"+test.cdn)
			records := hostRecords(g)
			if test.bypassed {
				require.Len(t, records, (9+2)*2)
				require.Equal(t, "192.0.2.7", records["changelog.com-A-0"], "changed in place, not beside the old one")
				require.Equal(t, "2001:db8::7", records["changelog.com-AAAA-0"])
			} else {
				require.Equal(t, "151.101.2.132", records["changelog.com-A-0"])
			}
			values, _ := reveal(g.find(t, releaseType, "ingress-traefik").inputs["values"]).(map[string]any)
			_, closed := at(values, "service", "annotations").(map[string]any)[firewall]
			require.Equal(t, test.isOpen, !closed)
		})
	}
}

// Both controllers find the bucket by its own name, over TLS, whatever visitors call it.
func TestMediaAreServedPastFastly(t *testing.T) {
	t.Parallel()
	const bucket = "lke-platform-prod-media.us-east-1.linodeobjects.com"
	g := deployed(t, "prod")
	service := g.find(t, "kubernetes:core/v1:Service", "media").inputs.Mappable()
	require.Equal(t, "ExternalName", at(service, "spec", "type"))
	require.Equal(t, bucket, at(service, "spec", "externalName"))
	require.Equal(t, map[string]any{
		"traefik.ingress.kubernetes.io/service.serversscheme": "https", "traefik.ingress.kubernetes.io/service.passhostheader": "false",
	}, at(service, "metadata", "annotations"))
	values, _ := reveal(g.find(t, releaseType, "ingress-traefik").inputs["values"]).(map[string]any)
	require.Equal(t, true, at(values, "providers", "kubernetesIngress", "allowExternalNameServices"))

	ingress := g.find(t, "kubernetes:networking.k8s.io/v1:Ingress", "media").inputs.Mappable()
	require.Equal(t, map[string]any{
		"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS", "nginx.ingress.kubernetes.io/upstream-vhost": bucket,
		"nginx.ingress.kubernetes.io/proxy-ssl-name": bucket, "nginx.ingress.kubernetes.io/proxy-ssl-server-name": "on",
	}, at(ingress, "metadata", "annotations"))
	require.Equal(t, []any{map[string]any{"hosts": []any{"cdn.changelog.com"}, "secretName": "changelog-com-tls"}},
		at(ingress, "spec", "tls"))
}

// What a backend answers for is a public name, and comes during a bypass too.
func TestBackendsAreServedPastFastly(t *testing.T) {
	t.Parallel()
	g := deployedWith(t, "staging", "      shield: lga-ny-us\n", `      shield: lga-ny-us
    backends:
      - {name: old, address: old.example.net, hosts: [old.staging.changelog.com], paths: [staging.changelog.com/blog/], keepHost: true}
      - {name: archive, address: archive.example.net, hosts: [files.staging.changelog.com], public: true}
    bypass: true
`)
	require.Equal(t, "192.0.2.7", hostRecords(g)["old.staging.changelog.com-A-0"])
	require.True(t, g.waitsFor(recordType+" hosts-old.staging.changelog.com-A-0", "kubernetes:networking.k8s.io/v1:Ingress backend-old"))
	require.Contains(t, cdnBlocks(g.find(t, serviceVclType, "cdn"), "domains"), "old.staging.changelog.com")
	require.Contains(t, fmt.Sprint(reveal(g.find(t, "kubernetes:monitoring.coreos.com/v1:Probe", "probes-site").inputs["spec"])),
		"https://files.staging.changelog.com/")

	service := g.find(t, "kubernetes:core/v1:Service", "backend-old").inputs.Mappable()
	require.Equal(t, "old.example.net", at(service, "spec", "externalName"))
	require.Equal(t, "true", at(service, "metadata", "annotations", "traefik.ingress.kubernetes.io/service.passhostheader"))
	ingress := g.find(t, "kubernetes:networking.k8s.io/v1:Ingress", "backend-old").inputs.Mappable()
	require.NotContains(t, at(ingress, "metadata", "annotations"), "nginx.ingress.kubernetes.io/upstream-vhost")
	require.Equal(t, []any{map[string]any{
		"hosts": []any{"old.staging.changelog.com", "staging.changelog.com"}, "secretName": "staging-changelog-com-tls",
	}}, at(ingress, "spec", "tls"))
	var routes []string
	for _, rule := range at(ingress, "spec", "rules").([]any) {
		path := at(rule, "http", "paths").([]any)[0]
		routes = append(routes, at(rule, "host").(string)+at(path, "path").(string))
	}
	require.Equal(t, []string{"old.staging.changelog.com/", "staging.changelog.com/blog"}, routes)
	archive := g.find(t, "kubernetes:networking.k8s.io/v1:Ingress", "backend-archive").inputs.Mappable()
	require.Equal(t, "archive.example.net", at(archive, "metadata", "annotations", "nginx.ingress.kubernetes.io/upstream-vhost"))
}

// Certificates that Fastly refuses do not go there: names lead straight to the platform, and `up` ends.
func TestCertificatesThatNobodyTrustsStayAwayFromFastly(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", strings.NewReplacer(
		"lke-platform:certificates:\n", "lke-platform:certificates:\n    issuer: staging\n",
		"lke-platform:cdn:\n", "lke-platform:cdn:\n    bypass: true\n").Replace), "staging")
	require.NoError(t, err)
	for key := range g.resources {
		require.NotContains(t, key, "certsync")
	}
	require.Equal(t, "192.0.2.7", hostRecords(g)["staging.changelog.com-A-0"])
}

func TestABypassIntoAClosedDoorIsRefused(t *testing.T) {
	t.Parallel()
	dir := copyStack(t, "staging", func(text string) string {
		return strings.Replace(text, "  lke-platform:cdn:\n", "  lke-platform:ingress: {open: false}\n  lke-platform:cdn:\n    bypass: true\n", 1)
	})
	_, err := deploy(t, dir, "staging")
	require.ErrorContains(t, err, "ingress.open: Invalid value: false: must not be false while cdn.bypass sends all visitors there")
}

// A record that somebody made is changed in place when its name goes live: beside a new one, visitors would get both in turns.
func TestAnAdoptedRecordBecomesThatOfThePublicName(t *testing.T) {
	t.Parallel()
	const adopted = `      - name: staging.changelog.com
        adopt: 4711
        records: [{name: staging.changelog.com, type: A, target: 192.0.2.1, adopt: 815}]
`
	g := deployedWith(t, "staging", "      - name: staging.changelog.com\n", adopted)
	for key := range g.resources {
		require.NotContains(t, key, recordType+" domains-", "it is declared once")
	}
	aliases := g.find(t, recordType, "hosts-staging.changelog.com-A-0").request.GetAliases()
	require.Len(t, aliases, 1)
	require.Contains(t, aliases[0].GetSpec().GetName(), "domains-staging.changelog.com-A-")
	require.Contains(t, aliases[0].GetSpec().GetParentUrn(), "lke-platform:dns:Zones::domains")
}

// deployedWith deploys a stack file in which a text is replaced.
func deployedWith(t *testing.T, stack, from, to string) *graph {
	t.Helper()
	g, err := deploy(t, copyStack(t, stack, func(text string) string {
		require.Contains(t, text, from)
		return strings.Replace(text, from, to, 1)
	}), stack)
	require.NoError(t, err)
	return g
}
