package incluster

import (
	"context"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1apply "k8s.io/client-go/applyconfigurations/meta/v1"
	storagev1apply "k8s.io/client-go/applyconfigurations/storage/v1"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live/spec"
)

// fileSystem is what volumes get that do not say.
const fileSystem = "ext4"

// apply makes or updates an object; what others set in it stays.
var apply = metav1.ApplyOptions{FieldManager: fieldManager, Force: true}

// installStorage makes what LKE installs in each cluster: the driver and its two storage classes, of which the one that keeps
// volumes is the default. Classes that are there already are left alone, for an administrator may have changed them.
func (c *cluster) installStorage(ctx context.Context) error {
	driver := storagev1apply.CSIDriver(spec.StorageDriver).
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
			ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: spec.StorageDriver, ReclaimPolicy: &policy,
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
		driver := storagev1apply.CSINodeDriver().WithName(spec.StorageDriver).WithNodeID(instanceID(node)).
			WithTopologyKeys(spec.RegionTopology).
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

// modes are the ways to use a volume, in the words of CSI.
var modes = map[corev1.PersistentVolumeAccessMode]csi.VolumeCapability_AccessMode_Mode{
	corev1.ReadWriteOnce:    csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER,
	corev1.ReadWriteOncePod: csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
	corev1.ReadOnlyMany:     csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY,
	corev1.ReadWriteMany:    csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER,
}

// capabilities are what the storage driver is asked for.
func capabilities(wanted []corev1.PersistentVolumeAccessMode) (all []*csi.VolumeCapability) {
	for _, mode := range wanted {
		all = append(all, &csi.VolumeCapability{
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: fileSystem}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: modes[mode]},
		})
	}
	return all
}
