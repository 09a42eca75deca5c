package linode_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

func TestClusterLifecycle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.planes.hold = make(chan struct{})
	r.SetRetryCount(0)

	cluster, err := r.CreateLKECluster(ctx, newCluster("prod", 2))
	require.NoError(t, err)
	require.Equal(t, linodego.LKEClusterReady, cluster.Status, "whatever its control plane is")
	require.Equal(t, "standard", cluster.Tier)
	_, err = r.GetLKEClusterKubeconfig(ctx, cluster.ID)
	require.ErrorContains(t, err, "[503] Cluster kubeconfig is not yet available. Please try again later.")
	_, err = r.ListLKEClusterAPIEndpoints(ctx, cluster.ID, nil)
	require.ErrorContains(t, err, "Cluster API Endpoints are not yet available")
	var instances []linodego.Instance
	require.Eventually(t, func() bool {
		instances, err = r.ListInstances(ctx, nil)
		return err == nil && len(instances) == 2
	}, soon, instant)
	require.Equal(t, linodego.InstanceProvisioning, instances[0].Status)
	require.Equal(t, cluster.ID, instances[0].LKEClusterID)

	close(r.planes.hold)
	nodes := r.nodesReady(cluster.ID, 2)
	_, err = r.WaitForInstanceStatus(ctx, nodes[0].InstanceID, linodego.InstanceRunning, 10)
	require.NoError(t, err)
	endpoints, err := r.ListLKEClusterAPIEndpoints(ctx, cluster.ID, nil)
	require.NoError(t, err)
	require.Equal(t, []linodego.LKEClusterAPIEndpoint{
		{Endpoint: "https://127.0.0.1:6443"}, {Endpoint: "https://localhost:6443"},
	}, endpoints)
	dashboard, err := r.GetLKEClusterDashboard(ctx, cluster.ID)
	require.NoError(t, err)
	require.NotEmpty(t, dashboard.URL)

	available := true
	cluster, err = r.UpdateLKECluster(ctx, cluster.ID, linodego.LKEClusterUpdateOptions{
		Label: "production", Tags: &[]string{"a", "b"}, K8sVersion: "1.36",
		ControlPlane: &linodego.LKEClusterControlPlaneOptions{HighAvailability: &available},
	})
	require.NoError(t, err)
	require.Equal(t, "production", cluster.Label)
	require.Equal(t, []string{"a", "b"}, cluster.Tags)
	require.True(t, cluster.ControlPlane.HighAvailability)
	require.Eventually(t, func() bool { return r.planes.version(cluster.ID) == "1.36" }, soon, instant)

	require.NoError(t, r.DeleteLKECluster(ctx, cluster.ID))
	require.Eventually(t, func() bool {
		_, err := r.GetLKECluster(ctx, cluster.ID)
		return linodego.IsNotFound(err)
	}, soon, instant)
	require.Empty(t, r.planes.version(cluster.ID))
	instances, err = r.ListInstances(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, instances)
}

func TestDeletingAClusterThatIsStillStarting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.planes.hold = make(chan struct{}) // never closed: only the deletion ends the start
	cluster, err := r.CreateLKECluster(t.Context(), newCluster("short-lived", 1))
	require.NoError(t, err)
	require.NoError(t, r.DeleteLKECluster(t.Context(), cluster.ID))
	require.Eventually(t, func() bool {
		_, err := r.GetLKECluster(t.Context(), cluster.ID)
		return linodego.IsNotFound(err)
	}, soon, instant)
	require.NotContains(t, r.log.String(), "does not get ready")
}

// https://github.com/linode/terraform-provider-linode/issues/1962
func TestALinodeInTheMakingOutlivesItsCluster(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *linode.Options) { o.LinodeDelay = time.Hour })
	cluster, err := r.CreateLKECluster(t.Context(), newCluster("short-lived", 1))
	require.NoError(t, err)
	pools, err := r.ListLKENodePools(t.Context(), cluster.ID, nil)
	require.NoError(t, err)
	require.NoError(t, r.DeleteLKECluster(t.Context(), cluster.ID))
	left, err := r.ListInstances(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, fmt.Sprintf("lke%d-%s", cluster.ID, pools[0].Linodes[0].ID), left[0].Label)
}

func TestNodePools(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("pools", 1)

	pool, err := r.CreateLKENodePool(ctx, cluster.ID, linodego.LKENodePoolCreateOptions{
		Type: "g6-standard-4", Count: 2, Tags: []string{"external"}, Labels: linodego.LKENodePoolLabels{"role": "web"},
		Taints:     []linodego.LKENodePoolTaint{{Key: "dedicated", Value: "web", Effect: linodego.LKENodePoolTaintEffectNoSchedule}},
		Autoscaler: &linodego.LKENodePoolAutoscaler{Enabled: true, Min: 2, Max: 5},
	})
	require.NoError(t, err)
	require.Len(t, pool.Linodes, 2)
	require.Equal(t, linodego.LKELinodeNotReady, pool.Linodes[0].Status)
	require.Zero(t, pool.Linodes[0].InstanceID, "its Linode is still to be made")
	require.Less(t, pool.Linodes[0].ID, pool.Linodes[1].ID)
	require.Equal(t, linodego.LKENodePoolAutoscaler{Enabled: true, Min: 2, Max: 5}, pool.Autoscaler)
	require.Equal(t, linodego.InstanceDiskEncryptionEnabled, pool.DiskEncryption)

	r.nodesReady(cluster.ID, 3)
	node := r.planes.synced(cluster.ID)[1]
	require.Equal(t, map[string]string{"role": "web"}, node.Labels)
	require.Equal(t, []linode.Taint{{Key: "dedicated", Value: "web", Effect: "NoSchedule"}}, node.Taints)
	require.Equal(t, 8192, node.Type.Memory)
	require.Equal(t, pool.ID, node.PoolID)
	require.Regexp(t, `^lke\d+-\d+-[0-9a-f]{12}$`, node.Name)
	require.True(t, strings.HasPrefix(node.PrivateIP, "192.168."), node.PrivateIP)

	for _, count := range []int{4, 1} {
		pool, err = r.UpdateLKENodePool(ctx, cluster.ID, pool.ID, linodego.LKENodePoolUpdateOptions{
			Count: count, Labels: &linodego.LKENodePoolLabels{"role": "app"}, Taints: &[]linodego.LKENodePoolTaint{},
			Autoscaler: &linodego.LKENodePoolAutoscaler{Enabled: false, Min: count, Max: count},
		})
		require.NoError(t, err)
		require.Equal(t, count, pool.Count)
		require.Equal(t, []string{"external"}, pool.Tags, "what an update leaves out stays")
		r.nodesReady(cluster.ID, 1+count)
	}
	require.Equal(t, map[string]string{"role": "app"}, r.planes.synced(cluster.ID)[1].Labels)
	require.Empty(t, r.planes.synced(cluster.ID)[1].Taints)

	require.NoError(t, r.DeleteLKENodePool(ctx, cluster.ID, pool.ID))
	r.nodesReady(cluster.ID, 1)
	pools, err := r.ListLKENodePools(ctx, cluster.ID, nil)
	require.NoError(t, err)
	require.Len(t, pools, 1)
	require.ErrorContains(t, r.DeleteLKENodePool(ctx, cluster.ID, pools[0].ID), "last node pool")
	require.Equal(t, []linode.CostLine{
		{What: "g6-standard-2 nodes in us-ord", Count: 1, EachUSD: 24, TotalUSD: 24},
		{What: "control planes in us-ord", Count: 1, EachUSD: 0, TotalUSD: 0},
	}, r.api.MonthlyCost())
}

func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("nodes", 3)
	before := r.nodesReady(cluster.ID, 3)

	require.NoError(t, r.DeleteInstance(ctx, before[0].InstanceID))
	after := r.nodesReady(cluster.ID, 3)
	require.Subset(t, after, before[1:], "the other nodes stay")
	require.NotContains(t, after, before[0], "the lost node is made up for by a new one")

	require.NoError(t, r.RecycleLKENodePoolNode(ctx, cluster.ID, after[0].ID))
	recycled := r.replaced(cluster.ID, after[:1])
	require.Subset(t, recycled, after[1:], "the other nodes stay")
	require.NoError(t, r.RecycleLKEClusterNodes(ctx, cluster.ID))
	r.replaced(cluster.ID, recycled)
	require.Equal(t, 1, r.planes.replaced, "one node at a time")
	filter := `{"entity.type":"linode","action":"linode_delete","+order_by":"created","+order":"desc"}`
	events, err := r.ListEvents(ctx, linodego.NewListOptions(1, filter))
	require.NoError(t, err)
	require.Len(t, events, 5, "one lost, one recycled by itself, three with the cluster")
	require.Greater(t, events[0].ID, events[1].ID, "newest first")

	node, err := r.GetLKENodePoolNode(ctx, cluster.ID, r.nodesReady(cluster.ID, 3)[0].ID)
	require.NoError(t, err)
	require.NoError(t, r.DeleteLKENodePoolNode(ctx, cluster.ID, node.ID))
	r.nodesReady(cluster.ID, 2)
	pools, err := r.ListLKENodePools(ctx, cluster.ID, nil)
	require.NoError(t, err)
	require.Equal(t, 2, pools[0].Count, "deleting a node makes its pool smaller")
}

// Who switches the Linode of a node off and on does so to the node.
func TestPowerOfANodesLinodeIsTheNodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("power", 1)
	linodeID := r.nodesReady(cluster.ID, 1)[0].InstanceID
	before := r.planes.synced(cluster.ID)[0]
	for _, step := range []struct {
		power func() error
		boots int
		off   bool
	}{
		{func() error { return r.RebootInstance(ctx, linodeID, 0) }, 1, false},
		{func() error { return r.ShutdownInstance(ctx, linodeID) }, 1, true},
		{func() error { return r.BootInstance(ctx, linodeID, 0) }, 2, false},
	} {
		require.NoError(t, step.power())
		wanted := before
		wanted.Boots, wanted.Off = step.boots, step.off
		require.Eventually(t, func() bool { return reflect.DeepEqual([]linode.Node{wanted}, r.planes.synced(cluster.ID)) }, soon, instant)
	}
}

// Of what befalls a node Linode's API tells nothing, but its control plane learns of it.
func TestNodesInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *linode.Options) { o.Troubles = true })
	ctx := t.Context()
	cluster := r.cluster("trouble", 1)
	linodeID := r.nodesReady(cluster.ID, 1)[0].InstanceID
	node := r.planes.synced(cluster.ID)[0]
	bring := func(name, verb string) int {
		response, err := http.Post(r.url+"/_simulation/nodes/"+name+"/"+verb, "", nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	becomes := func(trouble linode.Trouble) {
		t.Helper()
		require.Eventually(t, func() bool { return r.planes.synced(cluster.ID)[0].Trouble == trouble }, soon, instant)
		found, err := r.GetInstance(ctx, linodeID)
		require.NoError(t, err)
		require.Equal(t, linodego.InstanceRunning, found.Status)
	}
	for verb, trouble := range map[string]linode.Trouble{"lose": linode.Lost, "hang": linode.Hung, "cut": linode.CutOff} {
		require.Equal(t, http.StatusOK, bring(node.Name, verb))
		becomes(trouble)
		require.Equal(t, http.StatusOK, bring(node.Name, "mend"))
		becomes("")
	}
	require.Equal(t, http.StatusOK, bring(node.Name, "hang"))
	require.NoError(t, r.RebootInstance(ctx, linodeID, 0))
	becomes("")
	require.Equal(t, http.StatusOK, bring(node.Name, "cut"))
	require.NoError(t, r.RebootInstance(ctx, linodeID, 0))
	require.Eventually(t, func() bool { return r.planes.synced(cluster.ID)[0].Boots == 2 }, soon, instant)
	becomes(linode.CutOff) // a reboot plugs no cable in
	require.Equal(t, http.StatusNotFound, bring("lke1-2-3", "lose"))
	require.Equal(t, http.StatusBadRequest, bring(node.Name, "burn"))
}

func TestAPIServersHang(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cluster := r.cluster("hung", 1)
	tell := func(verb string) int {
		response, err := http.Post(r.url+"/_simulation/api-servers/"+verb, "", nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusOK, tell("hang"))
	require.Equal(t, map[int]bool{cluster.ID: true}, r.planes.hung)
	require.Equal(t, http.StatusOK, tell("mend"))
	require.Equal(t, map[int]bool{cluster.ID: false}, r.planes.hung)
	require.Equal(t, http.StatusBadRequest, tell("burn"))
}

func TestSimulatedNodesAreNeverInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	response, err := http.Post(r.url+"/_simulation/nodes/lke1-2-3/lose", "", nil)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(answer), "rehearse with LIVE=1")
}

func TestKubeconfigIsRegenerated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cluster := r.cluster("access", 1)
	read := func() string {
		config, err := r.GetLKEClusterKubeconfig(t.Context(), cluster.ID) // repeats a 503
		require.NoError(t, err)
		decoded, err := base64.StdEncoding.DecodeString(config.KubeConfig)
		require.NoError(t, err)
		return string(decoded)
	}
	require.Equal(t, "kubeconfig 1", read())
	require.NoError(t, r.DeleteLKEClusterKubeconfig(t.Context(), cluster.ID))
	require.Equal(t, "kubeconfig 2", read())
}

func TestControlPlaneACL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("acl", 1)
	read, err := r.GetLKEClusterControlPlaneACL(ctx, cluster.ID)
	require.NoError(t, err)
	none := &linodego.LKEClusterControlPlaneACLAddresses{IPv4: []string{}, IPv6: []string{}}
	require.Equal(t, linodego.LKEClusterControlPlaneACL{Addresses: none}, read.ACL)

	enabled := true
	options := linodego.LKEClusterControlPlaneACLOptions{
		Enabled: &enabled, RevisionID: "first", Addresses: &linodego.LKEClusterControlPlaneACLAddressesOptions{
			IPv4: &[]string{"192.0.2.1", "198.51.100.0/24"}, IPv6: &[]string{"2001:db8::1"},
		},
	}
	_, err = r.UpdateLKECluster(ctx, cluster.ID, linodego.LKEClusterUpdateOptions{
		ControlPlane: &linodego.LKEClusterControlPlaneOptions{ACL: &options},
	})
	require.NoError(t, err)
	read, err = r.GetLKEClusterControlPlaneACL(ctx, cluster.ID)
	require.NoError(t, err)
	allowed := &linodego.LKEClusterControlPlaneACLAddresses{
		IPv4: []string{"192.0.2.1", "198.51.100.0/24"}, IPv6: []string{"2001:db8::1/128"},
	}
	require.Equal(t, linodego.LKEClusterControlPlaneACL{Enabled: true, RevisionID: "first", Addresses: allowed}, read.ACL)

	options.Addresses.IPv4 = &[]string{"everybody"}
	_, err = r.UpdateLKEClusterControlPlaneACL(ctx, cluster.ID, linodego.LKEClusterControlPlaneACLUpdateOptions{ACL: options})
	require.ErrorContains(t, err, "[acl.addresses] everybody is not a valid IP address or network")
	require.NoError(t, r.DeleteLKEClusterControlPlaneACL(ctx, cluster.ID))
	read, err = r.GetLKEClusterControlPlaneACL(ctx, cluster.ID)
	require.NoError(t, err)
	require.Equal(t, linodego.LKEClusterControlPlaneACL{Addresses: none}, read.ACL)
}

func TestAFailingControlPlaneIsSeen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.planes.set(errors.New("no etcd on PATH"))
	cluster, err := r.CreateLKECluster(ctx, newCluster("broken", 1))
	require.NoError(t, err)

	failure := func() []linodego.Event {
		events, err := r.ListEvents(ctx, linodego.NewListOptions(1, `{"entity.type":"lkecluster","status":"failed"}`))
		require.NoError(t, err)
		return events
	}
	require.Eventually(t, func() bool { return len(failure()) == 1 }, soon, instant)
	require.Equal(t, "starting the control plane: no etcd on PATH", failure()[0].Message)
	require.Contains(t, r.log.String(), "no etcd on PATH")
	_, err = r.GetLKEClusterKubeconfig(ctx, cluster.ID)
	require.EqualError(t, err, "[500] starting the control plane: no etcd on PATH", "nobody waits for what does not come")

	r.planes.set(nil)
	_, err = r.UpdateLKECluster(ctx, cluster.ID, linodego.LKEClusterUpdateOptions{Label: "mended"}) // any change tries again
	require.NoError(t, err)
	r.nodesReady(cluster.ID, 1)
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	first := newRig(t)
	cluster := first.cluster("lasting", 2)
	before := first.nodesReady(cluster.ID, 2)
	first.api.Close()
	editState(t, first.dir, func(state map[string]any) {
		state["instances"] = state["instances"].([]any)[1:]
		pool := state["clusters"].([]any)[0].(map[string]any)["pools"].([]any)[0].(map[string]any)
		pool["count"] = 3
	})

	planes := &planes{versions: map[int]string{}, nodes: map[int][]linode.Node{}}
	second := open(t, first.dir, planes)
	read, err := second.GetLKECluster(t.Context(), cluster.ID)
	require.NoError(t, err)
	require.Equal(t, "lasting", read.Label)
	require.NoError(t, second.api.Resume(t.Context()))
	require.Equal(t, "1.35", planes.version(cluster.ID))
	after := second.nodesReady(cluster.ID, 3)
	require.Contains(t, after, before[1], "a node that was left alone is the same")
	require.NotContains(t, after, before[0])
	_, err = second.GetLKEClusterKubeconfig(t.Context(), cluster.ID)
	require.NoError(t, err)
	second.api.Close()

	planes.set(errors.New("port taken"))
	third := open(t, first.dir, planes)
	require.ErrorContains(t, third.api.Resume(t.Context()), "port taken")
}

// editState changes the state file by hand, as a user would between two rehearsals.
func editState(t *testing.T, dir string, edit func(map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "linode.json")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var state map[string]any
	require.NoError(t, json.Unmarshal(content, &state))
	edit(state)
	content, err = json.Marshal(state)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

func TestWhatLKERefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cluster := fmt.Sprintf("/v4/lke/clusters/%d", r.cluster("taken", 1).ID)
	status, _ := r.request(http.MethodPut, cluster, `{"control_plane":{"high_availability":true}}`)
	require.Equal(t, http.StatusOK, status)

	const pool = `{"type":"g6-standard-1","count":1}`
	const newCluster = `{"label":"new","region":"us-ord","k8s_version":"1.35","node_pools":[` + pool + `]}`
	for _, test := range []struct{ method, path, valid, change, reason string }{
		{"POST", "/v4/lke/clusters", newCluster, `{"region":"us-moon"}`, "region is not valid"},
		{"POST", "/v4/lke/clusters", newCluster, `{"k8s_version":"1.20"}`, "k8s_version is not valid"},
		{"POST", "/v4/lke/clusters", newCluster, `{"label":"a--b"}`, "Must be 1-32 letters"},
		{"POST", "/v4/lke/clusters", newCluster, `{"label":"taken"}`, "Label must be unique"},
		{"POST", "/v4/lke/clusters", newCluster, `{"label":null}`, "label is required"},
		{"POST", "/v4/lke/clusters", newCluster, `{"tier":"enterprise"}`, "tier enterprise is not simulated"},
		{"POST", "/v4/lke/clusters", newCluster, `{"apl_enabled":true}`, "App Platform is not simulated"},
		{"POST", "/v4/lke/clusters", newCluster, `{"node_pools":[]}`, "at least one node pool"},
		{"POST", "/v4/lke/clusters", newCluster, `{"node_pools":[{"type":"g6-standard-1","count":0}]}`, `"node_pools[0].count","reason":"Must be 1-100"`},
		{"POST", "/v4/lke/clusters", newCluster, `{"region":"x","k8s_version":"y"}`, `"},{"field":"k8s_version"`}, // both at once
		{"PUT", cluster, `{}`, `{"k8s_version":"1.34"}`, "on version 1.35 cannot be downgraded to 1.34"},
		{"PUT", cluster, `{}`, `{"control_plane":{"high_availability":false}}`, "cannot be disabled"},
		{"POST", cluster + "/pools", pool, `{"type":"g6-huge-1"}`, "type is not valid"},
		{"POST", cluster + "/pools", pool, `{"type":"g6-nanode-1"}`, "too small"},
		{"POST", "/v4/lke/clusters", newCluster, `{"region":"us-east","node_pools":[{"type":"g7-premium-2","count":1}]}`,
			"g7-premium-2 is not available in us-east"},
		{"POST", cluster + "/pools", pool, `{"count":101}`, "Must be 1-100"},
		{"POST", cluster + "/pools", pool, `{"count":null}`, "count is required"},
		{"POST", cluster + "/pools", pool, `{"autoscaler":{"enabled":true,"min":3,"max":2}}`, "Must not be greater than autoscaler.max"},
		{"POST", cluster + "/pools", pool, `{"autoscaler":{"enabled":false,"min":0,"max":0}}`, `"autoscaler.min","reason":"Must be 1-100"`},
		{"POST", cluster + "/pools", pool, `{"labels":{"node.kubernetes.io/x":"y"}}`, "are reserved"},
		{"POST", cluster + "/pools", pool, `{"labels":{"x":"a b"}}`, "x=a b: a valid label must"},
		{"POST", cluster + "/pools", pool, `{"taints":[{"key":"k","value":"v","effect":"Never"}]}`, "effect must be one of"},
	} {
		request := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(test.valid), &request))
		require.NoError(t, json.Unmarshal([]byte(test.change), &request)) // over the valid one
		body, err := json.Marshal(request)
		require.NoError(t, err)
		status, answer := r.request(test.method, test.path, string(body))
		require.Equal(t, http.StatusBadRequest, status, test.change)
		require.Contains(t, answer, test.reason)
	}
}

func TestUpgradesSkipNoVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	options := newCluster("old", 1)
	options.K8sVersion = "1.33"
	cluster, err := r.CreateLKECluster(t.Context(), options)
	require.NoError(t, err)
	_, err = r.UpdateLKECluster(t.Context(), cluster.ID, linodego.LKEClusterUpdateOptions{K8sVersion: "1.35"})
	require.ErrorContains(t, err, "A cluster on version 1.33 must be upgraded one minor version at a time")
}
