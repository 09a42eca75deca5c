package cdn

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/internal/cloud"
)

// Account is what the Fastly account has, as far as Fastly does not tell (see AccountFacts for what it does tell).
type Account struct {
	// Plan is trial or paid. Default: not known, of which every run warns.
	// Upstream: https://docs.fastly.com/en/guides/account-types
	Plan string `json:"plan"`
	// Domains is how many domains the account may have. It is 10 to begin with, and Fastly's support raises it. Default: not
	// known, of which every run with more than 10 warns.
	// Upstream: https://docs.fastly.com/en/guides/common-service-and-domain-errors
	Domains int `json:"domains"`
}

// Plans of an account.
const (
	trial = "trial"
	paid  = "paid"
)

// What Fastly's documentation says of limits.
const (
	// usualDomains is how many domains an account may have as long as nobody has asked for more.
	usualDomains = 10
	// usualBackends is how many backends a service may have as long as nobody has asked for more.
	// Upstream: https://docs.fastly.com/en/guides/resource-limits
	usualBackends = 5
	// trialNames is how many names a trial can serve over TLS.
	// Upstream: https://docs.fastly.com/en/guides/tls-prerequisites-and-limitations
	trialNames = 2
)

// plansPage is where prices are.
const plansPage = "see docs/plans.md for what which plan has, and its price"

func (a *Args) validateAccount(path *field.Path) field.ErrorList {
	account := path.Child("account")
	var faults field.ErrorList
	if a.Account.Plan != "" {
		faults = append(faults, check.OneOf(account.Child("plan"), a.Account.Plan, trial, paid)...)
	}
	if a.Account.Domains < 0 {
		faults = append(faults, field.Invalid(account.Child("domains"), a.Account.Domains, "must be a number of domains"))
	}
	if a.Account.Plan != trial {
		return faults
	}
	if !a.TLS.IsManaged() {
		faults = append(faults, field.Invalid(path.Child("tls", "mode"), a.TLS.Mode,
			"a trial account cannot have certificates of its own; set it to managed, or pay for the account: "+plansPage))
	} else if a.TLS.Authority == globalSign {
		faults = append(faults, field.Invalid(path.Child("tls", "authority"), a.TLS.Authority,
			"a trial account cannot have it; leave the key out for certainly"))
	}
	return faults
}

// CheckNames refuses more names, of all services of the stack, than the account may have.
func (a *Args) CheckNames(path *field.Path, names []string) field.ErrorList {
	account := path.Child("account")
	var faults field.ErrorList
	if most := a.Account.Domains; most > 0 && len(names) > most {
		faults = append(faults, field.Invalid(account.Child("domains"), most, fmt.Sprintf("the stack needs %d: %s; ask "+
			"support@fastly.com for as many, or take names away", len(names), strings.Join(names, ", "))))
	}
	if a.Account.Plan == trial && len(names) > trialNames {
		faults = append(faults, field.Invalid(account.Child("plan"), trial, fmt.Sprintf("a trial account serves %d names over "+
			"TLS, and these are %d: %s; pay for the account, or take names away (delivery.mode: pinned needs none): %s",
			trialNames, len(names), strings.Join(names, ", "), plansPage)))
	}
	return faults
}

// AccountWarnings say what the account may lack for the names of all services, where neither Fastly nor the stack file tells.
func (a *Args) AccountWarnings(path *field.Path, names []string) (warnings []string) {
	if a.Account.Plan == "" {
		warnings = append(warnings, fmt.Sprintf("%s: say trial or paid, so that what the Fastly account lacks is "+
			"told before anything is made: a trial cannot have certificates of its own (cdn.tls.mode: uploaded), and serves %d "+
			"names over TLS, while these are %d; %s", path.Child("account", "plan"), trialNames, len(names), plansPage))
	}
	if len(names) > usualDomains && a.Account.Domains == 0 {
		warnings = append(warnings, fmt.Sprintf("%s: the stack has %d domains, and an account may have %d "+
			"until Fastly's support raises that; ask for it, and say here how many it may have",
			path.Child("account", "domains"), len(names), usualDomains))
	}
	return warnings
}

// Warnings say what of a site is valid and yet unwise.
func (s *Site) Warnings(path *field.Path) (warnings []string) {
	if s.WebSockets {
		warnings = append(warnings, path.Child("websockets").String()+": Fastly opens WebSockets without the certificate that "+
			"the origin knows this service by, so the origin asks nobody for one: whoever else is a customer of Fastly's can "+
			"reach it, too")
	}
	if s.OpenPurge {
		warnings = append(warnings, path.Child("openPurge").String()+": anybody who knows a URL can have its copy thrown away, "+
			"as often as he likes, and have the origin do the work; give the application a token that may purge, and leave "+
			"openPurge out")
	}
	if s.Maintenance != nil {
		warnings = append(warnings, path.Child("maintenance").String()+": visitors see a page in place of the app, with status "+
			"503, until the key is taken out")
	}
	count := 1 + len(s.Backends)
	if s.Media != nil {
		count++
	}
	if count > usualBackends {
		warnings = append(warnings, fmt.Sprintf("%s: the service has %d backends, the origin's and that of media "+
			"among them, and may have %d until Fastly's support raises that", path.Child("backends"), count, usualBackends))
	}
	return warnings
}

// AccountFacts are what Fastly tells of the account.
type AccountFacts struct {
	// Created is when the account was made.
	Created time.Time
	// Lacks are the products that a service needs and the account may not use.
	Lacks sets.Set[string]
	// Domains are those in domain management, by name, and Own are the IDs of the stack's services that some of its names lead to
	// there. Nobody asks for them where the names are not to be there.
	Domains map[string]ManagedDomain
	Own     sets.Set[string]
}

// ManagedDomain is a name in domain management.
type ManagedDomain struct {
	ID   string `json:"id"`
	FQDN string `json:"fqdn"`
	// ServiceID is that of the service that it leads to; "" where it leads to none.
	ServiceID string `json:"service_id"`
}

// classicUntil is since when new accounts have no classic domains.
// Upstream: https://github.com/fastly/terraform-provider-fastly/pull/1475
var classicUntil = time.Date(2025, time.September, 16, 0, 0, 0, 0, time.UTC)

// Check refuses what the account cannot have of the names of all services.
func (f *AccountFacts) Check(path *field.Path, args *Args, names []string) field.ErrorList {
	var faults field.ErrorList
	if !args.DomainManagement && !f.Created.Before(classicUntil) {
		faults = append(faults, field.Invalid(path.Child("domainManagement"), false, fmt.Sprintf("the Fastly account was made "+
			"on %s, and accounts made since %s have no classic domains; set it to true",
			f.Created.Format(time.DateOnly), classicUntil.Format(time.DateOnly))))
	}
	for _, name := range names {
		known, exists := f.Domains[name]
		if !exists || f.Own.Has(known.ServiceID) {
			continue
		}
		leads := "no service"
		if known.ServiceID != "" {
			leads = "another service, " + known.ServiceID + ","
		}
		faults = append(faults, field.Invalid(path.Child("domainManagement"), true, fmt.Sprintf("%s is in Fastly's domain "+
			"management already, and leads to %s there; lead it to the stack's, made by an up without the name (fastly domain "+
			"update --domain-id %s --service-id …), so that it goes on being served, or delete it there", name, leads, known.ID)))
	}
	return faults
}

// CheckSite refuses products that the account may not use.
func (f *AccountFacts) CheckSite(path *field.Path, site *Site) field.ErrorList {
	var faults field.ErrorList
	for key, product := range site.products() {
		if f.Lacks.Has(product) {
			faults = append(faults, field.Invalid(path.Child(key), true, fmt.Sprintf("the Fastly account may not use the "+
				"product %s; set it to false, or buy the product: %s", product, plansPage)))
		}
	}
	return faults
}

// accountPatience is how long Fastly may take to tell of the account.
const accountPatience = 20 * time.Second

// LookUpAccount asks Fastly, past the provider, which has no look-up for it, about what the services of the stack need, its
// first one first. Nil without an error is an account that nobody could be asked about, for there is no key; other look-ups tell
// of that.
// Upstream: https://www.fastly.com/documentation/reference/api/account/customer/
func LookUpAccount(ctx *pulumi.Context, services []*Args) (*AccountFacts, error) {
	setting := func(key, variable string) string {
		value, _ := ctx.GetConfig(key)
		return cmp.Or(value, os.Getenv(variable))
	}
	key := setting("fastly:apiKey", "FASTLY_API_KEY")
	if key == "" {
		return nil, nil
	}
	api := fastlyAPI{cloud.NewFastly(cmp.Or(setting("fastly:baseUrl", "FASTLY_API_URL"), "https://api.fastly.com"), key)}
	patient, stop := context.WithTimeout(ctx.Context(), accountPatience)
	defer stop()
	var customer struct {
		Created time.Time `json:"created_at"`
	}
	err := api.Get(patient, "/current_customer", &customer)
	if err != nil {
		return nil, fmt.Errorf("cdn: looking up the account at Fastly: %w", err)
	}
	facts := &AccountFacts{Created: customer.Created, Lacks: api.lacks(patient, services)}
	if !services[0].DomainManagement {
		return facts, nil
	}
	known, err := api.domains(patient)
	if err != nil {
		return facts, err
	}
	own, err := api.own(patient, services, known)
	if err != nil {
		return facts, err
	}
	facts.Domains, facts.Own = known, own
	return facts, nil
}

// fastlyAPI is Fastly's API, asked for facts.
type fastlyAPI struct{ cloud.API }

// lacks are the products that some service needs and the account may not use.
func (a fastlyAPI) lacks(ctx context.Context, services []*Args) sets.Set[string] {
	needed, lacks := sets.New[string](), sets.New[string]()
	for _, args := range services {
		needed = needed.Insert(slices.Collect(maps.Values(args.products()))...)
	}
	for product := range needed {
		var entitlement struct {
			HasAccess *bool `json:"has_access"`
		}
		err := a.Get(ctx, "/entitled-products/"+product, &entitlement)
		if err == nil && entitlement.HasAccess != nil && !*entitlement.HasAccess {
			lacks.Insert(product)
		}
	}
	return lacks
}

// own are the IDs of the stack's services that names of it lead to, also of those that are given up: a name may move between
// them.
// Upstream: https://www.fastly.com/documentation/reference/api/services/service/
func (a fastlyAPI) own(ctx context.Context, services []*Args, known map[string]ManagedDomain) (sets.Set[string], error) {
	led := sets.New[string]()
	for _, args := range services {
		for _, name := range args.Domains {
			if id := known[name].ServiceID; id != "" {
				led.Insert(id)
			}
		}
	}
	own := sets.New[string]()
	for id := range led {
		var service struct {
			Name string `json:"name"`
		}
		err := a.Get(ctx, "/service/"+url.PathEscape(id), &service)
		switch {
		case cloud.IsAbsent(err):
		case err != nil:
			return nil, fmt.Errorf("cdn: looking up a service at Fastly: %w", err)
		case services[0].owns(service.Name):
			own.Insert(id)
		}
	}
	return own, nil
}

// domains are those in domain management, by name.
func (a fastlyAPI) domains(ctx context.Context) (map[string]ManagedDomain, error) {
	known := map[string]ManagedDomain{}
	for cursor, more := "", true; more; more = cursor != "" {
		var page struct {
			Data []ManagedDomain `json:"data"`
			Meta struct {
				Next string `json:"next_cursor"`
			} `json:"meta"`
		}
		path := "/domain-management/v1/domains?limit=100&cursor=" + url.QueryEscape(cursor)
		if err := a.Get(ctx, path, &page); err != nil {
			return nil, fmt.Errorf("cdn: looking up domains at Fastly: %w", err)
		}
		for _, one := range page.Data {
			known[one.FQDN] = one
		}
		cursor = page.Meta.Next
	}
	return known, nil
}

// products are those that the site needs, by the key of the stack file that asks for them.
func (s *Site) products() map[string]string {
	needed := map[string]string{}
	if s.Brotli {
		needed["brotli"] = "brotli_compression"
	}
	if s.ImageOptimizer {
		needed["imageOptimizer"] = "image_optimizer"
	}
	return needed
}
