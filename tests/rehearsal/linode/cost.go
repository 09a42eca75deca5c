package linode

import "fmt"

// CostLine is one line of the bill for a month, at list price.
type CostLine struct {
	What     string // for instance "g6-standard-2 nodes in us-ord"
	Count    int
	EachUSD  float64
	TotalUSD float64
}

// MonthlyCost is what the account would cost in a month if it stayed as it is: nodes by type and region, control planes,
// load balancers, volumes, and Object Storage up to what its flat price includes. Transfer, whose price depends on its
// use, is not in it.
func (a *API) MonthlyCost() []CostLine {
	var total bill
	a.store.View(func(s *state) {
		for _, i := range s.Instances {
			kind, _ := a.catalog.linodeType(i.Type) // checked when its pool was created
			what := pick(i.LKEClusterID != nil, "nodes", "Linodes")
			total.add(fmt.Sprintf("%s %s in %s", i.Type, what, i.Region), 1, kind.Price.monthly(kind.RegionPrices, i.Region))
		}
		for _, cl := range s.Clusters {
			if cl.ControlPlane.HighAvailability {
				total.add("highly available control planes in "+cl.Region, 1, monthlyOf(a.catalog.LKETypes, "lke-ha", cl.Region))
			} else {
				total.add("control planes in "+cl.Region, 1, monthlyOf(a.catalog.LKETypes, "lke-sa", cl.Region))
			}
		}
		for _, nb := range s.NodeBalancers {
			kind := map[string]string{"common": "nodebalancer", "premium": "nodebalancer-pr100"}[nb.Type]
			total.add(fmt.Sprintf("%s NodeBalancers in %s", nb.Type, nb.Region), 1,
				monthlyOf(a.catalog.NodeBalancerTypes, kind, nb.Region))
		}
		for _, v := range s.Volumes {
			total.add("GB of volumes in "+v.Region, v.Size, monthlyOf(a.catalog.VolumeTypes, "volume", v.Region))
		}
		if len(s.Buckets) > 0 { // one price for the whole account
			total.add("Object Storage", 1, monthlyOf(a.catalog.StorageTypes, "objectstorage", s.Buckets[0].Region))
		}
	})
	return total
}

// bill adds up what costs the same.
type bill []CostLine

func (b *bill) add(what string, count int, eachUSD float64) {
	for i := range *b {
		if line := &(*b)[i]; line.What == what {
			line.Count += count
			line.TotalUSD = float64(line.Count) * line.EachUSD
			return
		}
	}
	*b = append(*b, CostLine{what, count, eachUSD, float64(count) * eachUSD})
}
