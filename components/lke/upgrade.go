package lke

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"

	"lke-platform/components/internal/check"
)

// oldest is the oldest minor version that has all that the program asks of it. Older ones know no traffic that prefers its node.
const oldest = "1.34"

func validateVersion(path *field.Path, text string) field.ErrorList {
	if text == "" {
		return check.Required(path, text)
	}
	given, err := version.ParseGeneric(text)
	if err != nil || !given.LessThan(version.MustParseGeneric(oldest)) {
		return nil // Linode says which there are
	}
	return field.ErrorList{field.Invalid(path, text, "must be "+oldest+" or newer")}
}

// CheckUpgrade refuses an update of the cluster to a Kubernetes version that is older, or newer by more than one minor version:
// the parts of Kubernetes agree with each other across one minor version, and objects are converted one version at a time.
// Upstream: https://kubernetes.io/releases/version-skew-policy/
func CheckUpgrade(args *pulumi.ResourceHookArgs) error {
	from, err := kubernetesVersion(args.OldInputs)
	if err != nil {
		return fmt.Errorf("lke: the cluster's present version: %w", err)
	}
	to, err := kubernetesVersion(args.NewInputs)
	if err != nil {
		return fmt.Errorf("lke: the cluster's new version: %w", err)
	}
	if from == nil || to == nil || from.EqualTo(to) {
		return nil
	}
	next := version.MajorMinor(from.Major(), from.Minor()+1)
	if to.LessThan(from) || to.Major() != from.Major() || to.Minor() > next.Minor() {
		return fmt.Errorf("lke: Kubernetes cannot go from %s to %s: it goes up by one minor version at a time, so the next is %s",
			from, to, next)
	}
	return nil
}

const (
	// Another Kubernetes version replaces all nodes, one after the other, and the update of the cluster lasts until the last of
	// them is ready: the provider by itself gives up after 40 minutes, however many there are. In minutes.
	upgradeBase, upgradePerNode = 20, 10
)

// upgradeTime is how long an update of the cluster may take.
func (a *Args) upgradeTime() string {
	nodes := a.SystemPool.Count
	for _, pool := range a.NodePools {
		if pool.Autoscale != nil {
			nodes += pool.Autoscale.Max
		} else {
			nodes += pool.Count
		}
	}
	return fmt.Sprintf("%dm", upgradeBase+nodes*upgradePerNode)
}

// kubernetesVersion is nil where the version is not known yet.
func kubernetesVersion(inputs resource.PropertyMap) (*version.Version, error) {
	text := plainText(inputs["k8sVersion"])
	if text == "" {
		return nil, nil
	}
	return version.ParseGeneric(text)
}
