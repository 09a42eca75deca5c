package linode

import (
	"slices"
	"strconv"
)

// device is a Linode or a NodeBalancer that a firewall protects.
type device struct {
	deviceRef

	DeviceID int    `json:"device_id"`
	Created  string `json:"created"`
}

// deviceRef names a Linode or a NodeBalancer.
type deviceRef struct {
	ID   int    `json:"id"`
	Type string `json:"type"`
}

const (
	linodeDevice   = "linode"
	balancerDevice = "nodebalancer"
)

// deviceView is a device as clients see it: https://techdocs.akamai.com/linode-api/reference/get-firewall-device
type deviceView struct {
	ID      int    `json:"id"`
	Entity  entity `json:"entity"`
	Created string `json:"created"`
	Updated string `json:"updated"`
}

func (a *API) firewallDeviceRoutes() routes {
	return collection[*device]{
		path:   "/networking/firewalls/{firewall}/devices",
		items:  func(c *call) ([]*device, error) { f, err := c.firewall(); return f.Devices, err },
		id:     func(d *device) string { return strconv.Itoa(d.DeviceID) },
		show:   showDevice,
		create: createDevice,
		delete: func(c *call, d *device) error {
			f, err := c.firewall()
			f.Devices = without(f.Devices, d)
			return err
		},
	}.routes()
}

func showDevice(c *call, d *device) any {
	return deviceView{d.DeviceID, c.state.entityOf(d.deviceRef), d.Created, d.Created}
}

func createDevice(c *call) (any, error) {
	f, err := c.firewall()
	if err != nil {
		return nil, err
	}
	var in deviceRef
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	f.checkDevice(&check, "id", c.state, in)
	check.that(!f.protects(in), "id", "%s %d is already assigned to this firewall", in.Type, in.ID)
	if err := check.err(); err != nil {
		return nil, err
	}
	return showDevice(c, f.protect(c.state, in)), nil
}

// protect adds a device.
func (f *firewall) protect(s *state, ref deviceRef) *device {
	d := &device{ref, s.newID(), now()}
	f.Devices = append(f.Devices, d)
	return d
}

func (f *firewall) protects(ref deviceRef) bool {
	return slices.ContainsFunc(f.Devices, func(d *device) bool { return d.deviceRef == ref })
}

// checkDevice refuses what does not exist. A device can have one enabled firewall, and others that are disabled.
func (f *firewall) checkDevice(check *checks, field string, s *state, ref deviceRef) {
	check.that(s.entityOf(ref).ID != 0, field, "There is no %s %d", ref.Type, ref.ID)
	for _, other := range s.firewallsOf(ref) {
		check.that(other.ID == f.ID || f.Status == disabled || other.Status == disabled, field,
			"%s %d is already assigned to another enabled firewall, %s", ref.Type, ref.ID, other.Label)
	}
}

// firewall finds a firewall, nil when there is none.
func (s *state) firewall(id int) *firewall {
	return find(s.Firewalls, func(f *firewall) bool { return f.ID == id })
}

// firewallsOf lists those that protect a device.
func (s *state) firewallsOf(ref deviceRef) []*firewall {
	var list []*firewall
	for _, f := range s.Firewalls {
		if f.protects(ref) {
			list = append(list, f)
		}
	}
	return list
}

// unprotect takes a device that is deleted out of all firewalls.
func (s *state) unprotect(ref deviceRef) {
	for _, f := range s.Firewalls {
		f.Devices = slices.DeleteFunc(f.Devices, func(d *device) bool { return d.deviceRef == ref })
	}
}

// entityOf describes a Linode or a NodeBalancer; the result is empty when there is none.
func (s *state) entityOf(ref deviceRef) entity {
	switch ref.Type {
	case linodeDevice:
		if i := s.instance(ref.ID); i != nil {
			return i.entity()
		}
	case balancerDevice:
		if nb := s.nodeBalancer(ref.ID); nb != nil {
			return nb.entity()
		}
	}
	return entity{}
}
