package lke

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"lke-platform/components/internal/drain"
)

// poolIDLabel is the label of nodes that holds Linode's number of their pool.
const poolIDLabel = "lke.linode.com/pool-id"

// emptyPool returns the hook that runs before a node pool is deleted, since Linode deletes all nodes of a pool at once.
func (c *Cluster) emptyPool(ctx *pulumi.Context) pulumi.ResourceHookFunction {
	return func(args *pulumi.ResourceHookArgs) error {
		say := func(progress string) {
			// What cannot be told is no reason to leave the nodes as they are.
			_ = ctx.Log.Info(fmt.Sprintf("%s (node pool %s): %s", args.Name, args.ID, progress), nil)
		}
		// Pools are deleted when the program has declared everything; its context may be over by then.
		if err := c.releasePool(context.Background(), args.ID, say); err != nil {
			return fmt.Errorf("lke: before deleting node pool %s: %w", args.ID, err)
		}
		return nil
	}
}

// isGivenUp says that a cluster which does not answer is to be deleted with what is inside: the Kubernetes provider is told so by
// the same variable, and drops from the state what it cannot delete.
func isGivenUp() bool { return os.Getenv("PULUMI_K8S_DELETE_UNREACHABLE") == "true" }

// awaitKubeconfig returns the kubeconfig when it is known, for hooks, which run outside of the graph.
func (c *Cluster) awaitKubeconfig(ctx context.Context) (string, error) {
	kubeconfig, err := internals.UnsafeAwaitOutput(ctx, c.Kubeconfig)
	if err != nil {
		return "", fmt.Errorf("waiting for the kubeconfig: %w", err)
	}
	text, _ := kubeconfig.Value.(string)
	return text, nil
}

// releasePool returns when the nodes of a pool can go.
//
// Where the stack lives on and the pool is only replaced or removed, its pods move to other nodes first; those of a new pool are
// ready by then. At the end of a stack everything that it has put into the cluster is deleted by then, the classes of storage
// too, and the pods that may be left have nowhere to go; but its volumes are still being detached and deleted, by what runs on
// the nodes.
//
// The pool is of the stack's own cluster: one that is to be replaced keeps the name that Linode wants to be unique, and so `up`
// ends before it.
func (c *Cluster) releasePool(ctx context.Context, pool pulumi.ID, say func(string)) error {
	kubeconfig, err := c.awaitKubeconfig(ctx)
	if err != nil {
		return err
	}
	cluster, err := drain.Connect(kubeconfig, say)
	if err != nil {
		return err
	}
	livesOn, err := cluster.HasStorageClass(ctx, StorageDelete)
	switch {
	case err != nil && isGivenUp():
		say("the cluster does not answer and is given up, so nobody waits for what is on the nodes")
		return nil
	case err != nil:
		return err
	case livesOn:
		return cluster.EmptyNodes(ctx, fmt.Sprintf("%s=%s", poolIDLabel, pool))
	default:
		return cluster.AwaitVolumes(ctx)
	}
}
