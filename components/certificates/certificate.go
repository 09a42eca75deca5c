package certificates

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// Certificates are issued, and renewed for as long as they are declared.
type Certificates struct {
	pulumi.ResourceState

	// SecretNames is the name of the Secret (tls.crt, tls.key) by domain or host. Each is known when the certificate is there.
	SecretNames pulumi.StringMap
	// Ready are the certificates, issued.
	Ready []pulumi.Resource
}

const (
	// issueLimit is how long a certificate may take, in seconds: the zone and its wildcard are proven one after the other, and
	// Linode's name servers publish each record with a delay of minutes.
	issueLimit = "1800"
	// renewBefore is how much of its life a certificate has left when it is renewed, in percent: Let's Encrypt shortens the
	// lives of certificates step by step.
	renewBefore = 33
)

// SecretName is the name of the certificate of a domain or host, and of its Secret.
func SecretName(domain string) string {
	return strings.ReplaceAll(domain, ".", "-") + "-tls"
}

// NewCertificates declares certificates, and waits until they are issued. The zones that prove the names are the caller's to
// depend on.
func NewCertificates(
	ctx *pulumi.Context, name string, request *Request, opts ...pulumi.ResourceOption,
) (*Certificates, error) {
	if faults := request.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("certificates: %w", faults.ToAggregate())
	}
	c := &Certificates{SecretNames: pulumi.StringMap{}}
	if err := ctx.RegisterComponentResource("lke-platform:certificates:Certificates", name, c, opts...); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	for _, domain := range request.Domains {
		if err := c.newCertificate(ctx, name, request, domain, domain, "*."+domain); err != nil {
			return nil, fmt.Errorf("certificates: declaring that of %s: %w", domain, err)
		}
	}
	for _, host := range request.Hosts {
		if err := c.newCertificate(ctx, name, request, host, host); err != nil {
			return nil, fmt.Errorf("certificates: declaring that of %s: %w", host, err)
		}
	}
	return c, component.Done(ctx, c, pulumi.Map{"secretNames": c.SecretNames})
}

// newCertificate declares the certificate of a domain.
// Upstream: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec
func (c *Certificates) newCertificate(
	ctx *pulumi.Context, name string, request *Request, domain string, dnsNames ...string,
) error {
	secretName := pulumi.String(SecretName(domain))
	certificate, err := apiextensions.NewCustomResource(ctx, name+"-"+domain, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("cert-manager.io/v1"),
		Kind:       pulumi.String("Certificate"),
		Metadata: metav1.ObjectMetaArgs{
			Name:      secretName,
			Namespace: request.Namespace,
			Labels:    kube.Labels(name, "certificate"),
			Annotations: pulumi.StringMap{
				"pulumi.com/waitFor":        pulumi.String("condition=Ready"),
				"pulumi.com/timeoutSeconds": pulumi.String(issueLimit),
			},
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"secretName": secretName,
			"dnsNames":   pulumi.ToStringArray(dnsNames),
			"issuerRef": pulumi.Map{
				"group": pulumi.String("cert-manager.io"), "kind": pulumi.String("ClusterIssuer"), "name": request.Issuer,
			},
			// Fastly takes RSA keys of 2048 bits, and refuses PKCS #1.
			"privateKey": pulumi.Map{
				"algorithm":      pulumi.String("RSA"),
				"size":           pulumi.Int(2048),
				"encoding":       pulumi.String("PKCS8"),
				"rotationPolicy": pulumi.String("Always"),
			},
			"renewBeforePercentage": pulumi.Int(renewBefore),
		}},
	}, pulumi.Parent(c))
	if err != nil {
		return err
	}
	c.SecretNames[domain] = certificate.Metadata.Name().Elem()
	c.Ready = append(c.Ready, certificate)
	return nil
}
