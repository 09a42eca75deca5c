package linode

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// pool is a node pool: https://techdocs.akamai.com/linode-api/reference/get-lke-node-pool
type pool struct {
	ID             int               `json:"id"`
	Type           string            `json:"type"`
	Label          string            `json:"label"`
	Count          int               `json:"count"`
	Nodes          []*node           `json:"nodes"`
	Disks          []disk            `json:"disks"`
	Autoscaler     autoscaler        `json:"autoscaler"`
	Labels         map[string]string `json:"labels"`
	Taints         []Taint           `json:"taints"`
	Tags           []string          `json:"tags"`
	DiskEncryption string            `json:"disk_encryption"`
	Locks          []string          `json:"locks"`
}

type disk struct {
	Size int    `json:"size"` // MiB
	Type string `json:"type"`
}

// autoscaler is kept and shown; nothing scales by itself.
type autoscaler struct {
	Enabled bool `json:"enabled"`
	Min     int  `json:"min"`
	Max     int  `json:"max"`
}

// poolRequest creates or updates a pool; what is nil stays as it is.
type poolRequest struct {
	Type           string             `json:"type"`
	Label          *string            `json:"label"`
	Count          *int               `json:"count"`
	Disks          []disk             `json:"disks"`
	Autoscaler     *autoscaler        `json:"autoscaler"`
	Labels         *map[string]string `json:"labels"`
	Taints         *[]Taint           `json:"taints"`
	Tags           *[]string          `json:"tags"`
	DiskEncryption *string            `json:"disk_encryption"`
}

func (a *API) poolRoutes() routes {
	pools := collection[*pool]{
		path:   "/lke/clusters/{cluster}/pools",
		items:  func(c *call) ([]*pool, error) { cl, err := c.cluster(); return cl.Pools, err },
		id:     func(p *pool) string { return strconv.Itoa(p.ID) },
		create: a.createPool,
		update: a.updatePool,
		delete: a.deletePool,
	}
	r := pools.routes()
	r["GET /lke/clusters/{cluster}/pools/{id}"] = pools.on(func(c *call, p *pool) (any, error) {
		cl, err := c.cluster()
		if cl.Failure != "" { // else those who wait for the nodes would wait for ever
			return nil, refuse(http.StatusInternalServerError, "", "%s", cl.Failure)
		}
		return p, err
	})
	r["POST /lke/clusters/{cluster}/pools/{id}/recycle"] = pools.action(func(c *call, p *pool) error {
		cl, _ := c.cluster() // the pool was found in it
		cl.recycle(p.Nodes...)
		a.reconcileSoon(cl.ID)
		return nil
	})
	return r
}

// cluster is the one in the path. With an error it is an empty one.
func (c *call) cluster() (*cluster, error) {
	return through(c, "cluster", c.state.Clusters, func(cl *cluster) int { return cl.ID })
}

func (a *API) createPool(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var in poolRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	a.checkNewPool(&check, "", cl.Region, &in)
	if err := check.err(); err != nil {
		return nil, err
	}
	p := newPool(c.state, &in)
	cl.Pools = append(cl.Pools, p)
	fill(c.state, cl)
	a.reconcileSoon(cl.ID)
	return p, nil
}

func (a *API) updatePool(c *call, p *pool) error {
	cl, err := c.cluster()
	if err != nil {
		return err
	}
	var in poolRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	var check checks
	in.check(&check, "")
	if err := check.err(); err != nil {
		return err
	}
	in.apply(p)
	fill(c.state, cl)
	a.reconcileSoon(cl.ID)
	return nil
}

func (a *API) deletePool(c *call, p *pool) error {
	cl, err := c.cluster()
	if err != nil {
		return err
	}
	var check checks
	check.that(len(cl.Pools) > 1, "", "The last node pool of a cluster cannot be deleted")
	if err := check.err(); err != nil {
		return err
	}
	c.state.deleteNodes(p.Nodes...)
	cl.Pools = without(cl.Pools, p)
	a.reconcileSoon(cl.ID)
	return nil
}

func newPool(s *state, in *poolRequest) *pool {
	p := &pool{
		ID: s.newID(), Type: in.Type, Nodes: []*node{}, Disks: append([]disk{}, in.Disks...), Labels: map[string]string{},
		Taints: []Taint{}, Tags: []string{}, DiskEncryption: enabled, Autoscaler: autoscaler{Min: *in.Count, Max: *in.Count},
		Locks: []string{},
	}
	in.apply(p)
	return p
}

func (in *poolRequest) apply(p *pool) {
	set(&p.Label, in.Label)
	set(&p.Count, in.Count)
	set(&p.Autoscaler, in.Autoscaler)
	set(&p.Labels, in.Labels)
	set(&p.Taints, in.Taints)
	set(&p.Tags, in.Tags)
	set(&p.DiskEncryption, in.DiskEncryption)
}

// set changes a field to what a request says, if anything.
func set[T any](field *T, wanted *T) {
	if wanted != nil {
		*field = *wanted
	}
}

// checkNewPool checks a pool that is to be created; field is the path to it in the request.
func (a *API) checkNewPool(check *checks, field, region string, in *poolRequest) {
	kind := a.checkType(check, field+"type", in.Type, region)
	check.that(kind.Class != "nanode", field+"type", "%s is too small for Kubernetes", in.Type)
	check.that(in.Count != nil, field+"count", "count is required")
	in.check(check, field)
}

func (in *poolRequest) check(check *checks, field string) {
	within := func(number int, name string) {
		check.that(number >= 1 && number <= 100, field+name, "Must be 1-100")
	}
	if in.Count != nil {
		within(*in.Count, "count")
	}
	if in.Autoscaler != nil {
		within(in.Autoscaler.Min, "autoscaler.min")
		within(in.Autoscaler.Max, "autoscaler.max")
		check.that(in.Autoscaler.Min <= in.Autoscaler.Max, field+"autoscaler.min", "Must not be greater than autoscaler.max")
	}
	if in.Labels != nil {
		for key, value := range *in.Labels {
			checkPair(check, field+"labels", key, value)
		}
	}
	if in.Taints != nil {
		effects := []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
		for _, taint := range *in.Taints {
			checkPair(check, field+"taints", taint.Key, taint.Value)
			known := slices.Contains(effects, taint.Effect)
			check.that(known, field+"taints", "effect must be one of %s", strings.Join(effects, ", "))
		}
	}
}

// checkPair applies the rules of Kubernetes and keeps out the domains that LKE has for itself.
func checkPair(check *checks, field, key, value string) {
	faults := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)
	check.that(len(faults) == 0, field, "%s=%s: %s", key, value, strings.Join(faults, "; "))
	domain, _, prefixed := strings.Cut(key, "/")
	reserved := strings.HasSuffix(domain, "kubernetes.io") || strings.HasSuffix(domain, "linode.com")
	check.that(!prefixed || !reserved, field, "%s: the domains kubernetes.io and linode.com are reserved", key)
}
