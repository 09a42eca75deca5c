package lke

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// firewallNamespace is where Linode's token for the cluster lies, which the firewall controller works with.
const firewallNamespace = "kube-system"

// nodeNetwork is the private network that all nodes of LKE are in.
const nodeNetwork = "192.168.128.0/17"

// newFirewall declares one Linode Cloud Firewall around all nodes, those to come included. Linode's controller keeps it, with
// the rules that LKE itself needs; everything else from outside but pings is dropped, so that NodeBalancers are the only way in.
//
// The rules are given as values of the controller's chart, which makes the CloudFirewall object of them: a controller that
// finds none on its start makes an object of that very name itself, and one declared beside the chart would come too late.
// Upstream: https://github.com/linode/cloud-firewall-controller
func (c *Cluster) newFirewall(ctx *pulumi.Context, name string) error {
	crds, err := charts.NewRelease(ctx, name+"-firewall-crds", &charts.ReleaseArgs{
		Chart: charts.CloudFirewallCRDs, Name: "cloud-firewall-crd", Namespace: pulumi.String(firewallNamespace),
	}, pulumi.Parent(c), pulumi.Provider(c.Provider))
	if err != nil {
		return err
	}
	_, err = charts.NewRelease(ctx, name+"-firewall", &charts.ReleaseArgs{
		Chart: charts.CloudFirewall, Name: "cloud-firewall", Namespace: pulumi.String(firewallNamespace),
		Values: pulumi.Map{
			"firewall": pulumi.Map{"inbound": pulumi.Array{
				// Beyond LKE's own rules: Prometheus reads the state of the nodes from a port of theirs.
				allow("allow-node-exporter", "Prometheus node exporter", "9100"),
			}},
			"tolerations": kube.TolerationValues(),
		},
	}, pulumi.Parent(c), pulumi.Provider(c.Provider), pulumi.DependsOn([]pulumi.Resource{crds}))
	return err
}

// allow lets nodes and pods reach a TCP port of the nodes.
func allow(label, description, port string) pulumi.Map {
	return pulumi.Map{
		"label":       pulumi.String(label),
		"description": pulumi.String(description),
		"action":      pulumi.String("ACCEPT"),
		"protocol":    pulumi.String("TCP"),
		"ports":       pulumi.String(port),
		"addresses":   pulumi.Map{"ipv4": pulumi.ToStringArray([]string{nodeNetwork})},
	}
}
