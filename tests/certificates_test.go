package tests

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/certificates"
)

// issuanceGraph answers as Linode and Kubernetes do where certificates and DNS need it.
type issuanceGraph struct{ *graph }

func (g issuanceGraph) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, outputs, err := g.graph.NewResource(args)
	switch args.TypeToken {
	case "linode:index/domain:Domain":
		id = "1234"
	case "linode:index/token:Token":
		outputs["token"] = resource.MakeSecret(resource.NewProperty(secret))
	}
	return id, outputs, err
}

// declareIssuance runs a program of one component, and returns what it declared.
func declareIssuance(t *testing.T, program pulumi.RunFunc) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(program, pulumi.WithMocks(projectName, "staging", issuanceGraph{g})))
	return g
}

const (
	issuerType         = "kubernetes:cert-manager.io/v1:ClusterIssuer"
	certificateType    = "kubernetes:cert-manager.io/v1:Certificate"
	tokenType          = "linode:index/token:Token"
	issuanceSecretType = "kubernetes:core/v1:Secret"
)

// declareCertificates declares issuers, and certificates of two domains and a host that come from them.
func declareCertificates(t *testing.T) *graph {
	t.Helper()
	return declareIssuance(t, func(ctx *pulumi.Context) error {
		args := certificates.Defaults()
		args.Email, args.Label = "ops@example.com", "platform-staging"
		issuers, err := certificates.New(ctx, "certificates", &args)
		if err != nil {
			return err
		}
		issued, err := certificates.NewCertificates(ctx, "site", &certificates.Request{
			Domains:   []string{"example.com", "example.fm"},
			Hosts:     []string{"grafana.example.com"},
			Namespace: pulumi.String("web"),
			Issuer:    issuers.Name,
		})
		if err != nil {
			return err
		}
		for domain, name := range issued.SecretNames {
			ctx.Export(domain, name)
		}
		return nil
	})
}

func TestCertificatesComeAfterEverythingThatIssuesThem(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	manager, solver := releaseType+" certificates", releaseType+" certificates-solver"
	require.True(t, g.waitsFor(solver, manager), "the solver's own certificate is cert-manager's to issue")
	for _, issuer := range []string{"certificates-production", "certificates-staging"} {
		require.True(t, g.waitsFor(issuerType+" "+issuer, solver), "an issuer needs the definitions, the webhooks and the solver")
	}
	require.True(t, g.waitsFor(solver, issuanceSecretType+" certificates"))
	require.True(t, g.waitsFor(issuanceSecretType+" certificates", tokenType+" certificates"))
	require.True(t, g.waitsFor(certificateType+" site-example.com", issuerType+" certificates-production"))
	require.False(t, g.waitsFor(certificateType+" site-example.com", certificateType+" site-example.fm"),
		"certificates are issued side by side")
}

func TestEveryDomainHasACertificateWithItsWildcard(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	for name, dnsNames := range map[string][]any{
		"example.com":         {"example.com", "*.example.com"},
		"example.fm":          {"example.fm", "*.example.fm"},
		"grafana.example.com": {"grafana.example.com"},
	} {
		inputs := g.find(t, certificateType, "site-"+name).inputs.Mappable()
		require.Equal(t, map[string]any{
			"secretName": certificates.SecretName(name),
			"dnsNames":   dnsNames,
			"issuerRef":  map[string]any{"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "letsencrypt-production"},
			"privateKey": map[string]any{
				"algorithm": "RSA", "size": 2048.0, "encoding": "PKCS8", "rotationPolicy": "Always",
			},
			"renewBeforePercentage": 33.0,
		}, inputs["spec"])
		metadata := inputs["metadata"].(map[string]any)
		require.Equal(t, "web", metadata["namespace"])
		require.Equal(t, map[string]any{"pulumi.com/waitFor": "condition=Ready", "pulumi.com/timeoutSeconds": "1800"},
			metadata["annotations"], "an edge to a certificate means that it is there, and DNS takes minutes")
	}
	require.Equal(t, "grafana-example-com-tls", certificates.SecretName("grafana.example.com"))
}

func TestIssuersProveNamesByDNSOnly(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	for kind, server := range map[string]string{
		"production": "https://acme-v02.api.letsencrypt.org/directory",
		"staging":    "https://acme-staging-v02.api.letsencrypt.org/directory",
	} {
		inputs := g.find(t, issuerType, "certificates-"+kind).inputs.Mappable()
		acme := inputs["spec"].(map[string]any)["acme"].(map[string]any)
		require.Equal(t, server, acme["server"])
		require.Equal(t, "ops@example.com", acme["email"])
		solver := acme["solvers"].([]any)
		require.Len(t, solver, 1)
		webhook := solver[0].(map[string]any)["dns01"].(map[string]any)["webhook"].(map[string]any)
		require.Equal(t, "acme.slicen.me", webhook["groupName"])
		require.Equal(t, "linode", webhook["solverName"])
		reference := webhook["config"].(map[string]any)["apiKeySecretRef"].(map[string]any)
		require.Equal(t, "token", reference["key"])
		values := g.find(t, releaseType, "certificates-solver").inputs["values"].ObjectValue().Mappable()
		require.Equal(t, values["deployment"].(map[string]any)["secretName"], reference["name"], "the one Secret that the solver may read")
		require.Equal(t, "condition=Ready", inputs["metadata"].(map[string]any)["annotations"].(map[string]any)["pulumi.com/waitFor"])
	}
}

func TestTheTokensOfControllersAreNarrowAndSecret(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	token := g.find(t, tokenType, "certificates")
	require.Equal(t, "domains:read_write", token.inputs["scopes"].StringValue())
	require.Equal(t, "platform-staging-cert-manager", token.inputs["label"].StringValue())
	require.Contains(t, token.request.GetAdditionalSecretOutputs(), "token")
	require.True(t, g.find(t, issuanceSecretType, "certificates").inputs["stringData"].ContainsSecrets())
	for _, release := range []string{"certificates", "certificates-solver"} {
		require.False(t, g.find(t, releaseType, release).inputs["values"].ContainsSecrets(), "nothing secret in values")
	}
}

func TestCertManagerSurvivesANodeAndIsPinned(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	values := g.find(t, releaseType, "certificates").inputs["values"].ObjectValue().Mappable()
	require.Equal(t, map[string]any{"enabled": true, "keep": true}, values["crds"])
	require.NotContains(t, values, "dns01RecursiveNameserversOnly", "resolvers remember that a record was not there yet")
	webhook := values["webhook"].(map[string]any)
	require.Equal(t, 2.0, webhook["replicaCount"])
	require.Equal(t, true, webhook["podDisruptionBudget"].(map[string]any)["enabled"])
	require.Contains(t, webhook, "topologySpreadConstraints")
	solver := g.find(t, releaseType, "certificates-solver").inputs
	tag := solver["values"].ObjectValue().Mappable()["image"].(map[string]any)["tag"]
	require.Equal(t, solver["version"].StringValue(), tag, "the chart alone would run the image latest")
}

// With these ports closed no certificate is admitted, no challenge is answered, and no namespace can be deleted.
func TestTheAPIServerReachesBothWebhooks(t *testing.T) {
	t.Parallel()
	g := declareCertificates(t)
	for name, pods := range map[string]map[string]any{
		"api-server-to-webhook": {"app.kubernetes.io/name": "webhook", "app.kubernetes.io/component": "webhook"},
		"api-server-to-solver":  {"app": "cert-manager-webhook-linode"},
	} {
		spec := g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "certificates-"+name).inputs["spec"].ObjectValue().Mappable()
		require.Equal(t, pods, spec["podSelector"].(map[string]any)["matchLabels"])
		require.NotContains(t, spec["ingress"].([]any)[0], "from", "the API server is no pod that a policy could name")
	}
}

func TestFaultsOfCertificatesAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  certificates.Args
		fault string
	}{
		"no e-mail":      {certificates.Args{Issuer: "production"}, "certificates.email: Required value"},
		"no address":     {certificates.Args{Issuer: "production", Email: "ops"}, `certificates.email: Invalid value: "ops"`},
		"unknown issuer": {certificates.Args{Issuer: "zerossl", Email: "a@b.c"}, `certificates.issuer: Unsupported value: "zerossl"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, test.args.Validate(field.NewPath("certificates")).ToAggregate(), test.fault)
		})
	}
	for name, test := range map[string]struct {
		args  certificates.Request
		fault string
	}{
		"none":          {certificates.Request{}, "domains: Required value"},
		"no domain":     {certificates.Request{Domains: []string{"*.example.com"}}, `domains[0]: Invalid value: "*.example.com"`},
		"twice":         {certificates.Request{Domains: []string{"a.com"}, Hosts: []string{"a.com"}}, `hosts[0]: Duplicate value: "a.com"`},
		"shared Secret": {certificates.Request{Domains: []string{"a-b.com", "a.b.com"}}, `domains[1]: Duplicate value: "a.b.com"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, test.args.Validate(nil).ToAggregate(), test.fault)
		})
	}
}
