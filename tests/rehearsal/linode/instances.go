package linode

import (
	"fmt"
	"net/netip"
	"strconv"
)

// instance is a Linode, here always one under a node of a pool:
// https://techdocs.akamai.com/linode-api/reference/get-linode-instance
type instance struct {
	ID             int      `json:"id"`
	Label          string   `json:"label"`
	Status         string   `json:"status"`
	Created        string   `json:"created"`
	Updated        string   `json:"updated"`
	Type           string   `json:"type"`
	Region         string   `json:"region"`
	IPv4           []string `json:"ipv4"` // the public address, then the private one
	IPv6           string   `json:"ipv6"`
	Specs          specs    `json:"specs"`
	Tags           []string `json:"tags"`
	LKEClusterID   int      `json:"lke_cluster_id"`
	DiskEncryption string   `json:"disk_encryption"`
	Hypervisor     string   `json:"hypervisor"`
	Watchdog       bool     `json:"watchdog_enabled"`
}

type specs struct {
	Disk     int `json:"disk"`   // MiB
	Memory   int `json:"memory"` // MiB
	VCPUs    int `json:"vcpus"`
	GPUs     int `json:"gpus"`
	Transfer int `json:"transfer"` // GB a month
}

const (
	provisioning = "provisioning"
	booting      = "booting"
	running      = "running"
)

func (a *API) instanceRoutes() routes {
	return collection[*instance]{
		path:   "/linode/instances",
		items:  func(c *call) ([]*instance, error) { return c.state.Instances, nil },
		id:     func(i *instance) string { return strconv.Itoa(i.ID) },
		delete: a.deleteInstance,
	}.routes()
}

// deleteInstance deletes a Linode; LKE then gives its pool a new one.
func (a *API) deleteInstance(c *call, i *instance) error {
	c.state.deleteInstance(i)
	if cl := c.state.cluster(i.LKEClusterID); cl != nil {
		a.fill(c.state, cl)
		a.reconcileSoon(cl.ID)
	}
	return nil
}

// deleteInstance frees what was attached to the Linode, too.
func (s *state) deleteInstance(i *instance) {
	for _, v := range s.volumesOf(i) {
		v.detach()
	}
	s.unprotect(deviceRef{i.ID, linodeDevice})
	s.Instances = without(s.Instances, i)
	s.record("linode_delete", finished, i.entity(), "")
}

func (a *API) newInstance(s *state, cl *cluster, p *pool, label string) *instance {
	kind, _ := a.catalog.linodeType(p.Type) // checked when the pool was created
	id := s.newID()
	i := &instance{
		ID: id, Label: label, Status: provisioning, Created: now(), Updated: now(), Type: p.Type, Region: cl.Region,
		IPv4: []string{address("198.18.0.0/15", id), address("192.168.128.0/17", id)}, IPv6: fmt.Sprintf("2001:db8::%x/128", id),
		Specs: specs{kind.Disk, kind.Memory, kind.VCPUs, kind.GPUs, kind.Transfer}, Tags: append([]string{}, p.Tags...),
		LKEClusterID: cl.ID, DiskEncryption: p.DiskEncryption, Hypervisor: "kvm", Watchdog: true,
	}
	s.Instances = append(s.Instances, i)
	s.record("linode_create", finished, i.entity(), "")
	return i
}

// address is the IPv4 address that a network, which is large enough, has for an ID. The public ones are of the range for
// benchmarks (RFC 2544), which leads nowhere; the private ones of Linode's own.
func address(network string, id int) string {
	prefix := netip.MustParsePrefix(network)
	base := prefix.Addr().As4()
	host := id % (1 << (32 - prefix.Bits()))
	return netip.AddrFrom4([4]byte{base[0], base[1] | byte(host>>16), base[2] | byte(host>>8), base[3] | byte(host)}).String()
}
