package tests

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// update writes the golden graphs anew: go test ./tests -run Golden -update
var update = flag.Bool("update", false, "write the golden files anew instead of comparing with them")

// masked stands in a golden graph for what is secret.
const masked = "(secret)"

const goldenHeader = `# What stack %s declares, component by component; secrets are masked. Written by: go test ./tests -run Golden -update
#
# waitsFor leaves out what follows from the rest: from the parent, the provider and the waitsFor of those that are named. Thus
# a line that comes or goes is an edge of the graph, at any distance, that comes or goes.
`

// The golden graphs are read in reviews: their diff is what a change does to each stack.
func TestGoldenGraphs(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"staging", "prod"} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			got := fmt.Sprintf(goldenHeader, stack) + deployed(t, stack).golden(t)
			require.NotContains(t, got, secret)
			path := filepath.Join("testdata", stack+".golden.yaml")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			if diff := unifiedDiff(t, path, string(want), got); diff != "" {
				t.Errorf("the graph has changed; if it is meant to, run: go test ./tests -run Golden -update\n%s", diff)
			}
		})
	}
}

func unifiedDiff(t *testing.T, path, want, got string) string {
	t.Helper()
	diff, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(want), B: difflib.SplitLines(got), FromFile: path, ToFile: "the program", Context: 3,
	})
	require.NoError(t, err)
	return diff
}

// goldenResource is what the file holds of a resource. Options that say nothing are left out.
type goldenResource struct {
	Parent              string            `yaml:"parent,omitempty"`
	Provider            string            `yaml:"provider,omitempty"`
	WaitsFor            []string          `yaml:"waitsFor,omitempty"`
	Protect             bool              `yaml:"protect,omitempty"`
	RetainOnDelete      bool              `yaml:"retainOnDelete,omitempty"`
	DeleteBeforeReplace bool              `yaml:"deleteBeforeReplace,omitempty"`
	DeletedWith         string            `yaml:"deletedWith,omitempty"`
	Import              string            `yaml:"import,omitempty"`
	IgnoreChanges       []string          `yaml:"ignoreChanges,omitempty"`
	ReplaceOnChanges    []string          `yaml:"replaceOnChanges,omitempty"`
	SecretOutputs       []string          `yaml:"secretOutputs,omitempty"`
	Aliases             []string          `yaml:"aliases,omitempty"`
	Timeouts            map[string]string `yaml:"timeouts,omitempty"`
	Hooks               []string          `yaml:"hooks,omitempty"`
	Inputs              map[string]any    `yaml:"inputs,omitempty"`
}

// golden renders the graph, children after their parents.
func (g *graph) golden(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	for _, key := range g.byComponent() {
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2)
		text.WriteByte('\n')
		require.NoError(t, encoder.Encode(map[string]goldenResource{key: g.describe(key)}))
	}
	return text.String()
}

func (g *graph) describe(key string) goldenResource {
	r := g.resources[key].request
	described := goldenResource{
		Parent:              keyOf(r.GetParent()),
		Provider:            keyOf(providerURN(r)),
		WaitsFor:            g.reducedEdges(key),
		Protect:             r.GetProtect(),
		RetainOnDelete:      r.GetRetainOnDelete(),
		DeleteBeforeReplace: r.GetDeleteBeforeReplace(),
		DeletedWith:         keyOf(r.GetDeletedWith()),
		Import:              r.GetImportId(),
		IgnoreChanges:       slices.Sorted(slices.Values(r.GetIgnoreChanges())),
		ReplaceOnChanges:    slices.Sorted(slices.Values(r.GetReplaceOnChanges())),
		SecretOutputs:       slices.Sorted(slices.Values(r.GetAdditionalSecretOutputs())),
		Aliases:             aliases(r),
		Timeouts:            timeouts(r.GetCustomTimeouts()),
		Inputs:              renderMap(g.resources[key].inputs),
	}
	if hooks := r.GetHooks(); hooks != nil {
		described.Hooks = slices.Sorted(slices.Values(slices.Concat(hooks.GetBeforeCreate(), hooks.GetAfterCreate(),
			hooks.GetBeforeUpdate(), hooks.GetAfterUpdate(), hooks.GetBeforeDelete(), hooks.GetAfterDelete(), hooks.GetOnError())))
	}
	if g.resources[described.Parent] == nil { // the stack itself
		described.Parent = ""
	}
	return described
}

// aliases are the other identities under which the state may hold a resource.
func aliases(r *pulumirpc.RegisterResourceRequest) []string {
	described := slices.Clone(r.GetAliasURNs())
	for _, alias := range r.GetAliases() {
		spec := alias.GetSpec()
		if spec == nil {
			described = append(described, alias.GetUrn())
			continue
		}
		var parts []string
		for _, part := range []struct{ name, value string }{
			{"type", spec.GetType()}, {"name", spec.GetName()}, {"parent", keyOf(spec.GetParentUrn())},
			{"stack", spec.GetStack()}, {"project", spec.GetProject()},
		} {
			if part.value != "" {
				parts = append(parts, part.name+" "+part.value)
			}
		}
		if spec.GetNoParent() {
			parts = append(parts, "no parent")
		}
		described = append(described, strings.Join(parts, ", "))
	}
	// The Kubernetes SDK adds one for each older version of a kind's API.
	return slices.DeleteFunc(described, func(alias string) bool {
		kind := r.GetType()[strings.LastIndex(r.GetType(), ":"):]
		return strings.HasPrefix(alias, "type kubernetes:") && strings.HasSuffix(alias, kind)
	})
}

func timeouts(t *pulumirpc.RegisterResourceRequest_CustomTimeouts) map[string]string {
	described := map[string]string{"create": t.GetCreate(), "update": t.GetUpdate(), "delete": t.GetDelete()}
	maps.DeleteFunc(described, func(_, duration string) bool { return duration == "" })
	return described
}

// byComponent returns the keys of all resources, each followed by its children.
func (g *graph) byComponent() []string {
	children := map[string][]string{}
	for key, node := range g.resources {
		parent := keyOf(node.request.GetParent())
		if g.resources[parent] == nil {
			parent = ""
		}
		children[parent] = append(children[parent], key)
	}
	var ordered []string
	var visit func(parent string)
	visit = func(parent string) {
		slices.SortFunc(children[parent], byNameThenType)
		for _, key := range children[parent] {
			ordered = append(ordered, key)
			visit(key)
		}
	}
	visit("")
	return ordered
}

func byNameThenType(a, b string) int {
	aType, aName, _ := strings.Cut(a, " ")
	bType, bName, _ := strings.Cut(b, " ")
	return cmp.Or(cmp.Compare(aName, bName), cmp.Compare(aType, bType))
}

// reducedEdges are the links of a resource but its parent and provider, without those that another link implies.
func (g *graph) reducedEdges(key string) []string {
	r := g.resources[key].request
	all := slices.Compact(slices.Sorted(slices.Values(links(r))))
	given := []string{keyOf(r.GetParent()), keyOf(providerURN(r))}
	return slices.DeleteFunc(slices.Clone(all), func(edge string) bool {
		return g.resources[edge] == nil || slices.Contains(given, edge) ||
			slices.ContainsFunc(all, func(other string) bool { return g.waitsFor(other, edge) })
	})
}

func providerURN(r *pulumirpc.RegisterResourceRequest) string {
	reference := r.GetProvider() // urn::id
	return reference[:max(0, strings.LastIndex(reference, "::"))]
}

// keyOf turns a URN into "type name".
func keyOf(urn string) string {
	if urn == "" {
		return ""
	}
	return string(resource.URN(urn).Type()) + " " + resource.URN(urn).Name()
}

func renderMap(properties resource.PropertyMap) map[string]any {
	rendered := map[string]any{}
	for key, value := range properties {
		rendered[string(key)] = render(value)
		if value.IsString() && strings.Contains(value.StringValue(), `"schemaVersion"`) {
			rendered[string(key)] = "(dashboard)" // read in components/monitoring/dashboards, and not twice here
		}
	}
	return rendered
}

// render turns a value into what YAML shows best.
func render(value resource.PropertyValue) any {
	switch {
	case value.IsSecret() || value.IsOutput() && value.OutputValue().Secret:
		return masked
	case value.IsOutput():
		return render(value.OutputValue().Element)
	case value.IsObject():
		return renderMap(value.ObjectValue())
	case value.IsArray():
		items := []any{}
		for _, item := range value.ArrayValue() {
			items = append(items, render(item))
		}
		return items
	case value.IsNumber() && value.NumberValue() == math.Trunc(value.NumberValue()):
		return int64(value.NumberValue())
	default:
		return value.V
	}
}
