package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"lke-platform/components/charts"
	"lke-platform/components/charts/archive"

	"lke-platform/tests/rehearsal/simulation"
)

// repository copies what a rehearsal reads to a folder of its own, with the tool-chain that make built.
func repository(t testing.TB, edit func(stackFile string) string) (root string) {
	t.Helper()
	origin, err := filepath.Abs("../..")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(origin, ".bin", "pulumi")); err != nil {
		t.Skip("the tool-chain is missing: run `make toolchain`")
	}
	root = t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(origin, ".bin"), filepath.Join(root, ".bin")))
	for _, name := range []string{"Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"} {
		content, err := os.ReadFile(filepath.Join(origin, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(edit(string(content))), 0o600))
	}
	// A rehearsal enters a folder of its own and changes the environment.
	t.Chdir(root)
	for _, name := range []string{"PATH", "LINODE_URL", "FASTLY_API_URL", "PULUMI_BACKEND_URL", "PULUMI_DEBUG_PROVIDERS", "DNS_SERVER"} {
		t.Setenv(name, os.Getenv(name))
	}
	t.Setenv("PULUMI_HOME", t.TempDir()) // where no plugin is installed
	return root
}

// ownChart puts a chart of our own in the place of one that is pinned, and returns the path of its archive.
func ownChart(t *testing.T, root string) string {
	t.Helper()
	pinned := charts.MetricsServer
	_, err := chartutil.Save(&chart.Chart{
		Metadata: &chart.Metadata{APIVersion: chart.APIVersionV2, Name: pinned.Name, Version: pinned.Version},
		Templates: []*chart.File{{
			Name: "templates/own.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"),
		}},
	}, filepath.Join(root, archive.Folder))
	require.NoError(t, err)
	return pinned.Path()
}

// stagingCost is, in USD a month, one g6-standard-2 at 24, two g6-standard-4 at 48, a NodeBalancer at 10, four volumes of 10 GB at 1,
// and Object Storage at 5; the simple control plane costs nothing.
const stagingCost = 24 + 96 + 10 + 4 + 5

func asItIs(stackFile string) string { return stackFile }

func readSummary(t testing.TB, o options) summary {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(o.dir(), "summary.json"))
	require.NoError(t, err)
	var s summary
	require.NoError(t, json.Unmarshal(content, &s))
	return s
}

func TestARehearsalBringsTheStackUpAndFindsItStable(t *testing.T) {
	status := buildProgram(t, "status")
	o := options{root: repository(t, asItIs), stack: "staging"}
	own := ownChart(t, o.root)
	require.NoError(t, run(t.Context(), o))
	require.NoDirExists(t, o.temporary())

	s := readSummary(t, o)
	require.Equal(t, "succeeded", s.Result)
	require.Positive(t, s.Up.Created)
	require.Zero(t, s.Again.Changed)
	require.Equal(t, 1, s.Resources["linode:index/lkeNodePool:LkeNodePool"])
	require.Equal(t, 2, s.Resources["kubernetes:apps/v1:Deployment"])
	require.Len(t, s.Nodes, 3)
	require.Equal(t, map[string]int{"Running": 8, "Succeeded": 1}, s.Pods,
		"two each of the app, the database and its pooler, one that asks for names, and the controller of the nodes' firewall; "+
			"certsync ran for real")
	require.Len(t, s.Activated, 2, "the zone, and all names right below it")
	require.Len(t, s.WentLive, len(stagingNames))
	for _, name := range s.WentLive {
		require.True(t, name.At.After(s.Activated[1].Since), "%s went live after its certificate", name.Name)
	}
	require.Len(t, s.NotRendered, 10, "all but that whose chart is at hand")
	require.Regexp(t, "pulumi up will refuse chart metrics-server .*"+own+" has sha256 .* pinned one is ", strings.Join(s.Warnings, "\n"))
	require.InDelta(t, stagingCost, s.CostPerMonthUSD, 0.001)
	last := s.CriticalPath[len(s.CriticalPath)-1]
	require.Regexp(t, "DomainRecord::hosts-|Probe::probes-", last.URN, "names go live last of all, and are asked for from then on")
	require.Contains(t, strings.Join(s.Warnings, "\n"), "placeholders stand for them: secret-app-secret-key-base")
	requireWholeReport(t, o, s)

	t.Run("resumed after an edit, as a sandbox", func(t *testing.T) {
		edited := strings.Replace(readFile(t, o.stackFile()), "count: 2", "count: 3", 1)
		require.NoError(t, os.WriteFile(o.stackFile(), []byte(edited), 0o600))
		takePort(t, o)
		o.resume, o.sandbox = true, true
		ctx, end := context.WithCancel(t.Context())
		defer end()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, o) }()
		file := filepath.Join(o.root, ".rehearsal", "sandbox.env")
		require.Eventually(t, func() bool {
			_, err := os.Stat(file)
			return err == nil || len(ended) > 0
		}, time.Minute, 100*time.Millisecond)
		useSandbox(t, o, status)
		end()
		require.NoError(t, <-ended)
		require.NoFileExists(t, file)
		s := readSummary(t, o)
		require.Zero(t, s.Up.Created)
		require.Len(t, s.Nodes, 4)
	})
}

// requireWholeReport looks for something of each part of the summary on the page.
func requireWholeReport(t *testing.T, o options, s summary) {
	t.Helper()
	page := readFile(t, filepath.Join(o.dir(), "report.html"))
	for _, told := range []string{
		"<title>Rehearsal of staging: succeeded</title>", "nothing changed, as it should be", "<svg class=\"graph\"", "certsync", "</html>",
		s.Warnings[0], s.NotRehearsed[0], s.Nodes[2].Name, s.Nodes[2].Requests[0].Name, s.Cost[0].What, s.Activated[0].Domain, s.WentLive[0].Name,
		resource.URN(s.CriticalPath[0].URN).Name(),
	} {
		require.Contains(t, page, told)
	}
	require.Len(t, s.Operations, 3)
	require.NotContains(t, page, "-----BEGIN", "no property's value is in it")
}

// takePort listens where the API server did, which has to move then.
func takePort(t *testing.T, o options) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(o.dir(), "clusters", "*", "identity.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	var identity struct{ Port int }
	require.NoError(t, json.Unmarshal([]byte(readFile(t, files[0])), &identity))
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", identity.Port))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
}

// useSandbox does what the sandbox says, in a shell that knows nothing but the system's own programs.
func useSandbox(t *testing.T, o options, status string) {
	t.Helper()
	try := func(command string) (string, error) {
		sh := exec.Command("/bin/sh", "-ec", ". .rehearsal/sandbox.env; "+command)
		sh.Dir, sh.Env = o.root, []string{"PATH=/usr/bin:/bin"}
		output, err := sh.CombinedOutput()
		return strings.TrimSpace(string(output)), err
	}
	shell := func(command string) string {
		output, err := try(command)
		require.NoError(t, err, output)
		return output
	}
	require.Len(t, strings.Split(shell("kubectl get nodes --output name"), "\n"), 4)
	for _, name := range []string{"LINODE_URL", "LINODE_TOKEN"} {
		t.Setenv(name, shell(`echo "$`+name+`"`))
	}
	require.Contains(t, shell(`cat "$REHEARSAL_STACK_FILE"`), "count: 3")
	require.Empty(t, shell(`echo "$TMPDIR"`), "the shell outlives the rehearsal's folder for temporary files")
	account, err := linodego.NewClientFromEnv(nil)
	require.NoError(t, err)
	clusters, err := account.ListLKEClusters(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, clusters, 1)
	requireStatus(t, status, try)
}

func TestAFailureNamesTheResourceAndTheReason(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging"}
	w, err := startWorld(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.close()) }()
	require.NoError(t, w.fastly.Faults().Add(simulation.Fault{Method: "POST", Path: "^/service$", Status: 503}))

	err = rehearse(t.Context(), o, newConsole(io.Discard), w)
	require.ErrorContains(t, err, "fastly:index/serviceVcl:ServiceVcl cdn: ")
	require.ErrorContains(t, err, "503")
	require.ErrorContains(t, err, "logs are in .rehearsal/staging/logs and .rehearsal/staging/clusters/")
	require.Equal(t, "failed", readSummary(t, o).Result)
	page := readFile(t, filepath.Join(o.dir(), "report.html"))
	require.Contains(t, page, "It ended in <strong>up</strong>.")
	require.Contains(t, page, `<li>create <b>cdn</b> <span class="type">fastly:index/serviceVcl:ServiceVcl</span></li>`)
}

func TestFaultsOfTheStackFileStopTheRehearsal(t *testing.T) {
	o := options{stack: "staging", root: repository(t, func(text string) string {
		return strings.NewReplacer("us-east", "us-esat", "replicas", "replcias", "count: 2", "count: 0").Replace(text)
	})}
	err := run(t.Context(), o)
	require.ErrorContains(t, err, `cluster.region: Unsupported value: "us-esat"`)
	require.ErrorContains(t, err, "cluster.nodePools[0].count: Invalid value: 0")
}

func TestEncryptedValuesAreReplacedAndNotDecrypted(t *testing.T) {
	project := &workspace.Project{Name: "lke-platform"}
	file := []byte(`encryptionsalt: v1:b3VyIG93bg==:v1:x:y
config:
  linode:token: {secure: v1:a:b}
  lke-platform:secret-salt: {secure: v1:c:d}
  lke-platform:app:
    secrets: {SALT: salt, KEY: key}
`)
	path := filepath.Join(t.TempDir(), "Pulumi.x.yaml")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	quiet := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"})
	stack, err := workspace.LoadProjectStack(quiet, project, path)
	require.NoError(t, err)

	madeUp, err := replaceSecrets(t.Context(), stack, "", "lke-platform")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"secrets that are encrypted, so that placeholders stand for them: secret-salt",
		"secrets that are not set, so that placeholders stand for them: " +
			"secret-fastly-tls-token, secret-grafana-password, secret-key",
	}, madeUp)
	require.NoError(t, stack.Save(path))
	written := readFile(t, path)
	require.NotContains(t, written, "linode:token", "the environment points at the simulated API")
	require.NotContains(t, written, "v1:c:d")
	require.Equal(t, 4, strings.Count(written, "secure:"))
}

func TestTheCriticalPathIsTheChainThatDecidedTheTime(t *testing.T) {
	begin := time.Now()
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	steps := map[string]*step{
		"cluster": {urn: "cluster", begin: at(0), end: at(3)},
		"pool":    {urn: "pool", begin: at(3), end: at(5)},
		"cdn":     {urn: "cdn", begin: at(0), end: at(4)},
		"app":     {urn: "app", begin: at(5), end: at(9)},
		"quick":   {urn: "quick", begin: at(5), end: at(6)},
		"monitor": {urn: "monitor", begin: at(9), end: at(11)},
	}
	urns := func(names ...resource.URN) []resource.URN { return names }
	path := criticalPath(steps, []apitype.ResourceV3{
		{URN: "cluster"},
		{URN: "cdn"},
		{URN: "pool", PropertyDependencies: map[resource.PropertyKey][]resource.URN{"clusterId": urns("cluster")}},
		{URN: "quick", Dependencies: urns("cluster")},
		{URN: "app", Dependencies: urns("cdn"), Provider: "pool::id"},
		{URN: "component", Dependencies: urns("app")},
		{URN: "monitor", Parent: "component", Dependencies: urns("pool")},
	})
	require.Equal(t, []pathStep{{"cluster", 3}, {"pool", 2}, {"app", 4}, {"monitor", 2}}, path)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}
