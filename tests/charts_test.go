package tests

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/charts"
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
