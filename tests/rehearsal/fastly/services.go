package fastly

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// customerID is the account that everything belongs to.
const customerID = "0simulated0customer0id"

func (a *API) serviceRoutes() {
	a.handle("GET /service", listServices)
	a.handle("POST /service", createService)
	a.handle("GET /service/search", searchService)
	a.handle("GET /service/{service}", getService)
	a.handle("GET /service/{service}/details", getServiceDetails)
	a.handle("GET /service/{service}/domain", listServiceDomains)
	a.handle("PUT /service/{service}", updateService)
	a.handle("DELETE /service/{service}", deleteService)
}

// describe is a service as most endpoints answer it.
func (svc *service) describe() object {
	versions := make([]object, len(svc.Versions))
	for i, v := range svc.Versions {
		versions[i] = v.describe(svc)
	}
	return object{
		"id": svc.ID, "customer_id": customerID, "name": svc.Name, "comment": svc.Comment, "type": svc.Type,
		"created_at": svc.CreatedAt, "updated_at": svc.UpdatedAt, "deleted_at": svc.DeletedAt,
		"paused": false, "publish_key": "", "versions": versions,
	}
}

func listServices(s *state, r request) (any, error) {
	var listed []object
	for _, svc := range s.Services {
		if svc.DeletedAt != nil {
			continue
		}
		description := svc.describe()
		description["version"] = svc.latest().Number
		listed = append(listed, description)
	}
	return page(listed, r, "created_at")
}

// latest returns the version that is active, else the newest.
func (svc *service) latest() *version {
	if v := svc.active(); v != nil {
		return v
	}
	return svc.Versions[len(svc.Versions)-1]
}

// page returns the part of a list that a request asks for, 20 items when it does not say, and puts the links to the
// other pages into the answer's Link header, as https://www.fastly.com/documentation/reference/api/#pagination.
func page(list []object, r request, sortBy string) ([]object, error) {
	query := r.URL.Query()
	if field := query.Get("sort"); field != "" && field != "created" {
		sortBy = field
	}
	slices.SortStableFunc(list, func(a, b object) int { return strings.Compare(plain(a[sortBy]), plain(b[sortBy])) })
	if query.Get("direction") == "descend" {
		slices.Reverse(list)
	}
	perPage, err := positive(query, "per_page", 20)
	if err != nil {
		return nil, err
	}
	current, err := positive(query, "page", 1)
	if err != nil {
		return nil, err
	}
	last := max(1, (len(list)+perPage-1)/perPage)
	linkPages(r, current, last)
	start := min((current-1)*perPage, len(list))
	return list[start:min(start+perPage, len(list)):len(list)], nil
}

func positive(query url.Values, name string, initial int) (int, error) {
	if !query.Has(name) {
		return initial, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 1 {
		return 0, badRequest("'%s' must be a positive number", name)
	}
	return n, nil
}

func linkPages(r request, current, last int) {
	var links []string
	link := func(relation string, to int) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(to))
		links = append(links, fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, r.Host, r.URL.Path, query.Encode(), relation))
	}
	if current < last {
		link("last", last)
		link("next", current+1)
	}
	if current > 1 {
		link("prev", current-1)
		link("first", 1)
	}
	if len(links) > 0 {
		r.header.Set("Link", strings.Join(links, ", "))
	}
}

var serviceFields = fields{"name": text(""), "comment": text(""), "type": text("vcl")}

func createService(s *state, r request) (any, error) {
	wanted, err := serviceFields.create(r.fields)
	if err != nil {
		return nil, err
	}
	svc := &service{
		ID: newID(), Name: wanted.text("name"), Comment: wanted.text("comment"), Type: wanted.text("type"),
		CreatedAt: now(), UpdatedAt: now(),
		Products: map[string]object{}, Collections: map[string][]object{}, DynamicSnippets: map[string]object{},
	}
	if svc.Type != "vcl" && svc.Type != "wasm" {
		return nil, badRequest("type must be vcl or wasm")
	}
	if err := s.checkName(svc); err != nil {
		return nil, err
	}
	svc.Versions = []*version{newVersion(1, "")}
	s.Services = append(s.Services, svc)
	return svc.describe(), nil
}

// checkName refuses a name that is empty or that another service has.
func (s *state) checkName(svc *service) error {
	if svc.Name == "" {
		return badRequest("Name can't be blank")
	}
	for _, other := range s.Services {
		if other.ID != svc.ID && other.DeletedAt == nil && other.Name == svc.Name {
			return duplicate("service", svc.Name)
		}
	}
	return nil
}

func searchService(s *state, r request) (any, error) {
	name := r.URL.Query().Get("name")
	for _, svc := range s.Services {
		if svc.Name == name && svc.DeletedAt == nil {
			return svc.describe(), nil
		}
	}
	return nil, notFound("Service", "deleted", never, "name", name)
}

func getService(s *state, r request) (any, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	return svc.describe(), nil
}

// getServiceDetails also answers for a deleted service, whose deleted_at then says when; providers look at that.
func getServiceDetails(s *state, r request) (any, error) {
	at := slices.IndexFunc(s.Services, func(svc *service) bool { return svc.ID == r.PathValue("service") })
	if at < 0 {
		return nil, noService(r.PathValue("service"))
	}
	svc := s.Services[at]
	details := svc.describe()
	details["version"] = svc.latest().describe(svc)
	details["active_version"] = nil
	if active := svc.active(); active != nil {
		details["active_version"] = active.describe(svc)
	}
	return details, nil
}

func listServiceDomains(s *state, r request) (any, error) {
	if s.deleted(r) != nil {
		return []object{}, nil
	}
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	domains := []object{}
	if active := svc.active(); active != nil {
		domains = append(domains, active.Objects["domain"]...)
	}
	return domains, nil
}

func updateService(s *state, r request) (any, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	changed := *svc
	if name, ok := r.fields["name"].(string); ok {
		changed.Name = name
	}
	if comment, ok := r.fields["comment"].(string); ok {
		changed.Comment = comment
	}
	if err := s.checkName(&changed); err != nil {
		return nil, err
	}
	changed.UpdatedAt = now()
	*svc = changed
	return svc.describe(), nil
}

func deleteService(s *state, r request) (any, error) {
	if gone := s.deleted(r); gone != nil {
		return nil, badRequest("Service '%s' is deleted", gone.ID)
	}
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	if svc.active() != nil {
		return nil, badRequest("Cannot delete service with active version")
	}
	deleted := now()
	svc.DeletedAt = &deleted
	return done, nil
}
