package linode

import (
	"fmt"
	"slices"
	"strings"
)

// node is a worker of a pool: https://techdocs.akamai.com/linode-api/reference/get-lke-cluster-node
type node struct {
	ID         string `json:"id"`          // <pool>-<suffix>; the node's name in Kubernetes is lke<cluster>-<pool>-<suffix>
	InstanceID *int   `json:"instance_id"` // nil until its Linode is made
	Status     string `json:"status"`
}

func (a *API) nodeRoutes() routes {
	nodes := collection[*node]{
		path:  "/lke/clusters/{cluster}/nodes",
		items: func(c *call) ([]*node, error) { cl, err := c.cluster(); return cl.nodes(), err },
		id:    func(n *node) string { return n.ID },
	}
	return routes{
		"GET /lke/clusters/{cluster}/nodes/{id}":    nodes.on(func(_ *call, n *node) (any, error) { return n, nil }),
		"DELETE /lke/clusters/{cluster}/nodes/{id}": nodes.action(a.deleteNode),
		"POST /lke/clusters/{cluster}/nodes/{id}/recycle": nodes.action(func(c *call, n *node) error {
			cl, err := c.cluster()
			cl.recycle(n)
			a.reconcileSoon(cl.ID)
			return err
		}),
	}
}

// deleteNode takes a node away for good: the pool gets smaller, as Linode's documentation says. A Linode that is deleted
// under a node, or a node that is deleted in Kubernetes, comes back.
func (a *API) deleteNode(c *call, n *node) error {
	cl, err := c.cluster()
	if err != nil {
		return err
	}
	p := find(cl.Pools, func(p *pool) bool { return slices.Contains(p.Nodes, n) })
	var check checks
	check.that(p.Count > 1, "", "The last node of a pool cannot be deleted")
	if err := check.err(); err != nil {
		return err
	}
	c.state.deleteNodes(n)
	p.Nodes = without(p.Nodes, n)
	p.Count--
	a.reconcileSoon(cl.ID)
	return nil
}

// nodes are those of all pools.
func (c *cluster) nodes() []*node {
	var all []*node
	for _, p := range c.Pools {
		all = append(all, p.Nodes...)
	}
	return all
}

// recycle asks for nodes to be replaced, one after the other.
func (c *cluster) recycle(nodes ...*node) {
	for _, n := range nodes {
		if !slices.Contains(c.Recycle, n.ID) {
			c.Recycle = append(c.Recycle, n.ID)
		}
	}
}

// fill gives each pool as many nodes as it is to have. Their Linodes come a little later. As in Linode's answers, nodes are in
// the order of their IDs.
func fill(s *state, cl *cluster) {
	cl.Failure = "" // this is another attempt
	for _, p := range cl.Pools {
		p.Nodes = slices.DeleteFunc(p.Nodes, func(n *node) bool { return n.InstanceID != nil && s.linodeOf(n) == nil })
		for len(p.Nodes) < p.Count {
			p.Nodes = append(p.Nodes, &node{ID: fmt.Sprintf("%d-%s0000", p.ID, randomHex(4)), Status: notReady})
		}
		s.deleteNodes(p.Nodes[p.Count:]...)
		p.Nodes = p.Nodes[:p.Count]
		slices.SortFunc(p.Nodes, func(n, m *node) int { return strings.Compare(n.ID, m.ID) })
	}
}

// lacksLinodes tells whether Linodes of the cluster's nodes are still to be made.
func (c *cluster) lacksLinodes() bool {
	return slices.ContainsFunc(c.nodes(), func(n *node) bool { return n.InstanceID == nil })
}

// makeLinodes makes the Linodes that nodes lack.
func (a *API) makeLinodes(s *state, cl *cluster) {
	for _, p := range cl.Pools {
		for _, n := range p.Nodes {
			if n.InstanceID == nil {
				i := a.newInstance(s, p.Type, cl.Region, cl.nodeName(n))
				i.LKEClusterID, i.Tags, i.DiskEncryption = &cl.ID, append(i.Tags, p.Tags...), p.DiskEncryption
				n.InstanceID = &i.ID
			}
		}
	}
}

// linodeOf finds the Linode of a node, nil when there is none.
func (s *state) linodeOf(n *node) *instance {
	return find(s.Instances, func(i *instance) bool { return n.InstanceID != nil && i.ID == *n.InstanceID })
}

// deleteNodes deletes the Linodes of nodes that leave their pool.
func (s *state) deleteNodes(nodes ...*node) {
	for _, n := range nodes {
		if i := s.linodeOf(n); i != nil {
			s.deleteInstance(i)
		}
	}
}

// nodeName is the name of a node in Kubernetes.
func (c *cluster) nodeName(n *node) string { return fmt.Sprintf("lke%d-%s", c.ID, n.ID) }

// workers lists the nodes of a cluster that have their Linode, for its control plane.
func (a *API) workers(s *state, cl *cluster) []Node {
	var workers []Node
	for _, p := range cl.Pools {
		kind, _ := a.catalog.linodeType(p.Type) // checked when the pool was created
		for _, n := range p.Nodes {
			if i := s.linodeOf(n); i != nil {
				workers = append(workers, Node{
					Name: cl.nodeName(n), PoolID: p.ID, InstanceID: i.ID, Region: cl.Region, Type: kind,
					IPv4: i.IPv4[0], PrivateIP: i.IPv4[1], Labels: p.Labels, Taints: p.Taints,
					Boots: i.Boots, Off: i.Status == offline, Trouble: i.Trouble,
				})
			}
		}
	}
	return workers
}

// replaceNext replaces the next of the nodes that are to be recycled. Nodes that have left meanwhile are passed over.
func (a *API) replaceNext(s *state, cl *cluster) {
	next := cl.Recycle[0]
	cl.Recycle = cl.Recycle[1:]
	for _, p := range cl.Pools {
		if n := find(p.Nodes, func(n *node) bool { return n.ID == next }); n != nil {
			s.deleteNodes(n)
		}
	}
	fill(s, cl)
}
