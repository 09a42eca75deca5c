package fastly

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tlsSubscription is a certificate that Fastly gets and renews, https://www.fastly.com/documentation/reference/api/tls/subs/.
// What is answered about it is as recorded in go-fastly's fixtures/tls_subscription.
type tlsSubscription struct {
	ID            string    `json:"id"`
	Authority     string    `json:"authority"`
	Domains       []string  `json:"domains"`
	CommonName    string    `json:"common_name"`
	Configuration string    `json:"configuration"` // ID
	State         string    `json:"state"`
	Certificate   string    `json:"certificate"` // ID, once it is issued
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// States of a subscription.
const (
	pending    = "pending"    // until all names are proven
	processing = "processing" // until the certificate is there
	issued     = "issued"
)

// issuers are the authorities, and for how many days their certificates are valid.
var issuers = map[string]struct {
	name string
	days int
}{
	"certainly":    {"Certainly Intermediate R1", 30},
	"lets-encrypt": {"R13", 90},
	"globalsign":   {"GlobalSign Atlas R3 DV TLS CA", 365},
}

func (a *API) subscriptionRoutes() {
	const root = "/tls/subscriptions"
	a.handle("GET "+root, listSubscriptions)
	a.handle("POST "+root, createSubscription)
	a.handle("GET "+root+"/{id}", getSubscription)
	a.handle("PATCH "+root+"/{id}", updateSubscription)
	a.handle("DELETE "+root+"/{id}", deleteSubscription)
}

// challengeOf is the alias that proves a name: what it is called, and where it has to lead.
func challengeOf(domain string) (name, target string) {
	sum := sha256.Sum256([]byte(customerID + domain))
	return "_acme-challenge." + strings.TrimPrefix(domain, "*."), hex.EncodeToString(sum[:9]) + ".fastly-validations.com"
}

// authorization says how a name can be proven, and whether it is.
func (sub *tlsSubscription) authorization(domain string, t *tlsState) *resource {
	record, target := challengeOf(domain)
	name := strings.TrimPrefix(domain, "*.")
	challenges := []object{{"type": "managed-dns", "record_type": "CNAME", "record_name": record, "values": []string{target}}}
	if configuration, err := t.configuration(sub.Configuration); err == nil && name == domain {
		values := map[string][]string{}
		for _, record := range configuration.DNSRecords {
			values[record.Type] = append(values[record.Type], record.Value)
		}
		challenges = append(challenges,
			object{"type": "managed-http-cname", "record_type": "CNAME", "record_name": name, "values": values["CNAME"]},
			object{"type": "managed-http-a", "record_type": "A", "record_name": name, "values": values["A"]})
	}
	state := pending
	if sub.State != pending {
		state = "valid"
	}
	return &resource{
		ID: authorizationID(sub, domain), Type: "tls_authorization", Attributes: object{
			"challenges": challenges, "state": state, "warnings": nil,
			"created_at": stamp(sub.CreatedAt), "updated_at": stamp(sub.UpdatedAt),
		},
		Relationships: map[string]relationship{
			"tls_domain": toOne("tls_domain", domain), "globalsign_email_challenge": {}, "self_managed_http_challenge": {},
		},
	}
}

func authorizationID(sub *tlsSubscription, domain string) string {
	sum := sha256.Sum256([]byte(sub.ID + domain))
	return hex.EncodeToString(sum[:11])
}

func (sub *tlsSubscription) describe() *resource {
	var authorizations, certificates []string
	for _, domain := range sub.Domains {
		authorizations = append(authorizations, authorizationID(sub, domain))
	}
	if sub.Certificate != "" {
		certificates = append(certificates, sub.Certificate)
	}
	return &resource{
		ID: sub.ID, Type: "tls_subscription", Attributes: object{
			"certificate_authority": sub.Authority, "state": sub.State, "has_active_order": sub.State != issued,
			"created_at": stamp(sub.CreatedAt), "updated_at": stamp(sub.UpdatedAt),
		},
		Relationships: map[string]relationship{
			"tls_authorizations": toMany("tls_authorization", authorizations),
			"tls_certificates":   toMany("tls_certificate", certificates),
			"tls_domains":        toMany("tls_domain", sub.Domains),
			"common_name":        toOne("tls_domain", sub.CommonName),
			"tls_configuration":  toOne("tls_configuration", sub.Configuration),
		},
	}
}

var subscriptionIncludes = []string{"tls_authorizations", "tls_certificates"}

func (sub *tlsSubscription) withIncluded(t *tlsState, chosen selection) described {
	d := described{resource: sub.describe()}
	if chosen.includes("tls_authorizations") {
		for _, domain := range sub.Domains {
			d.included = append(d.included, sub.authorization(domain, t))
		}
	}
	if c, err := t.certificate(sub.Certificate); err == nil && chosen.includes("tls_certificates") {
		d.included = append(d.included, c.describe())
	}
	return d
}

func (t *tlsState) subscription(id string) (*tlsSubscription, error) {
	at := slices.IndexFunc(t.Subscriptions, func(sub *tlsSubscription) bool { return sub.ID == id })
	if at < 0 {
		return nil, unknown("subscription")
	}
	return t.Subscriptions[at], nil
}

func listSubscriptions(s *state, r request) (any, error) {
	chosen, err := selectionOf(r, []string{
		"filter[state]", "filter[tls_domains.id]", "filter[has_active_order]", "sort",
	}, subscriptionIncludes)
	if err != nil {
		return nil, err
	}
	var list []described
	for _, sub := range newestFirst(s.TLS.Subscriptions, func(sub *tlsSubscription) time.Time { return sub.CreatedAt }) {
		if chosen.passes("filter[state]", sub.State) && chosen.passes("filter[tls_domains.id]", sub.Domains...) {
			list = append(list, sub.withIncluded(&s.TLS, chosen))
		}
	}
	return pageOf(list, r)
}

func getSubscription(s *state, r request) (any, error) {
	sub, err := s.TLS.subscription(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	chosen, err := selectionOf(r, nil, subscriptionIncludes)
	if err != nil {
		return nil, err
	}
	d := sub.withIncluded(&s.TLS, chosen)
	return found(d.resource, d.included...), nil
}

func createSubscription(s *state, r request) (any, error) {
	sub := &tlsSubscription{
		ID: newID(), Authority: r.attribute("certificate_authority"), State: pending,
		CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
	}
	if sub.Authority == "" {
		sub.Authority = "certainly"
	}
	if err := sub.change(s, r); err != nil {
		return nil, err
	}
	s.TLS.Subscriptions = append(s.TLS.Subscriptions, sub)
	answer := created(sub.describe())
	for _, domain := range sub.Domains {
		answer.Included = append(answer.Included, sub.authorization(domain, &s.TLS))
	}
	return answer, nil
}

func updateSubscription(s *state, r request) (any, error) {
	sub, err := s.TLS.subscription(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	isActive := len(s.TLS.activationsWith(sub.Certificate)) > 0
	if isActive && r.URL.Query().Get("force") != "true" {
		return nil, refused("Can't update resource", "the subscription has domains that are served; force it")
	}
	changed := *sub
	if err := changed.change(s, r); err != nil {
		return nil, err
	}
	if !slices.Equal(changed.Domains, sub.Domains) {
		changed.State = pending
	}
	changed.UpdatedAt = time.Now().UTC()
	*sub = changed
	answer := found(sub.describe())
	for _, domain := range sub.Domains {
		answer.Included = append(answer.Included, sub.authorization(domain, &s.TLS))
	}
	return answer, nil
}

// change sets what a request says of a subscription, and refuses what Fastly cannot get a certificate for.
func (sub *tlsSubscription) change(s *state, r request) error {
	if domains := append(r.relatedTo("tls_domain"), r.relatedTo("tls_domains")...); len(domains) > 0 {
		sub.Domains = domains
	}
	if len(sub.Domains) == 0 {
		return absent("tls_domains")
	}
	if sub.CommonName = r.related("common_name"); sub.CommonName == "" {
		sub.CommonName = sub.Domains[0]
	}
	configuration, err := s.TLS.configuration(r.related("tls_configuration"))
	if err != nil {
		return err
	}
	sub.Configuration = configuration.ID
	return s.checkSubscription(sub, r.account)
}

// checkSubscription refuses what cannot be ordered. That there are too many is on record (appwrite/appwrite issue 11186), that no
// service has a name in the tests of Fastly's Terraform provider.
func (s *state) checkSubscription(sub *tlsSubscription, account *Account) error {
	const title = "Can't create resource"
	names := len(sub.Domains)
	for _, other := range s.TLS.Subscriptions {
		if other.ID == sub.ID {
			continue
		}
		names += len(other.Domains)
		for _, domain := range sub.Domains {
			if slices.Contains(other.Domains, domain) {
				return refused(title, domain+" is on another subscription")
			}
		}
	}
	if _, known := issuers[sub.Authority]; !known {
		return refused(title, "certificate_authority is not included in the list")
	}
	isWildcard := func(name string) bool { return strings.HasPrefix(name, "*.") }
	if account.Trial {
		switch {
		case sub.Authority == "globalsign" || slices.ContainsFunc(sub.Domains, isWildcard):
			return refused(title, "only for paid accounts")
		case names > trialNames:
			return refused(title, "You have reached the max number of certificates. Please contact support@fastly.com")
		}
	}
	for _, domain := range sub.Domains {
		if !s.isServed(domain) {
			return refused(title, fmt.Sprintf("Please add %s to an active service to begin TLS enablement", domain))
		}
	}
	return nil
}

func deleteSubscription(s *state, r request) (any, error) {
	sub, err := s.TLS.subscription(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if len(s.TLS.activationsWith(sub.Certificate)) > 0 && r.URL.Query().Get("force") != "true" {
		return nil, refused("Can't delete resource", "the subscription has domains that are served; force it")
	}
	s.TLS.Activations = slices.DeleteFunc(s.TLS.Activations, func(a *tlsActivation) bool {
		return sub.Certificate != "" && a.Certificate == sub.Certificate
	})
	s.TLS.Certificates = slices.DeleteFunc(s.TLS.Certificates, func(c *tlsCertificate) bool { return c.ID == sub.Certificate })
	s.TLS.Subscriptions = slices.DeleteFunc(s.TLS.Subscriptions, func(one *tlsSubscription) bool { return one == sub })
	return nil, nil
}

// prove looks the challenges of subscriptions up, as authorities do from time to time, and here whenever somebody asks: what is
// proven is processed first, and then issued.
func (a *API) prove(r *http.Request) error {
	if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/tls/subscriptions") {
		return nil
	}
	waiting := map[string]bool{}
	a.store.View(func(s *state) {
		for _, sub := range s.TLS.Subscriptions {
			for _, domain := range sub.Domains {
				if sub.State != issued {
					waiting[domain] = false
				}
			}
		}
	})
	if len(waiting) == 0 {
		return nil
	}
	for domain := range waiting {
		name, target := challengeOf(domain)
		waiting[domain] = a.resolve != nil && strings.EqualFold(strings.TrimSuffix(a.resolve(name), "."), target)
	}
	return a.update(func(s *state) error {
		for _, sub := range s.TLS.Subscriptions {
			unproven := func(domain string) bool { return !waiting[domain] }
			switch {
			case sub.State == pending && !slices.ContainsFunc(sub.Domains, unproven):
				sub.State = processing
			case sub.State == processing:
				if err := sub.issue(&s.TLS, a.keepKeys); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// issue gets the certificate, and has it served for every name. Where an edge serves it, it is a real one.
func (sub *tlsSubscription) issue(t *tlsState, served bool) error {
	now := time.Now().UTC()
	issuer := issuers[sub.Authority]
	c := &tlsCertificate{
		ID: newID(), Name: sub.CommonName, Domains: slices.Clone(sub.Domains), IssuedTo: sub.CommonName, Issuer: issuer.name,
		NotBefore: now, NotAfter: now.AddDate(0, 0, issuer.days), SerialNumber: fmt.Sprint(now.UnixNano()),
		SignatureAlgorithm: "SHA256-RSA", CreatedAt: now, UpdatedAt: now,
	}
	if served {
		if err := c.sign(now); err != nil {
			return err
		}
	}
	t.Certificates = append(t.Certificates, c)
	for _, a := range t.activationsWith(sub.Certificate) {
		a.Certificate = c.ID
	}
	for _, domain := range sub.Domains {
		isServed := func(a *tlsActivation) bool { return a.Domain == domain && a.Configuration == sub.Configuration }
		if !slices.ContainsFunc(t.Activations, isServed) {
			t.Activations = append(t.Activations, &tlsActivation{
				ID: newID(), Domain: domain, Certificate: c.ID, Configuration: sub.Configuration, CreatedAt: now,
			})
		}
	}
	sub.Certificate, sub.State, sub.UpdatedAt = c.ID, issued, now
	return nil
}
