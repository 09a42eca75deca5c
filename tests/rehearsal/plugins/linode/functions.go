package linode

import (
	"context"
	"fmt"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetLkeVersions lists the Kubernetes versions: https://www.pulumi.com/registry/packages/linode/api-docs/getlkeversions/
type GetLkeVersions struct{}

// GetLkeVersionsArgs may name a tier, standard or enterprise.
type GetLkeVersionsArgs struct {
	Tier *string `pulumi:"tier,optional"`
}

// GetLkeVersionsResult lists them, newest first.
type GetLkeVersionsResult struct {
	GetLkeVersionsArgs

	Versions []LkeVersion `pulumi:"versions"`
}

// LkeVersion is a version. Its tier is only known when one was asked for.
type LkeVersion struct {
	ID   string `pulumi:"id"`
	Tier string `pulumi:"tier"`
}

// Annotate sets the token.
func (f *GetLkeVersions) Annotate(a infer.Annotator) {
	a.SetToken("index/getLkeVersions", "getLkeVersions")
}

// Invoke asks the API.
func (*GetLkeVersions) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetLkeVersionsArgs],
) (resp infer.FunctionResponse[GetLkeVersionsResult], err error) {
	resp.Output.GetLkeVersionsArgs = req.Input
	if tier := req.Input.Tier; tier != nil {
		versions, err := clientOf(ctx).ListLKETierVersions(ctx, *tier, nil)
		if err != nil {
			return resp, fmt.Errorf("listing the Kubernetes versions of tier %s: %w", *tier, err)
		}
		for _, v := range versions {
			resp.Output.Versions = append(resp.Output.Versions, LkeVersion{v.ID, string(v.Tier)})
		}
	} else {
		versions, err := clientOf(ctx).ListLKEVersions(ctx, nil)
		if err != nil {
			return resp, fmt.Errorf("listing the Kubernetes versions: %w", err)
		}
		for _, v := range versions {
			resp.Output.Versions = append(resp.Output.Versions, LkeVersion{ID: v.ID})
		}
	}
	return resp, nil
}

// GetRegions lists regions: https://www.pulumi.com/registry/packages/linode/api-docs/getregions/
type GetRegions struct{}

// GetRegionsArgs narrow the list.
type GetRegionsArgs struct {
	Filters []Filter `pulumi:"filters,optional"`
}

// GetRegionsResult lists the regions that match all filters.
type GetRegionsResult struct {
	GetRegionsArgs

	Regions []Region `pulumi:"regions"`
}

// Region is a region.
type Region struct {
	Capabilities         []string              `pulumi:"capabilities"`
	Country              string                `pulumi:"country"`
	ID                   string                `pulumi:"id"`
	Label                string                `pulumi:"label"`
	PlacementGroupLimits []PlacementGroupLimit `pulumi:"placementGroupLimits"`
	Resolvers            []Resolver            `pulumi:"resolvers,optional"`
	SiteType             string                `pulumi:"siteType"`
	Status               string                `pulumi:"status"`
}

// PlacementGroupLimit is how large and many placement groups can be; 0 is no limit.
type PlacementGroupLimit struct {
	MaximumLinodesPerPG   int `pulumi:"maximumLinodesPerPg"`
	MaximumPGsPerCustomer int `pulumi:"maximumPgsPerCustomer"`
}

// Resolver has the addresses of the name servers.
type Resolver struct {
	IPv4 string `pulumi:"ipv4"`
	IPv6 string `pulumi:"ipv6"`
}

// Annotate sets the token.
func (f *GetRegions) Annotate(a infer.Annotator) { a.SetToken("index/getRegions", "getRegions") }

// Invoke asks the API.
func (*GetRegions) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetRegionsArgs],
) (resp infer.FunctionResponse[GetRegionsResult], err error) {
	resp.Output.GetRegionsArgs = req.Input
	regions, err := clientOf(ctx).ListRegions(ctx, nil)
	if err != nil {
		return resp, fmt.Errorf("listing regions: %w", err)
	}
	if regions, err = filtered(regions, req.Input.Filters); err != nil {
		return resp, err
	}
	for _, r := range regions {
		resp.Output.Regions = append(resp.Output.Regions, regionOf(r))
	}
	return resp, nil
}

func regionOf(r linodego.Region) Region {
	region := Region{
		Capabilities: r.Capabilities, Country: r.Country, ID: r.ID, Label: r.Label, SiteType: r.SiteType, Status: r.Status,
		Resolvers: []Resolver{{r.Resolvers.IPv4, r.Resolvers.IPv6}}, PlacementGroupLimits: []PlacementGroupLimit{},
	}
	if limits := r.PlacementGroupLimits; limits != nil {
		region.PlacementGroupLimits = []PlacementGroupLimit{{limits.MaximumLinodesPerPG, limits.MaximumPGsPerCustomer}}
	}
	return region
}
