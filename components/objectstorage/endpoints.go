package objectstorage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Endpoints are the types of the S3 endpoints that the account has, E0 to E3, by region.
// Upstream: https://techdocs.akamai.com/cloud-computing/docs/object-storage#endpoint-type
type Endpoints map[string][]string

// LookUpEndpoints asks Linode's API; it needs the Linode token.
func LookUpEndpoints(ctx *pulumi.Context) (Endpoints, error) {
	answer, err := linode.GetObjectStorageEndpoints(ctx, &linode.GetObjectStorageEndpointsArgs{})
	if err != nil {
		return nil, fmt.Errorf("objectstorage: listing endpoints: %w", err)
	}
	endpoints := Endpoints{}
	for _, endpoint := range answer.Endpoints {
		endpoints[endpoint.Region] = append(endpoints[endpoint.Region], endpoint.EndpointType)
	}
	return endpoints, nil
}

// Check refuses a region without Object Storage. An empty one is Validate's to report.
func (e Endpoints) Check(path *field.Path, a *Args) field.ErrorList {
	if a.Region == "" {
		return nil
	}
	return check.OneOf(path.Child("region"), a.Region, slices.Sorted(maps.Keys(e))...)
}

// HaveCORS says whether Linode's API can let browsers at a bucket of the region: with the newer endpoints, only the S3 API can. A
// bucket has the oldest type that there is.
func (e Endpoints) HaveCORS(region string) bool {
	return slices.Contains(e[region], "E0") || slices.Contains(e[region], "E1")
}

// Warnings say that browsers cannot upload to a bucket of the region.
func (e Endpoints) Warnings(region string) []string {
	if e.HaveCORS(region) {
		return nil
	}
	return []string{fmt.Sprintf("storage.region: in %s Linode has endpoints of types %s only, and no CORS through its API: "+
		"browsers cannot upload to the media bucket before you set that over S3 (docs/components/objectstorage.md)",
		region, strings.Join(e[region], " and "))}
}
