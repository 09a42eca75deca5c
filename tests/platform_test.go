package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
)

const (
	clusterType    = "linode:index/lkeCluster:LkeCluster"
	poolType       = "linode:index/lkeNodePool:LkeNodePool"
	serviceVclType = "fastly:index/serviceVcl:ServiceVcl"
	deploymentType = "kubernetes:apps/v1:Deployment"
)

func deployed(t *testing.T, stack string) *graph {
	t.Helper()
	g, err := deploy(t, copyStack(t, stack, unchanged), stack)
	require.NoError(t, err)
	return g
}

func TestEverythingInTheClusterWaitsForTheNodePools(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"staging", "prod"} {
		g := deployed(t, stack)
		count := 0
		for key := range g.resources {
			if strings.HasPrefix(key, "kubernetes:") {
				count++
				require.True(t, g.waitsFor(key, poolType+" cluster-app"), "%s: %s", stack, key)
			}
		}
		require.Positive(t, count)
	}
}

func TestTheClusterLeavesPoolsOfTheirOwnAlone(t *testing.T) {
	t.Parallel()
	g := deployed(t, "staging")
	tags := g.find(t, clusterType, "cluster").inputs["externalPoolTags"].ArrayValue()
	pool := g.find(t, poolType, "cluster-app")
	require.Subset(t, tags, pool.inputs["tags"].ArrayValue())
	require.True(t, g.waitsFor(poolType+" cluster-app", clusterType+" cluster"))
}

func TestTheProviderIsTiedToTheClusterAndNotToItsKubeconfig(t *testing.T) {
	t.Parallel()
	inputs := deployed(t, "staging").find(t, "pulumi:providers:kubernetes", "cluster").inputs
	require.Equal(t, "4711", inputs["clusterIdentifier"].StringValue())
	require.Equal(t, "apiVersion: v1", plain(inputs["kubeconfig"]).StringValue(), "Linode sends base64")
	require.True(t, inputs["kubeconfig"].IsSecret())
}

func TestOnlyAProtectedStackProtectsWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	for stack, protected := range map[string]bool{"staging": false, "prod": true} {
		g := deployed(t, stack)
		for _, key := range []string{clusterType + " cluster", serviceVclType + " cdn"} {
			require.Equal(t, protected, g.resources[key].request.GetProtect(), "%s: %s", stack, key)
		}
		require.False(t, g.find(t, poolType, "cluster-app").request.GetProtect(), "a pool can be made again")
	}
}

func TestRolloutsNeverDropBelowTheReplicas(t *testing.T) {
	t.Parallel()
	spec := deployed(t, "prod").find(t, deploymentType, "app").inputs["spec"].ObjectValue()
	require.InDelta(t, 2, spec["replicas"].NumberValue(), 0)
	rolling := spec["strategy"].ObjectValue()["rollingUpdate"].ObjectValue()
	require.InDelta(t, 0, rolling["maxUnavailable"].NumberValue(), 0)

	pod := spec["template"].ObjectValue()["spec"].ObjectValue()
	container := pod["containers"].ArrayValue()[0].ObjectValue()
	for _, probe := range []resource.PropertyKey{"startupProbe", "readinessProbe", "livenessProbe"} {
		require.Equal(t, "/health", container[probe].ObjectValue()["httpGet"].ObjectValue()["path"].StringValue())
	}
	drain := container["lifecycle"].ObjectValue()["preStop"].ObjectValue()["sleep"].ObjectValue()["seconds"].NumberValue()
	require.Less(t, drain, pod["terminationGracePeriodSeconds"].NumberValue())
	require.Equal(t, "kubernetes.io/hostname",
		pod["topologySpreadConstraints"].ArrayValue()[0].ObjectValue()["topologyKey"].StringValue())
	for _, toleration := range pod["tolerations"].ArrayValue() {
		require.Less(t, toleration.ObjectValue()["tolerationSeconds"].NumberValue(), 300.0)
	}
}

func TestSecretsReachTheAppOnlyThroughItsSecret(t *testing.T) {
	t.Parallel()
	g := deployed(t, "prod")
	inputs := g.find(t, "kubernetes:core/v1:Secret", "app").inputs
	require.True(t, inputs["stringData"].ContainsSecrets())
	require.Equal(t, secret, plain(plain(inputs["stringData"]).ObjectValue()["SECRET_KEY_BASE"]).StringValue())
	require.True(t, inputs["immutable"].BoolValue(), "a new value has to be a new Secret, so that the app restarts with it")
	require.NotContains(t, plain(inputs["metadata"]).ObjectValue(), resource.PropertyKey("name"))
	for key, node := range g.resources {
		if key != "kubernetes:core/v1:Secret app" {
			require.NotContains(t, fmt.Sprint(renderMap(node.inputs)), secret, key)
		}
	}
}

func TestFastlyVerifiesTheOriginAndServesEveryHost(t *testing.T) {
	t.Parallel()
	inputs := deployed(t, "prod").find(t, serviceVclType, "cdn").inputs
	backend := inputs["backends"].ArrayValue()[0].ObjectValue()
	require.True(t, backend["useSsl"].BoolValue())
	require.True(t, backend["sslCheckCert"].BoolValue())
	for _, property := range []resource.PropertyKey{"address", "sslCertHostname", "sslSniHostname"} {
		require.Equal(t, "origin.changelog.com", backend[property].StringValue())
	}
	require.Equal(t, "lga-ny-us", backend["shield"].StringValue())
	health := inputs["healthchecks"].ArrayValue()[0].ObjectValue()
	require.Equal(t, health["name"].StringValue(), backend["healthcheck"].StringValue())
	require.GreaterOrEqual(t, health["checkInterval"].NumberValue(), 60_000.0, "every Fastly site asks for itself")
	require.True(t, inputs["requestSettings"].ArrayValue()[0].ObjectValue()["forceSsl"].BoolValue())
	require.Len(t, inputs["domains"].ArrayValue(), 2*7, "each zone, and all names right below it")
}

// plain takes the mark of a secret off a value.
func plain(value resource.PropertyValue) resource.PropertyValue {
	if value.IsSecret() {
		return value.SecretValue().Element
	}
	return value
}
