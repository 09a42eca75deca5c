package ingress

import (
	"encoding/json"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/network"
)

// linodePrefix begins the annotations of a LoadBalancer Service that Linode heeds.
// Upstream: https://github.com/linode/linode-cloud-controller-manager/blob/main/docs/configuration/annotations.md
const linodePrefix = "service.beta.kubernetes.io/linode-loadbalancer-"

// balancer is the NodeBalancer in front of the controller. What the NodeBalancer is told, through annotations of the Service,
// and what the controller is told of it stand here together, because they have to agree: where one of them speaks the PROXY
// protocol and the other does not, every request fails.
type balancer struct {
	// annotations are those of the Service.
	annotations pulumi.Map
	// proxies are the networks whose word, in the PROXY protocol, on who connected is taken.
	proxies []string
	// forwarders are the networks whose word, in X-Forwarded-For, on who the visitor is is taken.
	forwarders pulumi.StringArrayOutput
}

// proxies are the networks that a NodeBalancer's connections can come from: its own; the nodes', and the pods', because a node
// passes connections on to replicas on other nodes under an address of its own.
var proxies = []string{"192.168.255.0/24", "192.168.128.0/17", "10.2.0.0/16"}

func newBalancer(args *Args) *balancer {
	b := &balancer{proxies: proxies, forwarders: pulumi.StringArray{}.ToStringArrayOutput()}
	if args.FastlyRanges != nil {
		b.forwarders = args.FastlyRanges.ToStringArrayOutput()
	}
	b.annotations = pulumi.Map{
		linodePrefix + "default-proxy-protocol": pulumi.String("v2"),
		// Behind a CDN all visitors come from few addresses, so that a limit per address would be one for all of them.
		linodePrefix + "throttle": pulumi.String("0"),
		// The Service shows the NodeBalancer's name, and no address beside it: requests from inside the cluster to the address
		// would never leave their node, and come without the PROXY header that nginx insists on.
		linodePrefix + "hostname-only-ingress": pulumi.String("true"),
		linodePrefix + "tags":                  pulumi.String(args.tag()),
		// A node that is lost is missed within ten seconds, in the worst case.
		linodePrefix + "check-interval": pulumi.String("3"),
		linodePrefix + "check-timeout":  pulumi.String("2"),
		linodePrefix + "check-attempts": pulumi.String("2"),
	}
	if !args.IsOpen() {
		b.annotations[linodePrefix+"firewall-acl"] = b.forwarders.ApplyT(func(fastly []string) (string, error) {
			return accessList(slices.Concat(fastly, args.Allow))
		})
	}
	return b
}

// accessList is the rule of the NodeBalancer's firewall: these networks, and nobody else.
func accessList(networks []string) (string, error) {
	type addresses struct {
		IPv4 []string `json:"ipv4,omitempty"`
		IPv6 []string `json:"ipv6,omitempty"`
	}
	ipv4, ipv6 := network.Families(networks)
	list, err := json.Marshal(map[string]addresses{"allowList": {ipv4, ipv6}})
	return string(list), err
}
