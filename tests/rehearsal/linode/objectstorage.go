package linode

import (
	"slices"
	"strings"
)

// storageEndpoint is where the S3 API of a region is:
// https://techdocs.akamai.com/linode-api/reference/get-object-storage-endpoints
// The S3 API itself is in objects.go.
type storageEndpoint struct {
	Region       string `json:"region"`
	EndpointType string `json:"endpoint_type"` // E0 to E3
	S3Endpoint   string `json:"s3_endpoint"`
}

// storageCluster is an endpoint as clients from before the regions see it:
// https://techdocs.akamai.com/linode-api/reference/get-object-storage-cluster
type storageCluster struct {
	ID               string `json:"id"`
	Domain           string `json:"domain"`
	Status           string `json:"status"`
	Region           string `json:"region"`
	StaticSiteDomain string `json:"static_site_domain"`
}

func (a *API) storageRoutes() routes {
	var clusters []storageCluster
	for _, e := range a.catalog.StorageEndpoints {
		if id := e.cluster(); id != "" {
			clusters = append(clusters, storageCluster{id, e.S3Endpoint, "available", e.Region, "website-" + e.S3Endpoint})
		}
	}
	r := fixed("/object-storage/clusters", clusters, func(c storageCluster) string { return c.ID })
	r["GET /object-storage/endpoints"] = collection[storageEndpoint]{
		items: func(*call) ([]storageEndpoint, error) { return a.catalog.StorageEndpoints, nil },
	}.list
	return r
}

// cluster is the ID that the endpoint has as a cluster, for instance us-east-1. The newer kinds have none.
func (e storageEndpoint) cluster() string {
	if e.EndpointType != "E0" && e.EndpointType != "E1" {
		return ""
	}
	id, _, _ := strings.Cut(e.S3Endpoint, ".")
	return id
}

// storageEndpoint finds an endpoint, of the oldest kind that fits. What is empty may be anything.
func (c *catalog) storageEndpoint(region, cluster, kind, s3 string) (storageEndpoint, bool) {
	fits := func(wanted, is string) bool { return wanted == "" || wanted == is }
	i := slices.IndexFunc(c.StorageEndpoints, func(e storageEndpoint) bool {
		return fits(region, e.Region) && fits(cluster, e.cluster()) && fits(kind, e.EndpointType) && fits(s3, e.S3Endpoint)
	})
	if i < 0 {
		return storageEndpoint{}, false
	}
	return c.StorageEndpoints[i], true
}

// at tells whether a region or, as older clients have it, a cluster is that of the endpoint.
func (e storageEndpoint) at(regionOrCluster string) bool {
	return regionOrCluster != "" && (regionOrCluster == e.Region || regionOrCluster == e.cluster())
}
