// Package lke declares a Kubernetes cluster on Linode (LKE) with its node pools and their firewall, the classes of storage and
// of priority that everything inside the cluster relies on, and the provider through which it is declared.
package lke

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/network"
)

// externalPool marks the pools that are resources of their own: the cluster resource deletes every pool that it neither
// declares inline nor finds marked with one of its externalPoolTags.
const externalPool = "lke-platform"

// Cluster is an LKE cluster with its node pools.
// Upstream: https://techdocs.akamai.com/linode-api/reference/post-lke-cluster
type Cluster struct {
	pulumi.ResourceState

	// ID is Linode's number for the cluster.
	ID pulumi.IDOutput `pulumi:"clusterId"`
	// Kubeconfig gives full access to the cluster, as YAML. Secret.
	Kubeconfig pulumi.StringOutput `pulumi:"kubeconfig"`
	// Provider declares objects inside the cluster. It depends on the node pools, so that nothing is sent to a cluster
	// without ready nodes, and so that nodes outlive what runs on them when the stack is destroyed.
	Provider *kubernetes.Provider

	// classes are the objects that a pod or a claim inside the cluster names, and that it is refused without.
	classes []pulumi.Resource
	// mending is the option that makes releases inside the cluster ready for Helm.
	mending pulumi.ResourceOption
}

// Inside is the option that places a component inside the cluster: it takes the cluster's provider, and waits for the classes
// of priority and storage that its pods and claims may name. Its releases go on from where a run that was cut short left them.
func (c *Cluster) Inside() pulumi.ResourceOption {
	return pulumi.Composite(pulumi.Providers(c.Provider), pulumi.DependsOn(c.classes), c.mending)
}

// New declares a cluster.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Cluster, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("lke: %w", faults.ToAggregate())
	}
	c := &Cluster{}
	var err error
	if c.mending, err = c.mendReleases(ctx, name); err != nil {
		return nil, fmt.Errorf("lke: %w", err)
	}
	if err := ctx.RegisterComponentResource("lke-platform:lke:Cluster", name, c, append(opts, c.mending)...); err != nil {
		return nil, fmt.Errorf("lke: %w", err)
	}
	cluster, err := c.newCluster(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("lke: declaring the cluster: %w", err)
	}
	pools, err := c.newNodePools(ctx, name, args.NodePools, cluster)
	if err != nil {
		return nil, fmt.Errorf("lke: declaring node pools: %w", err)
	}
	c.ID = cluster.ID()
	c.Kubeconfig = cluster.Kubeconfig.ApplyT(decode).(pulumi.StringOutput)
	if c.Provider, err = c.newProvider(ctx, name, pools, false); err != nil {
		return nil, fmt.Errorf("lke: declaring the Kubernetes provider: %w", err)
	}
	if c.classes, err = c.newClasses(ctx, name, args); err != nil {
		return nil, fmt.Errorf("lke: declaring classes: %w", err)
	}
	if err := c.newFirewall(ctx, name, pools); err != nil {
		return nil, fmt.Errorf("lke: declaring the firewall of the nodes: %w", err)
	}
	return c, component.Done(ctx, c, pulumi.Map{"clusterId": c.ID, "kubeconfig": c.Kubeconfig})
}

// newProvider declares a provider of what is inside the cluster. One that adopts takes over objects that are there already.
func (c *Cluster) newProvider(
	ctx *pulumi.Context, name string, pools []pulumi.Resource, adopts bool,
) (*kubernetes.Provider, error) {
	args := &kubernetes.ProviderArgs{
		Kubeconfig: c.Kubeconfig,
		// Without an identifier a new kubeconfig reads as a new cluster, and a preview replaces everything inside it.
		ClusterIdentifier:     c.ID,
		EnableServerSideApply: pulumi.Bool(true),
		// What somebody changed by hand is a difference to be shown, and repaired; without force even the preview of it fails.
		EnablePatchForce:       pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
	}
	if adopts {
		args.UpsertExistingObjects = pulumi.Bool(true)
	}
	return kubernetes.NewProvider(ctx, name, args, pulumi.Parent(c), pulumi.DependsOn(pools))
}

func (c *Cluster) newCluster(ctx *pulumi.Context, name string, args *Args) (*linode.LkeCluster, error) {
	// On dry runs too: a preview has to say what cannot be done.
	hook, err := ctx.RegisterResourceHook(name+"-upgrade", CheckUpgrade, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, err
	}
	return linode.NewLkeCluster(ctx, name, &linode.LkeClusterArgs{
		Label:      pulumi.String(args.Label),
		Region:     pulumi.String(args.Region),
		K8sVersion: pulumi.String(args.KubernetesVersion),
		ControlPlane: linode.LkeClusterControlPlaneArgs{
			HighAvailability: pulumi.Bool(args.HighAvailability),
			Acl:              args.accessList(),
		},
		ExternalPoolTags: pulumi.ToStringArray([]string{externalPool}),
		Pools: linode.LkeClusterPoolArray{linode.LkeClusterPoolArgs{
			Type:   pulumi.String(args.SystemPool.Type),
			Count:  pulumi.Int(args.SystemPool.Count),
			Labels: pulumi.StringMap{poolLabel: pulumi.String(systemPool)},
		}},
	}, pulumi.Parent(c), pulumi.Protect(args.Protect), pulumi.Timeouts(&pulumi.CustomTimeouts{Update: args.upgradeTime()}),
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}))
}

// accessList says who may reach the API. It is said in so many words that there is no list: an absent one would leave the list
// of an earlier time in force.
func (a *Args) accessList() linode.LkeClusterControlPlaneAclArgs {
	list := linode.LkeClusterControlPlaneAclArgs{Enabled: pulumi.Bool(len(a.APIAccess) > 0)}
	if len(a.APIAccess) > 0 {
		ipv4, ipv6 := network.Families(a.APIAccess)
		list.Addresses = linode.LkeClusterControlPlaneAclAddressArray{linode.LkeClusterControlPlaneAclAddressArgs{
			Ipv4s: pulumi.ToStringArray(ipv4), Ipv6s: pulumi.ToStringArray(ipv6),
		}}
	}
	return list
}

func (c *Cluster) newNodePools(
	ctx *pulumi.Context, name string, pools []NodePool, cluster *linode.LkeCluster,
) ([]pulumi.Resource, error) {
	clusterID := cluster.ID().ToStringOutput().ApplyT(strconv.Atoi).(pulumi.IntOutput)
	// One hook for all pools, under a name that stays: that of a pool which is gone from the program is looked up by it.
	hook, err := ctx.RegisterResourceHook(name+"-empty", c.emptyPool(ctx), nil)
	if err != nil {
		return nil, err
	}
	var declared []pulumi.Resource
	for _, pool := range pools {
		args := &linode.LkeNodePoolArgs{
			ClusterId: clusterID,
			Type:      pulumi.String(pool.Type),
			Labels:    pulumi.ToStringMap(pool.labels()),
			Tags:      pulumi.ToStringArray([]string{externalPool}),
			Taints:    pool.taints(),
		}
		// A pool that has to be replaced stays until the nodes of the new one are ready, which is the engine's default.
		opts := []pulumi.ResourceOption{
			pulumi.Parent(c), pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeDelete: []*pulumi.ResourceHook{hook}}),
		}
		if pool.Autoscale == nil {
			args.NodeCount = pulumi.Int(pool.Count)
		} else {
			args.Autoscaler = linode.LkeNodePoolAutoscalerArgs{
				Min: pulumi.Int(pool.Autoscale.Min), Max: pulumi.Int(pool.Autoscale.Max),
			}
			// How many nodes there are at the moment is the autoscaler's to say.
			opts = append(opts, pulumi.IgnoreChanges([]string{"nodeCount"}))
		}
		resource, err := linode.NewLkeNodePool(ctx, name+"-"+pool.Name, args, opts...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pool.Name, err)
		}
		declared = append(declared, resource)
	}
	return declared, nil
}

func (p *NodePool) labels() map[string]string {
	labels := map[string]string{poolLabel: p.Name}
	maps.Copy(labels, p.Labels)
	return labels
}

func (p *NodePool) taints() linode.LkeNodePoolTaintArray {
	taints := linode.LkeNodePoolTaintArray{}
	for _, taint := range p.Taints {
		taints = append(taints, linode.LkeNodePoolTaintArgs{
			Key: pulumi.String(taint.Key), Value: pulumi.String(taint.Value), Effect: pulumi.String(taint.Effect),
		})
	}
	return taints
}

// decode turns the kubeconfig into YAML: LKE's API hands it out in base64.
func decode(kubeconfig string) (string, error) {
	yaml, err := base64.StdEncoding.DecodeString(kubeconfig)
	if err != nil {
		return "", fmt.Errorf("lke: the kubeconfig that Linode sent is not base64: %w", err)
	}
	return string(yaml), nil
}
