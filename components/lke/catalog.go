package lke

import (
	"fmt"
	"slices"
	"strings"

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

	capable map[string][]string // regions, by what they are capable of
	nodes   map[string]linode.GetInstanceTypesType
}

// rare are the classes of node types that only some regions have, and what those regions are capable of.
var rare = map[string]string{"premium": "Premium Plans", "gpu": "GPU Linodes"}

// LookUpCatalog asks Linode's API; it needs the Linode token.
func LookUpCatalog(ctx *pulumi.Context) (*Catalog, error) {
	catalog := &Catalog{capable: map[string][]string{}, nodes: map[string]linode.GetInstanceTypesType{}}
	var lookUps errgroup.Group
	lookUps.Go(func() error { return catalog.lookUpRegions(ctx) })
	lookUps.Go(func() error { return catalog.lookUpNodeTypes(ctx) })
	lookUps.Go(func() (err error) {
		catalog.KubernetesVersions, err = lookUpVersions(ctx)
		return err
	})
	return catalog, lookUps.Wait()
}

func (c *Catalog) lookUpRegions(ctx *pulumi.Context) error {
	answer, err := linode.GetRegions(ctx, &linode.GetRegionsArgs{})
	if err != nil {
		return fmt.Errorf("lke: listing regions: %w", err)
	}
	for _, region := range answer.Regions {
		if !slices.Contains(region.Capabilities, "Kubernetes") {
			continue
		}
		c.Regions = append(c.Regions, region.Id)
		for _, capability := range region.Capabilities {
			c.capable[capability] = append(c.capable[capability], region.Id)
		}
	}
	return nil
}

func (c *Catalog) lookUpNodeTypes(ctx *pulumi.Context) error {
	answer, err := linode.GetInstanceTypes(ctx, &linode.GetInstanceTypesArgs{})
	if err != nil {
		return fmt.Errorf("lke: listing node types: %w", err)
	}
	for _, nodeType := range answer.Types {
		// LKE takes no Nanodes.
		if nodeType.Class != "nanode" {
			c.NodeTypes = append(c.NodeTypes, nodeType.Id)
			c.nodes[nodeType.Id] = nodeType
		}
	}
	return nil
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
	faults = append(faults, c.checkType(path.Child("systemPool", "type"), a.SystemPool.Type, a.Region)...)
	for i, pool := range a.NodePools {
		faults = append(faults, c.checkType(path.Child("nodePools").Index(i).Child("type"), pool.Type, a.Region)...)
	}
	return faults
}

// checkType also refuses a type that the region does not have. One that is sold out there for the moment cannot be told from
// others: the provider has no function for that.
func (c *Catalog) checkType(path *field.Path, nodeType, region string) field.ErrorList {
	capability, isRare := rare[c.nodes[nodeType].Class]
	able := c.capable[capability]
	if !isRare || !slices.Contains(c.Regions, region) || slices.Contains(able, region) {
		return offered(path, nodeType, c.NodeTypes)
	}
	return field.ErrorList{field.Invalid(path, nodeType, fmt.Sprintf("%s has no nodes of this type, which come with %q; "+
		"choose another type, or a region that has them: %s", region, capability, strings.Join(able, ", ")))}
}

// MostNodes is how many nodes there can be for pods that tolerate no taints and want so much memory, in bytes. A node keeps
// some of its own for the system, so that it has to have more.
func (c *Catalog) MostNodes(a *Args, memory int64) int {
	const mebi = 1 << 20
	nodes := 0
	add := func(nodeType string, count int) {
		if int64(c.nodes[nodeType].Memory)*mebi > memory {
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

// NodePrices are what a node of each type that the pools have costs a month in the region, in USD.
func (c *Catalog) NodePrices(a *Args) map[string]float64 {
	prices := map[string]float64{}
	for _, nodeType := range a.nodeTypes() {
		for _, price := range c.nodes[nodeType].Prices {
			prices[nodeType] = price.Monthly
		}
		for _, price := range c.nodes[nodeType].RegionPrices {
			if price.Id == a.Region {
				prices[nodeType] = price.Monthly
			}
		}
	}
	return prices
}

// nodeTypes are those of all pools.
func (a *Args) nodeTypes() []string {
	types := []string{a.SystemPool.Type}
	for _, pool := range a.NodePools {
		types = append(types, pool.Type)
	}
	return types
}

func offered(path *field.Path, value string, offers []string) field.ErrorList {
	if value == "" {
		return nil
	}
	return check.OneOf(path, value, offers...)
}
