package network

import "strings"

// SigningRegion is the region that requests to an endpoint of object storage are signed for. It is a finer name than that of
// Linode's region: us-east has us-east-1.
func SigningRegion(endpoint string) string {
	region, _, _ := strings.Cut(endpoint, ".")
	return region
}
