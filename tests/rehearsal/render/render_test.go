package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/rendered"
	"lke-platform/components/charts/archive"
)

const (
	definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget}
  versions: [{name: v1, served: true}%s]
`
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version }}", app.kubernetes.io/name: web}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers: [{name: web, image: "example.com/web:{{ .Chart.Version }}"}]
`
	service = `apiVersion: v1
kind: Service
metadata: {name: web, labels: {helm.sh/chart: "web-{{ .Chart.Version }}"}}
`
	secret = `apiVersion: v1
kind: Secret
metadata: {name: web}
data: {password: "{{ printf "hunter2-%%s" .Chart.Version | b64enc }}"%s}
`
	hook = `apiVersion: batch/v1
kind: Job
metadata: {name: upgrade, annotations: {helm.sh/hook: pre-upgrade}}
---
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
`
	// widget is only made where somebody defines its kind.
	widget = `{{ if .Capabilities.APIVersions.Has "example.com/v1/Widget" }}
apiVersion: example.com/v1
kind: Widget
metadata: {name: own, namespace: elsewhere}
{{ end }}`
	config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n"
)

// save puts a chart into a folder, as make charts does.
func save(t *testing.T, root, name, version string, templates map[string]string) {
	t.Helper()
	c := &chart.Chart{Metadata: &chart.Metadata{APIVersion: chart.APIVersionV2, Name: name, Version: version}}
	for file, text := range templates {
		packed := &chart.File{Name: file, Data: []byte(text)}
		if filepath.Dir(file) == "crds" {
			c.Files = append(c.Files, packed)
		} else {
			c.Templates = append(c.Templates, packed)
		}
	}
	_, err := chartutil.Save(c, filepath.Join(root, archive.Folder))
	require.NoError(t, err)
}

// commit makes a folder with the charts of a version and the golden graph of a stack that installs them.
func commit(t *testing.T, kubernetes, version string, replicas int, templates map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	save(t, root, "web", version, templates)
	save(t, root, "operator", "1.0.0", map[string]string{"templates/widget.yaml": widget})
	const resource = "%s%s:\n  parent: x\n  inputs: {%s}\n\n"
	const inputs = `chart: .charts/%s-%s.tgz, name: %[1]s, namespace: web, version: %[2]s, values: {replicas: %[3]d}`
	graph := fmt.Sprintf(resource, clusterType, "cluster", `k8sVersion: "`+kubernetes+`"`) +
		fmt.Sprintf(resource, releaseType, "web", fmt.Sprintf(inputs, "web", version, replicas)) +
		fmt.Sprintf(resource, releaseType, "operator", fmt.Sprintf(inputs, "operator", "1.0.0", 1)) +
		fmt.Sprintf(resource, releaseType, "lost", fmt.Sprintf(inputs, "lost", version, 1))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "tests", "testdata"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "tests", "testdata", "prod.golden.yaml"), []byte(graph), 0o600))
	return root
}

func templates(service string, more map[string]string) map[string]string {
	all := map[string]string{
		"templates/deployment.yaml": deployment, "templates/service.yaml": service, "templates/hook.yaml": hook,
		"templates/NOTES.txt": "Of {{ .Chart.Version }}",
	}
	for file, text := range more {
		all[file] = text
	}
	return all
}

// Whoever reviews another version of a chart sees what it makes otherwise, and no secret.
func TestAnotherVersionOfAChartIsShownByItsObjects(t *testing.T) {
	base := commit(t, "1.36", "1.0.0", 2, templates(service, map[string]string{
		"templates/secret.yaml": fmt.Sprintf(secret, ""), "templates/old.yaml": config,
		"crds/widgets.yaml": fmt.Sprintf(definition, ", {name: v1alpha1, served: true}"),
	}))
	head := commit(t, "1.36", "1.1.0", 3, templates(service, map[string]string{
		"templates/secret.yaml": fmt.Sprintf(secret, ", token: aHVudGVyMg=="), "templates/widget.yaml": widget,
		"crds/widgets.yaml": fmt.Sprintf(definition, ""),
	}))
	require.NoError(t, run("prod", base, "main", head))
	t.Chdir(head)
	found, err := rendered.Read("prod")
	require.NoError(t, err)
	require.Equal(t, "main", found.Base)
	require.Len(t, found.Releases, 2, "what is the same is not told")

	lost, web := found.Releases[0], found.Releases[1]
	require.Equal(t, ".charts/lost-1.0.0.tgz is not at hand\n.charts/lost-1.1.0.tgz is not at hand", lost.Lacks)
	require.Equal(t, []string{"web", "web-1.0.0", "web-1.1.0"}, []string{web.Name, web.Before, web.After})
	require.Equal(t, []string{"Widget elsewhere/own"}, web.Added)
	require.Equal(t, []string{"ConfigMap old"}, web.Removed)
	require.Equal(t, []rendered.Definition{{Name: "widgets.example.com", Before: "v1, v1alpha1", After: "v1"}}, web.Definitions)
	require.Len(t, web.Changed, 2, "a Service that only has another label is none")
	require.Equal(t, "Deployment web", web.Changed[0].Name)
	require.Equal(t, "Secret web", web.Changed[1].Name)

	text := markdown.Rendered(found)
	for _, told := range []string{
		"**`web`**: `web-1.0.0` → `web-1.1.0`: adds 1 object, removes 1, changes 2; 1 definition differs.",
		"-  replicas: 2\n+  replicas: 3\n", "+  token: (secret)\n", "Comes: `Widget elsewhere/own`", "Goes: `ConfigMap old`",
		"| `widgets.example.com` | `v1, v1alpha1` | `v1` |", "**`lost`**: `lost-1.0.0` → `lost-1.1.0`. **Not compared**: ",
	} {
		require.Contains(t, text, told)
	}
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "helm.sh/chart"} {
		require.NotContains(t, text, secret)
	}
}

// Charts ask which Kubernetes they are for.
func TestAnotherKubernetesShowsInWhatChartsMake(t *testing.T) {
	const asking = `apiVersion: v1
kind: Service
metadata: {name: web, annotations: {for: "{{ .Capabilities.KubeVersion.Minor }}"}}
`
	base := commit(t, "1.36", "1.0.0", 2, templates(asking, nil))
	head := commit(t, "1.37", "1.0.0", 2, templates(asking, nil))
	require.NoError(t, run("prod", base, "main", head))
	t.Chdir(head)
	found, err := rendered.Read("prod")
	require.NoError(t, err)
	require.Len(t, found.Releases, 2)
	require.Equal(t, "Service web", found.Releases[1].Changed[0].Name)

	require.NoError(t, run("prod", head, "main", head))
	found, err = rendered.Read("prod")
	require.NoError(t, err)
	require.Empty(t, found.Releases)
	require.Empty(t, markdown.Rendered(found))
}

// A chart that cannot be rendered with the values says why.
func TestAChartThatDoesNotRenderSaysWhy(t *testing.T) {
	base := commit(t, "1.36", "1.0.0", 2, templates(service, nil))
	head := commit(t, "1.36", "1.1.0", 2, templates(`{{ fail "set a port" }}`, nil))
	require.NoError(t, run("prod", base, "main", head))
	t.Chdir(head)
	found, err := rendered.Read("prod")
	require.NoError(t, err)
	require.Contains(t, found.Releases[1].Lacks, "set a port")
}
