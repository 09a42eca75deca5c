package linode

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BalancerRange is the range of addresses that NodeBalancers connect to nodes from.
const BalancerRange = "192.168.255.0/24"

// Balancer is a NodeBalancer as who balances for it has to know it.
type Balancer struct {
	ID         int
	Label      string
	IPv4, IPv6 netip.Addr // the public ones
	Throttle   int        // new connections a second of a client, 0 for any number
	Ports      []BalancerPort

	firewalls []firewallRules
}

// BalancerPort is a port of a NodeBalancer, by the names and the words of the API.
type BalancerPort struct {
	ID, Port                                       int
	Protocol, ProxyProtocol, Algorithm, Stickiness string
	Check                                          BalancerCheck
	Backends                                       []Backend
}

// BalancerCheck is how a port sees whether a backend serves.
type BalancerCheck struct {
	Kind              string // none, connection, http or http_body
	Path, Body        string
	Interval, Timeout time.Duration
	Attempts          int
	Passive           bool
}

// Backend is a node behind a port.
type Backend struct {
	ID      int
	Address string // with a port
	Weight  int
	Mode    string
}

// Balancers are the NodeBalancers of the account as they are now.
func (a *API) Balancers() []Balancer {
	var list []Balancer
	a.store.View(func(s *state) {
		for _, nb := range s.NodeBalancers {
			list = append(list, nb.balancer(s))
		}
	})
	return list
}

func (nb *nodeBalancer) balancer(s *state) Balancer {
	b := Balancer{
		ID: nb.ID, Label: nb.Label, Throttle: nb.ClientConnThrottle,
		IPv4: netip.MustParseAddr(nb.IPv4), IPv6: netip.MustParseAddr(nb.IPv6), // of our own making
	}
	for _, config := range nb.Configs {
		b.Ports = append(b.Ports, config.port())
	}
	for _, f := range s.firewallsOf(deviceRef{nb.ID, balancerDevice}) {
		if f.Status == enabled {
			b.firewalls = append(b.firewalls, f.Rules)
		}
	}
	return b
}

func (config *balancerConfig) port() BalancerPort {
	p := BalancerPort{
		ID: config.ID, Port: config.Port, Protocol: config.Protocol, ProxyProtocol: config.ProxyProtocol,
		Algorithm: config.Algorithm, Stickiness: config.Stickiness,
		Check: BalancerCheck{
			Kind: config.Check, Path: config.CheckPath, Body: config.CheckBody, Attempts: config.CheckAttempts,
			Interval: time.Duration(config.CheckInterval) * time.Second,
			Timeout:  time.Duration(config.CheckTimeout) * time.Second, Passive: config.CheckPassive,
		},
	}
	for _, b := range config.Backends {
		p.Backends = append(p.Backends, Backend{ID: b.ID, Address: b.Address, Weight: b.Weight, Mode: b.Mode})
	}
	return p
}

// Admits says whether the firewall of the NodeBalancer lets a client connect to a port.
func (b *Balancer) Admits(client netip.Addr, port int) bool {
	return !slices.ContainsFunc(b.firewalls, func(r firewallRules) bool { return !r.admit(client.Unmap(), port) })
}

// admit has the first rule decide that fits, and the policy where none does.
func (r *firewallRules) admit(client netip.Addr, port int) bool {
	for _, rule := range r.Inbound {
		if rule.Protocol == "TCP" && rule.hasPort(port) && rule.hasAddress(client) {
			return rule.Action == "ACCEPT"
		}
	}
	return r.InboundPolicy == "ACCEPT"
}

// hasPort relies on what portsPattern lets through.
func (r *firewallRule) hasPort(port int) bool {
	return r.Ports == "" || slices.ContainsFunc(strings.Split(r.Ports, ","), func(ports string) bool {
		first, last, isRange := strings.Cut(strings.TrimSpace(ports), "-")
		if !isRange {
			last = first
		}
		low, _ := strconv.Atoi(first)
		high, _ := strconv.Atoi(last)
		return low <= port && port <= high
	})
}

// hasAddress takes no prefix list for one that has the address: what is in those is not known here.
func (r *firewallRule) hasAddress(client netip.Addr) bool {
	all := slices.Concat(r.Addresses.IPv4, r.Addresses.IPv6)
	return len(all) == 0 || slices.ContainsFunc(all, func(network string) bool {
		prefix, err := netip.ParsePrefix(network)
		return err == nil && prefix.Contains(client)
	})
}
