package linode

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodeBalancerView is a load balancer as clients see it: https://techdocs.akamai.com/linode-api/reference/get-node-balancer
// Traffic goes through it in a live rehearsal, see Balancers.
type nodeBalancerView struct {
	ID                    int      `json:"id"`
	Label                 string   `json:"label"`
	Region                string   `json:"region"`
	Type                  string   `json:"type"` // common or premium
	Hostname              string   `json:"hostname"`
	IPv4                  string   `json:"ipv4"`
	IPv6                  string   `json:"ipv6"`
	ClientConnThrottle    int      `json:"client_conn_throttle"`     // new connections a second of a client, 0 for any number
	ClientUDPSessThrottle int      `json:"client_udp_sess_throttle"` // the same for UDP
	LKECluster            *entity  `json:"lke_cluster"`              // always nil here
	Transfer              transfer `json:"transfer"`
	Tags                  []string `json:"tags"`
	Created               string   `json:"created"`
	Updated               string   `json:"updated"`
}

// transfer is what went through this month, in MB; nil as long as nothing did.
type transfer struct {
	In    *float64 `json:"in"`
	Out   *float64 `json:"out"`
	Total *float64 `json:"total"`
}

// nodeBalancer is a load balancer with its ports.
type nodeBalancer struct {
	nodeBalancerView

	Configs []*balancerConfig `json:"configs"`
}

func (a *API) nodeBalancerRoutes() routes {
	balancers := collection[*nodeBalancer]{
		path:   "/nodebalancers",
		items:  func(c *call) ([]*nodeBalancer, error) { return c.state.NodeBalancers, nil },
		id:     func(nb *nodeBalancer) string { return strconv.Itoa(nb.ID) },
		show:   func(_ *call, nb *nodeBalancer) any { return nb.nodeBalancerView },
		create: a.createNodeBalancer,
		update: updateNodeBalancer,
		delete: func(c *call, nb *nodeBalancer) error {
			c.state.NodeBalancers = without(c.state.NodeBalancers, nb)
			c.state.unprotect(deviceRef{nb.ID, balancerDevice})
			return nil
		},
	}
	firewalls := collection[*firewall]{
		items: func(c *call) ([]*firewall, error) {
			nb, err := c.nodeBalancer()
			return c.state.firewallsOf(deviceRef{nb.ID, balancerDevice}), err
		},
		show: showFirewall,
	}
	r := balancers.routes()
	r["GET /nodebalancers/{balancer}/firewalls"] = firewalls.list
	// VPCs are not simulated: there are none.
	r["GET /nodebalancers/{id}/vpcs"] = balancers.on(func(c *call, _ *nodeBalancer) (any, error) { return paginate(c, []any{}) })
	return r
}

// nodeBalancer is the one in the path. With an error it is an empty one.
func (c *call) nodeBalancer() (*nodeBalancer, error) {
	return through(c, "balancer", c.state.NodeBalancers, func(nb *nodeBalancer) int { return nb.ID })
}

// nodeBalancer finds a load balancer, nil when there is none.
func (s *state) nodeBalancer(id int) *nodeBalancer {
	return find(s.NodeBalancers, func(nb *nodeBalancer) bool { return nb.ID == id })
}

func (nb *nodeBalancer) entity() entity {
	return entity{nb.ID, balancerDevice, nb.Label, fmt.Sprintf("/v4/nodebalancers/%d", nb.ID)}
}

// nodeBalancerRequest creates or updates a load balancer; what is nil stays as it is.
type nodeBalancerRequest struct {
	Label                 *string         `json:"label"`
	Region                string          `json:"region"`
	Type                  string          `json:"type"`
	ClientConnThrottle    *int            `json:"client_conn_throttle"`
	ClientUDPSessThrottle *int            `json:"client_udp_sess_throttle"`
	Tags                  *[]string       `json:"tags"`
	FirewallID            int             `json:"firewall_id"`
	Configs               []configRequest `json:"configs"`
	IPv4                  *string         `json:"ipv4"`
	VPCs                  []document      `json:"vpcs"`
}

func (a *API) createNodeBalancer(c *call) (any, error) {
	var in nodeBalancerRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	view := nodeBalancerView{Region: in.Region, Type: cmp.Or(in.Type, "common"), Tags: []string{}, Created: now()}
	nb := &nodeBalancer{nodeBalancerView: view}
	in.apply(nb)
	var check checks
	check.that(a.catalog.offers(in.Region, "NodeBalancers"), "region", "region is not valid")
	check.that(slices.Contains([]string{"common", "premium"}, nb.Type), "type", "type %s is not simulated", in.Type)
	check.that(in.IPv4 == nil, "ipv4", "reserved addresses are not simulated")
	check.that(len(in.VPCs) == 0, "vpcs", "VPCs are not simulated")
	f := c.state.firewall(cmp.Or(in.FirewallID, c.state.DefaultFirewalls[balancerDevice]))
	check.that(f != nil || in.FirewallID == 0, "firewall_id", "The firewall was not found")
	nb.check(&check, c.state)
	for i, config := range in.Configs {
		nb.addConfig(&check, fmt.Sprintf("configs[%d].", i), config)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	nb.identify(c.state)
	c.state.NodeBalancers = append(c.state.NodeBalancers, nb)
	if f != nil {
		f.protect(c.state, deviceRef{nb.ID, balancerDevice})
	}
	return nb.nodeBalancerView, nil
}

// identify gives a new load balancer, its ports and its backends their IDs, and all that follows from them.
func (nb *nodeBalancer) identify(s *state) {
	nb.ID = s.newID()
	nb.Label = cmp.Or(nb.Label, fmt.Sprintf("balancer%d", nb.ID))
	nb.IPv4, nb.IPv6 = address("198.18.0.0/15", nb.ID), fmt.Sprintf("2001:db8::%x:%x", nb.ID>>16, nb.ID&0xffff)
	nb.Hostname = strings.ReplaceAll(nb.IPv4, ".", "-") + ".ip.linodeusercontent.com"
	for _, config := range nb.Configs {
		config.identify(s, nb.ID)
	}
}

func updateNodeBalancer(c *call, nb *nodeBalancer) error {
	var in nodeBalancerRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	changed := *nb
	in.apply(&changed)
	var check checks
	changed.check(&check, c.state)
	if err := check.err(); err != nil {
		return err
	}
	*nb = changed
	return nil
}

func (in nodeBalancerRequest) apply(nb *nodeBalancer) {
	set(&nb.Label, in.Label)
	set(&nb.ClientConnThrottle, in.ClientConnThrottle)
	set(&nb.ClientUDPSessThrottle, in.ClientUDPSessThrottle)
	set(&nb.Tags, in.Tags)
	nb.Updated = now()
}

var balancerLabelPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{3,32}$`)

// check allows a new load balancer to have no label: it then gets one.
func (nb *nodeBalancer) check(check *checks, s *state) {
	named := nb.Label != "" || nb.ID == 0
	check.that(named && (nb.Label == "" || balancerLabelPattern.MatchString(nb.Label)), "label",
		"Must be 3-32 letters, digits, dashes and underscores")
	namesake := find(s.NodeBalancers, func(o *nodeBalancer) bool { return o.ID != nb.ID && o.Label == nb.Label })
	check.that(namesake == nil, "label", "Label must be unique among your NodeBalancers")
	check.that(nb.ClientConnThrottle >= 0 && nb.ClientConnThrottle <= 20, "client_conn_throttle", "Must be 0-20")
	check.that(nb.ClientUDPSessThrottle >= 0 && nb.ClientUDPSessThrottle <= 20, "client_udp_sess_throttle", "Must be 0-20")
}
