package linode

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
)

// catalogJSON holds recorded answers of the Linode API; where they come from is said inside.
//
//go:embed catalog.json
var catalogJSON []byte

// catalog is what Linode offers and at which price.
type catalog struct {
	LKEVersions       map[string][]string `json:"lke_versions"` // by tier, newest first
	LKETypes          []priced            `json:"lke_types"`
	NodeBalancerTypes []priced            `json:"nodebalancer_types"`
	VolumeTypes       []priced            `json:"volume_types"` // for each GB
	StorageTypes      []priced            `json:"object_storage_types"`
	StorageEndpoints  []storageEndpoint   `json:"object_storage_endpoints"` // of a region, the oldest kind first
	TransferPrices    []priced            `json:"network_transfer_prices"`
	LinodeTypes       []InstanceType      `json:"linode_types"`
	Regions           []region            `json:"regions"`
}

// InstanceType is a plan for Linodes: https://techdocs.akamai.com/linode-api/reference/get-linode-type
type InstanceType struct {
	ID                 string        `json:"id"` // for instance g6-standard-2
	Label              string        `json:"label"`
	Class              string        `json:"class"`
	VCPUs              int           `json:"vcpus"`
	Memory             int           `json:"memory"` // MiB
	Disk               int           `json:"disk"`   // MiB
	GPUs               int           `json:"gpus"`
	AcceleratedDevices int           `json:"accelerated_devices"`
	Transfer           int           `json:"transfer"`    // GB a month
	NetworkOut         int           `json:"network_out"` // Mbit/s
	Successor          *string       `json:"successor"`
	Price              price         `json:"price"`
	RegionPrices       []regionPrice `json:"region_prices"`
	Addons             struct {
		Backups struct {
			Price        price         `json:"price"`
			RegionPrices []regionPrice `json:"region_prices"`
		} `json:"backups"`
	} `json:"addons"`
}

// priced is anything else with a list price: https://techdocs.akamai.com/linode-api/reference/get-lke-types
type priced struct {
	ID           string        `json:"id"`
	Label        string        `json:"label"`
	Price        price         `json:"price"`
	RegionPrices []regionPrice `json:"region_prices"`
	Transfer     int           `json:"transfer"`
}

// price is in USD. What is billed by use alone has no monthly price.
type price struct {
	Hourly  float64  `json:"hourly"`
	Monthly *float64 `json:"monthly"`
}

// regionPrice is the price in a region where it differs.
type regionPrice struct {
	ID string `json:"id"`
	price
}

// region is a data center: https://techdocs.akamai.com/linode-api/reference/get-region
type region struct {
	ID           string   `json:"id"`
	Label        string   `json:"label"`
	Country      string   `json:"country"`
	Capabilities []string `json:"capabilities"`
	Status       string   `json:"status"`
	SiteType     string   `json:"site_type"`
	Resolvers    struct {
		IPv4 string `json:"ipv4"`
		IPv6 string `json:"ipv6"`
	} `json:"resolvers"`
	PlacementGroupLimits map[string]*int     `json:"placement_group_limits"`
	Monitors             map[string][]string `json:"monitors"`
}

// version is a Kubernetes version that LKE offers.
type version struct {
	ID   string `json:"id"`
	Tier string `json:"tier,omitempty"`
}

func loadCatalog() (*catalog, error) {
	var c catalog
	return &c, json.Unmarshal(catalogJSON, &c)
}

// offers tells whether a region of that ID exists and has the capability, such as Kubernetes.
func (c *catalog) offers(id, capability string) bool {
	i := slices.IndexFunc(c.Regions, func(r region) bool { return r.ID == id })
	return i >= 0 && slices.Contains(c.Regions[i].Capabilities, capability)
}

// linodeType finds a plan.
func (c *catalog) linodeType(id string) (InstanceType, bool) {
	i := slices.IndexFunc(c.LinodeTypes, func(t InstanceType) bool { return t.ID == id })
	if i < 0 {
		return InstanceType{}, false
	}
	return c.LinodeTypes[i], true
}

// special are the classes of plans that only some regions have, and what those regions are capable of.
var special = map[string]string{"premium": "Premium Plans", "gpu": "GPU Linodes"}

// sells tells whether a region has plans of a class.
func (c *catalog) sells(region, class string) bool {
	capability, rare := special[class]
	return !rare || c.offers(region, capability)
}

// checkType finds the plan of a new Linode or pool, and refuses one that does not exist or that the region does not have.
func (a *API) checkType(check *checks, field, id, region string) InstanceType {
	kind, ok := a.catalog.linodeType(id)
	check.that(ok, field, "type is not valid")
	check.that(a.catalog.sells(region, kind.Class), field, "%s is not available in %s", id, region)
	return kind
}

// availability says whether a region has a plan: https://techdocs.akamai.com/linode-api/reference/get-regions-availability
// The list has the plans that only some regions have. None is ever sold out here.
type availability struct {
	Region    string `json:"region"`
	Plan      string `json:"plan"`
	Available bool   `json:"available"`
}

func (c *catalog) availabilities() []availability {
	var list []availability
	for _, region := range c.Regions {
		for _, plan := range c.LinodeTypes {
			if special[plan.Class] != "" {
				list = append(list, availability{region.ID, plan.ID, c.sells(region.ID, plan.Class)})
			}
		}
	}
	return list
}

// monthly is the list price of a month in a region, in USD; 0 for what is billed by use alone.
func (p price) monthly(byRegion []regionPrice, region string) float64 {
	if i := slices.IndexFunc(byRegion, func(r regionPrice) bool { return r.ID == region }); i >= 0 {
		p = byRegion[i].price
	}
	if p.Monthly == nil {
		return 0
	}
	return *p.Monthly
}

// monthlyOf is the list price of a month of what has that ID, in a region, in USD.
func monthlyOf(offers []priced, id, region string) float64 {
	i := slices.IndexFunc(offers, func(p priced) bool { return p.ID == id })
	return offers[i].Price.monthly(offers[i].RegionPrices, region)
}

func (a *API) catalogRoutes() routes {
	available := collection[availability]{items: func(*call) ([]availability, error) { return a.catalog.availabilities(), nil }}
	all := routes{
		"GET /regions/availability": available.list,
		"GET /regions/{id}/availability": func(c *call) (any, error) {
			elsewhere := func(p availability) bool { return p.Region != c.PathValue("id") }
			return slices.DeleteFunc(a.catalog.availabilities(), elsewhere), nil
		},
		"GET /lke/types":               prices(a.catalog.LKETypes),
		"GET /nodebalancers/types":     prices(a.catalog.NodeBalancerTypes),
		"GET /volumes/types":           prices(a.catalog.VolumeTypes),
		"GET /object-storage/types":    prices(a.catalog.StorageTypes),
		"GET /network-transfer/prices": prices(a.catalog.TransferPrices),
	}
	for _, r := range []routes{
		fixed("/regions", a.catalog.Regions, func(r region) string { return r.ID }),
		fixed("/linode/types", a.catalog.LinodeTypes, func(t InstanceType) string { return t.ID }),
		fixed("/lke/versions", a.versionsOf("standard", ""), versionID),
		fixed("/lke/tiers/standard/versions", a.versionsOf("standard", "standard"), versionID),
		fixed("/lke/tiers/enterprise/versions", a.versionsOf("enterprise", "enterprise"), versionID),
	} {
		maps.Copy(all, r)
	}
	return all
}

func versionID(v version) string { return v.ID }

// prices serves a price list, whose items cannot be asked for one by one.
func prices(items []priced) handler {
	return collection[priced]{items: func(*call) ([]priced, error) { return items, nil }}.list
}

// versionsOf lists the versions of a tier, and names the tier in each when it is to be shown.
func (a *API) versionsOf(tier, shown string) []version {
	var versions []version
	for _, id := range a.catalog.LKEVersions[tier] {
		versions = append(versions, version{id, shown})
	}
	return versions
}

// fixed serves what never changes.
func fixed[T any](path string, items []T, id func(T) string) routes {
	return collection[T]{path: path, items: func(*call) ([]T, error) { return items, nil }, id: id}.routes()
}
