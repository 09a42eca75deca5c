package kubernetes_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lke-platform/tests/rehearsal/plugins"
	stand "lke-platform/tests/rehearsal/plugins/kubernetes"
)

// newStack makes a stack for a program in Go, run by the real engine with the provider attached to it. Its state is in root.
func newStack(t *testing.T, root string, program pulumi.RunFunc) auto.Stack {
	t.Helper()
	startCluster(t)
	bin := programs(t)
	if _, err := os.Stat(filepath.Join(bin, "pulumi")); err != nil {
		t.Skip("the Pulumi CLI is not in .bin: build it with make")
	}
	require.NoError(t, os.Symlink(bin, filepath.Join(root, "bin")))
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)
	providers, stop, err := plugins.Serve(map[string]plugins.Constructor{"kubernetes": stand.New(stand.Options{})})
	require.NoError(t, err)
	t.Cleanup(stop)
	stack, err := auto.UpsertStackInlineSource(t.Context(), "organization/provider/test", "provider", program,
		auto.Pulumi(command), auto.WorkDir(t.TempDir()), auto.PulumiHome(filepath.Join(root, "home")),
		auto.Project(workspace.Project{
			Name: tokens.PackageName("provider"), Runtime: workspace.NewProjectRuntimeInfo("go", nil),
			Backend: &workspace.ProjectBackend{URL: "file://" + root},
		}),
		auto.EnvVars(map[string]string{
			"PULUMI_DEBUG_PROVIDERS": providers, "PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_SKIP_UPDATE_CHECK": "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}),
	)
	require.NoError(t, err)
	return stack
}

// asInput makes an input of properties.
func asInput(value any) pulumi.Input {
	switch value := value.(type) {
	case props:
		object := pulumi.Map{}
		for key, element := range value {
			object[key] = asInput(element)
		}
		return object
	case []any:
		list := pulumi.Array{}
		for _, element := range value {
			list = append(list, asInput(element))
		}
		return list
	case int:
		return pulumi.Int(value)
	case bool:
		return pulumi.Bool(value)
	default:
		return pulumi.String(value.(string))
	}
}

func TestUnderTheEngine(t *testing.T) {
	t.Parallel()
	image, tier := "shop:1", "front"
	root := t.TempDir()
	stack := newStack(t, root, func(ctx *pulumi.Context) error {
		var provider pulumi.ProviderResourceState
		err := ctx.RegisterResource("pulumi:providers:kubernetes", "lke", asInput(props{
			"kubeconfig": cluster.kubeconfig, "clusterIdentifier": "1", "enableSecretMutable": true,
		}).(pulumi.Map), &provider)
		if err != nil {
			return err
		}
		var namespace, secret, deployment pulumi.CustomResourceState
		if err := ctx.RegisterResource(namespaceToken, "engine", asInput(props{}).(pulumi.Map), &namespace,
			pulumi.Provider(&provider)); err != nil {
			return err
		}
		in := namespace.ID().ToStringOutput()
		if err := ctx.RegisterResource(secretToken, "keys", pulumi.Map{
			"metadata": pulumi.Map{"namespace": in}, "stringData": pulumi.ToSecret(pulumi.StringMap{"key": pulumi.String("hunter2")}),
		}, &secret, pulumi.Provider(&provider)); err != nil {
			return err
		}
		program := asInput(web("", 1, image)).(pulumi.Map)
		program["metadata"] = pulumi.Map{
			"namespace": in, "name": pulumi.String("web"), "labels": pulumi.StringMap{"tier": pulumi.String(tier)},
		}
		ctx.Export("namespace", in)
		return ctx.RegisterResource(deploymentToken, "web", program, &deployment, pulumi.Provider(&provider),
			pulumi.IgnoreChanges([]string{"spec.template.spec.containers[0].image", "spec.replicas"}))
	})
	ctx := context.Background()
	_, err := stack.Preview(ctx, optpreview.ProgressStreams(io.Discard))
	require.NoError(t, err)
	up, err := stack.Up(ctx)
	require.NoError(t, err)
	require.Equal(t, 5, (*up.Summary.ResourceChanges)["create"])
	namespace := up.Outputs["namespace"].Value.(string)
	require.Regexp(t, `^engine-[0-9a-f]{8}$`, namespace)

	_, err = stack.Up(ctx, optup.ExpectNoChanges())
	require.NoError(t, err)
	_, err = stack.Refresh(ctx, optrefresh.ExpectNoChanges())
	require.NoError(t, err)

	e := &engine{TB: t}
	e.byHand("keel", "deployments", namespace, "web", `{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"web",
		"image":"shop:keel","resources":{"requests":{"cpu":"1","memory":"512Mi"}}}]}}}}`)
	image, tier = "shop:2", "back"
	up, err = stack.Up(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"same": 4, "update": 1}, *up.Summary.ResourceChanges)
	live := e.live("deployments", namespace, "web")
	containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	require.Equal(t, "shop:keel", containers[0].(map[string]any)["image"])
	require.Equal(t, "back", live.GetLabels()["tier"])

	e.byHand("kubectl-edit", "deployments", namespace, "web", `{"metadata":{"labels":{"tier":"evil"}}}`)
	refreshed, err := stack.Refresh(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, (*refreshed.Summary.ResourceChanges)[string(apitype.OpUpdate)])
	up, err = stack.Up(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"same": 4, "update": 1}, *up.Summary.ResourceChanges)
	require.Equal(t, "back", e.live("deployments", namespace, "web").GetLabels()["tier"])

	state, err := os.ReadFile(filepath.Join(root, ".pulumi", "stacks", "provider", "test.json"))
	require.NoError(t, err)
	require.False(t, bytes.Contains(state, []byte("hunter2")), "secrets are encrypted in the state")
	require.False(t, bytes.Contains(state, []byte(base64.StdEncoding.EncodeToString([]byte("hunter2")))))

	_, err = stack.Destroy(ctx)
	require.NoError(t, err)
}
