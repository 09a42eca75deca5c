package lke

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	schedulingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/scheduling/v1"
	storagev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/storage/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// The classes of storage. LKE's own attach a volume before it is known on which node its pod runs, and the default one of
// them keeps every volume, and its cost, forever.
const (
	// StorageDelete is for what can be made again: the volume goes with its claim.
	StorageDelete = "platform-delete"
	// StorageRetain is for what cannot: the volume outlives its claim, and costs until somebody deletes it.
	StorageRetain = "platform-retain"
)

// newClasses declares what pods and claims refer to by name.
func (c *Cluster) newClasses(ctx *pulumi.Context, name string, args *Args) ([]pulumi.Resource, error) {
	var classes []pulumi.Resource
	for _, class := range []struct{ name, reclaimPolicy string }{{StorageDelete, "Delete"}, {StorageRetain, "Retain"}} {
		resource, err := storagev1.NewStorageClass(ctx, name+"-"+class.name, &storagev1.StorageClassArgs{
			Metadata:             classMetadata(class.name),
			Provisioner:          pulumi.String("linodebs.csi.linode.com"),
			ReclaimPolicy:        pulumi.String(class.reclaimPolicy),
			VolumeBindingMode:    pulumi.String("WaitForFirstConsumer"),
			AllowVolumeExpansion: pulumi.Bool(true),
			// Volumes that stay behind can be told from those of other clusters.
			Parameters: pulumi.StringMap{"linodebs.csi.linode.com/volumeTags": pulumi.String(args.Label)},
		}, pulumi.Parent(c), pulumi.Provider(c.Provider))
		if err != nil {
			return nil, err
		}
		classes = append(classes, resource)
	}
	for _, class := range []struct {
		name, description string
		value             int
	}{
		{kube.PriorityData, "Databases: they stay on a full cluster when all else has to go", 2_000_000},
		{kube.PriorityApp, "The application and the way to it: only databases come before them", 1_000_000},
	} {
		resource, err := schedulingv1.NewPriorityClass(ctx, name+"-"+class.name, &schedulingv1.PriorityClassArgs{
			Metadata:    classMetadata(class.name),
			Value:       pulumi.Int(class.value),
			Description: pulumi.String(class.description),
		}, pulumi.Parent(c), pulumi.Provider(c.Provider))
		if err != nil {
			return nil, err
		}
		classes = append(classes, resource)
	}
	return classes, nil
}

func classMetadata(name string) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: pulumi.StringMap{
		"app.kubernetes.io/part-of":    pulumi.String("lke-platform"),
		"app.kubernetes.io/managed-by": pulumi.String("pulumi"),
	}}
}
