package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// EmptyNodes keeps new pods, and the requests of load balancers, away from the nodes with a label, then evicts the pods that are
// there as fast as their disruption budgets allow, and returns when none is left and no volume is attached any more. A volume
// that goes down with its node is not given to another one for six minutes.
//
// Pods of DaemonSets stay, as they would come back at once, but for those that load balancers send to. Those of kube-system are
// not waited for as long as others: some have a place on every node and no other to go to.
func (c *Cluster) EmptyNodes(ctx context.Context, label string) error {
	c.exclude(ctx, label)
	c.hangUp(ctx, label)
	begin := time.Now()
	left, err := c.await(ctx, nodesTime, func(ctx context.Context) ([]string, error) {
		names, _, err := c.cordon(ctx, label)
		if err != nil {
			return nil, err
		}
		left, err := c.attachedTo(ctx, names)
		for name := range names {
			evicted, failure := c.evict(ctx, name)
			left, err = append(left, evicted...), errors.Join(err, failure)
		}
		if time.Since(begin) > systemTime {
			left = slices.DeleteFunc(left, func(name string) bool {
				return strings.HasPrefix(name, "pod "+metav1.NamespaceSystem+"/")
			})
		}
		return left, err
	})
	switch {
	case len(left) > 0:
		return fmt.Errorf("after %s there still is on the nodes: %s. Nothing is deleted, and no new pods come to these nodes. "+
			"See why the pods cannot go, or do not start elsewhere (kubectl get pods,poddisruptionbudgets -A -o wide), then do "+
			"the same again: it goes on from here", nodesTime, list(left))
	case err != nil:
		return fmt.Errorf("emptying the nodes: %w", err)
	}
	return nil
}

// cordon returns the names of the nodes with a label, those that an autoscaler has only just added too, and has the scheduler and
// load balancers leave them alone; fresh says whether it had to.
func (c *Cluster) cordon(ctx context.Context, label string) (names sets.Set[string], fresh bool, err error) {
	found, err := c.client.Resource(nodes).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return nil, false, err
	}
	names = sets.New[string]()
	for _, node := range found.Items {
		names.Insert(node.GetName())
		cordoned, _, _ := unstructured.NestedBool(node.Object, "spec", "unschedulable")
		if _, out := node.GetLabels()[excluded]; cordoned && out {
			continue
		}
		fresh = true
		patch := []byte(`{"metadata":{"labels":{"` + excluded + `":"true"}},"spec":{"unschedulable":true}}`)
		_, err := c.client.Resource(nodes).Patch(ctx, node.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fresh, err
		}
	}
	return names, fresh, nil
}

// evict asks the pods of a node to go, and returns those that are still there.
func (c *Cluster) evict(ctx context.Context, node string) (left []string, err error) {
	selector := fields.OneTermEqualSelector("spec.nodeName", node).String()
	found, err := c.client.Resource(pods).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, err
	}
	for _, pod := range found.Items {
		if !stays(&pod) {
			left = append(left, c.ask(ctx, &pod))
		}
	}
	return left, nil
}

// ask asks a pod to go that is not going yet, and returns its name, with what is wrong where something is.
func (c *Cluster) ask(ctx context.Context, pod *unstructured.Unstructured) (name string) {
	name = fmt.Sprintf("pod %s/%s", pod.GetNamespace(), pod.GetName())
	if pod.GetDeletionTimestamp() != nil {
		return name
	}
	eviction := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata": map[string]any{"namespace": pod.GetNamespace(), "name": pod.GetName()},
	}}
	_, err := c.client.Resource(pods).Namespace(pod.GetNamespace()).Create(ctx, eviction, metav1.CreateOptions{}, "eviction")
	// "Too many requests" is how a PodDisruptionBudget asks to come back later. Whatever else is wrong with one pod, the others
	// go.
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsTooManyRequests(err) {
		name += fmt.Sprintf(" (%s)", err)
	}
	return name
}

// stays tells whether a pod goes with its node: its DaemonSet or its kubelet would bring it back, or it has ended.
func stays(pod *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	_, mirror := pod.GetAnnotations()["kubernetes.io/config.mirror"]
	return phase == "Succeeded" || phase == "Failed" || mirror || isOnEveryNode(pod)
}

func isOnEveryNode(pod *unstructured.Unstructured) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}

// attachedTo returns the volumes that are attached to some nodes.
func (c *Cluster) attachedTo(ctx context.Context, names sets.Set[string]) (left []string, err error) {
	found, err := c.client.Resource(attachments).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, attachment := range found.Items {
		node, _, _ := unstructured.NestedString(attachment.Object, "spec", "nodeName")
		if names.Has(node) {
			left = append(left, "volume "+volumeOf(&attachment))
		}
	}
	return left, nil
}

// volumeOf returns the name of the volume of an attachment.
func volumeOf(attachment *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(attachment.Object, "spec", "source", "persistentVolumeName")
	return name
}
