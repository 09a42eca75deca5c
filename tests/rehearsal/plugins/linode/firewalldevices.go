package linode

import (
	"context"
	"fmt"
	"slices"

	"github.com/linode/linodego"
)

// FirewallDevice is what a firewall protects.
type FirewallDevice struct {
	EntityID int    `pulumi:"entityId"`
	ID       int    `pulumi:"id"`
	Label    string `pulumi:"label"`
	Type     string `pulumi:"type"`
	URL      string `pulumi:"url"`
}

func devicesOf(devices []linodego.FirewallDevice) []FirewallDevice {
	result := make([]FirewallDevice, len(devices))
	for i, d := range devices {
		result[i] = FirewallDevice{d.Entity.ID, d.ID, d.Entity.Label, string(d.Entity.Type), d.Entity.URL}
	}
	return result
}

// idsOn are the IDs of the devices of one kind, in order.
func idsOn(devices []linodego.FirewallDevice, kind linodego.FirewallDeviceType) []int {
	var ids []int
	for _, d := range devices {
		if d.Entity.Type == kind {
			ids = append(ids, d.Entity.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// updateDevices adds and removes devices of the kinds that are declared.
func (in FirewallArgs) updateDevices(ctx context.Context, client *linodego.Client, firewall int) error {
	devices, err := client.ListFirewallDevices(ctx, firewall, nil)
	if err != nil {
		return fmt.Errorf("reading the devices of firewall %s: %w", in.Label, err)
	}
	declared := map[linodego.FirewallDeviceType][]int{
		linodego.FirewallDeviceLinode: in.Linodes, linodego.FirewallDeviceNodeBalancer: in.NodeBalancers,
	}
	for _, d := range devices {
		ids := declared[d.Entity.Type]
		if ids == nil || slices.Contains(ids, d.Entity.ID) {
			continue
		}
		if err := client.DeleteFirewallDevice(ctx, firewall, d.ID); err != nil {
			return fmt.Errorf("taking %s %d out of firewall %s: %w", d.Entity.Type, d.Entity.ID, in.Label, err)
		}
	}
	for kind, ids := range declared {
		for _, id := range ids {
			if slices.Contains(idsOn(devices, kind), id) {
				continue
			}
			_, err := client.CreateFirewallDevice(ctx, firewall, linodego.FirewallDeviceCreateOptions{ID: id, Type: kind})
			if err != nil {
				return fmt.Errorf("putting %s %d behind firewall %s: %w", kind, id, in.Label, err)
			}
		}
	}
	return nil
}
