package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lke-platform/internal/cloud"
)

// lkeCluster is what Linode knows of the cluster.
type lkeCluster struct {
	Status string `json:"status"`
	Region string `json:"region"`
}

// pool is a group of nodes of one type.
type pool struct {
	ID    int    `json:"id"`
	Type  string `json:"type"`
	Nodes []struct {
		ID       string `json:"id"`
		Instance int    `json:"instance_id"`
		Status   string `json:"status"`
	} `json:"nodes"`
}

func (s *survey) pools(ctx context.Context) ([]pool, error) {
	if s.told.ClusterID == "" {
		return nil, errors.New("there is no cluster")
	}
	return cloud.Listed[pool](ctx, s.linode, "/lke/clusters/"+s.told.ClusterID+"/pools")
}

func (s *survey) lookAtLinode(ctx context.Context) (*finding, error) {
	var cluster lkeCluster
	var pools []pool
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { pools, err = s.pools(ctx); return err })
	both.Go(func() error { return s.linode.Get(ctx, "/lke/clusters/"+s.told.ClusterID, &cluster) })
	f := &finding{more: "linode-cli lke pools-list " + s.told.ClusterID}
	err := both.Wait()
	if cloud.IsAbsent(err) {
		f.fault("cluster %s is gone", s.told.ClusterID)
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if cluster.Status != "ready" {
		f.fault("the cluster is %s", cluster.Status)
	}
	nodes := 0
	for _, p := range pools {
		nodes += len(p.Nodes)
		for _, node := range p.Nodes {
			if node.Status != "ready" {
				f.fault("node %s of pool %d (%s) is %s", node.ID, p.ID, p.Type, node.Status)
			}
		}
	}
	f.says = fmt.Sprintf("the cluster is ready, with %s in %s", count(nodes, "node"), count(len(pools), "pool"))
	return f, nil
}

// balancer is a NodeBalancer.
type balancer struct {
	ID    int      `json:"id"`
	Label string   `json:"label"`
	Tags  []string `json:"tags"`
}

// port is one of a NodeBalancer, and how many of the backends behind it answer.
type port struct {
	Port   int `json:"port"`
	Status struct {
		Up   int `json:"up"`
		Down int `json:"down"`
	} `json:"nodes_status"`
}

// lookAtEntrance tells which ports of the cluster's NodeBalancers lead to how many nodes.
func (s *survey) lookAtEntrance(ctx context.Context) (*finding, error) {
	balancers, err := cloud.Listed[balancer](ctx, s.linode, "/nodebalancers")
	if err != nil {
		return nil, err
	}
	balancers = slices.DeleteFunc(balancers, func(b balancer) bool { return !slices.Contains(b.Tags, "lke"+s.told.ClusterID) })
	f := &finding{more: "kubectl -n ingress describe services"}
	if len(balancers) == 0 {
		f.fault("there is no NodeBalancer, so that nobody gets in")
	}
	var says []string
	for _, b := range balancers {
		ports, err := cloud.Listed[port](ctx, s.linode, fmt.Sprintf("/nodebalancers/%d/configs", b.ID))
		if err != nil {
			return nil, err
		}
		for _, p := range ports {
			behind := p.Status.Up + p.Status.Down
			if p.Status.Down > 0 || behind == 0 {
				f.fault("NodeBalancer %s: %d of %s of port %d answer", b.Label, p.Status.Up, count(behind, "backend"), p.Port)
				f.more = fmt.Sprintf("linode-cli nodebalancers configs-list %d", b.ID)
			}
			says = append(says, fmt.Sprintf("%s answer on port %d", count(behind, "backend"), p.Port))
		}
	}
	f.says = strings.Join(says, ", ")
	return f, nil
}

// entity is what something of the account is about.
type entity struct {
	ID   any    `json:"id"` // a number, or a name
	Type string `json:"type"`
	Name string `json:"label"`
}

// moment is how Linode tells a time.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(text []byte) (err error) {
	m.Time, err = time.Parse(`"2006-01-02T15:04:05"`, string(text))
	return err
}

type (
	event struct {
		Action, Status string
		Created        moment
		Entity         *entity
	}
	maintenance struct {
		Type, Status, Reason string
		When                 *moment
		Entity               entity
	}
	notification struct {
		Severity, Message string
		Entity            *entity
	}
)

// lookAtAccount tells what of the account's events, windows of maintenance and notifications concerns the stack.
func (s *survey) lookAtAccount(ctx context.Context) (*finding, error) {
	var (
		cluster       lkeCluster
		pools         []pool
		events        struct{ Data []event }
		windows       []maintenance
		notifications []notification
	)
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() (err error) { pools, err = s.pools(ctx); return err })
	all.Go(func() error { return s.linode.Get(ctx, "/lke/clusters/"+s.told.ClusterID, &cluster) })
	all.Go(func() error { return s.linode.Get(ctx, "/account/events?page_size=100", &events) }) // the newest
	all.Go(func() (err error) {
		windows, err = cloud.Listed[maintenance](ctx, s.linode, "/account/maintenance")
		return err
	})
	all.Go(func() (err error) {
		notifications, err = cloud.Listed[notification](ctx, s.linode, "/account/notifications")
		return err
	})
	if err := all.Wait(); err != nil {
		return nil, err
	}
	c := &concern{survey: s, region: cluster.Region, finding: finding{more: "linode-cli events list"}}
	for _, p := range pools {
		for _, node := range p.Nodes {
			c.nodes = append(c.nodes, strconv.Itoa(node.Instance))
		}
	}
	c.windows(windows)
	c.events(events.Data)
	c.notifications(notifications)
	if c.says = strings.Join(c.notes, "; "); c.says == "" {
		c.says = "nothing that concerns this stack"
	}
	return &c.finding, nil
}

// concern gathers what concerns a stack.
type concern struct {
	*survey
	finding
	region string
	nodes  []string // their Linodes
	notes  []string // which are no faults
}

func (c *concern) isOurs(e *entity) bool {
	if e == nil {
		return false
	}
	id := fmt.Sprint(e.ID)
	if number, is := e.ID.(float64); is {
		id = strconv.Itoa(int(number))
	}
	switch e.Type {
	case "linode":
		return slices.Contains(c.nodes, id)
	case "lkecluster":
		return id == c.told.ClusterID
	case "region":
		return id == c.region
	}
	return false
}

// events are those of a day: what failed, and nodes that Linode started again.
func (c *concern) events(events []event) {
	const day = 24 * time.Hour
	for _, e := range events {
		ago := c.now.Sub(e.Created.Time)
		if ago > day || !c.isOurs(e.Entity) {
			continue
		}
		switch {
		case e.Status == "failed":
			c.fault("%s of %s failed %s ago", e.Action, e.Entity.Name, age(ago))
		case e.Action == "host_reboot" || e.Action == "lassie_reboot":
			c.notes = append(c.notes, fmt.Sprintf("Linode restarted %s %s ago", e.Entity.Name, age(ago)))
		}
	}
}

// windows are those of maintenance. One that is near is for somebody to prepare for.
func (c *concern) windows(windows []maintenance) {
	const near = 3 * 24 * time.Hour
	for _, w := range windows {
		if !c.isOurs(&w.Entity) || w.Status == "completed" || w.Status == "canceled" {
			continue
		}
		switch {
		case w.When == nil || w.When.Sub(c.now) < 0:
			c.fault("maintenance of %s (%s) is %s: %s", w.Entity.Name, w.Type, w.Status, w.Reason)
		case w.When.Sub(c.now) < near:
			c.fault("maintenance of %s (%s) begins in %s: %s", w.Entity.Name, w.Type, age(w.When.Sub(c.now)), w.Reason)
		default:
			c.notes = append(c.notes, fmt.Sprintf("maintenance of %s (%s) in %s", w.Entity.Name, w.Type, age(w.When.Sub(c.now))))
			continue
		}
		c.more = "linode-cli account maintenance-list"
	}
}

// notifications concern the stack, or the whole account: a bill that is due, or a region that is out of order.
func (c *concern) notifications(all []notification) {
	for _, n := range all {
		if n.Entity != nil && slices.Contains([]string{"linode", "lkecluster", "region"}, n.Entity.Type) && !c.isOurs(n.Entity) {
			continue
		}
		if n.Severity != "major" && n.Severity != "critical" {
			c.notes = append(c.notes, n.Message)
			continue
		}
		c.fault("%s", n.Message)
		c.more = "linode-cli account notifications-list"
	}
}
