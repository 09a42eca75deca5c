package incluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	"golang.org/x/crypto/acme"
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
	// proofPrefix begins the names of proofs.
	proofPrefix = "_acme-challenge."
	// proofTTL is that of a proof. cert-manager waits for so long once it has seen one.
	proofTTL = time.Minute
	// ordersPerWeek is how many certificates Let's Encrypt issues for the same names in seven days.
	// Upstream: https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers
	ordersPerWeek = 5
)

// letsEncrypt is what Let's Encrypt remembers, and who is known to it.
type letsEncrypt struct {
	mu       sync.Mutex
	orders   map[string]int          // by names
	accounts map[string]*acme.Client // by directory
}

// count refuses one certificate too many. The staging environment is for those who need many.
func (l *letsEncrypt) count(server string, names []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orders == nil {
		l.orders = map[string]int{}
	}
	set := strings.Join(slices.Sorted(slices.Values(names)), ", ")
	if l.orders[set] >= ordersPerWeek && !strings.Contains(server, "staging") {
		return fmt.Errorf("too many certificates (%d) already issued for this exact set of identifiers in the last 168h0m0s: %s",
			ordersPerWeek, set)
	}
	l.orders[set]++
	return nil
}

// passWeek forgets what was issued.
func (l *letsEncrypt) passWeek() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.orders)
}

// order is that of a certificate, while its names are proven.
type order struct {
	challenges []*challenge // those that are left
	client     *acme.Client // nil where no server is asked
	finalize   string       // where the certificate is to be had then
}

// challenge is the proof of one name, a TXT record.
type challenge struct {
	record, text string
	follows      bool             // an alias at the record, to where the proof is written
	account      *linodego.Client // that writes it
	at           string           // where it was written; "" until then
	seen         time.Time        // by cert-manager
	reply        *acme.Challenge  // to the server; nil where no server is asked
	authorizes   string           // where the server says whether it has found it
}

// prove proves all names of a certificate, with errNotYet as long as that takes. A domain and its wildcard have the same record,
// so that they are proven one after the other.
// Upstream: https://cert-manager.io/docs/configuration/acme/dns01/
func (c *cluster) prove(ctx context.Context, issuer *unstructured.Unstructured, wanted *certificate) (*order, error) {
	key := fmt.Sprint(wanted.UID, "/", wanted.Generation)
	found, ordered := c.orders.Load(key)
	if !ordered {
		placed, err := c.order(ctx, issuer, wanted)
		if err != nil {
			return nil, err
		}
		found = placed
		c.orders.Store(key, placed)
	}
	placed := found.(*order)
	for i, one := range placed.challenges {
		if err := c.meet(ctx, wanted, placed, one); err != nil {
			placed.challenges = placed.challenges[i:]
			if refused := new(refusal); errors.As(err, &refused) {
				c.orders.Delete(key)
			}
			return nil, err
		}
	}
	c.orders.Delete(key)
	return placed, nil
}

// order orders a certificate, where there is nobody to ask by making up what proves its names.
func (c *cluster) order(ctx context.Context, issuer *unstructured.Unstructured, wanted *certificate) (*order, error) {
	server, _, _ := unstructured.NestedString(issuer.Object, "spec", "acme", "server")
	placed := &order{}
	if c.options.ACME[server] != nil {
		var err error
		if placed, err = c.orderFrom(ctx, issuer, wanted); err != nil {
			return nil, err
		}
	} else {
		for i, name := range wanted.Spec.DNSNames {
			name = strings.TrimPrefix(name, "*.")
			placed.challenges = append(placed.challenges, &challenge{
				record: proofPrefix + name, text: fmt.Sprintf("%s-%d", wanted.UID, i),
				follows: followsAliases(solverOf(issuer, name)), account: c.linode,
			})
		}
	}
	// Only now: what could not be ordered is tried again soon, and does not count.
	if err := c.letsEncrypt.count(server, wanted.Spec.DNSNames); err != nil {
		return nil, &refusal{"errored", "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: " + err.Error()}
	}
	return placed, nil
}

// solverOf is the solver of an issuer that is for a name: that with the longest zone, or without any.
// Upstream: https://cert-manager.io/docs/configuration/acme/#adding-multiple-solver-types
func solverOf(issuer *unstructured.Unstructured, name string) (chosen map[string]any) {
	solvers, _, _ := unstructured.NestedSlice(issuer.Object, "spec", "acme", "solvers")
	longest := -1
	for _, one := range solvers {
		solver, _ := one.(map[string]any)
		zones, _, _ := unstructured.NestedStringSlice(solver, "selector", "dnsZones")
		if len(zones) == 0 {
			zones = []string{""}
		}
		for _, zone := range zones {
			if (zone == "" || dns.IsSubDomain(zone, name)) && len(zone) > longest {
				longest, chosen = len(zone), solver
			}
		}
	}
	return chosen
}

// followsAliases says whether a solver writes its proof where an alias leads.
func followsAliases(solver map[string]any) bool {
	strategy, _, _ := unstructured.NestedString(solver, "dns01", "cnameStrategy")
	return strategy == "Follow"
}

// meet proves one name: the record is written, looked for, shown to the server, and taken away again.
func (c *cluster) meet(ctx context.Context, wanted *certificate, placed *order, one *challenge) error {
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
	verdict := placed.show(ctx, one)
	if errors.Is(verdict, errNotYet) {
		return verdict
	}
	return errors.Join(verdict, cleanUp(ctx, one))
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
	answer, err := nameserver.Ask(ctx, server, name, dns.TypeTXT)
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

// leadsTo returns where a name leads through the aliases that resolvers know, and for how long they remember the last of them.
func (c *cluster) leadsTo(ctx context.Context, name string) (end string, life time.Duration, err error) {
	for range nameserver.LongestChain {
		answer, err := nameserver.Ask(ctx, c.options.Resolver, name, dns.TypeCNAME)
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
	zone, record, err := proofRecord(ctx, one.account, at)
	if err != nil {
		return err
	}
	if record != nil {
		_, err = one.account.UpdateDomainRecord(ctx, zone.ID, record.ID, linodego.DomainRecordUpdateOptions{Target: one.text})
	} else {
		_, err = one.account.CreateDomainRecord(ctx, zone.ID, linodego.DomainRecordCreateOptions{
			Type: linodego.RecordTypeTXT, Name: strings.TrimSuffix(at, "."+zone.Domain), Target: one.text, TTLSec: 180,
		})
	}
	if err == nil {
		one.at = at
	}
	return err
}

// cleanUp deletes the first TXT record of that name.
func cleanUp(ctx context.Context, one *challenge) error {
	zone, record, err := proofRecord(ctx, one.account, one.at)
	if err != nil || record == nil {
		return err
	}
	return one.account.DeleteDomainRecord(ctx, zone.ID, record.ID)
}

// proofRecord finds the zone of a proof, and its first TXT record of that name, nil where there is none.
func proofRecord(
	ctx context.Context, account *linodego.Client, name string,
) (*linodego.Domain, *linodego.DomainRecord, error) {
	zones, err := account.ListDomains(ctx, nil)
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
	records, err := account.ListDomainRecords(ctx, zone.ID, nil)
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
