package linode

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// ObjectStorageBucket is a bucket: https://www.pulumi.com/registry/packages/linode/api-docs/objectstoragebucket/
// What the official provider does over the S3 API, such as versioning and lifecycle rules, cannot be set here.
type ObjectStorageBucket struct{}

// ObjectStorageBucketArgs are the inputs.
type ObjectStorageBucketArgs struct {
	ACL          *string `pulumi:"acl,optional"`
	Cluster      *string `pulumi:"cluster,optional"      provider:"replaceOnChanges"` // of older clients; else the region
	CorsEnabled  *bool   `pulumi:"corsEnabled,optional"`
	EndpointType *string `pulumi:"endpointType,optional" provider:"replaceOnChanges"`
	Label        string  `pulumi:"label"                 provider:"replaceOnChanges"`
	Region       *string `pulumi:"region,optional"       provider:"replaceOnChanges"`
	S3Endpoint   *string `pulumi:"s3Endpoint,optional"   provider:"replaceOnChanges"`
}

// ObjectStorageBucketState is what the bucket is like.
type ObjectStorageBucketState struct {
	ObjectStorageBucketArgs

	Endpoint   string `pulumi:"endpoint"`
	Hostname   string `pulumi:"hostname"`
	Versioning bool   `pulumi:"versioning"`
}

// Annotate sets the token.
func (r *ObjectStorageBucket) Annotate(a infer.Annotator) {
	a.SetToken("index/objectStorageBucket", "ObjectStorageBucket")
}

// WireDependencies tells previews that an update never moves the bucket.
func (*ObjectStorageBucket) WireDependencies(
	f infer.FieldSelector, _ *ObjectStorageBucketArgs, state *ObjectStorageBucketState,
) {
	stay(f, state.Hostname != "", &state.Endpoint, &state.Hostname, &state.Versioning, &state.Cluster, &state.EndpointType,
		&state.Region, &state.S3Endpoint)
}

// Create creates the bucket.
func (*ObjectStorageBucket) Create(
	ctx context.Context, req infer.CreateRequest[ObjectStorageBucketArgs],
) (resp infer.CreateResponse[ObjectStorageBucketState], err error) {
	in := req.Inputs
	if req.DryRun { // Linode chooses what is not declared
		resp.Output.ObjectStorageBucketArgs = foreseen(in, ObjectStorageBucketArgs{
			Cluster: new(string), CorsEnabled: new(bool), EndpointType: new(string), Region: new(string), S3Endpoint: new(string),
		})
		return resp, nil
	}
	cors := in.CorsEnabled
	if !value(cors) { // at a creation the official provider takes false for not declared
		cors = nil
	}
	bucket, err := clientOf(ctx).CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{
		Cluster: value(in.Cluster), //nolint:staticcheck // the official provider has it, too
		Label:   in.Label, Region: value(in.Region), EndpointType: linodego.ObjectStorageEndpointType(value(in.EndpointType)),
		S3Endpoint: value(in.S3Endpoint), ACL: linodego.ObjectStorageACL(value(in.ACL)), CorsEnabled: cors,
	})
	if err != nil {
		return resp, fmt.Errorf("creating bucket %s: %w", in.Label, err)
	}
	resp.ID = bucket.Region + ":" + bucket.Label
	resp.Output = ObjectStorageBucketState{ObjectStorageBucketArgs: in, Endpoint: bucket.S3Endpoint, Hostname: bucket.Hostname}
	made, err := readBucket(ctx, bucket.Region, bucket.Label)
	if err != nil { // what there is must not be forgotten
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	resp.Output = made
	return resp, nil
}

func readBucket(ctx context.Context, region, label string) (s ObjectStorageBucketState, err error) {
	client := clientOf(ctx)
	bucket, err := client.GetObjectStorageBucket(ctx, region, label)
	if err != nil {
		return s, fmt.Errorf("reading bucket %s in %s: %w", label, region, err)
	}
	access, err := client.GetObjectStorageBucketAccessV2(ctx, region, label)
	if err != nil {
		return s, fmt.Errorf("reading the access to bucket %s in %s: %w", label, region, err)
	}
	return ObjectStorageBucketState{
		ObjectStorageBucketArgs: ObjectStorageBucketArgs{
			ACL: new(string(access.ACL)), CorsEnabled: access.CorsEnabled, EndpointType: new(string(bucket.EndpointType)),
			Label: bucket.Label, Region: &bucket.Region,
			Cluster:    &bucket.Cluster, //nolint:staticcheck // the official provider has it, too
			S3Endpoint: &bucket.S3Endpoint,
		},
		Endpoint: bucket.S3Endpoint, Hostname: bucket.Hostname,
	}, nil
}

// Read gives the bucket as it is.
func (*ObjectStorageBucket) Read(
	ctx context.Context, req infer.ReadRequest[ObjectStorageBucketArgs, ObjectStorageBucketState],
) (resp infer.ReadResponse[ObjectStorageBucketArgs, ObjectStorageBucketState], err error) {
	region, label, err := bucketID(req.ID)
	if err != nil {
		return resp, err
	}
	state, err := readBucket(ctx, region, label)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, err
	}
	resp.ID, resp.State = req.ID, state
	resp.Inputs = drifted(req.Inputs, req.State.ObjectStorageBucketArgs, state.ObjectStorageBucketArgs)
	if in, declared := &resp.Inputs, req.Inputs; req.State.Label != "" {
		// A refresh of the official provider declares nothing that Linode chooses, nor sees it change.
		// Upstream, each Computed:
		// https://github.com/linode/terraform-provider-linode/blob/v3.9.0/linode/objbucket/schema_resource.go
		in.Cluster, in.Region = ifDeclared(declared.Cluster, in.Cluster), ifDeclared(declared.Region, in.Region)
		in.S3Endpoint = ifDeclared(declared.S3Endpoint, in.S3Endpoint)
		in.EndpointType = ifDeclared(declared.EndpointType, in.EndpointType)
		in.CorsEnabled = ifDeclared(declared.CorsEnabled, in.CorsEnabled)
	}
	return resp, nil
}

func bucketID(id string) (region, label string, err error) {
	region, label, ok := strings.Cut(id, ":")
	if !ok {
		return "", "", fmt.Errorf("%q is no ID of a bucket, such as us-ord:media", id)
	}
	return region, label, nil
}

// Update changes who may use the bucket.
func (*ObjectStorageBucket) Update(
	ctx context.Context, req infer.UpdateRequest[ObjectStorageBucketArgs, ObjectStorageBucketState],
) (resp infer.UpdateResponse[ObjectStorageBucketState], err error) {
	resp.Output = req.State
	if req.DryRun {
		resp.Output.ObjectStorageBucketArgs = foreseen(req.Inputs, req.State.ObjectStorageBucketArgs)
		return resp, nil
	}
	region, label, err := bucketID(req.ID)
	if err != nil {
		return resp, err
	}
	err = clientOf(ctx).UpdateObjectStorageBucketAccess(ctx, region, label, accessChange(req.Inputs, req.State))
	if err != nil {
		return resp, fmt.Errorf("changing the access to bucket %s in %s: %w", label, region, err)
	}
	resp.Output, err = readBucket(ctx, region, label)
	return resp, err
}

// accessChange holds what changes, and no more, as the official provider's request does.
func accessChange(
	in ObjectStorageBucketArgs, is ObjectStorageBucketState,
) (change linodego.ObjectStorageBucketUpdateAccessOptions) {
	if acl := cmp.Or(value(in.ACL), string(linodego.ACLPrivate)); acl != value(is.ACL) {
		change.ACL = linodego.ObjectStorageACL(acl)
	}
	if in.CorsEnabled != nil && *in.CorsEnabled != value(is.CorsEnabled) {
		change.CorsEnabled = in.CorsEnabled
	}
	return change
}

// Delete deletes the bucket. What is gone already is an error, as it is for the official provider.
func (*ObjectStorageBucket) Delete(
	ctx context.Context, req infer.DeleteRequest[ObjectStorageBucketState],
) (resp infer.DeleteResponse, err error) {
	region, label, err := bucketID(req.ID)
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteObjectStorageBucket(ctx, region, label); err != nil {
		return resp, fmt.Errorf("deleting bucket %s in %s: %w", label, region, err)
	}
	return resp, nil
}
