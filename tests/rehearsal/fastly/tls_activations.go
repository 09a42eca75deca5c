package fastly

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// tlsActivation has Fastly serve a certificate for a domain, at the addresses of a TLS configuration.
type tlsActivation struct {
	ID            string    `json:"id"`
	Domain        string    `json:"domain"`
	Certificate   string    `json:"certificate"`   // ID
	Configuration string    `json:"configuration"` // ID
	CreatedAt     time.Time `json:"created_at"`
}

// An Activation tells that Fastly serves a certificate for a domain.
type Activation struct {
	Domain      string
	Certificate string    // its name
	NotAfter    time.Time // the certificate's end
	Since       time.Time // when the domain was activated; a replaced certificate leaves that as it was
}

// Activations returns what Fastly serves, in the order of activation.
func (a *API) Activations() []Activation {
	var all []Activation
	a.store.View(func(s *state) {
		for _, one := range s.TLS.Activations {
			if c, err := s.TLS.certificate(one.Certificate); err == nil {
				all = append(all, Activation{Domain: one.Domain, Certificate: c.Name, NotAfter: c.NotAfter, Since: one.CreatedAt})
			}
		}
	})
	return all
}

func (a *tlsActivation) describe() *resource {
	return &resource{
		ID: a.ID, Type: "tls_activation", Attributes: object{"created_at": stamp(a.CreatedAt)},
		Relationships: map[string]relationship{
			"tls_certificate":   toOne("tls_certificate", a.Certificate),
			"tls_configuration": toOne("tls_configuration", a.Configuration),
			"tls_domain":        toOne("tls_domain", a.Domain),
		},
	}
}

// withIncluded is describe with what a request wants to have along.
func (a *tlsActivation) withIncluded(t *tlsState, chosen selection) described {
	d := described{resource: a.describe()}
	if c, err := t.certificate(a.Certificate); err == nil && chosen.includes("tls_certificate") {
		d.included = append(d.included, c.describe())
	}
	if c, err := t.configuration(a.Configuration); err == nil && chosen.includes("tls_configuration") {
		d.included = append(d.included, c.describe())
	}
	if chosen.includes("tls_domain") {
		d.included = append(d.included, &resource{ID: a.Domain, Type: "tls_domain"})
	}
	return d
}

// activationIncludes are what a request for activations may want to have along.
var activationIncludes = []string{"tls_certificate", "tls_configuration", "tls_domain"}

func (t *tlsState) activation(id string) (*tlsActivation, error) {
	at := slices.IndexFunc(t.Activations, func(a *tlsActivation) bool { return a.ID == id })
	if at < 0 {
		return nil, unknown("activation")
	}
	return t.Activations[at], nil
}

// activationsWith returns the activations of a certificate.
func (t *tlsState) activationsWith(certificate string) (with []*tlsActivation) {
	for _, a := range t.Activations {
		if a.Certificate == certificate {
			with = append(with, a)
		}
	}
	return with
}

func idsOf(activations []*tlsActivation) []string {
	ids := make([]string, len(activations))
	for i, a := range activations {
		ids[i] = a.ID
	}
	return ids
}

func listActivations(s *state, r request) (any, error) {
	chosen, err := selectionOf(r, []string{
		"filter[tls_certificate.id]", "filter[tls_configuration.id]", "filter[tls_domain.id]",
	}, activationIncludes)
	if err != nil {
		return nil, err
	}
	var list []described
	for _, a := range newestFirst(s.TLS.Activations, func(a *tlsActivation) time.Time { return a.CreatedAt }) {
		if chosen.passes("filter[tls_certificate.id]", a.Certificate) &&
			chosen.passes("filter[tls_configuration.id]", a.Configuration) && chosen.passes("filter[tls_domain.id]", a.Domain) {
			list = append(list, a.withIncluded(&s.TLS, chosen))
		}
	}
	return pageOf(list, r)
}

func getActivation(s *state, r request) (any, error) {
	a, err := s.TLS.activation(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	chosen, err := selectionOf(r, nil, activationIncludes)
	if err != nil {
		return nil, err
	}
	d := a.withIncluded(&s.TLS, chosen)
	return found(d.resource, d.included...), nil
}

func createActivation(s *state, r request) (any, error) {
	a := &tlsActivation{
		ID: newID(), Domain: strings.ToLower(r.related("tls_domain")), Certificate: r.related("tls_certificate"),
		Configuration: r.related("tls_configuration"), CreatedAt: time.Now().UTC(),
	}
	if a.Certificate == "" {
		return nil, absent("tls_certificate_id") // on record, terraform-provider-fastly issue 1197
	}
	if a.Domain == "" {
		return nil, absent("tls_domain_id")
	}
	configuration, err := s.TLS.configuration(a.Configuration)
	if err != nil {
		return nil, err
	}
	a.Configuration = configuration.ID
	if err := s.checkActivation(a, noActivation); err != nil {
		return nil, err
	}
	taken := func(other *tlsActivation) bool {
		return other.Domain == a.Domain && other.Configuration == a.Configuration
	}
	if slices.ContainsFunc(s.TLS.Activations, taken) {
		return nil, refused(noActivation, "domain_id has already been taken") // on record, its documentation
	}
	s.TLS.Activations = append(s.TLS.Activations, a)
	return created(a.describe()), nil
}

// updateActivation has Fastly serve another certificate for the domain.
func updateActivation(s *state, r request) (any, error) {
	a, err := s.TLS.activation(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if r.related("mutual_authentication") != "" {
		return nil, refused(activationAsItWas, "mutual authentication is not simulated")
	}
	changed := *a
	if changed.Certificate = r.related("tls_certificate"); changed.Certificate == "" {
		return nil, absent("tls_certificate_id")
	}
	if err := s.checkActivation(&changed, activationAsItWas); err != nil {
		return nil, err
	}
	*a = changed
	return found(a.describe()), nil
}

func deleteActivation(s *state, r request) (any, error) {
	a, err := s.TLS.activation(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	s.TLS.Activations = slices.DeleteFunc(s.TLS.Activations, func(one *tlsActivation) bool { return one == a })
	return nil, nil
}

// checkActivation refuses, under a title, what Fastly cannot serve: the domain must be one of the certificate's and of an
// active service, and the certificate valid.
func (s *state) checkActivation(a *tlsActivation, title string) error {
	c, err := s.TLS.certificate(a.Certificate)
	if err != nil {
		return err
	}
	now := time.Now()
	switch {
	case !slices.Contains(c.Domains, a.Domain):
		return refused(title, fmt.Sprintf("domain %s is not among the SAN entries of the certificate", a.Domain))
	case now.After(c.NotAfter):
		return refused(title, "certificate expired at "+stamp(c.NotAfter))
	case now.Before(c.NotBefore):
		return refused(title, "certificate is not valid before "+stamp(c.NotBefore))
	case !s.isServed(a.Domain):
		return refused(title, fmt.Sprintf("domain %s is on no active service", a.Domain))
	}
	return nil
}
