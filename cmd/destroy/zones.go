package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/components/dns/public"
	"lke-platform/internal/cloud"
)

// zone is a DNS zone of the stack: https://techdocs.akamai.com/linode-api/reference/get-domain
type zone struct {
	ID     int    `json:"id"`
	Domain string `json:"domain"`

	adopted bool     // it was there before the stack, and outlives it
	foreign []record // which others than the program have made
}

// record is one of a zone: https://techdocs.akamai.com/linode-api/reference/get-domain-record
type record struct {
	ID     int    `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Target string `json:"target"`
}

func (r *record) String() string {
	return strings.TrimSpace(cmp.Or(r.Name, "@") + " " + r.Type + " " + r.Target)
}

// names are some of the records, and the number of the others.
func names(records []record) string {
	const most = 10
	var list []string
	for i, one := range records {
		if i == most {
			return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", len(records)-most)
		}
		list = append(list, one.String())
	}
	return strings.Join(list, ", ")
}

// lookAtZones finds the records that others have made in the stack's zones, and the zones that nobody would answer for.
func (d *destruction) lookAtZones(ctx context.Context, u *used) error {
	ours := sets.New[string]()
	for _, one := range of(u.resources, recordType) {
		ours.Insert(one.ID)
	}
	for _, one := range of(u.resources, zoneType) {
		z := zone{ID: one.number(), adopted: one.RetainOnDelete}
		z.Domain, _ = one.Inputs["domain"].(string)
		records, err := cloud.Listed[record](ctx, d.linode, fmt.Sprintf("/domains/%d/records", z.ID))
		if cloud.IsAbsent(err) {
			continue // as the look at the cloud will find
		}
		if err != nil {
			return err
		}
		z.foreign = slices.DeleteFunc(records, func(r record) bool { return ours.Has(fmt.Sprint(r.ID)) })
		u.zones = append(u.zones, z)
	}
	return d.lookAtDelegation(ctx, u)
}

// linodeInstance is a Linode: https://techdocs.akamai.com/linode-api/reference/get-linode-instance
type linodeInstance struct {
	ID     int    `json:"id"`
	Label  string `json:"label"`
	Region string `json:"region"`
	Type   string `json:"type"`
}

// lookAtDelegation warns of the zones that nobody answers for once the cluster's nodes are gone: Linode serves DNS only for an
// account that has a Linode, whoever made the zone.
func (d *destruction) lookAtDelegation(ctx context.Context, u *used) error {
	linodes, err := cloud.Listed[linodeInstance](ctx, d.linode, "/linode/instances")
	if err != nil {
		return err
	}
	other := func(one linodeInstance) bool { return u.cluster == 0 || !strings.HasPrefix(one.Label, u.prefix()) }
	if slices.ContainsFunc(linodes, other) {
		return nil
	}
	zones, err := cloud.Listed[zone](ctx, d.linode, "/domains")
	if err != nil {
		return err
	}
	var delegated, unknown []string
	for _, one := range zones {
		servers, err := public.NameServers(ctx, one.Domain)
		switch {
		case err != nil:
			unknown = append(unknown, one.Domain)
		case slices.ContainsFunc(servers, isLinodes):
			delegated = append(delegated, one.Domain)
		}
	}
	if len(delegated) > 0 {
		u.before = append(u.before, fmt.Sprintf(unserved, strings.Join(delegated, " ")))
	}
	if len(unknown) > 0 {
		u.before = append(u.before, "Look whether Linode's name servers are asked for these zones: "+strings.Join(unknown, " "))
	}
	return nil
}

const unserved = `NOBODY WILL ANSWER for these zones, their mail included: %s.
The registrar names Linode's name servers, which serve nothing once the account has no Linode. Make one first (docs/moving-in.md),
or name other name servers and wait for as long as the NS records may be kept.`

func isLinodes(server string) bool { return strings.HasSuffix(server, ".linode.com.") }
