package lke

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Catalog is what Linode offers at the moment: the values that the program cannot know by itself.
type Catalog struct {
	Regions            []string // those with LKE
	NodeTypes          []string
	KubernetesVersions []string

	memory map[string]int // of a node, in MiB, by its type
}

// LookUpCatalog asks Linode's API; it needs the Linode token.
func LookUpCatalog(ctx *pulumi.Context) (*Catalog, error) {
	catalog := &Catalog{}
	var lookUps errgroup.Group
	lookUps.Go(func() (err error) {
		catalog.Regions, err = lookUpRegions(ctx)
		return err
	})
	lookUps.Go(func() (err error) {
		catalog.NodeTypes, catalog.memory, err = lookUpNodeTypes(ctx)
		return err
	})
	lookUps.Go(func() (err error) {
		catalog.KubernetesVersions, err = lookUpVersions(ctx)
		return err
	})
	return catalog, lookUps.Wait()
}

func lookUpRegions(ctx *pulumi.Context) (ids []string, err error) {
	answer, err := linode.GetRegions(ctx, &linode.GetRegionsArgs{})
	if err != nil {
		return nil, fmt.Errorf("lke: listing regions: %w", err)
	}
	for _, region := range answer.Regions {
		if slices.Contains(region.Capabilities, "Kubernetes") {
			ids = append(ids, region.Id)
		}
	}
	return ids, nil
}

func lookUpNodeTypes(ctx *pulumi.Context) (ids []string, memory map[string]int, err error) {
	answer, err := linode.GetInstanceTypes(ctx, &linode.GetInstanceTypesArgs{})
	if err != nil {
		return nil, nil, fmt.Errorf("lke: listing node types: %w", err)
	}
	memory = map[string]int{}
	for _, nodeType := range answer.Types {
		// LKE takes no Nanodes.
		if nodeType.Class != "nanode" {
			ids = append(ids, nodeType.Id)
			memory[nodeType.Id] = nodeType.Memory
		}
	}
	return ids, memory, nil
}

func lookUpVersions(ctx *pulumi.Context) (ids []string, err error) {
	answer, err := linode.GetLkeVersions(ctx, &linode.GetLkeVersionsArgs{})
	if err != nil {
		return nil, fmt.Errorf("lke: listing Kubernetes versions: %w", err)
	}
	for _, version := range answer.Versions {
		ids = append(ids, version.Id)
	}
	return ids, nil
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

// MostNodes is how many nodes there can be for pods that tolerate no taints and want so much memory, in bytes. A node keeps
// some of its own for the system, so that it has to have more.
func (c *Catalog) MostNodes(a *Args, memory int64) int {
	const mebi = 1 << 20
	nodes := 0
	add := func(nodeType string, count int) {
		if int64(c.memory[nodeType])*mebi > memory {
			nodes += count
		}
	}
	add(a.SystemPool.Type, a.SystemPool.Count)
	for _, pool := range a.NodePools {
		switch {
		case len(pool.Taints) > 0:
		case pool.Autoscale != nil:
			add(pool.Type, pool.Autoscale.Max)
		default:
			add(pool.Type, pool.Count)
		}
	}
	return nodes
}

func offered(path *field.Path, value string, offers []string) field.ErrorList {
	if value == "" {
		return nil
	}
	return check.OneOf(path, value, offers...)
}
