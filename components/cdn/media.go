package cdn

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// MediaPassage serves the media at the ingress controller, straight from the bucket, so that visitors have them during a bypass
// too. As long as names lead to Fastly, nobody asks it.
type MediaPassage struct {
	pulumi.ResourceState

	// Ready is what to wait for.
	Ready []pulumi.Resource
}

// MediaPassageArgs describes a passage to the media.
type MediaPassageArgs struct {
	// Namespace is where it is, and where the Secrets of Certificates are.
	Namespace pulumi.StringInput
	// IngressClass is that of the ingress controller, which has to allow Services that lead out of the cluster.
	IngressClass pulumi.StringInput
	// Certificates are the names of the Secrets that hold certificates and keys, by domain.
	Certificates pulumi.StringMap
	// Hosts are the public names of the media.
	Hosts []string
	// Bucket is the host that has them.
	Bucket pulumi.StringInput
}

// NewMediaPassage declares a passage to the media.
func NewMediaPassage(
	ctx *pulumi.Context, name string, args *MediaPassageArgs, opts ...pulumi.ResourceOption,
) (*MediaPassage, error) {
	p := &MediaPassage{}
	if err := ctx.RegisterComponentResource("lke-platform:cdn:MediaPassage", name, p, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: args.metadata(name, pulumi.StringMap{
			// The bucket is found by its own name. The controllers say that in different places.
			"traefik.ingress.kubernetes.io/service.serversscheme":  pulumi.String("https"),
			"traefik.ingress.kubernetes.io/service.passhostheader": pulumi.String("false"),
		}),
		Spec: corev1.ServiceSpecArgs{
			Type: pulumi.String("ExternalName"), ExternalName: args.Bucket,
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{Name: pulumi.String("https"), Port: pulumi.Int(443)}},
		},
	}, pulumi.Parent(p))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the Service of the media: %w", err)
	}
	bucket := args.Bucket.ToStringOutput()
	ingress, err := networkingv1.NewIngress(ctx, name, &networkingv1.IngressArgs{
		Metadata: args.metadata(name, pulumi.StringMap{
			"nginx.ingress.kubernetes.io/backend-protocol":      pulumi.String("HTTPS"),
			"nginx.ingress.kubernetes.io/upstream-vhost":        bucket,
			"nginx.ingress.kubernetes.io/proxy-ssl-name":        bucket,
			"nginx.ingress.kubernetes.io/proxy-ssl-server-name": pulumi.String("on"),
		}),
		Spec: networkingv1.IngressSpecArgs{
			IngressClassName: args.IngressClass,
			Rules: kube.IngressRules(args.Hosts, kube.IngressPath("/", networkingv1.IngressServiceBackendArgs{
				Name: service.Metadata.Name().Elem(), Port: networkingv1.ServiceBackendPortArgs{Name: pulumi.String("https")},
			})),
			Tls: kube.IngressTLS(args.Hosts, args.Certificates),
		},
	}, pulumi.Parent(p))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the Ingress of the media: %w", err)
	}
	p.Ready = []pulumi.Resource{ingress}
	return p, component.Done(ctx, p, pulumi.Map{})
}

func (a *MediaPassageArgs) metadata(name string, annotations pulumi.StringMap) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(name), Namespace: a.Namespace, Labels: kube.Labels(name, "media"), Annotations: annotations,
	}
}
