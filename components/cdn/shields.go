package cdn

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Shields are the codes of the Fastly sites that can be a shield. They change as Fastly builds, so that Fastly is asked.
type Shields []string

// LookUpShields asks Fastly.
// Upstream: https://www.fastly.com/documentation/reference/api/utils/pops/
func LookUpShields(ctx *pulumi.Context) (Shields, error) {
	found, err := fastly.GetDatacenters(ctx)
	if err != nil {
		return nil, fmt.Errorf("cdn: looking up shields: %w", err)
	}
	var shields Shields
	for _, site := range found.Pops {
		if site.Shield != "" {
			shields = append(shields, site.Shield)
		}
	}
	slices.Sort(shields)
	return slices.Compact(shields), nil
}

// Check refuses sites that cannot be a shield; Validate tells of those that are missing.
func (s Shields) Check(path *field.Path, site *Site) field.ErrorList {
	var faults field.ErrorList
	if shield := site.Origin.Shield; shield != "" {
		faults = append(faults, check.OneOf(path.Child("origin", "shield"), shield, s...)...)
	}
	if site.Media != nil && site.Media.Shield != "" {
		faults = append(faults, check.OneOf(path.Child("media", "shield"), site.Media.Shield, s...)...)
	}
	for i, backend := range site.Backends {
		if backend.Shield != "" {
			faults = append(faults, check.OneOf(path.Child("backends").Index(i).Child("shield"), backend.Shield, s...)...)
		}
	}
	return faults
}
