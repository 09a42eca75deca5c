package linode_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
)

const (
	clusterType  = "linode:index/lkeCluster:LkeCluster"
	nodePoolType = "linode:index/lkeNodePool:LkeNodePool"
)

func clusterInputs(changes map[string]any) map[string]any {
	inputs := map[string]any{
		"label": "prod", "region": "us-ord", "k8sVersion": "1.35", "externalPoolTags": []any{"external"},
		"pools": []any{map[string]any{"type": "g6-standard-1", "count": 1}},
	}
	maps.Copy(inputs, changes)
	return inputs
}

func poolInputs(cluster *object, changes map[string]any) map[string]any {
	id, _ := strconv.Atoi(cluster.id)
	inputs := map[string]any{"clusterId": id, "type": "g6-standard-2", "nodeCount": 2, "tags": []any{"external"}}
	maps.Copy(inputs, changes)
	return inputs
}

func (e *engine) mustCreate(kind string, inputs map[string]any) *object {
	e.t.Helper()
	created, err := e.create(kind, inputs)
	require.NoError(e.t, err)
	return created
}

// pools are those that the API has for a cluster.
func (e *engine) pools(cluster *object) []linodego.LKENodePool {
	e.t.Helper()
	id, _ := strconv.Atoi(cluster.id)
	pools, err := e.ListLKENodePools(e.t.Context(), id, nil)
	require.NoError(e.t, err)
	return pools
}

func TestCluster(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := clusterInputs(nil)
	cluster := e.mustCreate(clusterType, inputs)
	require.True(t, cluster.state["kubeconfig"].IsSecret())
	kubeconfig, err := base64.StdEncoding.DecodeString(cluster.state["kubeconfig"].SecretValue().Element.StringValue())
	require.NoError(t, err)
	require.Equal(t, "apiVersion: v1", string(kubeconfig))
	state := cluster.state.Mappable()
	require.Equal(t, "ready", state["status"])
	require.Equal(t, "standard", state["tier"])
	require.Equal(t, []any{"https://127.0.0.1:6443", "https://localhost:6443"}, state["apiEndpoints"])
	require.Len(t, state["pools"].([]any)[0].(map[string]any)["nodes"], 1)
	require.Empty(t, e.diff(cluster, inputs))
	e.refresh(cluster)
	require.Empty(t, e.diff(cluster, inputs), "a refresh changes nothing")

	inputs = clusterInputs(map[string]any{
		"label": "renamed", "tags": []any{"b", "a"}, "k8sVersion": "1.36", "controlPlane": map[string]any{"highAvailability": true},
		"pools": []any{
			map[string]any{"type": "g6-standard-1", "count": 2, "labels": map[string]any{"role": "system"}},
			map[string]any{"type": "g6-standard-2", "autoscaler": map[string]any{"min": 1, "max": 3}},
		},
	})
	var before []linodego.LKENodePool
	require.Eventually(t, func() bool {
		before = e.pools(cluster)
		return before[0].Linodes[0].Status == linodego.LKELinodeReady
	}, time.Minute, time.Millisecond, "nodes come after their cluster")
	preview := e.previewUpdate(cluster, inputs)
	require.Equal(t, before, e.pools(cluster), "a preview changes nothing")
	require.Equal(t, cluster.state["kubeconfig"], preview["kubeconfig"], "an update does not change the way to the cluster")
	require.NoError(t, e.update(cluster, inputs))
	after := e.pools(cluster)
	require.Len(t, after, 2)
	require.Equal(t, before[0].ID, after[0].ID)
	require.Equal(t, 2, after[0].Count)
	require.NotContains(t, after[0].Linodes, before[0].Linodes[0], "a new version comes with new nodes")
	require.Equal(t, linodego.LKENodePoolAutoscaler{Enabled: true, Min: 1, Max: 3}, after[1].Autoscaler)
	e.refresh(cluster)
	require.Empty(t, e.diff(cluster, inputs))

	require.Equal(t, map[string]string{"region": "UPDATE_REPLACE"}, e.diff(cluster, with(inputs, "region", "eu-central")))
	require.Equal(t, map[string]string{"label": "UPDATE"}, e.diff(cluster, with(inputs, "label", "other")))
	require.NoError(t, e.delete(cluster))
	require.Eventually(t, func() bool {
		_, err := e.GetLKECluster(t.Context(), cluster.number())
		return linodego.IsNotFound(err)
	}, time.Minute, time.Millisecond)
	require.ErrorContains(t, e.delete(cluster), "[404] Not found", "as with the official provider")
	e.refresh(cluster)
	require.Empty(t, cluster.id)
}

func with(inputs map[string]any, key string, value any) map[string]any {
	inputs = maps.Clone(inputs)
	inputs[key] = value
	return inputs
}

func TestPoolsThatNobodyDeclared(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := clusterInputs(nil)
	cluster := e.mustCreate(clusterType, inputs)
	id, _ := strconv.Atoi(cluster.id)
	for _, tags := range [][]string{{"external"}, {"stray"}} {
		_, err := e.CreateLKENodePool(t.Context(), id, linodego.LKENodePoolCreateOptions{Type: "g6-standard-1", Count: 1, Tags: tags})
		require.NoError(t, err)
	}
	e.refresh(cluster)
	require.NotEmpty(t, e.diff(cluster, inputs), "the stray pool is drift")
	require.NoError(t, e.update(cluster, inputs))
	pools := e.pools(cluster)
	require.Len(t, pools, 2)
	require.Equal(t, []string{"external"}, pools[1].Tags)
	require.Empty(t, e.diff(cluster, inputs))
}

func TestADeclaredPoolThatIsGone(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := clusterInputs(map[string]any{"pools": []any{
		map[string]any{"type": "g6-standard-1", "count": 1}, map[string]any{"type": "g6-standard-2", "count": 1},
	}})
	cluster := e.mustCreate(clusterType, inputs)
	id, _ := strconv.Atoi(cluster.id)
	before := e.pools(cluster)
	require.NoError(t, e.DeleteLKENodePool(t.Context(), id, before[0].ID))
	e.refresh(cluster)
	require.NotEmpty(t, e.diff(cluster, inputs))
	require.NoError(t, e.update(cluster, inputs))
	after := e.pools(cluster)
	require.Len(t, after, 2)
	require.Equal(t, before[1].ID, after[0].ID, "the other pool is left alone")
	require.Equal(t, "g6-standard-1", after[1].Type)
}

func TestNodePool(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	cluster := e.mustCreate(clusterType, clusterInputs(nil))
	clusterID, _ := strconv.Atoi(cluster.id)
	taint := map[string]any{"key": "dedicated", "value": "web", "effect": "NoSchedule"}
	inputs := poolInputs(cluster, map[string]any{"labels": map[string]any{"role": "web"}, "taints": []any{taint}})
	pool := e.mustCreate(nodePoolType, inputs)
	for _, node := range pool.state.Mappable()["nodes"].([]any) {
		require.Equal(t, "ready", node.(map[string]any)["status"])
	}
	require.Empty(t, e.diff(pool, inputs))
	require.Equal(t, map[string]string{"type": "UPDATE_REPLACE", "clusterId": "UPDATE_REPLACE", "nodeCount": "UPDATE"},
		e.diff(pool, with(with(with(inputs, "type", "g6-standard-4"), "clusterId", 1), "nodeCount", 3)))

	poolID, _ := strconv.Atoi(pool.id)
	_, err := e.UpdateLKENodePool(t.Context(), clusterID, poolID, linodego.LKENodePoolUpdateOptions{
		Count: 5, Labels: &linodego.LKENodePoolLabels{}, // by hand
	})
	require.NoError(t, err)
	e.refresh(pool)
	require.Equal(t, map[string]string{"nodeCount": "UPDATE", "labels.role": "ADD"}, e.diff(pool, inputs), "refresh sees it")
	require.NoError(t, e.update(pool, inputs))
	require.Equal(t, 2, e.pools(cluster)[1].Count)
	require.Equal(t, linodego.LKENodePoolLabels{"role": "web"}, e.pools(cluster)[1].Labels)

	require.NoError(t, e.delete(pool))
	require.Len(t, e.pools(cluster), 1)
	require.NoError(t, e.delete(pool))
	e.refresh(pool)
	require.Empty(t, pool.id)
}

func TestAnAutoscalerIsNotFoughtOver(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	cluster := e.mustCreate(clusterType, clusterInputs(nil))
	clusterID, _ := strconv.Atoi(cluster.id)
	scaler := map[string]any{"min": 2, "max": 5}
	for name, inputs := range map[string]map[string]any{
		"with a count":    poolInputs(cluster, map[string]any{"autoscaler": scaler, "nodeCount": 3}),
		"without a count": {"clusterId": clusterID, "type": "g6-standard-1", "tags": []any{"external"}, "autoscaler": scaler},
	} {
		pool := e.mustCreate(nodePoolType, inputs)
		id, _ := strconv.Atoi(pool.id)
		_, err := e.UpdateLKENodePool(t.Context(), clusterID, id, linodego.LKENodePoolUpdateOptions{Count: 4}) // as the autoscaler does
		require.NoError(t, err)
		e.refresh(pool)
		require.Empty(t, e.diff(pool, inputs), name)
		require.Empty(t, e.diff(pool, inputs, "nodeCount"), name)
		inputs = with(inputs, "labels", map[string]any{"a": "b"})
		require.Len(t, e.diff(pool, inputs, "nodeCount"), 1, name)
		require.Empty(t, e.diff(pool, inputs, "nodeCount", "labels"), name)
		require.NoError(t, e.update(pool, inputs))
		actual, err := e.GetLKENodePool(t.Context(), clusterID, id)
		require.NoError(t, err)
		require.Equal(t, 4, actual.Count, name)
		require.Equal(t, linodego.LKENodePoolLabels{"a": "b"}, actual.Labels)
	}
}

func TestAFailureEndsTheWait(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	cluster := e.mustCreate(clusterType, clusterInputs(nil))
	e.planes.set(errors.New("no etcd on PATH"))
	inputs := clusterInputs(map[string]any{"label": "broken"})
	broken, err := e.create(clusterType, inputs)
	require.ErrorContains(t, err, "resource failed to initialize")
	require.ErrorContains(t, err, "starting the control plane: no etcd on PATH")
	pools := e.pools(broken)
	pool, err := e.create(nodePoolType, poolInputs(cluster, nil))
	require.ErrorContains(t, err, "making the nodes ready: no etcd on PATH")
	require.NotEmpty(t, pool.id, "what there is is not forgotten")

	e.planes.set(nil)
	_, err = e.create(nodePoolType, poolInputs(cluster, nil))
	require.NoError(t, err, "a failure of the past does not count")
	inputs = with(inputs, "label", "mended")
	require.NoError(t, e.update(broken, inputs))
	require.Equal(t, "ready", broken.state.Mappable()["status"])
	require.Equal(t, pools[0].ID, e.pools(broken)[0].ID)
}

func TestWhatTheAPIRefusesIsSaid(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	_, err := e.create(clusterType, clusterInputs(map[string]any{"region": "us-moon"}))
	require.ErrorContains(t, err, "creating LKE cluster prod: [400] [region] region is not valid")
	_, err = e.create(nodePoolType, map[string]any{"clusterId": 1, "type": "g6-standard-1", "nodeCount": 1})
	require.ErrorContains(t, err, "[404] Not found")
}

func TestUnknownTypesAndPropertiesAreNamed(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	_, err := e.create("linode:index/instance:Instance", map[string]any{})
	require.ErrorContains(t, err, "linode:index/instance:Instance")
	_, err = e.invoke("linode:index/getImages:getImages", map[string]any{})
	require.ErrorContains(t, err, "linode:index/getImages:getImages")
	_, err = e.create(clusterType, clusterInputs(map[string]any{"vpcId": 1}))
	require.ErrorContains(t, err, "vpcId")
	pool := map[string]any{"type": "g6-standard-1", "firewallId": 1}
	_, err = e.create(clusterType, clusterInputs(map[string]any{"pools": []any{pool}}))
	require.ErrorContains(t, err, "firewallId")
	_, err = e.create(nodePoolType, map[string]any{"type": "g6-standard-1"})
	require.ErrorContains(t, err, "clusterId")
	_, err = e.invoke("linode:index/getRegions:getRegions", map[string]any{"filter": 1})
	require.ErrorContains(t, err, "filter")
	require.ErrorContains(t, e.configure(map[string]any{"eventPollMs": 1}), "eventPollMs")
}

func TestConfigurationFromTheEnvironment(t *testing.T) {
	e := newEngine(t)
	t.Setenv("LINODE_URL", e.url)
	t.Setenv("LINODE_API_VERSION", "v4beta")
	t.Setenv("LINODE_TOKEN", "")
	e.server = newServer(t)
	require.ErrorContains(t, e.configure(map[string]any{"version": "4.39.0"}), "linode:token or LINODE_TOKEN")

	t.Setenv("LINODE_TOKEN", token)
	e.server = newServer(t)
	require.NoError(t, e.configure(nil))
	require.NotEmpty(t, e.mustCreate(clusterType, clusterInputs(nil)).id)
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	regions, err := e.invoke("linode:index/getRegions:getRegions", map[string]any{"filters": []any{
		map[string]any{"name": "capabilities", "values": []any{"Kubernetes Enterprise"}},
		map[string]any{"name": "country", "values": []any{"us", "br"}},
		map[string]any{"name": "id", "values": []any{"^us-o", "^br"}, "matchBy": "regex"},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"br-gru", "us-ord"}, ids(regions["regions"]))
	require.NotEmpty(t, regions["id"])
	require.Contains(t, regions["regions"].([]any)[0], "placementGroupLimits")

	types, err := e.invoke("linode:index/getInstanceTypes:getInstanceTypes", map[string]any{
		"orderBy": "memory", "order": "desc", "filters": []any{map[string]any{"name": "class", "values": []any{"standard", "nanode"}},
			map[string]any{"name": "vcpus", "values": []any{"1", "2"}}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"g6-standard-2", "g6-standard-1", "g6-nanode-1"}, ids(types["types"]))
	plan := types["types"].([]any)[0].(map[string]any)
	require.InDelta(t, 24, plan["prices"].([]any)[0].(map[string]any)["monthly"], 0)

	versions, err := e.invoke("linode:index/getLkeVersions:getLkeVersions", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"1.36", "1.35", "1.34", "1.33"}, ids(versions["versions"]))
	versions, err = e.invoke("linode:index/getLkeVersions:getLkeVersions", map[string]any{"tier": "enterprise"})
	require.NoError(t, err)
	require.Equal(t, "enterprise", versions["versions"].([]any)[0].(map[string]any)["tier"])

	endpoints, err := e.invoke("linode:index/getObjectStorageEndpoints:getObjectStorageEndpoints", map[string]any{
		"filters": []any{map[string]any{"name": "region", "values": []any{"us-ord"}}},
	})
	require.NoError(t, err)
	require.Equal(t, []any{
		map[string]any{"region": "us-ord", "endpointType": "E1", "s3Endpoint": "us-ord-1.linodeobjects.com"},
		map[string]any{"region": "us-ord", "endpointType": "E3", "s3Endpoint": "us-ord-10.linodeobjects.com"},
	}, endpoints["endpoints"])

	for _, filter := range []map[string]any{
		{"name": "colour", "values": []any{"red"}}, {"name": "id", "values": []any{"("}, "matchBy": "regex"},
		{"name": "id", "values": []any{"x"}, "matchBy": "sound"},
	} {
		_, err := e.invoke("linode:index/getRegions:getRegions", map[string]any{"filters": []any{filter}})
		require.ErrorContains(t, err, "filter", filter)
	}
}

func ids(list any) []string {
	var result []string
	for _, item := range list.([]any) {
		result = append(result, item.(map[string]any)["id"].(string))
	}
	return result
}

func TestPreviewOfANewClusterKnowsNothingOfIt(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs, err := e.check(clusterType, clusterInputs(nil))
	require.NoError(t, err)
	preview := e.previewCreate(clusterType, inputs)
	require.True(t, preview["kubeconfig"].ContainsUnknowns())
	require.Equal(t, resource.NewProperty("prod"), preview["label"])
	clusters, err := e.ListLKEClusters(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, clusters)
}
