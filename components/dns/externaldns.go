package dns

import (
	"errors"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// ExternalDNSArgs describes external-dns.
type ExternalDNSArgs struct {
	// Values are merged over the values of the external-dns chart.
	// Upstream: https://artifacthub.io/packages/helm/external-dns/external-dns
	Values map[string]any `json:"values"`

	// Zones are those that it may write into.
	Zones *Zones `json:"-"`
	// Label names the stack in the Linode account, which all stacks share: every record is marked with it, and only such
	// records are changed or deleted. It can never be changed, since records under the old one would belong to nobody.
	Label string `json:"-"`
}

// ExternalDNS keeps the records of annotated Services and Ingresses, and takes them back when those go. Whatever carries the
// annotation has to depend on Ready: on destroy that goes first, while external-dns still runs.
// Upstream: https://kubernetes-sigs.github.io/external-dns/latest/
type ExternalDNS struct {
	pulumi.ResourceState

	// Ready is what writes the records.
	Ready []pulumi.Resource
}

const (
	externalDNS = "external-dns"
	// annotationPrefix is said on both ends: the next version of external-dns has another default, and would take back the
	// records of objects that are annotated the old way.
	annotationPrefix   = "external-dns.alpha.kubernetes.io/"
	hostnameAnnotation = annotationPrefix + "hostname"
	// defaultTTL of the records, one of ttls: short, as they follow a NodeBalancer whose address changes when it is made anew.
	defaultTTL = "300s"
)

// Annotations are what a Service of type LoadBalancer or an Ingress has to carry for external-dns to publish its address under
// a name. Nothing else is published: neither the hosts of an Ingress' rules, nor objects without these.
func Annotations(host string) map[string]string {
	return map[string]string{hostnameAnnotation: host}
}

// NewExternalDNS declares external-dns.
func NewExternalDNS(
	ctx *pulumi.Context, name string, args *ExternalDNSArgs, opts ...pulumi.ResourceOption,
) (*ExternalDNS, error) {
	if args.Zones == nil || args.Label == "" {
		return nil, errors.New("dns: external-dns needs zones, and a label that tells its records from others")
	}
	e := &ExternalDNS{}
	if err := ctx.RegisterComponentResource("lke-platform:dns:ExternalDNS", name, e, opts...); err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	space, err := namespace.New(ctx, name, &namespace.Args{
		Name: externalDNS, Standard: namespace.Restricted,
		Open: []namespace.Opening{{Name: "metrics", Namespaces: []string{namespace.Monitoring}, Ports: []any{"http"}}},
	}, pulumi.Parent(e))
	if err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	secret, err := e.newToken(ctx, name, args, space.Name)
	if err != nil {
		return nil, fmt.Errorf("dns: declaring the Linode token: %w", err)
	}
	release, err := charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart:     charts.ExternalDNS,
		Name:      externalDNS,
		Namespace: space.Name,
		Values:    args.values(secret.Metadata.Name().Elem()),
		Overrides: args.Values,
	}, pulumi.Parent(e))
	if err != nil {
		return nil, fmt.Errorf("dns: declaring the release: %w", err)
	}
	e.Ready = []pulumi.Resource{release}
	return e, component.Done(ctx, e, pulumi.Map{})
}

// newToken makes a Linode token that may do nothing but change DNS zones. Its Secret is immutable and named by the engine, so
// that another token is another Secret, which restarts external-dns.
func (e *ExternalDNS) newToken(
	ctx *pulumi.Context, name string, args *ExternalDNSArgs, namespace pulumi.StringInput,
) (*corev1.Secret, error) {
	token, err := linode.NewToken(ctx, name, &linode.TokenArgs{
		Label:  pulumi.String(args.Label + "-external-dns"),
		Scopes: pulumi.String("domains:read_write"),
	}, pulumi.Parent(e), pulumi.AdditionalSecretOutputs([]string{"token"}))
	if err != nil {
		return nil, err
	}
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   metav1.ObjectMetaArgs{Namespace: namespace, Labels: kube.Labels(externalDNS, "credentials")},
		Immutable:  pulumi.Bool(true),
		StringData: pulumi.StringMap{"token": token.Token},
	}, pulumi.Parent(e))
}

func (a *ExternalDNSArgs) values(secret pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"provider": pulumi.Map{"name": pulumi.String("linode")},
		"env": pulumi.Array{pulumi.Map{
			"name":      pulumi.String("LINODE_TOKEN"),
			"valueFrom": pulumi.Map{"secretKeyRef": pulumi.Map{"name": secret, "key": pulumi.String("token")}},
		}},
		// What it wrote it also deletes; a TXT record beside each of its records says whose it is. The prefix keeps those of the
		// zone itself inside the zone, and can never be changed.
		"policy":             pulumi.String("sync"),
		"registry":           pulumi.String("txt"),
		"txtOwnerId":         pulumi.String(a.Label),
		"txtPrefix":          pulumi.String("%{record_type}-xdns."),
		"domainFilters":      a.Zones.names,
		"managedRecordTypes": pulumi.ToStringArray([]string{"A", "AAAA", "CNAME"}),
		// The public names are the program's, so that only annotations count.
		"sources":          pulumi.ToStringArray([]string{"service", "ingress"}),
		"annotationPrefix": pulumi.String(annotationPrefix),
		"annotationFilter": pulumi.String(hostnameAnnotation),
		"extraArgs": pulumi.Map{
			"ignore-ingress-rules-spec": pulumi.Bool(true),
			"ignore-ingress-tls-spec":   pulumi.Bool(true),
			"min-ttl":                   pulumi.String(defaultTTL),
		},
		// A change is written at once; a write that Linode refuses is only logged, and tried again after the interval.
		"triggerLoopOnEvent": pulumi.Bool(true),
		"interval":           pulumi.String("1m"),
		// Two at a time would undo each other's work.
		"deploymentStrategy": pulumi.Map{"type": pulumi.String("Recreate")},
		"serviceMonitor":     pulumi.Map{"enabled": pulumi.Bool(true)},
		"resources":          kube.Requests("10m", "128Mi"),
		"tolerations":        kube.TolerationValues(),
	}
}
