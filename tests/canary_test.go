package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
)

func withCanary(text string) string {
	return strings.Replace(text, "config:\n", "config:\n  lke-platform:canary: true\n", 1)
}

// Whether it is the platform or the app is told by a page that needs all of the one and nothing of the other.
func TestACanaryTellsThePlatformsFaultsFromTheApps(t *testing.T) {
	t.Parallel()
	const name = "canary.staging.changelog.com"
	g, err := deploy(t, copyStack(t, "staging", withCanary), "staging")
	require.NoError(t, err)
	container := only(t, podOf(g.find(t, deploymentType, "canary").inputs)["containers"])
	require.NotContains(t, container, resource.PropertyKey("env"), "neither database nor secrets")
	require.Equal(t, map[string]any{"file-0": "The platform is well.\n"},
		reveal(g.find(t, "kubernetes:core/v1:ConfigMap", "canary-files").inputs["data"]))
	require.False(t, g.waitsFor(deploymentType+" canary", deploymentType+" app"))
	require.False(t, g.waitsFor(deploymentType+" canary", postgresType+" postgres"))
	rule := only(t, g.specOf(t, ingressType, "canary")["rules"])
	require.Equal(t, name, rule["host"].StringValue())
	require.True(t, g.waitsFor(recordType+" hosts-"+name+"-A-0", ingressType+" canary"))
	require.Contains(t, reveal(g.specOf(t, probeType, "probes-site")["targets"]).(map[string]any)["staticConfig"].(map[string]any)["static"],
		"https://"+name+"/")
	require.Contains(t, g.resources, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding ingress-traefik-canary")
	require.Contains(t, g.resources, certificateType+" canary-"+name)
	require.Contains(t, plain(g.find(t, "fastly:index/serviceVcl:ServiceVcl", "cdn").inputs["domains"]).String(), name)

	_, err = deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(withCanary(text), "hosts: [staging.changelog.com]", "hosts: [staging.changelog.com, "+name+"]", 1)
	}), "staging")
	require.ErrorContains(t, err, "app.hosts[1]: Duplicate value")
}
