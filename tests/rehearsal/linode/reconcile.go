package linode

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// retryDelay is the pause before failed work on a control plane is tried again.
const retryDelay = 10 * time.Second

// plane is what this process has done for one cluster.
type plane struct {
	ctx  context.Context // of work on the running control plane
	stop context.CancelFunc

	busy    sync.Mutex // held by who works on the control plane
	version string     // that runs
	nodes   []Node     // that it was last given
}

// plane gives the one of a cluster.
func (a *API) plane(id int) *plane {
	a.planesLock.Lock()
	defer a.planesLock.Unlock()
	p := a.planes[id]
	if p == nil {
		p = &plane{}
		p.ctx, p.stop = context.WithCancel(a.ctx)
		a.planes[id] = p
	}
	return p
}

// Resume starts the control planes of all clusters that the state holds and returns when their nodes are ready. Nodes
// that were taken out of the state by hand are made up for.
func (a *API) Resume(ctx context.Context) error {
	var ids []int
	err := a.store.Update(func(s *state) error {
		for _, cl := range s.Clusters {
			cl.Access = nil
			for _, n := range cl.nodes() {
				n.Status = notReady
			}
			fill(s, cl)
			ids = append(ids, cl.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, id := range ids {
		group.Go(func() error { return a.reconcile(ctx, id) })
	}
	return group.Wait()
}

// reconcileSoon does, in the background and until it succeeds, what a change of a cluster calls for.
func (a *API) reconcileSoon(id int) {
	a.background.Go(func() {
		for a.reconcile(a.ctx, id) != nil {
			select {
			case <-a.ctx.Done():
				return
			case <-time.After(retryDelay):
			}
		}
	})
}

// reconcile brings the control plane and the nodes of a cluster to where the state says they should be.
func (a *API) reconcile(ctx context.Context, id int) error {
	p := a.plane(id)
	p.busy.Lock()
	defer p.busy.Unlock()
	for {
		next := a.next(id, p)
		if next == nil {
			return nil
		}
		if err := next(ctx, id, p); err != nil {
			return err
		}
	}
}

// next is what has to be done first; nil when the cluster is as it should be.
func (a *API) next(id int, p *plane) (step func(context.Context, int, *plane) error) {
	a.store.View(func(s *state) {
		cl := s.cluster(id)
		switch {
		case cl == nil:
		case cl.Deleting:
			step = a.remove
		case cl.lacksLinodes():
			step = a.provision
		case cl.Access == nil || cl.K8sVersion != p.version:
			step = a.start
		case !reflect.DeepEqual(a.workers(s, cl), p.nodes):
			step = a.sync
		case len(cl.Recycle) > 0:
			step = a.replace
		}
	})
	return step
}

// provision makes the Linodes of new nodes.
func (a *API) provision(ctx context.Context, id int, p *plane) error {
	ctx, done := p.during(ctx)
	defer done()
	select {
	case <-time.After(a.options.LinodeDelay):
	case <-ctx.Done():
		return ctx.Err()
	}
	return a.change(id, a.makeLinodes)
}

// start brings up the control plane, also after a change of its version or when its kubeconfig is to be new.
func (a *API) start(ctx context.Context, id int, p *plane) error {
	version := ""
	a.store.View(func(s *state) { version = s.cluster(id).K8sVersion })
	ctx, done := p.during(ctx)
	defer done()
	access, err := a.options.ControlPlanes.Start(ctx, id, version)
	if err != nil {
		return a.failed(ctx, id, "lke_cluster_create", fmt.Errorf("starting the control plane: %w", err))
	}
	p.version, p.nodes = version, nil
	return a.change(id, func(s *state, cl *cluster) {
		cl.Access, cl.Failure = &access, ""
		s.record("lke_cluster_create", finished, cl.entity(), "")
	})
}

// sync gives the control plane its nodes.
func (a *API) sync(ctx context.Context, id int, p *plane) error {
	var nodes []Node
	err := a.change(id, func(s *state, cl *cluster) {
		nodes = a.workers(s, cl)
		cl.boot(s, nodes, provisioning, booting)
	})
	if err != nil {
		return err
	}
	ctx, done := p.during(ctx)
	defer done()
	if err := a.options.ControlPlanes.Sync(ctx, id, nodes); err != nil {
		return a.failed(ctx, id, "lke_node_create", fmt.Errorf("making the nodes ready: %w", err))
	}
	p.nodes = nodes
	return a.change(id, func(s *state, cl *cluster) {
		cl.Failure = ""
		cl.boot(s, nodes, booting, running)
		for _, n := range cl.nodes() {
			if i := s.linodeOf(n); i != nil && i.Status == running {
				i.EverBooted, n.Status = true, ready
			}
		}
	})
}

// boot moves the Linodes of nodes, if they are still there, from one status to the next.
func (c *cluster) boot(s *state, nodes []Node, from, to string) {
	for _, n := range nodes {
		if i := s.instance(n.InstanceID); i != nil && i.Status == from {
			i.Status, i.Updated = to, now()
		}
	}
}

func (a *API) replace(_ context.Context, id int, _ *plane) error {
	return a.change(id, a.replaceNext)
}

func (a *API) remove(ctx context.Context, id int, _ *plane) error {
	if err := a.options.ControlPlanes.Delete(ctx, id); err != nil {
		return a.failed(ctx, id, "lke_cluster_delete", fmt.Errorf("deleting the control plane: %w", err))
	}
	return a.change(id, func(s *state, cl *cluster) {
		s.Clusters = without(s.Clusters, cl)
		s.record("lke_cluster_delete", finished, cl.entity(), "")
	})
}

// during gives the context of work that ends with ctx or when the cluster is deleted.
func (p *plane) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// change changes a cluster that is still there.
func (a *API) change(id int, f func(*state, *cluster)) error {
	return a.store.Update(func(s *state) error {
		if cl := s.cluster(id); cl != nil {
			f(s, cl)
		}
		return nil
	})
}

// failed makes a failure of a control plane known in the log, as an event, once, and to those who wait for the cluster, and
// returns it. Work that was called off is no failure.
func (a *API) failed(ctx context.Context, id int, action string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.log.Error("an LKE cluster does not get ready", "cluster", id, "error", err)
	saving := a.change(id, func(s *state, cl *cluster) {
		cl.Failure = err.Error()
		if n := len(s.Events); n == 0 || s.Events[n-1].Message != err.Error() {
			s.record(action, failed, cl.entity(), err.Error())
		}
	})
	if saving != nil {
		a.log.Error("the failure of an LKE cluster is not in the events", "cluster", id, "error", saving)
	}
	return err
}
