package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/engine"
	"lke-platform/tests/rehearsal/simulation"
)

// How much is done is chosen by `make chaos`; without, it is little.
func chaos(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	number, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return number
}

// chaosStack is the stack that is disturbed.
func chaosStack() string { return cmp.Or(os.Getenv("CHAOS_STACK"), "staging") }

// stage is a run that is disturbed.
type stage struct {
	name       string
	begin, end func(t *testing.T)
	run        func(t *testing.T) error

	took time.Duration  // undisturbed
	want map[string]int // what there is then
}

// way is how a run is disturbed.
type way struct {
	name    string
	disturb func(t *testing.T)
	heals   bool // whether more than the run itself is needed to go on
}

// inARow is how often a run, and what goes on with it, is disturbed at most before it may end.
const inARow = 4

// TestWhatIsDisturbedConverges disturbs an up, an upgrade and a destroy in turn, once or several times in a row, and then does what
// docs/interrupted.md says. In the end there is what the undisturbed run makes, each once, and after a destroy what is to stay.
func TestWhatIsDisturbedConverges(t *testing.T) {
	moments, seed := chaos(t, "CHAOS_MOMENTS", 1), chaos(t, "CHAOS_SEED", 1)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	e := &estate{healer: buildProgram(t, "heal"), options: options{root: repository(t, unprotected), stack: chaosStack()}}
	ownChart(t, e.root)
	e.start(t)
	stages := e.stages(t)
	for i := range stages {
		e.measure(t, &stages[i])
	}
	restarts, met := 0, map[string]int{}
	ways := []way{
		{"the engine is killed", func(t *testing.T) { signalEngine(t, syscall.SIGKILL) }, true},
		{"the engine is interrupted", func(t *testing.T) { signalEngine(t, syscall.SIGINT) }, false},
		{"the control plane restarts", func(t *testing.T) { restarts++; e.restartControlPlanes(t, restarts) }, false},
	}
	for i := 0; moments > 0; i++ {
		stage, begin, heals := stages[i%len(stages)], time.Now(), false
		stage.begin(t)
		for range min(moments, 1+random.IntN(inARow)) {
			way := ways[random.IntN(len(ways))]
			after := time.Duration(random.Float64() * float64(stage.took))
			when := func() { time.Sleep(after) }
			if len(met) == 0 { // of all runs, as chance rarely meets it
				way = ways[0]
				way.name += " while Helm installs a release"
				way.disturb = func(t *testing.T) { signalEngine(t, syscall.SIGKILL); e.leaveHalfInstalled(t) }
				when = func() { e.awaitNamespace(t) }
			}
			if heals {
				e.converge(t, e.heal, false)
			}
			t.Logf("%s in the middle of %s, after %s", way.name, stage.name, after.Round(time.Millisecond))
			if !e.disturb(t, stage.run, when, way.disturb) {
				break
			}
			met[way.name+" in the middle of "+stage.name]++
			heals = way.heals
			moments--
		}
		e.converge(t, stage.run, heals)
		stage.end(t)
		require.Equal(t, stage.want, e.inventory(t), "what an undisturbed %s leaves", stage.name)
		t.Logf("converged, %s after %s began; tried by now: %v", time.Since(begin).Round(time.Second), stage.name, met)
	}
}

// stages are the life of a stack, in a circle.
func (e *estate) stages(t *testing.T) []stage {
	file := readFile(t, e.stackFile())
	upgraded := strings.NewReplacer(
		"type: g6-standard-4", "type: g6-standard-6", "type: g6-dedicated-8", "type: g6-dedicated-16", // replaces a pool
		"services@changelog.com", "platform@changelog.com", "URL_SCHEME: https", "URL_SCHEME: https\n      UPGRADED: everything",
	).Replace(file)
	declare := func(content string) func(t *testing.T) {
		return func(t *testing.T) {
			require.NoError(t, os.WriteFile(e.stackFile(), []byte(content), 0o600))
			e.load(t)
		}
	}
	return []stage{
		{name: "up", begin: declare(file), run: e.makeUp, end: e.isUp},
		{name: "an upgrade", begin: declare(upgraded), run: e.makeUp, end: e.isUp},
		{name: "destroy", begin: e.load, run: e.makeDestroy, end: e.isDown},
	}
}

// measure goes through a stage while nothing disturbs it; another run at the same time is refused, and does no harm.
func (e *estate) measure(t *testing.T, s *stage) {
	t.Helper()
	s.begin(t)
	begin := time.Now()
	e.disturb(t, s.run, func() { e.awaitLock(t) }, func(t *testing.T) {
		require.ErrorContains(t, e.makeUp(t), "the stack is currently locked by 1 lock(s)")
	})
	s.took = time.Since(begin)
	s.end(t)
	s.want = e.inventory(t)
	t.Logf("%s takes %s", s.name, s.took.Round(time.Millisecond))
}

// TestEveryCallMayFail has every call to both clouds fail the first time, each in some way, and brings the stack up until it is.
func TestEveryCallMayFail(t *testing.T) {
	ways := []simulation.Fault{
		{Status: 503}, {Status: 429}, {Status: 500}, {Lose: simulation.LostRequest}, {Lose: simulation.LostAnswer},
		{Lose: simulation.HalfAnswer},
	}
	if ways = ways[:chaos(t, "CHAOS_WAYS", 0)]; len(ways) == 0 {
		t.Skip("it takes some minutes for each way: make chaos runs it")
	}
	e := &estate{healer: buildProgram(t, "heal"), options: options{root: repository(t, unprotected), stack: chaosStack()}}
	e.bringUp(t)
	want := e.inventory(t)
	for _, way := range ways {
		way.EachOnce = true
		t.Run(fmt.Sprintf("%d %s", way.Status, way.Lose), func(t *testing.T) {
			e.converge(t, e.makeDestroy, true)
			e.isDown(t)
			require.NoError(t, e.world.linode.Faults.Add(way))
			require.NoError(t, e.world.fastly.Faults().Add(way))
			e.converge(t, e.makeUp, way.Lose != "")
			e.world.linode.Faults.Clear()
			e.world.fastly.Faults().Clear()
			require.Equal(t, want, e.inventory(t), "what an undisturbed up makes")
		})
	}
}

// unprotected is a stack that can be destroyed.
func unprotected(stackFile string) string {
	return strings.Replace(stackFile, "lke-platform:protect: true", "lke-platform:protect: false", 1)
}

// makeUp is `make up`, and makeDestroy is `make destroy`.
func (e *estate) makeUp(t *testing.T) error {
	ctx, end := e.world.unlessDoomed(t.Context())
	defer end()
	_, err := e.stack.Up(ctx, optup.Refresh(), optup.RunProgram(true), optup.SuppressProgress())
	return errors.Join(context.Cause(ctx), err)
}

func (e *estate) makeDestroy(t *testing.T) error {
	_, err := e.stack.Destroy(t.Context(), optdestroy.Refresh(), optdestroy.RunProgram(true), optdestroy.SuppressProgress())
	return err
}

// disturb runs, and does something meanwhile, unless the run is over by then. It says whether it did.
func (e *estate) disturb(t *testing.T, run func(t *testing.T) error, when func(), does func(t *testing.T)) bool {
	t.Helper()
	ended, now := make(chan error, 1), make(chan struct{})
	go func() { ended <- run(t) }()
	go func() { when(); close(now) }()
	select {
	case err := <-ended:
		require.NoError(t, err)
		return false
	case <-now:
	}
	does(t)
	if err := <-ended; err != nil {
		t.Log("it ends with ", lastLines(err))
	} else {
		t.Log("it ends well all the same")
	}
	return true
}

// signalEngine tells the engine to end: as a person does, or as the end of a machine does.
func signalEngine(t *testing.T, signal syscall.Signal) {
	for _, pid := range descendants(t, os.Getpid()) {
		if strings.HasPrefix(programOf(pid), "pulumi") {
			_ = syscall.Kill(pid, signal) // it may have ended
		}
	}
}

// restartControlPlanes has the Kubernetes of each cluster begin anew, as it does for a version that is spelled in another way.
func (e *estate) restartControlPlanes(t *testing.T, times int) {
	account := e.world.account()
	clusters, err := account.ListLKEClusters(t.Context(), nil)
	require.NoError(t, err)
	for _, one := range clusters {
		if one.Status == linodego.LKEClusterReady {
			_, err := e.world.clusters.Start(t.Context(), one.ID, fmt.Sprintf("v%s.%d", one.K8sVersion, times))
			require.NoError(t, err)
		}
	}
}

// monitoring is the namespace of the release that is cut short.
const monitoring = "monitoring"

// awaitNamespace returns once there is the namespace, and no release in it yet.
func (e *estate) awaitNamespace(t *testing.T) {
	e.account = e.world.account()
	assert.Eventually(t, func() bool { return e.connect(t) }, 2*time.Minute, 500*time.Millisecond)
	assert.Eventually(t, func() bool {
		_, err := e.cluster.CoreV1().Namespaces().Get(t.Context(), monitoring, metav1.GetOptions{})
		return err == nil
	}, 2*time.Minute, 10*time.Millisecond)
}

// awaitLock returns once somebody is at work on the stack.
func (e *estate) awaitLock(t *testing.T) {
	locks := filepath.Join(e.dir(), "state", ".pulumi", "locks", "organization", "lke-platform", e.options.stack, "*.json")
	assert.Eventually(t, func() bool {
		found, err := filepath.Glob(locks)
		return err == nil && len(found) > 0
	}, time.Minute, 10*time.Millisecond)
}

// leaveHalfInstalled leaves what Helm notes before it installs a release and does not come to mend when it is killed. (Here Helm
// is in the process of the test, which is not.)
func (e *estate) leaveHalfInstalled(t *testing.T) {
	const name = "metrics-server"
	key, cut := "sh.helm.release.v1."+name+".v1", &release.Release{
		Name: name, Namespace: monitoring, Version: 1, Info: &release.Info{Status: release.StatusPendingInstall},
	}
	held := driver.NewSecrets(e.cluster.CoreV1().Secrets(monitoring))
	err := held.Create(key, cut)
	if errors.Is(err, driver.ErrReleaseExists) { // Helm has begun
		begun, err := held.Get(key)
		require.NoError(t, err)
		begun.Info.Status = release.StatusPendingInstall
		require.NoError(t, held.Update(key, begun))
		return
	}
	require.NoError(t, err)
}

// converge goes on until the run is done, after doing what docs/interrupted.md says, where that is needed.
func (e *estate) converge(t *testing.T, run func(t *testing.T) error, heals bool) {
	t.Helper()
	const attempts = 400 // where every call fails once, each run finds the next one
	var err error
	for i := range attempts {
		err = nil
		if heals {
			err = e.heal(t)
		}
		if err == nil {
			err = run(t)
		}
		if err == nil {
			t.Logf("converged in the attempt %d", i+1)
			return
		}
		require.NotErrorAs(t, err, new(doom), "no attempt could succeed")
		t.Logf("attempt %d: %s", i+1, lastLines(err))
	}
	require.NoError(t, err, "after %d attempts", attempts)
}

// heal is `pulumi cancel` and `make heal`. The stack's program runs in this process, so it is not for the Pulumi CLI on PATH to
// preview.
func (e *estate) heal(t *testing.T) error {
	t.Helper()
	_ = e.stack.Cancel(t.Context()) // fails where nothing is locked
	e.load(t)
	machine := t.TempDir()
	tools, err := filepath.EvalSymlinks(filepath.Join(e.root, ".bin"))
	require.NoError(t, err)
	preview := filepath.Join(machine, "preview.json")
	require.NoError(t, os.WriteFile(preview, e.previewAsJSON(t), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(machine, "pulumi"), []byte("#!/bin/sh\n"+
		`[ "$1" != preview ] || exec cat '`+preview+"'\nexec "+filepath.Join(tools, "pulumi")+` "$@"`), 0o700))
	command := exec.Command(e.healer, "-stack", e.options.stack, "-yes")
	command.Dir = filepath.Join(e.dir(), "project")
	command.Env = append(os.Environ(), "PATH="+machine+":"+os.Getenv("PATH"))
	text, err := command.CombinedOutput()
	t.Log(string(text))
	e.load(t)
	if err != nil {
		return fmt.Errorf("error: %w: %s", err, text) // so that lastLines has it
	}
	return nil
}

// previewAsJSON is what `pulumi preview --json` prints.
func (e *estate) previewAsJSON(t *testing.T) []byte {
	t.Helper()
	plain, err := engine.New()
	require.NoError(t, err)
	printer := &jsonPrinter{Engine: plain}
	stack, err := auto.SelectStackInlineSource(t.Context(), e.options.stack, "lke-platform", stacks.Deploy,
		auto.WorkDir(filepath.Join(e.dir(), "project")), auto.EnvVars(e.world.environment), auto.Pulumi(printer))
	require.NoError(t, err)
	_, _ = stack.Preview(t.Context()) // what failed is told in what it prints
	return []byte(printer.printed)
}

// jsonPrinter has the engine print its previews as JSON.
type jsonPrinter struct {
	engine.Engine
	printed string
}

// Run is that of auto.PulumiCommand.
func (p *jsonPrinter) Run(
	ctx context.Context, folder string, stdin io.Reader, stdout, stderr []io.Writer, environment []string, arguments ...string,
) (out, errors string, code int, err error) {
	if arguments[0] != "preview" {
		return p.Engine.Run(ctx, folder, stdin, stdout, stderr, environment, arguments...)
	}
	p.printed, errors, code, err = p.Engine.Run(ctx, folder, stdin, stdout, stderr, environment, append(arguments, "--json")...)
	return p.printed, errors, code, err
}

// lastLines are those that tell why something failed.
func lastLines(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if strings.Contains(line, "error:") && !strings.Contains(line, "update failed") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n  ")
}

// isUp sees that nothing is left to do.
func (e *estate) isUp(t *testing.T) {
	t.Helper()
	_, err := e.stack.Up(t.Context(), optup.SuppressProgress(), optup.ExpectNoChanges())
	require.NoError(t, err)
}

// isDown sees that nothing is left, deletes what outlives the stack on purpose, and lets a week pass: who brings a stack up anew
// more often than five times in a week gets no certificates.
func (e *estate) isDown(t *testing.T) {
	t.Helper()
	e.requireLeft(t, "events", "volumes")
	account := e.world.account()
	volumes, err := account.ListVolumes(t.Context(), nil)
	require.NoError(t, err)
	for _, volume := range volumes {
		require.NoError(t, account.DeleteVolume(t.Context(), volume.ID))
	}
	e.world.controllers.PassWeek()
}

// inventory counts what both accounts hold, and what costs.
func (e *estate) inventory(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, cloud := range []string{"linode", "fastly"} {
		var saved map[string]any
		require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(e.dir(), cloud, cloud+".json"))), &saved))
		count(cloud, saved, counts)
	}
	for _, line := range e.world.linode.MonthlyCost() {
		counts[line.What] = line.Count
	}
	delete(counts, "linode events")
	maps.DeleteFunc(counts, func(_ string, count int) bool { return count == 0 })
	return counts
}

// count adds how many entries the lists have that are saved. Fastly keeps services that were deleted.
func count(path string, saved map[string]any, counts map[string]int) {
	for kind, held := range saved {
		switch held := held.(type) {
		case []any:
			for _, one := range held {
				if fields, _ := one.(map[string]any); fields["deleted_at"] == nil {
					counts[path+" "+kind]++
				}
			}
		case map[string]any:
			count(path+" "+kind, held, counts)
		}
	}
}
