// Package incluster plays what runs inside an LKE cluster, on a real API server whose pods are simulated: Linode's cloud
// controller manager and block storage driver, ingress controllers, and the operators whose custom resources the platform
// declares. Load balancers and volumes become objects of the (simulated) Linode API; custom resources become ready with
// the objects that their operators would make.
package incluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/linode/linodego"
	"golang.org/x/sync/errgroup"

	"lke-platform/tests/rehearsal/letsencrypt"
)

// Options tell the controllers where they work.
type Options struct {
	// LinodeURL is where the Linode API is, for instance http://127.0.0.1:41234.
	LinodeURL string
	// Token opens the Linode API.
	Token string
	// NameServer and Resolver are the addresses of Linode's name server, and of a resolver that asks it.
	NameServer, Resolver string
	// ACME are the servers that are asked in place of those whose directories issuers name. Where there is none for an issuer,
	// its certificates sign themselves.
	ACME map[string]*letsencrypt.Server
	// GiveUp takes what is bound to fail, only later: a wait that will not be long enough, for instance.
	GiveUp func(error)
	// Traefik is the image that runs in the place of a release of Traefik's chart that cannot be had. Empty: nothing runs.
	Traefik string
	// Postgres is the image of database servers and poolers: PostgreSQL, Patroni and PgBouncer. Empty: they are played.
	Postgres string
	// Pods says which pods are not simulated.
	Pods Pods
	// Log takes failures, each of which is tried again; slog.Default() when nil.
	Log *slog.Logger
}

// Controllers are the controllers of all clusters of a rehearsal, and what they found out. They are safe for concurrent use.
type Controllers struct {
	options     Options
	linode      linodego.Client
	notes       notes
	letsEncrypt letsEncrypt

	mu       sync.Mutex
	clusters map[int]*cluster // those that run
}

// New returns Controllers that work in no cluster yet.
func New(options Options) *Controllers {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	client := linodego.NewClient(nil)
	client.SetBaseURL(options.LinodeURL)
	client.SetToken(options.Token)
	return &Controllers{options: options, linode: client, clusters: map[int]*cluster{}}
}

// Start sets the controllers to work in a cluster whose API server answers. They end with stop, which returns when they have.
func (c *Controllers) Start(ctx context.Context, clusterID int, kubeconfig []byte) (stop func(), err error) {
	cl, err := connect(clusterID, kubeconfig, c)
	if err != nil {
		return nil, fmt.Errorf("connecting controllers to LKE cluster %d: %w", clusterID, err)
	}
	if err := cl.installStorage(ctx); err != nil {
		return nil, fmt.Errorf("installing the storage driver in LKE cluster %d: %w", clusterID, err)
	}
	c.mu.Lock()
	c.clusters[clusterID] = cl
	c.mu.Unlock()
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, controller := range []func(context.Context){
		cl.runLoadBalancers, cl.runIngresses, cl.runNodes, cl.runProvisioner, cl.runAttacher, cl.runResizer, cl.runAdmission,
		cl.runOperators, cl.runPods,
	} {
		running.Go(func() { controller(run) })
	}
	return func() {
		c.mu.Lock()
		delete(c.clusters, clusterID)
		c.mu.Unlock()
		cancel()
		running.Wait()
	}, nil
}

// Release is a Helm release whose chart cannot be had.
type Release struct {
	Namespace, Name string
	Chart           string // its name
	Version         string // of the chart
	Values          map[string]any
}

// Deployed tells of the deployment of a release whose chart cannot be had. What the platform waits for because of it is there,
// in all running clusters, when Deployed returns: the definitions of its custom resources, or the class of an
// ingress controller and its Service with an address.
func (c *Controllers) Deployed(ctx context.Context, release Release) error {
	return c.each(func(cl *cluster) error { return cl.standIn(ctx, release) })
}

// Uninstalled tells that such a release is gone. Definitions stay, as Helm leaves them.
func (c *Controllers) Uninstalled(ctx context.Context, release Release) error {
	return c.each(func(cl *cluster) error { return cl.removeStandIn(ctx, release) })
}

// PassWeek lets the week pass after which Let's Encrypt issues certificates for the same names again.
func (c *Controllers) PassWeek() { c.letsEncrypt.passWeek() }

// each calls f with all running clusters.
func (c *Controllers) each(f func(*cluster) error) error {
	c.mu.Lock()
	clusters := slices.Collect(maps.Values(c.clusters))
	c.mu.Unlock()
	var group errgroup.Group
	for _, cl := range clusters {
		group.Go(func() error { return f(cl) })
	}
	return group.Wait()
}

// Warnings lists what a real cluster would not do as the program may expect: annotations that are unknown, for instance.
func (c *Controllers) Warnings() []string { return c.notes.list(warning) }

// NotRehearsed lists what the controllers took out of the way, because only pods that run could serve it.
func (c *Controllers) NotRehearsed() []string { return c.notes.list(notRehearsed) }

// Schemaless lists the kinds of custom resources whose definition is a stand-in, which accepts anything.
func (c *Controllers) Schemaless() []string { return c.notes.list(schemaless) }

// topic is what a note is about.
type topic int

const (
	warning topic = iota
	notRehearsed
	schemaless
)

// notes collects what is to be told in the end, each thing once.
type notes struct {
	mu    sync.Mutex
	lines map[topic][]string
}

func (n *notes) add(about topic, format string, arguments ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	line := fmt.Sprintf(format, arguments...)
	if at, found := slices.BinarySearch(n.lines[about], line); !found {
		if n.lines == nil {
			n.lines = map[topic][]string{}
		}
		n.lines[about] = slices.Insert(n.lines[about], at, line)
	}
}

func (n *notes) list(about topic) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines[about])
}
