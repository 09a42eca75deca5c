package cost

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"lke-platform/cmd/report/plan"
)

// item is something of a platform, as its program has it.
type item struct {
	urn, kind  string
	properties map[string]any
}

// Line is one line of a bill.
type Line struct {
	What     string
	Count    int
	MonthUSD float64
}

// Bill is what a platform costs a month.
type Bill struct {
	Lines []Line
	// Unpriced is what the list has no price for.
	Unpriced []string
}

// Total is the sum of all lines, in USD.
func (b *Bill) Total() (usd float64) {
	for _, line := range b.Lines {
		usd += line.MonthUSD
	}
	return usd
}

// What a platform is made of, as far as Linode takes money for it.
const (
	clusterType = "linode:index/lkeCluster:LkeCluster"
	poolType    = "linode:index/lkeNodePool:LkeNodePool"
	bucketType  = "linode:index/objectStorageBucket:ObjectStorageBucket"
	serviceType = "kubernetes:core/v1:Service"
	// controller is the end of the types of the release that asks for the platform's NodeBalancer.
	controller = "lke-platform:ingress:Controller$kubernetes:helm.sh/v3:Release::"
)

// Compare adds up what a platform costs a month before and after its changes, without traffic and whatever is billed by use. A
// pool that is scaled counts with the nodes that it begins with.
func (p *Prices) Compare(changes *plan.Plan) (before, after *Bill) {
	var had, has []item
	for _, r := range changes.Resources {
		if r.Before != nil && r.Change != plan.Create {
			had = append(had, item{r.URN, r.Type, r.Before.Inputs})
		}
		if r.After != nil && r.Change != plan.Delete && r.Change != plan.Forget {
			has = append(has, item{r.URN, r.Type, r.After.Inputs})
		}
	}
	return p.bill(had), p.bill(has)
}

func (p *Prices) bill(items []item) *Bill {
	b := &Bill{}
	region := regionOf(items)
	buckets := 0
	for _, i := range items {
		switch {
		case i.kind == clusterType:
			p.addCluster(b, i.properties, region)
		case i.kind == poolType:
			p.addNodes(b, i.properties, "nodeCount", region)
		case i.kind == bucketType:
			buckets++
		case strings.Contains(i.urn, controller), i.isBalanced():
			b.add(p.NodeBalancers, "nodebalancer", "NodeBalancers", region, 1)
		}
		if strings.HasPrefix(i.kind, "kubernetes:") {
			b.add(p.Volumes, "volume", "GB of volumes", region, volumes(i.properties, 1))
		}
	}
	if buckets > 0 { // one price for the whole account
		b.add(p.ObjectStorage, "objectstorage", "Object Storage", region, 1)
	}
	slices.SortStableFunc(b.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.MonthUSD, a.MonthUSD), cmp.Compare(a.What, b.What))
	})
	return b
}

// isBalanced says whether it is a Service with a NodeBalancer of its own.
func (i *item) isBalanced() bool {
	return i.kind == serviceType && text(section(i.properties, "spec"), "type") == "LoadBalancer"
}

// regionOf is the cluster's: volumes, NodeBalancers and nodes are in it.
func regionOf(items []item) string {
	for _, i := range items {
		if i.kind == clusterType {
			return text(i.properties, "region")
		}
	}
	return ""
}

func (p *Prices) addCluster(b *Bill, cluster map[string]any, region string) {
	kind, what := "lke-sa", "control planes"
	if section(cluster, "controlPlane")["highAvailability"] == true {
		kind, what = "lke-ha", "highly available control planes"
	}
	b.add(p.ControlPlanes, kind, what, region, 1)
	pools, _ := cluster["pools"].([]any)
	for _, entry := range pools {
		pool, _ := entry.(map[string]any)
		p.addNodes(b, pool, "count", region)
	}
}

// addNodes counts those that a pool has, or at least has.
func (p *Prices) addNodes(b *Bill, pool map[string]any, counted, region string) {
	count := number(pool[counted])
	if count == 0 {
		count = max(1, number(section(pool, "autoscaler")["min"]))
	}
	kind := text(pool, "type")
	b.add(p.Nodes, kind, kind+" nodes", region, count)
}

func (b *Bill) add(items []Priced, id, what, region string, count int) {
	if count == 0 {
		return
	}
	each, known := Monthly(items, id, region)
	if !known {
		b.Unpriced = append(b.Unpriced, fmt.Sprintf("%d × %s", count, what))
		return
	}
	i := slices.IndexFunc(b.Lines, func(line Line) bool { return line.What == what })
	if i < 0 {
		i, b.Lines = len(b.Lines), append(b.Lines, Line{What: what})
	}
	b.Lines[i].Count += count
	b.Lines[i].MonthUSD += float64(count) * each
}

// leastVolume is the size of Linode's smallest volume, in GB.
// Upstream: https://github.com/linode/linode-blockstorage-csi-driver
const leastVolume = 10

// volumes are the GB of disks that an object asks for, at any depth: charts and operators have claims in their own places, and
// all of them in the form of Kubernetes or as size beside enabled. As many as there are replicas of what has them. One that comes
// and goes with a pod costs next to nothing.
func volumes(value any, replicas int) (gb int) {
	switch value := value.(type) {
	case []any:
		for _, entry := range value {
			gb += volumes(entry, replicas)
		}
	case map[string]any:
		if own := number(value["replicas"]); own > 0 {
			replicas = own
		}
		requests := section(section(value, "resources"), "requests")
		if size := text(requests, "storage"); size != "" {
			gb += replicas * gigabytes(size)
		}
		if size := text(value, "size"); size != "" && value["enabled"] == true {
			gb += replicas * gigabytes(size)
		}
		for key, entry := range value {
			if key != "ephemeral" {
				gb += volumes(entry, replicas)
			}
		}
	}
	return gb
}

func gigabytes(size string) int {
	quantity, err := resource.ParseQuantity(size)
	if err != nil {
		return 0 // no size of Kubernetes'
	}
	return max(leastVolume, int(math.Ceil(float64(quantity.Value())/(1<<30))))
}

func section(value map[string]any, key string) map[string]any {
	inside, _ := value[key].(map[string]any)
	return inside
}

func text(value map[string]any, key string) string {
	found, _ := value[key].(string)
	return found
}

func number(value any) int {
	found, _ := value.(float64)
	return int(found)
}
