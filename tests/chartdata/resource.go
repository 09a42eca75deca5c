package chartdata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// crd is the part of a CustomResourceDefinition that says what its objects look like.
type crd struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct {
				OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
			}
		}
	}
}

// definition returns the validator of a custom resource.
func (d *Data) definition(apiVersion, kind string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := apiVersion + " " + kind
	if d.resources[key] != nil {
		return d.resources[key], nil
	}
	schema, err := d.openAPI(apiVersion, kind)
	if err != nil {
		return nil, err
	}
	if properties := dig(schema, "properties"); properties != nil {
		for _, key := range []string{"apiVersion", "kind", "metadata"} {
			properties[key] = map[string]any{}
		}
	}
	d.resources[key], err = compileOpenAPI(schema)
	return d.resources[key], err
}

// openAPI looks up the schema of a custom resource, made strict.
func (d *Data) openAPI(apiVersion, kind string) (schema map[string]any, err error) {
	group, version, _ := strings.Cut(apiVersion, "/")
	for _, files := range d.charts {
		err = fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" {
				return err
			}
			text, err := fs.ReadFile(files, path)
			// To parse them all would take a while: some are megabytes long.
			if err != nil || !bytes.Contains(text, []byte("group: "+group)) || !bytes.Contains(text, []byte("kind: "+kind)) {
				return err
			}
			if schema, err = find(templateLine.ReplaceAll(text, nil), group, version, kind); schema != nil {
				return fs.SkipAll
			}
			return err
		})
		if schema != nil || err != nil {
			break
		}
	}
	if err == nil && schema == nil {
		err = ErrNoDefinition
	}
	strict(schema)
	return schema, err
}

// templateLine is a line with a template. Those of CRDs say whether there is one, and how it is labelled, but not its schema.
var templateLine = regexp.MustCompile(`(?m)^.*\{\{.*$`)

// find looks up a version of a kind in a file of CRDs; nil where it is not there.
func find(text []byte, group, version, kind string) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var c crd
		if err := decoder.Decode(&c); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if c.Spec.Group != group || c.Spec.Names.Kind != kind {
			continue
		}
		for _, served := range c.Spec.Versions {
			if served.Name == version {
				return served.Schema.OpenAPIV3Schema, nil
			}
		}
	}
}

// strict makes a schema refuse what the API server would drop without a word, and miss nothing that it would fill in.
func strict(schema map[string]any) {
	properties := dig(schema, "properties")
	for name := range properties {
		strict(dig(properties, name))
	}
	for _, word := range []string{"items", "additionalProperties"} {
		if below := dig(schema, word); below != nil {
			strict(below)
		}
	}
	if schema["type"] == "object" && schema["additionalProperties"] == nil &&
		schema["x-kubernetes-preserve-unknown-fields"] != true && schema["x-kubernetes-embedded-resource"] != true {
		schema["additionalProperties"] = false
	}
	if schema["nullable"] == true && schema["type"] != nil {
		schema["type"] = []any{schema["type"], "null"}
	}
	required, _ := schema["required"].([]any)
	required = slices.DeleteFunc(slices.Clone(required), func(name any) bool {
		return dig(properties, fmt.Sprint(name))["default"] != nil
	})
	if delete(schema, "required"); len(required) > 0 { // an empty list is no JSON schema
		schema["required"] = required
	}
}

// dig returns the map at a path, nil where there is none.
func dig(schema map[string]any, path ...string) map[string]any {
	for _, key := range path {
		schema, _ = schema[key].(map[string]any)
	}
	return schema
}

// compileOpenAPI takes what a CRD calls OpenAPI v3: the fourth draft of JSON schema, with some words of its own.
func compileOpenAPI(schema map[string]any) (*jsonschema.Schema, error) {
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	return compile(text, jsonschema.Draft4)
}

// violations are what a schema has against a value, each with its place.
func violations(schema *jsonschema.Schema, value any) []string {
	text, err := json.Marshal(value)
	if err != nil {
		return []string{err.Error()}
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(schema.Validate(document), &invalid) {
		return nil
	}
	var faults []string
	for _, unit := range invalid.BasicOutput().Errors {
		if unit.Error != nil {
			place := strings.ReplaceAll(strings.TrimPrefix(unit.InstanceLocation, "/"), "/", ".")
			faults = append(faults, fmt.Sprintf("%s: %s", place, unit.Error))
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// podFields are the validators of values that charts hand through to pods. The CRD of Prometheus, whose pods can be changed in
// every detail, has Kubernetes' own schema of each.
type podFields map[string]*jsonschema.Schema

func (d *Data) podFields() (podFields, error) {
	schema, err := d.openAPI("monitoring.coreos.com/v1", "Prometheus")
	if errors.Is(err, ErrNoDefinition) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pod := dig(schema, "properties", "spec", "properties")
	container := dig(pod, "containers", "items", "properties")
	fields := podFields{}
	for name, schema := range map[string]map[string]any{
		"affinity":                  dig(pod, "affinity"),
		"tolerations":               dig(pod, "tolerations"),
		"topologySpreadConstraints": dig(pod, "topologySpreadConstraints"),
		"resources":                 dig(container, "resources"),
		"livenessProbe":             dig(container, "livenessProbe"),
		"readinessProbe":            dig(container, "readinessProbe"),
		"startupProbe":              dig(container, "startupProbe"),
		"containerSecurityContext":  dig(container, "securityContext"),
		"podSecurityContext":        dig(pod, "securityContext"),
		// Charts mean the one or the other.
		"securityContext": {"anyOf": []any{pod["securityContext"], container["securityContext"]}},
	} {
		if fields[name], err = compileOpenAPI(schema); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return fields, nil
}

func (p podFields) has(key string) bool { return p[key] != nil }

// check returns what is wrong with a value, where its key says that it goes to a pod.
func (p podFields) check(place, key string, value any) []string {
	if !p.has(key) || value == nil {
		return nil
	}
	var faults []string
	for _, fault := range violations(p[key], value) {
		faults = append(faults, strings.Replace(place+"."+fault, ".: ", ": ", 1))
	}
	return faults
}
