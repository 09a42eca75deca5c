package linode

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// instanceView is a Linode as clients see it: https://techdocs.akamai.com/linode-api/reference/get-linode-instance
type instanceView struct {
	ID                  int       `json:"id"`
	Label               string    `json:"label"`
	Group               string    `json:"group"`
	Status              string    `json:"status"`
	Created             string    `json:"created"`
	Updated             string    `json:"updated"`
	Type                string    `json:"type"`
	IPv4                []string  `json:"ipv4"` // the public address, then the private one, if any
	IPv6                string    `json:"ipv6"`
	Image               *string   `json:"image"`
	Region              string    `json:"region"`
	SiteType            string    `json:"site_type"`
	Specs               specs     `json:"specs"`
	Alerts              alerts    `json:"alerts"`
	Backups             backups   `json:"backups"`
	Hypervisor          string    `json:"hypervisor"`
	Watchdog            bool      `json:"watchdog_enabled"`
	Tags                []string  `json:"tags"`
	HostUUID            string    `json:"host_uuid"`
	HasUserData         bool      `json:"has_user_data"`
	PlacementGroup      *document `json:"placement_group"`
	DiskEncryption      string    `json:"disk_encryption"`
	LKEClusterID        *int      `json:"lke_cluster_id"` // of the cluster whose node it is
	Capabilities        []string  `json:"capabilities"`
	InterfaceGeneration string    `json:"interface_generation"`
	MaintenancePolicy   string    `json:"maintenance_policy"`
	Locks               []string  `json:"locks"`
}

// instance is a Linode and what clients do not see of it.
type instance struct {
	instanceView

	EverBooted bool    `json:"ever_booted"`
	Boots      int     `json:"boots"` // that somebody asked for
	Trouble    Trouble `json:"trouble,omitempty"`
}

type specs struct {
	Disk               int `json:"disk"`   // MiB
	Memory             int `json:"memory"` // MiB
	VCPUs              int `json:"vcpus"`
	GPUs               int `json:"gpus"`
	Transfer           int `json:"transfer"` // GB a month
	AcceleratedDevices int `json:"accelerated_devices"`
}

// alerts are the limits past which Linode sends mail; here nobody does.
type alerts struct {
	CPU           int `json:"cpu"`            // % of one CPU
	NetworkIn     int `json:"network_in"`     // Mbit/s
	NetworkOut    int `json:"network_out"`    // Mbit/s
	TransferQuota int `json:"transfer_quota"` // %
	IO            int `json:"io"`             // operations a second
}

// backups are those of Linode's backup service, which is not simulated.
type backups struct {
	Enabled   bool `json:"enabled"`
	Available bool `json:"available"`
	Schedule  struct {
		Day    *string `json:"day"`
		Window *string `json:"window"`
	} `json:"schedule"`
	LastSuccessful *string `json:"last_successful"`
}

const (
	provisioning = "provisioning"
	booting      = "booting"
	running      = "running"
	offline      = "offline"
)

func (a *API) instanceRoutes() routes {
	instances := collection[*instance]{
		path:   "/linode/instances",
		items:  func(c *call) ([]*instance, error) { return c.state.Instances, nil },
		id:     func(i *instance) string { return strconv.Itoa(i.ID) },
		show:   func(_ *call, i *instance) any { return i.instanceView },
		create: a.createInstance,
		update: updateInstance,
		delete: a.deleteInstance,
	}
	r := instances.routes()
	const path = "/linode/instances/{id}/"
	r["POST "+path+"boot"] = instances.action(a.power(running, "linode_boot"))
	r["POST "+path+"reboot"] = instances.action(a.power(running, "linode_reboot"))
	r["POST "+path+"shutdown"] = instances.action(a.power(offline, "linode_shutdown"))
	r["GET "+path+"ips"] = instances.on(func(_ *call, i *instance) (any, error) { return i.network(), nil })
	r["POST "+path+"ips"] = instances.on(addAddress)
	// Disks and configuration profiles are not simulated: there are none.
	none := instances.on(func(c *call, _ *instance) (any, error) { return paginate(c, []any{}) })
	r["GET "+path+"disks"], r["GET "+path+"configs"] = none, none
	r["GET "+path+"firewalls"] = instances.on(func(c *call, i *instance) (any, error) {
		return collection[*firewall]{
			items: func(c *call) ([]*firewall, error) { return c.state.firewallsOf(deviceRef{i.ID, linodeDevice}), nil },
			show:  showFirewall,
		}.list(c)
	})
	r["GET "+path+"nodebalancers"] = instances.on(func(c *call, i *instance) (any, error) {
		return paginate(c, c.state.balancersTo(i))
	})
	return r
}

// instanceRequest creates or updates a Linode; what is nil stays as it is.
type instanceRequest struct {
	Label             *string   `json:"label"`
	Group             *string   `json:"group"`
	Type              string    `json:"type"`
	Region            string    `json:"region"`
	Image             *string   `json:"image"`
	RootPass          string    `json:"root_pass"`
	AuthorizedKeys    []string  `json:"authorized_keys"`
	AuthorizedUsers   []string  `json:"authorized_users"`
	Booted            *bool     `json:"booted"`
	PrivateIP         bool      `json:"private_ip"`
	FirewallID        int       `json:"firewall_id"`
	DiskEncryption    *string   `json:"disk_encryption"`
	Tags              *[]string `json:"tags"`
	Alerts            *alerts   `json:"alerts"`
	Watchdog          *bool     `json:"watchdog_enabled"`
	MaintenancePolicy *string   `json:"maintenance_policy"`

	unsimulatedInstance
}

// unsimulatedInstance is what a request may ask for and nothing here can give.
type unsimulatedInstance struct {
	BackupID       int        `json:"backup_id"`
	BackupsEnabled bool       `json:"backups_enabled"`
	StackScriptID  int        `json:"stackscript_id"`
	PlacementGroup document   `json:"placement_group"`
	Interfaces     []document `json:"interfaces"`
	IPv4           []string   `json:"ipv4"`
	Metadata       document   `json:"metadata"`
}

func (in *unsimulatedInstance) check(check *checks) {
	for field, asked := range map[string]bool{
		"backup_id": in.BackupID != 0, "backups_enabled": in.BackupsEnabled, "stackscript_id": in.StackScriptID != 0,
		"placement_group": in.PlacementGroup != nil, "interfaces": len(in.Interfaces) > 0, "ipv4": len(in.IPv4) > 0,
		"metadata": in.Metadata != nil,
	} {
		check.that(!asked, field, "%s is not simulated", field)
	}
}

func (a *API) createInstance(c *call) (any, error) {
	var in instanceRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	in.unsimulatedInstance.check(&check)
	check.that(a.catalog.offers(in.Region, "Linodes"), "region", "region is not valid")
	a.checkType(&check, "type", in.Type, in.Region)
	access := in.RootPass != "" || len(in.AuthorizedKeys) > 0 || len(in.AuthorizedUsers) > 0
	check.that(in.Image == nil || access, "", "Must provide valid root_pass, authorized_keys, or authorized_users")
	firewall := c.state.firewall(in.FirewallID)
	check.that(firewall != nil || in.FirewallID == 0, "firewall_id", "The firewall was not found")
	in.check(&check, c.state, nil)
	if err := check.err(); err != nil {
		return nil, err
	}
	var label string
	set(&label, in.Label)
	i := a.newInstance(c.state, in.Type, in.Region, label)
	i.Image = in.Image
	if !in.PrivateIP {
		i.IPv4 = i.IPv4[:1]
	}
	in.apply(i)
	if firewall != nil {
		firewall.protect(c.state, deviceRef{i.ID, linodeDevice})
	}
	answer := i.instanceView // while Linode is still at it
	i.Status = offline
	if in.Image != nil && (in.Booted == nil || *in.Booted) {
		err := a.power(running, "linode_boot")(c, i)
		return answer, err
	}
	return answer, nil
}

func updateInstance(c *call, i *instance) error {
	var in instanceRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	in.check(&check, c.state, i)
	if err := check.err(); err != nil {
		return err
	}
	in.apply(i)
	i.Updated = now()
	return nil
}

var (
	instanceLabelPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,62}[a-zA-Z0-9]$`)
	maintenancePolicies  = []string{"linode/migrate", "linode/power_off_on"}
)

// check checks what a new Linode, for which itself is nil, and a change have in common.
func (in *instanceRequest) check(check *checks, s *state, itself *instance) {
	if in.Label != nil {
		check.that(instanceLabelPattern.MatchString(*in.Label), "label",
			"Must be 3-64 letters, digits, dashes, periods and underscores, with a letter or digit at both ends")
		namesake := find(s.Instances, func(o *instance) bool { return o != itself && o.Label == *in.Label })
		check.that(namesake == nil, "label", "Label must be unique among your linodes")
	}
	if in.MaintenancePolicy != nil {
		check.that(slices.Contains(maintenancePolicies, *in.MaintenancePolicy), "maintenance_policy",
			"Unsupported maintenance policy slug format.")
	}
}

func (in *instanceRequest) apply(i *instance) {
	set(&i.Label, in.Label)
	set(&i.Group, in.Group)
	set(&i.Tags, in.Tags)
	set(&i.Alerts, in.Alerts)
	set(&i.Watchdog, in.Watchdog)
	set(&i.DiskEncryption, in.DiskEncryption)
	set(&i.MaintenancePolicy, in.MaintenancePolicy)
}

// power switches a Linode on or off, and the node that it is with it.
func (a *API) power(status, action string) func(*call, *instance) error {
	return func(c *call, i *instance) error {
		i.Status, i.EverBooted, i.Updated = status, i.EverBooted || status == running, now()
		if status == running {
			i.Boots++
		}
		if i.Trouble != CutOff { // which is none of its own
			i.Trouble = ""
		}
		if i.LKEClusterID != nil {
			a.reconcileSoon(*i.LKEClusterID)
		}
		c.state.record(action, finished, i.entity(), "")
		return nil
	}
}

// deleteInstance deletes a Linode; LKE then gives its pool a new one.
func (a *API) deleteInstance(c *call, i *instance) error {
	c.state.deleteInstance(i)
	if i.LKEClusterID == nil {
		return nil
	}
	if cl := c.state.cluster(*i.LKEClusterID); cl != nil {
		fill(c.state, cl)
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

// newInstance makes a Linode with a private address, which has not been switched on. Without a label it gets one.
func (a *API) newInstance(s *state, plan, region, label string) *instance {
	kind, _ := a.catalog.linodeType(plan) // checked before
	id := s.newID()
	if label == "" {
		label = fmt.Sprintf("linode%d", id)
	}
	i := &instance{instanceView: instanceView{
		ID: id, Label: label, Status: provisioning, Created: now(), Updated: now(), Type: plan, Region: region, SiteType: "core",
		IPv4:   []string{address("198.18.0.0/15", id), address(privateRange, id)},
		IPv6:   fmt.Sprintf("2001:db8::%x:%x/128", id>>16, id&0xffff),
		Specs:  specs{kind.Disk, kind.Memory, kind.VCPUs, kind.GPUs, kind.Transfer, kind.AcceleratedDevices},
		Alerts: alerts{CPU: 90 * kind.VCPUs, NetworkIn: 10, NetworkOut: 10, TransferQuota: 80, IO: 10000},
		Tags:   []string{}, DiskEncryption: enabled, Hypervisor: "kvm", Watchdog: true, HostUUID: randomHex(20),
		Capabilities:        []string{"Block Storage Encryption", "SMTP Enabled", "Maintenance Policy"},
		InterfaceGeneration: "legacy_config", MaintenancePolicy: "linode/migrate", Locks: []string{},
	}}
	s.Instances = append(s.Instances, i)
	s.record("linode_create", finished, i.entity(), "")
	return i
}

// privateRange is Linode's own.
const privateRange = "192.168.128.0/17"

// address is the IPv4 address that a network, which is large enough, has for an ID. The public ones are of the range for
// benchmarks (RFC 2544), which leads nowhere.
func address(network string, id int) string {
	prefix := netip.MustParsePrefix(network)
	base := prefix.Addr().As4()
	host := id % (1 << (32 - prefix.Bits()))
	return netip.AddrFrom4([4]byte{base[0], base[1] | byte(host>>16), base[2] | byte(host>>8), base[3] | byte(host)}).String()
}

// network follows https://techdocs.akamai.com/linode-api/reference/get-linode-ips
func (i *instance) network() document {
	lists := map[string][]document{"public": {}, "private": {}, "shared": {}, "reserved": {}, "vpc": {}}
	for n := range i.IPv4 {
		kind := []string{"public", "private"}[n]
		lists[kind] = append(lists[kind], i.address(n))
	}
	global := document{
		"address": netip.MustParsePrefix(i.IPv6).Addr().String(), "gateway": "fe80::1", "subnet_mask": "ffff:ffff:ffff:ffff::",
		"prefix": 64, "type": "ipv6", "rdns": nil, "linode_id": i.ID, "region": i.Region, "public": true,
	}
	return document{"ipv4": lists, "ipv6": document{"slaac": global, "link_local": nil, "global": []document{}}}
}

// address describes the public IPv4 address of a Linode, or its private one.
func (i *instance) address(n int) document {
	mask, prefix := "255.255.255.0", 24
	if n == 1 {
		mask, prefix = "255.255.128.0", 17
	}
	return document{
		"address": i.IPv4[n], "gateway": nil, "subnet_mask": mask, "prefix": prefix, "type": "ipv4", "public": n == 0,
		"rdns":      nil,
		"linode_id": i.ID, "interface_id": nil, "region": i.Region, "vpc_nat_1_1": nil, "reserved": false,
		"assigned_entity": i.entity(),
	}
}

// addAddress gives a Linode its private address.
func addAddress(c *call, i *instance) (any, error) {
	var in struct {
		Type   string `json:"type"`
		Public bool   `json:"public"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	check.that(in.Type == "ipv4" && !in.Public, "type", "other addresses than a private one are not simulated")
	check.that(len(i.IPv4) == 1, "", "The Linode has a private address")
	if err := check.err(); err != nil {
		return nil, err
	}
	i.IPv4 = append(i.IPv4, address(privateRange, i.ID))
	return i.address(1), nil
}
