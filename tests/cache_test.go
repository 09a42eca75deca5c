package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/cache"
)

// withCaches is staging with a queue and a cache.
func withCaches(text string) string {
	return strings.NewReplacer("  lke-platform:monitoring:\n", `  lke-platform:caches:
    - {name: queue, persistent: true}
    - {name: pages, memory: 512Mi, eviction: allkeys-lru}

  lke-platform:monitoring:
`, "    health:\n", "    caches: {REDIS_URL: queue/uri, CACHE_HOST: pages/host, CACHE_PORT: pages/port}\n    health:\n").Replace(text)
}

func TestAnAppHasCaches(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", withCaches), "staging")
	require.NoError(t, err)
	variables := environment(only(t, podOf(g.find(t, deploymentType, "app").inputs)["containers"])["env"])
	require.Equal(t, "redis://cache-queue-haproxy:6379/0", variables["REDIS_URL"])
	require.Equal(t, "cache-pages-haproxy", variables["CACHE_HOST"])
	require.Equal(t, "6379", variables["CACHE_PORT"])

	for _, name := range []string{"queue", "pages"} {
		release := g.find(t, releaseType, "cache-"+name)
		require.True(t, g.waitsFor(deploymentType+" app", releaseType+" cache-"+name), name)
		require.True(t, g.waitsFor(releaseType+" cache-"+name, releaseType+" monitoring"), "it brings a monitor along")
		t.Run(name, func(t *testing.T) {
			values, _ := reveal(release.inputs["values"]).(map[string]any)
			requireKnown(t, chartData(t), release.inputs["chart"].StringValue(), release.inputs["version"].StringValue(), values)
		})
		bound := g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "changelog-cache-"+name+"-bound").inputs
		require.Equal(t, map[string]any{"release": "cache-" + name},
			at(reveal(bound["spec"]), "podSelector", "matchLabels"))
	}
	config := func(name string) any {
		return at(reveal(g.find(t, releaseType, "cache-"+name).inputs["values"]), "redis", "config")
	}
	require.Equal(t, map[string]any{
		"maxmemory": "90mb", "maxmemory-policy": "noeviction", "save": "60 1",
	}, config("queue"), "it outlives the loss of all its servers")
	require.Equal(t, map[string]any{"maxmemory": "358mb", "maxmemory-policy": "allkeys-lru", "save": `""`}, config("pages"))
	metrics := g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "changelog-metrics").inputs["spec"]
	require.Contains(t, reveal(metrics.ObjectValue()["ingress"].ArrayValue()[0].ObjectValue()["ports"]), map[string]any{"port": 9121.0})
}

// Kubernetes would refuse it in the middle of an up.
func TestALivingCacheKeepsTheDisksThatItWasMadeWith(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", withCaches), "staging")
	require.NoError(t, err)
	queue, pages := g.find(t, releaseType, "cache-queue"), g.find(t, releaseType, "cache-pages")
	require.Contains(t, queue.request.GetHooks().GetBeforeUpdate(), "cache-queue-guard")
	require.ErrorContains(t, cache.Refuse(queue.inputs, pages.inputs), "cache: persistent cannot change on a cache that is there; add")
	require.ErrorContains(t, cache.Refuse(pages.inputs, queue.inputs), "cache: persistent cannot change")
	require.NoError(t, cache.Refuse(queue.inputs, queue.inputs))
}

func TestEveryFaultOfACacheIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*cache.Args)
		fault string
	}{
		"no name":                 {func(a *cache.Args) { a.Name = "" }, "caches[1].name: Invalid value"},
		"one name":                {func(a *cache.Args) { a.Name = "queue" }, `caches[1].name: Duplicate value: "queue"`},
		"a long name":             {func(a *cache.Args) { a.Name = strings.Repeat("a", 31) }, "caches[1].name: Too long"},
		"less than its overhead":  {func(a *cache.Args) { a.Memory = "32Mi" }, `caches[1].memory: Invalid value: "32Mi": must be from 64Mi`},
		"more than its disk":      {func(a *cache.Args) { a.Memory = "20Gi" }, `caches[1].memory: Invalid value: "20Gi"`},
		"memory that is none":     {func(a *cache.Args) { a.Memory = "much" }, `caches[1].memory: Invalid value: "much"`},
		"an eviction of no known": {func(a *cache.Args) { a.Eviction = "lru" }, `caches[1].eviction: Unsupported value: "lru"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caches := []cache.Args{{Name: "queue"}, {Name: "pages"}}
			for i := range caches {
				caches[i].Default()
			}
			require.Empty(t, cache.ValidateAll(field.NewPath("caches"), caches))
			test.edit(&caches[1])
			require.ErrorContains(t, cache.ValidateAll(field.NewPath("caches"), caches).ToAggregate(), test.fault)
		})
	}
	_, err := deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(withCaches(text), "queue/uri", "jobs/uri", 1)
	}), "staging")
	require.ErrorContains(t, err, `app.caches[REDIS_URL]: Unsupported value: "jobs": supported values: "queue", "pages"`)
	_, err = deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(withCaches(text), "queue/uri", "queue/url", 1)
	}), "staging")
	require.ErrorContains(t, err, `app.caches[REDIS_URL]: Unsupported value: "url"`)
}
