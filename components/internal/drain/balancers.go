package drain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// excluded is the label of nodes that load balancers send nothing to. One that is only cordoned stays behind them until it is
// deleted, and what is under way through it is cut off.
// Upstream: https://kubernetes.io/docs/reference/labels-annotations-taints/
const excluded = "node.kubernetes.io/exclude-from-external-load-balancers"

// updated is the reason of the event by which the cloud controller says of a Service that its load balancer has other nodes. No
// object of the cluster says which.
const updated = "UpdatedLoadBalancer"

// exclude has load balancers let go of the nodes with a label, and waits until they have. It does not wait for ever: that nothing
// is heard of a load balancer is no reason to keep the nodes.
func (c *Cluster) exclude(ctx context.Context, label string) {
	var b *balancers
	excluding := false
	left, _ := c.await(ctx, balancerTime, func(ctx context.Context) (left []string, err error) {
		if b == nil {
			if b, err = c.watchBalancers(ctx); err != nil {
				return nil, err
			}
		}
		_, fresh, err := c.cordon(ctx, label)
		excluding = excluding || fresh
		if err != nil || !excluding {
			return nil, err
		}
		return b.holding(ctx)
	})
	if len(left) > 0 {
		c.say(fmt.Sprintf("%s may still send requests to the nodes; they are emptied all the same", list(left)))
	}
}

// hangUp has the pods of DaemonSets end the connections that they have from load balancers, and waits until they have. A load
// balancer that has let go of a node makes none any more, but whoever has one goes on asking through it, and would be cut off
// with the node in the middle of a request. The pods come back, and hear from nobody.
func (c *Cluster) hangUp(ctx context.Context, label string) {
	var connected sets.Set[types.UID]
	left, err := c.await(ctx, balancerTime, func(ctx context.Context) (left []string, err error) {
		serving, err := c.serving(ctx, label)
		if err != nil {
			return nil, err
		}
		if connected == nil {
			connected = sets.New[types.UID]()
			for _, pod := range serving {
				if !isLost(&pod) {
					connected.Insert(pod.GetUID())
				}
			}
		}
		for _, pod := range serving {
			if connected.Has(pod.GetUID()) {
				left = append(left, c.ask(ctx, &pod))
			}
		}
		return left, nil
	})
	switch {
	case len(left) > 0:
		c.say(fmt.Sprintf("%s may still have connections; the nodes are emptied all the same", list(left)))
	case err != nil:
		c.say(fmt.Sprintf("the nodes may still have connections (%s); they are emptied all the same", err))
	}
}

// isLost tells whether a pod gets no connections, as its node is not heard of or it is not well.
func isLost(pod *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(condition any) bool {
		fields, _ := condition.(map[string]any)
		return fields["type"] == "Ready" && fields["status"] == "False"
	})
}

// serving returns the pods of DaemonSets, on the nodes with a label, that load balancers send to.
func (c *Cluster) serving(ctx context.Context, label string) (serving []unstructured.Unstructured, err error) {
	names, _, err := c.cordon(ctx, label)
	if err != nil {
		return nil, err
	}
	found, err := c.client.Resource(services).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, service := range found.Items {
		chosen, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
		if kind, _, _ := unstructured.NestedString(service.Object, "spec", "type"); kind != "LoadBalancer" || len(chosen) == 0 {
			continue
		}
		behind, err := c.client.Resource(pods).Namespace(service.GetNamespace()).
			List(ctx, metav1.ListOptions{LabelSelector: labels.Set(chosen).String()})
		if err != nil {
			return nil, err
		}
		for _, pod := range behind.Items {
			on, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName")
			if names.Has(on) && isOnEveryNode(&pod) {
				serving = append(serving, pod)
			}
		}
	}
	return serving, nil
}

// balancers are the load balancers of a cluster, as they were before nodes were excluded and are since.
type balancers struct {
	cluster      *Cluster
	before, last map[string]string
	changed      time.Time // when last was seen to be another
}

func (c *Cluster) watchBalancers(ctx context.Context) (*balancers, error) {
	told, err := c.balancerUpdates(ctx)
	if err != nil {
		return nil, err
	}
	return &balancers{cluster: c, before: told, last: told, changed: time.Now()}, nil
}

// holding returns the Services whose load balancers may still send to the excluded nodes. The controller may have been at an
// earlier change of the nodes, and come to the present one right after it: so nothing may have been told for a while.
func (b *balancers) holding(ctx context.Context) (left []string, err error) {
	told, err := b.cluster.balancerUpdates(ctx)
	if err != nil {
		return nil, err
	}
	if !maps.Equal(told, b.last) {
		b.last, b.changed = told, time.Now()
	}
	for service, update := range told {
		if update == b.before[service] || time.Since(b.changed) < settleTime {
			left = append(left, "the load balancer of "+service)
		}
	}
	return left, nil
}

// balancerUpdates returns the last update of each load balancer: the version of the event that tells of it, "" where none does.
func (c *Cluster) balancerUpdates(ctx context.Context) (map[string]string, error) {
	found, err := c.client.Resource(services).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	updates := map[string]string{}
	for _, service := range found.Items {
		if kind, _, _ := unstructured.NestedString(service.Object, "spec", "type"); kind == "LoadBalancer" {
			updates[service.GetNamespace()+"/"+service.GetName()] = ""
		}
	}
	selector := fields.Set{"involvedObject.kind": "Service", "reason": updated}.AsSelector().String()
	if found, err = c.client.Resource(events).List(ctx, metav1.ListOptions{FieldSelector: selector}); err != nil {
		return nil, err
	}
	for _, event := range found.Items {
		name, _, _ := unstructured.NestedString(event.Object, "involvedObject", "name")
		service := event.GetNamespace() + "/" + name
		if last, balanced := updates[service]; balanced && newer(event.GetResourceVersion(), last) {
			updates[service] = event.GetResourceVersion()
		}
	}
	return updates, nil
}

// newer compares versions of objects, which are numbers that grow.
// Upstream: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
func newer(version, than string) bool {
	return len(version) > len(than) || len(version) == len(than) && version > than
}
