package fastly

import (
	"slices"
	"strconv"
	"strings"
)

// tlsDomain is a name that is among the SANs of a certificate.
type tlsDomain struct {
	name         string
	certificates []*tlsCertificate
	activations  []*tlsActivation
	// subscriptions are the IDs of those that the name is on.
	subscriptions []string
}

// domains returns the names of all certificates, those of older certificates first.
func (t *tlsState) domains() []*tlsDomain {
	var all []*tlsDomain
	known := map[string]*tlsDomain{}
	for _, c := range t.Certificates {
		for _, name := range c.Domains {
			if known[name] == nil {
				known[name] = &tlsDomain{name: name}
				all = append(all, known[name])
			}
			if d := known[name]; !slices.Contains(d.certificates, c) {
				d.certificates = append(d.certificates, c)
			}
		}
	}
	for _, a := range t.Activations {
		if d := known[a.Domain]; d != nil {
			d.activations = append(d.activations, a)
		}
	}
	for _, sub := range t.Subscriptions {
		for _, name := range sub.Domains {
			if d := known[name]; d != nil {
				d.subscriptions = append(d.subscriptions, sub.ID)
			}
		}
	}
	return all
}

func (d *tlsDomain) certificateIDs() []string {
	ids := make([]string, len(d.certificates))
	for i, c := range d.certificates {
		ids[i] = c.ID
	}
	return ids
}

// withIncluded describes a domain, with what a request wants to have along.
func (d *tlsDomain) withIncluded(chosen selection) described {
	one := described{resource: &resource{ID: d.name, Type: "tls_domain", Relationships: map[string]relationship{
		"tls_activations":   toMany("tls_activation", idsOf(d.activations)),
		"tls_certificates":  toMany("tls_certificate", d.certificateIDs()),
		"tls_subscriptions": toMany("tls_subscription", d.subscriptions),
	}}}
	if chosen.includes("tls_activations") {
		for _, a := range d.activations {
			one.included = append(one.included, a.describe())
		}
	}
	if chosen.includes("tls_certificates") {
		for _, c := range d.certificates {
			one.included = append(one.included, c.describe())
		}
	}
	return one
}

func listTLSDomains(s *state, r request) (any, error) {
	chosen, err := selectionOf(r,
		[]string{"filter[in_use]", "filter[tls_certificates.id]", "filter[tls_subscriptions.id]", "sort"},
		[]string{"tls_activations", "tls_certificates", "tls_subscriptions"})
	if err != nil {
		return nil, err
	}
	all := s.TLS.domains()
	switch chosen.Get("sort") {
	case "created_at":
	case "-created_at":
		slices.Reverse(all)
	case "":
		slices.SortFunc(all, func(a, b *tlsDomain) int { return strings.Compare(a.name, b.name) })
	default:
		return nil, refused("Invalid parameter", "sort cannot be "+chosen.Get("sort"))
	}
	var list []described
	for _, d := range all {
		inUse := strconv.FormatBool(len(d.activations) > 0)
		if chosen.passes("filter[in_use]", inUse) && chosen.passes("filter[tls_certificates.id]", d.certificateIDs()...) &&
			chosen.passes("filter[tls_subscriptions.id]", d.subscriptions...) {
			list = append(list, d.withIncluded(chosen))
		}
	}
	return pageOf(list, r)
}
