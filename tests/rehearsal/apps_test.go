package main

import (
	"slices"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An app that joins a living stack, with a database that is new, connects as the operator says, from its own namespace. Its names are
// on a Fastly service of its own.
func TestAnAppJoinsAnother(t *testing.T) {
	e := &estate{options: options{stack: "staging", root: repository(t, asItIs)}}
	e.bringUp(t)
	e.edit(t, "    database: changelog\n", "    database: changelog\n    databases: [{name: shop_production}]\n")
	e.edit(t, "  lke-platform:cdn:\n", `  lke-platform:apps:
    - name: shop
      image: `+versionOne+`
      hosts: [shop.staging.changelog.com, "*.shop.staging.changelog.com"]
      database: {DATABASE_URL: shop_production/uri}
      resources: {cpu: 10m, memory: 16Mi}
`+ownService+`
  lke-platform:cdn:
`)
	e.load(t)
	_, err := e.stack.Preview(t.Context(), optpreview.SuppressProgress())
	require.NoError(t, err, "the operator has not made the role yet")
	e.up(t)
	e.up(t, optup.ExpectNoChanges())

	secrets := e.cluster.CoreV1()
	theirs, err := secrets.Secrets("changelog").Get(t.Context(), "changelog-pguser-shop-production", metav1.GetOptions{})
	require.NoError(t, err)
	deployment, err := e.cluster.AppsV1().Deployments("shop").Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	reference := deployment.Spec.Template.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef
	ours, err := secrets.Secrets("shop").Get(t.Context(), reference.Name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, string(theirs.Data["uri"]), string(ours.Data[reference.Key]))
	require.NotEmpty(t, ours.Data["ca.crt"])
	require.NotContains(t, ours.Data, "verifier")

	t.Run("its names move to the first one's Fastly service and back", e.moveNames)
}

const ownService = "      cdn: {origin: {shield: lga-ny-us}}\n"

// moveNames does what docs/components/cdn.md says of classic domains, of which Fastly gives each to one active service.
func (e *estate) moveNames(t *testing.T) {
	const first, own = "lke-platform-staging", "lke-platform-staging.shop"
	theirs := []string{"grafana.staging.changelog.com", "keel.staging.changelog.com", "staging.changelog.com"}
	ours := []string{"*.shop.staging.changelog.com", "shop.staging.changelog.com"}
	apart := map[string][]string{first: theirs, own: ours}
	require.Equal(t, apart, e.servedBy(t))
	client, services := e.fastlyServices(t)
	outputs, err := e.stack.Outputs(t.Context())
	require.NoError(t, err)
	require.Equal(t, *services[first].ServiceID, outputs["fastlyServiceId"].Value)
	require.Equal(t, map[string]any{"shop": *services[own].ServiceID}, outputs["fastlyServiceIds"].Value)

	e.edit(t, ownService, "")
	e.load(t)
	_, err = e.stack.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "is already taken by service")
	require.Equal(t, apart, e.servedBy(t), "nothing was taken from anybody")
	_, err = client.DeactivateVersion(t.Context(), &fastly.DeactivateVersionInput{
		ServiceID: *services[own].ServiceID, ServiceVersion: *services[own].ActiveVersion,
	})
	require.NoError(t, err)
	asMakeDoes := []optup.Option{optup.Refresh(), optup.RunProgram(true)}
	e.up(t, asMakeDoes...)
	require.Equal(t, map[string][]string{first: slices.Sorted(slices.Values(slices.Concat(ours, theirs)))}, e.servedBy(t))

	e.edit(t, "\n  lke-platform:cdn:\n", ownService+"\n  lke-platform:cdn:\n")
	e.load(t)
	e.up(t, asMakeDoes...)
	require.Equal(t, apart, e.servedBy(t))
}

// fastlyServices are those of the account, by their names.
func (e *estate) fastlyServices(t *testing.T) (*fastly.Client, map[string]*fastly.Service) {
	t.Helper()
	client, err := fastly.NewClientForEndpoint(token, e.world.fastlyURL)
	require.NoError(t, err)
	list, err := client.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	services := map[string]*fastly.Service{}
	for _, service := range list {
		services[*service.Name] = service
	}
	return client, services
}

// servedBy are the names that each service is active with.
func (e *estate) servedBy(t *testing.T) map[string][]string {
	t.Helper()
	client, services := e.fastlyServices(t)
	served := map[string][]string{}
	for name, service := range services {
		active, err := client.GetServiceDetails(t.Context(), &fastly.GetServiceInput{ServiceID: *service.ServiceID})
		require.NoError(t, err)
		require.NotNil(t, active.ActiveVersion, name)
		list, err := client.ListDomains(t.Context(), &fastly.ListDomainsInput{
			ServiceID: *service.ServiceID, ServiceVersion: *active.ActiveVersion.Number,
		})
		require.NoError(t, err)
		for _, domain := range list {
			served[name] = append(served[name], *domain.Name)
		}
		slices.Sort(served[name])
	}
	return served
}
