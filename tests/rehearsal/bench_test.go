package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// BenchmarkRehearsal runs `make rehearse STACK=staging` as a user does, all being built. Limits: 60 s and 2 GiB resident on
// two cores, the control plane and the engine counted in.
func BenchmarkRehearsal(b *testing.B) {
	root := repository(b, asItIs)
	program := filepath.Join(root, ".bin", "rehearse")
	if _, err := os.Stat(program); err != nil {
		b.Skip("the rehearsal is not built: run `make bench`")
	}
	var peak int64
	for b.Loop() {
		command := exec.Command(program, "-stack", "staging")
		command.Dir = root
		output := &strings.Builder{}
		command.Stdout, command.Stderr = output, output
		require.NoError(b, command.Start())
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		peak = max(peak, watchMemory(b, command.Process.Pid, ended, output))
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/rehearsal")
	b.ReportMetric(float64(peak>>20), "peak-MiB")
}

// watchMemory returns the most memory that a process and its descendants held until it ended, in bytes.
func watchMemory(b *testing.B, pid int, ended <-chan error, output *strings.Builder) (peak int64) {
	b.Helper()
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		select {
		case err := <-ended:
			tick.Stop()
			require.NoError(b, err, output)
			return peak
		case <-tick.C:
			peak = max(peak, residentBytes(b, pid))
		}
	}
}

func residentBytes(b *testing.B, root int) int64 {
	b.Helper()
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,rss=").Output()
	require.NoError(b, err)
	children, resident := map[int][]int{}, map[int]int64{}
	for line := range strings.Lines(string(table)) {
		var pid, parent int
		var kibibytes int64
		if _, err := fmt.Sscan(line, &pid, &parent, &kibibytes); err == nil {
			children[parent] = append(children[parent], pid)
			resident[pid] = kibibytes << 10
		}
	}
	var sum func(pid int) int64
	sum = func(pid int) int64 {
		total := resident[pid]
		for _, child := range children[pid] {
			total += sum(child)
		}
		return total
	}
	return sum(root)
}

// BenchmarkPreviewWithoutChange compares a preview of the platform in which nothing changes with a preview of as many empty
// resources by the same engine, side by side. Limit: a ratio of 1.5.
func BenchmarkPreviewWithoutChange(b *testing.B) {
	o := options{root: repository(b, asItIs), stack: "staging"}
	w, err := startWorld(b.Context(), o)
	require.NoError(b, err)
	defer func() { require.NoError(b, w.close()) }()
	require.NoError(b, rehearse(b.Context(), o, newConsole(io.Discard), w))
	platform, _, err := newStack(b.Context(), o, w)
	require.NoError(b, err)
	total := 0
	for _, count := range readSummary(b, o).Resources {
		total += count
	}
	empty, err := auto.UpsertStackInlineSource(b.Context(), "empty", "empty", emptyResources(total), auto.EnvVars(w.environment))
	require.NoError(b, err)
	_, err = empty.Up(b.Context())
	require.NoError(b, err)

	var platformTimes, emptyTimes []time.Duration
	for b.Loop() {
		for range 5 {
			platformTimes = append(platformTimes, timePreview(b, platform))
			emptyTimes = append(emptyTimes, timePreview(b, empty))
		}
	}
	b.ReportMetric(float64(total), "resources")
	b.ReportMetric(median(platformTimes).Seconds(), "s-platform")
	b.ReportMetric(median(emptyTimes).Seconds(), "s-empty")
	b.ReportMetric(median(platformTimes).Seconds()/median(emptyTimes).Seconds(), "x-of-empty")
}

// emptyResources is a program of resources without inputs, outputs or a provider.
func emptyResources(count int) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		for i := range count - 1 { // the stack is a resource too
			var empty pulumi.ResourceState
			if err := ctx.RegisterComponentResource("bench:index:Empty", fmt.Sprintf("empty-%d", i), &empty); err != nil {
				return err
			}
		}
		return nil
	}
}

func timePreview(b *testing.B, stack auto.Stack) time.Duration {
	b.Helper()
	begin := time.Now()
	_, err := stack.Preview(b.Context(), optpreview.ExpectNoChanges())
	require.NoError(b, err)
	return time.Since(begin)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
