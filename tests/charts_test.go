package tests

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/charts"
	"lke-platform/components/charts/archive"
)

// A stack file that sets one key of a chart leaves the component's others in force, of whatever type their map is.
func TestAnOverriddenValueLeavesThoseBesideIt(t *testing.T) {
	t.Parallel()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := charts.NewRelease(ctx, "release", &charts.ReleaseArgs{
			Chart: charts.KubePrometheusStack, Name: "release", Namespace: pulumi.String("monitoring"),
			Values: pulumi.Map{
				"defaultRules": pulumi.Map{"rules": pulumi.ToBoolMap(map[string]bool{"etcd": false, "kubeProxy": false})},
				"resources": pulumi.Map{
					"requests": pulumi.StringMap{"cpu": pulumi.String("100m"), "memory": pulumi.String("1Gi")},
					"limits":   pulumi.StringMap{"memory": pulumi.String("1Gi")},
				},
				"tolerations": pulumi.Array{pulumi.String("all")},
			},
			Overrides: map[string]any{
				"defaultRules": map[string]any{"rules": map[string]any{"etcd": true}},
				"resources":    map[string]any{"requests": map[string]any{"cpu": "2"}},
				"tolerations":  []any{},
			},
		})
		return err
	}, pulumi.WithMocks(projectName, "prod", g)))
	require.Equal(t, map[string]any{
		"defaultRules": map[string]any{"rules": map[string]any{"etcd": true, "kubeProxy": false}},
		"resources": map[string]any{
			"requests": map[string]any{"cpu": "2", "memory": "1Gi"}, "limits": map[string]any{"memory": "1Gi"},
		},
		"tolerations": []any{},
	}, reveal(g.find(t, releaseType, "release").inputs["values"]))
}

// Whatever Pulumi is called by, nothing is declared with a chart that is missing, or that nobody has reviewed.
func TestNothingIsDeclaredWithoutTheReviewedCharts(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir(archive.Folder, 0o700))
	const content, digest = "a chart", "8b6e3e8b8a5d8f6f0f4e1c1a5a7c5b0c"
	reviewed := charts.Chart{Name: "oci://registry.example/charts/keel", Version: "1.2.0"}
	run := func() (ran bool, err error) {
		err = pulumi.RunErr(charts.AtHand(func(*pulumi.Context) error {
			ran = true
			return nil
		}, func(*pulumi.Context) []charts.Chart { return []charts.Chart{reviewed} }), pulumi.WithMocks(projectName, "prod", &graph{resources: map[string]*node{}}))
		return ran, err
	}
	refused := func(reasons ...string) {
		t.Helper()
		ran, err := run()
		require.False(t, ran)
		require.ErrorContains(t, err, "make charts")
		for _, reason := range reasons {
			require.ErrorContains(t, err, reason)
		}
	}
	refused(".charts/keel-1.2.0.tgz", "no such file")
	require.ErrorIs(t, reviewed.Check("."), fs.ErrNotExist)

	require.NoError(t, os.WriteFile(reviewed.Path(), []byte(content), 0o600))
	found, err := archive.Digest(reviewed.Path())
	require.NoError(t, err)
	refused("no digest is pinned", found)
	reviewed.SHA256 = digest
	refused(found, digest)
	reviewed.SHA256 = found
	ran, err := run()
	require.NoError(t, err)
	require.True(t, ran)
}

// A chart that is missing from the list of all would be neither fetched nor checked.
func TestAllChartsAreAll(t *testing.T) {
	t.Parallel()
	require.Len(t, charts.All(), strings.Count(textOf(t, "../components/charts/charts.go"), "= Chart{"))
	require.Contains(t, textOf(t, "../main.go"), "charts.AtHand(stacks.Deploy, stacks.Charts)")
	paths := map[string]bool{}
	for _, chart := range charts.All() {
		paths[chart.Path()] = true
	}
	require.Len(t, paths, len(charts.All()))
}

// Where the repository lies on a machine, or where a chart was downloaded from, changes no release.
func TestAReleaseTakesItsChartFromBesideTheStack(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"staging", "prod"} {
		for key, node := range deployed(t, stack).resources {
			if node.request.GetType() == releaseType {
				require.Regexp(t, `^\.charts/[a-z-]+-v?[0-9.]+\.tgz$`, node.inputs["chart"].StringValue(), key)
				require.NotContains(t, node.inputs, resource.PropertyKey("repositoryOpts"), key)
			}
		}
	}
}
