package tests

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"

	"lke-platform/components/charts"
	"lke-platform/components/charts/archive"
	"lke-platform/tests/chartdata"
)

const releaseType = "kubernetes:helm.sh/v3:Release"

// chartData opens the charts that are at hand.
func chartData(t *testing.T) *chartdata.Data {
	t.Helper()
	data, err := chartdata.Open(filepath.Join("..", archive.Folder))
	require.NoError(t, err)
	return data
}

// Helm takes a value that the chart does not know, and nothing comes of it.
func TestEveryValueExistsInItsChart(t *testing.T) {
	t.Parallel()
	data := chartData(t)
	for _, stack := range []string{"staging", "prod"} {
		for _, node := range deployed(t, stack).resources {
			if node.request.GetType() != releaseType {
				continue
			}
			t.Run(stack+"/"+node.request.GetName(), func(t *testing.T) {
				t.Parallel()
				values, _ := reveal(node.inputs["values"]).(map[string]any)
				requireKnown(t, data, node.inputs["chart"].StringValue(), node.inputs["version"].StringValue(), values)
			})
		}
	}
}

// requireKnown holds values against the chart of an archive, which is of the version that its name says.
func requireKnown(t *testing.T, data *chartdata.Data, archive, pinned string, values map[string]any) {
	t.Helper()
	faults, version, err := data.CheckValues(archive, values)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("its chart is not at hand: run `make charts`")
	}
	require.NoError(t, err)
	require.Empty(t, faults, strings.Join(faults, "\n"))
	require.Equal(t, strings.TrimPrefix(pinned, "v"), strings.TrimPrefix(version, "v"))
}

// The API server drops what a CRD does not know, and refuses the rest only when all that comes before is made.
func TestEveryCustomResourceFitsItsDefinition(t *testing.T) {
	t.Parallel()
	data := chartData(t)
	complete := !slices.ContainsFunc(charts.All(), func(chart charts.Chart) bool {
		return errors.Is(chart.Check(".."), fs.ErrNotExist)
	})
	for _, stack := range []string{"staging", "prod"} {
		for key, node := range deployed(t, stack).resources {
			if !isCustomResource(node.inputs) {
				continue
			}
			t.Run(stack+"/"+key, func(t *testing.T) {
				t.Parallel()
				object, _ := reveal(resource.NewProperty(node.inputs)).(map[string]any)
				faults, err := data.CheckResource(object)
				if errors.Is(err, chartdata.ErrNoDefinition) && !complete {
					t.Skip("no chart at hand defines it: run `make charts`")
				}
				require.NoError(t, err)
				require.Empty(t, faults, strings.Join(faults, "\n"))
			})
		}
	}
}

// isCustomResource tells what a chart's CRD defines from what every API server knows.
func isCustomResource(inputs resource.PropertyMap) bool {
	if !inputs["apiVersion"].IsString() || !inputs["kind"].IsString() {
		return false
	}
	group, _, hasGroup := strings.Cut(inputs["apiVersion"].StringValue(), "/")
	return hasGroup && strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// Values of a release are kept and shown in plain text.
func TestNoReleaseHasASecretInItsValues(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"staging", "prod"} {
		for key, node := range deployed(t, stack).resources {
			if node.request.GetType() == releaseType {
				require.False(t, node.inputs["values"].ContainsSecrets(), "%s: %s", stack, key)
			}
		}
	}
}

// reveal turns a value into what JSON makes of it, with its secrets.
func reveal(value resource.PropertyValue) any {
	switch {
	case value.IsSecret():
		return reveal(value.SecretValue().Element)
	case value.IsOutput():
		return reveal(value.OutputValue().Element)
	case value.IsArray():
		items := []any{}
		for _, item := range value.ArrayValue() {
			items = append(items, reveal(item))
		}
		return items
	case value.IsObject():
		fields := map[string]any{}
		for key, field := range value.ObjectValue() {
			fields[string(key)] = reveal(field)
		}
		return fields
	default:
		return value.V
	}
}
