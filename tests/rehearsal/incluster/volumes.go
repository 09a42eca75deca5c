package incluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/linode/linodego"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	// smallestVolume is in GiB. A claim for less is given that much.
	smallestVolume = 10
	gibibyte       = 1 << 30
)

// runProvisioner makes a volume for each claim of a storage class of Linode's, and deletes or keeps it as the class says, with
// the controller that all storage drivers use.
func (c *cluster) runProvisioner(ctx context.Context) {
	controller.NewProvisionController(ctx, c.client, storageDriver, &provisioner{c},
		controller.LeaderElection(false), controller.AddFinalizer(true),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryDelay, time.Second)),
		controller.Threadiness(workers), controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0),
	).Run(ctx)
}

// provisioner makes and deletes volumes.
type provisioner struct{ *cluster }

// Provision makes the volume of a claim, or finds the one that an attempt before has made.
func (p *provisioner) Provision(
	ctx context.Context, o controller.ProvisionOptions,
) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	region, err := p.region(ctx)
	if err != nil {
		return nil, controller.ProvisioningNoChange, err
	}
	label := strings.ReplaceAll(o.PVName, "-", "")
	label = label[:min(len(label), 32)] // the longest that the API takes
	volume, err := p.volume(ctx, label)
	if volume == nil && err == nil {
		volume, err = p.linode.CreateVolume(ctx, p.volumeOptions(o, label, region))
	}
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return persistentVolume(o, volume), controller.ProvisioningFinished, nil
}

// volume finds a volume by its label; nil where there is none.
func (p *provisioner) volume(ctx context.Context, label string) (*linodego.Volume, error) {
	all, err := p.linode.ListVolumes(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, volume := range all {
		if volume.Label == label {
			return &volume, nil
		}
	}
	return nil, nil
}

func (p *provisioner) volumeOptions(o controller.ProvisionOptions, label, region string) linodego.VolumeCreateOptions {
	asked := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	size := gibibytes(asked)
	if size < smallestVolume {
		p.notes.add(warning, "PersistentVolumeClaim %s/%s asks for %s and is given, and billed as, %d GiB: no volume is smaller",
			o.PVC.Namespace, o.PVC.Name, &asked, smallestVolume)
	}
	options := linodego.VolumeCreateOptions{Label: label, Region: region, Size: max(size, smallestVolume)}
	if tags := o.StorageClass.Parameters[storageDriver+"/volumeTags"]; tags != "" {
		options.Tags = strings.Split(tags, ",")
	}
	if encrypted, err := strconv.ParseBool(o.StorageClass.Parameters[storageDriver+"/encrypted"]); err == nil && encrypted {
		options.Encryption = "enabled"
	}
	return options
}

// gibibytes rounds up: Linode's sizes are whole GiB.
func gibibytes(size resource.Quantity) int { return int((size.Value() + gibibyte - 1) / gibibyte) }

func gibibyteQuantity(size int) resource.Quantity {
	return *resource.NewQuantity(int64(size)*gibibyte, resource.BinarySI)
}

func persistentVolume(o controller.ProvisionOptions, volume *linodego.Volume) *corev1.PersistentVolume {
	inRegion := corev1.NodeSelectorRequirement{
		Key: regionTopology, Operator: corev1.NodeSelectorOpIn, Values: []string{volume.Region},
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: gibibyteQuantity(volume.Size)},
			AccessModes:                   o.PVC.Spec.AccessModes,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			MountOptions:                  o.StorageClass.MountOptions,
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: storageDriver, VolumeHandle: fmt.Sprintf("%d-%s", volume.ID, volume.Label), FSType: "ext4",
			}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
				{MatchExpressions: []corev1.NodeSelectorRequirement{inRegion}},
			}}},
		},
	}
}

// Delete deletes a volume, once it is detached.
func (p *provisioner) Delete(ctx context.Context, volume *corev1.PersistentVolume) error {
	found, err := p.linode.GetVolume(ctx, volumeID(volume))
	switch {
	case linodego.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case found.LinodeID != nil:
		return fmt.Errorf("volume %d is attached to Linode %d", found.ID, *found.LinodeID)
	}
	return p.linode.DeleteVolume(ctx, found.ID)
}

// runResizer grows the volumes of claims that ask for more than they have.
func (c *cluster) runResizer(ctx context.Context) {
	c.follow(ctx, claims, typed(c.resize))
}

func (c *cluster) resize(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	asked, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if claim.Status.Phase != corev1.ClaimBound || asked.Cmp(has) <= 0 {
		return nil
	}
	volume, err := c.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil || volumeID(volume) == 0 {
		return err
	}
	size := gibibytes(asked)
	if err := c.linode.ResizeVolume(ctx, volumeID(volume), size); err != nil {
		return err
	}
	volume.Spec.Capacity[corev1.ResourceStorage] = gibibyteQuantity(size)
	if _, err := c.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
		return err
	}
	claim.Status.Capacity[corev1.ResourceStorage] = gibibyteQuantity(size)
	_, err = c.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	return err
}
