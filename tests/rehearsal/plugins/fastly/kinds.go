package fastly

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fastly/go-fastly/v12/fastly"
	p "github.com/pulumi/pulumi-go-provider"
)

// A version is one version of a service, through the API.
type version struct {
	client  *fastly.Client
	service string
	number  int
}

// A kind is one kind of nested block.
type kind interface {
	// differ says whether two declarations of a service differ in blocks of the kind.
	differ(a, b *ServiceVclArgs) bool
	// check returns what is wrong with the blocks of a declaration.
	check(args *ServiceVclArgs) []p.CheckFailure
	// apply makes the objects of a version those of args; old is what the program declared before.
	apply(ctx context.Context, v version, old, args *ServiceVclArgs) error
	// read puts the objects of a version into args; prior is what the program declared. Where that is nothing, they are the
	// program's only if all is.
	read(ctx context.Context, v version, prior, args *ServiceVclArgs, all bool) error
}

// blocks is the kind whose blocks are Bs.
type blocks[B any] struct {
	property  string // of the service
	path      string // of the objects in the API, below the version
	of        func(*ServiceVclArgs) *[]B
	fixed     values // fields that all objects of the kind have, and no object of another
	immutable string // a field that cannot be changed: the object is made anew
	trimmed   string // a field that a new object gets without the space around it
}

// byName returns the blocks of a declaration as they are sent.
func (k blocks[B]) byName(args *ServiceVclArgs) map[string]values {
	encoded := map[string]values{}
	for _, block := range *k.of(args) {
		sent := encode(block)
		encoded[sent["name"]] = sent
	}
	return encoded
}

func (k blocks[B]) differ(a, b *ServiceVclArgs) bool {
	return !maps.EqualFunc(k.byName(a), k.byName(b), maps.Equal)
}

func (k blocks[B]) check(args *ServiceVclArgs) []p.CheckFailure {
	var failures []p.CheckFailure
	seen := map[string]bool{}
	for i, block := range *k.of(args) {
		sent := encode(block)
		at := fmt.Sprintf("%s[%d]", k.property, i)
		name := sent["name"]
		if name != "" && seen[name] { // one that is not known yet is empty
			failures = append(failures, p.CheckFailure{Property: at + ".name",
				Reason: fmt.Sprintf("%q is the name of another", name)})
		}
		seen[name] = true
		for _, attribute := range attributesOf(reflect.TypeFor[B]()) {
			if fault := attribute.fault(sent[attribute.api]); fault != "" {
				failures = append(failures, p.CheckFailure{Property: at + "." + attribute.name, Reason: fault})
			}
		}
	}
	return failures
}

func (k blocks[B]) apply(ctx context.Context, v version, old, args *ServiceVclArgs) error {
	before, wanted := k.byName(old), k.byName(args)
	if len(before) == 0 && len(wanted) == 0 {
		return nil
	}
	current, err := k.list(ctx, v)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(current)) {
		if wanted[name] == nil {
			if err := k.delete(ctx, v, name); err != nil {
				return err
			}
		}
	}
	for _, block := range *k.of(args) {
		name := encode(block)["name"]
		if err := k.applyOne(ctx, v, current[name], before[name], wanted[name]); err != nil {
			return err
		}
	}
	return nil
}

// applyOne makes or changes one object. What the program no longer sets is emptied, so that Fastly's default comes back.
func (k blocks[B]) applyOne(ctx context.Context, v version, current map[string]any, before, wanted values) error {
	if current == nil {
		return k.create(ctx, v, wanted)
	}
	changes := values{}
	for _, attribute := range attributesOf(reflect.TypeFor[B]()) {
		value, set := wanted[attribute.api]
		_, wasSet := before[attribute.api]
		if (set || wasSet) && attribute.text(current[attribute.api]) != value {
			changes[attribute.api] = value
		}
	}
	if _, remake := changes[k.immutable]; remake {
		if err := k.delete(ctx, v, wanted["name"]); err != nil {
			return err
		}
		return k.create(ctx, v, wanted)
	}
	if len(changes) == 0 {
		return nil
	}
	return k.call(ctx, v, http.MethodPut, wanted["name"], changes)
}

// create leaves out empty values, some of which Fastly refuses.
func (k blocks[B]) create(ctx context.Context, v version, wanted values) error {
	sent := maps.Clone(wanted)
	maps.Copy(sent, k.fixed)
	if k.trimmed != "" {
		sent[k.trimmed] = strings.TrimSpace(sent[k.trimmed])
	}
	maps.DeleteFunc(sent, func(_, value string) bool { return value == "" })
	return k.call(ctx, v, http.MethodPost, "", sent)
}

func (k blocks[B]) delete(ctx context.Context, v version, name string) error {
	return k.call(ctx, v, http.MethodDelete, name, nil)
}

// call sends a request for one object, or for the kind when the name is empty.
func (k blocks[B]) call(ctx context.Context, v version, method, name string, sent values) error {
	form := url.Values{}
	for key, value := range sent {
		form.Set(key, value)
	}
	options := fastly.CreateRequestOptions()
	options.Headers["Content-Type"] = "application/x-www-form-urlencoded"
	options.Body = strings.NewReader(form.Encode())
	response, err := v.client.Request(ctx, method, k.url(v, name), options)
	if err != nil {
		return fmt.Errorf("%s %s %q: %w", method, k.path, firstOf(name, sent["name"]), err)
	}
	return response.Body.Close()
}

func (k blocks[B]) url(v version, name string) string {
	path := append([]string{"service", v.service, "version", strconv.Itoa(v.number)}, strings.Split(k.path, "/")...)
	return fastly.ToSafeURL(append(path, name)...)
}

// list returns the objects of a version by their names.
func (k blocks[B]) list(ctx context.Context, v version) (map[string]map[string]any, error) {
	response, err := v.client.Get(ctx, k.url(v, ""), fastly.CreateRequestOptions())
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", k.path, err)
	}
	defer func() { _ = response.Body.Close() }()
	var objects []map[string]any
	if err := fastly.DecodeBodyMap(response.Body, &objects); err != nil {
		return nil, fmt.Errorf("listing %s: %w", k.path, err)
	}
	named := map[string]map[string]any{}
	for _, object := range objects {
		if k.owns(object) {
			named[fmt.Sprint(object["name"])] = object
		}
	}
	return named, nil
}

func (k blocks[B]) owns(object map[string]any) bool {
	for key, value := range k.fixed {
		if fmt.Sprint(object[key]) != value {
			return false
		}
	}
	return true
}

// read keeps the order in which the program declares the blocks; what somebody else added comes last.
func (k blocks[B]) read(ctx context.Context, v version, prior, args *ServiceVclArgs, all bool) error {
	declared := *k.of(prior)
	if len(declared) == 0 && !all {
		return nil
	}
	current, err := k.list(ctx, v)
	if err != nil {
		return err
	}
	var found []B
	for _, block := range declared {
		name := encode(block)["name"]
		if object := current[name]; object != nil {
			found = append(found, decode(object, &block))
			delete(current, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(current)) {
		found = append(found, decode[B](current[name], nil))
	}
	*k.of(args) = found
	return nil
}
