package fastly

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tlsState is what an account has of custom TLS, https://www.fastly.com/documentation/reference/api/tls/custom-certs/.
// Private keys are not in it, unless an edge serves with them: what is known of them is what Fastly tells of them.
type tlsState struct {
	Keys         []*tlsKey         `json:"keys"` // in the order of their creation, as all of these
	Certificates []*tlsCertificate `json:"certificates"`
	Activations  []*tlsActivation  `json:"activations"`
	// Subscriptions are certificates that Fastly gets itself.
	Subscriptions []*tlsSubscription `json:"subscriptions,omitempty"`
	// Configurations are those of a new account when empty, see tlsState.configurations.
	Configurations []*tlsConfiguration `json:"configurations,omitempty"`
}

func (a *API) tlsRoutes() {
	a.handle("GET /tls/private_keys", listKeys)
	a.handle("POST /tls/private_keys", createKey)
	a.handle("GET /tls/private_keys/{id}", getKey)
	a.handle("DELETE /tls/private_keys/{id}", deleteKey)
	a.handle("GET /tls/certificates", listCertificates)
	a.handle("POST /tls/certificates", createCertificate)
	a.handle("GET /tls/certificates/{id}", getCertificate)
	a.handle("PATCH /tls/certificates/{id}", updateCertificate)
	a.handle("DELETE /tls/certificates/{id}", deleteCertificate)
	a.handle("GET /tls/activations", listActivations)
	a.handle("POST /tls/activations", createActivation)
	a.handle("GET /tls/activations/{id}", getActivation)
	a.handle("PATCH /tls/activations/{id}", updateActivation)
	a.handle("DELETE /tls/activations/{id}", deleteActivation)
	a.handle("GET /tls/configurations", listConfigurations)
	a.handle("GET /tls/configurations/{id}", getConfiguration)
	a.handle("PATCH /tls/configurations/{id}", updateConfiguration)
	a.handle("GET /tls/domains", listTLSDomains)
}

// A document is an answer in JSON:API, https://jsonapi.org/format/. It has either data or errors.
type document struct {
	Data     any         `json:"data,omitempty"` // a *resource, or a list of them
	Included []*resource `json:"included,omitempty"`
	Links    object      `json:"links,omitempty"`
	Meta     object      `json:"meta,omitempty"`
	Errors   []tlsError  `json:"errors,omitempty"`

	status int
}

// A resource is one object of a document.
type resource struct {
	ID            string                  `json:"id"`
	Type          string                  `json:"type"`
	Attributes    object                  `json:"attributes,omitempty"`
	Relationships map[string]relationship `json:"relationships,omitempty"`
}

// A relationship leads to one resource, or to several.
type relationship struct {
	Data any `json:"data"`
}

type linkage struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func toOne(kind, id string) relationship { return relationship{linkage{id, kind}} }

func toMany(kind string, ids []string) relationship {
	targets := make([]linkage, len(ids))
	for i, id := range ids {
		targets[i] = linkage{id, kind}
	}
	return relationship{targets}
}

func found(r *resource, included ...*resource) *document {
	return &document{Data: r, Included: included, status: http.StatusOK}
}

func created(r *resource) *document { return &document{Data: r, status: http.StatusCreated} }

// A described object has its resource, and those that it brings along when a request asks for them.
type described struct {
	*resource
	included []*resource
}

// pageOf answers with the part of a list that a request asks for. A page beyond the last is empty, which is how some
// clients find the end.
func pageOf(list []described, r request) (*document, error) {
	query := r.URL.Query()
	size, err := positive(query, "page[size]", 20)
	if err != nil {
		return nil, invalid(err)
	}
	size = min(size, 100)
	current, err := positive(query, "page[number]", 1)
	if err != nil {
		return nil, invalid(err)
	}
	start := min((current-1)*size, len(list))
	part := list[start:min(start+size, len(list))]
	answer := &document{status: http.StatusOK}
	data := make([]*resource, len(part))
	for i, d := range part {
		data[i] = d.resource
		for _, one := range d.included {
			if !slices.ContainsFunc(answer.Included, func(r *resource) bool { return r.ID == one.ID && r.Type == one.Type }) {
				answer.Included = append(answer.Included, one)
			}
		}
	}
	last := max(1, (len(list)+size-1)/size)
	answer.Data = data
	answer.Links = pageLinks(r, current, last, size)
	answer.Meta = object{"record_count": len(list), "current_page": current, "per_page": size, "total_pages": last}
	return answer, nil
}

func pageLinks(r request, current, last, size int) object {
	link := func(to int) any {
		if to < 1 || to > last && to != current {
			return nil
		}
		query := r.URL.Query()
		query.Set("page[number]", strconv.Itoa(to))
		query.Set("page[size]", strconv.Itoa(size))
		return fmt.Sprintf("http://%s%s?%s", r.Host, r.URL.Path, query.Encode())
	}
	return object{
		"self": link(current), "first": link(1), "prev": link(current - 1), "next": link(current + 1), "last": link(last),
	}
}

// A selection is what a request asks for beside pages: filters, an order, related objects.
type selection struct {
	url.Values
	include []string
}

// selectionOf reads the parameters of a request and refuses those that are not known, which Fastly may let pass. Without
// the media type of JSON:API in the Accept header there are none: go-fastly sends it because filters fail otherwise.
func selectionOf(r request, known, includes []string) (selection, error) {
	chosen := selection{Values: url.Values{}}
	if !strings.Contains(r.Header.Get("Accept"), jsonAPI) {
		return chosen, nil
	}
	for name, values := range r.URL.Query() {
		switch {
		case name == "page[size]" || name == "page[number]":
		case name == "include":
			chosen.include = strings.Split(values[0], ",")
		case slices.Contains(known, name):
			chosen.Set(name, values[0])
		default:
			return chosen, refused("Invalid parameter", name+" is not known here")
		}
	}
	for _, one := range chosen.include {
		if !slices.Contains(includes, one) {
			return chosen, refused("Invalid parameter", "include cannot be "+one)
		}
	}
	return chosen, nil
}

func (s selection) includes(kind string) bool { return slices.Contains(s.include, kind) }

// passes says whether something has what a filter asks for, as all has where there is no such filter.
func (s selection) passes(filter string, has ...string) bool {
	return !s.Has(filter) || slices.Contains(has, s.Get(filter))
}

// attribute returns a text of the object that a request sends, empty when it is not there.
func (r request) attribute(name string) string {
	data, _ := r.fields["data"].(map[string]any)
	attributes, _ := data["attributes"].(map[string]any)
	text, _ := attributes[name].(string)
	return text
}

// related returns the ID of what the object that a request sends is related to, empty when it does not say.
func (r request) related(name string) string {
	data, _ := r.fields["data"].(map[string]any)
	relationships, _ := data["relationships"].(map[string]any)
	relation, _ := relationships[name].(map[string]any)
	target, _ := relation["data"].(map[string]any)
	if list, ok := relation["data"].([]any); ok && len(list) == 1 { // as Fastly's own examples have it
		target, _ = list[0].(map[string]any)
	}
	id, _ := target["id"].(string)
	return id
}

// relatedTo returns the IDs of all that the object that a request sends is related to.
func (r request) relatedTo(name string) (ids []string) {
	data, _ := r.fields["data"].(map[string]any)
	relationships, _ := data["relationships"].(map[string]any)
	relation, _ := relationships[name].(map[string]any)
	list, _ := relation["data"].([]any)
	for _, one := range list {
		target, _ := one.(map[string]any)
		if id, isText := target["id"].(string); isText {
			ids = append(ids, strings.ToLower(id))
		}
	}
	return ids
}

// stamp is a time as this API writes it: whole seconds, and a fraction all the same.
func stamp(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z07:00")
}

// optional is a text as this API writes it, null when there is none.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// newestFirst returns what was created last at the beginning, the order of lists that ask for no other.
func newestFirst[T any](list []T, since func(T) time.Time) []T {
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	slices.SortStableFunc(reversed, func(a, b T) int { return since(b).Compare(since(a)) })
	return reversed
}
