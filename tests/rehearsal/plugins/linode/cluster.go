package linode

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// LkeCluster is a Kubernetes cluster with the node pools inside it:
// https://www.pulumi.com/registry/packages/linode/api-docs/lkecluster/
type LkeCluster struct{}

// LkeClusterArgs are the inputs.
type LkeClusterArgs struct {
	AplEnabled       *bool         `pulumi:"aplEnabled,optional"       provider:"replaceOnChanges"`
	ControlPlane     *ControlPlane `pulumi:"controlPlane,optional"`
	ExternalPoolTags []string      `pulumi:"externalPoolTags,optional"`
	K8sVersion       string        `pulumi:"k8sVersion"`
	Label            string        `pulumi:"label"`
	Pools            []ClusterPool `pulumi:"pools"`
	Region           string        `pulumi:"region"                    provider:"replaceOnChanges"`
	Tags             []string      `pulumi:"tags,optional"`
	Tier             *string       `pulumi:"tier,optional"             provider:"replaceOnChanges"`
}

// ControlPlane has the settings of the control plane.
type ControlPlane struct {
	ACL              *ACL  `pulumi:"acl,optional"`
	HighAvailability *bool `pulumi:"highAvailability,optional"`
}

// ACL says who may reach the control plane.
type ACL struct {
	Addresses []ACLAddresses `pulumi:"addresses,optional"`
	Enabled   *bool          `pulumi:"enabled,optional"`
}

// ACLAddresses are addresses and networks that may.
type ACLAddresses struct {
	IPv4s []string `pulumi:"ipv4s,optional"`
	IPv6s []string `pulumi:"ipv6s,optional"`
}

// ClusterPool is a node pool inside a cluster. Pools are told apart by their place in the list.
type ClusterPool struct {
	PoolSettings

	Count          *int    `pulumi:"count,optional"`
	DiskEncryption *string `pulumi:"diskEncryption,optional"`
	ID             *int    `pulumi:"id,optional"`
	Nodes          []Node  `pulumi:"nodes,optional"`
	Type           string  `pulumi:"type"`
}

// LkeClusterState is what the cluster is like.
type LkeClusterState struct {
	LkeClusterArgs

	APIEndpoints []string `pulumi:"apiEndpoints"`
	DashboardURL string   `pulumi:"dashboardUrl"`
	Kubeconfig   string   `pulumi:"kubeconfig"   provider:"secret"` // in base64
	Status       string   `pulumi:"status"`
}

// Annotate sets the token.
func (r *LkeCluster) Annotate(a infer.Annotator) { a.SetToken("index/lkeCluster", "LkeCluster") }

// WireDependencies tells previews that an update never changes the way to the cluster: where the kubeconfig became
// unknown, everything in the cluster would have to be replaced.
func (*LkeCluster) WireDependencies(f infer.FieldSelector, args *LkeClusterArgs, state *LkeClusterState) {
	region := f.InputField(&args.Region).Computed()
	f.OutputField(&state.APIEndpoints).DependsOn(region)
	f.OutputField(&state.DashboardURL).DependsOn(region)
	f.OutputField(&state.Kubeconfig).DependsOn(region)
	f.OutputField(&state.Kubeconfig).AlwaysSecret()
}

// Create creates the cluster and reads it. There is a kubeconfig when the control plane can be reached, and until then the
// client repeats its request; the status says nothing, as a cluster is ready from the start. The official provider also waits
// for a node, but for no more than 25 seconds, and goes on without one. As nobody can rely on that, they are not waited for here.
func (*LkeCluster) Create(
	ctx context.Context, req infer.CreateRequest[LkeClusterArgs],
) (resp infer.CreateResponse[LkeClusterState], err error) {
	resp.Output.LkeClusterArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	client := clientOf(ctx)
	cluster, err := client.CreateLKECluster(ctx, req.Inputs.create())
	if err != nil {
		return resp, fmt.Errorf("creating LKE cluster %s: %w", req.Inputs.Label, err)
	}
	resp.ID, resp.Output.APIEndpoints = strconv.Itoa(cluster.ID), []string{}
	pools, err := req.Inputs.ownPools(ctx, client, cluster.ID)
	if err != nil { // what there is must not be forgotten
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	resp.Output.Pools = req.Inputs.orderedPools(pools, nil)
	state, err := req.Inputs.state(ctx, client, cluster.ID, nil)
	if err != nil {
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	resp.Output = state
	return resp, nil
}

func (in LkeClusterArgs) create() linodego.LKEClusterCreateOptions {
	options := linodego.LKEClusterCreateOptions{
		Label: in.Label, Region: in.Region, K8sVersion: in.K8sVersion, Tags: in.Tags, ControlPlane: in.ControlPlane.options(),
	}
	if in.Tier != nil {
		options.Tier = *in.Tier
	}
	if in.AplEnabled != nil {
		options.APLEnabled = *in.AplEnabled
	}
	for _, pool := range in.Pools {
		options.NodePools = append(options.NodePools, pool.create(pool.Type, pool.Count))
	}
	return options
}

// options are the settings as the API wants them. Where the control plane is declared without an ACL, it has none.
func (c *ControlPlane) options() *linodego.LKEClusterControlPlaneOptions {
	if c == nil {
		return nil
	}
	off := false
	acl := &linodego.LKEClusterControlPlaneACLOptions{Enabled: &off}
	if c.ACL != nil {
		acl.Enabled = c.ACL.Enabled
		for _, addresses := range c.ACL.Addresses {
			ipv4, ipv6 := append([]string{}, addresses.IPv4s...), append([]string{}, addresses.IPv6s...)
			acl.Addresses = &linodego.LKEClusterControlPlaneACLAddressesOptions{IPv4: &ipv4, IPv6: &ipv6}
		}
	}
	return &linodego.LKEClusterControlPlaneOptions{HighAvailability: c.HighAvailability, ACL: acl}
}

// Delete deletes the cluster with its nodes and waits until it is gone, or not ready any more.
// What is gone already is an error, as it is for the official provider.
func (*LkeCluster) Delete(ctx context.Context, req infer.DeleteRequest[LkeClusterState]) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "an LKE cluster")
	if err != nil {
		return resp, err
	}
	client := clientOf(ctx)
	if err := client.DeleteLKECluster(ctx, id); err != nil {
		return resp, fmt.Errorf("deleting LKE cluster %d: %w", id, err)
	}
	_, err = client.WaitForLKEClusterStatus(ctx, id, linodego.LKEClusterNotReady, int(patience.Seconds()))
	if err != nil && !linodego.IsNotFound(err) {
		return resp, fmt.Errorf("waiting for the end of LKE cluster %d: %w", id, err)
	}
	return resp, nil
}

// Read gives the cluster as it is. Pools inside the cluster that nothing declares are added to the inputs, so that the
// next update removes them; those with an external tag are left out.
func (*LkeCluster) Read(
	ctx context.Context, req infer.ReadRequest[LkeClusterArgs, LkeClusterState],
) (resp infer.ReadResponse[LkeClusterArgs, LkeClusterState], err error) {
	id, err := number(req.ID, "an LKE cluster")
	if err != nil {
		return resp, err
	}
	state, err := req.Inputs.state(ctx, clientOf(ctx), id, idsOf(req.State.Pools))
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, err
	}
	inputs := req.Inputs
	inputs.Label, inputs.Region, inputs.K8sVersion = state.Label, state.Region, state.K8sVersion
	if !sameElements(inputs.Tags, state.Tags, cmp.Compare[string]) {
		inputs.Tags = state.Tags
	}
	inputs.ControlPlane = inputs.ControlPlane.declared(state.ControlPlane)
	inputs.Pools = declaredPools(inputs.Pools, state.Pools)
	resp.ID, resp.Inputs, resp.State = req.ID, inputs, state
	return resp, nil
}

// declared are those settings of the actual control plane that are declared at all.
func (c *ControlPlane) declared(actual *ControlPlane) *ControlPlane {
	if c == nil {
		return nil
	}
	result := *c
	if c.HighAvailability != nil {
		result.HighAvailability = actual.HighAvailability
	}
	if c.ACL != nil {
		result.ACL = &ACL{Enabled: actual.ACL.Enabled, Addresses: actual.ACL.Addresses}
	}
	return &result
}

// declaredPools are the inputs that would lead to the actual pools. A declared pool that is gone has no nodes.
func declaredPools(declared, actual []ClusterPool) []ClusterPool {
	var result []ClusterPool
	for i, pool := range actual {
		input := ClusterPool{PoolSettings: pool.PoolSettings, Count: pool.Count, Type: pool.Type}
		if i < len(declared) && pool.ID != nil {
			input.Count = declared[i].readCount(declared[i].Count, *pool.Count)
		}
		result = append(result, input)
	}
	return result
}

// state reads the cluster. The pools come in the order of the given IDs, then those without an external tag that are
// not among them. A pool that is gone keeps its place. While there is no kubeconfig, the client tries again.
func (in LkeClusterArgs) state(ctx context.Context, client *linodego.Client, id int, ids []int) (s LkeClusterState, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cluster, err := client.GetLKECluster(ctx, id)
	if err != nil {
		return s, fmt.Errorf("reading LKE cluster %d: %w", id, err)
	}
	kubeconfig, err := client.GetLKEClusterKubeconfig(ctx, id)
	if err != nil {
		return s, fmt.Errorf("reading the kubeconfig of LKE cluster %d: %w", id, err)
	}
	endpoints, err := client.ListLKEClusterAPIEndpoints(ctx, id, nil)
	if err != nil {
		return s, fmt.Errorf("reading the API endpoints of LKE cluster %d: %w", id, err)
	}
	dashboard, err := client.GetLKEClusterDashboard(ctx, id)
	if err != nil {
		return s, fmt.Errorf("reading the dashboard of LKE cluster %d: %w", id, err)
	}
	acl, err := client.GetLKEClusterControlPlaneACL(ctx, id)
	if err != nil {
		return s, fmt.Errorf("reading the ACL of LKE cluster %d: %w", id, err)
	}
	pools, err := in.ownPools(ctx, client, id)
	if err != nil {
		return s, err
	}
	s = LkeClusterState{
		LkeClusterArgs: LkeClusterArgs{
			AplEnabled: &cluster.APLEnabled, ControlPlane: controlPlaneOf(cluster, acl), ExternalPoolTags: in.ExternalPoolTags,
			K8sVersion: cluster.K8sVersion, Label: cluster.Label, Pools: in.orderedPools(pools, ids), Region: cluster.Region,
			Tags: cluster.Tags, Tier: &cluster.Tier,
		},
		DashboardURL: dashboard.URL, Kubeconfig: kubeconfig.KubeConfig, Status: string(cluster.Status),
	}
	for _, endpoint := range endpoints {
		s.APIEndpoints = append(s.APIEndpoints, endpoint.Endpoint)
	}
	return s, nil
}

func controlPlaneOf(cluster *linodego.LKECluster, acl *linodego.LKEClusterControlPlaneACLResponse) *ControlPlane {
	result := &ControlPlane{HighAvailability: &cluster.ControlPlane.HighAvailability, ACL: &ACL{Enabled: &acl.ACL.Enabled}}
	if allowed := acl.ACL.Addresses; allowed != nil && len(allowed.IPv4)+len(allowed.IPv6) > 0 {
		result.ACL.Addresses = []ACLAddresses{{IPv4s: allowed.IPv4, IPv6s: allowed.IPv6}}
	}
	return result
}

// ownPools lists the pools that the cluster resource is responsible for.
func (in LkeClusterArgs) ownPools(ctx context.Context, client *linodego.Client, id int) ([]linodego.LKENodePool, error) {
	pools, err := client.ListLKENodePools(ctx, id, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the node pools of LKE cluster %d: %w", id, err)
	}
	return slices.DeleteFunc(pools, func(pool linodego.LKENodePool) bool {
		return slices.ContainsFunc(pool.Tags, func(tag string) bool { return slices.Contains(in.ExternalPoolTags, tag) })
	}), nil
}

func (in LkeClusterArgs) orderedPools(pools []linodego.LKENodePool, ids []int) []ClusterPool {
	byID := map[int]*linodego.LKENodePool{}
	for i, pool := range pools {
		byID[pool.ID] = &pools[i]
		if !slices.Contains(ids, pool.ID) {
			ids = append(ids, pool.ID)
		}
	}
	result := make([]ClusterPool, len(ids))
	for i, id := range ids {
		var declared ClusterPool
		if i < len(in.Pools) {
			declared = in.Pools[i]
		}
		result[i] = declared.state(byID[id])
	}
	return result
}

// state is the pool as it is, with the settings as they are declared where they are the same.
func (declared ClusterPool) state(actual *linodego.LKENodePool) ClusterPool {
	if actual == nil {
		none := 0
		return ClusterPool{PoolSettings: declared.PoolSettings, Type: declared.Type, Count: &none}
	}
	encryption := string(actual.DiskEncryption)
	return ClusterPool{
		PoolSettings: declared.read(actual), Type: actual.Type, Count: &actual.Count, ID: &actual.ID, DiskEncryption: &encryption,
		Nodes: nodesOf(actual),
	}
}

func idsOf(pools []ClusterPool) []int {
	ids := make([]int, len(pools))
	for i, pool := range pools {
		if pool.ID != nil {
			ids[i] = *pool.ID
		}
	}
	return ids
}
