package app

import (
	"cmp"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// newIngress routes the hosts to the Services of the processes. It is there when the ingress controller has given it an address.
func (a *App) newIngress(
	ctx *pulumi.Context, name string, args *Args, processes []*process, services []pulumi.StringOutput,
) (*networkingv1.Ingress, error) {
	tls := kube.IngressTLS(args.AllHosts(), args.Certificates)
	if args.OriginCertificate != nil { // needs no rule: visitors ask for other hosts
		tls = append(tls, networkingv1.IngressTLSArgs{
			Hosts: pulumi.ToStringArray([]string{args.OriginHost}), SecretName: args.OriginCertificate.ToStringOutput(),
		})
	}
	return networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(),
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.IngressClass, Rules: rules(args.Hosts, processes, services), Tls: tls,
		},
	}, pulumi.Parent(a))
}

// rules route the application's hosts, and those of single processes.
func rules(hosts []string, processes []*process, services []pulumi.StringOutput) networkingv1.IngressRuleArray {
	var shared []networkingv1.HTTPIngressPathInput
	var own networkingv1.IngressRuleArray
	for i, process := range processes {
		if !process.serves() {
			continue
		}
		path := kube.IngressPath(cmp.Or(process.Path, "/"), networkingv1.IngressServiceBackendArgs{
			Name: services[i], Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(portName)},
		})
		switch {
		case process.Name == webName || len(process.Hosts) == 0 && process.Path != "":
			shared = append(shared, path)
		case len(process.Hosts) > 0:
			own = append(own, kube.IngressRules(process.Hosts, path)...)
		}
	}
	return append(kube.IngressRules(hosts, shared...), own...)
}
