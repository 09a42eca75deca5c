package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/objectstorage"
)

const (
	bucketType    = "linode:index/objectStorageBucket:ObjectStorageBucket"
	bucketKeyType = "linode:index/objectStorageKey:ObjectStorageKey"
)

// buckets is a graph in which buckets have an endpoint and keys have a key.
type buckets struct{ *graph }

func (b buckets) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, outputs, err := b.graph.NewResource(args)
	switch args.TypeToken {
	case bucketType:
		outputs["s3Endpoint"] = resource.NewProperty("us-east-1.linodeobjects.com")
	case bucketKeyType:
		outputs["accessKey"] = resource.NewProperty("the-access-key")
		outputs["secretKey"] = resource.NewProperty(secret)
	}
	return id, outputs, err
}

// declareBuckets runs a part of a program that has buckets.
func declareBuckets(t *testing.T, program pulumi.RunFunc) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(program, pulumi.WithMocks(projectName, "test", buckets{g})))
	return g
}

func mediaBucket(protect bool) *objectstorage.Args {
	return &objectstorage.Args{Region: "us-east", Prefix: "lke-platform-test", Purpose: "media", Protect: protect}
}

func TestABucketIsPrivateAndItsKeyOpensNothingElse(t *testing.T) {
	t.Parallel()
	var address []any
	g := declareBuckets(t, func(ctx *pulumi.Context) error {
		bucket, err := objectstorage.New(ctx, "media", mediaBucket(false))
		if err != nil {
			return err
		}
		pulumi.All(bucket.Name, bucket.Endpoint, bucket.Region).ApplyT(func(values []any) error {
			address = values
			return nil
		})
		for _, key := range []pulumi.StringOutput{bucket.AccessKey, bucket.SecretKey} {
			require.True(t, pulumi.IsSecret(key))
		}
		return nil
	})
	require.Equal(t, []any{"lke-platform-test-media", "us-east-1.linodeobjects.com", "us-east-1"}, address)
	inputs := g.find(t, bucketType, "media").inputs
	require.Equal(t, "private", inputs["acl"].StringValue())
	require.Equal(t, "us-east", inputs["region"].StringValue())
	for _, property := range []resource.PropertyKey{"versioning", "lifecycleRules", "accessKey", "secretKey"} {
		require.NotContains(t, inputs, property, "they need a key that would have to be there before the bucket")
	}
	require.Equal(t, []any{map[string]any{
		"bucketName": "lke-platform-test-media", "region": "us-east", "permissions": "read_write",
	}}, reveal(g.find(t, bucketKeyType, "media").inputs["bucketAccesses"]))
	require.True(t, g.waitsFor(bucketKeyType+" media", bucketType+" media"))
	require.Subset(t, g.find(t, bucketKeyType, "media").request.GetAdditionalSecretOutputs(), []string{"accessKey", "secretKey"})
}

// The API of the newer endpoints refuses what the older ones have by default.
func TestOnlyBucketsThatCanHaveCORSDeclareIt(t *testing.T) {
	t.Parallel()
	for _, cors := range []bool{true, false} {
		g := declareBuckets(t, func(ctx *pulumi.Context) error {
			args := mediaBucket(false)
			args.CORS = cors
			_, err := objectstorage.New(ctx, "media", args)
			return err
		})
		declared, said := g.find(t, bucketType, "media").inputs["corsEnabled"]
		require.Equal(t, cors, said)
		require.Equal(t, cors, said && declared.BoolValue())
	}
	endpoints := objectstorage.Endpoints{"us-east": {"E0"}, "us-ord": {"E3", "E1"}, "gb-lon": {"E3"}, "au-mel": {"E2"}}
	for region, has := range map[string]bool{"us-east": true, "us-ord": true, "gb-lon": false, "au-mel": false, "us-west": false} {
		require.Equal(t, has, endpoints.HaveCORS(region), region)
		require.Equal(t, has, len(endpoints.Warnings(region)) == 0, region)
	}
}

func TestWhoHasNoCORSIsToldWhy(t *testing.T) {
	t.Parallel()
	endpoints := objectstorage.Endpoints{"gb-lon": {"E2", "E3"}}
	require.Contains(t, strings.Join(endpoints.Warnings("gb-lon"), ""),
		"storage.region: in gb-lon Linode has endpoints of types E2 and E3 only")
}

func TestOnlyTheMediaOfAStackHaveCORS(t *testing.T) {
	t.Parallel()
	for region, has := range map[string]bool{"us-east": true, "us-ord": true, "gb-lon": false} {
		g, err := deploy(t, copyStack(t, "prod", func(text string) string {
			return strings.Replace(text, "storage:\n    region: us-east", "storage:\n    region: "+region, 1)
		}), "prod")
		require.NoError(t, err)
		require.Equal(t, has, g.find(t, bucketType, "media").inputs["corsEnabled"].HasValue(), region)
		require.False(t, g.find(t, bucketType, "backups").inputs["corsEnabled"].HasValue(), region)
	}
}

func TestOnlyTheBucketIsProtected(t *testing.T) {
	t.Parallel()
	for _, protect := range []bool{true, false} {
		g := declareBuckets(t, func(ctx *pulumi.Context) error {
			_, err := objectstorage.New(ctx, "media", mediaBucket(protect))
			return err
		})
		require.Equal(t, protect, g.find(t, bucketType, "media").request.GetProtect())
		require.False(t, g.find(t, bucketKeyType, "media").request.GetProtect(), "a key can be made again")
	}
}

func TestBucketsThatCannotBeNamedAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  objectstorage.Args
		fault string
	}{
		"right":         {objectstorage.Args{Region: "us-east", Prefix: "changelog"}, ""},
		"own prefix":    {objectstorage.Args{Region: "us-east"}, ""},
		"no region":     {objectstorage.Args{}, "storage.region: Required value"},
		"upper case":    {objectstorage.Args{Region: "us-east", Prefix: "Changelog"}, `storage.prefix: Invalid value: "Changelog"`},
		"underscore":    {objectstorage.Args{Region: "us-east", Prefix: "change_log"}, "storage.prefix: Invalid value"},
		"much too long": {objectstorage.Args{Region: "us-east", Prefix: strings.Repeat("a", 56)}, "storage.prefix: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := test.args.Validate(field.NewPath("storage"))
			if test.fault == "" {
				require.Empty(t, faults)
				return
			}
			require.ErrorContains(t, faults.ToAggregate(), test.fault)
		})
	}
}
