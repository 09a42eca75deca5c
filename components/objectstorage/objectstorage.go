// Package objectstorage declares buckets of Linode Object Storage, each with a key of its own that opens nothing else.
package objectstorage

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/network"
)

// Args describes a bucket.
type Args struct {
	// Region is the Linode region, for instance us-east. A bucket never moves: another region replaces it.
	Region string `json:"region"`
	// Prefix begins the bucket's name, which no other customer of Linode may use in the region. Default: the stack's own name.
	Prefix string `json:"prefix"`
	// Purpose ends the bucket's name, and tells the buckets of a stack apart.
	Purpose string `json:"-"`
	// CORS lets browsers upload to the bucket, and read it, from pages of any site; what they may do there is for a signature
	// to say.
	CORS bool `json:"-"`
	// Protect refuses to delete the bucket.
	Protect bool `json:"-"`
}

// bucketName is the form that every S3 client takes, and that can stand in a host name.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// Validate returns every fault of what configuration can set, with its path. Whether the region has Object Storage is
// Linode's to say: see Endpoints.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Required(path.Child("region"), a.Region)
	if a.Prefix != "" && !bucketName.MatchString(a.label()) {
		faults = append(faults, field.Invalid(path.Child("prefix"), a.Prefix,
			"must be lower-case letters, digits and dashes, begin with a letter or digit, and leave a name below 64 characters"))
	}
	return faults
}

// label is the bucket's name. Where no purpose is given yet, as in a stack's configuration, the longest takes its place.
func (a *Args) label() string {
	if a.Purpose == "" {
		return a.Prefix + "-backups"
	}
	return a.Prefix + "-" + a.Purpose
}

// Bucket is a private bucket, and a key that reads and writes it.
// Upstream: https://techdocs.akamai.com/cloud-computing/docs/object-storage
type Bucket struct {
	pulumi.ResourceState

	// Name of the bucket.
	Name pulumi.StringOutput `pulumi:"name"`
	// Endpoint is the host of the S3 API, without the bucket's name, for instance us-east-1.linodeobjects.com.
	Endpoint pulumi.StringOutput `pulumi:"endpoint"`
	// Region is the name of the region that S3 clients sign with, for instance us-east-1.
	Region pulumi.StringOutput `pulumi:"region"`
	// AccessKey and SecretKey open this bucket and no other. Both are secret.
	AccessKey pulumi.StringOutput `pulumi:"accessKey"`
	SecretKey pulumi.StringOutput `pulumi:"secretKey"`
}

// New declares a bucket. It has neither versions nor lifecycle rules: Linode's provider sets both over S3, with a key that
// would have to be there before the bucket.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Bucket, error) {
	faults := append(args.Validate(nil), check.Required(field.NewPath("prefix"), args.Prefix)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("objectstorage: %w", faults.ToAggregate())
	}
	b := &Bucket{}
	if err := ctx.RegisterComponentResource("lke-platform:objectstorage:Bucket", name, b, opts...); err != nil {
		return nil, fmt.Errorf("objectstorage: %w", err)
	}
	declared := &linode.ObjectStorageBucketArgs{
		Label:  pulumi.String(args.label()),
		Region: pulumi.String(args.Region),
		Acl:    pulumi.String("private"),
	}
	if args.CORS {
		// False is not declared: where it could be said, Linode's provider leaves it out of the creation.
		declared.CorsEnabled = pulumi.Bool(true)
	}
	bucket, err := linode.NewObjectStorageBucket(ctx, name, declared, pulumi.Parent(b), pulumi.Protect(args.Protect))
	if err != nil {
		return nil, fmt.Errorf("objectstorage: declaring the bucket: %w", err)
	}
	key, err := linode.NewObjectStorageKey(ctx, name, &linode.ObjectStorageKeyArgs{
		Label: pulumi.String(args.label()),
		BucketAccesses: linode.ObjectStorageKeyBucketAccessArray{linode.ObjectStorageKeyBucketAccessArgs{
			BucketName:  bucket.Label,
			Region:      pulumi.String(args.Region),
			Permissions: pulumi.String("read_write"),
		}},
	}, pulumi.Parent(b), pulumi.AdditionalSecretOutputs([]string{"accessKey"}))
	if err != nil {
		return nil, fmt.Errorf("objectstorage: declaring the key: %w", err)
	}
	b.Name = bucket.Label
	b.Endpoint = bucket.S3Endpoint
	b.Region = bucket.S3Endpoint.ApplyT(network.SigningRegion).(pulumi.StringOutput)
	b.AccessKey = pulumi.ToSecret(key.AccessKey).(pulumi.StringOutput)
	b.SecretKey = pulumi.ToSecret(key.SecretKey).(pulumi.StringOutput)
	return b, component.Done(ctx, b, pulumi.Map{
		"name": b.Name, "endpoint": b.Endpoint, "region": b.Region, "accessKey": b.AccessKey, "secretKey": b.SecretKey,
	})
}
