package fastly

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// managedDomain is a name in domain management, https://www.fastly.com/documentation/reference/api/domain-management/domains/.
type managedDomain struct {
	ID          string    `json:"id"`
	FQDN        string    `json:"fqdn"`
	ServiceID   *string   `json:"service_id"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// domainRoutes serves domains under the path of today's clients and under that of older ones, such as go-fastly 9.
func (a *API) domainRoutes() {
	for _, root := range []string{"/domain-management/v1/domains", "/domains/v1"} {
		a.handle("GET "+root, listDomains)
		a.handle("POST "+root, createDomain)
		a.handle("GET "+root+"/{id}", getDomain)
		a.handle("PATCH "+root+"/{id}", updateDomain)
		a.handle("DELETE "+root+"/{id}", deleteDomain)
	}
}

// describe says what is known of a domain. It is activated when a certificate is served for it, and verified when the account has
// had one for it or for a wildcard above it.
func (d *managedDomain) describe(t *tlsState) object {
	names := []string{d.FQDN, wildcardOf(d.FQDN)}
	activated := slices.ContainsFunc(t.Activations, func(a *tlsActivation) bool { return slices.Contains(names, a.Domain) })
	verified := slices.ContainsFunc(t.domains(), func(known *tlsDomain) bool { return slices.Contains(names, known.name) })
	return object{
		"id": d.ID, "fqdn": d.FQDN, "service_id": d.ServiceID, "description": d.Description, "activated": activated,
		"verified": verified, "created_at": stamp(d.CreatedAt), "updated_at": stamp(d.UpdatedAt),
	}
}

func wildcardOf(name string) string {
	_, parent, _ := strings.Cut(name, ".")
	return "*." + parent
}

// managed returns the domain of an ID. The classic domains of a service have one too, as soon as they are there.
func (s *state) managed(id string) (*managedDomain, error) {
	for _, d := range s.allDomains() {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, &refusal{http.StatusNotFound, &document{Errors: []tlsError{{"Not found", "domain not found"}}}}
}

// allDomains are those of domain management, and behind them the classic domains that nobody has led to a service there.
func (s *state) allDomains() []*managedDomain {
	all := slices.Clone(s.Domains)
	for _, svc := range s.Services {
		for _, v := range svc.Versions {
			for _, o := range v.Objects["domain"] {
				name := o.text("name")
				if svc.DeletedAt != nil || slices.ContainsFunc(all, func(d *managedDomain) bool { return d.FQDN == name }) {
					continue
				}
				sum := sha256.Sum256([]byte(name))
				all = append(all, &managedDomain{ID: base64.RawURLEncoding.EncodeToString(sum[:16]), FQDN: name})
			}
		}
	}
	return all
}

func listDomains(s *state, r request) (any, error) {
	query := r.URL.Query()
	limit, err := positive(query, "limit", 20)
	if err != nil {
		return nil, err
	}
	first, _ := strconv.Atoi(query.Get("cursor")) // the first page has none
	var found []object
	domains := s.allDomains()
	slices.SortFunc(domains, func(a, b *managedDomain) int { return cmp.Compare(a.FQDN, b.FQDN) })
	for _, d := range domains {
		service := query.Get("service_id")
		if strings.Contains(d.FQDN, query.Get("fqdn")) && (service == "" || d.ServiceID != nil && *d.ServiceID == service) {
			found = append(found, d.describe(&s.TLS))
		}
	}
	meta := object{"total": len(found), "limit": limit}
	if first+limit < len(found) {
		meta["next_cursor"] = strconv.Itoa(first + limit)
	}
	first = min(max(first, 0), len(found))
	return object{"data": append([]object{}, found[first:min(first+limit, len(found))]...), "meta": meta}, nil
}

func createDomain(s *state, r request) (any, error) {
	fqdn, _ := r.fields["fqdn"].(string)
	fqdn = strings.ToLower(fqdn)
	switch {
	case !domainName.MatchString(fqdn):
		return nil, invalidDomain("fqdn", "fqdn is not a valid domain name")
	case slices.ContainsFunc(s.allDomains(), func(d *managedDomain) bool { return d.FQDN == fqdn }):
		return nil, invalidDomain("fqdn", "fqdn has already been taken")
	case len(s.Domains) >= r.account.Domains:
		return nil, tooManyDomains(r.account)
	}
	d := &managedDomain{ID: newID(), FQDN: fqdn, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()}
	if err := d.change(s, r); err != nil {
		return nil, err
	}
	s.Domains = append(s.Domains, d)
	return createdDomain(d.describe(&s.TLS)), nil
}

// createdDomain is an answer of status 201.
type createdDomain object

func invalidDomain(field, detail string) error {
	return &refusal{http.StatusBadRequest, &document{Errors: []tlsError{{"Invalid value for " + field, detail}}}}
}

// change sets what a request says of a domain.
func (d *managedDomain) change(s *state, r request) error {
	if id, set := r.fields["service_id"].(string); set {
		known := func(svc *service) bool { return svc.ID == id && svc.DeletedAt == nil }
		if !slices.ContainsFunc(s.Services, known) {
			return invalidDomain("service_id", "service does not exist")
		}
		d.ServiceID = &id
	} else if _, given := r.fields["service_id"]; given {
		d.ServiceID = nil
	}
	if description, set := r.fields["description"].(string); set {
		d.Description = description
	}
	return nil
}

func getDomain(s *state, r request) (any, error) {
	d, err := s.managed(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return d.describe(&s.TLS), nil
}

func updateDomain(s *state, r request) (any, error) {
	d, err := s.managed(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	changed := *d
	if err := changed.change(s, r); err != nil {
		return nil, err
	}
	changed.UpdatedAt = time.Now().UTC()
	s.Domains = append(slices.DeleteFunc(s.Domains, func(one *managedDomain) bool { return one.ID == d.ID }), &changed)
	return changed.describe(&s.TLS), nil
}

func deleteDomain(s *state, r request) (any, error) {
	d, err := s.managed(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	s.Domains = slices.DeleteFunc(s.Domains, func(one *managedDomain) bool { return one.ID == d.ID })
	return nil, nil
}

// isServed says whether an active service answers for a name, or for some name that a wildcard stands for.
func (s *state) isServed(name string) bool {
	if s.ownerOf(name, nil) != nil {
		return true
	}
	fits := func(domain string) bool { return domain == name || wildcardOf(domain) == name }
	for _, svc := range s.Services {
		active := svc.active()
		if active == nil {
			continue
		}
		if slices.ContainsFunc(active.Objects["domain"], func(o object) bool { return fits(o.text("name")) }) {
			return true
		}
		leadsHere := func(d *managedDomain) bool { return d.ServiceID != nil && *d.ServiceID == svc.ID && fits(d.FQDN) }
		if slices.ContainsFunc(s.Domains, leadsHere) {
			return true
		}
	}
	return false
}
