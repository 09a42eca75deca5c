package fastly

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// ProductEnablement says which paid products a service uses. They have no version.
type ProductEnablement struct {
	Name                *string `pulumi:"name,optional" default:"products"` // means nothing to Fastly
	BotManagement       *bool   `pulumi:"botManagement,optional"`
	BrotliCompression   *bool   `pulumi:"brotliCompression,optional"`
	DomainInspector     *bool   `pulumi:"domainInspector,optional"`
	ImageOptimizer      *bool   `pulumi:"imageOptimizer,optional"`
	LogExplorerInsights *bool   `pulumi:"logExplorerInsights,optional"`
	OriginInspector     *bool   `pulumi:"originInspector,optional"`
	Websockets          *bool   `pulumi:"websockets,optional"`
}

// Annotate declares the official type and default.
func (e *ProductEnablement) Annotate(a infer.Annotator) {
	annotate(a, e, "ServiceVclProductEnablement")
}

// A product is one property of ProductEnablement; its name in snake case is the product's ID.
type product struct {
	attribute
	enabled *bool
}

func productsOf(e *ProductEnablement) []product {
	if e == nil {
		e = &ProductEnablement{}
	}
	var products []product
	for _, a := range attributesOf(reflect.TypeFor[ProductEnablement]()) {
		if enabled, ok := reflect.ValueOf(e).Elem().FieldByIndex(a.field.Index).Interface().(*bool); ok {
			products = append(products, product{a, enabled})
		}
	}
	return products
}

func sameProducts(a, b *ProductEnablement) bool {
	return slices.EqualFunc(productsOf(a), productsOf(b), func(a, b product) bool { return value(a.enabled) == value(b.enabled) })
}

// applyProducts enables and disables the products of which the program says something else than before. That it may not disable
// one is no failure, as with the official provider.
func (v version) applyProducts(ctx context.Context, old, wanted *ProductEnablement) error {
	before := productsOf(old)
	for i, product := range productsOf(wanted) {
		if value(before[i].enabled) == value(product.enabled) {
			continue
		}
		method := http.MethodPut
		if !value(product.enabled) {
			method = http.MethodDelete
		}
		response, err := v.client.Request(ctx, method, v.productURL(product.api), fastly.CreateRequestOptions())
		if method == http.MethodDelete && mayNotDisable(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("switching product %s: %w", product.api, err)
		}
		_ = response.Body.Close() // says nothing more
	}
	return nil
}

func mayNotDisable(err error) bool {
	var failed *fastly.HTTPError
	if !errors.As(err, &failed) || failed.StatusCode != http.StatusBadRequest {
		return false
	}
	return slices.ContainsFunc(failed.Errors, func(one *fastly.ErrorObject) bool {
		return slices.ContainsFunc([]string{"not entitled to disable", "product cannot be disabled", "cannot self-disable"},
			func(said string) bool { return strings.Contains(one.Title, said) })
	})
}

func (v version) productURL(id string) string {
	return fastly.ToSafeURL("enabled-products", "v1", id, "services", v.service)
}

// isEnabled says whether the service has a product; the API answers 400 when it does not.
func (v version) isEnabled(ctx context.Context, id string) (bool, error) {
	response, err := v.client.Get(ctx, v.productURL(id), fastly.CreateRequestOptions())
	var failed *fastly.HTTPError
	if errors.As(err, &failed) && failed.StatusCode == http.StatusBadRequest {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading product %s: %w", id, err)
	}
	return true, response.Body.Close()
}

// readProducts puts the products that are enabled into args, where the program declares any or all is asked for.
func (v version) readProducts(ctx context.Context, args *ServiceVclArgs, all bool) error {
	prior := args.ProductEnablement
	if prior == nil && !all {
		return nil
	}
	found, declared := ProductEnablement{}, prior != nil
	if prior != nil {
		found = *prior
	}
	for _, product := range productsOf(prior) {
		enabled, err := v.isEnabled(ctx, product.api)
		if err != nil {
			return err
		}
		declared = declared || enabled
		if enabled != value(product.enabled) {
			reflect.ValueOf(&found).Elem().FieldByIndex(product.field.Index).Set(reflect.ValueOf(&enabled))
		}
	}
	if declared {
		args.ProductEnablement = &found
	}
	return nil
}
