package lke

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
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
// The CloudFirewall object is a resource of the graph rather than a value of the controller's chart, so that it is deleted while
// the controller is still there: nobody else deletes the firewall and lets go of the object.
// Upstream: https://github.com/linode/cloud-firewall-controller
func (c *Cluster) newFirewall(ctx *pulumi.Context, name string, pools []pulumi.Resource) error {
	crds, err := charts.NewRelease(ctx, name+"-firewall-crds", &charts.ReleaseArgs{
		Chart: charts.CloudFirewallCRDs, Name: "cloud-firewall-crd", Namespace: pulumi.String(firewallNamespace),
	}, pulumi.Parent(c), pulumi.Provider(c.Provider))
	if err != nil {
		return err
	}
	controller, err := charts.NewRelease(ctx, name+"-firewall", &charts.ReleaseArgs{
		Chart: charts.CloudFirewall, Name: "cloud-firewall", Namespace: pulumi.String(firewallNamespace),
		Values: pulumi.Map{"tolerations": kube.TolerationValues()},
	}, pulumi.Parent(c), pulumi.Provider(c.Provider), pulumi.DependsOn([]pulumi.Resource{crds}))
	if err != nil {
		return err
	}
	// A controller that finds no CloudFirewall on its start makes one of this very name, with LKE's rules only.
	adopting, err := c.newProvider(ctx, name+"-firewall", pools, true)
	if err != nil {
		return err
	}
	_, err = apiextensions.NewCustomResource(ctx, name+"-firewall", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("networking.linode.com/alpha1v1"),
		Kind:       pulumi.String("CloudFirewall"),
		Metadata: &metav1.ObjectMetaArgs{
			Name:        pulumi.String("primary"),
			Namespace:   pulumi.String(firewallNamespace),
			Labels:      kube.Labels("cloud-firewall", "firewall"),
			Annotations: pulumi.StringMap{"pulumi.com/waitFor": pulumi.String("jsonpath={.status['firewall-id']}")},
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{"ruleset": pulumi.Map{"inbound": pulumi.Array{
			// Beyond LKE's own rules: Prometheus reads the state of the nodes from a port of theirs.
			allow("allow-node-exporter", "Prometheus node exporter", "9100"),
		}}}},
	}, pulumi.Parent(c), pulumi.Provider(adopting), pulumi.DependsOn([]pulumi.Resource{controller}))
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
