package fastly

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Account is what an account has, by which accounts differ.
type Account struct {
	Created time.Time
	// Classic says whether a service's versions can have domains of their own.
	Classic bool
	// Domains is how many domains the account may have.
	Domains int
	// Trial accounts have no certificates of their own, no wildcards, and few names with TLS.
	Trial bool
	// Lacks are the products that it may not use, Everywhere those that are switched on for all of its services.
	Lacks, Everywhere []string
	// WithoutTLS accounts have no TLS configuration.
	WithoutTLS bool
}

// trialNames is how many names a trial can have certificates for, as Fastly's page on the limitations of TLS says.
const trialNames = 2

// Usual is the sort of account that is simulated where nothing else is asked for.
const Usual = "usual"

var (
	lately      = time.Date(2026, time.January, 15, 0, 0, 0, 0, time.UTC)
	notInTrials = []string{"bot_management", "ddos_protection", "domain_inspector", "image_optimizer", "log_explorer_insights",
		"ngwaf", "origin_inspector", "websockets"}
)

// sorts are the accounts that can be simulated.
var sorts = map[string]Account{
	// Years old, paid for, and Fastly's support has raised what it may have.
	Usual: {Created: accountCreated, Classic: true, Domains: 500},
	// The same, with products that somebody switched on for all services.
	"products-everywhere": {Created: accountCreated, Classic: true, Domains: 100,
		Everywhere: []string{"image_optimizer", "origin_inspector", "websockets"}},
	// Made lately and paid for: no classic domains, ten domains, and no product that has to be bought.
	"new": {Created: lately, Domains: 10, Lacks: notInTrials},
	// Made lately, and not paid for.
	"trial": {Created: lately, Domains: 10, Lacks: notInTrials, Trial: true},
	// Made lately, before anybody set TLS up.
	"without-tls": {Created: lately, Domains: 10, Lacks: notInTrials, WithoutTLS: true},
}

// AccountOf returns an account of a sort.
func AccountOf(sort string) (Account, error) {
	if account, known := sorts[sort]; known {
		return account, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(sorts)), ", ")
	return Account{}, fmt.Errorf("fastly: there is no account %q, only %s", sort, known)
}

func getCustomer(_ *state, r request) (any, error) {
	created := r.account.Created.Format(time.RFC3339)
	return object{
		"id": customerID, "name": "Rehearsal", "owner_id": userID, "billing_network_type": "public", "can_upload_vcl": true,
		"created_at": created, "updated_at": created, "deleted_at": nil,
	}, nil
}

// getEntitlement says whether the account may use a product. It is not in Fastly's reference; its exporter for Prometheus asks
// it, https://github.com/fastly/fastly-exporter.
func getEntitlement(_ *state, r request) (any, error) {
	id := r.PathValue("product")
	if _, known := products[id]; !known {
		return nil, noProduct(id)
	}
	return object{
		"has_access": !slices.Contains(r.account.Lacks, id), "product": object{"id": id, "object": "product"},
		"_links": object{"self": r.URL.Path},
	}, nil
}

// onlyClassic refuses to change domains of a version where the account has none, and more of them than it may have.
func (k *kind) onlyClassic(h handler) handler {
	if k.path != "domain" {
		return h
	}
	return func(s *state, r request) (any, error) {
		if !r.account.Classic {
			return nil, badRequest("The classic domains APIs are deprecated. Please use the domain management API")
		}
		if r.Method == http.MethodPost {
			_, v, err := s.draft(r)
			if err != nil {
				return nil, err
			}
			if len(v.Objects[k.path]) >= r.account.Domains {
				return nil, tooManyDomains(r.account)
			}
		}
		return h(s, r)
	}
}

// tooManyDomains has the words of https://docs.fastly.com/en/guides/common-service-and-domain-errors.
func tooManyDomains(account *Account) error {
	return &refusal{http.StatusBadRequest, failure{
		Msg:    "An error occurred while connecting to the fastly API, please try your request again.",
		Detail: fmt.Sprintf("Exceeding max number of domains: %d", account.Domains),
	}}
}
