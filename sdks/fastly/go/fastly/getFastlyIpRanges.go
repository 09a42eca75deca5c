package fastly

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// GetFastlyIpRanges looks up the networks that Fastly's requests to origins come from.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/getfastlyipranges/
func GetFastlyIpRanges(ctx *pulumi.Context, opts ...pulumi.InvokeOption) (*GetFastlyIpRangesResult, error) {
	var result GetFastlyIpRangesResult
	opts = append([]pulumi.InvokeOption{pulumi.Version(pluginVersion)}, opts...)
	if err := ctx.Invoke("fastly:index/getFastlyIpRanges:getFastlyIpRanges", nil, &result, opts...); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetFastlyIpRangesResult is the answer of GetFastlyIpRanges. The lists are in lexical order.
type GetFastlyIpRangesResult struct {
	CidrBlocks     []string `pulumi:"cidrBlocks"`
	Id             string   `pulumi:"id"`
	Ipv6CidrBlocks []string `pulumi:"ipv6CidrBlocks"`
}
