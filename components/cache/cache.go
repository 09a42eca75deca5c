// Package cache declares caches that clients of plain Redis use: a primary with two replicas, sentinels that make another one the
// primary when it is lost, and a proxy in front that always leads to the primary.
package cache

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Cache is a cache whose servers and proxies are ready.
type Cache struct {
	pulumi.ResourceState

	// Host leads to the primary, at Port. It is known when the cache is there.
	Host pulumi.StringOutput `pulumi:"host"`
}

const (
	// Port is where the proxies listen.
	Port = 6379
	// ExporterPort is where metrics are read from. A namespace that lets nothing in has to open it to monitoring.
	ExporterPort = 9121

	// servers is the least of which two are left when one is lost, so that they can agree on another primary.
	servers = 3
	proxies = 2
	// maxShare is the part of a server's memory that entries may fill. The rest is for clients, replicas and copies on write.
	maxShare = 0.7
)

// release is the name of a cache's release, which begins those of its objects.
func (a *Args) release() string { return "cache-" + a.Name }

// Bounds keep the servers and proxies of caches to their namespace: they have no business elsewhere.
func Bounds(caches []Args) (bounds []namespace.Bound) {
	for _, one := range caches {
		name := one.release()
		bounds = append(bounds, namespace.Bound{Name: name + "-bound", Pods: map[string]string{"release": name}})
	}
	return bounds
}

// Opening lets other namespaces use the caches. The caches' own namespace has to have it.
func Opening(namespaces []string) namespace.Opening {
	return namespace.Opening{Name: "caches", Namespaces: namespaces, Ports: []any{Port}}
}

// New declares a cache. The kinds of object that monitoring brings have to be there: its caller depends on them.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Cache, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("cache: %w", faults.ToAggregate())
	}
	c := &Cache{}
	if err := ctx.RegisterComponentResource("lke-platform:cache:Cache", name, c, opts...); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	guard, err := newGuard(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	release, err := charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart: charts.RedisHA, Name: args.release(), Namespace: args.Namespace, Values: args.values(), Overrides: args.Values,
	}, pulumi.Parent(c), guard)
	if err != nil {
		return nil, fmt.Errorf("cache: declaring the release: %w", err)
	}
	// The URN is known in a preview, unlike the ID.
	c.Host = release.URN().ApplyT(func(pulumi.URN) string { return args.release() + "-haproxy" }).(pulumi.StringOutput)
	return c, component.Done(ctx, c, pulumi.Map{"host": c.Host})
}

// values are those of the chart that differ from its own.
// Upstream: https://github.com/DandyDeveloper/charts/tree/master/charts/redis-ha
func (a *Args) values() pulumi.Map {
	size := resource.MustParse(a.Memory)
	return pulumi.Map{
		"image": pulumi.Map{
			"repository": pulumi.String(charts.Valkey.Name), "tag": pulumi.String(charts.Valkey.Tag),
		},
		"fullnameOverride":    pulumi.String(a.release()),
		"replicas":            pulumi.Int(servers),
		"hardAntiAffinity":    pulumi.Bool(false), // a small cluster has fewer nodes
		"priorityClassName":   pulumi.String(kube.PriorityApp),
		"podDisruptionBudget": pulumi.Map{"maxUnavailable": pulumi.Int(1)},
		"rbac":                pulumi.Map{"create": pulumi.Bool(false)}, // nobody asks the API server for anything
		"redis": pulumi.Map{
			// Applications clear their caches by these.
			"disableCommands": pulumi.Array{},
			"config":          a.config(size.AsApproximateFloat64() * maxShare),
			"resources":       kube.Requests("50m", a.Memory),
		},
		"sentinel": pulumi.Map{"resources": kube.Requests("10m", "48Mi")},
		"init":     pulumi.Map{"resources": kube.Requests("10m", "32Mi")},
		"splitBrainDetection": pulumi.Map{
			"resources": kube.Requests("5m", "32Mi"),
		},
		"persistentVolume": pulumi.Map{
			"enabled": pulumi.Bool(a.Persistent), "storageClass": a.StorageClass, "size": pulumi.String(diskSize),
		},
		"exporter": pulumi.Map{
			"enabled":        pulumi.Bool(true),
			"serviceMonitor": pulumi.Map{"enabled": pulumi.Bool(true)},
			"resources":      kube.Requests("10m", "32Mi"),
		},
		"haproxy": pulumi.Map{
			"enabled":             pulumi.Bool(true),
			"replicas":            pulumi.Int(proxies),
			"hardAntiAffinity":    pulumi.Bool(false),
			"priorityClassName":   pulumi.String(kube.PriorityApp),
			"podDisruptionBudget": pulumi.Map{"maxUnavailable": pulumi.Int(1)},
			"resources":           kube.Requests("20m", "64Mi"),
			"init":                pulumi.Map{"resources": kube.Requests("10m", "32Mi")},
			"serviceAccount":      pulumi.Map{"automountToken": pulumi.Bool(false)},
		},
		"tolerations": kube.TolerationValues(),
	}
}

// config is the servers' own. A primary that no replica follows any more takes no writes: they would be lost with it.
// Upstream: https://valkey.io/topics/valkey.conf/
func (a *Args) config(most float64) pulumi.Map {
	config := pulumi.Map{
		"maxmemory":        pulumi.String(fmt.Sprintf("%.0fmb", most/(1<<20))),
		"maxmemory-policy": pulumi.String(a.Eviction),
		"save":             pulumi.String(`""`),
	}
	if a.Persistent {
		config["save"] = pulumi.String("60 1")
	}
	return config
}
