package app

import (
	"slices"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// newIngress routes the hosts to the Service. It is there when the ingress controller has given it an address.
func (a *App) newIngress(ctx *pulumi.Context, name string, args *Args) (*networkingv1.Ingress, error) {
	return networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(),
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.IngressClass,
			Rules: kube.IngressRules(args.Hosts, networkingv1.IngressServiceBackendArgs{
				Name: a.serviceName, Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(portName)},
			}),
			// Whoever asks for the origin by its own name is shown a certificate for that, whichever host he wants.
			Tls: kube.IngressTLS(append(slices.Clone(args.Hosts), args.OriginHost), args.Certificates),
		},
	}, pulumi.Parent(a))
}
