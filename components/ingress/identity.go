package ingress

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
	"lke-platform/components/internal/live"
	"lke-platform/components/namespace"
)

// Identity is the certificate by which the CDN's requests are known. Fastly's networks are every customer's: who may connect from
// there is not yet who may ask.
type Identity struct {
	// Certificate and Key are in PEM. Key is secret.
	Certificate, Key pulumi.StringOutput

	// secret is the name of the Secret that holds both, and the authority that has signed them.
	secret pulumi.StringOutput
}

const (
	// authorityName names what signs, and clientName what is signed: their issuers, certificates and Secrets.
	authorityName, clientName = "origin-authority", "cdn-client"
	// The authority keeps its key when it is renewed, so that what it has signed stays good. A client that is renewed gets to the
	// CDN with the next run of the program, which has a third of its life to come.
	authorityLife, clientLife = "175200h", "43800h" // 20 years, 5 years

	// authorityFile is where a controller finds the certificate of the authority, and of nothing else.
	authorityDir, authorityKey = "/etc/cdn-authority", "ca.crt"
	authorityFile              = authorityDir + "/" + authorityKey
)

// newIdentity has cert-manager make an authority of this cluster alone, and the one certificate that it signs.
// Upstream: https://cert-manager.io/docs/configuration/ca/
func (c *Controller) newIdentity(
	ctx *pulumi.Context, name string, space, kubeconfig pulumi.StringInput,
) (*Identity, error) {
	root, err := c.newManaged(ctx, name+"-root", "Issuer", space, "origin-root", pulumi.Map{"selfSigned": pulumi.Map{}})
	if err != nil {
		return nil, fmt.Errorf("declaring the root issuer: %w", err)
	}
	authority, err := c.newManaged(ctx, name+"-authority", "Certificate", space, authorityName,
		certificate(authorityName, authorityLife, root, pulumi.Map{
			"isCA": pulumi.Bool(true), "usages": pulumi.ToStringArray([]string{"cert sign"}),
			"privateKey": privateKey("Never"),
		}))
	if err != nil {
		return nil, fmt.Errorf("declaring the authority: %w", err)
	}
	issuer, err := c.newManaged(ctx, name+"-issuer", "Issuer", space, authorityName,
		pulumi.Map{"ca": pulumi.Map{"secretName": authority.Metadata.Name().Elem()}})
	if err != nil {
		return nil, fmt.Errorf("declaring the authority's issuer: %w", err)
	}
	client, err := c.newManaged(ctx, name+"-client", "Certificate", space, clientName,
		certificate(clientName, clientLife, issuer, pulumi.Map{
			"usages":     pulumi.ToStringArray([]string{"digital signature", "client auth"}),
			"privateKey": privateKey("Always"),
		}))
	if err != nil {
		return nil, fmt.Errorf("declaring the client's certificate: %w", err)
	}
	return readIdentity(ctx, kubeconfig, client), nil
}

// readIdentity reads what cert-manager has made, when it is made. It is no resource that is read: in a preview of a cluster to
// come the engine refuses everything that depends on one.
func readIdentity(ctx *pulumi.Context, kubeconfig pulumi.StringInput, client *apiextensions.CustomResource) *Identity {
	made := pulumi.All(kubeconfig, client.ID()).ApplyTWithContext(ctx.Context(),
		func(ctx context.Context, known []any) (map[string]string, error) {
			held, err := live.Secret(ctx, known[0].(string), namespace.Ingress, clientName)
			if err != nil {
				return nil, fmt.Errorf("ingress: reading the certificate that the CDN shows: %w", err)
			}
			return held, nil
		}).(pulumi.StringMapOutput)
	entry := func(key string) pulumi.StringOutput {
		return pulumi.ToSecret(made.MapIndex(pulumi.String(key))).(pulumi.StringOutput)
	}
	return &Identity{Certificate: entry("tls.crt"), Key: entry("tls.key"), secret: client.Metadata.Name().Elem()}
}

// newManaged declares an object of cert-manager, and waits for it.
func (c *Controller) newManaged(
	ctx *pulumi.Context, logical, kind string, space pulumi.StringInput, name string, spec pulumi.Map,
) (*apiextensions.CustomResource, error) {
	return apiextensions.NewCustomResource(ctx, logical, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("cert-manager.io/v1"),
		Kind:       pulumi.String(kind),
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(name), Namespace: space, Labels: kube.Labels(name, "identity"),
			Annotations: pulumi.StringMap{"pulumi.com/waitFor": pulumi.String("condition=Ready")},
		},
		OtherFields: kubernetes.UntypedArgs{"spec": spec},
	}, pulumi.Parent(c))
}

// certificate is the specification of a certificate, which names nobody but itself.
func certificate(name, life string, issuer *apiextensions.CustomResource, more pulumi.Map) pulumi.Map {
	more["secretName"], more["commonName"] = pulumi.String(name), pulumi.String(name)
	more["duration"] = pulumi.String(life)
	more["issuerRef"] = pulumi.Map{
		"group": pulumi.String("cert-manager.io"), "kind": pulumi.String("Issuer"), "name": issuer.Metadata.Name().Elem(),
	}
	return more
}

func privateKey(rotation string) pulumi.Map {
	return pulumi.Map{
		"algorithm": pulumi.String("RSA"), "size": pulumi.Int(2048), "encoding": pulumi.String("PKCS8"),
		"rotationPolicy": pulumi.String(rotation),
	}
}

// authorityVolume holds the certificate of the authority, without the client's key beside it.
func (i *Identity) authorityVolume() (volumes, mounts pulumi.Array) {
	volumes = pulumi.Array{pulumi.Map{
		"name": pulumi.String("cdn-authority"),
		"secret": pulumi.Map{"secretName": i.secret, "items": pulumi.Array{
			pulumi.Map{"key": pulumi.String(authorityKey), "path": pulumi.String(authorityKey)},
		}},
	}}
	mounts = pulumi.Array{pulumi.Map{
		"name": pulumi.String("cdn-authority"), "mountPath": pulumi.String(authorityDir), "readOnly": pulumi.Bool(true),
	}}
	return volumes, mounts
}
