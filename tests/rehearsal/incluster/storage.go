package incluster

import (
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1apply "k8s.io/client-go/applyconfigurations/meta/v1"
	storagev1apply "k8s.io/client-go/applyconfigurations/storage/v1"

	"lke-platform/tests/rehearsal/linode"
)

const (
	// storageDriver is Linode's driver of volumes: https://github.com/linode/linode-blockstorage-csi-driver
	storageDriver = "linodebs.csi.linode.com"
	// regionTopology is the label that says where a volume can be used.
	regionTopology = "topology.linode.com/region"
)

// apply makes or updates an object; what others set in it stays.
var apply = metav1.ApplyOptions{FieldManager: fieldManager, Force: true}

// installStorage makes what LKE installs in each cluster: the driver and its two storage classes, of which the one that keeps
// volumes is the default. Classes that are there already are left alone, for an administrator may have changed them.
func (c *cluster) installStorage(ctx context.Context) error {
	driver := storagev1apply.CSIDriver(storageDriver).
		WithSpec(storagev1apply.CSIDriverSpec().WithAttachRequired(true).WithPodInfoOnMount(true))
	if _, err := c.client.StorageV1().CSIDrivers().Apply(ctx, driver, apply); err != nil {
		return err
	}
	for name, policy := range map[string]corev1.PersistentVolumeReclaimPolicy{
		"linode-block-storage":        corev1.PersistentVolumeReclaimDelete,
		"linode-block-storage-retain": corev1.PersistentVolumeReclaimRetain,
	} {
		expandable := true
		class := &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: storageDriver, ReclaimPolicy: &policy,
			AllowVolumeExpansion: &expandable,
		}
		if policy == corev1.PersistentVolumeReclaimRetain {
			class.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		_, err := c.client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// runNodes tells the scheduler, as the driver's node service does, how many volumes each node can take.
func (c *cluster) runNodes(ctx context.Context) {
	c.follow(ctx, nodes, typed(func(ctx context.Context, node *corev1.Node) error {
		volumes := linode.Attachable(int(node.Status.Capacity.Memory().Value() >> 20))
		driver := storagev1apply.CSINodeDriver().WithName(storageDriver).WithNodeID(instanceID(node)).
			WithTopologyKeys(regionTopology).
			WithAllocatable(storagev1apply.VolumeNodeResources().WithCount(int32(volumes)))
		owner := metav1apply.OwnerReference().WithAPIVersion("v1").WithKind("Node").WithName(node.Name).WithUID(node.UID)
		csiNode := storagev1apply.CSINode(node.Name).WithOwnerReferences(owner).
			WithSpec(storagev1apply.CSINodeSpec().WithDrivers(driver))
		_, err := c.client.StorageV1().CSINodes().Apply(ctx, csiNode, apply)
		return err
	}))
}

// instanceID is the ID of the Linode that a node is.
func instanceID(node *corev1.Node) string {
	return strings.TrimPrefix(node.Spec.ProviderID, "linode://")
}

// volumeID is the ID of the Linode volume behind a persistent volume, 0 for one that is none of Linode's.
func volumeID(volume *corev1.PersistentVolume) int {
	if volume.Spec.CSI == nil || volume.Spec.CSI.Driver != storageDriver {
		return 0
	}
	text, _, _ := strings.Cut(volume.Spec.CSI.VolumeHandle, "-") // <ID>-<label>
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return id
}
