package fastly

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// withOfficialSemantics adds to an inferred provider what the official provider does beside its typed properties: it makes a
// name up where the program gives none, the order of nested blocks means nothing, and what is looked up has an ID.
func withOfficialSemantics(inferred p.Provider) p.Provider {
	wrapped := inferred
	newer := false
	wrapped.Configure = func(ctx context.Context, req p.ConfigureRequest) error {
		newer = isNewer(req.Args.Get("version"))
		return inferred.Configure(ctx, req)
	}
	wrapped.DiffConfig = func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		if providerSettings(req.OldInputs).Equals(providerSettings(req.Inputs)) {
			return p.DiffResponse{}, nil // another release replaces nothing
		}
		return inferred.DiffConfig(ctx, req)
	}
	wrapped.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		if req.Urn.Type() == domainToken && !newer {
			return p.CheckResponse{}, fmt.Errorf("unrecognized resource type (Check): %s", domainToken)
		}
		if req.Urn.Type() != serviceToken {
			return inferred.Check(ctx, req)
		}
		if domains := req.Inputs.Get("domains"); !newer && domains.IsArray() && domains.AsArray().Len() == 0 {
			return p.CheckResponse{Inputs: req.Inputs, Failures: []p.CheckFailure{{
				Property: "domains", Reason: "at least one is required",
			}}}, nil
		}
		inputs, err := withName(req)
		if err != nil {
			return p.CheckResponse{}, err
		}
		req.Inputs = inputs
		return inferred.Check(ctx, req)
	}
	wrapped.Diff = func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		req.OldInputs, req.State = aligned(req.OldInputs, req.Inputs), aligned(req.State, req.Inputs)
		return inferred.Diff(ctx, req)
	}
	wrapped.Read = func(ctx context.Context, req p.ReadRequest) (p.ReadResponse, error) {
		response, err := inferred.Read(ctx, req)
		if err != nil || response.ID == "" {
			return response, err
		}
		return normalized(ctx, inferred, req, response)
	}
	wrapped.Invoke = func(ctx context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		ids := &lookedUp{}
		if req.Token == tlsConfigurationToken {
			var failures []p.CheckFailure
			if req.Args, failures = ids.take(req.Args); len(failures) > 0 {
				return p.InvokeResponse{Failures: failures}, nil
			}
		}
		response, err := inferred.Invoke(context.WithValue(ctx, idsKey{}, ids), req)
		if err == nil && len(response.Failures) == 0 {
			response.Return, err = withID(response.Return, ids.found)
		}
		return response, err
	}
	return wrapped
}

// Tokens of resources that differ between the releases.
const (
	serviceToken = Name + ":index/serviceVcl:ServiceVcl"
	domainToken  = Name + ":index/domain:Domain"
)

// isNewer says whether the engine wants a release that has domain management, and services without domains of their own. It tells
// a provider its version among the configuration.
func isNewer(version property.Value) bool {
	if !version.IsString() {
		return false
	}
	wanted, err := semver.Parse(version.AsString())
	return err == nil && wanted.GTE(semver.MustParse(NewerVersion))
}

// providerSettings are what a program can set of the provider, without what the engine and the inferred provider note there.
func providerSettings(inputs property.Map) property.Value {
	set := map[string]property.Value{}
	for key, value := range inputs.All {
		if key != "version" && !strings.HasPrefix(key, "__") {
			set[key] = value
		}
	}
	return property.New(set)
}

// withName returns the inputs of a service with a name: the one that it has already, else the resource's and a random end.
func withName(req p.CheckRequest) (property.Map, error) {
	if _, named := req.Inputs.GetOk("name"); named {
		return req.Inputs, nil
	}
	if name, had := req.State.GetOk("name"); had {
		return req.Inputs.Set("name", name), nil
	}
	name, err := resource.NewUniqueName(req.RandomSeed, req.Urn.Name()+"-", 7, 255, nil)
	if err != nil {
		return property.Map{}, fmt.Errorf("naming service: %w", err)
	}
	return req.Inputs.Set("name", property.New(name)), nil
}

// aligned returns the properties with their blocks in the order that those of the same name have in others.
func aligned(properties, others property.Map) property.Map {
	for key, list := range properties.All {
		other := others.Get(key)
		if list.IsArray() && other.IsArray() {
			properties = properties.Set(key, property.WithGoValue(list, alignedBlocks(list.AsArray(), other.AsArray())))
		}
	}
	return properties
}

func alignedBlocks(blocks, others property.Array) property.Array {
	position := map[string]int{}
	for i, block := range others.All {
		if name, ok := nameOf(block); ok {
			position[name] = i
		}
	}
	rank := func(block property.Value) int {
		if name, ok := nameOf(block); ok {
			if i, known := position[name]; known {
				return i
			}
		}
		return others.Len()
	}
	ordered := blocks.AsSlice()
	slices.SortStableFunc(ordered, func(a, b property.Value) int { return rank(a) - rank(b) })
	return property.NewArray(ordered)
}

// nameOf returns the name of a block, unless it is not known yet.
func nameOf(block property.Value) (string, bool) {
	if !block.IsMap() {
		return "", false
	}
	name := block.AsMap().Get("name")
	if !name.IsString() {
		return "", false
	}
	return name.AsString(), true
}

// normalized gives what was read the defaults and secrets that checked inputs have, so that a comparison with them finds
// only what was changed.
func normalized(ctx context.Context, inferred p.Provider, req p.ReadRequest, response p.ReadResponse) (p.ReadResponse, error) {
	checked, err := inferred.Check(ctx, p.CheckRequest{Urn: req.Urn, State: req.Inputs, Inputs: response.Inputs})
	if err != nil {
		return p.ReadResponse{}, fmt.Errorf("normalizing what was read: %w", err)
	}
	properties := response.Properties.AsMap()
	maps.Copy(properties, checked.Inputs.AsMap())
	response.Inputs, response.Properties = checked.Inputs, property.NewMap(properties)
	return response, nil
}

// withID adds an ID to what was looked up: its own, else one that is the same for the same facts.
func withID(found property.Map, own string) (property.Map, error) {
	if own != "" {
		return found.Set("id", property.New(own)), nil
	}
	content, err := json.Marshal(resource.ToResourcePropertyMap(found).Mappable())
	if err != nil {
		return property.Map{}, fmt.Errorf("identifying what was looked up: %w", err)
	}
	id := strconv.FormatUint(uint64(crc32.ChecksumIEEE(content)), 10)
	return found.Set("id", property.New(id)), nil
}
