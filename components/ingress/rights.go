package ingress

import (
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// watched are the namespaces that a confined controller looks into: those that it serves, and its own, for its Service.
func (a *Args) watched() []string {
	return slices.Sorted(maps.Keys(a.served(nil)))
}

func (a *Args) served(own pulumi.StringInput) map[string]pulumi.StringInput {
	served := maps.Clone(a.Serves)
	if served == nil {
		served = map[string]pulumi.StringInput{}
	}
	served[namespace.Ingress] = own
	return served
}

// newRights lets a controller read what it routes by, and Secrets in the namespaces that it serves only. Its chart would let it
// read those of all namespaces, and it is what faces the internet.
func (c *Controller) newRights(
	ctx *pulumi.Context, name string, args *Args, k kind, space pulumi.StringInput,
) ([]pulumi.Resource, error) {
	name, labels := name+"-"+k.class, kube.Labels(k.class, "rights")
	account := rbacv1.SubjectArray{rbacv1.SubjectArgs{
		Kind: pulumi.String("ServiceAccount"), Name: pulumi.String(k.chart.Name), Namespace: space,
	}}
	general, err := c.newRole(ctx, name, labels, routing())
	if err != nil {
		return nil, err
	}
	binding, err := rbacv1.NewClusterRoleBinding(ctx, name, &rbacv1.ClusterRoleBindingArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: labels}, RoleRef: general, Subjects: account,
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	certificates, err := c.newRole(ctx, name+"-certificates", labels,
		rbacv1.PolicyRuleArray{rule("", "secrets", "get", "list", "watch")})
	if err != nil {
		return nil, err
	}
	rights := []pulumi.Resource{binding}
	served := args.served(space)
	for _, in := range slices.Sorted(maps.Keys(served)) {
		binding, err := rbacv1.NewRoleBinding(ctx, name+"-"+in, &rbacv1.RoleBindingArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: served[in], Labels: labels},
			RoleRef:  certificates, Subjects: account,
		}, pulumi.Parent(c))
		if err != nil {
			return nil, err
		}
		rights = append(rights, binding)
	}
	return rights, nil
}

// newRole declares rights, and returns what refers to them.
func (c *Controller) newRole(
	ctx *pulumi.Context, name string, labels pulumi.StringMap, rules rbacv1.PolicyRuleArray,
) (rbacv1.RoleRefArgs, error) {
	role, err := rbacv1.NewClusterRole(ctx, name, &rbacv1.ClusterRoleArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: labels}, Rules: rules,
	}, pulumi.Parent(c))
	if err != nil {
		return rbacv1.RoleRefArgs{}, err
	}
	return rbacv1.RoleRefArgs{
		ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String("ClusterRole"),
		Name: role.Metadata.Name().Elem(),
	}, nil
}

// routing is what Traefik's provider of Ingress objects reads, and the one thing that it writes.
func routing() rbacv1.PolicyRuleArray {
	const networking = "networking.k8s.io"
	return rbacv1.PolicyRuleArray{
		rule("", "services", "get", "list", "watch"),
		rule("", "nodes", "get", "list", "watch"),
		rule("", "namespaces", "list", "watch"),
		rule("discovery.k8s.io", "endpointslices", "list", "watch"),
		rule(networking, "ingressclasses", "get", "list", "watch"),
		rule(networking, "ingresses", "get", "list", "watch"),
		rule(networking, "ingresses/status", "update"),
	}
}

func rule(group, resource string, verbs ...string) rbacv1.PolicyRuleArgs {
	return rbacv1.PolicyRuleArgs{
		ApiGroups: pulumi.ToStringArray([]string{group}), Resources: pulumi.ToStringArray([]string{resource}),
		Verbs: pulumi.ToStringArray(verbs),
	}
}
