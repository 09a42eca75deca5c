package fastly

import (
	"maps"
	"net/http"
	"slices"
)

// products are the products that can be enabled on a service, and how each is configured to begin with; those without
// an entry in a configuration cannot be configured. https://www.fastly.com/documentation/reference/api/products/
var products = map[string]fields{
	"api_discovery":         nil,
	"bot_management":        {"contentguard": oneOf("off on").initially("off")},
	"brotli_compression":    nil,
	"ddos_protection":       {"mode": oneOf("off log block").initially("log")},
	"domain_inspector":      nil,
	"fanout":                nil,
	"image_optimizer":       nil,
	"log_explorer_insights": nil,
	"ngwaf":                 {"traffic_ramp": text("100"), "workspace_id": {}},
	"origin_inspector":      nil,
	"websockets":            nil,
}

// productRoutes serves products under the path of today's clients and under that of older ones (without v1), which know
// no configuration.
func (a *API) productRoutes() {
	const one = "{product}/services/{service}"
	for _, root := range []string{"/enabled-products/v1/", "/enabled-products/"} {
		a.handle("GET "+root+one, getProduct)
		a.handle("PUT "+root+one, enableProduct)
		a.handle("DELETE "+root+one, disableProduct)
	}
	a.handle("GET /enabled-products/v1/"+one+"/configuration", getProductConfiguration)
	a.handle("PATCH /enabled-products/v1/"+one+"/configuration", configureProduct)
}

func describeProduct(r request) object {
	return object{
		"product": object{"id": r.PathValue("product"), "object": "product"},
		"service": object{"id": r.PathValue("service"), "object": "service"},
		"_links":  object{"self": r.URL.Path},
	}
}

// product returns the service that a request names, which need not have the product.
func product(s *state, r request) (*service, string, error) {
	id := r.PathValue("product")
	if _, known := products[id]; !known {
		return nil, "", noProduct(id)
	}
	svc, err := s.service(r)
	return svc, id, err
}

func noProduct(id string) error {
	return &refusal{http.StatusNotFound, problem{Title: "product not found", Status: http.StatusNotFound, Detail: id}}
}

func enabledProduct(s *state, r request) (*service, string, error) {
	svc, id, err := product(s, r)
	if err == nil && svc.Products[id] == nil && !slices.Contains(r.account.Everywhere, id) {
		err = badProblem("no product on service", "")
	}
	return svc, id, err
}

func getProduct(s *state, r request) (any, error) {
	if _, _, err := enabledProduct(s, r); err != nil {
		return nil, err
	}
	return describeProduct(r), nil
}

func enableProduct(s *state, r request) (any, error) {
	svc, id, err := product(s, r)
	if err != nil {
		return nil, err
	}
	if compute := id == "fanout"; compute && svc.Type != "wasm" {
		return nil, badProblem("product cannot be enabled on this type of service", id+" is for Compute services")
	}
	if slices.Contains(r.account.Lacks, id) {
		return nil, badProblem("not entitled to enable product", id)
	}
	sent, err := products[id].read(r.fields)
	if err != nil {
		return nil, err
	}
	configuration := svc.Products[id]
	if configuration == nil {
		configuration = products[id].initial()
	}
	maps.Copy(configuration, sent)
	if id == "ngwaf" && configuration["workspace_id"] == nil {
		return nil, badProblem("invalid configuration", "workspace_id is required")
	}
	svc.Products[id] = configuration
	return describeProduct(r), nil
}

// disableProduct succeeds where the product was not enabled, too; the Terraform provider counts on that.
func disableProduct(s *state, r request) (any, error) {
	svc, id, err := product(s, r)
	if err != nil {
		return nil, err
	}
	if slices.Contains(r.account.Everywhere, id) {
		return nil, badProblem("product cannot be disabled", id+" is switched on for the account")
	}
	delete(svc.Products, id)
	return nil, nil
}

func getProductConfiguration(s *state, r request) (any, error) {
	svc, id, err := enabledProduct(s, r)
	if err != nil {
		return nil, err
	}
	return describeConfiguration(svc, id, r), nil
}

func configureProduct(s *state, r request) (any, error) {
	svc, id, err := enabledProduct(s, r)
	if err != nil {
		return nil, err
	}
	sent, err := products[id].read(r.fields)
	if err != nil {
		return nil, err
	}
	maps.Copy(svc.Products[id], sent)
	return describeConfiguration(svc, id, r), nil
}

func describeConfiguration(svc *service, id string, r request) object {
	description := describeProduct(r)
	description["configuration"] = svc.Products[id]
	return description
}
