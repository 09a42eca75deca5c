package linode

import "fmt"

// CostLine is one line of the bill for a month, at list price.
type CostLine struct {
	What     string // for instance "g6-standard-2 nodes in us-ord"
	Count    int
	EachUSD  float64
	TotalUSD float64
}

// MonthlyCost is what the account would cost in a month if it stayed as it is: nodes by type and region, and control
// planes.
func (a *API) MonthlyCost() []CostLine {
	var total bill
	a.store.View(func(s *state) {
		for _, i := range s.Instances {
			kind, _ := a.catalog.linodeType(i.Type) // checked when its pool was created
			total.add(fmt.Sprintf("%s nodes in %s", i.Type, i.Region), kind.Price.monthly(kind.RegionPrices, i.Region))
		}
		for _, cl := range s.Clusters {
			if cl.ControlPlane.HighAvailability {
				total.add("highly available control planes in "+cl.Region, monthlyOf(a.catalog.LKETypes, "lke-ha", cl.Region))
			} else {
				total.add("control planes in "+cl.Region, monthlyOf(a.catalog.LKETypes, "lke-sa", cl.Region))
			}
		}
	})
	return total
}

// bill adds up what costs the same.
type bill []CostLine

func (b *bill) add(what string, eachUSD float64) {
	for i := range *b {
		if line := &(*b)[i]; line.What == what {
			line.Count++
			line.TotalUSD = float64(line.Count) * line.EachUSD
			return
		}
	}
	*b = append(*b, CostLine{what, 1, eachUSD, eachUSD})
}
