package tests

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/chartdata"
)

const releaseType = "kubernetes:helm.sh/v3:Release"

// chartData opens the folder of charts that CHART_DATA names, as seen from the top of the repository.
func chartData(t *testing.T) *chartdata.Data {
	t.Helper()
	dir := os.Getenv("CHART_DATA")
	if dir == "" {
		t.Skip("CHART_DATA is not set: it names the folder of unpacked charts to check against")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir)
	}
	data, err := chartdata.Open(dir)
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
				faults, version, err := data.CheckValues(node.inputs["chart"].StringValue(), values)
				require.NoError(t, err)
				require.Empty(t, faults, strings.Join(faults, "\n"))
				pinned := node.inputs["version"].StringValue()
				require.Contains(t, []string{pinned, otherVersions[path.Base(node.inputs["chart"].StringValue())+" "+pinned]}, version,
					"CHART_DATA has the chart in another version than components/charts pins")
			})
		}
	}
}

// otherVersions are the versions that CHART_DATA says of charts as they are pinned, where it cannot be the same. A new pin wants new
// data, or a line here.
var otherVersions = map[string]string{
	"cert-manager v1.21.1": "v0.0.0", // the source of that tag: the version is stamped at release
	"webhook v0.4.1":       "0.0.0",  // likewise
	"pgo 6.0.3":            "5.8.5",  // the last chart that was published as source; its CRDs are 6.0.3's
}

// The API server drops what a CRD does not know, and refuses the rest only when all that comes before is made.
func TestEveryCustomResourceFitsItsDefinition(t *testing.T) {
	t.Parallel()
	data := chartData(t)
	for _, stack := range []string{"staging", "prod"} {
		for key, node := range deployed(t, stack).resources {
			if !isCustomResource(node.inputs) {
				continue
			}
			t.Run(stack+"/"+key, func(t *testing.T) {
				t.Parallel()
				object, _ := reveal(resource.NewProperty(node.inputs)).(map[string]any)
				faults, err := data.CheckResource(object)
				if undefined[object["kind"]] {
					require.ErrorIs(t, err, chartdata.ErrNoDefinition)
					t.Skip("its definition is not published as data: a rehearsal with the real charts checks it")
				}
				require.NoError(t, err)
				require.Empty(t, faults, strings.Join(faults, "\n"))
			})
		}
	}
}

// undefined are the kinds of custom resources whose definitions are not in CHART_DATA.
var undefined = map[any]bool{"CloudFirewall": true}

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
