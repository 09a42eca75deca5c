package main

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strconv"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/internal/cloud"
)

// finders tell the IDs, in the form that the provider keeps, under which a cloud has what is wanted.
var finders = map[string]func(ctx context.Context, c *clouds, wanted *resource) ([]string, error){
	"linode:index/lkeCluster:LkeCluster":                   findCluster,
	"linode:index/lkeNodePool:LkeNodePool":                 findNodePool,
	"linode:index/objectStorageBucket:ObjectStorageBucket": findBucket,
	"linode:index/domain:Domain":                           findZone,
	"linode:index/domainRecord:DomainRecord":               findRecord,
	"fastly:index/serviceVcl:ServiceVcl":                   findService,
	"fastly:index/domain:Domain":                           findDomain,
	"fastly:index/tlsSubscription:TlsSubscription":         findSubscription,
}

// matching lists what is at a path of Linode's API, and keeps the IDs of what is as wanted.
func matching[T any](ctx context.Context, c *clouds, path string, id func(T) int, wanted func(T) bool) ([]string, error) {
	all, err := cloud.Listed[T](ctx, c.linode, path)
	var ids []string
	for _, one := range all {
		if wanted(one) {
			ids = append(ids, strconv.Itoa(id(one)))
		}
	}
	return ids, err
}

type cluster struct {
	ID     int    `json:"id"`
	Label  string `json:"label"`
	Region string `json:"region"`
}

func findCluster(ctx context.Context, c *clouds, wanted *resource) ([]string, error) {
	return matching(ctx, c, "/lke/clusters", func(one cluster) int { return one.ID }, func(one cluster) bool {
		return one.Label == wanted.input("label") && one.Region == wanted.input("region")
	})
}

type nodePool struct {
	ID     int            `json:"id"`
	Type   string         `json:"type"`
	Labels map[string]any `json:"labels"`
	Tags   []string       `json:"tags"`
}

func findNodePool(ctx context.Context, c *clouds, wanted *resource) ([]string, error) {
	cluster := wanted.number("clusterId")
	if cluster == 0 {
		return nil, nil
	}
	labels, _ := wanted.Inputs["labels"].(map[string]any)
	tags := texts(wanted.Inputs["tags"])
	path := fmt.Sprintf("/lke/clusters/%d/pools", cluster)
	return matching(ctx, c, path, func(one nodePool) int { return one.ID }, func(one nodePool) bool {
		return one.Type == wanted.input("type") && reflect.DeepEqual(one.Labels, labels) && sets.New(one.Tags...).Equal(tags)
	})
}

func findBucket(ctx context.Context, c *clouds, wanted *resource) ([]string, error) {
	all, err := cloud.Listed[cluster](ctx, c.linode, "/object-storage/buckets")
	for _, one := range all {
		if one.Label == wanted.input("label") && one.Region == wanted.input("region") {
			return []string{one.Region + ":" + one.Label}, err
		}
	}
	return nil, err
}

type zone struct {
	ID     int    `json:"id"`
	Domain string `json:"domain"`
}

func findZone(ctx context.Context, c *clouds, wanted *resource) ([]string, error) {
	return matching(ctx, c, "/domains", func(one zone) int { return one.ID }, func(one zone) bool {
		return one.Domain == wanted.input("domain")
	})
}

type record struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Target  string `json:"target"`
	Service string `json:"service"`
}

func findRecord(ctx context.Context, c *clouds, wanted *resource) ([]string, error) {
	zone := wanted.number("domainId")
	if zone == 0 {
		return nil, nil
	}
	path := fmt.Sprintf("/domains/%d/records", zone)
	return matching(ctx, c, path, func(one record) int { return one.ID }, func(one record) bool {
		// Of a service Linode makes the name.
		named := one.Service != "" && one.Service == wanted.input("service") || one.Name == wanted.input("name")
		return named && one.Type == wanted.input("recordType") && one.Target == wanted.input("target")
	})
}

func findService(ctx context.Context, c *clouds, wanted *resource) (ids []string, err error) {
	err = cloud.Pages(func(page int) (count int, err error) {
		var services []struct {
			ID, Name string
			Deleted  *string `json:"deleted_at"`
		}
		err = c.fastly.Get(ctx, fmt.Sprintf("/service?per_page=%d&page=%d", cloud.PageSize, page), &services)
		for _, one := range services {
			if one.Name == wanted.input("name") && one.Deleted == nil {
				ids = append(ids, one.ID)
			}
		}
		return len(services), err
	})
	return ids, err
}

func findDomain(ctx context.Context, c *clouds, wanted *resource) (ids []string, err error) {
	var page struct{ Data []struct{ ID, FQDN string } }
	err = c.fastly.Get(ctx, "/domain-management/v1/domains?fqdn="+url.QueryEscape(wanted.input("fqdn")), &page)
	for _, one := range page.Data {
		if one.FQDN == wanted.input("fqdn") {
			ids = append(ids, one.ID)
		}
	}
	return ids, err
}

func findSubscription(ctx context.Context, c *clouds, wanted *resource) (ids []string, err error) {
	names := texts(wanted.Inputs["domains"])
	err = cloud.Pages(func(page int) (count int, err error) {
		var answer struct {
			Data []struct {
				ID            string
				Relationships struct {
					Domains struct{ Data []struct{ ID string } } `json:"tls_domains"`
				}
			}
		}
		path := fmt.Sprintf("/tls/subscriptions?page%%5Bsize%%5D=%d&page%%5Bnumber%%5D=%d", cloud.PageSize, page)
		err = c.fastly.Get(ctx, path, &answer)
		for _, one := range answer.Data {
			served := sets.New[string]()
			for _, name := range one.Relationships.Domains.Data {
				served.Insert(name.ID)
			}
			if served.Equal(names) {
				ids = append(ids, one.ID)
			}
		}
		return len(answer.Data), err
	})
	return ids, err
}

// texts are those of a list among the inputs.
func texts(list any) sets.Set[string] {
	found := sets.New[string]()
	items, _ := list.([]any)
	for _, item := range items {
		if text, is := item.(string); is {
			found.Insert(text)
		}
	}
	return found
}
