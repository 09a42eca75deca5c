// Package delivery brings new versions of the app into the cluster: pinned in the stack file, for which nothing runs in the
// cluster, or by Keel, which is told of pushes by the registry and asks besides.
package delivery

import (
	"errors"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Keel watches a registry for new versions of the app's image, and rolls them out to the Deployments that run it.
type Keel struct {
	pulumi.ResourceState

	// Ready is what lets the webhook's calls in.
	Ready []pulumi.Resource
}

const (
	// keelName is what the chart calls its Service, its port and its ServiceAccount.
	keelName = "keel"
	// keelPort serves webhooks, metrics and more that is nobody's business outside.
	keelPort = 9300
)

// NamespaceName is the name of Keel's namespace.
const NamespaceName = keelName

// NewNamespace declares Keel's namespace. It comes first, since the certificate for Keel's host is made in it, and the ingress
// controller is let into it.
func NewNamespace(ctx *pulumi.Context, opts ...pulumi.ResourceOption) (*namespace.Namespace, error) {
	return namespace.New(ctx, keelName, &namespace.Args{
		Name: keelName, Standard: namespace.Restricted,
		Open: []namespace.Opening{
			{Name: "webhook", Namespaces: []string{namespace.Ingress}, Ports: []any{keelPort}},
			{Name: "metrics", Namespaces: []string{namespace.Monitoring}, Ports: []any{keelPort}},
		},
	}, opts...)
}

// New declares Keel; pinned delivery needs nothing.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Keel, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("delivery: %w", faults.ToAggregate())
	}
	if !args.Keel() {
		return nil, errors.New("delivery: nothing to declare, the mode is " + args.Mode)
	}
	if args.WebhookPassword == nil {
		return nil, errors.New("delivery: the webhook's password has no value")
	}
	k := &Keel{}
	if err := ctx.RegisterComponentResource("lke-platform:delivery:Keel", name, k, opts...); err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	account, err := k.newAccount(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("delivery: declaring the webhook's account: %w", err)
	}
	permission, err := k.newPermission(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("delivery: declaring Keel's permissions: %w", err)
	}
	release, err := charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart: charts.Keel, Name: keelName, Namespace: args.Namespace,
		Values: args.values(account.Metadata.Name()), Overrides: args.Values,
	}, pulumi.Parent(k), pulumi.DependsOn([]pulumi.Resource{permission}))
	if err != nil {
		return nil, fmt.Errorf("delivery: declaring the release: %w", err)
	}
	ingress, err := k.newIngress(ctx, name, args, release)
	if err != nil {
		return nil, fmt.Errorf("delivery: declaring the Ingress: %w", err)
	}
	k.Ready = []pulumi.Resource{ingress}
	err = kube.NewServiceMonitor(ctx, name, args.metadata(), pulumi.StringMap{"app": pulumi.String(keelName)},
		pulumi.Map{"port": pulumi.String(keelName), "path": pulumi.String("/metrics")}, pulumi.Parent(k))
	if err != nil {
		return nil, fmt.Errorf("delivery: declaring the ServiceMonitor: %w", err)
	}
	return k, component.Done(ctx, k, pulumi.Map{})
}

// newAccount holds the user and the password that the webhook's caller has to show. It is immutable and named by the engine, so
// that a changed password restarts Keel.
func (k *Keel) newAccount(ctx *pulumi.Context, name string, args *Args) (*corev1.Secret, error) {
	metadata := args.metadata()
	metadata.Name = nil
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:  metadata,
		Immutable: pulumi.Bool(true),
		StringData: pulumi.StringMap{
			"BASIC_AUTH_USER":     pulumi.String(args.Webhook.User),
			"BASIC_AUTH_PASSWORD": args.WebhookPassword,
			// Signs the tokens that are as good as the password. Keel would make one up from the time it started at.
			"TOKEN_SECRET": args.WebhookPassword,
		},
	}, pulumi.Parent(k))
}

// newPermission lets Keel see the workloads of the app's namespace, and change those of its image. The chart's own role would let
// it read all Secrets and change all workloads of the cluster.
func (k *Keel) newPermission(ctx *pulumi.Context, name string, args *Args) (*rbacv1.RoleBinding, error) {
	metadata := args.metadata()
	metadata.Namespace = args.AppNamespace
	role, err := rbacv1.NewRole(ctx, name, &rbacv1.RoleArgs{Metadata: metadata, Rules: args.rules()}, pulumi.Parent(k))
	if err != nil {
		return nil, err
	}
	return rbacv1.NewRoleBinding(ctx, name, &rbacv1.RoleBindingArgs{
		Metadata: metadata,
		RoleRef: rbacv1.RoleRefArgs{
			ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String("Role"), Name: role.Metadata.Name().Elem(),
		},
		Subjects: rbacv1.SubjectArray{rbacv1.SubjectArgs{
			Kind: pulumi.String("ServiceAccount"), Name: pulumi.String(keelName), Namespace: args.Namespace,
		}},
	}, pulumi.Parent(k))
}

func (a *Args) rules() rbacv1.PolicyRuleArray {
	rule := func(group, resource string, names pulumi.StringArray, verbs ...string) rbacv1.PolicyRuleArgs {
		return rbacv1.PolicyRuleArgs{
			ApiGroups: pulumi.ToStringArray([]string{group}), Resources: pulumi.ToStringArray([]string{resource}),
			ResourceNames: names, Verbs: pulumi.ToStringArray(verbs),
		}
	}
	rules := rbacv1.PolicyRuleArray{
		// Keel watches all kinds that can hold an image, whether there are any or not.
		rule("apps", "deployments", nil, "list", "watch"),
		rule("apps", "statefulsets", nil, "list", "watch"),
		rule("apps", "daemonsets", nil, "list", "watch"),
		rule("batch", "cronjobs", nil, "list", "watch"),
		rule("apps", "deployments", a.Deployments, "update"),
		// Tells which digest runs.
		rule("", "pods", nil, "list"),
	}
	if a.PullSecret != nil {
		rules = append(rules, rule("", "secrets", pulumi.StringArray{a.PullSecret}, "get"))
	}
	return rules
}

// newIngress routes the webhook's path to Keel, and nothing else.
func (k *Keel) newIngress(
	ctx *pulumi.Context, name string, args *Args, release *charts.Release,
) (*networkingv1.Ingress, error) {
	spec := networkingv1.IngressSpecArgs{
		IngressClassName: args.IngressClass,
		Rules: networkingv1.IngressRuleArray{networkingv1.IngressRuleArgs{
			Host: pulumi.String(args.Host),
			Http: networkingv1.HTTPIngressRuleValueArgs{Paths: networkingv1.HTTPIngressPathArray{
				networkingv1.HTTPIngressPathArgs{
					Path:     pulumi.String(args.webhookPath()),
					PathType: pulumi.String("Exact"),
					Backend: networkingv1.IngressBackendArgs{Service: networkingv1.IngressServiceBackendArgs{
						Name: pulumi.String(keelName),
						Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(keelName)},
					}},
				},
			}},
		}},
	}
	if args.TLSSecret != nil {
		spec.Tls = kube.IngressTLS([]string{args.Host}, pulumi.StringMap{args.Host: args.TLSSecret})
	}
	return networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(), Spec: spec,
	}, pulumi.Parent(k), pulumi.DependsOn([]pulumi.Resource{release}))
}

// values are those of the chart that differ from its own.
func (a *Args) values(account pulumi.StringPtrInput) pulumi.Map {
	resources := kube.Requests("20m", "64Mi")
	// The chart limits CPU to 100m. A value can be raised from here, but not taken away.
	resources["limits"] = pulumi.StringMap{"cpu": pulumi.String("1"), "memory": pulumi.String("128Mi")}
	return pulumi.Map{
		"image":        pulumi.Map{"pullPolicy": pulumi.String("IfNotPresent")},
		"helmProvider": pulumi.Map{"enabled": pulumi.Bool(false)},
		"polling":      pulumi.Map{"enabled": pulumi.Bool(true), "defaultSchedule": pulumi.String(a.PollSchedule)},
		"service":      pulumi.Map{"enabled": pulumi.Bool(true), "type": pulumi.String("ClusterIP")},
		// Not basicauth: it wants the password among the values. The Secret is Keel's environment, user and password included.
		"secret": pulumi.Map{"create": pulumi.Bool(false), "name": account},
		"extraEnv": pulumi.Array{
			pulumi.Map{"name": pulumi.String("AUTHENTICATED_WEBHOOKS"), "value": pulumi.String("true")},
			pulumi.Map{"name": pulumi.String("RESTRICTED_NAMESPACE"), "value": a.AppNamespace},
		},
		"rbac":      pulumi.Map{"clusterRole": pulumi.Map{"create": pulumi.Bool(false)}},
		"resources": resources,
		"podSecurityContext": pulumi.Map{
			"runAsNonRoot":   pulumi.Bool(true),
			"seccompProfile": pulumi.Map{"type": pulumi.String("RuntimeDefault")},
		},
		"containerSecurityContext": pulumi.Map{
			"allowPrivilegeEscalation": pulumi.Bool(false),
			"capabilities":             pulumi.Map{"drop": pulumi.Array{pulumi.String("ALL")}},
		},
		"tolerations": kube.TolerationValues(),
	}
}

// metadata is that of Keel's objects that the chart does not make.
func (a *Args) metadata() *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(keelName), Namespace: a.Namespace, Labels: kube.Labels(keelName, "delivery"),
	}
}
