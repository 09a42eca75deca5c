package app

import (
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// newIngress routes the hosts to the Service. It is there when the ingress controller has given it an address.
func (a *App) newIngress(ctx *pulumi.Context, name string, args *Args) (*networkingv1.Ingress, error) {
	tls := kube.IngressTLS(args.Hosts, args.Certificates)
	if args.OriginCertificate != nil { // needs no rule: visitors ask for other hosts
		tls = append(tls, networkingv1.IngressTLSArgs{
			Hosts: pulumi.ToStringArray([]string{args.OriginHost}), SecretName: args.OriginCertificate.ToStringOutput(),
		})
	}
	return networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(),
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.IngressClass,
			Rules: kube.IngressRules(args.Hosts, networkingv1.IngressServiceBackendArgs{
				Name: a.serviceName, Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(portName)},
			}),
			Tls: tls,
		},
	}, pulumi.Parent(a))
}
