package linode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// storageKey is a key for the S3 API: https://techdocs.akamai.com/linode-api/reference/get-object-storage-key
type storageKey struct {
	ID           int           `json:"id"`
	Label        string        `json:"label"`
	AccessKey    string        `json:"access_key"`
	SecretKey    string        `json:"secret_key"` // shown only when the key is created
	Limited      bool          `json:"limited"`
	BucketAccess []bucketGrant `json:"bucket_access"` // nil unless limited
	Regions      []keyRegion   `json:"regions"`
}

// bucketGrant is what a limited key may do with a bucket.
type bucketGrant struct {
	Region      string `json:"region"`
	Cluster     string `json:"cluster"`
	BucketName  string `json:"bucket_name"`
	Permissions string `json:"permissions"`
}

// keyRegion is where a key is valid. A region with several endpoints is there several times.
type keyRegion struct {
	ID           string `json:"id"`
	S3Endpoint   string `json:"s3_endpoint"`
	EndpointType string `json:"endpoint_type"`
}

func (a *API) keyRoutes() routes {
	keys := collection[*storageKey]{
		path:   "/object-storage/keys",
		items:  func(c *call) ([]*storageKey, error) { return c.state.Keys, nil },
		id:     func(k *storageKey) string { return strconv.Itoa(k.ID) },
		create: a.createKey,
		update: a.updateKey,
		show: func(_ *call, k *storageKey) any {
			shown := *k
			shown.SecretKey = "[REDACTED]"
			return shown
		},
		delete: func(c *call, k *storageKey) error {
			c.state.Keys = without(c.state.Keys, k)
			return nil
		},
	}
	return keys.routes()
}

func (a *API) createKey(c *call) (any, error) {
	var in struct {
		Label        string        `json:"label"`
		BucketAccess []bucketGrant `json:"bucket_access"`
		Regions      []string      `json:"regions"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	check.that(in.Label != "" && len(in.Label) <= 50, "label", "Length must be 1-50 characters")
	for i := range in.BucketAccess {
		a.checkGrant(&check, fmt.Sprintf("bucket_access[%d].", i), c.state, &in.BucketAccess[i])
	}
	if in.Regions == nil {
		in.Regions = a.defaultRegions(in.BucketAccess)
	}
	a.checkKeyRegions(&check, in.Regions, in.BucketAccess)
	if err := check.err(); err != nil {
		return nil, err
	}
	k := &storageKey{
		ID: c.state.newID(), Label: in.Label, AccessKey: strings.ToUpper(randomHex(10)), SecretKey: randomHex(20),
		Limited: in.BucketAccess != nil, BucketAccess: in.BucketAccess, Regions: a.keyRegions(in.Regions),
	}
	c.state.Keys = append(c.state.Keys, k)
	return k, nil
}

func (a *API) updateKey(c *call, k *storageKey) error {
	var in struct {
		Label   *string  `json:"label"`
		Regions []string `json:"regions"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	check.that(in.Label == nil || *in.Label != "" && len(*in.Label) <= 50, "label", "Length must be 1-50 characters")
	if in.Regions != nil {
		a.checkKeyRegions(&check, in.Regions, k.BucketAccess)
	}
	if err := check.err(); err != nil {
		return err
	}
	set(&k.Label, in.Label)
	if in.Regions != nil {
		k.Regions = a.keyRegions(in.Regions)
	}
	return nil
}

// checkGrant checks a grant and fills in the region of the bucket where the cluster is given.
func (a *API) checkGrant(check *checks, field string, s *state, grant *bucketGrant) {
	endpoint, ok := a.catalog.storageEndpoint(grant.Region, grant.Cluster, "", "")
	check.that(ok && grant.Region+grant.Cluster != "", field+"region", "The specified region was not found.")
	wanted := func(b *bucket) bool { return b.Region == endpoint.Region && b.Label == grant.BucketName }
	b := find(s.Buckets, wanted)
	check.that(b != nil, field+"bucket_name", "The specified bucket was not found.")
	permissions := []string{"read_only", "read_write"}
	check.that(slices.Contains(permissions, grant.Permissions), field+"permissions", "Must be one of %s",
		strings.Join(permissions, ", "))
	if b != nil {
		grant.Region, grant.Cluster = b.Region, b.Cluster
	}
}

// defaultRegions are those of the buckets that a key is for, else all.
func (a *API) defaultRegions(grants []bucketGrant) []string {
	var regions []string
	for _, grant := range grants {
		regions = append(regions, grant.Region)
	}
	if grants == nil {
		for _, e := range a.catalog.StorageEndpoints {
			regions = append(regions, e.Region)
		}
	}
	return regions
}

func (a *API) checkKeyRegions(check *checks, regions []string, grants []bucketGrant) {
	for _, region := range regions {
		_, ok := a.catalog.storageEndpoint(region, "", "", "")
		check.that(ok && region != "", "regions", "region %s is not valid", region)
	}
	for _, grant := range grants {
		check.that(slices.Contains(regions, grant.Region), "regions", "%s, the region of bucket %s, is missing", grant.Region,
			grant.BucketName)
	}
}

func (a *API) keyRegions(regions []string) []keyRegion {
	result := []keyRegion{}
	for _, e := range a.catalog.StorageEndpoints {
		if slices.Contains(regions, e.Region) {
			result = append(result, keyRegion{e.Region, e.S3Endpoint, e.EndpointType})
		}
	}
	return result
}
