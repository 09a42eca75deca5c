package drain

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// AwaitVolumes waits until the volumes whose claims are gone are out of use: those that go with their claim are deleted, those
// that stay are detached, with everything written that was on its way. The storage driver needs its nodes for both.
func (c *Cluster) AwaitVolumes(ctx context.Context) error {
	left, err := c.await(ctx, volumeTime, c.unclaimed)
	switch {
	case len(left) > 0:
		return fmt.Errorf("after %s there still is: %s. The nodes stay, since without them these volumes would be billed "+
			"forever. See what the driver says (kubectl describe pv), then do the same again; or delete a volume with "+
			"linode-cli volumes delete <id> and its object with kubectl delete pv <name>", volumeTime, list(left))
	case err != nil:
		return fmt.Errorf("waiting for volumes: %w", err)
	}
	return nil
}

// unclaimed returns the volumes whose claims are gone, but whose detaching or deletion is not over.
func (c *Cluster) unclaimed(ctx context.Context) (left []string, err error) {
	claimed := sets.New[types.UID]()
	found, err := c.client.Resource(claims).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, claim := range found.Items {
		claimed.Insert(claim.GetUID())
	}
	attached := sets.New[string]()
	if found, err = c.client.Resource(attachments).List(ctx, metav1.ListOptions{}); err != nil {
		return nil, err
	}
	for _, attachment := range found.Items {
		attached.Insert(volumeOf(&attachment))
	}
	if found, err = c.client.Resource(volumes).List(ctx, metav1.ListOptions{}); err != nil {
		return nil, err
	}
	for _, volume := range found.Items {
		uid, _, _ := unstructured.NestedString(volume.Object, "spec", "claimRef", "uid")
		if uid == "" || claimed.Has(types.UID(uid)) {
			continue
		}
		policy, _, _ := unstructured.NestedString(volume.Object, "spec", "persistentVolumeReclaimPolicy")
		if policy == "Delete" || attached.Has(volume.GetName()) {
			left = append(left, describe(&volume))
		}
	}
	return left, nil
}

// describe names a volume as Kubernetes and as Linode know it.
func describe(volume *unstructured.Unstructured) string {
	size, _, _ := unstructured.NestedString(volume.Object, "spec", "capacity", "storage")
	handle, _, _ := unstructured.NestedString(volume.Object, "spec", "csi", "volumeHandle")
	id, _, _ := strings.Cut(handle, "-") // <ID>-<label>
	return fmt.Sprintf("volume %s (Linode's %s, %s)", volume.GetName(), id, size)
}
