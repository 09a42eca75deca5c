package lke

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/version"
)

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

// kubernetesVersion is nil where the version is not known yet.
func kubernetesVersion(inputs resource.PropertyMap) (*version.Version, error) {
	text := plainText(inputs["k8sVersion"])
	if text == "" {
		return nil, nil
	}
	return version.ParseGeneric(text)
}
