package linode

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// firewallView is a Cloud Firewall as clients see it: https://techdocs.akamai.com/linode-api/reference/get-firewall
// Its rules are kept and shown. Those of NodeBalancers are enforced where these balance, see Balancer.Admits.
type firewallView struct {
	ID       int           `json:"id"`
	Label    string        `json:"label"`
	Status   string        `json:"status"`
	Tags     []string      `json:"tags"`
	Rules    firewallRules `json:"rules"`
	Entities []entity      `json:"entities"`
	Created  string        `json:"created"`
	Updated  string        `json:"updated"`
}

// firewall is a firewall with the devices that it protects.
type firewall struct {
	firewallView

	Devices []*device `json:"devices"`
}

const (
	enabled  = "enabled"
	disabled = "disabled"
)

func (a *API) firewallRoutes() routes {
	const settings = "/networking/firewalls/settings"
	r := collection[*firewall]{
		path:   "/networking/firewalls",
		items:  func(c *call) ([]*firewall, error) { return c.state.Firewalls, nil },
		id:     func(f *firewall) string { return strconv.Itoa(f.ID) },
		show:   showFirewall,
		create: createFirewall,
		update: updateFirewall,
		delete: deleteFirewall,
	}.routes()
	r["GET "+settings] = showFirewallSettings
	r["PUT "+settings] = updateFirewallSettings
	return r
}

func showFirewall(c *call, f *firewall) any {
	shown := f.firewallView
	shown.Entities = []entity{}
	for _, d := range f.Devices {
		shown.Entities = append(shown.Entities, c.state.entityOf(d.deviceRef))
	}
	return shown
}

// firewall is the one in the path. With an error it is an empty one.
func (c *call) firewall() (*firewall, error) {
	return through(c, "firewall", c.state.Firewalls, func(f *firewall) int { return f.ID })
}

func createFirewall(c *call) (any, error) {
	var in struct {
		Label   string        `json:"label"`
		Tags    []string      `json:"tags"`
		Rules   firewallRules `json:"rules"`
		Devices struct {
			Linodes       []int `json:"linodes"`
			NodeBalancers []int `json:"nodebalancers"`
		} `json:"devices"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	view := firewallView{Label: in.Label, Status: enabled, Tags: append([]string{}, in.Tags...), Rules: in.Rules, Created: now()}
	f := &firewall{firewallView: view}
	f.Updated = f.Created
	var check checks
	f.check(&check, c.state)
	in.Rules.check(&check, "rules.")
	var refs []deviceRef
	for _, id := range in.Devices.Linodes {
		refs = append(refs, deviceRef{id, linodeDevice})
	}
	for _, id := range in.Devices.NodeBalancers {
		refs = append(refs, deviceRef{id, balancerDevice})
	}
	for i, ref := range refs {
		f.checkDevice(&check, fmt.Sprintf("devices[%d]", i), c.state, ref)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	f.ID = c.state.newID()
	f.Rules.stamp(1)
	for _, ref := range refs {
		f.protect(c.state, ref)
	}
	c.state.Firewalls = append(c.state.Firewalls, f)
	return showFirewall(c, f), nil
}

func updateFirewall(c *call, f *firewall) error {
	var in struct {
		Label  *string   `json:"label"`
		Status *string   `json:"status"`
		Tags   *[]string `json:"tags"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	changed := *f
	set(&changed.Label, in.Label)
	set(&changed.Status, in.Status)
	set(&changed.Tags, in.Tags)
	changed.Updated = now()
	var check checks
	changed.check(&check, c.state)
	if changed.Status == enabled && f.Status != enabled {
		for _, d := range f.Devices {
			changed.checkDevice(&check, "status", c.state, d.deviceRef)
		}
	}
	if err := check.err(); err != nil {
		return err
	}
	*f = changed
	return nil
}

func deleteFirewall(c *call, f *firewall) error {
	var check checks
	for kind, id := range c.state.DefaultFirewalls {
		check.that(id != f.ID, "", "The firewall is the default for %s", kind)
	}
	if err := check.err(); err != nil {
		return err
	}
	c.state.Firewalls = without(c.state.Firewalls, f)
	return nil
}

var firewallLabelPattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._-]{1,30}[a-zA-Z0-9]$`)

func (f *firewall) check(check *checks, s *state) {
	check.that(firewallLabelPattern.MatchString(f.Label), "label",
		"Must be 3-32 letters, digits, dashes, periods and underscores, start with a letter and end with a letter or digit")
	namesake := find(s.Firewalls, func(other *firewall) bool { return other.ID != f.ID && other.Label == f.Label })
	check.that(namesake == nil, "label", "Label must be unique among your Cloud Firewalls")
	check.that(slices.Contains([]string{enabled, disabled}, f.Status), "status", "Must be one of enabled, disabled")
}

// defaultFirewallKinds are what a default firewall can be set for. Here only NodeBalancers come to use theirs.
var defaultFirewallKinds = []string{"linode", "nodebalancer", "public_interface", "vpc_interface"}

// showFirewallSettings follows https://techdocs.akamai.com/linode-api/reference/get-firewall-settings
func showFirewallSettings(c *call) (any, error) {
	ids := map[string]*int{}
	for _, kind := range defaultFirewallKinds {
		ids[kind] = nil
		if id, ok := c.state.DefaultFirewalls[kind]; ok {
			ids[kind] = &id
		}
	}
	return document{"default_firewall_ids": ids}, nil
}

func updateFirewallSettings(c *call) (any, error) {
	var in struct {
		IDs map[string]*int `json:"default_firewall_ids"` // null for none
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	for kind, id := range in.IDs {
		check.that(slices.Contains(defaultFirewallKinds, kind), "default_firewall_ids", "%s is not known", kind)
		check.that(id == nil || c.state.firewall(*id) != nil, "default_firewall_ids."+kind, "The firewall was not found")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if c.state.DefaultFirewalls == nil {
		c.state.DefaultFirewalls = map[string]int{}
	}
	for kind, id := range in.IDs {
		delete(c.state.DefaultFirewalls, kind)
		if id != nil {
			c.state.DefaultFirewalls[kind] = *id
		}
	}
	return showFirewallSettings(c)
}
