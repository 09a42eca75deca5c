package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/addon"
)

// withCharts is staging with two charts of its own.
func withCharts(text string) string {
	sum := strings.Repeat("0a", 32)
	return strings.Replace(text, "  lke-platform:monitoring:\n", `  lke-platform:charts:
    - name: crds
      chart: oci://registry.example/charts/eck-operator-crds
      version: 3.1.0
      sha256: `+sum+`
    - name: search
      chart: opensearch
      repository: https://opensearch-project.github.io/helm-charts
      version: 3.2.0
      sha256: `+sum+`
      values: {replicas: 1, extraEnvs: [{name: A, value: b}]}
      secrets: {password: search-password}
      standard: baseline
      open: [{from: [changelog], ports: [9200]}, {from: [monitoring], ports: [9114]}]
      after: [crds]

  lke-platform:monitoring:
`, 1) + "  lke-platform:secret-search-password:\n    secure: v1:ciphertext\n"
}

func TestAStackInstallsChartsOfItsOwn(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", withCharts), "staging")
	require.NoError(t, err)
	release := g.find(t, releaseType, "chart-search")
	require.Equal(t, ".charts/opensearch-3.2.0.tgz", release.inputs["chart"].StringValue(), "from beside the stack, as all others")
	require.Equal(t, map[string]any{"replicas": 1.0, "extraEnvs": []any{map[string]any{"name": "A", "value": "b"}}},
		reveal(release.inputs["values"]))
	require.True(t, release.inputs["atomic"].BoolValue())
	require.True(t, g.waitsFor(releaseType+" chart-search", releaseType+" chart-crds"))
	require.True(t, g.waitsFor(releaseType+" chart-search", "kubernetes:core/v1:Secret chart-search"))
	require.True(t, g.waitsFor(releaseType+" chart-crds", releaseType+" monitoring"), "it may bring monitors along")
	require.True(t, g.waitsFor(deploymentType+" app", releaseType+" chart-search"), "the app may need it")
	secretly := g.find(t, "kubernetes:core/v1:Secret", "chart-search").inputs
	require.True(t, secretly["stringData"].ContainsSecrets())
	require.Equal(t, "search", secretly["metadata"].ObjectValue()["name"].StringValue())

	space := reveal(g.find(t, "kubernetes:core/v1:Namespace", "chart-search").inputs["metadata"])
	require.Equal(t, "baseline", at(space, "labels", "pod-security.kubernetes.io/enforce"))
	const policy = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
	require.Contains(t, g.resources, policy+" chart-search-default-deny")
	opened := reveal(g.find(t, policy, "chart-search-from-changelog").inputs["spec"])
	require.Equal(t, []any{map[string]any{"port": 9200.0}}, at(at(opened, "ingress").([]any)[0], "ports"))
	require.Equal(t, "restricted", at(reveal(g.find(t, "kubernetes:core/v1:Namespace", "chart-crds").inputs["metadata"]),
		"labels", "pod-security.kubernetes.io/enforce"), "unless something else is said")
}

func TestEveryFaultOfAChartIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*addon.Args)
		fault string
	}{
		"a namespace of ours":    {func(a *addon.Args) { a.Name = "monitoring" }, "charts[1].name: Forbidden: the namespace of this name is the platform's"},
		"Kubernetes' namespace":  {func(a *addon.Args) { a.Name = "kube-system" }, "charts[1].name: Forbidden"},
		"one name":               {func(a *addon.Args) { a.Name = "one" }, `charts[1].name: Duplicate value: "one"`},
		"a name that is none":    {func(a *addon.Args) { a.Name = "A" }, `charts[1].name: Invalid value: "A"`},
		"no chart":               {func(a *addon.Args) { a.Chart = "" }, "charts[1].chart: Required value"},
		"no version":             {func(a *addon.Args) { a.Version = "" }, "charts[1].version: Required value"},
		"no digest":              {func(a *addon.Args) { a.SHA256 = "" }, "charts[1].sha256: Invalid value: \"\": must be the digest"},
		"no repository":          {func(a *addon.Args) { a.Repository = "" }, "charts[1].repository: Invalid value"},
		"a repository twice":     {func(a *addon.Args) { a.Chart = "oci://x/y" }, "charts[1].repository: Forbidden"},
		"a standard unknown":     {func(a *addon.Args) { a.Standard = "strict" }, `charts[1].standard: Unsupported value: "strict"`},
		"open twice":             {func(a *addon.Args) { a.Open = []addon.Opening{{From: []string{"a"}}, {From: []string{"a"}}} }, "charts[1].open[1].from: Duplicate value"},
		"open to no namespace":   {func(a *addon.Args) { a.Open = []addon.Opening{{From: []string{"A"}}} }, `charts[1].open[0].from[0]: Invalid value: "A"`},
		"open to nobody":         {func(a *addon.Args) { a.Open = []addon.Opening{{Ports: []int{1}}} }, "charts[1].open[0].from: Required value"},
		"a port that is none":    {func(a *addon.Args) { a.Open = []addon.Opening{{From: []string{"a"}, Ports: []int{0}}} }, "charts[1].open[0].ports[0]: Invalid value: 0"},
		"after what comes later": {func(a *addon.Args) { a.After = []string{"two"} }, `charts[1].after[0]: Unsupported value: "two": supported values: "one"`},
		"a name too long":        {func(a *addon.Args) { a.Name = strings.Repeat("a", 54) }, "charts[1].name: Too long: may not be more than 53"},
		"a secret of no key":     {func(a *addon.Args) { a.Secrets = map[string]string{"a/b": "c"} }, `charts[1].secrets[a/b]: Invalid value: "a/b"`},
		"a secret of no name":    {func(a *addon.Args) { a.Secrets = map[string]string{"a": ""} }, "charts[1].secrets[a]: Required value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := make([]addon.Args, 2)
			for i, name := range []string{"one", "two"} {
				all[i].Default()
				all[i].Name, all[i].Chart, all[i].Repository = name, name, "https://charts.example"
				all[i].Version, all[i].SHA256 = "1.0.0", strings.Repeat("0", 64)
			}
			require.Empty(t, addon.ValidateAll(field.NewPath("charts"), all, "monitoring"))
			test.edit(&all[1])
			require.ErrorContains(t, addon.ValidateAll(field.NewPath("charts"), all, "monitoring").ToAggregate(), test.fault)
		})
	}
}
