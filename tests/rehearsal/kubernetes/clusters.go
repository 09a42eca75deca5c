// Package kubernetes runs the Kubernetes behind the simulated LKE clusters: real etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler, with nodes and pods simulated by kwok. Everything listens on loopback only.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"lke-platform/tests/rehearsal/linode"
)

// Options says where the programs are and where the clusters' data goes.
type Options struct {
	// Bin is the folder that holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok.
	Bin string
	// Dir keeps data, configuration and logs, one folder per cluster, named by the cluster's ID. One Clusters at a time uses it.
	Dir string
	// Log is told when a program ends that should not have; slog.Default() when nil.
	Log *slog.Logger
	// LeaveAlone are the images whose pods nobody simulates, whatever their tag or digest: one of Controllers runs them.
	LeaveAlone []string
	// Controllers starts what else works in a cluster, once its control plane is up; stop is called before the control plane
	// stops. Nothing else works there when nil.
	Controllers func(ctx context.Context, clusterID int, kubeconfig []byte) (stop func(), err error)
	// Machines run the nodes, and what is scheduled to them. When nil, kwok simulates them.
	Machines Machines
}

// Clusters runs one control plane per simulated LKE cluster. It implements linode.ControlPlanes and is safe for concurrent
// use; calls for different clusters do not wait for each other.
type Clusters struct {
	options Options

	mu       sync.Mutex
	clusters map[int]*cluster
}

var _ linode.ControlPlanes = (*Clusters)(nil)

// cluster is the place of one cluster; its mutex keeps its starts, syncs and stops apart.
type cluster struct {
	mu      sync.Mutex
	running *controlPlane // nil when stopped
}

// stop stops the control plane if it runs.
func (c *cluster) stop() error {
	if c.running == nil {
		return nil
	}
	running := c.running
	c.running = nil
	return running.stop()
}

// New returns Clusters of which none runs yet; Start brings one up, new or from the data of an earlier run.
func New(options Options) *Clusters {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.Machines == nil {
		options.Machines = simulated{}
	}
	if options.Controllers == nil {
		options.Controllers = func(context.Context, int, []byte) (func(), error) { return func() {}, nil }
	}
	// The programs' command lines tell whose they are, see killOrphans. (This fails only in a working folder that is gone.)
	if dir, err := filepath.Abs(options.Dir); err == nil {
		options.Dir = dir
	}
	return &Clusters{options: options, clusters: map[int]*cluster{}}
}

// Start brings up the control plane of a cluster and returns when it serves the API and makes service accounts, so that
// pods can be created at once. A running cluster is left alone, unless the version changed or one of its programs has ended:
// then it is restarted, and what runs on its nodes goes on. The version is as the LKE API spells it, "1.36" or
// "v1.36.1+lke2"; the programs can take the part of the three minor versions before their own. What Start did not see through,
// because of ctx or an error, is stopped again.
func (c *Clusters) Start(ctx context.Context, clusterID int, version string) (linode.Access, error) {
	cluster := c.cluster(clusterID)
	cluster.mu.Lock()
	defer cluster.mu.Unlock()

	if cluster.running != nil && (cluster.running.version != version || cluster.running.programs.ended() != nil) {
		if err := cluster.running.leave(); err != nil {
			return linode.Access{}, fmt.Errorf("restarting Kubernetes of LKE cluster %d: %w", clusterID, err)
		}
		cluster.running = nil
	}
	if cluster.running == nil {
		plane, err := startControlPlane(ctx, c.options, c.folder(clusterID), clusterID, version)
		if err != nil {
			return linode.Access{}, fmt.Errorf("starting Kubernetes of LKE cluster %d: %w", clusterID, err)
		}
		stop, err := c.options.Controllers(ctx, clusterID, plane.access.Kubeconfig)
		if err != nil {
			return linode.Access{}, errors.Join(err, plane.stop())
		}
		plane.stopControllers = stop
		cluster.running = plane
	}
	return cluster.running.access, nil
}

// Sync makes the nodes of a running cluster those listed, see linode.ControlPlanes. Nodes join before others leave; pods
// of those that leave are evicted first, as far as their PodDisruptionBudgets let go of them within drainTimeout.
func (c *Clusters) Sync(ctx context.Context, clusterID int, nodes []linode.Node) error {
	err := c.onRunning(clusterID, func(plane *controlPlane) error { return plane.nodes.sync(ctx, nodes) })
	if err != nil {
		return fmt.Errorf("bringing the nodes of LKE cluster %d in line: %w", clusterID, err)
	}
	return nil
}

// Hang has the API server of a running cluster answer nobody, until it is not to hang any more.
func (c *Clusters) Hang(clusterID int, hung bool) error {
	signal := syscall.SIGCONT
	if hung {
		signal = syscall.SIGSTOP
	}
	return c.onRunning(clusterID, func(plane *controlPlane) error { return plane.programs.signal("kube-apiserver", signal) })
}

// Delete stops the control plane of a cluster and removes its data and logs. A cluster that is not there is no error.
func (c *Clusters) Delete(_ context.Context, clusterID int) error {
	cluster := c.cluster(clusterID)
	cluster.mu.Lock()
	defer cluster.mu.Unlock()

	if cluster.running != nil {
		if err := cluster.running.nodes.stop(c.options.Machines.Remove); err != nil {
			return fmt.Errorf("deleting the nodes of LKE cluster %d: %w", clusterID, err)
		}
	}
	if err := errors.Join(cluster.stop(), os.RemoveAll(c.folder(clusterID))); err != nil {
		return fmt.Errorf("deleting Kubernetes of LKE cluster %d: %w", clusterID, err)
	}
	return nil
}

// Close stops every program of every cluster and keeps the data. The clusters can be started again.
func (c *Clusters) Close() error {
	var group errgroup.Group
	for _, cluster := range c.all() {
		group.Go(func() error {
			cluster.mu.Lock()
			defer cluster.mu.Unlock()
			return cluster.stop()
		})
	}
	return group.Wait()
}

// Logs returns the folders with the logs of the clusters' programs, one file each.
func (c *Clusters) Logs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var folders []string
	for _, id := range slices.Sorted(maps.Keys(c.clusters)) {
		folders = append(folders, c.logs(id))
	}
	return folders
}

func (c *Clusters) logs(clusterID int) string { return filepath.Join(c.folder(clusterID), "logs") }

func (c *Clusters) folder(clusterID int) string {
	return filepath.Join(c.options.Dir, strconv.Itoa(clusterID))
}

func (c *Clusters) cluster(clusterID int) *cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clusters[clusterID] == nil {
		c.clusters[clusterID] = &cluster{}
	}
	return c.clusters[clusterID]
}

func (c *Clusters) all() []*cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.clusters))
}

// onRunning calls f with the control plane of a cluster. Where f fails because a program has ended, the error says so.
func (c *Clusters) onRunning(clusterID int, f func(*controlPlane) error) error {
	cluster := c.cluster(clusterID)
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if cluster.running == nil {
		return errors.New("the cluster does not run; it has to be started first")
	}
	if err := cluster.running.programs.ended(); err != nil {
		return err
	}
	return errors.Join(f(cluster.running), cluster.running.programs.ended())
}
