package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/plugins"
	stand "lke-platform/tests/rehearsal/plugins/kubernetes"
)

const providerToken = "pulumi:providers:kubernetes"

func kubeconfig(server string) string {
	return strings.ReplaceAll(`
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: SERVER}}]
users: [{name: u, user: {token: TOKEN}}]
`, "SERVER", server)
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	e := dial(t, stand.Options{})
	unknown := resource.MakeComputed(resource.NewProperty(""))
	for name, check := range map[string]struct {
		config props
		want   string // in the failures; none when empty
	}{
		"as the SDK sends it": {config: props{
			"kubeconfig": kubeconfig("https://one"), "enableServerSideApply": "true", "enableConfigMapMutable": true,
			"kubeClientSettings": `{"burst":100,"qps":20.5}`, "helmReleaseSettings": props{"driver": "secret"}, "version": "4.30.0",
		}},
		"not known yet":     {config: props{"kubeconfig": unknown, "clusterIdentifier": unknown}},
		"misspelt":          {props{"kubeconfg": "x"}, `no setting "kubeconfg"`},
		"no switch":         {props{"enablePatchForce": "perhaps"}, "enablePatchForce"},
		"misspelt inside":   {props{"kubeClientSettings": `{"brst":1}`}, "brst"},
		"client-side apply": {props{"enableServerSideApply": "false"}, "server-side apply only"},
		"rendering to YAML": {props{"renderYamlToDirectory": "out"}, "renderYamlToDirectory"},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := e.provider.CheckConfig(t.Context(), &pulumirpc.CheckRequest{
				Urn: string(urnOf(providerToken, "lke")), News: e.encode(resource.NewPropertyMapFromMap(check.config)),
			})
			require.NoError(t, err)
			if check.want == "" {
				require.Empty(t, response.GetFailures())
				return
			}
			require.Len(t, response.GetFailures(), 1)
			require.Contains(t, response.GetFailures()[0].GetReason(), check.want)
		})
	}
}

func TestDiffConfig(t *testing.T) {
	t.Parallel()
	e := dial(t, stand.Options{})
	one, two := kubeconfig("https://one"), kubeconfig("https://two")
	unknown := resource.MakeComputed(resource.NewProperty(""))
	for name, diff := range map[string]struct {
		olds, news props
		changes    bool
		replaces   []string
	}{
		"same":            {olds: props{"kubeconfig": one}, news: props{"kubeconfig": one}},
		"another cluster": {props{"kubeconfig": one}, props{"kubeconfig": two}, true, []string{"kubeconfig"}},
		"another token":   {props{"kubeconfig": one}, props{"kubeconfig": strings.ReplaceAll(one, "TOKEN", "x")}, true, nil},
		"not known yet":   {props{"kubeconfig": one}, props{"kubeconfig": unknown}, true, []string{"kubeconfig"}},
		"not known yet, same identifier": {
			props{"kubeconfig": one, "clusterIdentifier": "7"}, props{"kubeconfig": unknown, "clusterIdentifier": "7"}, true, nil,
		},
		"another cluster, same identifier": {
			props{"kubeconfig": one, "clusterIdentifier": "7"}, props{"kubeconfig": two, "clusterIdentifier": "7"}, true, nil,
		},
		"another identifier": {
			props{"kubeconfig": one, "clusterIdentifier": "7"}, props{"kubeconfig": one, "clusterIdentifier": "8"}, true,
			[]string{"clusterIdentifier"},
		},
		"a first identifier": {props{"kubeconfig": one}, props{"kubeconfig": one, "clusterIdentifier": "7"}, true, nil},
		"another switch":     {props{"kubeconfig": one}, props{"kubeconfig": one, "enablePatchForce": "true"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			olds := e.encode(resource.NewPropertyMapFromMap(diff.olds))
			response, err := e.provider.DiffConfig(t.Context(), &pulumirpc.DiffRequest{
				Urn: string(urnOf(providerToken, "lke")), Olds: olds, OldInputs: olds,
				News: e.encode(resource.NewPropertyMapFromMap(diff.news)),
			})
			require.NoError(t, err)
			require.Equal(t, diff.changes, response.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME)
			require.Equal(t, diff.replaces, response.GetReplaces())
		})
	}
}

// The engine attaches to one address for each provider of a program: the default one, which has no kubeconfig, and explicit ones.
func TestProvidersAreKeptApart(t *testing.T) {
	t.Parallel()
	startCluster(t)
	addresses, stop, err := plugins.Serve(map[string]plugins.Constructor{"kubernetes": stand.New(stand.Options{})})
	require.NoError(t, err)
	t.Cleanup(stop)
	explicit := attach(t, addresses).configure(props{"kubeconfig": cluster.kubeconfig})
	other := attach(t, addresses).configure(nil)
	unconfigured := attach(t, addresses)

	explicit.succeed(explicit.up(configMapToken, "apart", props{"metadata": props{"name": "apart"}}))
	_, _, err = other.up(configMapToken, "apart", props{"metadata": props{"name": "apart"}})
	require.ErrorContains(t, err, "preview: ")
	require.ErrorContains(t, err, "no kubeconfig is configured")
	_, _, err = unconfigured.up(configMapToken, "apart", props{})
	require.ErrorContains(t, err, "is not configured")
	other.configure(props{"kubeconfig": cluster.kubeconfig})
	require.Equal(t, "apart", explicit.output(configMapToken, "apart", "metadata.name"))
	_, _, err = other.up(configMapToken, "apart", props{"metadata": props{"name": "apart"}})
	require.ErrorContains(t, err, "exists already", "a second configuration takes the place of the first")
}

func TestUnreachableCluster(t *testing.T) {
	t.Parallel()
	const nobody = "https://127.0.0.1:1"
	e := dial(t, stand.Options{}).configure(props{"kubeconfig": kubeconfig(nobody), "deleteUnreachable": "true"})
	_, _, err := e.up(configMapToken, "x", props{"metadata": props{"name": "x"}})
	require.ErrorContains(t, err, nobody)
	require.NotContains(t, err.Error(), "preview", "a preview passes without the cluster")

	lost := &state{id: "default/x", inputs: resource.PropertyMap{}, outputs: resource.PropertyMap{}}
	e.states[urnOf(configMapToken, "x")] = lost
	require.Equal(t, []string{"gone"}, e.refresh(configMapToken, "x"))
	require.NoError(t, e.delete(urnOf(configMapToken, "x"), lost))
	e.states[urnOf(releaseToken, "r")] = lost
	require.Equal(t, []string{"gone"}, e.refresh(releaseToken, "r"))
	require.ErrorContains(t, e.delete(urnOf(releaseToken, "r"), lost), "can't delete Helm Release", "as the official provider")

	e.configure(props{"kubeconfig": kubeconfig(nobody), "skipUpdateUnreachable": true})
	e.states[urnOf(configMapToken, "x")] = lost
	require.Empty(t, e.refresh(configMapToken, "x"), "taken to be unchanged")

	e.configure(props{"kubeconfig": kubeconfig(nobody)})
	require.ErrorContains(t, e.delete(urnOf(configMapToken, "x"), lost), "PULUMI_K8S_DELETE_UNREACHABLE")
}
