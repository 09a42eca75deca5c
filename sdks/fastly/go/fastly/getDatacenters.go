package fastly

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// GetDatacenters looks up Fastly's points of presence.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/getdatacenters/
func GetDatacenters(ctx *pulumi.Context, opts ...pulumi.InvokeOption) (*GetDatacentersResult, error) {
	var result GetDatacentersResult
	opts = append([]pulumi.InvokeOption{pulumi.Version(pluginVersion)}, opts...)
	if err := ctx.Invoke("fastly:index/getDatacenters:getDatacenters", nil, &result, opts...); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetDatacentersResult is the answer of GetDatacenters.
type GetDatacentersResult struct {
	Id   string              `pulumi:"id"`
	Pops []GetDatacentersPop `pulumi:"pops"`
}

// GetDatacentersPop is a point of presence. Its shield is empty where it cannot be one.
type GetDatacentersPop struct {
	Code   string `pulumi:"code"`
	Group  string `pulumi:"group"`
	Name   string `pulumi:"name"`
	Shield string `pulumi:"shield"`
}
