package main

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"lke-platform/components/charts"
	"lke-platform/components/charts/archive"

	fastlyplugin "lke-platform/tests/rehearsal/plugins/fastly"
	kubernetesplugin "lke-platform/tests/rehearsal/plugins/kubernetes"
	linodeplugin "lke-platform/tests/rehearsal/plugins/linode"
	"lke-platform/tests/rehearsal/simulation"
)

// chapter is a part of a stack's life, which builds on those before it.
type chapter struct {
	name string
	run  func(*testing.T)
}

// TestTheOfficialPlugins takes the stacks through their lives with the plugins that users run. What a stand-in takes, and an
// official plugin refuses, is found here and nowhere else.
func TestTheOfficialPlugins(t *testing.T) {
	const adopted = "      - name: staging.changelog.com\n"
	home, charts := officialPlugins(t)
	for _, life := range []struct {
		name, stack, account string
		edit                 func(string) string
		chapters             func(*estate) []chapter
	}{
		{"staging", "staging", "", strings.NewReplacer(adopted, adopted+"        adopt: 4711\n").Replace, (*estate).wholeLife},
		{"prod", "prod", "", asItIs, (*estate).wholeLife},
		{"trial", "staging", "trial", func(text string) string { return forTrials(withRelease(text)) }, (*estate).lifeOfATrial},
	} {
		t.Run(life.name, func(t *testing.T) {
			e := &estate{options: options{
				root: repository(t, life.edit), stack: life.stack, fastlyAccount: life.account,
			}}
			t.Setenv("PULUMI_HOME", home)
			require.NoError(t, os.Symlink(charts, filepath.Join(e.root, archive.Folder)))
			e.start(t)
			require.Empty(t, e.world.standIns)
			for _, chapter := range life.chapters(e) {
				if !t.Run(chapter.name, chapter.run) {
					break // what follows builds on it
				}
			}
		})
	}
}

func (e *estate) wholeLife() []chapter {
	return []chapter{
		{"a preview passes", e.previewOfficially},
		{"an up that is killed in the middle of a release is taken up by the next", e.killAndResume},
		{"nothing changes by itself", e.isClean},
		{"what was changed by hand is found and repaired", e.meddle},
		{"names are led past Fastly and back", e.bypassOfficially},
		{"nothing is left in the end, but what is meant to stay", func(t *testing.T) {
			if e.options.stack == "prod" {
				e.edit(t, "lke-platform:protect: true", "lke-platform:protect: false")
				e.load(t)
				e.up(t)
				e.destroyOfficially(t)
				return
			}
			e.destroyOfficially(t, "domains") // it was adopted
		}},
	}
}

// lifeOfATrial is one with domain management and Fastly's own certificates, which are a newer plugin's, and of pinned versions.
func (e *estate) lifeOfATrial() []chapter {
	return []chapter{
		{"it comes up", func(t *testing.T) { e.up(t) }},
		{"nothing changes by itself", e.isClean},
		{"a version comes after its release command", e.release},
		{"nothing is left in the end", func(t *testing.T) { e.destroyOfficially(t) }},
	}
}

// officialPlugins returns the folder in which Pulumi has installed the plugins, and that of the charts, which they install for
// real. It skips the test where something is missing, and says how to get it.
func officialPlugins(t *testing.T) (home, folder string) {
	t.Helper()
	var missing []string
	for _, plugin := range [][2]string{
		{"fastly", fastlyplugin.Version}, {"fastly", fastlyplugin.NewerVersion}, {"kubernetes", kubernetesplugin.Version},
		{"linode", linodeplugin.Version},
	} {
		if !installed(plugin[0], plugin[1]) {
			missing = append(missing, "pulumi plugin install resource "+plugin[0]+" "+plugin[1])
		}
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, chart := range charts.All() {
		if _, err := os.Stat(filepath.Join(root, chart.Path())); err != nil {
			missing = append(missing, "make charts")
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		t.Skip("not all of the official plugins and charts are at hand:\n  " + strings.Join(slices.Compact(missing), "\n  "))
	}
	home = os.Getenv("PULUMI_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		require.NoError(t, err)
		home = filepath.Join(user, ".pulumi")
	}
	return home, filepath.Join(root, archive.Folder)
}

func (e *estate) previewOfficially(t *testing.T) {
	_, err := e.stack.Preview(t.Context(), optpreview.SuppressProgress())
	require.NoError(t, err)
}

// killAndResume kills the engine and its plugins while Helm is at work, as the end of a CI machine does.
func (e *estate) killAndResume(t *testing.T) {
	killed := make(chan error, 1)
	go func() {
		_, err := e.stack.Up(t.Context(), optup.SuppressProgress())
		killed <- err
	}()
	e.awaitHalfMadeRelease(t)
	for _, pid := range descendants(t, os.Getpid()) {
		if strings.HasPrefix(programOf(pid), "pulumi") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	require.Error(t, <-killed)
	require.NotEmpty(t, e.halfMade(t))

	require.NoError(t, e.stack.Cancel(t.Context()), "the lock of an engine that is gone")
	_, err := e.stack.Up(t.Context(), optup.SuppressProgress())
	require.NoError(t, err)
	require.Empty(t, e.halfMade(t))
	_, err = e.stack.Up(t.Context(), optup.SuppressProgress(), optup.ExpectNoChanges())
	require.NoError(t, err)
}

// awaitHalfMadeRelease returns as soon as Helm has begun to install something, and connects to the cluster.
func (e *estate) awaitHalfMadeRelease(t *testing.T) {
	t.Helper()
	e.account = e.world.account()
	require.Eventually(t, func() bool {
		return (e.cluster != nil || e.connect(t)) && len(e.halfMade(t)) > 0
	}, 2*time.Minute, 50*time.Millisecond)
}

// connect tells whether there is a cluster by now, and that it can be asked.
func (e *estate) connect(t *testing.T) bool {
	clusters, err := e.account.ListLKEClusters(t.Context(), nil)
	if err != nil || len(clusters) == 0 {
		return false
	}
	e.clusterID = clusters[0].ID
	kubeconfig, err := e.account.GetLKEClusterKubeconfig(t.Context(), e.clusterID)
	if err != nil {
		return false
	}
	text, err := base64.StdEncoding.DecodeString(kubeconfig.KubeConfig)
	require.NoError(t, err)
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	require.NoError(t, err)
	e.cluster, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return true
}

// slowest are the labels of the record of an installation that is under way, of the chart that takes longest.
const slowest = "owner=helm,status=pending-install,name=kube-prometheus-stack"

// halfMade lists the records of that installation, begun and not ended.
func (e *estate) halfMade(t *testing.T) []corev1.Secret {
	list, err := e.cluster.CoreV1().Secrets("").List(t.Context(),
		metav1.ListOptions{LabelSelector: slowest})
	if err != nil {
		return nil // the API server has just been started
	}
	return list.Items
}

// programOf is the name of a process, "" for one that has ended.
func programOf(pid int) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return string(name)
}

// meddle deletes an object, and edits another.
func (e *estate) meddle(t *testing.T) {
	name := e.deployment(t).Name
	budgets := e.cluster.PolicyV1().PodDisruptionBudgets("changelog")
	require.NoError(t, budgets.Delete(t.Context(), name, metav1.DeleteOptions{}))
	deployment := e.deployment(t)
	environment := deployment.Spec.Template.Spec.Containers[0].Env
	host := slices.IndexFunc(environment, func(v corev1.EnvVar) bool { return v.Name == "URL_HOST" })
	environment[host].Value = "elsewhere.example.com"
	_, err := e.cluster.AppsV1().Deployments("changelog").Update(t.Context(), deployment,
		metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	e.settle(t)

	found := e.drift(t)
	require.Contains(t, found.toDo, "kubernetes:apps/v1:Deployment app", found.text)
	require.Contains(t, found.toDo, "kubernetes:policy/v1:PodDisruptionBudget app", found.text)
	_, err = e.stack.Up(t.Context(), optup.Refresh(), optup.RunProgram(true), optup.SuppressProgress())
	require.NoError(t, err)
	e.isClean(t)
}

// bypassOfficially asks Fastly for nothing on the way there, as it may not answer.
func (e *estate) bypassOfficially(t *testing.T) {
	const cdn = "  lke-platform:cdn:\n"
	before := e.everyAddress(t)
	require.NoError(t, e.world.fastly.Faults().Add(simulation.Fault{Status: http.StatusServiceUnavailable}))
	e.edit(t, cdn, cdn+"    bypass: true\n")
	e.load(t)
	e.up(t, optup.Exclude([]string{withoutFastly}))
	balancers, err := e.account.ListNodeBalancers(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, balancers, 1)
	there := e.everyAddress(t)
	require.NotEqual(t, before, there)
	for name := range before {
		require.Equal(t, []string{*balancers[0].IPv4, *balancers[0].IPv6}, there[name], name)
	}
	e.world.fastly.Faults().Clear()
	e.edit(t, "bypass: true", "bypass: false")
	e.load(t)
	e.up(t)
	require.Equal(t, before, e.everyAddress(t))
}

// destroyOfficially leaves the database's volumes, and what else stays.
func (e *estate) destroyOfficially(t *testing.T, stays ...string) {
	_, err := e.stack.Destroy(t.Context(), optdestroy.RunProgram(true), optdestroy.SuppressProgress())
	require.NoError(t, err)
	e.requireLeft(t, append(stays, "events", "volumes")...)
}
