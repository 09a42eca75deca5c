package app

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/kube"
)

// Volume is a disk of a process.
type Volume struct {
	// Name of the volume, unique in its process; with the name of the process before it, unique in the application. What is
	// stored belongs to it: another name is another, empty disk.
	Name string `json:"name"`
	// Path is where the process finds it.
	Path string `json:"path"`
	// Size, at least 10Gi, which is Linode's smallest volume. It only ever grows.
	Size string `json:"size"`
}

// diskPrefix tells the volumes of a pod that are disks from those that hold files.
const diskPrefix = "disk-"

// claim is the name of the claim of one of its volumes.
func (p *process) claim(volume Volume) string { return p.object() + "-" + volume.Name }

// newClaims declares the claims of a process. Nothing waits for them: a volume is made when it is known on which node it is
// needed.
func (a *App) newClaims(ctx *pulumi.Context, p *process) error {
	for _, volume := range p.Volumes {
		_, err := corev1.NewPersistentVolumeClaim(ctx, p.resource+"-"+volume.Name, &corev1.PersistentVolumeClaimArgs{
			Metadata: metav1.ObjectMetaArgs{
				Name: pulumi.String(p.claim(volume)), Namespace: p.app.Namespace, Labels: kube.Labels(p.object(), p.Name),
			},
			Spec: corev1.PersistentVolumeClaimSpecArgs{
				AccessModes:      pulumi.ToStringArray([]string{"ReadWriteOnce"}),
				StorageClassName: p.app.StorageClass.ToStringOutput(),
				Resources: corev1.VolumeResourceRequirementsArgs{
					Requests: pulumi.StringMap{"storage": pulumi.String(volume.Size)},
				},
			},
		}, pulumi.Parent(a), pulumi.Protect(p.app.Protect))
		if err != nil {
			return err
		}
	}
	return nil
}

// mountVolumes gives a replica its disks.
func (p *process) mountVolumes(pod *corev1.PodSpecArgs, container *corev1.ContainerArgs) {
	var volumes corev1.VolumeArray
	var mounts corev1.VolumeMountArray
	for _, volume := range p.Volumes {
		volumes = append(volumes, corev1.VolumeArgs{
			Name: pulumi.String(diskPrefix + volume.Name),
			PersistentVolumeClaim: corev1.PersistentVolumeClaimVolumeSourceArgs{
				ClaimName: pulumi.String(p.claim(volume)),
			},
		})
		mounts = append(mounts, corev1.VolumeMountArgs{
			Name: pulumi.String(diskPrefix + volume.Name), MountPath: pulumi.String(volume.Path),
		})
	}
	mount(pod, container, volumes, mounts)
}

// Warnings say what is valid and yet unwise.
func (a *Args) Warnings(path *field.Path) (warnings []string) {
	for i, process := range a.processes("") {
		at := path
		if i > 0 {
			at = path.Child("processes").Index(i - 1)
		}
		if len(process.Volumes) > 0 {
			warnings = append(warnings, at.Child("volumes").String()+": a disk is attached to one node, so there is one "+
				"replica: nobody answers for a minute or so while a new version takes the disk over, and for seven minutes or "+
				"more when its node is lost; keep files in the bucket, and state in the database or a cache, where the "+
				"application can")
		}
	}
	return warnings
}

// longestVolume leaves room for what the pod puts before the name.
const longestVolume = validation.DNS1123LabelMaxLength - len(diskPrefix)

func (p *process) validateVolumes(at *field.Path, claims sets.Set[string]) field.ErrorList {
	var faults field.ErrorList
	paths := sets.New(authorityFolder)
	for i, volume := range p.Volumes {
		one := at.Child("volumes").Index(i)
		faults = append(faults, check.Name(one.Child("name"), volume.Name)...)
		if len(volume.Name) > longestVolume {
			faults = append(faults, field.TooLong(one.Child("name"), volume.Name, longestVolume))
		}
		faults = append(faults, check.Unique(claims, one.Child("name"), p.claim(volume))...)
		faults = append(faults, absolute(one.Child("path"), volume.Path)...)
		faults = append(faults, check.Unique(paths, one.Child("path"), volume.Path)...)
		faults = append(faults, check.Volume(one.Child("size"), volume.Size)...)
	}
	if len(p.Volumes) == 0 {
		return faults
	}
	if p.Replicas != 1 {
		faults = append(faults, field.Invalid(at.Child("replicas"), p.Replicas,
			"must be 1 with volumes, since a disk is attached to one node; keep what is shared in the bucket or the database"))
	}
	if p.Autoscale != nil {
		faults = append(faults, field.Forbidden(at.Child("autoscale"), "a process with volumes has one replica"))
	}
	return faults
}
