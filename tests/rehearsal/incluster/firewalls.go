package incluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/linode/linodego"
	corev1 "k8s.io/api/core/v1"
)

const (
	// addressesPerRule and rulesPerFirewall are limits of the Linode API.
	addressesPerRule = 255
	rulesPerFirewall = 25
)

// firewall returns the ID of the firewall that a new NodeBalancer shall have, made for it where its Service has an access
// list; 0 for none.
func (b *loadBalancers) firewall(ctx context.Context, label string, s *corev1.Service) (int, error) {
	if id, err := number(s, "firewall-id", 0); id != 0 || err != nil {
		return id, err
	}
	if annotation(s, "firewall-acl") == "" {
		return 0, nil
	}
	rules, err := accessRules(s)
	if err != nil {
		return 0, err
	}
	all, err := b.linode.ListFirewalls(ctx, nil)
	if err != nil {
		return 0, err
	}
	for _, existing := range all { // what an attempt left that got no further
		if existing.Label == label {
			return existing.ID, nil
		}
	}
	created, err := b.linode.CreateFirewall(ctx, linodego.FirewallCreateOptions{Label: label, Rules: rules})
	if err != nil {
		return 0, err
	}
	return created.ID, nil
}

// updateFirewall brings the firewall of a NodeBalancer in line with its Service.
func (b *loadBalancers) updateFirewall(ctx context.Context, s *corev1.Service, n *linodego.NodeBalancer) error {
	attached, err := b.linode.ListNodeBalancerFirewalls(ctx, n.ID, nil)
	if err != nil {
		return err
	}
	asked, err := number(s, "firewall-id", 0)
	switch {
	case err != nil:
		return err
	case len(attached) > 1:
		return fmt.Errorf("NodeBalancer %d has %d firewalls, of which none can be told to be the Service's", n.ID, len(attached))
	case len(attached) == 1 && asked == 0 && annotation(s, "firewall-acl") != "":
		return b.updateRules(ctx, s, attached[0])
	case len(attached) == 1 && asked == attached[0].ID:
		return nil
	case len(attached) == 1:
		if err := b.detach(ctx, attached[0].ID, n.ID, asked == 0); err != nil {
			return err
		}
	}
	id, err := b.firewall(ctx, *n.Label, s)
	if id == 0 || err != nil {
		return err
	}
	device := linodego.FirewallDeviceCreateOptions{ID: n.ID, Type: linodego.FirewallDeviceNodeBalancer}
	_, err = b.linode.CreateFirewallDevice(ctx, id, device)
	return err
}

func (b *loadBalancers) updateRules(ctx context.Context, s *corev1.Service, attached linodego.Firewall) error {
	rules, err := accessRules(s)
	if err != nil {
		return err
	}
	same := func(one, other linodego.FirewallRule) bool {
		return one.Action == other.Action && one.Ports == other.Ports &&
			slices.Equal(addresses(one.Addresses.IPv4), addresses(other.Addresses.IPv4)) &&
			slices.Equal(addresses(one.Addresses.IPv6), addresses(other.Addresses.IPv6))
	}
	if rules.InboundPolicy == attached.Rules.InboundPolicy && slices.EqualFunc(rules.Inbound, attached.Rules.Inbound, same) {
		return nil
	}
	_, err = b.linode.UpdateFirewallRules(ctx, attached.ID, rules)
	return err
}

// detach takes a NodeBalancer from a firewall, and deletes the firewall when asked to and nobody else uses it.
func (b *loadBalancers) detach(ctx context.Context, firewall, nodeBalancer int, deleteUnused bool) error {
	devices, err := b.linode.ListFirewallDevices(ctx, firewall, nil)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d linodego.FirewallDevice) bool {
		return d.Entity.Type == linodego.FirewallDeviceNodeBalancer && d.Entity.ID == nodeBalancer
	})
	if i >= 0 {
		if err := b.linode.DeleteFirewallDevice(ctx, firewall, devices[i].ID); err != nil {
			return err
		}
	}
	if deleteUnused && len(devices) <= 1 {
		return b.linode.DeleteFirewall(ctx, firewall)
	}
	return nil
}

// deleteFirewall deletes the firewall of a NodeBalancer unless somebody else uses it too. It stays attached until then: one that
// is not would be found by nobody, should this end in between.
func (b *loadBalancers) deleteFirewall(ctx context.Context, nodeBalancer int) error {
	attached, err := b.linode.ListNodeBalancerFirewalls(ctx, nodeBalancer, nil)
	if err != nil || len(attached) == 0 {
		return err
	}
	devices, err := b.linode.ListFirewallDevices(ctx, attached[0].ID, nil)
	if err != nil || len(devices) > 1 {
		return err
	}
	return b.linode.DeleteFirewall(ctx, attached[0].ID)
}

// accessRules returns the rules that the annotation firewall-acl asks for: an allowList lets nothing else in, a denyList lets
// everything else in.
func accessRules(s *corev1.Service) (rules linodego.FirewallRuleSet, err error) {
	var lists struct {
		AllowList *linodego.NetworkAddresses `json:"allowList"`
		DenyList  *linodego.NetworkAddresses `json:"denyList"`
	}
	if err := json.Unmarshal([]byte(annotation(s, "firewall-acl")), &lists); err != nil {
		return rules, fmt.Errorf("annotation %sfirewall-acl: %w", annotationPrefix, err)
	}
	if (lists.AllowList == nil) == (lists.DenyList == nil) {
		return rules, fmt.Errorf("annotation %sfirewall-acl: either an allowList or a denyList is wanted", annotationPrefix)
	}
	list, action := lists.AllowList, "ACCEPT"
	rules.InboundPolicy, rules.OutboundPolicy = "DROP", "ACCEPT"
	if list == nil {
		list, action, rules.InboundPolicy = lists.DenyList, "DROP", "ACCEPT"
	}
	for _, part := range split(*list) {
		label := action + "-" + s.Name
		rules.Inbound = append(rules.Inbound, linodego.FirewallRule{
			Action: action, Label: label[:min(len(label), 32)], Protocol: linodego.TCP, Ports: ports(s), Addresses: part,
		})
	}
	if len(rules.Inbound) > rulesPerFirewall {
		return rules, errors.New("the addresses of firewall-acl are too many for one firewall")
	}
	return rules, nil
}

func ports(s *corev1.Service) string {
	var list []string
	for _, port := range s.Spec.Ports {
		list = append(list, strconv.Itoa(int(port.Port)))
	}
	return strings.Join(list, ",")
}

// split divides addresses into parts that fit a rule each.
func split(all linodego.NetworkAddresses) []linodego.NetworkAddresses {
	if len(addresses(all.IPv4))+len(addresses(all.IPv6)) <= addressesPerRule {
		return []linodego.NetworkAddresses{all}
	}
	var parts []linodego.NetworkAddresses
	for part := range slices.Chunk(addresses(all.IPv4), addressesPerRule) {
		parts = append(parts, linodego.NetworkAddresses{IPv4: &part})
	}
	for part := range slices.Chunk(addresses(all.IPv6), addressesPerRule) {
		parts = append(parts, linodego.NetworkAddresses{IPv6: &part})
	}
	return parts
}

func addresses(list *[]string) []string {
	if list == nil {
		return nil
	}
	return *list
}
