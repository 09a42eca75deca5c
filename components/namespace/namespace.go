// Package namespace declares a namespace into which nothing gets that is not allowed: pods keep to a Pod Security standard,
// and their ports are closed but for those that are opened by name.
package namespace

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/component"
)

// Standard is what pods of the namespace may do.
// Upstream: https://kubernetes.io/docs/concepts/security/pod-security-standards/
type Standard string

// The standards, strictest first.
const (
	Restricted Standard = "restricted"
	Baseline   Standard = "baseline"
	Privileged Standard = "privileged"
)

// The namespaces that others open ports to: of the ingress controller, which requests of visitors come from, and of Prometheus,
// which asks for metrics.
const (
	Ingress    = "ingress"
	Monitoring = "monitoring"
)

// CheckFree refuses the name of a namespace that is Kubernetes' own, or taken by the platform.
func CheckFree(path *field.Path, name string, taken ...string) field.ErrorList {
	if slices.Contains(taken, name) || strings.HasPrefix(name, "kube-") || name == "default" {
		return field.ErrorList{field.Forbidden(path, "the namespace of this name is the platform's")}
	}
	return nil
}

// Args describes a namespace.
type Args struct {
	// Name of the namespace.
	Name string
	// Standard is enforced on every pod. Required.
	Standard Standard
	// Open lists the ports that may be reached. Between pods of the namespace all ports are open.
	Open []Opening
	// Bound lists the pods that may not connect to everything. All others may.
	Bound []Bound
}

// Bound keeps pods that have no business on the internet to their own namespace and the cluster's DNS.
type Bound struct {
	// Name says whom; it names the policy.
	Name string
	// Pods are the labels of the pods.
	Pods map[string]string
	// Ports are the numbers of ports that they may reach anywhere.
	Ports []int
}

// APIServer are the ports of the API server, whose address no policy could name: that of its Service, and its own.
var APIServer = []int{443, 6443}

// Opening lets requests in.
type Opening struct {
	// Name says what for; it names the policy.
	Name string
	// Pods are the labels of the pods that may be reached; nil means all of the namespace.
	Pods map[string]string
	// Namespaces are those that requests may come from; nil means anywhere: the API server and a NodeBalancer, which
	// webhooks and ingress controllers hear from, are no pods that a policy could name.
	Namespaces []string
	// Ports are the numbers or the names of the ports; nil means all.
	Ports []any
}

// Namespace is a namespace with its policies.
type Namespace struct {
	pulumi.ResourceState

	// Name is known when the policies are in force.
	Name pulumi.StringOutput `pulumi:"name"`
}

// New declares a namespace.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Namespace, error) {
	n := &Namespace{}
	if err := ctx.RegisterComponentResource("lke-platform:namespace:Namespace", name, n, opts...); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	namespace, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(args.Name),
			Labels: pulumi.StringMap{
				"pod-security.kubernetes.io/enforce": pulumi.String(args.Standard),
				"app.kubernetes.io/part-of":          pulumi.String("lke-platform"),
				"app.kubernetes.io/managed-by":       pulumi.String("pulumi"),
			},
		},
	}, pulumi.Parent(n))
	if err != nil {
		return nil, fmt.Errorf("namespace: declaring %s: %w", args.Name, err)
	}
	known := []any{namespace.Metadata.Name().Elem()}
	// Without a port or a peer in it, this policy closes everything and opens the namespace to itself.
	within := Opening{Name: "default-deny", Namespaces: []string{args.Name}}
	for _, opening := range append([]Opening{within}, args.Open...) {
		policy, err := n.newPolicy(ctx, name, namespace, opening)
		if err != nil {
			return nil, fmt.Errorf("namespace: declaring policy %s of %s: %w", opening.Name, args.Name, err)
		}
		known = append(known, policy.URN())
	}
	for _, bound := range args.Bound {
		policy, err := n.newBound(ctx, name, namespace, bound, args.Name)
		if err != nil {
			return nil, fmt.Errorf("namespace: declaring policy %s of %s: %w", bound.Name, args.Name, err)
		}
		known = append(known, policy.URN())
	}
	n.Name = pulumi.All(known...).ApplyT(func(known []any) string { return known[0].(string) }).(pulumi.StringOutput)
	return n, component.Done(ctx, n, pulumi.Map{"name": n.Name})
}

func (n *Namespace) newPolicy(
	ctx *pulumi.Context, name string, namespace *corev1.Namespace, opening Opening,
) (*networkingv1.NetworkPolicy, error) {
	rule := networkingv1.NetworkPolicyIngressRuleArgs{}
	if len(opening.Namespaces) > 0 {
		rule.From = peers(opening.Namespaces)
	}
	if len(opening.Ports) > 0 {
		ports := networkingv1.NetworkPolicyPortArray{}
		for _, port := range opening.Ports {
			ports = append(ports, networkingv1.NetworkPolicyPortArgs{Port: pulumi.Any(port)})
		}
		rule.Ports = ports
	}
	return networkingv1.NewNetworkPolicy(ctx, name+"-"+opening.Name, &networkingv1.NetworkPolicyArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(opening.Name), Namespace: namespace.Metadata.Name()},
		Spec: networkingv1.NetworkPolicySpecArgs{
			PodSelector: metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(opening.Pods)},
			PolicyTypes: pulumi.ToStringArray([]string{"Ingress"}),
			Ingress:     networkingv1.NetworkPolicyIngressRuleArray{rule},
		},
	}, pulumi.Parent(n))
}

func (n *Namespace) newBound(
	ctx *pulumi.Context, name string, namespace *corev1.Namespace, bound Bound, own string,
) (*networkingv1.NetworkPolicy, error) {
	const dns = 53
	port := func(protocol string, number int) networkingv1.NetworkPolicyPortArgs {
		return networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String(protocol), Port: pulumi.Int(number)}
	}
	ports := networkingv1.NetworkPolicyPortArray{port("UDP", dns), port("TCP", dns)}
	for _, number := range bound.Ports {
		ports = append(ports, port("TCP", number))
	}
	return networkingv1.NewNetworkPolicy(ctx, name+"-"+bound.Name, &networkingv1.NetworkPolicyArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(bound.Name), Namespace: namespace.Metadata.Name()},
		Spec: networkingv1.NetworkPolicySpecArgs{
			PodSelector: metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(bound.Pods)},
			PolicyTypes: pulumi.ToStringArray([]string{"Egress"}),
			Egress: networkingv1.NetworkPolicyEgressRuleArray{
				networkingv1.NetworkPolicyEgressRuleArgs{To: peers([]string{own})},
				networkingv1.NetworkPolicyEgressRuleArgs{Ports: ports},
			},
		},
	}, pulumi.Parent(n))
}

func peers(namespaces []string) networkingv1.NetworkPolicyPeerArray {
	var peers networkingv1.NetworkPolicyPeerArray
	for _, name := range namespaces {
		peers = append(peers, networkingv1.NetworkPolicyPeerArgs{NamespaceSelector: metav1.LabelSelectorArgs{
			MatchLabels: pulumi.StringMap{"kubernetes.io/metadata.name": pulumi.String(name)},
		}})
	}
	return peers
}
