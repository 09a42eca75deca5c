// Package ingress declares the way into the cluster: an ingress controller behind one NodeBalancer, which knows its visitors by
// their real addresses and lets nobody past the CDN.
package ingress

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Controller is an ingress controller behind a NodeBalancer.
type Controller struct {
	pulumi.ResourceState

	// ClassName is the class that Ingress objects name. It is known when the NodeBalancer has its address, so that Ingress
	// objects come after the controller and go before it.
	ClassName pulumi.StringOutput `pulumi:"className"`
	// Identity is what the CDN has to show, unless everybody may connect.
	Identity *Identity

	// tag is that of the NodeBalancer, known when the release is there in its present form.
	tag pulumi.StringOutput
}

// kind is what tells one controller from the other.
type kind struct {
	chart charts.Chart
	class string
	// labels find the controller's pods, of which webPorts and metricsPort are ports, by name.
	labels      map[string]string
	webPorts    []any
	metricsPort any
	// values are those of the chart. Without an identity nobody is asked for one.
	values func(*Args, *balancer, *Identity) pulumi.Map
	// confined says that newRights grants its rights, and not its chart.
	confined bool
	// forwarders are the paths of the values that name Fastly's networks.
	forwarders []string
}

func (a *Args) kind() kind {
	if a.Controller == NGINX {
		return nginx
	}
	return traefik
}

// New declares a controller. cert-manager has to be there: its caller depends on it.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Controller, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("ingress: %w", faults.ToAggregate())
	}
	if args.FastlyRanges == nil && len(args.Allow) == 0 && !args.IsOpen() {
		return nil, errors.New("ingress: nobody could connect: neither Fastly's ranges nor other networks are allowed")
	}
	if args.Kubeconfig == nil {
		return nil, errors.New("ingress: the kubeconfig is needed, to read the certificate that the CDN shows")
	}
	if args.Label == "" {
		return nil, errors.New("ingress: the NodeBalancer needs a label that tells it from those of other stacks")
	}
	c := &Controller{}
	if err := ctx.RegisterComponentResource("lke-platform:ingress:Controller", name, c, opts...); err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	k := args.kind()
	// What belongs to one kind is named after it: where the kind changes, the new controller is there before the old one goes.
	ns, err := namespace.New(ctx, name, &namespace.Args{
		Name: namespace.Ingress, Standard: namespace.Restricted,
		Open: []namespace.Opening{
			{Name: k.class + "-web", Pods: k.labels, Ports: k.webPorts},
			{Name: k.class + "-metrics", Pods: k.labels, Namespaces: []string{namespace.Monitoring}, Ports: []any{k.metricsPort}},
		},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, fmt.Errorf("ingress: declaring the namespace: %w", err)
	}
	if c.Identity, err = c.newIdentity(ctx, name, ns.Name, args.Kubeconfig); err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	release, err := c.newRelease(ctx, name, args, k, ns.Name)
	if err != nil {
		return nil, fmt.Errorf("ingress: declaring the release: %w", err)
	}
	// The URN is known in a preview, unlike the ID.
	c.ClassName = release.URN().ApplyT(func(pulumi.URN) string { return k.class }).(pulumi.StringOutput)
	c.tag = release.ID().ApplyT(func(pulumi.ID) string { return args.tag() }).(pulumi.StringOutput)
	return c, component.Done(ctx, c, pulumi.Map{"className": c.ClassName})
}

func (c *Controller) newRelease(
	ctx *pulumi.Context, name string, args *Args, k kind, space pulumi.StringOutput,
) (*charts.Release, error) {
	identity := c.Identity
	if args.IsOpen() || args.Anonymous {
		identity = nil
	}
	options := []pulumi.ResourceOption{pulumi.Parent(c)}
	if k.confined {
		rights, err := c.newRights(ctx, name, args, k, space)
		if err != nil {
			return nil, fmt.Errorf("declaring its rights: %w", err)
		}
		options = append(options, pulumi.DependsOn(rights))
	}
	if args.bypassed() {
		options = append(options, pulumi.IgnoreChanges(k.forwarders))
	}
	return charts.NewRelease(ctx, name+"-"+k.class, &charts.ReleaseArgs{
		Chart: k.chart, Name: k.chart.Name, Namespace: space,
		Values: k.values(args, newBalancer(args), identity), Overrides: args.Values,
	}, options...)
}

// Addresses are those of the NodeBalancer, as Linode tells them. They are known when the controller is there in its present form:
// by then the Service says whom the NodeBalancer's firewall lets in. The Service itself is not asked. It does not tell the IPv6
// address, and a look at it fails while none of its pods is ready, so that no run could mend that.
func (c *Controller) Addresses(ctx *pulumi.Context) (ipv4, ipv6 pulumi.StringOutput) {
	found := linode.GetNodebalancersOutput(ctx, linode.GetNodebalancersOutputArgs{
		Filters: linode.GetNodebalancersFilterArray{linode.GetNodebalancersFilterArgs{
			Name: pulumi.String("tags"), Values: pulumi.StringArray{c.tag},
		}},
	}).Nodebalancers()
	balancer := pulumi.All(found, c.tag).ApplyT(func(known []any) linode.GetNodebalancersNodebalancer {
		if balancers := known[0].([]linode.GetNodebalancersNodebalancer); len(balancers) > 0 {
			return balancers[0]
		}
		// No error: a destroy that is begun again comes here too.
		_ = ctx.Log.Warn(fmt.Sprintf("ingress: no NodeBalancer has the tag %s; see kubectl -n %s describe services",
			known[1], namespace.Ingress), nil)
		return linode.GetNodebalancersNodebalancer{}
	}).(linode.GetNodebalancersNodebalancerOutput)
	return balancer.Ipv4(), balancer.Ipv6()
}

// IsThere tells whether a NodeBalancer has been made, of this controller or of the one before it.
func (a *Args) IsThere(ctx *pulumi.Context) (bool, error) {
	found, err := linode.GetNodebalancers(ctx, &linode.GetNodebalancersArgs{
		Filters: []linode.GetNodebalancersFilter{{Name: "tags", Values: []string{a.tagOf(traefik), a.tagOf(nginx)}}},
	})
	return err == nil && len(found.Nodebalancers) > 0, err
}

// A controller runs on every node, and a node passes connections on to its own: a node that is lost takes with it what came to it
// and nothing else, until the NodeBalancer misses it. Only while its own is not there does a node pass on to others, which
// externalTrafficPolicy: Local would never do.
// Upstream: https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution
const onEveryNode, sameNode = "DaemonSet", "PreferSameNode"

// updateStrategy has the new controller of a node answer before the old one goes, on all nodes at once: a bypass waits for it.
func updateStrategy() pulumi.Map {
	return pulumi.Map{
		"type":          pulumi.String("RollingUpdate"),
		"rollingUpdate": pulumi.Map{"maxSurge": pulumi.String("100%"), "maxUnavailable": pulumi.Int(0)},
	}
}

// pods are the values that both charts know by the same name.
func (a *Args) pods(cpu, memory string) pulumi.Map {
	return pulumi.Map{
		"resources":   kube.Requests(cpu, memory),
		"tolerations": a.tolerations(),
		// The application cannot be reached without them.
		"priorityClassName": pulumi.String(kube.PriorityApp),
	}
}

// tolerations are of what pools keep away, as the NodeBalancer sends connections to their nodes too. A node that is lost is not
// tolerated: Helm would wait for a controller there until it gives up, and undo the release, that of a bypass above all.
func (a *Args) tolerations() pulumi.Array {
	tolerations := pulumi.Array{}
	for _, taint := range a.Taints {
		tolerations = append(tolerations, pulumi.Map{
			"key": pulumi.String(taint.Key), "operator": pulumi.String("Equal"), "value": pulumi.String(taint.Value),
			"effect": pulumi.String(taint.Effect),
		})
	}
	return tolerations
}
