package main

import (
	"cmp"
	"context"
	"encoding/json"
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

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	"lke-platform/stacks"

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

// TestWhatIsKilledConverges kills the engine at moments of an up and of a destroy, and then does what docs/interrupted.md says. In
// the end there is what an undisturbed up makes, each once, and after a destroy what is to stay.
func TestWhatIsKilledConverges(t *testing.T) {
	moments, seed := chaos(t, "CHAOS_MOMENTS", 1), chaos(t, "CHAOS_SEED", 1)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	e := &estate{healer: buildHealer(t), options: options{root: repository(t, unprotected), stack: chaosStack()}}
	begin := time.Now()
	e.bringUp(t)
	took, want := time.Since(begin), e.inventory(t)
	for i := range moments {
		e.goDown(t)
		after := time.Duration(random.Float64() * float64(took))
		t.Logf("moment %d: up is killed after %s", i+1, after.Round(time.Millisecond))
		e.killAfter(t, after, func() error { return e.makeUp(t) })
		e.converge(t, func() error { return e.makeUp(t) })
		require.Equal(t, want, e.inventory(t), "what an undisturbed up makes")
		e.load(t)
		_, err := e.stack.Up(t.Context(), optup.SuppressProgress(), optup.ExpectNoChanges())
		require.NoError(t, err)

		after = time.Duration(random.Float64() * float64(took) / 2)
		t.Logf("moment %d: destroy is killed after %s", i+1, after.Round(time.Millisecond))
		e.killAfter(t, after, func() error { return e.makeDestroy(t) })
	}
}

// TestEveryCallMayFail has the first call of every sort to both clouds fail, each in some way, and brings the stack up until it is.
func TestEveryCallMayFail(t *testing.T) {
	ways := []simulation.Fault{
		{Status: 503}, {Status: 429}, {Status: 500}, {Lose: simulation.LostRequest}, {Lose: simulation.LostAnswer},
		{Lose: simulation.HalfAnswer},
	}
	if ways = ways[:chaos(t, "CHAOS_WAYS", 0)]; len(ways) == 0 {
		t.Skip("it takes some eight minutes for each way: make chaos runs it")
	}
	e := &estate{healer: buildHealer(t), options: options{root: repository(t, unprotected), stack: chaosStack()}}
	e.bringUp(t)
	want := e.inventory(t)
	for _, way := range ways {
		way.EachOnce = true
		t.Run(fmt.Sprintf("%d %s", way.Status, way.Lose), func(t *testing.T) {
			e.goDown(t)
			require.NoError(t, e.world.linode.Faults.Add(way))
			require.NoError(t, e.world.fastly.Faults().Add(way))
			e.converge(t, func() error { return e.makeUp(t) })
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
	_, err := e.stack.Up(t.Context(), optup.Refresh(), optup.RunProgram(true), optup.SuppressProgress())
	return err
}

func (e *estate) makeDestroy(t *testing.T) error {
	_, err := e.stack.Destroy(t.Context(), optdestroy.Refresh(), optdestroy.RunProgram(true), optdestroy.SuppressProgress())
	return err
}

// killAfter kills the engine, as the end of a machine does, unless it is faster.
func (e *estate) killAfter(t *testing.T, after time.Duration, run func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	select {
	case err := <-ended:
		require.NoError(t, err)
		return
	case <-time.After(after):
	}
	for _, pid := range descendants(t, os.Getpid()) {
		if strings.HasPrefix(programOf(pid), "pulumi") {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	if err := <-ended; err == nil {
		t.Log("it was faster")
	}
}

// converge does what docs/interrupted.md says until it is done.
func (e *estate) converge(t *testing.T, run func() error) {
	t.Helper()
	const attempts = 80 // where every call fails once, each run finds the next one
	var err error
	for i := range attempts {
		if err = e.heal(t); err == nil {
			err = run()
		}
		if err == nil {
			t.Logf("converged in the attempt %d", i+1)
			return
		}
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

// buildHealer builds the program that `make heal` runs. It is for a test that is still in the folder of its source.
func buildHealer(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "heal")
	build := exec.Command("go", "build", "-o", program, "./cmd/heal")
	build.Dir = filepath.Join("..", "..")
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))
	return program
}

// previewAsJSON is what `pulumi preview --json` prints.
func (e *estate) previewAsJSON(t *testing.T) []byte {
	t.Helper()
	engine, err := newEngine()
	require.NoError(t, err)
	printer := &jsonPrinter{engine: engine}
	stack, err := auto.SelectStackInlineSource(t.Context(), e.options.stack, "lke-platform", stacks.Deploy,
		auto.WorkDir(filepath.Join(e.dir(), "project")), auto.EnvVars(e.world.environment), auto.Pulumi(printer))
	require.NoError(t, err)
	_, _ = stack.Preview(t.Context()) // what failed is told in what it prints
	return []byte(printer.printed)
}

// jsonPrinter has the engine print its previews as JSON.
type jsonPrinter struct {
	engine
	printed string
}

// Run is that of auto.PulumiCommand.
func (p *jsonPrinter) Run(
	ctx context.Context, folder string, stdin io.Reader, stdout, stderr []io.Writer, environment []string, arguments ...string,
) (out, errors string, code int, err error) {
	if arguments[0] != "preview" {
		return p.engine.Run(ctx, folder, stdin, stdout, stderr, environment, arguments...)
	}
	p.printed, errors, code, err = p.engine.Run(ctx, folder, stdin, stdout, stderr, environment, append(arguments, "--json")...)
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

// goDown destroys the stack, and deletes what outlives it on purpose.
func (e *estate) goDown(t *testing.T) {
	t.Helper()
	e.converge(t, func() error { return e.makeDestroy(t) })
	e.requireLeft(t, "events", "volumes")
	account := e.world.account()
	volumes, err := account.ListVolumes(t.Context(), nil)
	require.NoError(t, err)
	for _, volume := range volumes {
		require.NoError(t, account.DeleteVolume(t.Context(), volume.ID))
	}
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
