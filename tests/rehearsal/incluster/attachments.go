package incluster

import (
	"context"
	"slices"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/live/spec"
)

// detachTime is how long a volume stays attached after its last pod. Linode takes from some seconds to minutes; this is more than
// the rest of a stack needs to go, so that who does not wait for volumes leaves some behind.
const detachTime = 20 * time.Second

const (
	// attachFinalizer keeps an attachment until its volume is detached.
	attachFinalizer = "external-attacher/linodebs-csi-linode-com"
	// nodeAnnotation has the driver's name for the node, which is the ID of the Linode.
	nodeAnnotation = "csi.alpha.kubernetes.io/node-id"
)

// runAttacher has the driver attach the volumes of pods to the Linodes that they run on, and detach them afterwards.
func (c *cluster) runAttacher(ctx context.Context) {
	c.follow(ctx, storagev1.SchemeGroupVersion.WithResource("volumeattachments"), typed(c.attach))
}

func (c *cluster) attach(ctx context.Context, a *storagev1.VolumeAttachment) error {
	finalized := slices.Contains(a.Finalizers, attachFinalizer)
	switch {
	case a.Spec.Attacher != spec.StorageDriver || a.Spec.Source.PersistentVolumeName == nil:
		return nil
	case a.DeletionTimestamp != nil && finalized:
		return c.detach(ctx, a)
	case a.DeletionTimestamp != nil || a.Status.Attached:
		return nil
	case !finalized:
		return c.prepare(ctx, a) // the update brings the attachment here again
	}
	volume, err := c.client.CoreV1().PersistentVolumes().Get(ctx, *a.Spec.Source.PersistentVolumeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	published, err := c.driver.ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
		VolumeId: volume.Spec.CSI.VolumeHandle, NodeId: a.Annotations[nodeAnnotation],
		VolumeCapability: capabilities(volume.Spec.AccessModes)[0],
	})
	if err != nil {
		return err
	}
	a.Status.Attached, a.Status.AttachmentMetadata = true, published.GetPublishContext()
	_, err = c.client.StorageV1().VolumeAttachments().UpdateStatus(ctx, a, metav1.UpdateOptions{})
	return err
}

// prepare notes what a detachment has to know when the node is gone.
func (c *cluster) prepare(ctx context.Context, a *storagev1.VolumeAttachment) error {
	node, err := c.client.CoreV1().Nodes().Get(ctx, a.Spec.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	a.Finalizers = append(a.Finalizers, attachFinalizer)
	metav1.SetMetaDataAnnotation(&a.ObjectMeta, nodeAnnotation, instanceID(node))
	_, err = c.client.StorageV1().VolumeAttachments().Update(ctx, a, metav1.UpdateOptions{})
	return err
}

func (c *cluster) detach(ctx context.Context, a *storagev1.VolumeAttachment) error {
	if time.Since(a.DeletionTimestamp.Time) < detachTime {
		return errNotYet
	}
	volume, err := c.client.CoreV1().PersistentVolumes().Get(ctx, *a.Spec.Source.PersistentVolumeName, metav1.GetOptions{})
	if err == nil {
		_, err = c.driver.ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{
			VolumeId: volume.Spec.CSI.VolumeHandle, NodeId: a.Annotations[nodeAnnotation],
		})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	a.Finalizers = slices.DeleteFunc(a.Finalizers, func(finalizer string) bool { return finalizer == attachFinalizer })
	_, err = c.client.StorageV1().VolumeAttachments().Update(ctx, a, metav1.UpdateOptions{})
	return err
}
