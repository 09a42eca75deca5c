package linode

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// clusterView is an LKE cluster as clients see it: https://techdocs.akamai.com/linode-api/reference/get-lke-cluster
type clusterView struct {
	ID           int          `json:"id"`
	Status       string       `json:"status"`
	Created      string       `json:"created"`
	Updated      string       `json:"updated"`
	Label        string       `json:"label"`
	Region       string       `json:"region"`
	K8sVersion   string       `json:"k8s_version"`
	Tier         string       `json:"tier"`
	ControlPlane controlPlane `json:"control_plane"`
	APLEnabled   bool         `json:"apl_enabled"`
	Tags         []string     `json:"tags"`
	Locks        []string     `json:"locks"`
}

type controlPlane struct {
	HighAvailability bool `json:"high_availability"`
}

// cluster is an LKE cluster with all that belongs to it.
type cluster struct {
	clusterView

	Pools    []*pool  `json:"pools"`
	ACL      acl      `json:"acl"`
	Access   *Access  `json:"access"`   // nil while the control plane is not reachable
	Failure  string   `json:"failure"`  // why it is not, or why nodes are not ready, if that is a fault of the simulation
	Recycle  []string `json:"recycle"`  // IDs of the nodes that are still to be replaced, one at a time
	Deleting bool     `json:"deleting"` // its control plane is being removed
}

// A cluster is ready as soon as it is ordered, whatever its control plane and its nodes are. It is not ready when it is deleted.
const (
	ready    = "ready"
	notReady = "not_ready"
)

// clusters is the collection that the routes of pools, nodes and access hang on.
func (a *API) clusters() collection[*cluster] {
	return collection[*cluster]{
		path:   "/lke/clusters",
		items:  func(c *call) ([]*cluster, error) { return c.state.Clusters, nil },
		id:     func(cl *cluster) string { return strconv.Itoa(cl.ID) },
		show:   func(_ *call, cl *cluster) any { return cl.clusterView },
		create: a.createCluster,
		update: a.updateCluster,
		delete: a.deleteCluster,
	}
}

func (a *API) clusterRoutes() routes {
	clusters := a.clusters()
	r := clusters.routes()
	r["POST /lke/clusters/{id}/recycle"] = clusters.action(func(_ *call, cl *cluster) error {
		for _, p := range cl.Pools {
			cl.recycle(p.Nodes...)
		}
		a.reconcileSoon(cl.ID)
		return nil
	})
	return r
}

// clusterRequest creates or updates a cluster; what is nil stays as it is.
type clusterRequest struct {
	Label        *string        `json:"label"`
	Region       string         `json:"region"`
	K8sVersion   *string        `json:"k8s_version"`
	Tier         string         `json:"tier"`
	APLEnabled   bool           `json:"apl_enabled"`
	Tags         *[]string      `json:"tags"`
	NodePools    []*poolRequest `json:"node_pools"`
	ControlPlane *struct {
		HighAvailability *bool       `json:"high_availability"`
		ACL              *aclRequest `json:"acl"`
	} `json:"control_plane"`
}

func (a *API) createCluster(c *call) (any, error) {
	var in clusterRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	view := clusterView{
		Status: ready, Created: now(), Region: in.Region, Tier: "standard", Tags: []string{}, Locks: []string{},
	}
	cl := &cluster{clusterView: view}
	var check checks
	check.that(a.catalog.offers(in.Region, "Kubernetes"), "region", "region is not valid")
	check.that(in.Label != nil, "label", "label is required")
	check.that(in.K8sVersion != nil, "k8s_version", "k8s_version is required")
	check.that(in.Tier == "" || in.Tier == cl.Tier, "tier", "tier %s is not simulated", in.Tier)
	check.that(!in.APLEnabled, "apl_enabled", "the App Platform is not simulated")
	check.that(len(in.NodePools) > 0, "node_pools", "Must provide at least one node pool")
	for i, pool := range in.NodePools {
		a.checkNewPool(&check, fmt.Sprintf("node_pools[%d].", i), in.Region, pool)
	}
	a.checkCluster(&check, c.state, cl, in)
	if err := check.err(); err != nil {
		return nil, err
	}

	cl.ID = c.state.newID()
	in.apply(cl)
	for _, pool := range in.NodePools {
		cl.Pools = append(cl.Pools, newPool(c.state, pool))
	}
	c.state.Clusters = append(c.state.Clusters, cl)
	fill(c.state, cl)
	a.reconcileSoon(cl.ID)
	return cl.clusterView, nil
}

func (a *API) updateCluster(c *call, cl *cluster) error {
	var in clusterRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	a.checkCluster(&check, c.state, cl, in)
	if err := check.err(); err != nil {
		return err
	}
	in.apply(cl)
	a.reconcileSoon(cl.ID)
	return nil
}

// deleteCluster takes the nodes at once; the cluster is gone when its control plane is. NodeBalancers and volumes stay,
// and are billed, as Linode does it. So does a Linode that was still being made for a node:
// https://github.com/linode/terraform-provider-linode/issues/1962
func (a *API) deleteCluster(c *call, cl *cluster) error {
	for _, p := range cl.Pools {
		c.state.deleteNodes(p.Nodes...)
	}
	a.makeLinodes(c.state, cl)
	cl.Pools, cl.Recycle, cl.Access = nil, nil, nil
	cl.Status, cl.Deleting = notReady, true
	a.plane(cl.ID).stop()
	a.reconcileSoon(cl.ID)
	return nil
}

// checkCluster checks what a new cluster and a change have in common.
func (a *API) checkCluster(check *checks, s *state, cl *cluster, in clusterRequest) {
	if in.Label != nil {
		checkLabel(check, s, cl, *in.Label)
	}
	if in.K8sVersion != nil && *in.K8sVersion != cl.K8sVersion {
		a.checkVersion(check, cl.K8sVersion, *in.K8sVersion)
	}
	if in.ControlPlane == nil {
		return
	}
	available := in.ControlPlane.HighAvailability
	check.that(available == nil || *available || !cl.ControlPlane.HighAvailability,
		"control_plane.high_availability", "High availability cannot be disabled once it is enabled")
	if in.ControlPlane.ACL != nil {
		in.ControlPlane.ACL.check(check, "control_plane.acl.")
	}
}

var labelPattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,31}$`)

func checkLabel(check *checks, s *state, cl *cluster, label string) {
	check.that(labelPattern.MatchString(label) && !strings.Contains(label, "--"), "label",
		"Must be 1-32 letters, digits, dashes and underscores, start with a letter, and not contain two dashes in a row")
	namesake := find(s.Clusters, func(other *cluster) bool { return other != cl && !other.Deleting && other.Label == label })
	check.that(namesake == nil, "label", "Label must be unique among your clusters")
}

// checkVersion allows an upgrade of one minor version at a time. A new cluster has no current version.
func (a *API) checkVersion(check *checks, current, wanted string) {
	offered := slices.Contains(a.catalog.LKEVersions["standard"], wanted)
	check.that(offered, "k8s_version", "k8s_version is not valid")
	if !offered || current == "" {
		return
	}
	from, to := minor(current), minor(wanted)
	check.that(to > from, "k8s_version", "A cluster on version %s cannot be downgraded to %s", current, wanted)
	check.that(to <= from+1, "k8s_version", "A cluster on version %s must be upgraded one minor version at a time", current)
}

// minor is the second part of a version of the standard tier, such as 1.36.
func minor(version string) int {
	_, after, _ := strings.Cut(version, ".")
	number, _ := strconv.Atoi(after) // the catalog has only well-formed ones
	return number
}

// apply makes the changes; the cluster then needs to be reconciled.
func (in clusterRequest) apply(cl *cluster) {
	cl.Updated, cl.Failure = now(), "" // a change is another attempt
	if in.Label != nil {
		cl.Label = *in.Label
	}
	if in.K8sVersion != nil {
		cl.K8sVersion = *in.K8sVersion
	}
	if in.Tags != nil {
		cl.Tags = *in.Tags
	}
	if in.ControlPlane == nil {
		return
	}
	if available := in.ControlPlane.HighAvailability; available != nil {
		cl.ControlPlane.HighAvailability = *available
	}
	if in.ControlPlane.ACL != nil {
		in.ControlPlane.ACL.apply(&cl.ACL)
	}
}
