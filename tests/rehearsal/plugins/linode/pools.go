package linode

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/linode/linodego"
)

// PoolSettings are the settings that pools inside a cluster and pools of their own have in common.
type PoolSettings struct {
	Autoscaler *Autoscaler       `pulumi:"autoscaler,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Tags       []string          `pulumi:"tags,optional"`
	Taints     []Taint           `pulumi:"taints,optional"`
}

// Autoscaler lets a pool grow and shrink. The number of its nodes is then no setting any more, only where it starts.
type Autoscaler struct {
	Max int `pulumi:"max"`
	Min int `pulumi:"min"`
}

// Taint is a taint of all nodes of a pool.
type Taint struct {
	Effect string `pulumi:"effect"`
	Key    string `pulumi:"key"`
	Value  string `pulumi:"value"`
}

// Node is a node of a pool.
type Node struct {
	ID         string `pulumi:"id"`
	InstanceID int    `pulumi:"instanceId"`
	Status     string `pulumi:"status"`
}

// scaler is the autoscaler as the API wants it. A pool that is not scaled has its count as both limits.
func (s PoolSettings) scaler(count int) linodego.LKENodePoolAutoscaler {
	if s.Autoscaler == nil {
		return linodego.LKENodePoolAutoscaler{Min: count, Max: count}
	}
	return linodego.LKENodePoolAutoscaler{Enabled: true, Min: s.Autoscaler.Min, Max: s.Autoscaler.Max}
}

func (s PoolSettings) taints() []linodego.LKENodePoolTaint {
	taints := make([]linodego.LKENodePoolTaint, len(s.Taints))
	for i, t := range s.Taints {
		taints[i] = linodego.LKENodePoolTaint{Key: t.Key, Value: t.Value, Effect: linodego.LKENodePoolTaintEffect(t.Effect)}
	}
	return taints
}

// create gives the options of a new pool. Without a count, an autoscaled one starts at its minimum.
func (s PoolSettings) create(kind string, count *int) linodego.LKENodePoolCreateOptions {
	nodes := 0
	if s.Autoscaler != nil {
		nodes = s.Autoscaler.Min
	}
	if count != nil {
		nodes = *count
	}
	scaler := s.scaler(nodes)
	return linodego.LKENodePoolCreateOptions{
		Type: kind, Count: nodes, Labels: s.Labels, Taints: s.taints(), Tags: s.Tags, Autoscaler: &scaler,
	}
}

// update gives the options that make a pool what it is declared to be, and whether anything has to change at all.
func (s PoolSettings) update(count *int, actual *linodego.LKENodePool) (linodego.LKENodePoolUpdateOptions, bool) {
	nodes := actual.Count
	if count != nil && s.Autoscaler == nil {
		nodes = *count
	}
	scaler, labels, taints := s.scaler(nodes), linodego.LKENodePoolLabels{}, s.taints()
	maps.Copy(labels, s.Labels)
	tags := append([]string{}, s.Tags...)
	if s.read(actual).equal(s) && nodes == actual.Count {
		return linodego.LKENodePoolUpdateOptions{}, false
	}
	options := linodego.LKENodePoolUpdateOptions{Labels: &labels, Taints: &taints, Tags: &tags, Autoscaler: &scaler}
	if nodes != actual.Count {
		options.Count = nodes
	}
	return options, true
}

// read gives the settings that a pool has. Those that are as declared stay as they are written there.
func (s PoolSettings) read(actual *linodego.LKENodePool) PoolSettings {
	has := PoolSettings{Labels: actual.Labels, Tags: actual.Tags}
	if actual.Autoscaler.Enabled {
		has.Autoscaler = &Autoscaler{Max: actual.Autoscaler.Max, Min: actual.Autoscaler.Min}
	}
	for _, t := range actual.Taints {
		has.Taints = append(has.Taints, Taint{Effect: string(t.Effect), Key: t.Key, Value: t.Value})
	}
	if has.equal(s) {
		return s
	}
	return has
}

// equal compares settings without regard to the order of tags and taints.
func (s PoolSettings) equal(other PoolSettings) bool {
	scalersEqual := s.Autoscaler == nil && other.Autoscaler == nil ||
		s.Autoscaler != nil && other.Autoscaler != nil && *s.Autoscaler == *other.Autoscaler
	return scalersEqual && maps.Equal(s.Labels, other.Labels) && sameElements(s.Tags, other.Tags, cmp.Compare[string]) &&
		sameElements(s.Taints, other.Taints, func(a, b Taint) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Effect, b.Effect))
		})
}

func sameElements[T comparable](a, b []T, compare func(a, b T) int) bool {
	return slices.Equal(slices.SortedFunc(slices.Values(a), compare), slices.SortedFunc(slices.Values(b), compare))
}

// readCount gives the number of nodes as declared, or as it is where it should be what is declared.
func (s PoolSettings) readCount(declared *int, actual int) *int {
	if declared == nil || s.Autoscaler != nil {
		return declared
	}
	return &actual
}

func nodesOf(pool *linodego.LKENodePool) []Node {
	nodes := make([]Node, len(pool.Linodes))
	for i, n := range pool.Linodes {
		nodes[i] = Node{ID: n.ID, InstanceID: n.InstanceID, Status: string(n.Status)}
	}
	return nodes
}

// poolReady waits until all nodes of a pool are ready.
func (w wait) poolReady(ctx context.Context, id int) (pool *linodego.LKENodePool, err error) {
	err = w.until(ctx, fmt.Sprintf("the nodes of node pool %d", id), pollInterval, func() (bool, error) {
		pool, err = w.client.GetLKENodePool(ctx, w.cluster, id)
		if err != nil {
			return false, err
		}
		waiting := slices.ContainsFunc(pool.Linodes, func(n linodego.LKENodePoolLinode) bool {
			return n.Status != linodego.LKELinodeReady
		})
		return !waiting, nil
	})
	return pool, err
}
