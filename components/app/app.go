// Package app declares a web application: a Deployment that never drops below its replicas, with the Service, the Ingress,
// the PodDisruptionBudget and the Secret that belong to it.
package app

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// App is a web application behind an Ingress.
type App struct {
	pulumi.ResourceState

	// ServiceName is the Service in front of the replicas, on port 80.
	ServiceName pulumi.StringOutput `pulumi:"serviceName"`
}

// portName ties probes, Service and Ingress to the container's port.
const portName = "http"

// New declares an application.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*App, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("app: %w", faults.ToAggregate())
	}
	a := &App{}
	if err := ctx.RegisterComponentResource("lke-platform:app:App", name, a, opts...); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	secret, err := a.newSecret(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Secret: %w", err)
	}
	if err := a.newDeployment(ctx, name, args, secret); err != nil {
		return nil, fmt.Errorf("app: declaring the Deployment: %w", err)
	}
	if err := a.newDisruptionBudget(ctx, name, args); err != nil {
		return nil, fmt.Errorf("app: declaring the PodDisruptionBudget: %w", err)
	}
	service, err := a.newService(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Service: %w", err)
	}
	a.ServiceName = service.Metadata.Name().Elem()
	if err := a.newIngress(ctx, name, args); err != nil {
		return nil, fmt.Errorf("app: declaring the Ingress: %w", err)
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{"serviceName": a.ServiceName})
}

// newSecret holds the secret environment. It is immutable and named by the engine, so that a changed value is a new Secret,
// which rolls the Deployment.
func (a *App) newSecret(ctx *pulumi.Context, name string, args *Args) (*corev1.Secret, error) {
	metadata := args.metadata()
	metadata.Name = nil
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   metadata,
		Immutable:  pulumi.Bool(true),
		StringData: args.SecretValues,
	}, pulumi.Parent(a))
}

func (a *App) newDisruptionBudget(ctx *pulumi.Context, name string, args *Args) error {
	_, err := policyv1.NewPodDisruptionBudget(ctx, name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			// Not minAvailable: with one replica that would block every drain of its node.
			MaxUnavailable: pulumi.Int(1),
			Selector:       args.selector(),
			// A replica that is not ready protects nothing, and must not block a drain.
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(a))
	return err
}

func (a *App) newService(ctx *pulumi.Context, name string, args *Args) (*corev1.Service, error) {
	return corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: args.metadata(),
		Spec: corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: kube.SelectorLabels(args.Name),
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String(portName), Port: pulumi.Int(80), TargetPort: pulumi.String(portName),
			}},
		},
	}, pulumi.Parent(a))
}

func (a *App) newIngress(ctx *pulumi.Context, name string, args *Args) error {
	metadata := args.metadata()
	// The Ingress only asks for routing: nothing in the graph reads an address from it.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	rules := networkingv1.IngressRuleArray{}
	for _, host := range args.Hosts {
		rules = append(rules, networkingv1.IngressRuleArgs{
			Host: pulumi.String(host),
			Http: networkingv1.HTTPIngressRuleValueArgs{Paths: networkingv1.HTTPIngressPathArray{
				networkingv1.HTTPIngressPathArgs{
					Path:     pulumi.String("/"),
					PathType: pulumi.String("Prefix"),
					Backend: networkingv1.IngressBackendArgs{Service: networkingv1.IngressServiceBackendArgs{
						Name: a.ServiceName,
						Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(portName)},
					}},
				},
			}},
		})
	}
	_, err := networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: metadata,
		Spec:     networkingv1.IngressSpecArgs{IngressClassName: args.IngressClass, Rules: rules},
	}, pulumi.Parent(a))
	return err
}

// metadata is that of every object of the application.
func (a *Args) metadata() *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{Name: pulumi.String(a.Name), Namespace: a.Namespace, Labels: kube.Labels(a.Name, "web")}
}

func (a *Args) selector() *metav1.LabelSelectorArgs {
	return &metav1.LabelSelectorArgs{MatchLabels: kube.SelectorLabels(a.Name)}
}
