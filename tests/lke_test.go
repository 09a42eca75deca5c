package tests

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/lke"
)

const firewallType = "kubernetes:networking.linode.com/alpha1v1:CloudFirewall"

// cluster declares a cluster with a pool of fixed size, "app", and one that grows, "batch".
func cluster(t *testing.T, edit func(*lke.Args)) *graph {
	t.Helper()
	args := clusterArgs()
	if edit != nil {
		edit(&args)
	}
	return declare(t, func(ctx *pulumi.Context) error {
		c, err := lke.New(ctx, "cluster", &args)
		if err != nil {
			return err
		}
		inside := &pulumi.ResourceState{}
		if err := ctx.RegisterComponentResource("test:index:Inside", "inside", inside, c.Inside()); err != nil {
			return err
		}
		return ctx.RegisterResource("kubernetes:core/v1:Pod", "inside", nil, &pulumi.CustomResourceState{}, pulumi.Parent(inside))
	})
}

func clusterArgs() lke.Args {
	return lke.Args{
		Label: "platform-test", Region: "us-east", KubernetesVersion: "1.36",
		SystemPool: lke.SystemPool{Type: "g6-standard-1", Count: 1},
		NodePools: []lke.NodePool{
			{Name: "app", Type: "g6-standard-2", Count: 2},
			{Name: "batch", Type: "g6-standard-2", Autoscale: &lke.Autoscale{Min: 1, Max: 4}},
		},
	}
}

func TestKubernetesGoesUpOneMinorVersionAtATime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, fault string }{
		"the same":                {"1.35", "1.35", ""},
		"the next":                {"1.35", "1.36", ""},
		"one too far":             {"1.34", "1.36", "Kubernetes cannot go from 1.34 to 1.36: it goes up by one minor version at a time, so the next is 1.35"},
		"back":                    {"1.36", "1.35", "Kubernetes cannot go from 1.36 to 1.35"},
		"the next major":          {"1.36", "2.0", "Kubernetes cannot go from 1.36 to 2.0"},
		"a patch of Enterprise":   {"v1.34.6+lke2", "v1.34.8+lke1", ""},
		"Enterprise, one too far": {"v1.32.9+lke4", "v1.34.6+lke2", "Kubernetes cannot go from 1.32.9 to 1.34.6"},
		"Enterprise, a patch back": {"v1.34.6+lke2", "v1.34.5+lke9",
			"Kubernetes cannot go from 1.34.6 to 1.34.5"},
		"no version": {"1.35", "latest", "the cluster's new version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inputs := func(version string) resource.PropertyMap {
				return resource.PropertyMap{"k8sVersion": resource.NewProperty(version)}
			}
			err := lke.CheckUpgrade(&pulumi.ResourceHookArgs{OldInputs: inputs(test.from), NewInputs: inputs(test.to)})
			if test.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.fault)
		})
	}
}

func TestAVersionThatIsNotKnownYetIsNotJudged(t *testing.T) {
	t.Parallel()
	old := resource.PropertyMap{"k8sVersion": resource.NewProperty("1.33")}
	unknown := resource.PropertyMap{"k8sVersion": resource.MakeComputed(resource.NewProperty(""))}
	require.NoError(t, lke.CheckUpgrade(&pulumi.ResourceHookArgs{OldInputs: old, NewInputs: unknown}))
}

func TestEveryUpdateOfTheClusterIsCheckedFirst(t *testing.T) {
	t.Parallel()
	hooks := cluster(t, nil).find(t, clusterType, "cluster").request.GetHooks()
	require.Equal(t, []string{"cluster-upgrade"}, hooks.GetBeforeUpdate())
}

// The provider's own 40 minutes are for all nodes together, which are replaced one at a time.
func TestAnUpgradeHasTimeForEveryNode(t *testing.T) {
	t.Parallel()
	for nodes, least := range map[int]time.Duration{2: 40 * time.Minute, 30: 4 * time.Hour} {
		g := cluster(t, func(args *lke.Args) { args.NodePools[0].Count = nodes })
		limit, err := time.ParseDuration(g.find(t, clusterType, "cluster").request.GetCustomTimeouts().GetUpdate())
		require.NoError(t, err)
		require.Greater(t, limit, least)
	}
}

func TestTheAPIIsOpenUnlessNetworksAreListed(t *testing.T) {
	t.Parallel()
	accessList := func(networks ...string) any {
		g := cluster(t, func(args *lke.Args) { args.APIAccess = networks })
		return at(reveal(g.find(t, clusterType, "cluster").inputs["controlPlane"]), "acl")
	}
	require.Equal(t, map[string]any{"enabled": false}, accessList(), "in so many words, or an earlier list would stay")
	require.Equal(t, map[string]any{"enabled": true, "addresses": []any{map[string]any{
		"ipv4s": []any{"192.0.2.1/32", "198.51.100.0/24"}, "ipv6s": []any{"2001:db8::/32"},
	}}}, accessList("192.0.2.1/32", "2001:db8::/32", "198.51.100.0/24"))

	args := clusterArgs()
	args.APIAccess = []string{"192.0.2.1", "10.0.0.1/8", "2001:DB8::/32"}
	faults := args.Validate(nil)
	require.Len(t, faults, 3, "Linode gives each of them back in another form")
	require.ErrorContains(t, faults[0], `apiAccess[0]: Invalid value: "192.0.2.1": must be a network in CIDR form`)
	require.ErrorContains(t, faults[1], "must be written as 10.0.0.0/8")
	require.ErrorContains(t, faults[2], "must be written as 2001:db8::/32")
}

func TestTheAutoscalerChoosesTheNumberOfNodes(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	pool := g.find(t, poolType, "cluster-batch")
	require.NotContains(t, pool.inputs, resource.PropertyKey("nodeCount"))
	require.Equal(t, []string{"nodeCount"}, pool.request.GetIgnoreChanges())
	require.Empty(t, g.find(t, poolType, "cluster-app").request.GetIgnoreChanges(), "a pool of fixed size is kept at it")
}

func TestANewPoolIsReadyBeforeTheOldOneGoes(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	for _, pool := range []string{"cluster-app", "cluster-batch"} {
		require.False(t, g.find(t, poolType, pool).request.GetDeleteBeforeReplace(), pool)
	}
}

func TestVolumesWaitForTheirPod(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	for class, policy := range map[string]string{"platform-delete": "Delete", "platform-retain": "Retain"} {
		inputs := reveal(resource.NewProperty(g.find(t, "kubernetes:storage.k8s.io/v1:StorageClass", "cluster-"+class).inputs))
		require.Equal(t, class, at(inputs, "metadata", "name"))
		require.Equal(t, policy, at(inputs, "reclaimPolicy"))
		require.Equal(t, "WaitForFirstConsumer", at(inputs, "volumeBindingMode"))
		require.Equal(t, true, at(inputs, "allowVolumeExpansion"))
		require.Equal(t, "linodebs.csi.linode.com", at(inputs, "provisioner"))
		require.Equal(t, "platform-test", at(inputs, "parameters", "linodebs.csi.linode.com/volumeTags"))
	}
}

func TestDatabasesComeBeforeTheAppAndTheAppBeforeAllTheRest(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	value := func(name string) float64 {
		class := g.find(t, "kubernetes:scheduling.k8s.io/v1:PriorityClass", "cluster-"+name)
		require.NotContains(t, class.inputs, resource.PropertyKey("globalDefault"))
		return class.inputs["value"].NumberValue()
	}
	require.Greater(t, value("platform-data"), value("platform-app"))
	require.Positive(t, value("platform-app"), "pods without a class have 0")
}

func TestWhatIsInsideComesAfterTheClassesThatItNames(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	for _, class := range []string{
		"kubernetes:storage.k8s.io/v1:StorageClass cluster-platform-delete",
		"kubernetes:storage.k8s.io/v1:StorageClass cluster-platform-retain",
		"kubernetes:scheduling.k8s.io/v1:PriorityClass cluster-platform-data",
		"kubernetes:scheduling.k8s.io/v1:PriorityClass cluster-platform-app",
		poolType + " cluster-app",
	} {
		require.True(t, g.waitsFor("kubernetes:core/v1:Pod inside", class), class)
	}
	require.Contains(t, g.find(t, "kubernetes:core/v1:Pod", "inside").request.GetProvider(), "::cluster::")
}

func TestNodesAreEmptiedBeforeTheirPoolIsDeleted(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	for _, pool := range []string{"cluster-app", "cluster-batch"} {
		// One name for all pools: the hook of a pool that is gone from the stack file is still known by it.
		require.Equal(t, []string{"cluster-empty"}, g.find(t, poolType, pool).request.GetHooks().GetBeforeDelete())
	}
}

func TestReleasesGoOnFromWhereAKilledRunLeftThem(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"staging", "prod"} {
		for key, node := range deployed(t, stack).resources {
			if strings.HasPrefix(key, releaseType) {
				hooks := node.request.GetHooks()
				require.Equal(t, []string{"cluster-mend"}, hooks.GetBeforeCreate(), key)
				require.Equal(t, []string{"cluster-mend"}, hooks.GetBeforeUpdate(), key)
			}
		}
	}
}

func TestTheFirewallOfTheNodesAddsToWhatLKENeeds(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	firewall := g.find(t, firewallType, "cluster-firewall")
	require.Equal(t, "kube-system", g.find(t, releaseType, "cluster-firewall").inputs["namespace"].StringValue(),
		"Linode's token for the cluster is there")
	rules := at(reveal(firewall.inputs["spec"]), "ruleset", "inbound").([]any)
	require.Equal(t, []any{map[string]any{
		"label": "allow-node-exporter", "description": "Prometheus node exporter",
		"action": "ACCEPT", "protocol": "TCP", "ports": "9100",
		"addresses": map[string]any{"ipv4": []any{"192.168.128.0/17"}},
	}}, rules)
	for _, release := range []string{"cluster-firewall", "cluster-firewall-crds"} {
		require.Contains(t, g.find(t, releaseType, release).request.GetProvider(), "::cluster::")
	}
}

func TestTheFirewallGoesBeforeTheControllerThatDeletesIt(t *testing.T) {
	t.Parallel()
	g := cluster(t, nil)
	require.True(t, g.waitsFor(firewallType+" cluster-firewall", releaseType+" cluster-firewall"))
	require.True(t, g.waitsFor(releaseType+" cluster-firewall", releaseType+" cluster-firewall-crds"))

	// The controller may have made the object that the program declares.
	require.Equal(t, "primary", at(reveal(g.find(t, firewallType, "cluster-firewall").inputs["metadata"]), "name"))
	adopting := g.find(t, "pulumi:providers:kubernetes", "cluster-firewall")
	require.Contains(t, g.find(t, firewallType, "cluster-firewall").request.GetProvider(), "::cluster-firewall::")
	require.True(t, adopting.inputs["upsertExistingObjects"].BoolValue())
	require.NotContains(t, g.find(t, "pulumi:providers:kubernetes", "cluster").inputs,
		resource.PropertyKey("upsertExistingObjects"), "nothing else takes over what is there")
}
