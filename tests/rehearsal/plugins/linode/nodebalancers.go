package linode

import (
	"context"
	"fmt"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetNodebalancers lists NodeBalancers: https://www.pulumi.com/registry/packages/linode/api-docs/getnodebalancers/
type GetNodebalancers struct{}

// GetNodebalancersArgs narrow the list.
type GetNodebalancersArgs struct {
	Filters []Filter `pulumi:"filters,optional"`
}

// GetNodebalancersResult lists those that match all filters.
type GetNodebalancersResult struct {
	GetNodebalancersArgs

	Nodebalancers []Nodebalancer `pulumi:"nodebalancers,optional"`
}

// Nodebalancer is a NodeBalancer.
type Nodebalancer struct {
	ClientConnThrottle int        `pulumi:"clientConnThrottle"`
	Created            string     `pulumi:"created"`
	Hostname           string     `pulumi:"hostname"`
	ID                 int        `pulumi:"id"`
	IPv4               string     `pulumi:"ipv4"`
	IPv6               string     `pulumi:"ipv6"`
	Label              string     `pulumi:"label"`
	Region             string     `pulumi:"region"`
	Tags               []string   `pulumi:"tags"`
	Transfers          []Transfer `pulumi:"transfers"`
	Updated            string     `pulumi:"updated"`
}

// Transfer is what went through this month, in MB.
type Transfer struct {
	In    float64 `pulumi:"in"`
	Out   float64 `pulumi:"out"`
	Total float64 `pulumi:"total"`
}

// Annotate sets the token.
func (f *GetNodebalancers) Annotate(a infer.Annotator) {
	a.SetToken("index/getNodebalancers", "getNodebalancers")
}

// Invoke asks the API.
func (*GetNodebalancers) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetNodebalancersArgs],
) (resp infer.FunctionResponse[GetNodebalancersResult], err error) {
	resp.Output.GetNodebalancersArgs = req.Input
	all, err := clientOf(ctx).ListNodeBalancers(ctx, nil)
	if err != nil {
		return resp, fmt.Errorf("listing NodeBalancers: %w", err)
	}
	if all, err = filtered(all, req.Input.Filters); err != nil {
		return resp, err
	}
	for _, one := range all {
		resp.Output.Nodebalancers = append(resp.Output.Nodebalancers, nodebalancerOf(one))
	}
	return resp, nil
}

func nodebalancerOf(b linodego.NodeBalancer) Nodebalancer {
	return Nodebalancer{
		ClientConnThrottle: b.ClientConnThrottle, Hostname: value(b.Hostname), ID: b.ID, IPv4: value(b.IPv4), IPv6: value(b.IPv6),
		Label: value(b.Label), Region: b.Region, Tags: append([]string{}, b.Tags...),
		Created: b.Created.Format(time.RFC3339), Updated: b.Updated.Format(time.RFC3339),
		Transfers: []Transfer{{value(b.Transfer.In), value(b.Transfer.Out), value(b.Transfer.Total)}},
	}
}
