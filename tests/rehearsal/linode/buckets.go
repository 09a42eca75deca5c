package linode

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// bucketView is a bucket as clients see it: https://techdocs.akamai.com/linode-api/reference/get-object-storage-bucket
type bucketView struct {
	storageEndpoint

	Label    string `json:"label"`
	Cluster  string `json:"cluster"`
	Hostname string `json:"hostname"`
	Created  string `json:"created"`
	Objects  int    `json:"objects"`
	Size     int    `json:"size"` // bytes
}

// bucket is a bucket, what is in it, and who may use it.
type bucket struct {
	bucketView

	Access     bucketAccess    `json:"access"`
	Versioning bool            `json:"versioning"`
	Versions   []objectVersion `json:"versions"`
	Uploads    []upload        `json:"uploads"`
}

// counted is the bucket with what is in it.
func (a *API) counted(b *bucket) bucketView {
	shown := b.bucketView
	if a.options.Contents != nil {
		shown.Objects, shown.Size = a.options.Contents(b.S3Endpoint, b.Label)
	}
	for _, v := range b.Versions {
		shown.Objects++
		shown.Size += v.Size
	}
	return shown
}

// bucketAccess says who may use a bucket: https://techdocs.akamai.com/linode-api/reference/get-object-storage-bucket-access
type bucketAccess struct {
	ACL         string `json:"acl"`
	CORSEnabled *bool  `json:"cors_enabled"` // nil where the kind of endpoint has no CORS
}

// accessRequest changes the access; what is nil stays as it is.
type accessRequest struct {
	ACL         *string `json:"acl"`
	CORSEnabled *bool   `json:"cors_enabled"`
}

func (a *API) bucketRoutes() routes {
	all := collection[*bucket]{
		items: func(c *call) ([]*bucket, error) { return c.state.Buckets, nil },
		show:  func(_ *call, b *bucket) any { return a.counted(b) },
	}
	buckets := collection[*bucket]{
		path:   "/object-storage/buckets/{region}",
		items:  a.bucketsOfRegion,
		id:     func(b *bucket) string { return b.Label },
		show:   all.show,
		delete: a.deleteBucket,
	}
	r := buckets.routes()
	r["GET /object-storage/buckets"] = all.list
	r["POST /object-storage/buckets"] = a.createBucket
	const access = "/object-storage/buckets/{region}/{id}/access"
	r["GET "+access] = buckets.on(func(_ *call, b *bucket) (any, error) { return b.Access, nil })
	r["POST "+access] = buckets.action(updateBucketAccess)
	r["PUT "+access] = buckets.action(updateBucketAccess)
	return r
}

// deleteBucket refuses what is not empty. Parts of uploads count: whether Linode deletes them by itself, nobody says.
// Upstream: https://github.com/linode/terraform-provider-linode/blob/main/linode/objbucket/resource_test.go
func (a *API) deleteBucket(c *call, b *bucket) error {
	if a.counted(b).Objects+len(b.Uploads) > 0 {
		return refuse(http.StatusBadRequest, "", "Bucket %s is not empty. Please delete all objects and try again.", b.Label)
	}
	c.state.Buckets = without(c.state.Buckets, b)
	return nil
}

// bucketsOfRegion are those of the region, or of the cluster, in the path.
func (a *API) bucketsOfRegion(c *call) ([]*bucket, error) {
	region := c.PathValue("region")
	if !slices.ContainsFunc(a.catalog.StorageEndpoints, func(e storageEndpoint) bool { return e.at(region) }) {
		return nil, refuse(http.StatusNotFound, "", "The specified region was not found or does not support Object Storage.")
	}
	elsewhere := func(b *bucket) bool { return !b.at(region) }
	return slices.DeleteFunc(slices.Clone(c.state.Buckets), elsewhere), nil
}

func (a *API) createBucket(c *call) (any, error) {
	var in struct {
		accessRequest

		Label        string `json:"label"`
		Region       string `json:"region"`
		Cluster      string `json:"cluster"`
		EndpointType string `json:"endpoint_type"`
		S3Endpoint   string `json:"s3_endpoint"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	endpoint, ok := a.catalog.storageEndpoint(in.Region, in.Cluster, in.EndpointType, in.S3Endpoint)
	check.that(in.Region != "" || in.Cluster != "", "region", "region is required")
	check.that(ok, "region", "The specified region was not found or does not support such an endpoint of Object Storage.")
	checkBucketLabel(&check, in.Label)
	namesake := find(c.state.Buckets, func(b *bucket) bool { return b.storageEndpoint == endpoint && b.Label == in.Label })
	check.that(namesake == nil, "label", "The label is taken: choose another one")
	if ok {
		in.check(&check, endpoint)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	b := &bucket{bucketView: bucketView{
		storageEndpoint: endpoint, Label: in.Label, Cluster: endpoint.cluster(), Hostname: in.Label + "." + endpoint.S3Endpoint,
		Created: now(),
	}, Access: bucketAccess{ACL: "private"}}
	if endpoint.hasCORS() {
		b.Access.CORSEnabled = new(true)
	}
	in.apply(&b.Access)
	c.state.Buckets = append(c.state.Buckets, b)
	return b.bucketView, nil
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)

func checkBucketLabel(check *checks, label string) {
	check.that(len(label) >= 3 && len(label) <= 63, "label", "Length must be 3-63 characters")
	mixed := slices.ContainsFunc([]string{"..", ".-", "-."}, func(pair string) bool { return strings.Contains(label, pair) })
	_, err := netip.ParseAddr(label)
	check.that(bucketPattern.MatchString(label) && !mixed && err != nil, "label",
		"Must be lower-case letters, digits, periods and dashes, with a letter or digit at both ends and next to each period")
}

func updateBucketAccess(c *call, b *bucket) error {
	var in accessRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	in.check(&check, b.storageEndpoint)
	if err := check.err(); err != nil {
		return err
	}
	in.apply(&b.Access)
	return nil
}

func (in accessRequest) check(check *checks, endpoint storageEndpoint) {
	acls := []string{"private", "public-read", "authenticated-read", "public-read-write"}
	check.that(in.ACL == nil || slices.Contains(acls, *in.ACL), "acl", "Must be one of %s", strings.Join(acls, ", "))
	// Switching it off where there is none is taken: see linodego's recordings of gb-lon.
	wanted := in.CORSEnabled != nil && *in.CORSEnabled
	check.that(!wanted || endpoint.hasCORS(), "cors_enabled", "Endpoints of type %s do not support CORS here",
		endpoint.EndpointType)
}

func (in accessRequest) apply(to *bucketAccess) {
	set(&to.ACL, in.ACL)
	if in.CORSEnabled != nil && to.CORSEnabled != nil {
		to.CORSEnabled = in.CORSEnabled
	}
}

// hasCORS tells whether the API can switch CORS; with the newer kinds of endpoints only the S3 API can.
func (e storageEndpoint) hasCORS() bool { return e.EndpointType == "E0" || e.EndpointType == "E1" }
