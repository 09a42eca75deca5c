package report

import (
	"cmp"
	"slices"
)

// node is a node and how full it is.
type node struct {
	Node
	Gauges []gauge
}

// gauge is how much of one thing the pods of a node request.
type gauge struct {
	Name                   string
	Requested, Allocatable int64
	Show                   func(int64) string
	Parts                  []part // one a pod
}

// part is what one pod requests, in percent of what there is.
type part struct {
	Pod      int // counted from 1, as in the table
	X, Width float64
}

// Wide says whether a number fits into it.
func (p part) Wide() bool { return p.Width >= 3.5 }

func (p part) Center() float64 { return p.X + p.Width/2 }

func (g gauge) Percent() int64 { return percent(g.Requested, g.Allocatable) }

func (g gauge) Used() string { return g.Show(g.Requested) }

func (g gauge) All() string { return g.Show(g.Allocatable) }

func newNode(n Node) node {
	n.Pods = slices.SortedFunc(slices.Values(n.Pods), func(a, b Pod) int {
		return cmp.Or(cmp.Compare(b.MemoryBytes, a.MemoryBytes), cmp.Compare(b.MilliCPUs, a.MilliCPUs),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return node{n, []gauge{
		newGauge("CPU", n, n.MilliCPUs, cores, func(p Pod) int64 { return p.MilliCPUs }),
		newGauge("Memory", n, n.MemoryBytes, memory, func(p Pod) int64 { return p.MemoryBytes }),
	}}
}

func newGauge(name string, n Node, allocatable int64, show func(int64) string, requested func(Pod) int64) gauge {
	g := gauge{Name: name, Allocatable: allocatable, Show: show}
	whole := float64(max(allocatable, 1))
	for i, pod := range n.Pods {
		amount := requested(pod)
		if amount > 0 {
			x := min(100*float64(g.Requested)/whole, 100)
			g.Parts = append(g.Parts, part{Pod: i + 1, X: x, Width: min(100*float64(amount)/whole, 100-x)})
		}
		g.Requested += amount
	}
	return g
}
