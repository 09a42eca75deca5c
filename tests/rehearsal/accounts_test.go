package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/fastly/go-fastly/v12/fastly/domainmanagement/v1/domains"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"lke-platform/components/cdn"

	simulated "lke-platform/tests/rehearsal/fastly"
	"lke-platform/tests/rehearsal/simulation"
)

// forTrials makes the staging stack one that a trial account at Fastly is enough for.
func forTrials(stackFile string) string {
	return strings.NewReplacer(
		"account: {plan: paid}", "domainManagement: true\n    account: {plan: trial}",
		"tls: {", "tls: {mode: managed, ",
		"mode: keel", "mode: pinned",
		"changelog.com:master", "changelog.com@sha256:"+strings.Repeat("0", 64),
	).Replace(stackFile)
}

// A trial has the least of all accounts: no classic domains, two names, no certificates of one's own, no product that is paid for.
func TestATrialAccountBringsStagingUp(t *testing.T) {
	names := []string{"grafana.staging.changelog.com", "staging.changelog.com"}
	o := options{root: repository(t, forTrials), stack: "staging", fastlyAccount: "trial"}
	require.NoError(t, run(t.Context(), o))
	s := readSummary(t, o)
	require.Zero(t, s.Again.Changed)
	require.Len(t, s.Activated, len(names))
	require.Len(t, s.WentLive, len(names))
	for _, name := range s.WentLive {
		require.True(t, name.At.After(s.Activated[1].Since), "%s went live after the certificates", name.Name)
	}
	require.Equal(t, len(names), s.Resources["fastly:index/domain:Domain"])
	require.Equal(t, 1, s.Resources["kubernetes:batch/v1:CronJob"], "restores are tested, and nothing copies certificates")

	t.Run("a bypass orders the cluster's certificates, and gives the names back", func(t *testing.T) {
		e := &estate{options: o}
		e.resume = true
		e.bringUp(t)
		fastlys := e.trialTargets(t, names)
		require.NoError(t, e.world.fastly.Faults().Add(simulation.Fault{DelayMS: int(time.Hour.Milliseconds())}))
		e.edit(t, "  lke-platform:cdn:\n", "  lke-platform:cdn:\n    bypass: true\n")
		e.change(t)
		for name, targets := range e.trialTargets(t, names) {
			require.Len(t, targets, 2, "%s leads to the NodeBalancer", name)
			e.requireValidTLS(t, name)
		}
		e.world.fastly.Faults().Clear()
		e.edit(t, "bypass: true", "bypass: false")
		e.load(t)
		// As make up does it: what proved names to the cluster's authority may have taken the records along that left it the way.
		_, err := e.stack.Up(t.Context(), optup.Refresh(), optup.RunProgram(true), optup.SuppressProgress())
		require.NoError(t, err)
		require.Equal(t, fastlys, e.trialTargets(t, names))

		_, err = e.stack.Destroy(t.Context(), optdestroy.RunProgram(true), optdestroy.SuppressProgress())
		require.NoError(t, err)
		require.Empty(t, e.world.fastly.Activations())
		client, err := fastly.NewClientForEndpoint(token, e.world.fastlyURL)
		require.NoError(t, err)
		left, err := domains.List(t.Context(), client, &domains.ListInput{})
		require.NoError(t, err)
		require.Empty(t, left.Data)
	})
}

// trialTargets are the addresses that names lead to, sorted.
func (e *estate) trialTargets(t *testing.T, names []string) map[string][]string {
	t.Helper()
	targets := e.everyAddress(t)
	maps.DeleteFunc(targets, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(targets)))
	return targets
}

func TestWhatAnAccountLacksStopsTheRehearsalBeforeAnythingIsMade(t *testing.T) {
	for sort, test := range map[string]struct {
		edit  func(string) string
		fault string
	}{
		"new":         {asItIs, "cdn.domainManagement: Invalid value: false: the Fastly account was made on 2026-01-15"},
		"without-tls": {forTrials, "cdn.tls.configuration: Required value: the Fastly account has no default TLS configuration"},
		"trial": {func(text string) string {
			return strings.NewReplacer("tls: {mode: managed, ", "tls: {", "mode: pinned", "mode: keel").Replace(forTrials(text))
		}, "cdn.tls.mode: Invalid value: \"uploaded\": a trial account cannot have certificates of its own"},
	} {
		t.Run(sort, func(t *testing.T) {
			o := options{root: repository(t, test.edit), stack: "staging", fastlyAccount: sort}
			require.ErrorContains(t, run(t.Context(), o), test.fault)
			require.NotContains(t, readFile(t, filepath.Join(o.dir(), "logs", "linode.log")), `"method":"POST"`)
			require.NotContains(t, readFile(t, filepath.Join(o.dir(), "logs", "fastly.log")), `"method":"POST"`)
		})
	}
	o := options{root: repository(t, asItIs), stack: "staging", fastlyAccount: "free"}
	require.ErrorContains(t, run(t.Context(), o), `there is no account "free"`)
}

// declareService returns a stack with nothing but a service, in an account of some sort.
func declareService(t *testing.T, sort string, args *cdn.Args) (auto.Stack, *world) {
	t.Helper()
	args.Name, args.OriginHost, args.Origin.Shield = "site", "origin.example.com", "lga-ny-us"
	return declareServices(t, sort, map[string]*cdn.Args{"cdn": args})
}

// declareServices returns a stack with nothing but services, by their names in the graph, one after the other.
func declareServices(t *testing.T, sort string, services map[string]*cdn.Args) (auto.Stack, *world) {
	t.Helper()
	o := options{root: repository(t, asItIs), stack: "staging", fastlyAccount: sort}
	w, err := startWorld(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	stack, err := auto.UpsertStackInlineSource(t.Context(), o.stack, "lke-platform", func(ctx *pulumi.Context) error {
		var before []pulumi.Resource
		for _, name := range slices.Sorted(maps.Keys(services)) {
			made, err := cdn.New(ctx, name, services[name], pulumi.DependsOn(before))
			if err != nil {
				return err
			}
			before = made.Ready
		}
		return nil
	}, auto.WorkDir(o.root), auto.EnvVars(w.environment))
	require.NoError(t, err)
	return stack, w
}

// What is switched on for all services of an account is found on this one, and is nobody's change.
func TestProductsOfAWholeAccountAreNoDrift(t *testing.T) {
	args := cdn.Defaults()
	args.Domains = []string{"example.com"}
	stack, _ := declareService(t, "products-everywhere", &args)
	_, err := stack.Up(t.Context())
	require.NoError(t, err)
	for range 2 {
		again, err := stack.Up(t.Context(), optup.Refresh())
		require.NoError(t, err)
		require.Zero(t, (*again.Summary.ResourceChanges)[string(apitype.OpUpdate)], again.StdOut)
	}
}

// Names that a wildcard stood for become domains of their own in one version, which is activated as a whole.
func TestNamesInUseReplaceTheWildcardAtOnce(t *testing.T) {
	args := cdn.Defaults()
	args.Domains = []string{"example.com", "*.example.com"}
	stack, w := declareService(t, simulated.Usual, &args)
	_, err := stack.Up(t.Context())
	require.NoError(t, err)
	args.Domains = []string{"example.com", "www.example.com"}
	_, err = stack.Up(t.Context())
	require.NoError(t, err)
	client, err := fastly.NewClientForEndpoint(token, w.fastlyURL)
	require.NoError(t, err)
	services, err := client.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	require.Equal(t, 2, *services[0].ActiveVersion)
	list, err := client.ListDomains(t.Context(), &fastly.ListDomainsInput{ServiceID: *services[0].ServiceID, ServiceVersion: 2})
	require.NoError(t, err)
	require.Len(t, list, 2)

	// From there to domain management, after they were led to the service there.
	known, err := domains.List(t.Context(), client, &domains.ListInput{})
	require.NoError(t, err)
	args.DomainManagement, args.Known = true, map[string]cdn.ManagedDomain{}
	for _, one := range known.Data {
		if !slices.Contains(args.Domains, one.FQDN) {
			continue
		}
		_, err := domains.Update(t.Context(), client, &domains.UpdateInput{
			DomainID: &one.DomainID, ServiceID: services[0].ServiceID,
		})
		require.NoError(t, err)
		args.Known[one.FQDN] = cdn.ManagedDomain{ID: one.DomainID}
	}
	_, err = stack.Up(t.Context())
	require.NoError(t, err)
	list, err = client.ListDomains(t.Context(), &fastly.ListDomainsInput{ServiceID: *services[0].ServiceID, ServiceVersion: 3})
	require.NoError(t, err)
	require.Empty(t, list)
	again, err := stack.Up(t.Context(), optup.Refresh())
	require.NoError(t, err)
	require.Len(t, *again.Summary.ResourceChanges, 1, again.StdOut)
}

// A name that moves to another service of the stack, and back when that is given up, is led there in domain management at once: at no
// time it leads nowhere.
func TestAManagedNameMovesBetweenServicesInPlace(t *testing.T) {
	first := cdn.Defaults()
	first.Name, first.OriginHost, first.Origin.Shield = "site", "origin.example.com", "lga-ny-us"
	first.DomainManagement, first.Domains = true, []string{"example.com", "shop.example.com"}
	services := map[string]*cdn.Args{"cdn": &first}
	stack, w := declareServices(t, "new", services)
	_, err := stack.Up(t.Context())
	require.NoError(t, err)
	client, err := fastly.NewClientForEndpoint(token, w.fastlyURL)
	require.NoError(t, err)
	known := func() map[string]cdn.ManagedDomain {
		list, err := domains.List(t.Context(), client, &domains.ListInput{})
		require.NoError(t, err)
		known := map[string]cdn.ManagedDomain{}
		for _, one := range list.Data {
			known[one.FQDN] = cdn.ManagedDomain{ID: one.DomainID, FQDN: one.FQDN, ServiceID: *one.ServiceID}
		}
		return known
	}
	before := known()
	first.Known, first.Domains = before, []string{"example.com"}
	own := *first.Beside("shop", &first.Site)
	own.Domains = []string{"shop.example.com"}
	services["shop.cdn"] = &own
	changes := func() map[string]int {
		result, err := stack.Up(t.Context(), optup.Refresh())
		require.NoError(t, err)
		changes := *result.Summary.ResourceChanges
		delete(changes, string(apitype.OpSame))
		return changes
	}
	require.Equal(t, map[string]int{"create": 2, "update": 1}, changes(), "a service and its component; the name")
	apart := known()
	require.Equal(t, before["example.com"], apart["example.com"])
	require.Equal(t, before["shop.example.com"].ID, apart["shop.example.com"].ID)
	require.NotEqual(t, before["shop.example.com"].ServiceID, apart["shop.example.com"].ServiceID)

	delete(services, "shop.cdn")
	first.Domains, first.Known = append(first.Domains, "shop.example.com"), apart
	require.Equal(t, map[string]int{"delete": 2, "update": 1}, changes())
	require.Equal(t, before, known())
}
