package lke

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Catalog is what Linode offers at the moment: the values that the program cannot know by itself.
type Catalog struct {
	Regions            []string // those with LKE
	NodeTypes          []string
	KubernetesVersions []string
}

// LookUpCatalog asks Linode's API; it needs the Linode token.
func LookUpCatalog(ctx *pulumi.Context) (*Catalog, error) {
	regions, err := linode.GetRegions(ctx, &linode.GetRegionsArgs{})
	if err != nil {
		return nil, fmt.Errorf("lke: listing regions: %w", err)
	}
	types, err := linode.GetInstanceTypes(ctx, &linode.GetInstanceTypesArgs{})
	if err != nil {
		return nil, fmt.Errorf("lke: listing node types: %w", err)
	}
	versions, err := linode.GetLkeVersions(ctx, &linode.GetLkeVersionsArgs{})
	if err != nil {
		return nil, fmt.Errorf("lke: listing Kubernetes versions: %w", err)
	}
	catalog := &Catalog{}
	for _, region := range regions.Regions {
		if slices.Contains(region.Capabilities, "Kubernetes") {
			catalog.Regions = append(catalog.Regions, region.Id)
		}
	}
	for _, nodeType := range types.Types {
		// LKE takes no Nanodes.
		if nodeType.Class != "nanode" {
			catalog.NodeTypes = append(catalog.NodeTypes, nodeType.Id)
		}
	}
	for _, version := range versions.Versions {
		catalog.KubernetesVersions = append(catalog.KubernetesVersions, version.Id)
	}
	return catalog, nil
}

// Check returns every value of the arguments that Linode does not offer. Empty values are Validate's to report.
func (c *Catalog) Check(path *field.Path, a *Args) field.ErrorList {
	faults := offered(path.Child("region"), a.Region, c.Regions)
	faults = append(faults, offered(path.Child("kubernetesVersion"), a.KubernetesVersion, c.KubernetesVersions)...)
	faults = append(faults, offered(path.Child("systemPool", "type"), a.SystemPool.Type, c.NodeTypes)...)
	for i, pool := range a.NodePools {
		faults = append(faults, offered(path.Child("nodePools").Index(i).Child("type"), pool.Type, c.NodeTypes)...)
	}
	return faults
}

func offered(path *field.Path, value string, offers []string) field.ErrorList {
	if value == "" {
		return nil
	}
	return check.OneOf(path, value, offers...)
}
