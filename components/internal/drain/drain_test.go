package drain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

// newCluster returns a cluster that holds some objects, and whose API server answers an eviction with an error if there is one.
// A pod without disruption budget goes at once.
func newCluster(t *testing.T, refusal error, objects ...string) (*Cluster, *fake.FakeDynamicClient) {
	t.Helper()
	var held []runtime.Object
	for _, text := range objects {
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(text), &object.Object))
		held = append(held, object)
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		pods: "PodList", nodes: "NodeList", claims: "PersistentVolumeClaimList", volumes: "PersistentVolumeList",
		attachments: "VolumeAttachmentList", storageClasses: "StorageClassList", services: "ServiceList", events: "EventList",
	}, held...)
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		evicted := action.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured)
		if refusal != nil {
			return true, nil, refusal
		}
		return true, evicted, client.Tracker().Delete(pods, evicted.GetNamespace(), evicted.GetName())
	})
	return &Cluster{client: client, say: func(text string) { t.Log(text) }}, client
}

const (
	node       = "{apiVersion: v1, kind: Node, metadata: {name: old, labels: {pool: \"7\"}}}"
	app        = "{apiVersion: v1, kind: Pod, metadata: {name: app, namespace: site}, status: {phase: Running}}"
	dns        = "{apiVersion: v1, kind: Pod, metadata: {name: dns, namespace: kube-system}, status: {phase: Running}}"
	job        = "{apiVersion: v1, kind: Pod, metadata: {name: job, namespace: site}, status: {phase: Succeeded}}"
	agent      = `{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: site, ownerReferences: [{kind: DaemonSet, controller: true}]}}`
	attachment = `{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a},
		spec: {nodeName: old, source: {persistentVolumeName: data}}}`
)

var tooMany = apierrors.NewTooManyRequests("it would violate the pod's disruption budget", 0)

func TestNodesAreCordonedAndEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cluster, client := newCluster(t, nil, node, app, dns, job, agent)
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.Equal(t, pollTime, time.Since(begin))
		cordoned, err := client.Resource(nodes).Get(t.Context(), "old", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"unschedulable": true}, cordoned.Object["spec"])
		left, err := client.Resource(pods).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, left.Items, 2, "what a DaemonSet would bring back, and what has ended")
	})
}

const (
	balanced = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: ingress}, spec: {type: LoadBalancer}}"
	told     = `{apiVersion: v1, kind: Event, metadata: {name: web.1, namespace: ingress, resourceVersion: "9"},
		reason: UpdatedLoadBalancer, involvedObject: {kind: Service, name: web}}`
)

func TestLoadBalancersLetGoOfNodesBeforeTheyAreEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const letGo = 21 * time.Second // after the nodes were excluded
		cluster, client := newCluster(t, nil, node, app, balanced, told)
		begin := time.Now()
		var evicted time.Duration
		client.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			evicted = time.Since(begin)
			return false, nil, nil
		})
		client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
			time.AfterFunc(letGo, func() {
				again := &unstructured.Unstructured{}
				assert.NoError(t, yaml.Unmarshal([]byte(strings.Replace(told, `"9"`, `"10"`, 1)), &again.Object))
				assert.NoError(t, client.Tracker().Update(events, again, "ingress"))
			})
			return false, nil, nil
		})
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.GreaterOrEqual(t, evicted, letGo+settleTime)
		require.Less(t, evicted, balancerTime)
		found, err := client.Resource(nodes).Get(t.Context(), "old", metav1.GetOptions{})
		require.NoError(t, err)
		require.Contains(t, found.GetLabels(), "node.kubernetes.io/exclude-from-external-load-balancers")

		begin = time.Now()
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.Less(t, time.Since(begin), settleTime, "who goes on from an earlier time does not wait for it again")
	})
}

// What is under way through a node is not cut off with it: the ingress controller that runs on every node ends its connections
// when nobody makes any more, before anything else moves.
func TestConnectionsFromLoadBalancersEndBeforeNodesAreEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const leaving = 12 * time.Second
		web := strings.Replace(balanced, "type: LoadBalancer", "type: LoadBalancer, selector: {app: web}", 1)
		controller := func(name, node string) string {
			return `{apiVersion: v1, kind: Pod, metadata: {name: ` + name + `, namespace: ingress, uid: ` + name + `, labels: {app: web},
				ownerReferences: [{kind: DaemonSet, controller: true}]}, spec: {nodeName: ` + node + `}}`
		}
		lost := strings.Replace(controller("lost", "old"), "spec:", "status: {conditions: [{type: Ready, status: 'False'}]}, spec:", 1)
		cluster, client := newCluster(t, nil, node, app, agent, web, controller("before", "old"), controller("elsewhere", "new"), lost)
		begin := time.Now()
		asked := map[string]time.Duration{}
		client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			evicted := action.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured)
			if _, before := asked[evicted.GetName()]; before {
				return true, evicted, nil
			}
			asked[evicted.GetName()] = time.Since(begin)
			if evicted.GetName() != "before" {
				return false, nil, nil
			}
			time.AfterFunc(leaving, func() {
				assert.NoError(t, client.Tracker().Delete(pods, "ingress", "before"))
				after := &unstructured.Unstructured{}
				assert.NoError(t, yaml.Unmarshal([]byte(controller("after", "old")), &after.Object))
				assert.NoError(t, client.Tracker().Add(after))
			})
			return true, evicted, nil
		})
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.Len(t, asked, 2, "neither its successor, nor those of other nodes, nor who is lost, nor what nobody connects to")
		require.GreaterOrEqual(t, asked["before"], balancerTime-pollTime, "the load balancer was not heard of")
		require.GreaterOrEqual(t, asked["app"], asked["before"]+leaving)
	})
}

func TestALoadBalancerThatIsNotHeardOfKeepsNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cluster, _ := newCluster(t, nil, node, app, balanced, told)
		var said string
		cluster.say = func(text string) { said += text }
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.InDelta(t, balancerTime, time.Since(begin), float64(2*pollTime))
		require.Contains(t, said, "the load balancer of ingress/web may still send requests to the nodes")
	})
}

func TestWhatCannotGoIsNamedAndKeepsItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cluster, _ := newCluster(t, tooMany, node, app, dns)
		err := cluster.EmptyNodes(t.Context(), "pool=7")
		require.ErrorContains(t, err, "after 30m0s there still is on the nodes: pod site/app. Nothing is deleted")
		require.Equal(t, nodesTime, time.Since(begin))

		cluster, _ = newCluster(t, apierrors.NewInternalError(errors.New("two budgets")), node, app)
		require.ErrorContains(t, cluster.EmptyNodes(t.Context(), "pool=7"), "pod site/app (Internal error occurred: two budgets)")

		cluster, _ = newCluster(t, nil, node, attachment)
		require.ErrorContains(t, cluster.EmptyNodes(t.Context(), "pool=7"), "on the nodes: volume data.")
	})
}

func TestAPodOfTheSystemIsNotWaitedForForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cluster, _ := newCluster(t, tooMany, node, dns)
		require.NoError(t, cluster.EmptyNodes(t.Context(), "pool=7"))
		require.InDelta(t, systemTime, time.Since(begin), float64(2*pollTime))
	})
}

func TestVolumesAreAwaitedWhoseClaimIsGone(t *testing.T) {
	volume := func(name, policy, claim string) string {
		return `{apiVersion: v1, kind: PersistentVolume, metadata: {name: ` + name + `}, spec: {claimRef: {uid: ` + claim + `},
			persistentVolumeReclaimPolicy: ` + policy + `, capacity: {storage: 10Gi}, csi: {volumeHandle: 4711-` + name + `}}}`
	}
	claim := "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: used, namespace: site, uid: used}}"
	for name, test := range map[string]struct {
		objects []string
		left    string
	}{
		"in use":              {[]string{claim, volume("data", "Delete", "used")}, ""},
		"kept":                {[]string{volume("data", "Retain", "gone")}, ""},
		"kept, still in use":  {[]string{volume("data", "Retain", "gone"), attachment}, "volume data (Linode's 4711, 10Gi)"},
		"not yet deleted":     {[]string{volume("data", "Delete", "gone")}, "volume data (Linode's 4711, 10Gi)"},
		"of another's making": {[]string{"{apiVersion: v1, kind: PersistentVolume, metadata: {name: data}}"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, _ := newCluster(t, nil, test.objects...)
				err := cluster.AwaitVolumes(t.Context())
				if test.left == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "after 5m0s there still is: "+test.left+". The nodes stay")
			})
		})
	}
}

func TestAnAPIThatDoesNotAnswerIsAskedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, client := newCluster(t, nil)
		found, err := cluster.HasStorageClass(t.Context(), "platform-delete")
		require.NoError(t, err)
		require.False(t, found)
		client.PrependReactor("get", "storageclasses", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, context.DeadlineExceeded
		})
		_, err = cluster.HasStorageClass(t.Context(), "platform-delete")
		require.ErrorContains(t, err, "the cluster's API did not answer for 1m0s")
	})
}
