package chartdata

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"lke-platform/components/charts/archive"
)

func TestAWrongValueOfAChartIsNamed(t *testing.T) {
	t.Parallel()
	data, err := Open(packed(t))
	require.NoError(t, err)
	for name, test := range map[string]struct{ values, fault string }{
		"known":                  {"{replicas: 2, service: {type: LoadBalancer, annotations: {example.com/c: d}}}", ""},
		"free-form":              {"{config: {anything: {at: all}}, hosts: [a, b]}", ""},
		"documented":             {"{service: {nodePort: 30001}}", ""},
		"of a subchart":          {"{sub: {size: 2Gi, level: warn}}", ""},
		"for all charts":         {"{global: {anything: 1}}", ""},
		"taken away":             {"{service: null}", ""},
		"misspelt":               {"{replcias: 2}", "replcias: the chart has no such value; it knows config, enabled, hosts, replicas, "},
		"misspelt below":         {"{service: {tpye: x}}", "service.tpye: the chart has no such value; it knows annotations, type"},
		"misspelt in a subchart": {"{sub: {siez: 2Gi}}", "sub.siez: the chart has no such value; it knows level, size"},
		"text for a map":         {"{service: ClusterIP}", "service: is a map in the chart"},
		"map for a list":         {"{hosts: {a: b}}", "hosts: is a list in the chart"},
		"text for a switch":      {`{enabled: "false"}`, "enabled: is true or false in the chart"},
		"against the schema":     {"{replicas: 0}", "replicas: minimum: got 0, want 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, version, err := data.CheckValues("tiny-1.0.0.tgz", parse(t, test.values))
			require.NoError(t, err)
			require.Equal(t, "1.0.0", version)
			requireFault(t, test.fault, faults)
		})
	}
	_, _, err = data.CheckValues("none-1.0.0.tgz", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAWrongFieldOfACustomResourceIsNamed(t *testing.T) {
	t.Parallel()
	data, err := Open(packed(t))
	require.NoError(t, err)
	for name, test := range map[string]struct{ spec, fault string }{
		"right":          {"{size: 1, port: http, labels: {a: b}, free: {any: thing}, note: null}", ""},
		"defaulted":      {"{size: 1}", ""},
		"unknown field":  {"{size: 1, colour: red}", "spec: additional properties 'colour' not allowed"},
		"missing field":  {"{color: red}", "spec: missing property 'size'"},
		"wrong type":     {`{size: "1"}`, "spec.size: got string, want integer"},
		"wrong in a map": {"{size: 1, labels: {a: 1}}", "spec.labels.a: got number, want string"},
		"out of bounds":  {"{size: 0}", "spec.size: exclusiveMinimum"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := data.CheckResource(map[string]any{
				"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "w"}, "spec": parse(t, test.spec),
			})
			require.NoError(t, err)
			requireFault(t, test.fault, faults)
		})
	}
	_, err = data.CheckResource(map[string]any{"apiVersion": "example.com/v2", "kind": "Widget"})
	require.ErrorIs(t, err, ErrNoDefinition)
}

func TestWhatChartsHandThroughToPodsIsChecked(t *testing.T) {
	t.Parallel()
	data, err := Open(filepath.Join("..", "..", archive.Folder))
	require.NoError(t, err)
	if data.pods == nil {
		t.Skip("the chart with the schema of pods is not at hand: run `make charts`")
	}
	for value, fault := range map[string]string{
		"{resources: {requests: {cpu: 1}}}":                 "",
		"{resources: {request: {cpu: 1}}}":                  "a.resources: additional properties 'request' not allowed",
		"{tolerations: [{tolerationSecond: 30}]}":           "a.tolerations.0: additional properties 'tolerationSecond' not allowed",
		"{podSecurityContext: {runAsNonRoot: true}}":        "",
		"{podSecurityContext: {runAsNonroot: true}}":        "a.podSecurityContext: additional properties 'runAsNonroot'",
		"{securityContext: {readOnlyRootFilesystem: true}}": "",
	} {
		for key, value := range parse(t, value) {
			requireFault(t, fault, data.pods.check("a."+key, key, value))
		}
	}
}

// packed puts the archive of a tiny chart into a folder.
func packed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "tiny-1.0.0.tgz"))
	require.NoError(t, err)
	zipped := gzip.NewWriter(file)
	archive := tar.NewWriter(zipped)
	require.NoError(t, archive.AddFS(os.DirFS("testdata")))
	require.NoError(t, errors.Join(archive.Close(), zipped.Close(), file.Close()))
	return dir
}

func parse(t *testing.T, text string) (values map[string]any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(text), &values))
	return values
}

func requireFault(t *testing.T, fault string, faults []string) {
	t.Helper()
	if fault == "" {
		require.Empty(t, faults)
		return
	}
	require.Len(t, faults, 1)
	require.Contains(t, faults[0], fault)
}
