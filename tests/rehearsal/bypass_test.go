package main

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/simulation"
)

const mediaName = "cdn.staging.changelog.com"

var stagingNames = []string{"grafana.staging.changelog.com", "keel.staging.changelog.com", "staging.changelog.com"}

// withoutFastly is what the Makefile leaves out of a stack that leads past Fastly.
const withoutFastly = "**fastly:index/**"

// TestABypassThereAndBack follows docs/bypass.md step by step.
func TestABypassThereAndBack(t *testing.T) {
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	const cdn = "  lke-platform:cdn:\n"
	e.edit(t, cdn, cdn+"    media: {hosts: ["+mediaName+"]}\n")
	e.bringUp(t)
	fastly := e.targets(t)
	require.Contains(t, fastly, mediaName)
	require.Len(t, fastly["staging.changelog.com"], 8, "Fastly's addresses, IPv4 and IPv6")
	require.True(t, e.isClosed(t))

	// Fastly is down, which is what a bypass is for: its API takes requests, and answers none.
	require.NoError(t, e.world.fastly.Faults().Add(simulation.Fault{DelayMS: int(time.Hour.Milliseconds())}))
	e.edit(t, cdn, cdn+"    bypass: true\n")
	there := e.change(t, optup.Exclude([]string{withoutFastly}))
	balancers, err := e.account.ListNodeBalancers(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, balancers, 1)
	require.Equal(t, []string{*balancers[0].IPv4, *balancers[0].IPv6}, e.addresses(t)["origin.staging.changelog.com"])
	for name, targets := range e.targets(t) {
		require.Equal(t, []string{*balancers[0].IPv4, *balancers[0].IPv6}, targets, name)
		e.requireValidTLS(t, name)
	}
	require.Eventually(t, func() bool { return !e.isClosed(t) }, 10*time.Second, 100*time.Millisecond)
	door := there.step("Release::ingress-traefik")
	for _, diff := range door.diffs {
		require.Regexp(t, "firewall-acl|additionalVolume|tls|notAppendXForwardedFor", diff, "everybody may connect, and shows no certificate; nothing else")
	}
	require.Contains(t, strings.Join(door.diffs, "\n"), "firewall-acl")
	require.Contains(t, strings.Join(door.diffs, "\n"), "tls")
	for urn, step := range there.steps {
		if strings.Contains(urn, "DomainRecord::hosts-") {
			require.False(t, step.begin.Before(door.end), "the way is opened before %s leads there", urn)
		}
	}
	// The release, and of each name two records that are changed and six that go. With them goes the Job that waited for Fastly.
	require.Equal(t, map[apitype.OpType]int{apitype.OpUpdate: 1 + 4*2, apitype.OpDelete: 4*6 + 1}, there.kinds())

	// As `make up` does meanwhile, which looks at the rest of the cloud.
	merged := e.change(t, optup.Exclude([]string{withoutFastly}), optup.Refresh(), optup.RunProgram(true))
	require.Empty(t, merged.kinds())

	e.world.fastly.Faults().Clear()
	e.edit(t, "bypass: true", "bypass: false")
	back := e.change(t)
	require.Equal(t, fastly, e.targets(t))
	require.False(t, e.isClosed(t), "cached names still lead there")
	// Certificates are in step again before the first name leads there.
	require.Equal(t, map[apitype.OpType]int{apitype.OpUpdate: 4 * 2, apitype.OpCreate: 4*6 + 1}, back.kinds())

	e.edit(t, cdn, "  lke-platform:ingress: {open: false}\n"+cdn)
	closed := e.change(t)
	require.Eventually(t, func() bool { return e.isClosed(t) }, 10*time.Second, 100*time.Millisecond)
	require.Equal(t, map[apitype.OpType]int{apitype.OpUpdate: 1}, closed.kinds())
	t.Logf("resources touched: %d there (%.1f s), %d back (%.1f s), %d to close",
		there.changed(), there.took.Seconds(), back.changed(), back.took.Seconds(), closed.changed())
}

// change brings the stack to what its file says now.
func (e *estate) change(t *testing.T, options ...optup.Option) *operation {
	t.Helper()
	e.load(t)
	operation, err := bringUp(t.Context(), e.stack, "up", 0, newConsole(io.Discard), options...)
	require.NoError(t, err)
	return operation
}

// kinds counts what was done, reading left out.
func (o *operation) kinds() map[apitype.OpType]int {
	counts := map[apitype.OpType]int{}
	for _, step := range o.steps {
		if step.custom && step.kind != apitype.OpRead && step.kind != apitype.OpReadDiscard {
			counts[step.kind]++
		}
	}
	return counts
}

// step is what was done to the resource whose URN ends so.
func (o *operation) step(urn string) *step {
	for found, step := range o.steps {
		if strings.HasSuffix(found, urn) {
			return step
		}
	}
	return nil
}

// targets are the addresses that each public name leads to, sorted.
func (e *estate) targets(t *testing.T) map[string][]string {
	t.Helper()
	targets := e.addresses(t)
	maps.DeleteFunc(targets, func(name string, _ []string) bool { return !slices.Contains(append(stagingNames, mediaName), name) })
	require.Subset(t, slices.Collect(maps.Keys(targets)), stagingNames)
	return targets
}

// addresses are those of each name in the one zone, sorted.
func (e *estate) addresses(t *testing.T) map[string][]string {
	t.Helper()
	zones, err := e.account.ListDomains(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, zones, 1)
	return e.everyAddress(t)
}

// everyAddress lists the addresses of each name in all zones, sorted.
func (e *estate) everyAddress(t *testing.T) map[string][]string {
	t.Helper()
	zones, err := e.account.ListDomains(t.Context(), nil)
	require.NoError(t, err)
	addresses := map[string][]string{}
	for _, zone := range zones {
		records, err := e.account.ListDomainRecords(t.Context(), zone.ID, nil)
		require.NoError(t, err)
		for _, record := range records {
			if record.Type == "A" || record.Type == "AAAA" {
				name := strings.TrimPrefix(record.Name+"."+zone.Domain, ".")
				addresses[name] = append(addresses[name], record.Target)
				slices.Sort(addresses[name])
			}
		}
	}
	return addresses
}

// isClosed says whether a firewall guards the NodeBalancer.
func (e *estate) isClosed(t *testing.T) bool {
	t.Helper()
	balancers, err := e.account.ListNodeBalancers(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, balancers, 1)
	firewalls, err := e.account.ListNodeBalancerFirewalls(t.Context(), balancers[0].ID, nil)
	require.NoError(t, err)
	return len(firewalls) > 0
}

// requireValidTLS looks up the certificate that the ingress controller shows for a name.
func (e *estate) requireValidTLS(t *testing.T, name string) {
	t.Helper()
	ingresses, err := e.cluster.NetworkingV1().Ingresses("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, ingress := range ingresses.Items {
		for _, tls := range ingress.Spec.TLS {
			if !slices.Contains(tls.Hosts, name) {
				continue
			}
			secret, err := e.cluster.CoreV1().Secrets(ingress.Namespace).Get(t.Context(), tls.SecretName, metav1.GetOptions{})
			require.NoError(t, err)
			block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
			certificate, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			require.NoError(t, certificate.VerifyHostname(name))
			require.True(t, certificate.NotAfter.After(time.Now()))
			return
		}
	}
	t.Errorf("no Ingress serves %s over TLS", name)
}
