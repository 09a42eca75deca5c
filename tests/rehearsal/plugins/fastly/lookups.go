package fastly

import (
	"context"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetFastlyIPRanges looks up the addresses that Fastly's requests to origins come from.
type GetFastlyIPRanges struct{}

// Annotate gives the look-up its official token.
func (f *GetFastlyIPRanges) Annotate(a infer.Annotator) {
	a.SetToken("index/getFastlyIpRanges", "getFastlyIpRanges")
}

// IPRanges are Fastly's addresses, in lexical order.
type IPRanges struct {
	CIDRBlocks     []string `pulumi:"cidrBlocks"`
	IPv6CIDRBlocks []string `pulumi:"ipv6CidrBlocks"`
}

// None is the input of a look-up that needs none.
type None struct{}

// Invoke asks Fastly.
func (GetFastlyIPRanges) Invoke(
	ctx context.Context, _ infer.FunctionRequest[None],
) (infer.FunctionResponse[IPRanges], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.FunctionResponse[IPRanges]{}, err
	}
	ipv4, ipv6, err := client.AllIPs(ctx)
	if err != nil {
		return infer.FunctionResponse[IPRanges]{}, fmt.Errorf("listing IP ranges: %w", err)
	}
	return infer.FunctionResponse[IPRanges]{Output: IPRanges{
		CIDRBlocks: slices.Sorted(slices.Values(ipv4)), IPv6CIDRBlocks: slices.Sorted(slices.Values(ipv6)),
	}}, nil
}

// GetDatacenters looks up Fastly's points of presence, some of which can shield.
type GetDatacenters struct{}

// Annotate gives the look-up its official token.
func (f *GetDatacenters) Annotate(a infer.Annotator) {
	a.SetToken("index/getDatacenters", "getDatacenters")
}

// Datacenters are Fastly's points of presence.
type Datacenters struct {
	Pops []Pop `pulumi:"pops"`
}

// Pop is a point of presence. Its shield is empty where it cannot be one.
type Pop struct {
	Code   string `pulumi:"code"`
	Group  string `pulumi:"group"`
	Name   string `pulumi:"name"`
	Shield string `pulumi:"shield"`
}

// Annotate gives the type its official token.
func (d *Pop) Annotate(a infer.Annotator) { a.SetToken("index/getDatacentersPop", "getDatacentersPop") }

// Invoke asks Fastly.
func (GetDatacenters) Invoke(ctx context.Context, _ infer.FunctionRequest[None]) (infer.FunctionResponse[Datacenters], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.FunctionResponse[Datacenters]{}, err
	}
	found, err := client.AllDatacenters(ctx)
	if err != nil {
		return infer.FunctionResponse[Datacenters]{}, fmt.Errorf("listing datacenters: %w", err)
	}
	datacenters := Datacenters{Pops: []Pop{}}
	for _, d := range found {
		datacenters.Pops = append(datacenters.Pops,
			Pop{Code: value(d.Code), Group: value(d.Group), Name: value(d.Name), Shield: value(d.Shield)})
	}
	return infer.FunctionResponse[Datacenters]{Output: datacenters}, nil
}
