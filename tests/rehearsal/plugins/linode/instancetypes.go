package linode

import (
	"context"
	"fmt"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetInstanceTypes lists the plans: https://www.pulumi.com/registry/packages/linode/api-docs/getinstancetypes/
type GetInstanceTypes struct{}

// GetInstanceTypesArgs narrow and order the list.
type GetInstanceTypesArgs struct {
	Filters []Filter `pulumi:"filters,optional"`
	Order   *string  `pulumi:"order,optional"`   // asc or desc
	OrderBy *string  `pulumi:"orderBy,optional"` // a field of the API
}

// GetInstanceTypesResult lists the plans that match all filters.
type GetInstanceTypesResult struct {
	GetInstanceTypesArgs

	Types []InstanceType `pulumi:"types"`
}

// InstanceType is a plan. Memory and disk are in MiB.
type InstanceType struct {
	AcceleratedDevices int           `pulumi:"acceleratedDevices"`
	Addons             []Addon       `pulumi:"addons"`
	Class              string        `pulumi:"class"`
	Disk               int           `pulumi:"disk"`
	ID                 string        `pulumi:"id"`
	Label              string        `pulumi:"label"`
	Memory             int           `pulumi:"memory"`
	NetworkOut         int           `pulumi:"networkOut"`
	Prices             []Price       `pulumi:"prices"`
	RegionPrices       []RegionPrice `pulumi:"regionPrices"`
	Transfer           int           `pulumi:"transfer"`
	VCPUs              int           `pulumi:"vcpus"`
}

// Addon is what can be had with a plan.
type Addon struct {
	Backups []Backup `pulumi:"backups"`
}

// Backup is the backup service.
type Backup struct {
	Prices       []Price       `pulumi:"prices"`
	RegionPrices []RegionPrice `pulumi:"regionPrices"`
}

// Price is in USD.
type Price struct {
	Hourly  float64 `pulumi:"hourly"`
	Monthly float64 `pulumi:"monthly"`
}

// RegionPrice is the price in a region where it differs, in USD.
type RegionPrice struct {
	Hourly  float64 `pulumi:"hourly"`
	ID      string  `pulumi:"id"`
	Monthly float64 `pulumi:"monthly"`
}

// Annotate sets the token.
func (f *GetInstanceTypes) Annotate(a infer.Annotator) {
	a.SetToken("index/getInstanceTypes", "getInstanceTypes")
}

// Invoke asks the API.
func (*GetInstanceTypes) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetInstanceTypesArgs],
) (resp infer.FunctionResponse[GetInstanceTypesResult], err error) {
	resp.Output.GetInstanceTypesArgs = req.Input
	order, err := orderFilter(req.Input.OrderBy, req.Input.Order)
	if err != nil {
		return resp, err
	}
	types, err := clientOf(ctx).ListTypes(ctx, &linodego.ListOptions{Filter: order})
	if err != nil {
		return resp, fmt.Errorf("listing instance types: %w", err)
	}
	if types, err = filtered(types, req.Input.Filters); err != nil {
		return resp, err
	}
	for _, t := range types {
		resp.Output.Types = append(resp.Output.Types, instanceTypeOf(t))
	}
	return resp, nil
}

func instanceTypeOf(t linodego.LinodeType) InstanceType {
	result := InstanceType{
		AcceleratedDevices: t.AcceleratedDevices, Class: string(t.Class), Disk: t.Disk, ID: t.ID, Label: t.Label,
		Memory: t.Memory, NetworkOut: t.NetworkOut, Prices: pricesOf(t.Price), RegionPrices: regionPricesOf(t.RegionPrices),
		Transfer: t.Transfer, VCPUs: t.VCPUs,
	}
	if t.Addons != nil && t.Addons.Backups != nil {
		backups := t.Addons.Backups
		result.Addons = []Addon{{[]Backup{{pricesOf(backups.Price), regionPricesOf(backups.RegionPrices)}}}}
	}
	return result
}

func pricesOf(p *linodego.LinodePrice) []Price {
	if p == nil {
		return nil
	}
	return []Price{{float64(p.Hourly), float64(p.Monthly)}}
}

func regionPricesOf(prices []linodego.LinodeRegionPrice) []RegionPrice {
	result := make([]RegionPrice, len(prices))
	for i, p := range prices {
		result[i] = RegionPrice{float64(p.Hourly), p.ID, float64(p.Monthly)}
	}
	return result
}
