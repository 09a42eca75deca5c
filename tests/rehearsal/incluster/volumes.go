package incluster

import (
	"context"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"lke-platform/tests/rehearsal/blockstorage"
	"lke-platform/tests/rehearsal/live/spec"
)

// smallest is the size of the smallest volume.
var smallest = quantity(blockstorage.Smallest << 30)

// runProvisioner makes a volume for each claim of a storage class of Linode's, and deletes or keeps it as the class says, with
// the controller that all storage drivers use.
func (c *cluster) runProvisioner(ctx context.Context) {
	controller.NewProvisionController(ctx, c.client, spec.StorageDriver, &provisioner{c},
		controller.LeaderElection(false), controller.AddFinalizer(true),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryDelay, time.Second)),
		controller.Threadiness(workers), controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0),
	).Run(ctx)
}

// provisioner makes and deletes volumes, by the driver.
type provisioner struct{ *cluster }

// Provision makes the volume of a claim, or finds the one that an attempt before has made.
func (p *provisioner) Provision(
	ctx context.Context, o controller.ProvisionOptions,
) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	asked := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	if asked.Cmp(smallest) < 0 {
		p.notes.add(warning, "PersistentVolumeClaim %s/%s asks for %s and is given, and billed as, %d GiB: no volume is smaller",
			o.PVC.Namespace, o.PVC.Name, &asked, blockstorage.Smallest)
	}
	made, err := p.driver.CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: strings.ReplaceAll(o.PVName, "-", ""), CapacityRange: &csi.CapacityRange{RequiredBytes: asked.Value()},
		VolumeCapabilities: capabilities(o.PVC.Spec.AccessModes), Parameters: o.StorageClass.Parameters,
	})
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return persistentVolume(o, made.GetVolume()), controller.ProvisioningFinished, nil
}

func persistentVolume(o controller.ProvisionOptions, volume *csi.Volume) *corev1.PersistentVolume {
	var terms []corev1.NodeSelectorTerm
	for _, place := range volume.GetAccessibleTopology() {
		var term corev1.NodeSelectorTerm
		for key, value := range place.GetSegments() {
			term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
				Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value},
			})
		}
		terms = append(terms, term)
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: quantity(volume.GetCapacityBytes())},
			AccessModes:                   o.PVC.Spec.AccessModes,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			MountOptions:                  o.StorageClass.MountOptions,
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: spec.StorageDriver, VolumeHandle: volume.GetVolumeId(), FSType: fileSystem,
				VolumeAttributes: volume.GetVolumeContext(),
			}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: terms}},
		},
	}
}

// Delete deletes a volume, once it is detached.
func (p *provisioner) Delete(ctx context.Context, volume *corev1.PersistentVolume) error {
	_, err := p.driver.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: volume.Spec.CSI.VolumeHandle})
	return err
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
	if err != nil || !ours(volume) {
		return err
	}
	grown, err := c.driver.ControllerExpandVolume(ctx, &csi.ControllerExpandVolumeRequest{
		VolumeId: volume.Spec.CSI.VolumeHandle, CapacityRange: &csi.CapacityRange{RequiredBytes: asked.Value()},
	})
	if err != nil {
		return err
	}
	size := quantity(grown.GetCapacityBytes())
	volume.Spec.Capacity[corev1.ResourceStorage] = size
	if _, err := c.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
		return err
	}
	claim.Status.Capacity[corev1.ResourceStorage] = size
	_, err = c.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	return err
}

// ours tells whether a volume is one of Linode's.
func ours(volume *corev1.PersistentVolume) bool {
	return volume.Spec.CSI != nil && volume.Spec.CSI.Driver == spec.StorageDriver
}

func quantity(count int64) resource.Quantity { return *resource.NewQuantity(count, resource.BinarySI) }
