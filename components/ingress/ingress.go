// Package ingress declares the way into the cluster: an ingress controller behind one NodeBalancer, which knows its visitors by
// their real addresses and lets nobody past the CDN.
package ingress

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
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

	name string
	// service is the ID of the Service that the NodeBalancer belongs to, known when the release is there in its present form.
	service pulumi.IDOutput
}

// kind is what tells one controller from the other.
type kind struct {
	chart charts.Chart
	class string
	// service is the chart's name for the Service.
	service string
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
	c := &Controller{name: name}
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
	if c.Identity, err = c.newIdentity(ctx, name, ns.Name); err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	release, err := c.newRelease(ctx, args, k, ns.Name)
	if err != nil {
		return nil, fmt.Errorf("ingress: declaring the release: %w", err)
	}
	// The URN is known in a preview, unlike the ID.
	c.ClassName = release.URN().ApplyT(func(pulumi.URN) string { return k.class }).(pulumi.StringOutput)
	c.service = release.ID().ApplyT(func(pulumi.ID) pulumi.ID {
		return pulumi.ID(namespace.Ingress + "/" + k.service)
	}).(pulumi.IDOutput)
	return c, component.Done(ctx, c, pulumi.Map{"className": c.ClassName})
}

func (c *Controller) newRelease(
	ctx *pulumi.Context, args *Args, k kind, space pulumi.StringOutput,
) (*charts.Release, error) {
	identity := c.Identity
	if args.IsOpen() {
		identity = nil
	}
	options := []pulumi.ResourceOption{pulumi.Parent(c)}
	if k.confined {
		rights, err := c.newRights(ctx, args, k, space)
		if err != nil {
			return nil, fmt.Errorf("declaring its rights: %w", err)
		}
		options = append(options, pulumi.DependsOn(rights))
	}
	if args.bypassed() {
		options = append(options, pulumi.IgnoreChanges(k.forwarders))
	}
	return charts.NewRelease(ctx, c.name+"-"+k.class, &charts.ReleaseArgs{
		Chart: k.chart, Name: k.chart.Name, Namespace: space,
		Values: k.values(args, newBalancer(args), identity), Overrides: args.Values,
	}, options...)
}

// Addresses reads the addresses of the NodeBalancer. They are known when the controller is there in its present form, so that the
// Service says by then whom the NodeBalancer's firewall lets in.
func (c *Controller) Addresses(ctx *pulumi.Context) (ipv4, ipv6 pulumi.StringOutput, err error) {
	service, err := corev1.GetService(ctx, c.name, c.service, nil, pulumi.Parent(c))
	if err != nil {
		return ipv4, ipv6, fmt.Errorf("ingress: reading the Service: %w", err)
	}
	ipv4 = service.Status.LoadBalancer().Ingress().Index(pulumi.Int(0)).ApplyT(address).(pulumi.StringOutput)
	// The Service does not tell the other one.
	ipv6 = linode.GetNodebalancersOutput(ctx, linode.GetNodebalancersOutputArgs{
		Filters: linode.GetNodebalancersFilterArray{linode.GetNodebalancersFilterArgs{
			Name: pulumi.String("ipv4"), Values: pulumi.StringArray{ipv4},
		}},
	}).Nodebalancers().Index(pulumi.Int(0)).Ipv6()
	return ipv4, ipv6, nil
}

// quad is an IPv4 address, also as Linode writes it into names: 192-0-2-1.ip.linodeusercontent.com.
var quad = regexp.MustCompile(`(\d+)[.-](\d+)[.-](\d+)[.-](\d+)`)

// address is what a NodeBalancer is reached at: where the Service tells no address, the name that it tells holds it.
func address(ingress corev1.LoadBalancerIngress) (string, error) {
	for _, told := range []*string{ingress.Ip, ingress.Hostname} {
		if told == nil {
			continue
		}
		if parts := quad.FindStringSubmatch(*told); parts != nil {
			return strings.Join(parts[1:], "."), nil
		}
	}
	return "", errors.New("ingress: the Service of the controller has no IPv4 address: kubectl -n " + namespace.Ingress +
		" get services")
}

// spread puts replicas on different nodes, each version counted for itself. A node that takes no pods does not count: were it
// to, a drain on a small cluster would leave no place for the replica that it moves.
func spread(labels map[string]string) pulumi.Array {
	return pulumi.Array{pulumi.Map{
		"maxSkew":           pulumi.Int(1),
		"topologyKey":       pulumi.String("kubernetes.io/hostname"),
		"whenUnsatisfiable": pulumi.String("DoNotSchedule"),
		"nodeTaintsPolicy":  pulumi.String("Honor"),
		"matchLabelKeys":    pulumi.ToStringArray([]string{"pod-template-hash"}),
		"labelSelector":     pulumi.Map{"matchLabels": pulumi.ToStringMap(labels)},
	}}
}

// pods are the values that both charts know by the same name.
func pods(labels map[string]string, cpu, memory string) pulumi.Map {
	return pulumi.Map{
		"resources":                 kube.Requests(cpu, memory),
		"tolerations":               kube.TolerationValues(),
		"topologySpreadConstraints": spread(labels),
		// The application cannot be reached without them.
		"priorityClassName": pulumi.String(kube.PriorityApp),
	}
}
