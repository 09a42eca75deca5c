package fastly

import (
	"context"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// GetFastlyIpRangesOutput looks up the networks that Fastly's requests to origins come from.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/getfastlyipranges/
func GetFastlyIpRangesOutput(ctx *pulumi.Context, opts ...pulumi.InvokeOption) GetFastlyIpRangesResultOutput {
	return ctx.InvokeOutput("fastly:index/getFastlyIpRanges:getFastlyIpRanges", nil, GetFastlyIpRangesResultOutput{},
		pulumi.InvokeOutputOptions{
			InvokeOptions: append([]pulumi.InvokeOption{pulumi.Version(pluginVersion)}, opts...),
		}).(GetFastlyIpRangesResultOutput)
}

// GetFastlyIpRangesResult is the answer of GetFastlyIpRangesOutput. The lists are in lexical order.
type GetFastlyIpRangesResult struct {
	CidrBlocks     []string `pulumi:"cidrBlocks"`
	Id             string   `pulumi:"id"`
	Ipv6CidrBlocks []string `pulumi:"ipv6CidrBlocks"`
}

// GetFastlyIpRangesResultOutput is an answer that is still to come.
type GetFastlyIpRangesResultOutput struct{ *pulumi.OutputState }

// ElementType is that of pulumi.Output.
func (GetFastlyIpRangesResultOutput) ElementType() reflect.Type {
	return reflect.TypeFor[GetFastlyIpRangesResult]()
}

// ToGetFastlyIpRangesResultOutput returns the output itself.
func (o GetFastlyIpRangesResultOutput) ToGetFastlyIpRangesResultOutput() GetFastlyIpRangesResultOutput {
	return o
}

// ToGetFastlyIpRangesResultOutputWithContext returns the output itself.
func (o GetFastlyIpRangesResultOutput) ToGetFastlyIpRangesResultOutputWithContext(
	context.Context,
) GetFastlyIpRangesResultOutput {
	return o
}

// CidrBlocks are the IPv4 networks.
func (o GetFastlyIpRangesResultOutput) CidrBlocks() pulumi.StringArrayOutput {
	return o.ApplyT(func(r GetFastlyIpRangesResult) []string { return r.CidrBlocks }).(pulumi.StringArrayOutput)
}

// Ipv6CidrBlocks are the IPv6 networks.
func (o GetFastlyIpRangesResultOutput) Ipv6CidrBlocks() pulumi.StringArrayOutput {
	return o.ApplyT(func(r GetFastlyIpRangesResult) []string { return r.Ipv6CidrBlocks }).(pulumi.StringArrayOutput)
}

func init() { pulumi.RegisterOutputType(GetFastlyIpRangesResultOutput{}) }
