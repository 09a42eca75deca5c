package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/engine"
)

// unreleased is the commit that stands for the previous release until there is one: somebody may have brought a platform up from it.
const unreleased = "434cb6a"

// A stack that the previous release has brought up is brought up by this one, from the same stack file: nothing that holds data or
// serves visitors is deleted, or made anew.
func TestAnUpgradeFromThePreviousReleaseLosesNothing(t *testing.T) {
	previous := previousRelease(t)
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	own := readFile(t, filepath.Join(e.root, "Pulumi.yaml"))
	for _, name := range []string{"Pulumi.yaml", "Pulumi.staging.yaml"} {
		content := readFile(t, filepath.Join(previous, name))
		require.NoError(t, os.WriteFile(filepath.Join(e.root, name), []byte(content), 0o600))
	}
	e.start(t)
	e.upBy(t, filepath.Join(previous, "program"))
	before := e.kept(t)

	require.NoError(t, os.WriteFile(filepath.Join(e.root, "Pulumi.yaml"), []byte(own), 0o600))
	e.load(t)
	upgrade := e.preview(t)
	require.Empty(t, upgrade.plan.Faults)
	require.NotEmpty(t, upgrade.plan.Changed())
	for _, changed := range upgrade.plan.Changed() {
		t.Logf("%s %s", changed.Change, changed)
	}
	for _, lost := range upgrade.plan.Lost() {
		t.Errorf("%s is lost (%s, forced by %s)", lost, lost.Change, lost.Forced)
	}
	require.NoError(t, e.makeUp(t))
	require.Subset(t, e.kept(t), before)
	e.settle(t)
	e.isClean(t)
}

// previousRelease returns a folder with the files of the release before this one, and its program. Whoever comes from another commit
// names it: UPGRADE_FROM=<commit>.
func previousRelease(t *testing.T) (folder string) {
	t.Helper()
	tag, _ := exec.Command("git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").Output() // fails where there is none
	commit := cmp.Or(os.Getenv("UPGRADE_FROM"), strings.TrimSpace(string(tag)), unreleased)
	if exec.Command("git", "cat-file", "-e", commit+"^{tree}").Run() != nil {
		t.Skipf("the history here does not reach back to %s: git fetch --unshallow --tags", commit)
	}
	folder = t.TempDir()
	unpack := exec.Command("sh", "-c", `git -C ../.. archive "$1" | tar -x -C "$2"`, "sh", commit, folder)
	said, err := unpack.CombinedOutput()
	require.NoError(t, err, string(said))
	// As it is called here, too: whether its charts are at hand is not the question.
	const program = "package main\n\nimport (\n\t\"github.com/pulumi/pulumi/sdk/v3/go/pulumi\"\n\n\t\"lke-platform/stacks\"\n)\n\n" +
		"func main() { pulumi.Run(stacks.Deploy) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600))
	build := exec.Command("go", "build", "-o", "program", ".")
	build.Dir = folder
	said, err = build.CombinedOutput()
	require.NoError(t, err, string(said))
	return folder
}

// upBy brings the stack up with another program than this one's.
func (e *estate) upBy(t *testing.T, program string) {
	t.Helper()
	ended := make(chan bool)
	host, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: ended,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &languageHost{program: program})
			return nil
		},
	})
	require.NoError(t, err)
	defer close(ended)
	plain, err := engine.New()
	require.NoError(t, err)
	said, faults, _, err := plain.Run(t.Context(), filepath.Join(e.dir(), "project"), nil, []io.Writer{}, []io.Writer{}, nil,
		"up", "--yes", "--skip-preview", "--suppress-progress", "--stack", e.options.stack, "--client", fmt.Sprintf("127.0.0.1:%d", host.Port))
	require.NoError(t, err, said+faults)
	outputs, err := e.stack.Outputs(t.Context())
	require.NoError(t, err)
	e.reach(t, outputs)
}

// languageHost runs a program for the engine as the CLI's own does: in a process of its own.
type languageHost struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	program string
}

// GetPluginInfo is that of pulumirpc.LanguageRuntimeServer.
func (*languageHost) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

// Run is that of pulumirpc.LanguageRuntimeServer.
func (h *languageHost) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	config, err := json.Marshal(request.GetConfig())
	if err != nil {
		return nil, err
	}
	secret, err := json.Marshal(request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, h.program)
	command.Env = append(os.Environ(),
		pulumi.EnvOrganization+"="+request.GetOrganization(), pulumi.EnvProject+"="+request.GetProject(),
		pulumi.EnvStack+"="+request.GetStack(), pulumi.EnvConfig+"="+string(config), pulumi.EnvConfigSecretKeys+"="+string(secret),
		pulumi.EnvParallel+"="+strconv.Itoa(int(request.GetParallel())), pulumi.EnvDryRun+"="+strconv.FormatBool(request.GetDryRun()),
		pulumi.EnvMonitor+"="+request.GetMonitorAddress(), pulumi.EnvEngine+"="+request.GetArgs()[0])
	if said, err := command.CombinedOutput(); err != nil {
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("%s: %v", said, err)}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

// kept identifies what holds data or serves visitors: all that the state has, but for what has another name with each content, and
// what controllers have made for it. An object of Kubernetes that is made anew has the same name and another UID.
func (e *estate) kept(t *testing.T) (kept []string) {
	t.Helper()
	exported, err := e.stack.Export(t.Context())
	require.NoError(t, err)
	var state apitype.DeploymentV3
	require.NoError(t, json.Unmarshal(exported.Deployment, &state))
	anew := []string{"kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap", "kubernetes:batch/v1:Job"}
	for _, r := range state.Resources {
		if kind := string(r.Type); r.Custom && !strings.HasPrefix(kind, "pulumi:") && !slices.Contains(anew, kind) {
			metadata, _ := r.Outputs["metadata"].(map[string]any)
			kept = append(kept, fmt.Sprint(kind, " ", r.ID, " ", metadata["uid"]))
		}
	}
	claims, err := e.cluster.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, claims.Items)
	for _, claim := range claims.Items {
		kept = append(kept, fmt.Sprint("claim ", claim.Name, " ", claim.UID, " ", claim.Spec.VolumeName))
	}
	balancers, err := e.account.ListNodeBalancers(t.Context(), nil)
	require.NoError(t, err)
	require.NotEmpty(t, balancers)
	for _, balancer := range balancers {
		kept = append(kept, fmt.Sprint("NodeBalancer ", balancer.ID, " ", *balancer.IPv4))
	}
	return kept
}
