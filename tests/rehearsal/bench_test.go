package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"

	"lke-platform/tests/rehearsal/plugins"
)

// BenchmarkRehearsal runs `make rehearse` as a user does, all being built. Limits: 60 s for staging and 90 s for prod, and 2 GiB
// resident on two cores, the control plane and the engine counted in; 2 MB of state.
func BenchmarkRehearsal(b *testing.B) {
	forEachStack(b, func(b *testing.B, o options) {
		program := filepath.Join(o.root, ".bin", "rehearse")
		if _, err := os.Stat(program); err != nil {
			b.Skip("the rehearsal is not built: run `make bench`")
		}
		var peak int64
		for b.Loop() {
			command := exec.Command(program, "-stack", o.stack)
			command.Dir = o.root
			output := &strings.Builder{}
			command.Stdout, command.Stderr = output, output
			require.NoError(b, command.Start())
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			peak = max(peak, watchMemory(b, command.Process.Pid, ended, output))
		}
		state, err := os.Stat(filepath.Join(o.dir(), "state", ".pulumi", "stacks", "lke-platform", o.stack+".json"))
		require.NoError(b, err)
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/rehearsal")
		b.ReportMetric(float64(peak>>20), "peak-MiB")
		b.ReportMetric(float64(state.Size())/1e6, "MB-state")
	})
}

func forEachStack(b *testing.B, run func(*testing.B, options)) {
	for _, stack := range []string{"staging", "prod"} {
		b.Run(stack, func(b *testing.B) { run(b, options{root: repository(b, asItIs), stack: stack}) })
	}
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
// resources by the same engine, side by side. As in the platform, most of them belong to a provider, which the engine asks twice
// about each. Limit: a ratio of 2.
func BenchmarkPreviewWithoutChange(b *testing.B) { forEachStack(b, previewWithoutChange) }

// BenchmarkPreviewOfApps does the same for one app, ten and a hundred beside the first of staging. Limit: what an app adds takes as
// long beside a hundred as it does alone.
func BenchmarkPreviewOfApps(b *testing.B) {
	for _, count := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			previewWithoutChange(b, options{root: repository(b, withApps(count)), stack: "staging"})
		})
	}
}

// withApps adds small apps to a stack file.
func withApps(count int) func(stackFile string) string {
	return func(stackFile string) string {
		stackFile += "\n  lke-platform:apps:\n"
		for i := range count {
			stackFile += fmt.Sprintf("    - {name: a%d, image: %q, hosts: [a%[1]d.staging.changelog.com], "+
				"replicas: 1, resources: {cpu: 10m, memory: 16Mi}}\n", i, versionOne)
		}
		return stackFile
	}
}

// BenchmarkDrift compares the preview that `make drift` asks for, which looks at the cloud first, with one that believes the state,
// side by side. Limit: a ratio of 1.5.
func BenchmarkDrift(b *testing.B) {
	forEachStack(b, func(b *testing.B, o options) {
		_, platform := upForPreviews(b, o)
		var looked, believed []time.Duration
		for b.Loop() {
			for range 10 {
				looked = append(looked, timePreview(b, platform, optpreview.Refresh(), optpreview.RunProgram(true)))
				believed = append(believed, timePreview(b, platform))
			}
		}
		b.ReportMetric(median(looked).Seconds(), "s-drift")
		b.ReportMetric(median(looked).Seconds()/median(believed).Seconds(), "x-of-preview")
	})
}

// upForPreviews brings a stack up that a benchmark previews.
func upForPreviews(b *testing.B, o options) (*world, auto.Stack) {
	b.Helper()
	w, err := startWorld(b.Context(), o)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, w.close()) })
	require.NoError(b, rehearse(b.Context(), o, newConsole(io.Discard), w))
	platform, _, err := newStack(b.Context(), o, w)
	require.NoError(b, err)
	return w, platform
}

func previewWithoutChange(b *testing.B, o options) {
	w, platform := upForPreviews(b, o)
	components, custom := 0, 0
	for kind, count := range readSummary(b, o).Resources {
		switch {
		case strings.HasPrefix(kind, "lke-platform:"):
			components += count
		case !strings.HasPrefix(kind, "pulumi:"):
			custom += count
		}
	}
	served, stop, err := plugins.Serve(map[string]plugins.Constructor{"empty": newEmptyProvider})
	require.NoError(b, err)
	defer stop()
	environment := maps.Clone(w.environment)
	environment["PULUMI_DEBUG_PROVIDERS"] = served
	empty, err := auto.UpsertStackInlineSource(b.Context(), "empty", "empty", emptyResources(components, custom),
		auto.EnvVars(environment))
	require.NoError(b, err)
	_, err = empty.Up(b.Context())
	require.NoError(b, err)

	var platformTimes, emptyTimes []time.Duration
	for b.Loop() {
		for range 10 {
			platformTimes = append(platformTimes, timePreview(b, platform))
			emptyTimes = append(emptyTimes, timePreview(b, empty))
		}
	}
	b.ReportMetric(float64(components+custom), "resources")
	b.ReportMetric(median(platformTimes).Seconds(), "s-platform")
	b.ReportMetric(median(emptyTimes).Seconds(), "s-empty")
	b.ReportMetric(median(platformTimes).Seconds()/median(emptyTimes).Seconds(), "x-of-empty")
}

// emptyResources is a program of resources without inputs and outputs.
func emptyResources(components, custom int) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		for i := range components {
			var empty pulumi.ResourceState
			if err := ctx.RegisterComponentResource("bench:index:Empty", fmt.Sprintf("empty-%d", i), &empty); err != nil {
				return err
			}
		}
		for i := range custom {
			var empty pulumi.CustomResourceState
			if err := ctx.RegisterResource("empty:index:Empty", fmt.Sprintf("empty-%d", i), nil, &empty); err != nil {
				return err
			}
		}
		return nil
	}
}

// emptyProvider is content with everything.
type emptyProvider struct {
	pulumirpc.UnimplementedResourceProviderServer
}

func newEmptyProvider(*provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
	return emptyProvider{}, nil
}

func (emptyProvider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (emptyProvider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

func (emptyProvider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (emptyProvider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (emptyProvider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

func (emptyProvider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (emptyProvider) Diff(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (emptyProvider) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	return &pulumirpc.CreateResponse{Id: "empty", Properties: r.GetProperties()}, nil
}

func timePreview(b *testing.B, stack auto.Stack, options ...optpreview.Option) time.Duration {
	b.Helper()
	begin := time.Now()
	_, err := stack.Preview(b.Context(), append(options, optpreview.ExpectNoChanges())...)
	require.NoError(b, err)
	return time.Since(begin)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
