package linode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

func allowList(networks ...string) linodego.FirewallRuleSet {
	return linodego.FirewallRuleSet{
		InboundPolicy: "DROP", OutboundPolicy: "ACCEPT", Inbound: []linodego.FirewallRule{{
			Action: "ACCEPT", Label: "ACCEPT-traefik", Description: "Created by linode-ccm: ccm-1, for traefik", Protocol: linodego.TCP,
			Ports: "80,443", Addresses: linodego.NetworkAddresses{IPv4: &networks},
		}},
	}
}

// ports are the configurations that the cloud controller makes of a Service with two ports.
func ports(nodes []linode.Node) []*linodego.NodeBalancerConfigCreateOptions {
	var configs []*linodego.NodeBalancerConfigCreateOptions
	for port, nodePort := range map[int]int{80: 30080, 443: 30443} {
		config := &linodego.NodeBalancerConfigCreateOptions{
			Port: port, Protocol: linodego.ProtocolTCP, ProxyProtocol: linodego.ProxyProtocolV2, Check: linodego.CheckConnection,
			CheckInterval: 5, CheckTimeout: 3, CheckAttempts: 2, CheckPassive: new(true),
		}
		for _, node := range nodes {
			config.Nodes = append(config.Nodes, linodego.NodeBalancerNodeCreateOptions{
				Address: fmt.Sprintf("%s:%d", node.PrivateIP, nodePort), Label: node.Name, Weight: 100, Mode: linodego.ModeAccept,
			})
		}
		configs = append(configs, config)
	}
	return configs
}

func TestALoadBalancerAsTheCloudControllerMakesIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("balanced", 2)
	firewall, err := r.CreateFirewall(ctx, linodego.FirewallCreateOptions{Label: "ccm-1", Rules: allowList("192.0.2.0/24")})
	require.NoError(t, err)
	balancer, err := r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{
		Label: new("ccm-1"), Region: "us-ord", ClientConnThrottle: new(0), Tags: []string{"lke1"}, FirewallID: firewall.ID,
		Configs: ports(r.planes.synced(cluster.ID)),
	})
	require.NoError(t, err)
	require.Equal(t, linodego.NBTypeCommon, balancer.Type)
	require.Equal(t, strings.ReplaceAll(*balancer.IPv4, ".", "-")+".ip.linodeusercontent.com", *balancer.Hostname)
	found, err := r.ListNodeBalancers(ctx, &linodego.ListOptions{Filter: fmt.Sprintf(`{"ipv4":%q}`, *balancer.IPv4)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	firewalls, err := r.ListNodeBalancerFirewalls(ctx, balancer.ID, nil)
	require.NoError(t, err)
	require.Len(t, firewalls, 1)
	require.Equal(t, balancer.ID, firewalls[0].Entities[0].ID)

	configs, err := r.ListNodeBalancerConfigs(ctx, balancer.ID, nil)
	require.NoError(t, err)
	require.Len(t, configs, 2)
	config := configs[0]
	require.Equal(t, linodego.ProxyProtocolV2, config.ProxyProtocol)
	require.Equal(t, linodego.AlgorithmRoundRobin, config.Algorithm)
	require.Equal(t, linodego.NodeBalancerNodeStatus{Up: 2}, *config.NodesStatus)
	backends, err := r.ListNodeBalancerNodes(ctx, balancer.ID, config.ID, nil)
	require.NoError(t, err)
	require.Equal(t, "UP", backends[0].Status)

	// A node leaves: the controller rebuilds the port with those that stay and their IDs.
	rebuild := config.GetRebuildOptions()
	rebuild.Nodes = append(rebuild.Nodes, linodego.NodeBalancerConfigRebuildNodeOptions{
		NodeBalancerNodeCreateOptions: backends[1].GetCreateOptions(), ID: backends[1].ID,
	})
	_, err = r.RebuildNodeBalancerConfig(ctx, balancer.ID, config.ID, rebuild)
	require.NoError(t, err)
	left, err := r.ListNodeBalancerNodes(ctx, balancer.ID, config.ID, nil)
	require.NoError(t, err)
	require.Equal(t, backends[1:], left)

	require.NoError(t, r.DeleteNodeBalancerConfig(ctx, balancer.ID, configs[1].ID))
	udp, err := r.CreateNodeBalancerConfig(ctx, balancer.ID, linodego.NodeBalancerConfigCreateOptions{
		Port: config.Port, Protocol: linodego.ProtocolUDP, CheckPassive: new(false),
	})
	require.NoError(t, err, "a number serves TCP and UDP")
	require.Equal(t, linodego.StickinessSession, udp.Stickiness)
	node, err := r.CreateNodeBalancerNode(ctx, balancer.ID, udp.ID, linodego.NodeBalancerNodeCreateOptions{
		Address: "192.168.200.1:53", Label: "gone",
	})
	require.NoError(t, err)
	require.Equal(t, "DOWN", node.Status, "no Linode has this address")
	node, err = r.UpdateNodeBalancerNode(ctx, balancer.ID, udp.ID, node.ID, linodego.NodeBalancerNodeUpdateOptions{Weight: 7})
	require.NoError(t, err)
	require.Equal(t, 7, node.Weight)
	require.NoError(t, r.DeleteNodeBalancerNode(ctx, balancer.ID, udp.ID, node.ID))
	updated, err := r.UpdateNodeBalancer(ctx, balancer.ID, linodego.NodeBalancerUpdateOptions{Tags: &[]string{"a", "b"}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, updated.Tags)

	require.NoError(t, r.DeleteNodeBalancer(ctx, balancer.ID))
	devices, err := r.ListFirewallDevices(ctx, firewall.ID, nil)
	require.NoError(t, err)
	require.Empty(t, devices)
}

func TestLoadBalancersThatLinodeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	first, err := r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord"})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("balancer%d", first.ID), *first.Label)
	type config = linodego.NodeBalancerConfigCreateOptions
	backend := func(address string) []linodego.NodeBalancerNodeCreateOptions {
		return []linodego.NodeBalancerNodeCreateOptions{{Address: address, Label: "node"}}
	}
	for reason, bad := range map[string]config{
		"[configs[0].proxy_protocol] Only available for TCP":        {Port: 80, Protocol: "http", ProxyProtocol: "v2"},
		"[configs[0].ssl_cert] ssl_cert and ssl_key are required":   {Port: 443, Protocol: "https"},
		"[configs[0].port] Must be 1-65535":                         {Port: 70000},
		"[configs[0].check_path] check_path is required":            {Port: 80, Check: "http"},
		"[configs[0].check_interval] Must be 2-3600":                {Port: 80, CheckInterval: 1},
		"[configs[0].algorithm] Must be one of roundrobin":          {Port: 80, Algorithm: "random"},
		"[configs[0].nodes[0].address] Must be a private address":   {Port: 80, Nodes: backend("198.18.0.1:80")},
		"[configs[0].nodes[0].address] Must be a private address ":  {Port: 80, Nodes: backend("192.168.130.1")},
		"[configs[0].nodes[1].address] The address is already in u": {Port: 80, Nodes: append(backend("192.168.130.1:1"), backend("192.168.130.1:1")...)},
	} {
		_, err := r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord", Configs: []*config{&bad}})
		require.ErrorContains(t, err, reason)
	}
	for reason, bad := range map[string]linodego.NodeBalancerCreateOptions{
		"[label] Label must be unique":            {Label: first.Label, Region: "us-ord"},
		"[label] Must be 3-32 letters":            {Label: new("x"), Region: "us-ord"},
		"[region] region is not valid":            {Region: "us-moon"},
		"[client_conn_throttle] Must be 0-20":     {Region: "us-ord", ClientConnThrottle: new(21)},
		"[firewall_id] The firewall was not fou":  {Region: "us-ord", FirewallID: 1},
		"[ipv4] reserved addresses are not simul": {Region: "us-ord", IPv4: new("192.0.2.1")},
		"[configs[1].port] Port 80 is already in": {Region: "us-ord", Configs: []*config{{Port: 80}, {Port: 80}}},
	} {
		_, err := r.CreateNodeBalancer(ctx, bad)
		require.ErrorContains(t, err, reason)
	}
	balancers, err := r.ListNodeBalancers(ctx, nil)
	require.NoError(t, err)
	require.Len(t, balancers, 1)
}

func TestFirewalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	node := r.nodesReady(r.cluster("fenced", 1).ID, 1)[0].InstanceID
	firewall, err := r.CreateFirewall(ctx, linodego.FirewallCreateOptions{
		Label: "nodes", Rules: allowList("192.168.128.0/17"), Devices: linodego.DevicesCreationOptions{Linodes: []int{node}},
	})
	require.NoError(t, err)
	require.Equal(t, linodego.FirewallEnabled, firewall.Status)
	require.Equal(t, 1, firewall.Rules.Version)
	require.Nil(t, firewall.Rules.Outbound, "as it was sent")

	rules, err := r.UpdateFirewallRules(ctx, firewall.ID, allowList("192.168.128.0/17", "192.0.2.1/32"))
	require.NoError(t, err)
	require.Equal(t, 2, rules.Version)
	require.NotEqual(t, firewall.Rules.Fingerprint, rules.Fingerprint)
	rules, err = r.GetFirewallRules(ctx, firewall.ID)
	require.NoError(t, err)
	require.Len(t, *rules.Inbound[0].Addresses.IPv4, 2)

	second, err := r.CreateFirewall(ctx, linodego.FirewallCreateOptions{Label: "second", Rules: allowList()})
	require.NoError(t, err)
	device := linodego.FirewallDeviceCreateOptions{ID: node, Type: linodego.FirewallDeviceLinode}
	_, err = r.CreateFirewallDevice(ctx, second.ID, device)
	require.ErrorContains(t, err, "is already assigned to another enabled firewall, nodes")
	_, err = r.CreateFirewallDevice(ctx, firewall.ID, device)
	require.ErrorContains(t, err, "is already assigned to this firewall")
	_, err = r.UpdateFirewall(ctx, second.ID, linodego.FirewallUpdateOptions{Status: linodego.FirewallDisabled})
	require.NoError(t, err)
	added, err := r.CreateFirewallDevice(ctx, second.ID, device)
	require.NoError(t, err, "beside it there may be disabled ones")
	require.Equal(t, fmt.Sprintf("/v4/linode/instances/%d", node), added.Entity.URL)
	_, err = r.UpdateFirewall(ctx, second.ID, linodego.FirewallUpdateOptions{Status: linodego.FirewallEnabled})
	require.ErrorContains(t, err, "[status] linode")
	require.NoError(t, r.DeleteFirewallDevice(ctx, second.ID, added.ID))
	_, err = r.GetFirewallDevice(ctx, second.ID, added.ID)
	require.True(t, linodego.IsNotFound(err), err)

	require.NoError(t, r.DeleteInstance(ctx, node))
	devices, err := r.ListFirewallDevices(ctx, firewall.ID, nil)
	require.NoError(t, err)
	require.Empty(t, devices, "a Linode that is deleted leaves its firewalls")
}

func TestTheDefaultFirewallOfLoadBalancers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	firewall, err := r.CreateFirewall(ctx, linodego.FirewallCreateOptions{Label: "default", Rules: allowList()})
	require.NoError(t, err)
	id := &firewall.ID
	settings, err := r.UpdateFirewallSettings(ctx, linodego.FirewallSettingsUpdateOptions{
		DefaultFirewallIDs: &linodego.DefaultFirewallIDsOptions{NodeBalancer: &id},
	})
	require.NoError(t, err)
	require.Equal(t, linodego.DefaultFirewallIDs{NodeBalancer: id}, settings.DefaultFirewallIDs)
	balancer, err := r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord"})
	require.NoError(t, err)
	firewalls, err := r.ListNodeBalancerFirewalls(ctx, balancer.ID, nil)
	require.NoError(t, err)
	require.Len(t, firewalls, 1)
	require.ErrorContains(t, r.DeleteFirewall(ctx, firewall.ID), "The firewall is the default for nodebalancer")

	var none *int
	_, err = r.UpdateFirewallSettings(ctx, linodego.FirewallSettingsUpdateOptions{
		DefaultFirewallIDs: &linodego.DefaultFirewallIDsOptions{NodeBalancer: &none},
	})
	require.NoError(t, err)
	require.NoError(t, r.DeleteFirewall(ctx, firewall.ID))
}

func TestFirewallsThatLinodeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rule := func(change func(*linodego.FirewallRule)) linodego.FirewallRuleSet {
		rules := allowList("192.0.2.0/24")
		change(&rules.Inbound[0])
		return rules
	}
	for reason, rules := range map[string]linodego.FirewallRuleSet{
		"[rules.inbound_policy] Must be one of ACCEPT, DROP": {OutboundPolicy: "ACCEPT"},
		"[rules.inbound[0].addresses.ipv4] 192.0.2.1 is not": allowList("192.0.2.1"),
		"[rules.inbound[0].addresses] A rule can have at mo": allowList(strings.Fields(strings.Repeat("192.0.2.1/32 ", 256))...),
		"[rules.inbound[0].ports] Ports are not allowed for": rule(func(r *linodego.FirewallRule) { r.Protocol = "ICMP" }),
		"[rules.inbound[0].ports] Must be ports and ranges ": rule(func(r *linodego.FirewallRule) { r.Ports = "http" }),
		"[rules.inbound[0].protocol] Must be one of TCP, UD": rule(func(r *linodego.FirewallRule) { r.Protocol = "tcp" }),
		"[rules.inbound[0].action] Must be one of ACCEPT, D": rule(func(r *linodego.FirewallRule) { r.Action = "DENY" }),
		"[rules.inbound[0].label] Length must be 3-32 chara": rule(func(r *linodego.FirewallRule) { r.Label = "" }),
		"[rules.inbound] A firewall can have at most 25 rul": {InboundPolicy: "DROP", OutboundPolicy: "ACCEPT",
			Inbound: make([]linodego.FirewallRule, 26)},
	} {
		_, err := r.CreateFirewall(t.Context(), linodego.FirewallCreateOptions{Label: "bad", Rules: rules})
		require.ErrorContains(t, err, reason)
	}
	devices := linodego.DevicesCreationOptions{NodeBalancers: []int{1}}
	_, err := r.CreateFirewall(t.Context(), linodego.FirewallCreateOptions{Label: "bad", Rules: allowList(), Devices: devices})
	require.ErrorContains(t, err, "There is no nodebalancer 1")
}

func TestWhatADeletedClusterLeavesIsStillPaidFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("left", 1)
	node := r.nodesReady(cluster.ID, 1)[0].InstanceID
	_, err := r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord"})
	require.NoError(t, err)
	_, err = r.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord", Type: linodego.NBTypePremium})
	require.NoError(t, err)
	_, err = r.AttachVolume(ctx, r.volume("pvc-1", 10).ID, &linodego.VolumeAttachOptions{LinodeID: node})
	require.NoError(t, err)
	r.volume("pvc-2", 20)
	for _, label := range []string{"media", "backups"} {
		_, err = r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{Region: "us-ord", Label: label})
		require.NoError(t, err)
	}
	require.NoError(t, r.DeleteLKECluster(ctx, cluster.ID))
	require.Eventually(t, func() bool {
		_, err := r.GetLKECluster(ctx, cluster.ID)
		return linodego.IsNotFound(err)
	}, soon, instant)

	want := []linode.CostLine{
		{What: "common NodeBalancers in us-ord", Count: 1, EachUSD: 10, TotalUSD: 10},
		{What: "premium NodeBalancers in us-ord", Count: 1, EachUSD: 150, TotalUSD: 150},
		{What: "GB of volumes in us-ord", Count: 30, EachUSD: 0.1, TotalUSD: 3},
		{What: "Object Storage", Count: 1, EachUSD: 5, TotalUSD: 5},
	}
	cost := r.api.MonthlyCost()
	require.Len(t, cost, len(want))
	for i, line := range cost {
		require.InDelta(t, want[i].TotalUSD, line.TotalUSD, 0.001)
		line.TotalUSD = want[i].TotalUSD
		require.Equal(t, want[i], line)
	}
	reopened := open(t, r.dir, r.planes)
	require.Equal(t, cost, reopened.api.MonthlyCost(), "also after a restart")
}
