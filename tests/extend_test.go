package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/addon"
	"lke-platform/components/namespace"
)

// newSearch declares an Elasticsearch that Mastodon finds at http://search-master.search:9200, and nobody else does.
func newSearch(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*addon.Addon, error) {
	args := &addon.Args{
		Name:       "search",
		Chart:      "elasticsearch",
		Repository: "https://helm.elastic.co",
		Version:    "8.5.1",
		SHA256:     strings.Repeat("0a", 32), // make charts tells it
		Standard:   string(namespace.Baseline),
		Values: map[string]any{
			"fullnameOverride": "search", "replicas": 1, "sysctlInitContainer": map[string]any{"enabled": false},
		},
		Open: []addon.Opening{{From: []string{"mastodon"}, Ports: []int{9200}}},
	}
	return addon.New(ctx, name, args, opts...)
}

// What the document shows is what runs here.
func TestThePlatformIsExtendedAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	_, shown, _ := strings.Cut(textOf(t, "extend_test.go"), "// newSearch declares")
	shown, _, _ = strings.Cut(shown, "\n}\n")
	require.Contains(t, textOf(t, "../docs/extend.md"), "// newSearch declares"+shown+"\n}\n")

	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := newSearch(ctx, "search")
		return err
	}, pulumi.WithMocks(projectName, "prod", g)))
	require.Equal(t, ".charts/elasticsearch-8.5.1.tgz", g.find(t, releaseType, "search").inputs["chart"].StringValue())
	require.Contains(t, g.resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy search-from-mastodon")
}
