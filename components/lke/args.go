package lke

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/network"
)

// Args describes a cluster and its node pools.
type Args struct {
	// Label names the cluster in the Linode account, where it is unique.
	Label string `json:"-"`
	// Region is the Linode region, for instance us-east. A cluster never moves: another region replaces it.
	Region string `json:"region"`
	// KubernetesVersion is the minor version, for instance "1.36", at least 1.34. Changing it recycles every node, one at a time.
	// It goes up by one minor version at a time, and never back.
	KubernetesVersion string `json:"kubernetesVersion"`
	// HighAvailability runs the control plane three times. It costs more and cannot be taken back. Default false.
	HighAvailability bool `json:"highAvailability"`
	// APIAccess lists the networks that may reach the Kubernetes API, in CIDR form: those of everybody who runs Pulumi or
	// kubectl, the CI runner included. Default empty: the API is open to all, and guarded by its credentials only.
	// Upstream: https://techdocs.akamai.com/cloud-computing/docs/manage-a-kubernetes-clusters-control-plane-acl
	APIAccess []string `json:"apiAccess"`
	// SystemPool is the pool that Linode demands inside every cluster. Keep it small: with another type its old nodes go before
	// the new ones are ready.
	SystemPool SystemPool `json:"systemPool"`
	// NodePools carry the workloads. At least one is required.
	NodePools []NodePool `json:"nodePools"`
	// Protect refuses to delete the cluster.
	Protect bool `json:"-"`
}

// SystemPool is the node pool inside the cluster.
type SystemPool struct {
	// Type is the Linode type of the nodes, for instance g6-standard-2.
	Type string `json:"type"`
	// Count is the number of nodes, 1 to 100.
	Count int `json:"count"`
}

// NodePool is a pool of equal nodes.
type NodePool struct {
	// Name tells the pools of a cluster apart; nodes carry it in the label "pool".
	Name string `json:"name"`
	// Type is the Linode type of the nodes. Another type replaces the pool: the new nodes are ready before the old ones go.
	Type string `json:"type"`
	// Count is the number of nodes, 1 to 100. Leave it out where Autoscale decides.
	Count int `json:"count"`
	// Autoscale lets LKE choose the number of nodes. A new pool starts with Min.
	Autoscale *Autoscale `json:"autoscale"`
	// Labels are put on every node.
	Labels map[string]string `json:"labels"`
	// Taints keep away the pods that do not tolerate them.
	Taints []Taint `json:"taints"`
}

// Autoscale bounds the number of nodes, ends included.
type Autoscale struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Taint is a Kubernetes taint.
type Taint struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Effect is NoSchedule, PreferNoSchedule or NoExecute.
	Effect string `json:"effect"`
}

// Taints are those of all pools.
func (a *Args) Taints() (taints []Taint) {
	for _, pool := range a.NodePools {
		taints = append(taints, pool.Taints...)
	}
	return taints
}

// The most nodes that LKE puts in one pool.
const maxNodes = 100

// poolLabel is the node label that holds the name of the pool.
const poolLabel = "pool"

// systemPool is the name of the pool inside the cluster.
const systemPool = "system"

// Validate returns every fault of the arguments, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Required(path.Child("region"), a.Region)
	faults = append(faults, validateVersion(path.Child("kubernetesVersion"), a.KubernetesVersion)...)
	faults = append(faults, check.Required(path.Child("systemPool", "type"), a.SystemPool.Type)...)
	faults = append(faults, check.Between(path.Child("systemPool", "count"), a.SystemPool.Count, 1, maxNodes)...)
	faults = append(faults, network.Validate(path.Child("apiAccess"), a.APIAccess)...)

	pools := path.Child("nodePools")
	if len(a.NodePools) == 0 {
		faults = append(faults, field.Required(pools, "at least one pool has to carry the workloads"))
	}
	seen := sets.New[string]()
	for i, pool := range a.NodePools {
		faults = append(faults, check.Unique(seen, pools.Index(i).Child("name"), pool.Name)...)
		faults = append(faults, pool.validate(pools.Index(i))...)
	}
	return faults
}

func (p *NodePool) validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), p.Name)
	if p.Name == systemPool {
		faults = append(faults, field.Forbidden(path.Child("name"), "is that of the pool inside the cluster"))
	}
	faults = append(faults, check.Required(path.Child("type"), p.Type)...)
	faults = append(faults, p.validateSize(path)...)
	for _, key := range slices.Sorted(maps.Keys(p.Labels)) {
		faults = append(faults, nodeKey(path.Child("labels"), key)...)
		if key == poolLabel {
			faults = append(faults, field.Forbidden(path.Child("labels").Key(key), "holds the name of the pool"))
		}
		faults = append(faults, check.LabelValue(path.Child("labels").Key(key), p.Labels[key])...)
	}
	for i, taint := range p.Taints {
		faults = append(faults, taint.validate(path.Child("taints").Index(i))...)
	}
	return faults
}

func (p *NodePool) validateSize(path *field.Path) field.ErrorList {
	if p.Autoscale == nil {
		return check.Between(path.Child("count"), p.Count, 1, maxNodes)
	}
	autoscale := path.Child("autoscale")
	faults := check.Between(autoscale.Child("min"), p.Autoscale.Min, 1, maxNodes)
	faults = append(faults, check.Between(autoscale.Child("max"), p.Autoscale.Max, 1, maxNodes)...)
	if p.Autoscale.Min > p.Autoscale.Max {
		faults = append(faults, field.Invalid(autoscale.Child("min"), p.Autoscale.Min, "must not be above max"))
	}
	if p.Count != 0 {
		faults = append(faults, field.Forbidden(path.Child("count"), "the number of nodes is autoscale's to choose"))
	}
	return faults
}

func (t *Taint) validate(path *field.Path) field.ErrorList {
	faults := nodeKey(path.Child("key"), t.Key)
	faults = append(faults, check.LabelValue(path.Child("value"), t.Value)...)
	return append(faults, check.OneOf(path.Child("effect"), t.Effect, "NoSchedule", "PreferNoSchedule", "NoExecute")...)
}

// nodeKey refuses what cannot be the key of a label or taint of a node: LKE has two domains for itself.
// Upstream: https://techdocs.akamai.com/cloud-computing/docs/manage-nodes-and-node-pools
func nodeKey(path *field.Path, key string) field.ErrorList {
	faults := check.LabelKey(path, key)
	domain, _, prefixed := strings.Cut(key, "/")
	for _, reserved := range []string{"kubernetes.io", "linode.com"} {
		if prefixed && (domain == reserved || strings.HasSuffix(domain, "."+reserved)) {
			faults = append(faults, field.Invalid(path, key, "LKE has the domain "+reserved+" for itself; use one of your own"))
		}
	}
	return faults
}
