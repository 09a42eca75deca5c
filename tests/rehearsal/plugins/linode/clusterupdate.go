package linode

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Update changes what is not as declared: first the cluster, then, if its version changed, all nodes, then its pools.
func (*LkeCluster) Update(
	ctx context.Context, req infer.UpdateRequest[LkeClusterArgs, LkeClusterState],
) (resp infer.UpdateResponse[LkeClusterState], err error) {
	resp.Output = req.State
	resp.Output.LkeClusterArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	id, err := number(req.ID, "an LKE cluster")
	if err != nil {
		return resp, err
	}
	w := wait{clientOf(ctx), id}
	if err := req.Inputs.updateCluster(ctx, w, req.State); err != nil {
		return resp, err
	}
	ids, err := req.Inputs.updatePools(ctx, w, idsOf(req.State.Pools))
	if err != nil {
		return resp, err
	}
	resp.Output, err = req.Inputs.state(ctx, w.client, id, ids)
	return resp, err
}

// updateCluster changes the cluster itself. A change of its version recycles all nodes, also those of external pools.
func (in LkeClusterArgs) updateCluster(ctx context.Context, w wait, old LkeClusterState) error {
	options := linodego.LKEClusterUpdateOptions{ControlPlane: in.ControlPlane.options()}
	if in.Label != old.Label {
		options.Label = in.Label
	}
	if in.K8sVersion != old.K8sVersion {
		options.K8sVersion = in.K8sVersion
	}
	if !sameElements(in.Tags, old.Tags, cmp.Compare[string]) {
		tags := append([]string{}, in.Tags...)
		options.Tags = &tags
	}
	if reflect.DeepEqual(options, linodego.LKEClusterUpdateOptions{}) {
		return nil
	}
	if _, err := w.client.UpdateLKECluster(ctx, w.cluster, options); err != nil {
		return fmt.Errorf("changing LKE cluster %d: %w", w.cluster, err)
	}
	if options.K8sVersion == "" {
		return nil
	}
	return recycle(ctx, w)
}

// recycle replaces all nodes of a cluster and waits until the new ones are ready.
func recycle(ctx context.Context, w wait) error {
	before, err := w.client.ListLKENodePools(ctx, w.cluster, nil)
	if err != nil {
		return fmt.Errorf("reading the node pools of LKE cluster %d: %w", w.cluster, err)
	}
	if err := w.client.RecycleLKEClusterNodes(ctx, w.cluster); err != nil {
		return fmt.Errorf("recycling the nodes of LKE cluster %d: %w", w.cluster, err)
	}
	if err := w.deleted(ctx, before); err != nil {
		return err
	}
	for _, pool := range before {
		if _, err := w.poolReady(ctx, pool.ID); err != nil {
			return err
		}
	}
	return nil
}

// deleted waits until the newest events tell of the end of all nodes of the pools.
func (w wait) deleted(ctx context.Context, pools []linodego.LKENodePool) error {
	left := map[int]bool{} // by the IDs of their Linodes
	for _, pool := range pools {
		for _, n := range pool.Linodes {
			left[n.InstanceID] = true
		}
	}
	const filter = `{"entity.type":"linode","action":"linode_delete","+order_by":"created","+order":"desc"}`
	return w.until(ctx, fmt.Sprintf("the old nodes of LKE cluster %d to go", w.cluster), listInterval, func() (bool, error) {
		events, err := w.client.ListEvents(ctx, linodego.NewListOptions(1, filter))
		for _, event := range events {
			if id, isNumber := event.Entity.ID.(float64); isNumber {
				delete(left, int(id))
			}
		}
		return len(left) == 0, err
	})
}

// updatePools makes the pools inside the cluster those declared, by their place in the list, and waits for their nodes.
// It returns their IDs. Pools that nothing declares are deleted last, because a cluster must keep one.
func (in LkeClusterArgs) updatePools(ctx context.Context, w wait, ids []int) ([]int, error) {
	actual, err := in.ownPools(ctx, w.client, w.cluster)
	if err != nil {
		return nil, err
	}
	declared := make([]int, len(in.Pools))
	for i, pool := range in.Pools {
		var found *linodego.LKENodePool
		if i < len(ids) {
			found = findPool(actual, ids[i], pool.Type)
		}
		if declared[i], err = pool.apply(ctx, w, found); err != nil {
			return nil, err
		}
	}
	for _, pool := range actual {
		if slices.Contains(declared, pool.ID) {
			continue
		}
		if err := w.client.DeleteLKENodePool(ctx, w.cluster, pool.ID); err != nil {
			return nil, fmt.Errorf("deleting node pool %d of LKE cluster %d: %w", pool.ID, w.cluster, err)
		}
	}
	for _, id := range declared {
		if _, err := w.poolReady(ctx, id); err != nil {
			return nil, err
		}
	}
	return declared, nil
}

// findPool finds the pool with that ID, unless it is of another type: a pool cannot change its type.
func findPool(pools []linodego.LKENodePool, id int, kind string) *linodego.LKENodePool {
	i := slices.IndexFunc(pools, func(pool linodego.LKENodePool) bool { return pool.ID == id && pool.Type == kind })
	if i < 0 {
		return nil
	}
	return &pools[i]
}

// apply creates the pool, or changes the actual one where it is not as declared, and returns its ID.
func (declared ClusterPool) apply(ctx context.Context, w wait, actual *linodego.LKENodePool) (int, error) {
	if actual == nil {
		created, err := w.client.CreateLKENodePool(ctx, w.cluster, declared.create(declared.Type, declared.Count))
		if err != nil {
			return 0, fmt.Errorf("creating a node pool of LKE cluster %d: %w", w.cluster, err)
		}
		return created.ID, nil
	}
	options, changed := declared.update(declared.Count, actual)
	if !changed {
		return actual.ID, nil
	}
	if _, err := w.client.UpdateLKENodePool(ctx, w.cluster, actual.ID, options); err != nil {
		return 0, fmt.Errorf("changing node pool %d of LKE cluster %d: %w", actual.ID, w.cluster, err)
	}
	return actual.ID, nil
}
