package monitoring

import (
	"fmt"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// IngressArgs says how Grafana is reached from outside.
type IngressArgs struct {
	// Host is the public name, as in Args.GrafanaHost.
	Host string
	// Class is that of the ingress controller.
	Class pulumi.StringInput
	// TLSSecret names the Secret with the certificate for Host, in the Stack's namespace; nil leaves TLS to the ingress
	// controller.
	TLSSecret pulumi.StringInput
}

// NewIngress lets visitors in to Grafana. It is not part of the Stack, and takes the provider as an option: ingress controller
// and certificate come after the Stack, and what depends on the Stack should not wait for them.
func (s *Stack) NewIngress(
	ctx *pulumi.Context, name string, args *IngressArgs, opts ...pulumi.ResourceOption,
) (*networkingv1.Ingress, error) {
	var tls networkingv1.IngressTLSArray
	if args.TLSSecret != nil {
		tls = kube.IngressTLS([]string{args.Host}, pulumi.StringMap{args.Host: args.TLSSecret})
	}
	ingress, err := networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String("grafana"), Namespace: s.Namespace, Labels: kube.Labels("grafana", "dashboards"),
			// Nothing in the graph reads an address from it.
			Annotations: pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")},
		},
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.Class,
			Rules: kube.IngressRules([]string{args.Host}, kube.IngressPath("/", networkingv1.IngressServiceBackendArgs{
				Name: pulumi.String(grafanaService), Port: networkingv1.ServiceBackendPortArgs{Number: pulumi.Int(80)},
			})),
			Tls: tls,
		},
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("monitoring: declaring the Ingress of Grafana: %w", err)
	}
	return ingress, nil
}
