package linode

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// backend is a node behind a port of a load balancer: https://techdocs.akamai.com/linode-api/reference/get-node-balancer-node
type backend struct {
	ID             int    `json:"id"`
	NodeBalancerID int    `json:"nodebalancer_id"`
	ConfigID       int    `json:"config_id"`
	Label          string `json:"label"`
	Address        string `json:"address"` // with a port
	Weight         int    `json:"weight"`
	Mode           string `json:"mode"`
}

// backendView is a backend as clients see it.
type backendView struct {
	backend

	Status      string `json:"status"`
	VPCConfigID *int   `json:"vpc_config_id"`
}

const (
	up   = "UP"
	down = "DOWN"
)

func (a *API) backendRoutes() routes {
	return collection[*backend]{
		path:   "/nodebalancers/{balancer}/configs/{config}/nodes",
		items:  func(c *call) ([]*backend, error) { config, err := c.config(); return config.Backends, err },
		id:     func(b *backend) string { return strconv.Itoa(b.ID) },
		show:   func(c *call, b *backend) any { return backendView{backend: *b, Status: a.health(c.state, b)} },
		create: a.createBackend,
		update: updateBackend,
		delete: func(c *call, b *backend) error {
			config, err := c.config()
			config.Backends = without(config.Backends, b)
			return err
		},
	}.routes()
}

// health is what the NodeBalancer says of a backend that runs, see Options.BackendHealth.
func (a *API) health(s *state, b *backend) string {
	if a.options.BackendHealth != nil {
		if isUp, known := a.options.BackendHealth(b.ID); known {
			return pick(isUp, up, down)
		}
	}
	return b.status(s)
}

// status takes a backend for up when it is a Linode that runs.
func (b *backend) status(s *state) string {
	address, _ := netip.ParseAddrPort(b.Address) // checked before
	running := func(i *instance) bool {
		return i.Status == running && slices.Contains(i.IPv4, address.Addr().String())
	}
	if find(s.Instances, running) != nil {
		return up
	}
	return down
}

// balancersTo are the load balancers with a backend on a Linode.
func (s *state) balancersTo(i *instance) []any {
	leadsTo := func(b *backend) bool {
		address, _ := netip.ParseAddrPort(b.Address) // checked before
		return slices.Contains(i.IPv4, address.Addr().String())
	}
	list := []any{}
	for _, nb := range s.NodeBalancers {
		if slices.ContainsFunc(nb.Configs, func(c *balancerConfig) bool { return slices.ContainsFunc(c.Backends, leadsTo) }) {
			list = append(list, nb.nodeBalancerView)
		}
	}
	return list
}

// backendRequest creates or updates a backend; what is nil stays as it is.
type backendRequest struct {
	ID      int     `json:"id"` // in a rebuild, of one that stays
	Label   *string `json:"label"`
	Address *string `json:"address"`
	Weight  *int    `json:"weight"`
	Mode    *string `json:"mode"`
}

func (a *API) createBackend(c *call) (any, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	var in backendRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	b := in.apply(&check, "", newBackend())
	check.that(!slices.ContainsFunc(config.Backends, b.sameAddress), "address", "The address is already in use")
	if err := check.err(); err != nil {
		return nil, err
	}
	config.Backends = append(config.Backends, b)
	config.identify(c.state, config.NodeBalancerID)
	return backendView{backend: *b, Status: a.health(c.state, b)}, nil
}

func updateBackend(c *call, b *backend) error {
	var in backendRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	changed := in.apply(&check, "", *b)
	if err := check.err(); err != nil {
		return err
	}
	*b = *changed
	return nil
}

// replaceBackends makes the requested backends those of the port.
func (config *balancerConfig) replaceBackends(check *checks, field string, requests []backendRequest) {
	var backends []*backend
	for i, in := range requests {
		before := newBackend()
		if kept := find(config.Backends, func(b *backend) bool { return b.ID == in.ID && in.ID != 0 }); kept != nil {
			before = *kept
		}
		field := fmt.Sprintf("%snodes[%d].", field, i)
		b := in.apply(check, field, before)
		check.that(!slices.ContainsFunc(backends, b.sameAddress), field+"address", "The address is already in use")
		backends = append(backends, b)
	}
	config.Backends = backends
}

func newBackend() backend { return backend{Weight: 50, Mode: "accept"} }

func (b *backend) sameAddress(other *backend) bool { return b.Address == other.Address }

var (
	backendLabelPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{3,32}$`)
	privateNetwork      = netip.MustParsePrefix(privateRange)
)

// apply gives what the request makes of a backend and checks it.
func (in backendRequest) apply(check *checks, field string, b backend) *backend {
	set(&b.Label, in.Label)
	set(&b.Address, in.Address)
	set(&b.Weight, in.Weight)
	set(&b.Mode, in.Mode)
	check.that(backendLabelPattern.MatchString(b.Label), field+"label",
		"Must be 3-32 letters, digits, periods, dashes and underscores")
	address, err := netip.ParseAddrPort(b.Address)
	check.that(err == nil && privateNetwork.Contains(address.Addr()) && address.Port() > 0, field+"address",
		"Must be a private address of a Linode, with a port, such as 192.168.130.1:80")
	check.that(b.Weight >= 1 && b.Weight <= 255, field+"weight", "Must be 1-255")
	modes := []string{"accept", "reject", "drain", "backup"}
	check.that(slices.Contains(modes, b.Mode), field+"mode", "Must be one of accept, reject, drain, backup")
	return &b
}
