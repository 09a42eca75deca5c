package incluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lke-platform/tests/rehearsal/nameserver"
	"lke-platform/tests/rehearsal/simulation"
)

const (
	// certManager is the name of cert-manager's chart, and that which its pods carry.
	certManager = "cert-manager"
	// resolversOnly has cert-manager ask resolvers for proofs, and never the name servers of the zone.
	resolversOnly = "--dns01-recursive-nameservers-only"
	// proofTTL is that of a proof. cert-manager waits for so long once it has seen one.
	proofTTL = time.Minute
	// ordersPerWeek is how many certificates Let's Encrypt issues for the same names in seven days.
	// Upstream: https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers
	ordersPerWeek = 5
)

// acme is what Let's Encrypt remembers.
type acme struct {
	mu     sync.Mutex
	orders map[string]int // by names
}

// order refuses one certificate too many. The staging environment is for those who need many.
func (a *acme) order(server string, names []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders == nil {
		a.orders = map[string]int{}
	}
	set := strings.Join(slices.Sorted(slices.Values(names)), ", ")
	if a.orders[set] >= ordersPerWeek && !strings.Contains(server, "staging") {
		return fmt.Errorf("too many certificates (%d) already issued for this exact set of identifiers in the last 168h0m0s: %s",
			ordersPerWeek, set)
	}
	a.orders[set]++
	return nil
}

// challenge is the proof of one name, a TXT record.
type challenge struct {
	record, text string
	follows      bool      // an alias at the record, to where the proof is written
	at           string    // where it was written; "" until then
	seen         time.Time // by cert-manager
}

// prove proves all names of a certificate, with errNotYet as long as that takes. A domain and its wildcard have the same record,
// so that they are proven one after the other.
// Upstream: https://cert-manager.io/docs/configuration/acme/dns01/
func (c *cluster) prove(ctx context.Context, issuer *unstructured.Unstructured, wanted *certificate) error {
	server, _, _ := unstructured.NestedString(issuer.Object, "spec", "acme", "server")
	key := fmt.Sprint(wanted.UID, "/", wanted.Generation)
	found, ordered := c.orders.Load(key)
	if !ordered {
		if err := c.acme.order(server, wanted.Spec.DNSNames); err != nil {
			c.giveUp("%s: %w", wanted.Name, err)
			return errNotYet
		}
		challenges := []*challenge{}
		for i, name := range wanted.Spec.DNSNames {
			name = strings.TrimPrefix(name, "*.")
			challenges = append(challenges, &challenge{
				record: "_acme-challenge." + name, text: fmt.Sprintf("%s-%d", wanted.UID, i),
				follows: followsAliases(issuer, name),
			})
		}
		found = challenges
	}
	challenges := found.([]*challenge)
	for i, one := range challenges {
		if err := c.meet(ctx, wanted, one); err != nil {
			c.orders.Store(key, challenges[i:])
			return err
		}
	}
	c.orders.Delete(key)
	return nil
}

// followsAliases says whether the solver of an issuer that is for a name writes its proof where an alias leads: that with the
// longest zone, or without any.
// Upstream: https://cert-manager.io/docs/configuration/acme/#adding-multiple-solver-types
func followsAliases(issuer *unstructured.Unstructured, name string) (follows bool) {
	solvers, _, _ := unstructured.NestedSlice(issuer.Object, "spec", "acme", "solvers")
	longest := -1
	for _, one := range solvers {
		solver, _ := one.(map[string]any)
		strategy, _, _ := unstructured.NestedString(solver, "dns01", "cnameStrategy")
		zones, _, _ := unstructured.NestedStringSlice(solver, "selector", "dnsZones")
		if len(zones) == 0 {
			zones = []string{""}
		}
		for _, zone := range zones {
			if (zone == "" || dns.IsSubDomain(zone, name)) && len(zone) > longest {
				longest, follows = len(zone), strategy == "Follow"
			}
		}
	}
	return follows
}

// meet proves one name: the record is written, looked for, and taken away again.
func (c *cluster) meet(ctx context.Context, wanted *certificate, one *challenge) error {
	if one.at == "" {
		if err := c.present(ctx, one); err != nil {
			return err
		}
	}
	if one.seen.IsZero() {
		seen, kept, err := c.selfCheck(ctx, one)
		if err != nil {
			return err
		}
		if limit := wanted.patience(); !seen && kept > limit {
			c.giveUp("%s would not be issued in time: a resolver that cert-manager asks will say for another %s that there is "+
				"no proof at %s, and `up` waits %s; have it ask the zone's own name servers, or give the zone a shorter TTL",
				wanted.Name, kept.Round(time.Second), one.record, limit)
		}
		if !seen {
			return errNotYet
		}
		one.seen = time.Now()
	}
	if time.Since(one.seen) < proofTTL/simulation.Haste {
		return errNotYet
	}
	return c.cleanUp(ctx, one)
}

func (c *cluster) giveUp(format string, arguments ...any) {
	if err := fmt.Errorf("certificate "+format, arguments...); c.options.GiveUp != nil {
		c.options.GiveUp(err)
	}
}

// patience is for how long `up` waits for a certificate: https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/
func (w *certificate) patience() time.Duration {
	if seconds, err := strconv.Atoi(w.Annotations["pulumi.com/timeoutSeconds"]); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return 10 * time.Minute
}

// selfCheck looks for a proof as cert-manager does, and returns for how long nothing else will be heard where it is not there.
func (c *cluster) selfCheck(ctx context.Context, one *challenge) (seen bool, kept time.Duration, err error) {
	only, err := c.asksResolversOnly(ctx)
	if err != nil {
		return false, 0, err
	}
	// An alias is followed, whatever the solver does.
	name, life, err := c.leadsTo(ctx, one.record)
	if err != nil {
		return false, 0, err
	}
	if name != one.at {
		return false, life, nil
	}
	server := c.options.NameServer
	if only {
		server = c.options.Resolver
	}
	answer, err := question(ctx, server, name, dns.TypeTXT)
	if err != nil {
		return false, 0, err
	}
	for _, record := range answer.Answer {
		if text, isText := record.(*dns.TXT); isText && slices.Contains(text.Txt, one.text) {
			return true, 0, nil
		}
	}
	if !only {
		return false, 0, nil
	}
	return false, nameserver.Life(answer), nil
}

// longestChain is how many aliases are followed.
const longestChain = 8

// leadsTo returns where a name leads through the aliases that resolvers know, and for how long they remember the last of them.
func (c *cluster) leadsTo(ctx context.Context, name string) (end string, life time.Duration, err error) {
	for range longestChain {
		answer, err := question(ctx, c.options.Resolver, name, dns.TypeCNAME)
		if err != nil {
			return "", 0, err
		}
		if len(answer.Answer) == 0 {
			break
		}
		if alias, isAlias := answer.Answer[0].(*dns.CNAME); isAlias {
			name, life = strings.TrimSuffix(alias.Target, "."), nameserver.Life(answer)
		}
	}
	return name, life, nil
}

func question(ctx context.Context, server, name string, recordType uint16) (*dns.Msg, error) {
	return dns.ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(name), recordType), server)
}

// asksResolversOnly says whether cert-manager was told to look for proofs at resolvers only.
func (c *cluster) asksResolversOnly(ctx context.Context) (bool, error) {
	var flags []string
	if notRendered := c.managerFlags.Load(); notRendered != nil {
		flags = *notRendered
	}
	list, err := c.client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=" + certManager,
	})
	if err != nil {
		return false, err
	}
	for _, deployment := range list.Items {
		flags = append(flags, arguments(&deployment)...)
	}
	return slices.Contains(flags, resolversOnly) || slices.Contains(flags, resolversOnly+"=true"), nil
}

func arguments(deployment *appsv1.Deployment) (flags []string) {
	for _, container := range deployment.Spec.Template.Spec.Containers {
		flags = append(flags, container.Args...)
	}
	return flags
}

// managerFlags are those that the chart of cert-manager makes of its values.
func managerFlags(values map[string]any) []string {
	flags, _, _ := unstructured.NestedStringSlice(values, "extraArgs")
	if only, _, _ := unstructured.NestedBool(values, "dns01RecursiveNameserversOnly"); only {
		flags = append(flags, resolversOnly)
	}
	return flags
}

// present writes a proof as the webhook does: into the first TXT record of that name, whatever it is, or into a new one. Where
// Linode does not have the zone it is errNotYet. cert-manager says at what name.
// Upstream: https://github.com/linode/cert-manager-webhook-linode
func (c *cluster) present(ctx context.Context, one *challenge) error {
	at := one.record
	if one.follows {
		var err error
		if at, _, err = c.leadsTo(ctx, at); err != nil {
			return err
		}
	}
	zone, record, err := c.proofRecord(ctx, at)
	if err != nil {
		return err
	}
	if record != nil {
		_, err = c.linode.UpdateDomainRecord(ctx, zone.ID, record.ID, linodego.DomainRecordUpdateOptions{Target: one.text})
	} else {
		_, err = c.linode.CreateDomainRecord(ctx, zone.ID, linodego.DomainRecordCreateOptions{
			Type: linodego.RecordTypeTXT, Name: strings.TrimSuffix(at, "."+zone.Domain), Target: one.text, TTLSec: 180,
		})
	}
	if err == nil {
		one.at = at
	}
	return err
}

// cleanUp deletes the first TXT record of that name.
func (c *cluster) cleanUp(ctx context.Context, one *challenge) error {
	zone, record, err := c.proofRecord(ctx, one.at)
	if err != nil || record == nil {
		return err
	}
	return c.linode.DeleteDomainRecord(ctx, zone.ID, record.ID)
}

// proofRecord finds the zone of a proof, and its first TXT record of that name, nil where there is none.
func (c *cluster) proofRecord(ctx context.Context, name string) (*linodego.Domain, *linodego.DomainRecord, error) {
	zones, err := c.linode.ListDomains(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	var zone *linodego.Domain
	for i := range zones {
		if strings.HasSuffix(name, "."+zones[i].Domain) && (zone == nil || len(zone.Domain) < len(zones[i].Domain)) {
			zone = &zones[i]
		}
	}
	if zone == nil {
		return nil, nil, errNotYet
	}
	records, err := c.linode.ListDomainRecords(ctx, zone.ID, nil)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(records, func(r linodego.DomainRecord) bool {
		return r.Type == linodego.RecordTypeTXT && r.Name+"."+zone.Domain == name
	})
	if i < 0 {
		return zone, nil, nil
	}
	return zone, &records[i], nil
}
