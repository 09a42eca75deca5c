package linode

import (
	"net/netip"
	"slices"
	"strings"
)

// StorageAddress is where all endpoints of Object Storage are, of the range for documentation: nothing else has an address of it.
var StorageAddress = netip.MustParseAddr("198.51.100.10")

// StorageEndpoints are the hosts of the S3 API, for instance us-east-1.linodeobjects.com.
func (a *API) StorageEndpoints() (hosts []string) {
	for _, e := range a.catalog.StorageEndpoints {
		hosts = append(hosts, e.S3Endpoint)
	}
	return hosts
}

// Addresses are those of hosts of Linode's own: endpoints, buckets, and NodeBalancers. Others have none.
func (a *API) Addresses(host string) (addresses []netip.Addr) {
	for _, endpoint := range a.StorageEndpoints() {
		if host == endpoint || strings.HasSuffix(host, "."+endpoint) {
			return []netip.Addr{StorageAddress}
		}
	}
	a.store.View(func(s *state) {
		if nb := find(s.NodeBalancers, func(nb *nodeBalancer) bool { return nb.Hostname == host }); nb != nil {
			addresses = []netip.Addr{netip.MustParseAddr(nb.IPv4), netip.MustParseAddr(nb.IPv6)}
		}
	})
	return addresses
}

// StoredBucket is what an S3 server has to know of a bucket.
type StoredBucket struct {
	Endpoint, Region, Label string
	// ACL says what others than those with a key for it may do: private, public-read and so on.
	ACL string
	// CORS lets pages of any site use it.
	CORS bool
}

// StoredBucket finds a bucket. Where the endpoint is empty, that of the first bucket of the name counts.
func (a *API) StoredBucket(endpoint, label string) (found StoredBucket, exists bool) {
	a.store.View(func(s *state) {
		b := find(s.Buckets, func(b *bucket) bool { return b.Label == label && (endpoint == "" || b.S3Endpoint == endpoint) })
		if exists = b != nil; exists {
			cors := b.Access.CORSEnabled
			found = StoredBucket{b.S3Endpoint, b.Region, label, b.Access.ACL, cors != nil && *cors}
		}
	})
	return found, exists
}

// StorageKey is a key for the S3 API.
type StorageKey struct {
	Access, Secret string

	key storageKey
}

// StorageKey finds a key that is valid at an endpoint; nil where there is none.
func (a *API) StorageKey(endpoint, access string) (found *StorageKey) {
	a.store.View(func(s *state) {
		k := find(s.Keys, func(k *storageKey) bool {
			there := slices.ContainsFunc(k.Regions, func(r keyRegion) bool { return r.S3Endpoint == endpoint })
			return k.AccessKey == access && there
		})
		if k != nil {
			found = &StorageKey{k.AccessKey, k.SecretKey, *k}
		}
	})
	return found
}

// May says whether the key opens a bucket, for changes or else to read.
func (k *StorageKey) May(b StoredBucket, change bool) bool {
	return k.key.opens(b.Region, b.Label, change)
}

// opens says whether the key may change, or else read, a bucket.
func (k *storageKey) opens(region, label string, change bool) bool {
	return !k.Limited || slices.ContainsFunc(k.BucketAccess, func(g bucketGrant) bool {
		return g.BucketName == label && g.Region == region && (!change || g.Permissions == "read_write")
	})
}
