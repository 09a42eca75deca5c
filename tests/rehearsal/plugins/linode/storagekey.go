package linode

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// ObjectStorageKey is a key for buckets: https://www.pulumi.com/registry/packages/linode/api-docs/objectstoragekey/
type ObjectStorageKey struct{}

// ObjectStorageKeyArgs are the inputs.
type ObjectStorageKeyArgs struct {
	BucketAccesses []BucketAccess `pulumi:"bucketAccesses,optional" provider:"replaceOnChanges"`
	Label          string         `pulumi:"label"`
	Regions        []string       `pulumi:"regions,optional"`
}

// BucketAccess is what a key may do with a bucket.
type BucketAccess struct {
	BucketName  string  `pulumi:"bucketName"`
	Cluster     *string `pulumi:"cluster,optional"` // of older clients; else the region
	Permissions string  `pulumi:"permissions"`      // read_only or read_write
	Region      *string `pulumi:"region,optional"`
}

// ObjectStorageKeyState is what the key is like.
type ObjectStorageKeyState struct {
	ObjectStorageKeyArgs

	AccessKey      string          `pulumi:"accessKey"`
	Limited        bool            `pulumi:"limited"`
	RegionsDetails []RegionsDetail `pulumi:"regionsDetails"`
	SecretKey      string          `pulumi:"secretKey"      provider:"secret"` // the API shows it once
}

// RegionsDetail is an endpoint where a key is valid.
type RegionsDetail struct {
	EndpointType string `pulumi:"endpointType"`
	ID           string `pulumi:"id"`
	S3Endpoint   string `pulumi:"s3Endpoint"`
}

// Annotate sets the token.
func (r *ObjectStorageKey) Annotate(a infer.Annotator) {
	a.SetToken("index/objectStorageKey", "ObjectStorageKey")
}

// WireDependencies tells previews that an update never changes the key itself.
func (*ObjectStorageKey) WireDependencies(f infer.FieldSelector, _ *ObjectStorageKeyArgs, state *ObjectStorageKeyState) {
	stay(f, state.AccessKey != "", &state.AccessKey, &state.SecretKey, &state.Limited)
	f.OutputField(&state.SecretKey).AlwaysSecret()
}

// Create creates the key.
func (*ObjectStorageKey) Create(
	ctx context.Context, req infer.CreateRequest[ObjectStorageKeyArgs],
) (resp infer.CreateResponse[ObjectStorageKeyState], err error) {
	resp.Output.ObjectStorageKeyArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	options := linodego.ObjectStorageKeyCreateOptions{Label: req.Inputs.Label, Regions: req.Inputs.Regions}
	if req.Inputs.BucketAccesses != nil {
		grants := req.Inputs.grants()
		options.BucketAccess = &grants
	}
	key, err := clientOf(ctx).CreateObjectStorageKey(ctx, options)
	if err != nil {
		return resp, fmt.Errorf("creating Object Storage key %s: %w", req.Inputs.Label, err)
	}
	resp.ID, resp.Output = strconv.Itoa(key.ID), keyOf(key, key.SecretKey)
	return resp, nil
}

func (in ObjectStorageKeyArgs) grants() []linodego.ObjectStorageKeyBucketAccess {
	grants := make([]linodego.ObjectStorageKeyBucketAccess, len(in.BucketAccesses))
	for i, access := range in.BucketAccesses {
		grants[i] = linodego.ObjectStorageKeyBucketAccess{
			Cluster: value(access.Cluster), //nolint:staticcheck // the official provider has it, too
			Region:  value(access.Region), BucketName: access.BucketName, Permissions: access.Permissions,
		}
	}
	return grants
}

func keyOf(key *linodego.ObjectStorageKey, secret string) ObjectStorageKeyState {
	s := ObjectStorageKeyState{
		ObjectStorageKeyArgs: ObjectStorageKeyArgs{Label: key.Label}, AccessKey: key.AccessKey, Limited: key.Limited,
		SecretKey: secret,
	}
	if key.BucketAccess != nil {
		for _, access := range *key.BucketAccess {
			s.BucketAccesses = append(s.BucketAccesses, BucketAccess{
				BucketName: access.BucketName, Permissions: access.Permissions, Region: &access.Region,
				Cluster: &access.Cluster, //nolint:staticcheck // the official provider has it, too
			})
		}
	}
	for _, r := range key.Regions {
		s.RegionsDetails = append(s.RegionsDetails, RegionsDetail{string(r.EndpointType), r.ID, r.S3Endpoint})
		s.Regions = append(s.Regions, r.ID)
	}
	slices.Sort(s.Regions)
	s.Regions = slices.Compact(s.Regions)
	return s
}

// Read gives the key as it is, with the secret as it was when the key was created.
func (*ObjectStorageKey) Read(
	ctx context.Context, req infer.ReadRequest[ObjectStorageKeyArgs, ObjectStorageKeyState],
) (resp infer.ReadResponse[ObjectStorageKeyArgs, ObjectStorageKeyState], err error) {
	id, err := number(req.ID, "an Object Storage key")
	if err != nil {
		return resp, err
	}
	key, err := clientOf(ctx).GetObjectStorageKey(ctx, id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, fmt.Errorf("reading Object Storage key %d: %w", id, err)
	}
	resp.ID, resp.State = req.ID, keyOf(key, req.State.SecretKey)
	resp.Inputs = drifted(req.Inputs, req.State.ObjectStorageKeyArgs, resp.State.ObjectStorageKeyArgs)
	return resp, nil
}

// Update changes the label and the regions.
func (*ObjectStorageKey) Update(
	ctx context.Context, req infer.UpdateRequest[ObjectStorageKeyArgs, ObjectStorageKeyState],
) (resp infer.UpdateResponse[ObjectStorageKeyState], err error) {
	resp.Output = req.State
	if req.DryRun {
		resp.Output.ObjectStorageKeyArgs = foreseen(req.Inputs, req.State.ObjectStorageKeyArgs)
		return resp, nil
	}
	id, err := number(req.ID, "an Object Storage key")
	if err != nil {
		return resp, err
	}
	key, err := clientOf(ctx).UpdateObjectStorageKey(ctx, id, linodego.ObjectStorageKeyUpdateOptions{
		Label: req.Inputs.Label, Regions: req.Inputs.Regions,
	})
	if err != nil {
		return resp, fmt.Errorf("changing Object Storage key %d: %w", id, err)
	}
	resp.Output = keyOf(key, req.State.SecretKey)
	return resp, nil
}

// Delete revokes the key.
func (*ObjectStorageKey) Delete(
	ctx context.Context, req infer.DeleteRequest[ObjectStorageKeyState],
) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "an Object Storage key")
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteObjectStorageKey(ctx, id); err != nil && !linodego.IsNotFound(err) {
		return resp, fmt.Errorf("deleting Object Storage key %d: %w", id, err)
	}
	return resp, nil
}
