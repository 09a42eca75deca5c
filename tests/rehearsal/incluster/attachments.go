package incluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/linode/linodego"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// detachTime is how long a volume stays attached after its last pod. Linode takes from some seconds to minutes; this is more than
// the rest of a stack needs to go, so that who does not wait for volumes leaves some behind.
const detachTime = 20 * time.Second

// attachFinalizer keeps an attachment until its volume is detached.
const attachFinalizer = "external-attacher/linodebs-csi-linode-com"

// runAttacher attaches the volumes of pods to the Linodes that they run on, and detaches them afterwards.
func (c *cluster) runAttacher(ctx context.Context) {
	c.follow(ctx, storagev1.SchemeGroupVersion.WithResource("volumeattachments"), typed(c.attach))
}

func (c *cluster) attach(ctx context.Context, a *storagev1.VolumeAttachment) error {
	finalized := slices.Contains(a.Finalizers, attachFinalizer)
	switch {
	case a.Spec.Attacher != storageDriver || a.Spec.Source.PersistentVolumeName == nil:
		return nil
	case a.DeletionTimestamp != nil && finalized:
		return c.detach(ctx, a)
	case a.DeletionTimestamp != nil || a.Status.Attached:
		return nil
	case !finalized:
		a.Finalizers = append(a.Finalizers, attachFinalizer)
		_, err := c.client.StorageV1().VolumeAttachments().Update(ctx, a, metav1.UpdateOptions{})
		return err // the update brings the attachment here again
	}
	node, err := c.client.CoreV1().Nodes().Get(ctx, a.Spec.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	instance, err := strconv.Atoi(instanceID(node))
	if err != nil {
		return fmt.Errorf("node %s is no Linode: %w", node.Name, err)
	}
	volume, err := c.volumeOf(ctx, a)
	if err != nil {
		return err
	}
	if volume.LinodeID == nil || *volume.LinodeID != instance {
		if _, err := c.linode.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: instance}); err != nil {
			return err
		}
	}
	a.Status.Attached = true
	a.Status.AttachmentMetadata = map[string]string{"devicePath": volume.FilesystemPath}
	_, err = c.client.StorageV1().VolumeAttachments().UpdateStatus(ctx, a, metav1.UpdateOptions{})
	return err
}

func (c *cluster) detach(ctx context.Context, a *storagev1.VolumeAttachment) error {
	if time.Since(a.DeletionTimestamp.Time) < detachTime {
		return errNotYet
	}
	volume, err := c.volumeOf(ctx, a)
	if err != nil && !apierrors.IsNotFound(err) && !linodego.IsNotFound(err) {
		return err
	}
	if err == nil && volume.LinodeID != nil {
		if err := c.linode.DetachVolume(ctx, volume.ID); err != nil {
			return err
		}
	}
	a.Finalizers = slices.DeleteFunc(a.Finalizers, func(finalizer string) bool { return finalizer == attachFinalizer })
	_, err = c.client.StorageV1().VolumeAttachments().Update(ctx, a, metav1.UpdateOptions{})
	return err
}

// volumeOf returns the Linode volume of an attachment.
func (c *cluster) volumeOf(ctx context.Context, a *storagev1.VolumeAttachment) (*linodego.Volume, error) {
	volume, err := c.client.CoreV1().PersistentVolumes().Get(ctx, *a.Spec.Source.PersistentVolumeName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return c.linode.GetVolume(ctx, volumeID(volume))
}
