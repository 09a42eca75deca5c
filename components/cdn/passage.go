package cdn

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// Passage serves what another server has at the ingress controller, so that visitors have it during a bypass too: media, straight
// from the bucket, and what backends answer. As long as names lead to Fastly, nobody asks it.
type Passage struct {
	pulumi.ResourceState

	// Ready is what to wait for.
	Ready []pulumi.Resource
}

// PassageArgs describes a passage to a server.
type PassageArgs struct {
	// Name is that of its objects in Namespace.
	Name string
	// Namespace is where it is, and where the Secrets of Certificates are.
	Namespace pulumi.StringInput
	// IngressClass is that of the ingress controller, which has to allow Services that lead out of the cluster.
	IngressClass pulumi.StringInput
	// Certificates are the names of the Secrets that hold certificates and keys, by domain.
	Certificates pulumi.StringMap
	// Component is what the server is to the site: media, or a backend.
	Component string
	// Routes are what it answers for.
	Routes []Route
	// Address is its host.
	Address pulumi.StringInput
	// KeepHost has it hear the host that the visitor asks for, not Address.
	KeepHost bool
}

// passageType is what states know passages by.
const passageType = "lke-platform:cdn:MediaPassage"

// NewPassage declares a passage to a server.
func NewPassage(
	ctx *pulumi.Context, name string, args *PassageArgs, opts ...pulumi.ResourceOption,
) (*Passage, error) {
	p := &Passage{}
	if err := ctx.RegisterComponentResource(passageType, name, p, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: args.metadata(pulumi.StringMap{
			// A bucket is found by its own name. The controllers say that in different places.
			"traefik.ingress.kubernetes.io/service.serversscheme":  pulumi.String("https"),
			"traefik.ingress.kubernetes.io/service.passhostheader": pulumi.String(strconv.FormatBool(args.KeepHost)),
		}),
		Spec: corev1.ServiceSpecArgs{
			Type: pulumi.String("ExternalName"), ExternalName: args.Address,
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{Name: pulumi.String("https"), Port: pulumi.Int(443)}},
		},
	}, pulumi.Parent(p))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the Service of %s: %w", name, err)
	}
	ingress, err := networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(args.nginx()),
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.IngressClass,
			Rules: args.rules(networkingv1.IngressServiceBackendArgs{
				Name: service.Metadata.Name().Elem(), Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String("https")},
			}),
			Tls: kube.IngressTLS(args.hosts(), args.Certificates),
		},
	}, pulumi.Parent(p))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the Ingress of %s: %w", name, err)
	}
	p.Ready = []pulumi.Resource{ingress}
	return p, component.Done(ctx, p, pulumi.Map{})
}

func (a *PassageArgs) metadata(annotations pulumi.StringMap) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(a.Name), Namespace: a.Namespace, Labels: kube.Labels(a.Name, a.Component), Annotations: annotations,
	}
}

// nginx asks the server by its address, over TLS.
func (a *PassageArgs) nginx() pulumi.StringMap {
	address := a.Address.ToStringOutput()
	annotations := pulumi.StringMap{
		"nginx.ingress.kubernetes.io/backend-protocol":      pulumi.String("HTTPS"),
		"nginx.ingress.kubernetes.io/proxy-ssl-name":        address,
		"nginx.ingress.kubernetes.io/proxy-ssl-server-name": pulumi.String("on"),
	}
	if !a.KeepHost {
		annotations["nginx.ingress.kubernetes.io/upstream-vhost"] = address
	}
	return annotations
}

func (a *PassageArgs) rules(backend networkingv1.IngressServiceBackendArgs) (rules networkingv1.IngressRuleArray) {
	for _, route := range a.Routes {
		rules = append(rules, kube.IngressRules([]string{route.Host}, kube.IngressPath(route.Path, backend))...)
	}
	return rules
}

// hosts are those of the routes, each once.
func (a *PassageArgs) hosts() (hosts []string) {
	for _, route := range a.Routes {
		if !slices.Contains(hosts, route.Host) {
			hosts = append(hosts, route.Host)
		}
	}
	return hosts
}
