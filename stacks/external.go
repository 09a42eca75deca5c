package stacks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/dns"
	"lke-platform/components/dns/public"
)

// A zone can be at another DNS provider. What has to be set there is told, and what certificates need is looked for.

// Delegations are the records in zones at other providers through which the cluster proves names. Where Fastly gets certificates
// of its own, its records are in these places, but for a bypass.
func (c *Config) Delegations() (records []dns.ByHand) {
	if !c.Domains.HasExternal() {
		return nil
	}
	_, names := c.Domains.Split(c.ordered())
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !c.CDN.TLS.IsManaged() || c.CDN.Bypassed() || !slices.Contains(c.servedNames(), name) {
			records = append(records, c.Domains.Delegation(name))
		}
	}
	return records
}

// undelegated is a record that has to be set, and what public DNS holds in its place.
type undelegated struct {
	dns.ByHand
	found []string
}

func (u *undelegated) String() string {
	instead := "there is none"
	if len(u.found) > 0 {
		instead = "it is " + strings.Join(u.found, ", ")
	}
	return fmt.Sprintf("set %s %s %s at the provider of %s, which %s; %s", u.Name, u.Type, strings.Join(u.Values, ", "), u.Zone,
		u.Why, instead)
}

// dnsPatience is how long name servers may take to answer.
const dnsPatience = 10 * time.Second

// lookForDelegations asks public DNS for the records through which names are proven. An answer that does not come is no fault:
// certificates that are there already need none.
func (c *Config) lookForDelegations(ctx *pulumi.Context) error {
	patient, stop := context.WithTimeout(ctx.Context(), dnsPatience)
	defer stop()
	wanted := c.Delegations()
	missing := make([]*undelegated, len(wanted))
	var lookUps sync.WaitGroup
	for i, record := range wanted {
		lookUps.Go(func() {
			found, err := public.Ask(patient, record.Zone, record.Name, record.Type)
			switch {
			case err != nil:
				_ = ctx.Log.Warn(fmt.Sprintf("whether %s %s is set, which %s, is not known: %v", record.Name, record.Type,
					record.Why, err), nil)
			case !slices.Equal(found, record.Values):
				missing[i] = &undelegated{record, found}
			}
		})
	}
	lookUps.Wait()
	c.undelegated = slices.DeleteFunc(missing, func(u *undelegated) bool { return u == nil })
	if len(c.undelegated) == 0 {
		return nil
	}
	var err error
	c.stands, err = c.Ingress.IsThere(ctx)
	return err
}

// validateDelegations refuses to begin without the records that certificates need. A platform that stands goes on without: a
// certificate that it has is good for weeks, and it can be taken down.
func (c *Config) validateDelegations() (faults field.ErrorList) {
	if c.stands {
		return nil
	}
	for _, one := range c.undelegated {
		i := slices.Index(c.Domains.Names(), one.Zone)
		faults = append(faults, field.Invalid(field.NewPath("domains", "zones").Index(i).Child("external"), true, one.String()))
	}
	return faults
}

// delegationWarnings say of a platform that stands which names it cannot prove.
func (c *Config) delegationWarnings() (warnings []string) {
	for _, one := range c.undelegated {
		warnings = append(warnings, "domains: "+one.String()+"; a new certificate waits for it, and none is renewed without")
	}
	return warnings
}

// tellDelegations tells which records prove names in zones at other providers to the cluster's authority.
func (p *platform) tellDelegations() {
	for _, record := range p.config.Delegations() {
		p.byHand = append(p.byHand, record.Output())
	}
}

// tellHosts tells which records lead visitors of names in zones at other providers here, and ends the list.
func (p *platform) tellHosts(hosts []string, lead edge) {
	domains := &p.config.Domains
	for _, host := range hosts {
		ipv4, ipv6 := domains.Host(host, "A"), domains.Host(host, "AAAA")
		p.byHand = append(p.byHand, ipv4.Output(lead.ipv4...))
		if len(lead.ipv6) > 0 {
			p.byHand = append(p.byHand, ipv6.Output(lead.ipv6...))
		}
	}
	if domains.HasExternal() {
		p.Export("dnsRecords", p.byHand)
	}
}
