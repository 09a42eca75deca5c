package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"

	"lke-platform/tests/rehearsal/linode"
)

const (
	// readyTime is how long nodes may take to become Ready. Those that run containers take a quarter of a minute, and more where
	// all of a stack's begin at once.
	readyTime = 3 * time.Minute
	// drainTimeout is how long the pods of a leaving node may be kept by a PodDisruptionBudget; then the Linode goes anyway.
	drainTimeout = 10 * time.Second
	// pollTime is the time between two looks at what is waited for.
	pollTime = 100 * time.Millisecond
)

// nodes keeps the Node objects of one cluster as its node pools want them.
type nodes struct {
	client  client.Interface
	kubelet string // version that the nodes report
	close   func()
	// machines run the nodes, which reach the API server by a kubeconfig.
	machines   Machines
	kubeconfig []byte

	mu     sync.Mutex
	wanted map[string]linode.Node
}

// watchNodes returns the nodes of a cluster and brings back those that somebody else deletes, until closed.
func watchNodes(p *controlPlane) (*nodes, error) {
	ctx, stop := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactory(p.client, 0)
	n := &nodes{
		client: p.client, kubelet: p.kubelet, machines: p.machines, kubeconfig: p.access.Kubeconfig,
		wanted: map[string]linode.Node{},
	}
	n.close = func() {
		stop()
		factory.Shutdown()
	}
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		DeleteFunc: func(object any) {
			if name, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
				n.bringBack(ctx, name)
			}
		},
	})
	factory.StartWithContext(ctx)
	return n, err
}

// bringBack makes the node again if it is still wanted. Linode replaces a lost node likewise.
func (n *nodes) bringBack(ctx context.Context, name string) {
	_ = wait.PollUntilContextCancel(ctx, pollTime, true, func(ctx context.Context) (bool, error) {
		n.mu.Lock()
		node, wanted := n.wanted[name]
		n.mu.Unlock()
		return !wanted || n.join(ctx, node) == nil, nil
	})
}

// sync makes the Node objects those listed and returns when all are Ready. Nodes join before others leave, so that the
// pods of those that leave have somewhere to go.
func (n *nodes) sync(ctx context.Context, list []linode.Node) error {
	wanted := make(map[string]linode.Node, len(list))
	for _, node := range list {
		wanted[node.Name] = node
	}
	n.mu.Lock()
	n.wanted = wanted
	n.mu.Unlock()

	for _, node := range list {
		if err := n.join(ctx, node); err != nil {
			return fmt.Errorf("node %s: %w", node.Name, err)
		}
		if err := n.machines.Run(newMachine(node, n.kubeconfig)); err != nil {
			return err
		}
	}
	if err := n.awaitReady(ctx, wanted); err != nil {
		return err
	}
	return n.removeOthers(ctx, wanted)
}

// join creates the Node object, or updates what a pool may change in it: labels and taints.
func (n *nodes) join(ctx context.Context, node linode.Node) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		found, err := n.client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = n.client.CoreV1().Nodes().Create(ctx, newNode(node, n.kubelet), metav1.CreateOptions{})
			return err
		}
		if err != nil {
			return err
		}
		changed := adjust(found.DeepCopy(), node)
		if equality.Semantic.DeepEqual(found, changed) {
			return nil
		}
		_, err = n.client.CoreV1().Nodes().Update(ctx, changed, metav1.UpdateOptions{})
		return err
	})
}

func (n *nodes) awaitReady(ctx context.Context, wanted map[string]linode.Node) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	var missing []string
	err := wait.PollUntilContextCancel(ctx, pollTime, true, func(ctx context.Context) (bool, error) {
		if err := n.machines.Ended(); err != nil {
			return false, err
		}
		found, err := n.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		missing = slices.Sorted(maps.Keys(wanted))
		for _, node := range found.Items {
			if ready(&node) || wanted[node.Name].Off || wanted[node.Name].Trouble != "" {
				missing = slices.DeleteFunc(missing, func(name string) bool { return name == node.Name })
			}
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("not Ready: %s: %w", strings.Join(missing, ", "), err)
	}
	return nil
}

// ready tells whether pods can be scheduled to a node, as far as it is a matter of its health: besides the condition, the
// controllers must have taken the taint away that a new node has.
func ready(node *corev1.Node) bool {
	fresh := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
	return !fresh && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// removeOthers removes the nodes that are not wanted, all at once. None of them takes up the pods of another.
func (n *nodes) removeOthers(ctx context.Context, wanted map[string]linode.Node) error {
	found, err := n.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	leaving := slices.DeleteFunc(found.Items, func(node corev1.Node) bool {
		_, stays := wanted[node.Name]
		return stays
	})
	for _, node := range leaving {
		if err := n.cordon(ctx, node.Name); err != nil {
			return fmt.Errorf("cordoning node %s: %w", node.Name, err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range leaving {
		group.Go(func() error {
			if err := n.remove(ctx, node.Name); err != nil {
				return fmt.Errorf("removing node %s: %w", node.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// stop ends the machines of all nodes, by Stop or by Remove.
func (n *nodes) stop(end func(name string) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var faults []error
	for name := range n.wanted {
		faults = append(faults, end(name))
	}
	return errors.Join(faults...)
}

func (n *nodes) cordon(ctx context.Context, name string) error {
	patch := []byte(`{"spec":{"unschedulable":true}}`)
	_, err := n.client.CoreV1().Nodes().Patch(ctx, name, "application/merge-patch+json", patch, metav1.PatchOptions{})
	return err
}

// remove evicts a node's pods and deletes the Node object, then what pods are still bound to it, a DaemonSet's for one:
// the machine is gone, and with it all that ran on it. (The pod garbage collector does so too, a minute later.)
func (n *nodes) remove(ctx context.Context, name string) error {
	if err := n.drain(ctx, name); err != nil {
		return err
	}
	if err := n.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err := n.machines.Remove(name); err != nil {
		return err
	}
	pods, err := n.podsOn(ctx, name)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		err := n.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0))
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// drain evicts a node's pods, but for DaemonSets', until none is left or drainTimeout is over.
func (n *nodes) drain(ctx context.Context, name string) error {
	limited, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	err := wait.PollUntilContextCancel(limited, pollTime, true, func(ctx context.Context) (bool, error) {
		pods, err := n.podsOn(ctx, name)
		if err != nil {
			return false, err
		}
		pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
			owner := metav1.GetControllerOf(&pod)
			return owner != nil && owner.Kind == "DaemonSet"
		})
		for _, pod := range pods {
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
			err := n.client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction)
			// "Too many requests" is how a PodDisruptionBudget asks to come back later.
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsTooManyRequests(err) {
				return false, err
			}
		}
		return len(pods) == 0, nil
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

func (n *nodes) podsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	selector := fields.OneTermEqualSelector("spec.nodeName", node).String()
	pods, err := n.client.CoreV1().Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, err
	}
	return pods.Items, nil
}
