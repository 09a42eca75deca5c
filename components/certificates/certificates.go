// Package certificates declares what issues TLS certificates (cert-manager, Let's Encrypt and the DNS of Linode), and the
// certificates. A name is proven by a record in its zone (DNS-01), never by an answer of the platform, so that a certificate
// is there before anything points at the platform, and wildcards work.
package certificates

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Issuers are Let's Encrypt's production and staging issuers, ready to be asked from every namespace.
type Issuers struct {
	pulumi.ResourceState

	// Name is that of the ClusterIssuer that Args.Issuer chose. It is known when the issuer is ready.
	Name pulumi.StringOutput `pulumi:"name"`
}

const (
	// namespaceName is where cert-manager runs, and where it looks for the Secrets of ClusterIssuers.
	namespaceName = "cert-manager"
	// solverName is the name of the release that writes into Linode's zones, and of its pods.
	solverName = "cert-manager-webhook-linode"
	// tokenSecret and tokenKey are where the Linode token is. The solver may read this one Secret only.
	tokenSecret, tokenKey = "linode-credentials", "token"
)

// New declares the issuers, and everything that they need.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Issuers, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("certificates: %w", faults.ToAggregate())
	}
	i := &Issuers{}
	if err := ctx.RegisterComponentResource("lke-platform:certificates:Issuers", name, i, opts...); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	space, err := i.newNamespace(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	token, err := i.newToken(ctx, name, args, space.Name)
	if err != nil {
		return nil, fmt.Errorf("certificates: declaring the Linode token: %w", err)
	}
	manager, err := i.newManager(ctx, name, args, space.Name)
	if err != nil {
		return nil, fmt.Errorf("certificates: declaring cert-manager: %w", err)
	}
	solver, err := i.newSolver(ctx, name, space.Name, token, manager)
	if err != nil {
		return nil, fmt.Errorf("certificates: declaring the DNS-01 webhook: %w", err)
	}
	for _, kind := range []string{Staging, Production} {
		issuer, err := i.newIssuer(ctx, name, kind, args, token, solver)
		if err != nil {
			return nil, fmt.Errorf("certificates: declaring the %s issuer: %w", kind, err)
		}
		if kind == args.Issuer {
			i.Name = issuer.Metadata.Name().Elem()
		}
	}
	return i, component.Done(ctx, i, pulumi.Map{"name": i.Name})
}

// newNamespace opens the ports that the API server asks: of cert-manager's admission webhook, and of the solver, which is an
// API of its own (while that does not answer, no namespace can be deleted). The solver's image runs as root on port 443 and
// its chart knows no security context, which the restricted standard would refuse.
func (i *Issuers) newNamespace(ctx *pulumi.Context, name string) (*namespace.Namespace, error) {
	return namespace.New(ctx, name, &namespace.Args{
		Name:     namespaceName,
		Standard: namespace.Baseline,
		Open: []namespace.Opening{
			{
				Name:  "api-server-to-webhook",
				Pods:  map[string]string{"app.kubernetes.io/name": "webhook", "app.kubernetes.io/component": "webhook"},
				Ports: []any{"https"},
			},
			{Name: "api-server-to-solver", Pods: map[string]string{"app": solverName}, Ports: []any{443}},
			{Name: "metrics", Namespaces: []string{namespace.Monitoring}, Ports: []any{"http-metrics"}},
		},
	}, pulumi.Parent(i))
}

// newToken makes a Linode token that may do nothing but change DNS zones. Deleted by hand, it is drift that the next run
// repairs.
func (i *Issuers) newToken(
	ctx *pulumi.Context, name string, args *Args, namespace pulumi.StringInput,
) (*corev1.Secret, error) {
	token, err := linode.NewToken(ctx, name, &linode.TokenArgs{
		Label:  pulumi.String(args.Label + "-cert-manager"),
		Scopes: pulumi.String("domains:read_write"),
	}, pulumi.Parent(i), pulumi.AdditionalSecretOutputs([]string{"token"}))
	if err != nil {
		return nil, err
	}
	// The solver reads the Secret anew for every challenge, so that its name can stay when the token changes.
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(tokenSecret), Namespace: namespace, Labels: kube.Labels(solverName, "credentials"),
		},
		StringData: pulumi.StringMap{tokenKey: token.Token},
	}, pulumi.Parent(i))
}
