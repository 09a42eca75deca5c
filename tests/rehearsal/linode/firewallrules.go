package linode

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// firewallRules are the rules of a firewall: https://techdocs.akamai.com/linode-api/reference/get-firewall-rules
type firewallRules struct {
	Inbound        []firewallRule `json:"inbound"`
	InboundPolicy  string         `json:"inbound_policy"`
	Outbound       []firewallRule `json:"outbound"`
	OutboundPolicy string         `json:"outbound_policy"`
	Version        int            `json:"version"`
	Fingerprint    string         `json:"fingerprint"`
}

// firewallRule accepts or drops what comes from, or goes to, some addresses; all of them when there are none.
type firewallRule struct {
	Action      string `json:"action"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
	Protocol    string `json:"protocol"`
	Ports       string `json:"ports,omitempty"` // such as "80, 443, 8000-8010"; empty for all
	Addresses   struct {
		IPv4 []string `json:"ipv4,omitempty"`
		IPv6 []string `json:"ipv6,omitempty"`
	} `json:"addresses"`
}

const (
	maxFirewallRules = 25  // of a firewall, in both directions
	maxRuleAddresses = 255 // of a rule
)

func (a *API) firewallRuleRoutes() routes {
	const path = "/networking/firewalls/{firewall}/rules"
	return routes{
		"GET " + path: func(c *call) (any, error) { f, err := c.firewall(); return f.Rules, err },
		"PUT " + path: func(c *call) (any, error) {
			f, err := c.firewall()
			if err != nil {
				return nil, err
			}
			var in firewallRules
			if err := c.decode(&in); err != nil {
				return nil, err
			}
			var check checks
			in.check(&check, "")
			if err := check.err(); err != nil {
				return nil, err
			}
			in.stamp(f.Rules.Version + 1)
			f.Rules, f.Updated = in, now()
			return f.Rules, nil
		},
	}
}

// stamp marks the rules as a new version.
func (r *firewallRules) stamp(version int) {
	r.Version, r.Fingerprint = version, ""
	content, _ := json.Marshal(r) // only texts and numbers
	r.Fingerprint = fmt.Sprintf("%08x", crc32.ChecksumIEEE(content))
}

func (r *firewallRules) check(check *checks, field string) {
	policies := []string{"ACCEPT", "DROP"}
	check.that(slices.Contains(policies, r.InboundPolicy), field+"inbound_policy", "Must be one of ACCEPT, DROP")
	check.that(slices.Contains(policies, r.OutboundPolicy), field+"outbound_policy", "Must be one of ACCEPT, DROP")
	check.that(len(r.Inbound)+len(r.Outbound) <= maxFirewallRules, field+"inbound",
		"A firewall can have at most %d rules", maxFirewallRules)
	for i, rule := range r.Inbound {
		rule.check(check, fmt.Sprintf("%sinbound[%d].", field, i))
	}
	for i, rule := range r.Outbound {
		rule.check(check, fmt.Sprintf("%soutbound[%d].", field, i))
	}
}

var portsPattern = regexp.MustCompile(`^\d{1,5}(-\d{1,5})?(, ?\d{1,5}(-\d{1,5})?)*$`)

func (r firewallRule) check(check *checks, field string) {
	check.that(slices.Contains([]string{"ACCEPT", "DROP"}, r.Action), field+"action", "Must be one of ACCEPT, DROP")
	check.that(len(r.Label) >= 3 && len(r.Label) <= 32, field+"label", "Length must be 3-32 characters")
	check.that(len(r.Description) <= 100, field+"description", "Length must be 1-100 characters")
	switch r.Protocol {
	case "TCP", "UDP":
		ok := r.Ports == "" || portsPattern.MatchString(r.Ports)
		check.that(ok, field+"ports", "Must be ports and ranges such as 80, 443-445")
	case "ICMP", "IPENCAP":
		check.that(r.Ports == "", field+"ports", "Ports are not allowed for %s", r.Protocol)
	default:
		check.that(false, field+"protocol", "Must be one of TCP, UDP, ICMP, IPENCAP")
	}
	check.that(len(r.Addresses.IPv4)+len(r.Addresses.IPv6) <= maxRuleAddresses, field+"addresses",
		"A rule can have at most %d addresses", maxRuleAddresses)
	for _, address := range r.Addresses.IPv4 {
		checkNetwork(check, field+"addresses.ipv4", address, netip.Addr.Is4)
	}
	for _, address := range r.Addresses.IPv6 {
		checkNetwork(check, field+"addresses.ipv6", address, netip.Addr.Is6)
	}
}

// checkNetwork takes networks and the names of prefix lists.
func checkNetwork(check *checks, field, address string, family func(netip.Addr) bool) {
	prefix, err := netip.ParsePrefix(address)
	ok := err == nil && family(prefix.Addr()) || strings.HasPrefix(address, "pl:")
	check.that(ok, field, "%s is not a network of this family, with its mask", address)
}
