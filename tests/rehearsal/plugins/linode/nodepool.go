package linode

import (
	"context"
	"fmt"
	"strconv"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// LkeNodePool is a node pool of its own: https://www.pulumi.com/registry/packages/linode/api-docs/lkenodepool/
// Kubernetes version and update strategy of a pool exist in LKE Enterprise only and cannot be set here.
type LkeNodePool struct{}

// LkeNodePoolArgs are the inputs.
type LkeNodePoolArgs struct {
	PoolSettings

	ClusterID int    `pulumi:"clusterId"          provider:"replaceOnChanges"`
	NodeCount *int   `pulumi:"nodeCount,optional"`
	Type      string `pulumi:"type"               provider:"replaceOnChanges"`
}

// LkeNodePoolState is what the pool is like.
type LkeNodePoolState struct {
	LkeNodePoolArgs

	DiskEncryption string `pulumi:"diskEncryption"`
	K8sVersion     string `pulumi:"k8sVersion"`
	Nodes          []Node `pulumi:"nodes"`
	UpdateStrategy string `pulumi:"updateStrategy"`
}

// Annotate sets the token.
func (r *LkeNodePool) Annotate(a infer.Annotator) { a.SetToken("index/lkeNodePool", "LkeNodePool") }

// Create creates the pool and waits until its nodes are ready.
func (*LkeNodePool) Create(
	ctx context.Context, req infer.CreateRequest[LkeNodePoolArgs],
) (resp infer.CreateResponse[LkeNodePoolState], err error) {
	resp.Output.LkeNodePoolArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	in := req.Inputs
	w := wait{clientOf(ctx), in.ClusterID}
	pool, err := w.client.CreateLKENodePool(ctx, in.ClusterID, in.create(in.Type, in.NodeCount))
	if err != nil {
		return resp, fmt.Errorf("creating a node pool of LKE cluster %d: %w", in.ClusterID, err)
	}
	resp.ID, resp.Output = strconv.Itoa(pool.ID), in.state(pool)
	ready, err := w.poolReady(ctx, pool.ID)
	if err != nil {
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	resp.Output = in.state(ready)
	return resp, nil
}

// Read gives the pool as it is.
func (*LkeNodePool) Read(
	ctx context.Context, req infer.ReadRequest[LkeNodePoolArgs, LkeNodePoolState],
) (resp infer.ReadResponse[LkeNodePoolArgs, LkeNodePoolState], err error) {
	id, err := number(req.ID, "a node pool")
	if err != nil {
		return resp, err
	}
	pool, err := clientOf(ctx).GetLKENodePool(ctx, req.State.ClusterID, id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, fmt.Errorf("reading node pool %d of LKE cluster %d: %w", id, req.State.ClusterID, err)
	}
	inputs := req.Inputs
	inputs.ClusterID, inputs.Type = req.State.ClusterID, pool.Type
	inputs.NodeCount = inputs.readCount(inputs.NodeCount, pool.Count)
	inputs.PoolSettings = inputs.read(pool)
	resp.ID, resp.Inputs, resp.State = req.ID, inputs, inputs.state(pool)
	return resp, nil
}

// Update changes what is not as declared and waits until all nodes are ready.
func (*LkeNodePool) Update(
	ctx context.Context, req infer.UpdateRequest[LkeNodePoolArgs, LkeNodePoolState],
) (resp infer.UpdateResponse[LkeNodePoolState], err error) {
	resp.Output = req.State
	resp.Output.LkeNodePoolArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	in := req.Inputs
	id, err := number(req.ID, "a node pool")
	if err != nil {
		return resp, err
	}
	w := wait{clientOf(ctx), in.ClusterID}
	actual, err := w.client.GetLKENodePool(ctx, in.ClusterID, id)
	if err != nil {
		return resp, fmt.Errorf("reading node pool %d of LKE cluster %d: %w", id, in.ClusterID, err)
	}
	if options, changed := in.update(in.NodeCount, actual); changed {
		if _, err := w.client.UpdateLKENodePool(ctx, in.ClusterID, id, options); err != nil {
			return resp, fmt.Errorf("changing node pool %d of LKE cluster %d: %w", id, in.ClusterID, err)
		}
	}
	ready, err := w.poolReady(ctx, id)
	if err != nil {
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	resp.Output = in.state(ready)
	return resp, nil
}

// Delete deletes the pool with its nodes.
func (*LkeNodePool) Delete(ctx context.Context, req infer.DeleteRequest[LkeNodePoolState]) (infer.DeleteResponse, error) {
	id, err := number(req.ID, "a node pool")
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	err = clientOf(ctx).DeleteLKENodePool(ctx, req.State.ClusterID, id)
	if err != nil && !linodego.IsNotFound(err) {
		return infer.DeleteResponse{}, fmt.Errorf("deleting node pool %d of LKE cluster %d: %w", id, req.State.ClusterID, err)
	}
	return infer.DeleteResponse{}, nil
}

// state is the pool as it is, with the settings as they are written in the inputs.
func (in LkeNodePoolArgs) state(pool *linodego.LKENodePool) LkeNodePoolState {
	s := LkeNodePoolState{LkeNodePoolArgs: in, DiskEncryption: string(pool.DiskEncryption), Nodes: nodesOf(pool)}
	s.NodeCount = &pool.Count
	return s
}
