package kubernetes_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/cli"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	stand "lke-platform/tests/rehearsal/plugins/kubernetes"
)

const releaseToken = "kubernetes:helm.sh/v3:Release"

// writeChart makes a chart, with a definition, a hook that has to end first, and a workload to wait for.
func writeChart(t *testing.T, folder, name, version string) {
	t.Helper()
	pack(t, folder, map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: " + name + "\nversion: " + version + "\nappVersion: 9.9.9\n",
		"values.yaml": "greeting: hello\ncpu: 10m\n",
		"crds/crd.yaml": `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.` + name + `.example}
spec:
  group: ` + name + `.example
  scope: Cluster
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`,
		"templates/hook.yaml": `
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-setup
  annotations: {helm.sh/hook: pre-install}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: setup, image: "setup:1"}]}}}
`,
		"templates/config.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {greeting: {{ .Values.greeting | quote }}, version: {{ .Chart.Version | quote }}}
`,
		"templates/workload.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: "app:1", resources: {requests: {cpu: {{ .Values.cpu }}}}}]}
`,
	})
}

// pack puts the archive of a chart into a folder.
func pack(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	unpacked := t.TempDir()
	for file, content := range files {
		file = filepath.Join(unpacked, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	chart, err := loader.LoadDir(unpacked)
	require.NoError(t, err)
	_, err = chartutil.Save(chart, folder)
	require.NoError(t, err)
}

func releaseOf(folder, chart, version, namespace string, values props, more props) props {
	program := props{
		"name": chart, "chart": filepath.Join(folder, chart+"-"+version+".tgz"), "version": version, "namespace": namespace,
		"values": values, "atomic": true, "timeout": 60,
	}
	maps.Copy(program, more)
	return program
}

func (e *engine) greeting(namespace, name string) string {
	e.Helper()
	greeting, _, _ := unstructured.NestedString(e.live("configmaps", namespace, name).Object, "data", "greeting")
	return greeting
}

func TestRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeChart(t, folder, "greeter", "1.0.0")
	writeChart(t, folder, "greeter", "1.1.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("greeter")

	e.succeed(e.up(releaseToken, "greeter", releaseOf(folder, "greeter", "1.0.0", "greeter", props{"greeting": "hi"}, nil)))
	require.Equal(t, "greeter/greeter", e.states[urnOf(releaseToken, "greeter")].id)
	require.Equal(t, "deployed", e.output(releaseToken, "greeter", "status.status"))
	require.EqualValues(t, 1, e.output(releaseToken, "greeter", "status.revision"))
	require.Equal(t, "9.9.9", e.output(releaseToken, "greeter", "status.appVersion"))
	require.Equal(t, "hi", e.greeting("greeter", "greeter"))
	ready, _, _ := unstructured.NestedInt64(e.live("deployments", "greeter", "greeter").Object, "status", "readyReplicas")
	require.EqualValues(t, 1, ready, "installing waits")
	e.succeed(e.up("kubernetes:greeter.example/v1:Gadget", "gadget", props{"metadata": props{"name": "g"}, "size": 1}))
	require.Equal(t, "g", e.states[urnOf("kubernetes:greeter.example/v1:Gadget", "gadget")].id)

	program := releaseOf(folder, "greeter", "1.0.0", "greeter", props{"greeting": "hi"}, nil)
	did, changed, err := e.up(releaseToken, "greeter", program)
	e.must("same", did, changed, err)
	require.Empty(t, e.refresh(releaseToken, "greeter"))

	program = releaseOf(folder, "greeter", "1.1.0", "greeter", props{"greeting": "hi all"}, nil)
	did, changed, err = e.up(releaseToken, "greeter", program)
	e.must("update", did, changed, err)
	require.ElementsMatch(t, []string{"chart", "version", "values.greeting"}, changed)
	require.Equal(t, "hi all", e.greeting("greeter", "greeter"))

	rollback := action.NewRollback(helm(t, "greeter"))
	rollback.Version = 1
	require.NoError(t, rollback.Run("greeter"))
	require.ElementsMatch(t, []string{"version", "values.greeting"}, e.refresh(releaseToken, "greeter"),
		"a rollback by hand is drift")
	did, _, err = e.up(releaseToken, "greeter", program)
	e.must("update", did, nil, err)
	require.EqualValues(t, 4, e.output(releaseToken, "greeter", "status.revision"))

	require.NoError(t, e.destroy(releaseToken, "greeter"))
	_, err = objects("deployments", "greeter").Get(t.Context(), "greeter", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
}

// A release may be made of kinds that another one has just brought.
func TestReleaseOfANewKind(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pack(t, folder, map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: gears\nversion: 1.0.0\n",
		"templates/crd.yaml": `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gears.machine.example}
spec:
  group: machine.example
  scope: Namespaced
  names: {plural: gears, singular: gear, kind: Gear}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`,
	})
	pack(t, folder, map[string]string{
		"Chart.yaml":          "apiVersion: v2\nname: machine\nversion: 1.0.0\n",
		"templates/gear.yaml": "apiVersion: machine.example/v1\nkind: Gear\nmetadata: {name: first}\n",
	})
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("machine")
	e.succeed(e.up(releaseToken, "gears", releaseOf(folder, "gears", "1.0.0", "machine", nil, nil)))
	e.succeed(e.up(releaseToken, "machine", releaseOf(folder, "machine", "1.0.0", "machine", nil, nil)))
	require.NoError(t, e.destroy(releaseToken, "machine"))
	require.NoError(t, e.destroy(releaseToken, "gears"))
}

func TestFailedRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeChart(t, folder, "failing", "1.0.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("failing")

	unfit := releaseOf(folder, "failing", "1.0.0", "failing", props{"cpu": "64"}, props{"atomic": false, "timeout": 2})
	_, _, err := e.up(releaseToken, "failing", unfit)
	require.Error(t, err)
	failed := e.states[urnOf(releaseToken, "failing")]
	require.NotNil(t, failed, "Helm has the release, so the state has it too")
	require.Contains(t, strings.Join(failed.unready, "\n"), "Insufficient cpu")

	fit := releaseOf(folder, "failing", "1.0.0", "failing", props{"cpu": "10m"}, nil)
	did, _, err := e.up(releaseToken, "failing", fit)
	e.must("update", did, nil, err)
	require.EqualValues(t, 2, e.output(releaseToken, "failing", "status.revision"), "an upgrade of the failed installation")
}

// Helm refuses what it has a record of, and what an operation that was cut short has left half done; so does the official provider.
func TestReleaseThatWasCutShort(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeChart(t, folder, "short", "1.0.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("short")
	program := releaseOf(folder, "short", "1.0.0", "short", nil, nil)
	e.succeed(e.up(releaseToken, "short", program))

	config := helm(t, "short")
	last, err := config.Releases.Last("short")
	require.NoError(t, err)
	pending := *last
	pending.Version, pending.Info.Status = 2, "pending-upgrade"
	require.NoError(t, config.Releases.Create(&pending))
	require.Empty(t, e.refresh(releaseToken, "short"))
	_, _, err = e.up(releaseToken, "short", releaseOf(folder, "short", "1.0.0", "short", props{"greeting": "x"}, nil))
	require.ErrorContains(t, err, "another operation (install/upgrade/rollback) is in progress")

	delete(e.states, urnOf(releaseToken, "short"))
	_, _, err = e.up(releaseToken, "short", program)
	require.ErrorContains(t, err, "cannot re-use a name that is still in use")
}

func TestAtomicRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeChart(t, folder, "atomic", "1.0.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("atomic")
	unfit := releaseOf(folder, "atomic", "1.0.0", "atomic", props{"cpu": "64", "greeting": "never"}, props{"timeout": 5})

	_, _, err := e.up(releaseToken, "atomic", unfit)
	require.ErrorContains(t, err, "Insufficient cpu", "what was missing is told, although it is gone")
	require.ErrorContains(t, err, "it was uninstalled")
	require.Nil(t, e.states[urnOf(releaseToken, "atomic")])

	e.succeed(e.up(releaseToken, "atomic", releaseOf(folder, "atomic", "1.0.0", "atomic", nil, nil)))
	_, _, err = e.up(releaseToken, "atomic", unfit)
	require.ErrorContains(t, err, "Insufficient cpu")
	require.ErrorContains(t, err, "it was rolled back to revision 1")
	require.Equal(t, "hello", e.greeting("atomic", "atomic"))
	require.Empty(t, e.refresh(releaseToken, "atomic"))
}

func TestReleaseWithoutChart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	left := &substitute{makes: func(ctx context.Context) error {
		_, err := objects("configmaps", "absent").Create(ctx, &unstructured.Unstructured{Object: props{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": props{"name": "absent"}, "data": props{"greeting": "played"},
		}}, metav1.CreateOptions{})
		return err
	}}
	e := onCluster(t, stand.Options{NotRendered: left}, nil)
	e.namespace("absent")
	program := releaseOf(folder, "absent", "3.2.1", "absent", nil, nil)
	e.succeed(e.up(releaseToken, "absent", program))
	const found = "found absent/absent, chart absent 3.2.1"
	require.Equal(t, []string{found, found, "deployed absent/absent"}, left.take(), "the preview tells, and so does the update")
	require.Equal(t, "not-rendered", e.output(releaseToken, "absent", "status.status"))

	require.Empty(t, e.refresh(releaseToken, "absent"))
	did, changed, err := e.up(releaseToken, "absent", program)
	e.must("same", did, changed, err)
	require.Contains(t, left.take(), found, "also where nothing changes")

	writeChart(t, folder, "absent", "3.2.1")
	did, _, err = e.up(releaseToken, "absent", program)
	e.must("update", did, nil, err)
	require.Equal(t, "deployed", e.output(releaseToken, "absent", "status.status"))
	require.Equal(t, []string{"uninstalled absent/absent"}, left.take(), "the release itself takes its place")
	require.Equal(t, "hello", e.greeting("absent", "absent"), "and takes over what was left behind")
}

// Helm takes over nothing that it has not made, where no substitute has.
func TestReleaseOverWhatIsThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeChart(t, folder, "late", "1.0.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("late")
	_, err := objects("configmaps", "late").Create(t.Context(), &unstructured.Unstructured{Object: props{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": props{"name": "late"},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, _, err = e.up(releaseToken, "late", releaseOf(folder, "late", "1.0.0", "late", nil, nil))
	require.ErrorContains(t, err, "cannot be imported into the current release")
}

// What is at hand and no chart is a fault, as with the official provider, and nothing to be played.
func TestReleaseOfABrokenChart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "broken-1.0.0.tgz"), []byte("half of it"), 0o600))
	left := &substitute{}
	e := onCluster(t, stand.Options{NotRendered: left}, nil)
	_, _, err := e.up(releaseToken, "broken", releaseOf(folder, "broken", "1.0.0", "default", nil, nil))
	require.ErrorContains(t, err, "broken-1.0.0.tgz")
	require.Empty(t, left.take())
}

// A repository that becomes a path is an upgrade to the same chart: a revision more, and no other pod.
func TestReleaseOfAChartThatMoves(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	writeChart(t, folder, "moving", "1.0.0")
	writeChart(t, elsewhere, "moving", "1.0.0")
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("moving")
	e.succeed(e.up(releaseToken, "moving", releaseOf(folder, "moving", "1.0.0", "moving", nil, nil)))
	before := e.live("deployments", "moving", "moving").GetGeneration()
	did, changed, err := e.up(releaseToken, "moving", releaseOf(elsewhere, "moving", "1.0.0", "moving", nil, nil))
	e.must("update", did, nil, err)
	require.Equal(t, []string{"chart"}, changed)
	require.EqualValues(t, 2, e.output(releaseToken, "moving", "status.revision"))
	require.Equal(t, before, e.live("deployments", "moving", "moving").GetGeneration())
}

// substitute notes what it is told, and makes something, which it leaves behind.
type substitute struct {
	makes func(context.Context) error
	mu    sync.Mutex
	told  []string
}

func (s *substitute) note(format string, arguments ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf(format, arguments...))
}

func (s *substitute) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	return told
}

func (s *substitute) Found(r stand.NotRendered) {
	s.note("found %s/%s, chart %s %s", r.Namespace, r.Name, r.Chart, r.Version)
}

func (s *substitute) Deployed(ctx context.Context, r stand.NotRendered) error {
	s.note("deployed %s/%s", r.Namespace, r.Name)
	return s.makes(ctx)
}

func (s *substitute) Uninstalled(_ context.Context, r stand.NotRendered) error {
	s.note("uninstalled %s/%s", r.Namespace, r.Name)
	return nil
}

func TestBadReleases(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	for name, bad := range map[string]struct {
		program props
		want    string
	}{
		"unknown property": {props{"chart": "x", "atomik": true}, "atomik"},
		"repository":       {props{"chart": "x", "repositoryOpts": props{"repo": "https://charts.example"}}, "repositoryOpts"},
		"registry":         {props{"chart": "oci://charts.example/x"}, "at hand"},
		"unknown beside what is not known yet": {
			props{"chart": "x", "values": resource.MakeComputed(resource.NewProperty("")), "atomik": true}, "atomik",
		},
		"wrong type": {props{"chart": "x", "timeout": "soon"}, "timeout"},
		"no chart":   {props{"name": "x"}, "chart"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := e.up(releaseToken, "bad", bad.program)
			require.ErrorContains(t, err, bad.want)
		})
	}
}

// helm is Helm as its command line would be.
func helm(t *testing.T, namespace string) *action.Configuration {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(cluster.kubeconfig), 0o600))
	settings := cli.New()
	settings.KubeConfig = file
	config := &action.Configuration{}
	require.NoError(t, config.Init(settings.RESTClientGetter(), namespace, "secret", func(string, ...any) {}))
	return config
}
