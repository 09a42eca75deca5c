package tests

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
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
	require.Equal(t, kubeconfig(), plain(inputs["kubeconfig"]).StringValue(), "Linode sends base64")
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
	require.Equal(t, "/health", container["readinessProbe"].ObjectValue()["httpGet"].ObjectValue()["path"].StringValue())
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
	require.Len(t, inputs["domains"].ArrayValue(), 9+2, "each host of the site, Grafana's and Keel's")
}

// plain takes the mark of a secret off a value.
func plain(value resource.PropertyValue) resource.PropertyValue {
	if value.IsSecret() {
		return value.SecretValue().Element
	}
	return value
}

// Every order that a person had to know is an edge of the graph.
func TestTheGraphIsTheRunbook(t *testing.T) {
	t.Parallel()
	const (
		release     = releaseType + " "
		certificate = "kubernetes:cert-manager.io/v1:Certificate "
		issuer      = "kubernetes:cert-manager.io/v1:ClusterIssuer "
		database    = "kubernetes:postgres-operator.crunchydata.com/v1:PostgresCluster postgres"
		policy      = "kubernetes:networking.k8s.io/v1:NetworkPolicy "
		origin      = recordType + " origin-origin."
	)
	for _, stack := range []string{"staging", "prod"} {
		g := deployed(t, stack)
		zone := map[string]string{"staging": "staging.changelog.com", "prod": "changelog.com"}[stack]
		for _, edge := range []struct{ what, after, why string }{
			{issuer + "certificates-production", release + "certificates", "definitions before custom resources"},
			{issuer + "certificates-production", release + "certificates-solver", "a solver before what asks it"},
			{database, release + "postgres-operator", "an operator before what it operates"},
			{"kubernetes:monitoring.coreos.com/v1:PodMonitor postgres-monitor", release + "monitoring", "definitions before monitors"},
			{release + "certificates", release + "monitoring", "definitions before the monitors of charts"},
			{certificate + "site-" + zone, "linode:index/domain:Domain domains-" + zone, "a zone before the proof of its names"},
			{origin + zone + "-A-0", certificate + "site-" + zone, "a certificate before the origin's record"},
			{origin + zone + "-AAAA-0", release + "ingress-traefik", "the NodeBalancer before the record that leads there"},
			{serviceVclType + " cdn", origin + zone + "-A-0", "the origin's record before Fastly, which asks for it at once"},
			{recordType + " hosts-grafana." + zone + "-A-0", origin + zone + "-AAAA-0", "the origin's record before visitors"},
			{database, "linode:index/objectStorageKey:ObjectStorageKey backups", "the key of the backups before the database"},
			{database, "linode:index/objectStorageBucket:ObjectStorageBucket backups", "their bucket too"},
			{deploymentType + " app", database, "a database before the app"},
			{deploymentType + " app", policy + "changelog-default-deny", "closed ports before pods"},
			{release + "ingress-traefik", clusterType + " cluster", "on destroy, NodeBalancers go before the cluster"},
			{database, poolType + " cluster-app", "on destroy, volumes are let go before the nodes"},
			{database, "kubernetes:storage.k8s.io/v1:StorageClass cluster-platform-retain", "a class before claims of it"},
			{deploymentType + " app", "kubernetes:scheduling.k8s.io/v1:PriorityClass cluster-platform-app", "a class before pods of it"},
		} {
			require.Contains(t, g.resources, edge.what)
			require.True(t, g.waitsFor(edge.what, edge.after), "%s: %s after %s: %s", stack, edge.what, edge.after, edge.why)
		}
	}
}

// Certificates take minutes, and so does a database: neither waits for the other.
func TestWhatHasNothingToDoWithEachOtherIsMadeSideBySide(t *testing.T) {
	t.Parallel()
	providers := &meeting{
		graph: &graph{resources: map[string]*node{}}, seen: map[string]chan struct{}{
			"kubernetes:cert-manager.io/v1:Certificate":                       make(chan struct{}),
			"kubernetes:postgres-operator.crunchydata.com/v1:PostgresCluster": make(chan struct{}),
		},
	}
	require.NoError(t, deployTo(t, copyStack(t, "staging", unchanged), "staging", providers))
}

// meeting makes nothing of certain types before one of each of them is asked for.
type meeting struct {
	*graph
	once sync.Map
	seen map[string]chan struct{} // by type, closed with the first
}

func (m *meeting) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if seen, waits := m.seen[args.TypeToken]; waits {
		if _, again := m.once.LoadOrStore(args.TypeToken, true); !again {
			close(seen)
		}
		for other, seen := range m.seen {
			select {
			case <-seen:
			case <-time.After(10 * time.Second):
				return "", nil, fmt.Errorf("%s waits for %s", other, args.TypeToken)
			}
		}
	}
	return m.graph.NewResource(args)
}
