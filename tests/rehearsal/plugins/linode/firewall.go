package linode

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Firewall is a Cloud Firewall: https://www.pulumi.com/registry/packages/linode/api-docs/firewall/
type Firewall struct{}

// FirewallArgs are the inputs.
type FirewallArgs struct {
	Disabled       *bool          `pulumi:"disabled,optional"`
	InboundPolicy  string         `pulumi:"inboundPolicy"` // ACCEPT or DROP
	Inbounds       []FirewallRule `pulumi:"inbounds,optional"`
	Label          string         `pulumi:"label"`
	Linodes        []int          `pulumi:"linodes,optional"`
	NodeBalancers  []int          `pulumi:"nodebalancers,optional"`
	OutboundPolicy string         `pulumi:"outboundPolicy"` // ACCEPT or DROP
	Outbounds      []FirewallRule `pulumi:"outbounds,optional"`
	Tags           []string       `pulumi:"tags,optional"`
}

// FirewallRule accepts or drops what comes from, or goes to, some networks.
type FirewallRule struct {
	Action      string   `pulumi:"action"` // ACCEPT or DROP
	Description *string  `pulumi:"description,optional"`
	IPv4s       []string `pulumi:"ipv4s,optional"`
	IPv6s       []string `pulumi:"ipv6s,optional"`
	Label       string   `pulumi:"label"`
	Ports       *string  `pulumi:"ports,optional"` // such as 80, 443-445
	Protocol    string   `pulumi:"protocol"`       // TCP, UDP, ICMP or IPENCAP
}

// FirewallState is what the firewall is like.
type FirewallState struct {
	FirewallArgs

	Created string           `pulumi:"created"`
	Devices []FirewallDevice `pulumi:"devices"`
	Status  string           `pulumi:"status"`
	Updated string           `pulumi:"updated"`
}

// Annotate sets the token.
func (r *Firewall) Annotate(a infer.Annotator) { a.SetToken("index/firewall", "Firewall") }

// Create creates the firewall and puts it in front of its devices.
func (*Firewall) Create(
	ctx context.Context, req infer.CreateRequest[FirewallArgs],
) (resp infer.CreateResponse[FirewallState], err error) {
	in, client := req.Inputs, clientOf(ctx)
	resp.Output.FirewallArgs = in
	if req.DryRun {
		return resp, nil
	}
	firewall, err := client.CreateFirewall(ctx, linodego.FirewallCreateOptions{
		Label: in.Label, Tags: in.Tags, Rules: in.rules(),
		Devices: linodego.DevicesCreationOptions{Linodes: in.Linodes, NodeBalancers: in.NodeBalancers},
	})
	if err != nil {
		return resp, fmt.Errorf("creating firewall %s: %w", in.Label, err)
	}
	resp.ID, resp.Output.Devices = strconv.Itoa(firewall.ID), []FirewallDevice{}
	if value(in.Disabled) {
		_, err = client.UpdateFirewall(ctx, firewall.ID, linodego.FirewallUpdateOptions{Status: linodego.FirewallDisabled})
	}
	if err == nil {
		resp.Output, err = readFirewall(ctx, client, firewall.ID)
	}
	if err != nil { // what there is must not be forgotten
		return resp, infer.ResourceInitFailedError{Reasons: []string{err.Error()}}
	}
	return resp, nil
}

func (in FirewallArgs) rules() linodego.FirewallRuleSet {
	return linodego.FirewallRuleSet{
		Inbound: ruleOptions(in.Inbounds), InboundPolicy: in.InboundPolicy,
		Outbound: ruleOptions(in.Outbounds), OutboundPolicy: in.OutboundPolicy,
	}
}

func ruleOptions(rules []FirewallRule) []linodego.FirewallRule {
	options := make([]linodego.FirewallRule, len(rules))
	for i, rule := range rules {
		options[i] = linodego.FirewallRule{
			Action: rule.Action, Label: rule.Label, Description: value(rule.Description), Ports: value(rule.Ports),
			Protocol:  linodego.NetworkProtocol(rule.Protocol),
			Addresses: linodego.NetworkAddresses{IPv4: &rule.IPv4s, IPv6: &rule.IPv6s},
		}
	}
	return options
}

func rulesOf(rules []linodego.FirewallRule) []FirewallRule {
	var result []FirewallRule
	for _, rule := range rules {
		result = append(result, FirewallRule{
			Action: rule.Action, Description: some(rule.Description), IPv4s: value(rule.Addresses.IPv4),
			IPv6s: value(rule.Addresses.IPv6), Label: rule.Label, Ports: some(rule.Ports), Protocol: string(rule.Protocol),
		})
	}
	return result
}

func readFirewall(ctx context.Context, client *linodego.Client, id int) (s FirewallState, err error) {
	firewall, err := client.GetFirewall(ctx, id)
	if err != nil {
		return s, fmt.Errorf("reading firewall %d: %w", id, err)
	}
	devices, err := client.ListFirewallDevices(ctx, id, nil)
	if err != nil {
		return s, fmt.Errorf("reading the devices of firewall %d: %w", id, err)
	}
	rules := firewall.Rules
	return FirewallState{
		FirewallArgs: FirewallArgs{
			Disabled: new(firewall.Status == linodego.FirewallDisabled), Label: firewall.Label, Tags: filled(firewall.Tags),
			InboundPolicy: rules.InboundPolicy, Inbounds: rulesOf(rules.Inbound),
			OutboundPolicy: rules.OutboundPolicy, Outbounds: rulesOf(rules.Outbound),
			Linodes:       idsOn(devices, linodego.FirewallDeviceLinode),
			NodeBalancers: idsOn(devices, linodego.FirewallDeviceNodeBalancer),
		},
		Created: firewall.Created.Format(time.RFC3339), Devices: devicesOf(devices), Status: string(firewall.Status),
		Updated: firewall.Updated.Format(time.RFC3339),
	}, nil
}

// Read gives the firewall as it is. Devices of a kind that is not declared are none of its business: a cloud controller
// may have added them.
func (*Firewall) Read(
	ctx context.Context, req infer.ReadRequest[FirewallArgs, FirewallState],
) (resp infer.ReadResponse[FirewallArgs, FirewallState], err error) {
	id, err := number(req.ID, "a firewall")
	if err != nil {
		return resp, err
	}
	state, err := readFirewall(ctx, clientOf(ctx), id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, err
	}
	resp.ID, resp.State, resp.Inputs = req.ID, state, drifted(req.Inputs, req.State.FirewallArgs, state.FirewallArgs)
	if req.Inputs.Linodes == nil {
		resp.Inputs.Linodes = nil
	}
	if req.Inputs.NodeBalancers == nil {
		resp.Inputs.NodeBalancers = nil
	}
	return resp, nil
}

// Update changes the firewall, its rules and its devices.
func (*Firewall) Update(
	ctx context.Context, req infer.UpdateRequest[FirewallArgs, FirewallState],
) (resp infer.UpdateResponse[FirewallState], err error) {
	in, client := req.Inputs, clientOf(ctx)
	resp.Output = req.State
	if req.DryRun {
		resp.Output.FirewallArgs = foreseen(in, req.State.FirewallArgs)
		return resp, nil
	}
	id, err := number(req.ID, "a firewall")
	if err != nil {
		return resp, err
	}
	status := linodego.FirewallEnabled
	if value(in.Disabled) {
		status = linodego.FirewallDisabled
	}
	tags := append([]string{}, in.Tags...)
	_, err = client.UpdateFirewall(ctx, id, linodego.FirewallUpdateOptions{Label: in.Label, Status: status, Tags: &tags})
	if err != nil {
		return resp, fmt.Errorf("changing firewall %s: %w", in.Label, err)
	}
	if _, err := client.UpdateFirewallRules(ctx, id, in.rules()); err != nil {
		return resp, fmt.Errorf("changing the rules of firewall %s: %w", in.Label, err)
	}
	if err := in.updateDevices(ctx, client, id); err != nil {
		return resp, err
	}
	resp.Output, err = readFirewall(ctx, client, id)
	return resp, err
}

// Delete deletes the firewall. Its devices stay, unprotected.
// What is gone already is an error, as it is for the official provider.
func (*Firewall) Delete(ctx context.Context, req infer.DeleteRequest[FirewallState]) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "a firewall")
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteFirewall(ctx, id); err != nil {
		return resp, fmt.Errorf("deleting firewall %s: %w", req.State.Label, err)
	}
	return resp, nil
}
