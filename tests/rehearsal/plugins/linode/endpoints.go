package linode

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetObjectStorageEndpoints lists the S3 endpoints of the account:
// https://www.pulumi.com/registry/packages/linode/api-docs/getobjectstorageendpoints/
type GetObjectStorageEndpoints struct{}

// GetObjectStorageEndpointsArgs narrow the list.
type GetObjectStorageEndpointsArgs struct {
	Filters []Filter `pulumi:"filters,optional"`
}

// GetObjectStorageEndpointsResult lists those that match all filters.
type GetObjectStorageEndpointsResult struct {
	GetObjectStorageEndpointsArgs

	Endpoints []ObjectStorageEndpoint `pulumi:"endpoints,optional"`
}

// ObjectStorageEndpoint is an endpoint. Its address is empty where the account has not used it yet.
type ObjectStorageEndpoint struct {
	EndpointType string `pulumi:"endpointType"`
	Region       string `pulumi:"region"`
	S3Endpoint   string `pulumi:"s3Endpoint"`
}

// Annotate sets the token.
func (f *GetObjectStorageEndpoints) Annotate(a infer.Annotator) {
	a.SetToken("index/getObjectStorageEndpoints", "getObjectStorageEndpoints")
}

// Invoke asks the API.
func (*GetObjectStorageEndpoints) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetObjectStorageEndpointsArgs],
) (resp infer.FunctionResponse[GetObjectStorageEndpointsResult], err error) {
	resp.Output.GetObjectStorageEndpointsArgs = req.Input
	all, err := clientOf(ctx).ListObjectStorageEndpoints(ctx, nil)
	if err != nil {
		return resp, fmt.Errorf("listing the endpoints of Object Storage: %w", err)
	}
	if all, err = filtered(all, req.Input.Filters); err != nil {
		return resp, err
	}
	for _, one := range all {
		resp.Output.Endpoints = append(resp.Output.Endpoints, ObjectStorageEndpoint{
			EndpointType: string(one.EndpointType), Region: one.Region, S3Endpoint: value(one.S3Endpoint),
		})
	}
	return resp, nil
}
