package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An app that joins a living stack, with a database that is new, connects as the operator says, from its own namespace.
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
}
