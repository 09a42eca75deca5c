package fastly

import "slices"

// coordinates place a datacenter on the globe, in degrees.
type coordinates struct {
	X         int     `json:"x"`
	Y         int     `json:"y"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// datacenter is a point of presence.
type datacenter struct {
	Code        string      `json:"code"`
	Name        string      `json:"name"`
	Group       string      `json:"group"`
	Shield      string      `json:"shield"`
	Coordinates coordinates `json:"coordinates"`
}

// isShield says whether a backend can be shielded by what is named so.
func isShield(name string) bool {
	return slices.ContainsFunc(datacenters, func(d datacenter) bool { return d.Shield == name })
}

// datacenters are those that can shield, https://www.fastly.com/documentation/reference/api/utils/pops/.
var datacenters = []datacenter{
	{"AMS", "Amsterdam", "Europe", "amsterdam-nl", at(52.308613, 4.763889)},
	{"IAD", "Ashburn (Metro)", "United States", "iad-va-us", at(38.944533, -77.455811)},
	{"BWI", "Ashburn - BWI", "United States", "bwi-va-us", at(38.944533, -77.455811)},
	{"DCA", "Ashburn - DCA", "United States", "dca-dc-us", at(38.851242, -77.040232)},
	{"ATL", "Atlanta", "United States", "atl-ga-us", at(33.636719, -84.428067)},
	{"FTY", "Atlanta - FTY", "United States", "fty-ga-us", at(33.636719, -84.428067)},
	{"AKL", "Auckland", "Asia/Pacific", "auckland-akl", at(-37.008056, 174.791667)},
	{"BOG", "Bogota", "South America", "bog-bogota-co", at(4.711, -74.072)},
	{"BOS", "Boston", "United States", "bos-ma-us", at(42.364347, -71.005181)},
	{"BNE", "Brisbane", "Asia/Pacific", "brisbane-au", at(-27.384167, 153.1175)},
	{"CPT", "Cape Town", "Africa", "cpt-capetown-za", at(-33.97, 18.464)},
	{"MAA", "Chennai", "Asia/Pacific", "maa-chennai-in", at(12.9941, 80.1709)},
	{"CHI", "Chicago - CHI", "United States", "chi-il-us", at(41.9742, -87.9073)},
	{"MDW", "Chicago - MDW", "United States", "mdw-il-us", at(41.7867799, -87.7543771)},
	{"PWK", "Chicago - PWK", "United States", "pwk-il-us", at(42.1171, -87.9011)},
	{"CPH", "Copenhagen", "Europe", "cph-copenhagen-dk", at(55.728081, 12.37752)},
	{"DFW", "Dallas", "United States", "dallas-tx-us", at(32.896828, -97.037997)},
	{"DAL", "Dallas - DAL", "United States", "dal-tx-us", at(32.787, -96.794)},
	{"DEL", "Delhi", "Asia/Pacific", "del-delhi-in", at(28.506912, 77.378557)},
	{"DEN", "Denver", "United States", "den-co-us", at(39.861656, -104.673178)},
	{"DUB", "Dublin", "Europe", "dub-dublin-ie", at(53.35, -6.26)},
	{"FRA", "Frankfurt", "Europe", "frankfurt-de", at(50.026421, 8.543125)},
	{"HHN", "Frankfurt - Interxion", "Europe", "hhn-frankfurt-de", at(50.11975, 8.738472)},
	{"FJR", "Fujairah Al Mahta", "Asia/Pacific", "fjr-ae", at(25.112225, 56.323964)},
	{"HEL", "Helsinki", "Europe", "hel-helsinki-fi", at(60.1699, 24.9384)},
	{"HKG", "Hong Kong", "Asia/Pacific", "hongkong-hk", at(22.308919, 113.914603)},
	{"IAH", "Houston", "United States", "iah-tx-us", at(29.99022, -95.336783)},
	{"HYD", "Hyderabad", "Asia/Pacific", "hyd-hyderabad-in", at(17.442, 78.378)},
	{"JAX", "Jacksonville", "United States", "jax-fl-us", at(30.3322, -81.6557)},
	{"JNB", "Johannesburg", "Africa", "jnb-johannesburg-za", at(-26.13778, 28.19756)},
	{"CCU", "Kolkata", "Asia/Pacific", "ccu-kolkata-in", at(22.588, 88.393)},
	{"LCY", "London - LCY", "Europe", "london_city-uk", at(51.505278, 0.055278)},
	{"LHR", "London - LHR", "Europe", "london-uk", at(51.4775, -0.461389)},
	{"LON", "London - LON", "Europe", "lon-london-uk", at(51.499, -0.011)},
	{"LGB", "Los Angeles (Metro)", "United States", "lgb-ca-us", at(33.942536, -118.408075)},
	{"BUR", "Los Angeles - BUR", "United States", "bur-ca-us", at(34.198312, -118.357404)},
	{"MAD", "Madrid", "Europe", "mad-madrid-es", at(40.439323, -3.621211)},
	{"MAN", "Manchester", "Europe", "man-manchester-uk", at(53.4808, -2.2426)},
	{"MRS", "Marseille", "Europe", "mrs-marseille-fr", at(43.311, 5.373)},
	{"MEL", "Melbourne", "Asia/Pacific", "melbourne-au", at(-37.673333, 144.843333)},
	{"MIA", "Miami", "United States", "miami-fl-us", at(25.79325, -80.290556)},
	{"MXP", "Milan", "Europe", "mxp-milan-it", at(45.4642, 9.19)},
	{"MSP", "Minneapolis", "United States", "msp-mn-us", at(44.971401, -93.254501)},
	{"YUL", "Montreal", "United States", "yul-montreal-ca", at(45.497497, -73.570959)},
	{"BOM", "Mumbai", "Asia/Pacific", "bom-mumbai-in", at(18.975, 72.825833)},
	{"LGA", "New York City - LGA", "United States", "lga-ny-us", at(40.639751, -73.778925)},
	{"EWR", "Newark", "United States", "ewr-nj-us", at(40.736844, -74.173402)},
	{"ITM", "Osaka", "Asia/Pacific", "osaka-jp", at(34.785528, 135.438222)},
	{"OSL", "Oslo", "Europe", "osl-oslo-no", at(59.922, 10.809)},
	{"PAO", "Palo Alto", "United States", "pao-ca-us", at(37.454965, -122.110783)},
	{"CDG", "Paris", "Europe", "cdg-par-fr", at(48.928051, 2.35189)},
	{"PER", "Perth", "Asia/Pacific", "perth-au", at(-31.940278, 115.966944)},
	{"PDX", "Portland", "United States", "pdx-or-us", at(45.552, -122.914)},
	{"GIG", "Rio de Janeiro", "South America", "gig-riodejaneiro-br", at(-22.81341, -43.249423)},
	{"SJC", "San Jose", "United States", "sjc-ca-us", at(37.3626, -121.929022)},
	{"CGH", "Sao Paulo", "South America", "cgh-saopaulo-br", at(-23.498, -46.815)},
	{"GRU", "Sao Paulo", "South America", "gru-br-sa", at(-23.432075, -46.469511)},
	{"SEA", "Seattle", "United States", "sea-wa-us", at(47.449, -122.309306)},
	{"ICN", "Seoul", "Asia/Pacific", "icn-seoul-kr", at(36.38, 128.124)},
	{"QPG", "Singapore", "Asia/Pacific", "qpg-singapore-sg", at(1.350189, 103.994433)},
	{"BMA", "Stockholm", "Europe", "stockholm-bma", at(59.354372, 17.94165)},
	{"SYD", "Sydney", "Asia/Pacific", "sydney-au", at(-33.946111, 151.177222)},
	{"TYO", "Tokyo", "Asia/Pacific", "tyo-tokyo-jp", at(35.617, 139.748)},
	{"HND", "Tokyo - HND", "Asia/Pacific", "hnd-tokyo-jp", at(35.622281, 139.748426)},
	{"NRT", "Tokyo - NRT", "Asia/Pacific", "nrt-tokyo-jp", at(35.617, 139.748)},
	{"YYZ", "Toronto", "United States", "yyz-on-ca", at(43.677223, -79.630556)},
	{"VIE", "Vienna", "Europe", "vie-vienna-at", at(48.269, 16.41)},
}

func at(latitude, longitude float64) coordinates {
	return coordinates{Latitude: latitude, Longitude: longitude}
}
