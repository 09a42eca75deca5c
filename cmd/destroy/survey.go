package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"lke-platform/internal/cloud"
)

// used is what a stack in use has made beside the state, and what stands in the way of its end.
type used struct {
	resources []resource

	cluster int      // Linode's number, 0 where the state has none
	gone    bool     // Linode does not have the cluster any more
	control *control // nil where there is no cluster, or its API does not answer

	full      []bucket
	zones     []zone
	balancers []balancer
	claims    map[int]string // of volumes, by Linode's numbers
	before    []string       // what stays is known before already: lines
}

// forgets says whether what is inside the cluster goes with it, since nobody can be asked to delete it.
func (u *used) forgets() bool { return u.cluster != 0 && u.control == nil }

// prefix begins the names of the cluster's nodes.
func (u *used) prefix() string { return fmt.Sprintf("lke%d-", u.cluster) }

// survey looks at the stack and at what it has made.
func (d *destruction) survey(ctx context.Context) (*used, error) {
	u := &used{claims: map[int]string{}}
	var err error
	if u.resources, err = readState(ctx, d.stack); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context, *used) error{
		d.lookAtCluster, d.lookAtBuckets, d.lookAtZones, d.lookAtBalancers, d.lookAtVolumes,
	} {
		if err := look(ctx, u); err != nil {
			return nil, fmt.Errorf("nothing was deleted: %w", withRights(err))
		}
	}
	return u, nil
}

// withRights says where it stands which rights the token needs.
func withRights(err error) error {
	if status := cloud.Status(err); status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fmt.Errorf("%w; docs/destroy.md has the rights that LINODE_TOKEN needs", err)
	}
	return err
}

// lookAtCluster sees whether the cluster is there and answers. One that Linode does not have any more is forgotten; one that is
// only silent may be back in a minute, and what runs in it is what deletes NodeBalancers and volumes.
func (d *destruction) lookAtCluster(ctx context.Context, u *used) error {
	clusters := of(u.resources, clusterType)
	if len(clusters) == 0 {
		return nil
	}
	u.cluster = clusters[0].number()
	err := d.linode.Get(ctx, fmt.Sprintf("/lke/clusters/%d", u.cluster), nil)
	if cloud.IsAbsent(err) {
		u.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	control, err := d.connect(ctx, u.cluster)
	if err != nil && d.unreachable {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the API of cluster %d does not answer: %w\nSee whether you may reach it (cluster.apiAccess), and run "+
			"this again. If it is not to come back: %s", u.cluster, err, d.again("UNREACHABLE=1"))
	}
	u.control = control
	u.claims, err = control.claims(ctx)
	return err
}

// bucket is one of Object Storage: https://techdocs.akamai.com/linode-api/reference/get-object-storage-bucket
type bucket struct {
	Label      string `json:"label"`
	Region     string `json:"region"`
	S3Endpoint string `json:"s3_endpoint"`
	Objects    int    `json:"objects"`
	Size       int    `json:"size"` // bytes

	urn string
}

// holds says what is in the bucket. Linode counts now and then.
func (b *bucket) holds() string {
	const giga = 1 << 30
	return fmt.Sprintf("%d objects, %.1f GB", b.Objects, float64(b.Size)/giga)
}

// readBuckets are those of the state, as they are.
func (d *destruction) readBuckets(ctx context.Context, resources []resource) (buckets []bucket, err error) {
	for _, one := range of(resources, bucketType) {
		b := bucket{urn: one.URN}
		region, label, _ := strings.Cut(one.ID, ":")
		err := d.linode.Get(ctx, "/object-storage/buckets/"+region+"/"+label, &b)
		if cloud.IsAbsent(err) {
			continue // as the look at the cloud will find
		}
		if err != nil {
			return nil, err
		}
		buckets = append(buckets, b)
	}
	return buckets, nil
}

func (d *destruction) lookAtBuckets(ctx context.Context, u *used) error {
	buckets, err := d.readBuckets(ctx, u.resources)
	u.full = slices.DeleteFunc(buckets, func(b bucket) bool { return b.Objects == 0 })
	return err
}

// balancer is a NodeBalancer: https://techdocs.akamai.com/linode-api/reference/get-node-balancer
type balancer struct {
	ID       int      `json:"id"`
	Label    string   `json:"label"`
	Region   string   `json:"region"`
	Type     string   `json:"type"`
	Hostname string   `json:"hostname"`
	IPv4     string   `json:"ipv4"`
	IPv6     string   `json:"ipv6"`
	Tags     []string `json:"tags"`
}

// lookAtBalancers finds those that the cluster made: each has the cluster's name as a tag, and that of the ingress controller one
// with the name of the stack, too.
// Upstream: https://github.com/linode/linode-cloud-controller-manager/blob/main/cloud/linode/loadbalancers.go
func (d *destruction) lookAtBalancers(ctx context.Context, u *used) error {
	all, err := cloud.Listed[balancer](ctx, d.linode, "/nodebalancers")
	for _, one := range all {
		if slices.ContainsFunc(one.Tags, func(tag string) bool {
			return u.cluster != 0 && tag+"-" == u.prefix() || d.controllers().MatchString(tag)
		}) {
			u.balancers = append(u.balancers, one)
		}
	}
	return err
}

// lookAtVolumes notes those that are attached to the cluster's nodes, which may have no tag of the stack's.
func (d *destruction) lookAtVolumes(ctx context.Context, u *used) error {
	all, err := cloud.Listed[volume](ctx, d.linode, "/volumes")
	for _, one := range all {
		_, known := u.claims[one.ID]
		if !known && u.cluster != 0 && strings.HasPrefix(one.LinodeLabel, u.prefix()) {
			u.claims[one.ID] = "" // nobody can say whose it is
		}
	}
	return err
}

// controllers match the tags of NodeBalancers before ingress controllers, and of no stack whose name begins like this one's.
func (d *destruction) controllers() *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.QuoteMeta(d.account()) + "-(traefik|nginx)$")
}

// tell says what is in the way, what is done about it, and what will stay.
func (d *destruction) tell(u *used) {
	switch {
	case u.gone:
		d.say("\nLinode does not have cluster %d any more: what was inside is dropped from the state.", u.cluster)
	case u.forgets():
		d.say("\nThe API of cluster %d does not answer: the cluster is deleted with all that is inside.", u.cluster)
	}
	if u.forgets() {
		for _, one := range u.balancers {
			d.say("NodeBalancer %d (%s), which only the cluster would have deleted, is deleted too.", one.ID, one.Label)
		}
	}
	for _, one := range u.full {
		if d.empty {
			d.say("ALL THAT IS IN BUCKET %s IS DELETED, each version of it: %s.", one.Label, one.holds())
		} else {
			d.say("Bucket %s is not empty (%s) and stays, unless you say: %s", one.Label, one.holds(), d.again("EMPTY=1"))
		}
	}
	for _, one := range u.zones {
		if !one.adopted && len(one.foreign) > 0 {
			d.say("With zone %s go the records that others made in it: %s", one.Domain, names(one.foreign))
		}
	}
	for _, line := range u.before {
		d.say("%s", line)
	}
}
