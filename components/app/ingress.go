package app

import (
	"maps"
	"slices"
	"strings"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newIngress routes the hosts to the Service. It is there when the ingress controller has given it an address.
func (a *App) newIngress(ctx *pulumi.Context, name string, args *Args) (*networkingv1.Ingress, error) {
	backend := networkingv1.IngressBackendArgs{Service: networkingv1.IngressServiceBackendArgs{
		Name: a.ServiceName, Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String(portName)},
	}}
	rules := networkingv1.IngressRuleArray{}
	for _, host := range args.Hosts {
		rules = append(rules, networkingv1.IngressRuleArgs{
			Host: pulumi.String(host),
			Http: networkingv1.HTTPIngressRuleValueArgs{Paths: networkingv1.HTTPIngressPathArray{
				networkingv1.HTTPIngressPathArgs{
					Path: pulumi.String("/"), PathType: pulumi.String("Prefix"), Backend: backend,
				},
			}},
		})
	}
	return networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(),
		Spec:     networkingv1.IngressSpecArgs{IngressClassName: args.IngressClass, Rules: rules, Tls: args.tls()},
	}, pulumi.Parent(a))
}

// tls groups the hosts by the certificate that is valid for them.
func (a *Args) tls() networkingv1.IngressTLSArray {
	hosts := map[string][]string{}
	for _, host := range a.Hosts {
		if domain, found := a.certificateFor(host); found {
			hosts[domain] = append(hosts[domain], host)
		}
	}
	var tls networkingv1.IngressTLSArray
	for _, domain := range slices.Sorted(maps.Keys(hosts)) {
		tls = append(tls, networkingv1.IngressTLSArgs{
			Hosts: pulumi.ToStringArray(hosts[domain]), SecretName: a.Certificates[domain].ToStringOutput(),
		})
	}
	return tls
}

// certificateFor returns the domain whose certificate is valid for a host: the host itself or what it stands right below, as a
// wildcard covers one label.
func (a *Args) certificateFor(host string) (domain string, found bool) {
	_, above, _ := strings.Cut(host, ".")
	for _, domain := range []string{host, above} {
		if _, found := a.Certificates[domain]; found {
			return domain, true
		}
	}
	return "", false
}
