package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/resource"
)

// Usage is how full a cluster is.
type Usage struct {
	Nodes []NodeUsage // by name
	// Pods counts the pods in each phase.
	Pods map[corev1.PodPhase]int
	// Unschedulable says, for each pod (namespace/name) that fits no node, why: the scheduler's own words.
	Unschedulable map[string]string
}

// NodeUsage is how full a node is.
type NodeUsage struct {
	Name        string
	PoolID      int
	Type        string    // Linode type
	Capacity    Resources // of the Linode
	Allocatable Resources // of it, what pods may request
	Requested   Resources // by the pods on the node that have not ended
	Pods        []PodUsage
}

// PodUsage is what a pod requests.
type PodUsage struct {
	Namespace, Name string
	MilliCPUs       int64
	MemoryBytes     int64
}

// Resources are amounts of what the scheduler counts.
type Resources struct {
	MilliCPUs   int64 // thousandths of a virtual CPU
	MemoryBytes int64
	Pods        int64
}

// Usage looks at the pods and nodes of a running cluster.
func (c *Clusters) Usage(ctx context.Context, clusterID int) (Usage, error) {
	var usage Usage
	err := c.onRunning(clusterID, func(plane *controlPlane) error {
		nodes, err := plane.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		pods, err := plane.client.CoreV1().Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		usage = measure(nodes.Items, pods.Items)
		return nil
	})
	if err != nil {
		return Usage{}, fmt.Errorf("looking at LKE cluster %d: %w", clusterID, err)
	}
	return usage, nil
}

func measure(nodes []corev1.Node, pods []corev1.Pod) Usage {
	usage := Usage{Pods: map[corev1.PodPhase]int{}, Unschedulable: map[string]string{}}
	on := map[string][]PodUsage{}
	for _, pod := range pods {
		usage.Pods[pod.Status.Phase]++
		if reason, waits := unschedulable(&pod); waits {
			usage.Unschedulable[pod.Namespace+"/"+pod.Name] = reason
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			requests := resource.PodRequests(&pod, resource.PodResourcesOptions{})
			on[pod.Spec.NodeName] = append(on[pod.Spec.NodeName], PodUsage{
				Namespace: pod.Namespace, Name: pod.Name,
				MilliCPUs: requests.Cpu().MilliValue(), MemoryBytes: requests.Memory().Value(),
			})
		}
	}
	for _, node := range nodes {
		pool, _ := strconv.Atoi(node.Labels[poolLabel]) // 0 for a node that is not LKE's
		usage.Nodes = append(usage.Nodes, NodeUsage{
			Name:        node.Name,
			PoolID:      pool,
			Type:        node.Labels[corev1.LabelInstanceTypeStable],
			Capacity:    amounts(node.Status.Capacity),
			Allocatable: amounts(node.Status.Allocatable),
			Requested:   sum(on[node.Name]),
			Pods:        on[node.Name],
		})
	}
	return usage
}

func sum(pods []PodUsage) Resources {
	total := Resources{Pods: int64(len(pods))}
	for _, pod := range pods {
		total.MilliCPUs += pod.MilliCPUs
		total.MemoryBytes += pod.MemoryBytes
	}
	return total
}

func unschedulable(pod *corev1.Pod) (string, bool) {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
	})
	if i < 0 {
		return "", false
	}
	return pod.Status.Conditions[i].Message, true
}

func amounts(list corev1.ResourceList) Resources {
	return Resources{
		MilliCPUs:   list.Cpu().MilliValue(),
		MemoryBytes: list.Memory().Value(),
		Pods:        list.Pods().Value(),
	}
}
