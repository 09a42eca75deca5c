package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/cmd/report/cost"
	"lke-platform/internal/cloud"
)

// remains are what is left of a stack.
type remains struct {
	d    *destruction
	u    *used
	left []resource // of the state

	rows []row
}

// row is a thing that stays.
type row struct {
	thing, why string
	usd        float64 // a month
	price      string  // in place of that, where it is no number
	command    string  // that deletes it
}

// conclude deletes what only the cluster would have deleted, and tells what stays. The error is that some of that could not be
// seen or done.
func (d *destruction) conclude(ctx context.Context, u *used, left []resource) error {
	r := &remains{d: d, u: u, left: left}
	var failures []error
	for _, look := range []func(context.Context) error{
		r.resources, r.balancers, r.nodes, r.volumes, r.buckets, r.zones, r.certificates,
	} {
		failures = append(failures, look(ctx))
	}
	return errors.Join(append(failures, r.print())...)
}

func (r *remains) add(one row) { r.rows = append(r.rows, one) }

// monthly is the price of so many of a thing in a region.
func (r *remains) monthly(list []cost.Priced, id, region string, count int) (usd float64, price string) {
	each, known := cost.Monthly(list, id, region)
	if !known {
		return 0, "unknown"
	}
	return float64(count) * each, ""
}

// resources of the state are those whose deletion failed. Those inside the cluster are counted, and so is the cluster.
func (r *remains) resources(context.Context) error {
	inside := 0
	for _, one := range r.left {
		switch {
		case strings.HasPrefix(one.Type, "kubernetes:"):
			inside++
		case one.Type != bucketType && one.Type != clusterType:
			r.add(row{thing: one.name() + " (" + one.ID + ")", why: "its deletion failed, as is said above", price: "see there",
				command: r.d.again()})
		}
	}
	if inside > 0 {
		r.add(row{thing: fmt.Sprintf("%d objects inside the cluster", inside), why: "the deletion of some of them failed",
			command: r.d.again()})
	}
	return nil
}

// clusterStays says whether the cluster is still in the state.
func (r *remains) clusterStays() bool { return len(of(r.left, clusterType)) > 0 }

// balancers are deleted where their cluster is gone: nobody else will.
func (r *remains) balancers(ctx context.Context) error {
	now := &used{cluster: r.u.cluster}
	if err := r.d.lookAtBalancers(ctx, now); err != nil {
		return err
	}
	for _, one := range now.balancers {
		why := "its cluster stays"
		if !r.clusterStays() {
			err := r.deleteBalancer(ctx, &one)
			if err == nil {
				continue
			}
			why = err.Error()
		}
		kind := map[string]string{"common": "nodebalancer", "premium": "nodebalancer-pr100"}[one.Type]
		usd, price := r.monthly(r.d.prices.NodeBalancers, kind, one.Region, 1)
		r.add(row{fmt.Sprintf("NodeBalancer %d (%s)", one.ID, one.Label), why, usd, price,
			fmt.Sprintf("linode-cli nodebalancers delete %d", one.ID)})
	}
	if r.clusterStays() || r.u.cluster == 0 {
		return nil
	}
	return r.deleteFirewalls(ctx, func(f firewall) bool { return f.Label == fmt.Sprintf("lke-%d", r.u.cluster) })
}

// firewall is a Cloud Firewall, which costs nothing: https://techdocs.akamai.com/linode-api/reference/get-firewall
type firewall struct {
	ID       int    `json:"id"`
	Label    string `json:"label"`
	Entities []struct {
		ID   int    `json:"id"`
		Type string `json:"type"`
	} `json:"entities"`
}

// deleteBalancer deletes a NodeBalancer with the firewall that was made for it.
func (r *remains) deleteBalancer(ctx context.Context, b *balancer) error {
	made := func(f firewall) bool {
		return strings.HasPrefix(f.Label, "ccm-") && len(f.Entities) == 1 && f.Entities[0].Type == "nodebalancer" &&
			f.Entities[0].ID == b.ID
	}
	if err := r.deleteFirewalls(ctx, made); err != nil {
		return err
	}
	if err := r.d.linode.Delete(ctx, fmt.Sprintf("/nodebalancers/%d", b.ID)); err != nil {
		return err
	}
	r.d.say("NodeBalancer %d (%s) was left, and is deleted.", b.ID, b.Label)
	return nil
}

func (r *remains) deleteFirewalls(ctx context.Context, doomed func(firewall) bool) error {
	all, err := cloud.Listed[firewall](ctx, r.d.linode, "/networking/firewalls")
	if err != nil {
		return err
	}
	for _, one := range all {
		if !doomed(one) {
			continue
		}
		if err := r.d.linode.Delete(ctx, fmt.Sprintf("/networking/firewalls/%d", one.ID)); err != nil {
			return err
		}
	}
	return nil
}

// nodeLabel is that of a cluster's node, with the cluster's number.
var nodeLabel = regexp.MustCompile(`^lke(\d+)-`)

// nodes are those of a cluster that stays, and those of any cluster that is gone: one that was being made when its cluster was
// deleted stays. Upstream: https://github.com/linode/terraform-provider-linode/issues/1962
func (r *remains) nodes(ctx context.Context) error {
	clusters, err := cloud.Listed[struct {
		ID int `json:"id"`
	}](ctx, r.d.linode, "/lke/clusters")
	if err != nil {
		return err
	}
	linodes, err := cloud.Listed[linodeInstance](ctx, r.d.linode, "/linode/instances")
	if err != nil {
		return err
	}
	alive := sets.New[string]()
	for _, one := range clusters {
		alive.Insert(strconv.Itoa(one.ID))
	}
	for _, one := range linodes {
		of := nodeLabel.FindStringSubmatch(one.Label)
		stays := r.clusterStays() && r.u.cluster != 0 && strings.HasPrefix(one.Label, r.u.prefix())
		if of == nil || alive.Has(of[1]) && !stays {
			continue
		}
		what := row{thing: fmt.Sprintf("node %s (%s)", one.Label, one.Type), why: "its cluster is gone",
			command: fmt.Sprintf("linode-cli linodes delete %d", one.ID)}
		if stays {
			what.why, what.command = "its cluster stays", fmt.Sprintf("linode-cli lke cluster-delete %d", r.u.cluster)
		}
		what.usd, what.price = r.monthly(r.d.prices.Nodes, one.Type, one.Region, 1)
		r.add(what)
	}
	return nil
}

// volume is a disk of Block Storage: https://techdocs.akamai.com/linode-api/reference/get-volume
type volume struct {
	ID          int      `json:"id"`
	Label       string   `json:"label"`
	Region      string   `json:"region"`
	Size        int      `json:"size"` // GB
	LinodeLabel string   `json:"linode_label"`
	Tags        []string `json:"tags"`
}

// volumes hold data, and are for somebody to delete who knows which.
func (r *remains) volumes(ctx context.Context) error {
	all, err := cloud.Listed[volume](ctx, r.d.linode, "/volumes")
	if err != nil {
		return err
	}
	for _, one := range all {
		claim, known := r.u.claims[one.ID]
		if !known && !slices.Contains(one.Tags, r.d.account()) {
			continue
		}
		what := row{
			thing: fmt.Sprintf("volume %s, %d GB", one.Label, one.Size), why: "it holds data, which nobody but you deletes",
			command: fmt.Sprintf("linode-cli volumes delete %d", one.ID),
		}
		if claim != "" {
			what.why += ": that of " + claim
		}
		if one.LinodeLabel != "" {
			what.why += "; it is attached to " + one.LinodeLabel
			what.command = fmt.Sprintf("linode-cli volumes detach %d && %s", one.ID, what.command)
		}
		what.usd, what.price = r.monthly(r.d.prices.Volumes, "volume", one.Region, one.Size)
		r.add(what)
	}
	return nil
}

// buckets have one price for the whole account, which goes on without any bucket until Object Storage is cancelled.
func (r *remains) buckets(ctx context.Context) error {
	left, err := r.d.readBuckets(ctx, r.left)
	if err != nil {
		return err
	}
	for i, one := range left {
		what := row{thing: "bucket " + one.Label, why: "it is not empty: " + one.holds(), command: r.d.again("EMPTY=1")}
		if one.Objects == 0 {
			what.why = "Linode did not delete it, though it counts no objects: it may hold parts of uploads"
		}
		if what.price = "in the same"; i == 0 {
			what.usd, what.price = r.monthly(r.d.prices.ObjectStorage, "objectstorage", one.Region, 1)
		}
		r.add(what)
	}
	all, err := cloud.Listed[bucket](ctx, r.d.linode, "/object-storage/buckets")
	if err != nil || len(all) > 0 {
		return err
	}
	var settings struct {
		ObjectStorage string `json:"object_storage"`
	}
	if err := r.d.linode.Get(ctx, "/account/settings", &settings); err != nil {
		return err
	}
	if settings.ObjectStorage == "active" {
		usd, price := r.monthly(r.d.prices.ObjectStorage, "objectstorage", "", 1)
		r.add(row{
			"Object Storage", "the account has it, though no bucket any more", usd, price, "linode-cli object-storage cancel",
		})
	}
	return nil
}

// zones that were there before the stack stay, with records that may lead to where somebody else is soon.
func (r *remains) zones(ctx context.Context) error {
	gone := sets.New[string]()
	for _, one := range r.u.balancers {
		gone.Insert(one.IPv4, one.IPv6, one.Hostname)
	}
	for _, one := range r.u.zones {
		if !one.adopted {
			continue
		}
		r.add(row{thing: "zone " + one.Domain, why: "it was there before the stack (adopt)",
			command: fmt.Sprintf("linode-cli domains delete %d", one.ID)})
		records, err := cloud.Listed[record](ctx, r.d.linode, fmt.Sprintf("/domains/%d/records", one.ID))
		if err != nil {
			return err
		}
		for _, leading := range records {
			if gone.Has(leading.Target) {
				r.add(row{thing: "record " + leading.String() + " of " + one.Domain,
					why:     "others made it; it leads to a NodeBalancer that is gone, and to whoever gets its address",
					command: fmt.Sprintf("linode-cli domains records-delete %d %d", one.ID, leading.ID)})
			}
		}
	}
	return nil
}

// certificates that certsync has made at Fastly are in no state. A stack without Fastly needs no key.
func (r *remains) certificates(ctx context.Context) error {
	words := append(strings.Fields(r.d.certsync), "remove", "--stack", r.d.account())
	what := row{thing: "certificates at Fastly", why: "FASTLY_API_KEY is not set: there are some if the stack ever had any",
		price: "by plan", command: "FASTLY_API_KEY=… go run ./cmd/certsync remove --stack " + r.d.account()}
	if os.Getenv("FASTLY_API_KEY") == "" {
		r.add(what)
		return nil
	}
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Stdout, command.Stderr = r.d.out, r.d.out
	if err := command.Run(); err != nil {
		what.why = "taking them back failed, as is said above"
		r.add(what)
		return fmt.Errorf("certsync remove: %w", err)
	}
	return nil
}

// print writes the table of what stays.
func (r *remains) print() error {
	if len(r.rows) == 0 {
		r.d.say("\nNothing is left of %s, and nothing that costs.", r.d.stack)
		return nil
	}
	r.d.say("\nWhat stays of %s:\n", r.d.stack)
	table := tabwriter.NewWriter(r.d.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "THING\tWHY\tUSD A MONTH\tDELETE IT WITH")
	var total float64
	for _, one := range r.rows {
		if one.price == "" {
			one.price = fmt.Sprintf("%.2f", one.usd)
		}
		total += one.usd
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", one.thing, one.why, one.price, one.command)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	r.d.say("\n%.2f USD a month in all, at the list price of %s.", total, r.d.prices.Date)
	return nil
}
