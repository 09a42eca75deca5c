package certificates

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// Servers are the directories of Let's Encrypt, by kind of issuer.
var Servers = map[string]string{
	Production: "https://acme-v02.api.letsencrypt.org/directory",
	Staging:    "https://acme-staging-v02.api.letsencrypt.org/directory",
}

// newIssuer declares an issuer. It is ready when Let's Encrypt has registered its account.
// Upstream: https://cert-manager.io/docs/configuration/acme/dns01/webhook/
func (i *Issuers) newIssuer(
	ctx *pulumi.Context, name, kind string, args *Args, token *corev1.Secret, solver *charts.Release,
) (*apiextensions.CustomResource, error) {
	issuer := "letsencrypt-" + kind
	webhook := pulumi.Map{
		"groupName":  pulumi.String(groupName),
		"solverName": pulumi.String("linode"),
		"config": pulumi.Map{"apiKeySecretRef": pulumi.Map{
			"name": token.Metadata.Name().Elem(), "key": pulumi.String(tokenKey),
		}},
	}
	solvers := pulumi.Array{pulumi.Map{"dns01": pulumi.Map{"webhook": webhook}}}
	if len(args.Delegated) > 0 {
		// For these zones only: an alias that stands elsewhere for another reason would be followed, too.
		solvers = append(solvers, pulumi.Map{
			"selector": pulumi.Map{"dnsZones": pulumi.ToStringArray(args.Delegated)},
			"dns01":    pulumi.Map{"cnameStrategy": pulumi.String("Follow"), "webhook": webhook},
		})
	}
	return apiextensions.NewCustomResource(ctx, name+"-"+kind, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("cert-manager.io/v1"),
		Kind:       pulumi.String("ClusterIssuer"),
		Metadata: metav1.ObjectMetaArgs{
			Name:        pulumi.String(issuer),
			Labels:      kube.Labels(issuer, "issuer"),
			Annotations: pulumi.StringMap{"pulumi.com/waitFor": pulumi.String("condition=Ready")},
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{"acme": pulumi.Map{
			"server":              pulumi.String(Servers[kind]),
			"email":               pulumi.String(args.Email),
			"privateKeySecretRef": pulumi.Map{"name": pulumi.String(issuer)},
			"solvers":             solvers,
		}}},
	}, pulumi.Parent(i), pulumi.DependsOn([]pulumi.Resource{solver}))
}
