package tests

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/components/dns/public"
	"lke-platform/stacks"
)

const (
	domainType       = "fastly:index/domain:Domain"
	subscriptionType = "fastly:index/tlsSubscription:TlsSubscription"
	validationType   = "fastly:index/tlsSubscriptionValidation:TlsSubscriptionValidation"
	// newerFastly is the plugin that knows domain management.
	newerFastly = "12.6.0"
)

// stagingNames are those that visitors of the staging stack use.
var stagingNames = []string{"grafana.staging.changelog.com", "keel.staging.changelog.com", "staging.changelog.com"}

// TestMain keeps tests from asking the account of whoever runs them, and public DNS.
func TestMain(m *testing.M) {
	_ = os.Unsetenv("FASTLY_API_KEY")
	_ = os.Setenv(public.ServerVariable, "127.0.0.1:1") // where nobody answers
	os.Exit(m.Run())
}

// named are the logical names of the resources of a type, behind a prefix.
func named(g *graph, typ, prefix string) []string {
	var names []string
	for key := range g.resources {
		if name, found := strings.CutPrefix(key, typ+" "+prefix); found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestFastlyAnswersForTheNamesInUseAndNoOthers(t *testing.T) {
	t.Parallel()
	for stack, want := range map[string][]string{
		"staging": stagingNames,
		"prod": {"brainscience.fm", "cdn.changelog.com", "changelog.com", "changelog.fm", "founderstalk.fm", "gotime.fm",
			"grafana.changelog.com", "jsparty.fm", "keel.changelog.com", "practicalai.fm", "www.changelog.com"},
	} {
		g := deployed(t, stack)
		service := g.find(t, serviceVclType, "cdn")
		require.Equal(t, want, slices.Sorted(maps.Keys(cdnBlocks(service, "domains"))))
		require.Empty(t, named(g, domainType, ""))
		require.NotEqual(t, newerFastly, service.request.GetVersion(), "classic domains need no other plugin than the SDK's")
	}
	g := deployedWith(t, "staging", "      shield: lga-ny-us\n",
		"      shield: lga-ny-us\n    redirects: {www.staging.changelog.com: staging.changelog.com}\n")
	require.Contains(t, cdnBlocks(g.find(t, serviceVclType, "cdn"), "domains"), "www.staging.changelog.com",
		"what only leads on is answered for too")
}

func TestDomainManagementHoldsTheNamesBesideTheService(t *testing.T) {
	t.Parallel()
	g := deployedWith(t, "staging", "lke-platform:cdn:\n", "lke-platform:cdn:\n    domainManagement: true\n")
	service := g.find(t, serviceVclType, "cdn")
	require.Empty(t, plain(service.inputs["domains"]).ArrayValue())
	require.Equal(t, newerFastly, service.request.GetVersion(), "the SDK's own plugin refuses a service without domains")
	require.Equal(t, stagingNames, named(g, domainType, "cdn-"))
	for _, name := range stagingNames {
		domain := g.find(t, domainType, "cdn-"+name)
		require.Equal(t, name, domain.inputs["fqdn"].StringValue())
		require.Equal(t, "cdn-id", domain.inputs["serviceId"].StringValue())
		require.Equal(t, newerFastly, domain.request.GetVersion())
		require.True(t, g.waitsFor(syncJobType+" certsync", domainType+" cdn-"+name), "no certificate is activated for an unknown name")
	}
}

// managedStaging is the staging stack with certificates that Fastly gets itself.
func managedStaging(t *testing.T, more string) *graph {
	t.Helper()
	const before = `    tls: {image: "ghcr.io/thechangelog/lke-platform/certsync:v1.0.0"}`
	g, err := deploy(t, copyStack(t, "staging", func(text string) string {
		require.Contains(t, text, before)
		return withoutSecrets(strings.Replace(text, before, "    domainManagement: true\n    tls: {mode: managed}\n"+more, 1),
			"fastly-tls-token")
	}), "staging")
	require.NoError(t, err)
	return g
}

// withoutSecrets takes secrets out of a stack file that nothing there names any more.
func withoutSecrets(text string, names ...string) string {
	for _, name := range names {
		text = strings.Replace(text, "  "+projectName+":secret-"+name+":\n    secure: v1:ciphertext\n", "", 1)
	}
	return text
}

func TestFastlyGetsCertificatesOfItsOwn(t *testing.T) {
	t.Parallel()
	g := managedStaging(t, "")
	require.Equal(t, stagingNames, named(g, subscriptionType, "tls-"))
	for _, name := range stagingNames {
		subscription := g.find(t, subscriptionType, "tls-"+name)
		require.Equal(t, "certainly", subscription.inputs["certificateAuthority"].StringValue())
		require.Equal(t, []any{name}, subscription.inputs["domains"].Mappable())
		challenge := g.find(t, recordType, "challenges-"+name)
		require.Equal(t, "CNAME", challenge.inputs["recordType"].StringValue())
		require.Equal(t, name+".fastly-validations.com", challenge.inputs["target"].StringValue())
		relative := strings.TrimSuffix("_acme-challenge."+name, ".staging.changelog.com")
		require.Equal(t, relative, challenge.inputs["name"].StringValue())

		require.True(t, g.waitsFor(subscriptionType+" tls-"+name, domainType+" cdn-"+name), "Fastly proves names of a service only")
		require.True(t, g.waitsFor(validationType+" tls-"+name, recordType+" challenges-"+name))
		for _, other := range stagingNames {
			require.True(t, g.waitsFor(recordType+" hosts-"+other+"-A-0", validationType+" tls-"+name))
		}
	}
	require.Equal(t, []string{"ingress-authority", "ingress-client", "site-origin.staging.changelog.com"}, named(g, certificateType, ""),
		"only the origin has a public one of ours, and what proves that has another name")
	for _, typ := range []string{syncJobType, syncCronJobType} {
		require.NotContains(t, g.resources, typ+" certsync")
	}
	tls := func(ingress string) any {
		return at(reveal(g.find(t, "kubernetes:networking.k8s.io/v1:Ingress", ingress).inputs["spec"]), "tls")
	}
	require.Nil(t, tls("grafana"))
	require.Nil(t, tls("delivery"))
	require.Equal(t, []any{map[string]any{
		"hosts": []any{"origin.staging.changelog.com"}, "secretName": "origin-staging-changelog-com-tls",
	}}, tls("app"), "what Fastly is shown")
	config, faults := stacks.Decode(func(section string) string {
		return map[string]string{"cdn": `{"tls": {"mode": "managed"}}`}[section]
	})
	require.Empty(t, faults)
	require.NotContains(t, config.SecretKeys(), "secret-fastly-tls-token")
}

// The cluster proves the same names by the same records, so that Fastly's have to be gone before.
func TestABypassOfManagedCertificatesOrdersTheClustersFirst(t *testing.T) {
	t.Parallel()
	for bypass, recordKind := range map[string]string{"true": "TXT", "false": "CNAME"} {
		g := managedStaging(t, "    bypass: "+bypass+"\n")
		require.Equal(t, []string{"grafana-grafana.staging.changelog.com", "ingress-authority", "ingress-client",
			"keel-keel.staging.changelog.com", "site-origin.staging.changelog.com", "site-staging.changelog.com"},
			named(g, certificateType, ""))
		for _, name := range stagingNames {
			challenge := g.find(t, recordType, "challenges-"+name)
			require.Equal(t, recordKind, challenge.inputs["recordType"].StringValue())
			require.True(t, challenge.request.GetDeleteBeforeReplace(), "nothing can stand beside an alias")
			require.Contains(t, g.resources, subscriptionType+" tls-"+name, "it is kept for the way back")
		}
		for _, certificate := range named(g, certificateType, "") {
			if strings.HasPrefix(certificate, "ingress-") {
				continue // of an authority of our own
			}
			for _, name := range stagingNames {
				require.Equal(t, bypass == "true", g.waitsFor(certificateType+" "+certificate, recordType+" challenges-"+name))
				if certificate != "site-origin.staging.changelog.com" {
					require.True(t, g.waitsFor(recordType+" hosts-"+name+"-A-0", certificateType+" "+certificate))
				}
				require.Equal(t, bypass == "false", g.waitsFor(recordType+" hosts-"+name+"-A-0", subscriptionType+" tls-"+name),
					"a bypass waits for nothing at Fastly")
			}
		}
	}
}

// account answers for a Fastly account.
type account struct {
	created string
	lacks   []string
	domains string
	// services are names by ID.
	services map[string]string
	status   int
}

func (a account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Fastly-Key") != "the-key" {
		a.status = http.StatusUnauthorized
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
		return
	}
	if product, asked := strings.CutPrefix(r.URL.Path, "/entitled-products/"); asked {
		_, _ = fmt.Fprintf(w, `{"has_access": %t, "product": {"id": %q}}`, !slices.Contains(a.lacks, product), product)
		return
	}
	if id, asked := strings.CutPrefix(r.URL.Path, "/service/"); asked {
		if a.services[id] == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprintf(w, `{"id": %q, "name": %q}`, id, a.services[id])
		return
	}
	if r.URL.Path == "/domain-management/v1/domains" {
		next := ""
		if r.URL.Query().Get("cursor") == "" {
			next = "more"
		}
		_, _ = fmt.Fprintf(w, `{"data": [%s], "meta": {"next_cursor": %q}}`, a.domains, next)
		return
	}
	_, _ = fmt.Fprintf(w, `{"id": "x", "created_at": %q}`, a.created)
}

func TestWhatAnAccountLacksIsToldBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	const old, lately = "2017-03-01T10:00:00+00:00", "2025-09-16T00:00:00Z"
	for name, test := range map[string]struct {
		account account
		cdn     string
		fault   string // none when empty
	}{
		"an old account": {account{created: old}, "    imageOptimizer: true\n", ""},
		"a new account": {account{created: lately}, "", "cdn.domainManagement: Invalid value: false: the Fastly account was made " +
			"on 2025-09-16, and accounts made since 2025-09-16 have no classic domains; set it to true"},
		"a new account with its domains": {account{created: lately}, "    domainManagement: true\n", ""},
		"a domain that leads to the service": {
			account{created: old, domains: `{"id": "d1", "fqdn": "staging.changelog.com", "service_id": "s1"}`,
				services: map[string]string{"s1": "lke-platform-staging"}}, "    domainManagement: true\n", ""},
		"a domain that led to another service of the stack": {
			account{created: old, domains: `{"id": "d1", "fqdn": "staging.changelog.com", "service_id": "s1"}`,
				services: map[string]string{"s1": "lke-platform-staging.shop"}}, "    domainManagement: true\n", ""},
		"a domain that leads elsewhere": {
			account{created: old, domains: `{"id": "d1", "fqdn": "staging.changelog.com", "service_id": "s0"}`,
				services: map[string]string{"s0": "lke-platform-staging-eu", "s1": "lke-platform-staging"}},
			"    domainManagement: true\n", "staging.changelog.com is in Fastly's domain management already, and leads to another service, s0, there"},
		"a domain that led elsewhere before": {
			account{created: old, domains: `{"id": "d1", "fqdn": "staging.changelog.com", "service_id": "s0"}`},
			"    domainManagement: true\n", "staging.changelog.com is in Fastly's domain management already, and leads to another service, s0, there"},
		"a domain of others": {
			account{created: old, domains: `{"id": "d1", "fqdn": "www.example.com", "service_id": "s0"}`}, "    domainManagement: true\n", ""},
		"a domain that leads nowhere": {
			account{created: old, domains: `{"id": "d1", "fqdn": "staging.changelog.com", "service_id": null}`},
			"    domainManagement: true\n", "cdn.domainManagement: Invalid value: true: staging.changelog.com is in Fastly's domain " +
				"management already, and leads to no service there; lead it to the stack's, made by an up without the name (fastly domain update --domain-id d1"},
		"a product that is not bought": {account{created: old, lacks: []string{"image_optimizer"}}, "    imageOptimizer: true\n",
			"cdn.imageOptimizer: Invalid value: true: the Fastly account may not use the product image_optimizer; set it to false"},
		"a product that is not asked for": {account{created: old, lacks: []string{"image_optimizer"}}, "", ""},
		"compression that is not bought": {account{created: old, lacks: []string{"brotli_compression"}}, "",
			"cdn.brotli: Invalid value: true: the Fastly account may not use the product brotli_compression"},
		"a token that may not ask": {account{status: http.StatusForbidden}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.account)
			t.Cleanup(server.Close)
			providers := &graph{resources: map[string]*node{}}
			err := deployTo(t, copyStack(t, "staging", func(text string) string {
				text = strings.Replace(text, "lke-platform:cdn:\n", "lke-platform:cdn:\n"+test.cdn, 1)
				return text + "  fastly:apiKey: the-key\n  fastly:baseUrl: " + server.URL + "\n"
			}), "staging", providers)
			if test.fault == "" {
				require.NoError(t, err)
				if test.account.services != nil {
					domain := providers.find(t, domainType, "cdn-staging.changelog.com")
					require.Equal(t, "d1", domain.request.GetImportId(), "it is taken over, not made anew")
				}
				return
			}
			require.ErrorContains(t, err, "nothing was changed")
			require.ErrorContains(t, err, test.fault)
			require.Empty(t, providers.resources)
		})
	}
}

func TestLimitsOfThePlanAreCheckedAgainstTheNames(t *testing.T) {
	t.Parallel()
	const pinned = "thechangelog/changelog.com@sha256:" // and a digest
	for name, test := range map[string]struct {
		edit   []string
		faults []string
	}{
		"a trial": {[]string{"plan: paid", "plan: trial"}, []string{
			`cdn.tls.mode: Invalid value: "uploaded": a trial account cannot have certificates of its own; set it to managed`,
			`cdn.account.plan: Invalid value: "trial": a trial account serves 2 names over TLS, and these are 3: ` +
				strings.Join(stagingNames, ", "),
		}},
		"a trial with a commercial authority": {[]string{"plan: paid", "plan: trial", "tls: {", "tls: {mode: managed, authority: globalsign, "},
			[]string{`cdn.tls.authority: Invalid value: "globalsign": a trial account cannot have it`}},
		"a trial that is enough": {[]string{"plan: paid", "plan: trial", "tls: {", "tls: {mode: managed, ", "mode: keel", "mode: pinned",
			"thechangelog/changelog.com:master", pinned + strings.Repeat("0", 64)}, nil},
		"fewer domains": {[]string{"plan: paid", "domains: 2"},
			[]string{"cdn.account.domains: Invalid value: 2: the stack needs 3: " + strings.Join(stagingNames, ", ")}},
		"enough domains": {[]string{"plan: paid", "plan: paid, domains: 3"}, nil},
		"no plan":        {[]string{"plan: paid", "plan: free"}, []string{`cdn.account.plan: Unsupported value: "free"`}},
		"no number":      {[]string{"plan: paid", "domains: -1"}, []string{"cdn.account.domains: Invalid value: -1"}},
		"no mode":        {[]string{"tls: {", "tls: {mode: copied, "}, []string{`cdn.tls.mode: Unsupported value: "copied"`}},
		"no authority":   {[]string{"tls: {", "tls: {authority: me, "}, []string{`cdn.tls.authority: Unsupported value: "me"`}},
		"a record where Fastly proves a name": {[]string{"tls: {", "tls: {mode: managed, ", "- name: staging.changelog.com",
			"- name: staging.changelog.com\n        records: [{name: _acme-challenge.staging.changelog.com, type: TXT, target: x}]"},
			[]string{`domains.zones[0].records[0].name: Invalid value: "_acme-challenge.staging.changelog.com": stands where certificates for staging.changelog.com are proven`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := deploy(t, copyStack(t, "staging", func(text string) string {
				text = strings.NewReplacer(test.edit...).Replace(text)
				if strings.Contains(text, "mode: managed") {
					text = withoutSecrets(text, "fastly-tls-token")
				}
				if strings.Contains(text, "mode: pinned") {
					text = withoutSecrets(text, "keel-webhook-password")
				}
				return text
			}), "staging")
			if test.faults == nil {
				require.NoError(t, err)
				return
			}
			for _, fault := range test.faults {
				require.ErrorContains(t, err, fault)
				path, _, _ := strings.Cut(fault, " ")
				require.Equal(t, 1, strings.Count(err.Error(), path), "it is told once")
			}
			require.Empty(t, g.resources)
		})
	}
}

func TestAnAccountWithoutTLSIsNoMatterOfTheToken(t *testing.T) {
	t.Parallel()
	providers := &deaf{&graph{resources: map[string]*node{}}, map[string]string{
		"getTlsConfiguration": "your query returned no results. Please change your search criteria and try again",
	}}
	err := deployTo(t, copyStack(t, "staging", unchanged), "staging", providers)
	require.ErrorContains(t, err, "cdn.tls.configuration: Required value: the Fastly account has no default TLS configuration")
	require.NotContains(t, err.Error(), "FASTLY_API_KEY")
	require.Empty(t, providers.resources)
}

// A product that is switched on for a whole account would be found on the service at every run.
func TestProductsThatNobodyAskedForAreLeftAlone(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	service := declareCDN(t, args)
	require.True(t, service.inputs["http3"].BoolValue())
	require.Equal(t, map[string]any{"brotliCompression": true}, service.inputs["productEnablement"].ObjectValue().Mappable())
	require.ElementsMatch(t, []string{
		"productEnablement.botManagement", "productEnablement.domainInspector", "productEnablement.imageOptimizer",
		"productEnablement.logExplorerInsights", "productEnablement.originInspector", "productEnablement.websockets",
	}, service.request.GetIgnoreChanges())
	args.ImageOptimizer, args.Brotli = true, false
	service = declareCDN(t, args)
	require.Equal(t, map[string]any{"brotliCompression": false, "imageOptimizer": true},
		service.inputs["productEnablement"].ObjectValue().Mappable())
	require.NotContains(t, service.request.GetIgnoreChanges(), "productEnablement.imageOptimizer")
}
