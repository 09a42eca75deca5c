package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
)

// replacePool gives the only pool of the app and the database another type. It replays incident I2, where all nodes were
// recycled at once and their volumes hung for five minutes, and I3, where the app waited seven for the volume of a lost node: here
// the old nodes go when they are empty, and not before. A pod whose disruption budget never lets it go holds them.
func (e *estate) replacePool(t *testing.T) {
	old := e.pool(t, "app")
	e.holdNode(t)
	watch := e.watchPool(t, old.ID)
	lifted := make(chan error, 1)
	go func() { lifted <- e.liftBudget(t.Context(), watch, old.ID) }()
	e.edit(t, "type: g6-standard-4", "type: g6-standard-6")
	e.load(t)
	begin := time.Now()
	up, err := e.stack.Up(t.Context(), optup.SuppressProgress())
	require.NoError(t, err)
	require.Equal(t, 1, (*up.Summary.ResourceChanges)[string(apitype.OpReplace)], up.StdOut)
	watch.stop()
	require.NoError(t, <-lifted)

	pools := fmt.Sprintf("/v4/lke/clusters/%d/pools", e.clusterID)
	created := e.requestAt(t, begin, http.MethodPost, pools)
	deleted := e.requestAt(t, begin, http.MethodDelete, pools+"/"+strconv.Itoa(old.ID))
	t.Logf("the new pool is ordered after %s, its nodes are ready after %s; no new pods come to the old nodes after %s, the last "+
		"is gone after %s, the last volume detached after %s; the old pool is deleted after %s", created.Sub(begin),
		watch.ready.Sub(begin), watch.cordoned.Sub(begin), watch.empty.Sub(begin), watch.detached.Sub(begin), deleted.Sub(begin))
	require.True(t, created.Before(watch.ready))
	require.True(t, watch.ready.Before(watch.cordoned))
	require.True(t, watch.cordoned.Before(watch.dropped) && watch.dropped.Before(watch.evicted),
		"no request meets a node that is being emptied: the NodeBalancer has let go of them at %s, the first pod goes at %s",
		watch.dropped, watch.evicted)
	require.True(t, watch.cordoned.Before(watch.held) && watch.held.Before(watch.empty))
	require.True(t, watch.cordoned.Before(watch.detached))
	require.True(t, watch.empty.Before(deleted) && watch.detached.Before(deleted))
	require.Positive(t, watch.fewest["app"], "its disruption budget keeps one of two")
	require.Positive(t, watch.fewest["database"], "and so does that of its servers")

	e.settle(t)
	e.isClean(t)
}

const stubborn = "stubborn"

// holdNode puts a pod on the app's pool that may never be evicted.
func (e *estate) holdNode(t *testing.T) {
	meta := metav1.ObjectMeta{Name: stubborn, Labels: map[string]string{"app.kubernetes.io/name": stubborn}}
	_, err := e.cluster.PolicyV1().PodDisruptionBudgets(metav1.NamespaceDefault).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: meta,
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: meta.Labels},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	pods := e.cluster.CoreV1().Pods(metav1.NamespaceDefault)
	_, err = pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: meta,
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"pool": "app"}, Containers: []corev1.Container{{Name: stubborn, Image: stubborn}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		pod, err := pods.Get(t.Context(), stubborn, metav1.GetOptions{})
		return err == nil && isReady(pod)
	}, time.Minute, 100*time.Millisecond)
}

// liftBudget lifts the budget when its pod is all that is left on the nodes, and has been asked to go.
func (e *estate) liftBudget(ctx context.Context, watch *poolWatch, pool int) error {
	alone := func(context.Context) (bool, error) {
		watch.mu.Lock()
		defer watch.mu.Unlock()
		return !watch.held.IsZero(), nil
	}
	if err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, alone); err != nil {
		return err
	}
	const asked = 3 * time.Second // pods are asked every two seconds
	select {
	case <-time.After(asked):
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := e.account.GetLKENodePool(ctx, e.clusterID, pool); err != nil {
		return fmt.Errorf("the pool is gone before its nodes are empty: %w", err)
	}
	if _, err := e.cluster.CoreV1().Pods(metav1.NamespaceDefault).Get(ctx, stubborn, metav1.GetOptions{}); err != nil {
		return fmt.Errorf("the pod is gone before its budget lets it go: %w", err)
	}
	return e.cluster.PolicyV1().PodDisruptionBudgets(metav1.NamespaceDefault).Delete(ctx, stubborn, metav1.DeleteOptions{})
}

// poolWatch notes when what happens to the nodes of a pool, and how few pods were ready at a time.
type poolWatch struct {
	stop        func()
	pool        string
	pods        corelisters.PodLister
	nodes       corelisters.NodeLister
	attachments storagelisters.VolumeAttachmentLister
	backends    func() map[string]bool // addresses that NodeBalancers send to

	mu                                     sync.Mutex
	ready, cordoned, held, empty, detached time.Time      // held is when nothing but the stubborn pod was left
	dropped, evicted                       time.Time      // when the NodeBalancer had let go of the nodes, and the first pod went
	fewest                                 map[string]int // by what the pods are
}

// watchPool watches from now on.
func (e *estate) watchPool(t *testing.T, pool int) *poolWatch {
	factory := informers.NewSharedInformerFactory(e.cluster, 0)
	core, storage := factory.Core().V1(), factory.Storage().V1()
	w := &poolWatch{
		pool: strconv.Itoa(pool), pods: core.Pods().Lister(), nodes: core.Nodes().Lister(),
		attachments: storage.VolumeAttachments().Lister(), fewest: map[string]int{},
		backends: func() map[string]bool { return e.backends(t) },
	}
	stopped := make(chan struct{})
	w.stop = sync.OnceFunc(func() { close(stopped); factory.Shutdown() })
	t.Cleanup(w.stop)
	watched := []cache.SharedIndexInformer{
		core.Pods().Informer(), core.Nodes().Informer(), storage.VolumeAttachments().Informer(),
	}
	factory.Start(stopped)
	factory.WaitForCacheSync(stopped)
	for _, informer := range watched {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { w.look() }, UpdateFunc: func(_, _ any) { w.look() }, DeleteFunc: func(any) { w.look() },
		})
		require.NoError(t, err)
	}
	return w
}

// look is called at each change.
func (w *poolWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	pods, _ := w.pods.List(labels.Everything())
	w.count("app", pods, labels.Set{"app.kubernetes.io/name": "changelog"})
	w.count("database", pods, labels.Set{"postgres-operator.crunchydata.com/data": "postgres"})

	nodes, _ := w.nodes.List(labels.Set{"pool": "app"}.AsSelector())
	old, addresses, ready, cordoned := map[string]bool{}, []string{}, 0, 0
	for _, node := range nodes {
		switch {
		case node.Labels["lke.linode.com/pool-id"] != w.pool && len(node.Spec.Taints) == 0:
			ready++
		case node.Labels["lke.linode.com/pool-id"] == w.pool:
			old[node.Name] = true
			addresses = append(addresses, node.Status.Addresses[0].Address)
			if node.Spec.Unschedulable {
				cordoned++
			}
		}
	}
	note(&w.ready, ready == 2)
	note(&w.cordoned, cordoned == 2)
	if w.cordoned.IsZero() {
		return
	}
	if w.dropped.IsZero() {
		sentTo := w.backends()
		note(&w.dropped, none(addresses, func(address string) bool { return sentTo[address] }))
	}
	note(&w.evicted, !none(pods, func(pod *corev1.Pod) bool { return old[pod.Spec.NodeName] && pod.DeletionTimestamp != nil }))
	attachments, _ := w.attachments.List(labels.Everything())
	note(&w.held, none(pods, func(pod *corev1.Pod) bool {
		return old[pod.Spec.NodeName] && !hasEnded(pod) && pod.Name != stubborn
	}))
	note(&w.empty, none(pods, func(pod *corev1.Pod) bool { return old[pod.Spec.NodeName] && !hasEnded(pod) }))
	note(&w.detached, none(attachments, func(a *storagev1.VolumeAttachment) bool { return old[a.Spec.NodeName] }))
}

// backends are the private addresses of the nodes that NodeBalancers send requests to.
func (e *estate) backends(t *testing.T) map[string]bool {
	addresses := map[string]bool{}
	balancers, err := e.account.ListNodeBalancers(t.Context(), nil)
	assert.NoError(t, err)
	for _, balancer := range balancers {
		configs, err := e.account.ListNodeBalancerConfigs(t.Context(), balancer.ID, nil)
		assert.NoError(t, err)
		for _, config := range configs {
			nodes, err := e.account.ListNodeBalancerNodes(t.Context(), balancer.ID, config.ID, nil)
			assert.NoError(t, err)
			for _, node := range nodes {
				address, _, _ := strings.Cut(node.Address, ":")
				addresses[address] = true
			}
		}
	}
	return addresses
}

// note keeps the first time that something is so.
func note(when *time.Time, is bool) {
	if is && when.IsZero() {
		*when = time.Now()
	}
}

func none[T any](list []T, is func(T) bool) bool { return !slices.ContainsFunc(list, is) }

// count counts the ready pods with the labels given.
func (w *poolWatch) count(what string, pods []*corev1.Pod, selected labels.Set) {
	ready := 0
	for _, pod := range pods {
		if selected.AsSelector().Matches(labels.Set(pod.Labels)) && isReady(pod) {
			ready++
		}
	}
	if fewest, known := w.fewest[what]; !known || ready < fewest {
		w.fewest[what] = ready
	}
}

func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// requestAt returns when a request reached Linode for the first time since begin.
func (e *estate) requestAt(t *testing.T, begin time.Time, method, path string) time.Time {
	t.Helper()
	for line := range strings.Lines(readFile(t, filepath.Join(e.dir(), "logs", "linode.log"))) {
		var entry struct {
			Time              time.Time
			Msg, Method, Path string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry.Msg == "request" && entry.Method == method && entry.Path == path && entry.Time.After(begin) {
			return entry.Time
		}
	}
	require.Fail(t, "no such request", "%s %s", method, path)
	return time.Time{}
}
