// Package kubernetes stands in for Pulumi's official Kubernetes provider in a rehearsal. It knows every type that the API
// server serves, by token (kubernetes:apps/v1:Deployment, kubernetes:cert-manager.io/v1:Certificate), and Helm releases
// (kubernetes:helm.sh/v3:Release). The API server, kstatus and the Helm SDK do the work; what an engine gets to see follows
// https://www.pulumi.com/registry/packages/kubernetes/ and the provider's source in its release 4.30.
package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Version is the release of the official provider that this one stands in for.
const Version = "4.30.0"

// Options says what takes the place of Helm releases that do not find their charts.
type Options struct {
	// NotRendered takes the place of releases whose chart cannot be had; nothing does when nil.
	NotRendered Substitute
}

// A Substitute takes the place of releases whose chart cannot be had. It is safe for concurrent use.
type Substitute interface {
	// Found is told, in every operation, of each such release, which may be more than once.
	Found(release NotRendered)
	// Deployed is told when such a release would be installed or upgraded.
	Deployed(ctx context.Context, release NotRendered) error
	// Uninstalled is told when such a release would be uninstalled, and when its chart can be had at last.
	Uninstalled(ctx context.Context, release NotRendered) error
}

// nothing is the Substitute where none is wanted.
type nothing struct{}

func (nothing) Found(NotRendered)                              {}
func (nothing) Deployed(context.Context, NotRendered) error    { return nil }
func (nothing) Uninstalled(context.Context, NotRendered) error { return nil }

// New returns the constructor of the provider, as package plugins serves it.
func New(options Options) func(*provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
	if options.NotRendered == nil {
		options.NotRendered = nothing{}
	}
	return func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		lifetime, cancel := context.WithCancel(context.Background())
		return &server{options: options, journal: &journal{host: host}, lifetime: lifetime, cancel: cancel}, nil
	}
}

// server is one provider of a program: it talks to one cluster.
type server struct {
	pulumirpc.UnimplementedResourceProviderServer
	options  Options
	journal  *journal
	lifetime context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	cluster *cluster // nil until configured
}

// A resourceType does, for the resources of one type, what the engine asks.
type resourceType interface {
	check(ctx context.Context, q *request) (resource.PropertyMap, []*pulumirpc.CheckFailure, error)
	diff(ctx context.Context, q *request) (*pulumirpc.DiffResponse, error)
	create(ctx context.Context, q *request) (*outcome, error)
	// read returns nil for a resource that is gone.
	read(ctx context.Context, q *request) (*outcome, error)
	update(ctx context.Context, q *request) (*outcome, error)
	delete(ctx context.Context, q *request) error
}

// A request is what the engine asks about one resource.
type request struct {
	urn       resource.URN
	id        string
	oldInputs resource.PropertyMap // what the program said last time
	state     resource.PropertyMap // what came of it
	inputs    resource.PropertyMap // what the program says now
	ignored   []resource.PropertyPath
	preview   bool
	timeout   time.Duration // 0 leaves it to the resource

	seed       []byte
	autonaming *pulumirpc.CheckRequest_AutonamingOptions
}

// An outcome is what became of a resource.
type outcome struct {
	id      string
	inputs  resource.PropertyMap // only for read
	outputs resource.PropertyMap
	// unready says, headline first, why a resource that exists is not as it should be. The engine keeps it in its state and
	// tries again the next time.
	unready []string
}

// operation is one thing to do for one resource.
type operation struct {
	resourceType
	cluster *cluster
	end     func()
}

// begin finds who answers for a resource. The context that it returns ends with the operation, or when the engine cancels.
func (s *server) begin(ctx context.Context, urn string) (context.Context, *operation, error) {
	s.mu.Lock()
	cluster := s.cluster
	s.mu.Unlock()
	if cluster == nil {
		return nil, nil, fmt.Errorf("%s: the Kubernetes provider is not configured", urn)
	}
	answers, err := s.resourceType(cluster, resource.URN(urn))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(about(ctx, resource.URN(urn)))
	detach := context.AfterFunc(s.lifetime, cancel)
	return ctx, &operation{answers, cluster, func() { detach(); cancel() }}, nil
}

func (s *server) resourceType(cluster *cluster, urn resource.URN) (resourceType, error) {
	if urn.Type() == releaseToken {
		return &release{cluster: cluster, options: s.options}, nil
	}
	gvk, err := typeOf(urn.Type())
	if err != nil {
		return nil, err
	}
	return &object{cluster: cluster, gvk: gvk}, nil
}

// Check fills in names and namespaces and refuses what can be seen to be wrong without the cluster.
func (s *server) Check(ctx context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	if op.cluster.SkipUpdateUnreachable && len(r.GetOlds().GetFields()) > 0 && op.cluster.reachable(ctx) != nil {
		s.journal.warn(ctx, "the cluster cannot be reached, so this resource is left as it is (skipUpdateUnreachable)")
		return &pulumirpc.CheckResponse{Inputs: r.GetOlds()}, nil
	}
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), oldInputs: d.properties(r.GetOlds()), inputs: d.properties(r.GetNews()),
		seed: r.GetRandomSeed(), autonaming: r.GetAutonaming(),
	}
	if d.err != nil {
		return nil, d.err
	}
	inputs, failures, err := op.check(ctx, &q)
	if err != nil {
		return nil, err
	}
	encoded, err := encode(inputs)
	return &pulumirpc.CheckResponse{Inputs: encoded, Failures: failures}, err
}

// Diff compares what the program says now with what it said last time, or with what a refresh found in its place.
func (s *server) Diff(ctx context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), id: r.GetId(), oldInputs: d.properties(r.GetOldInputs()),
		state: d.properties(r.GetOlds()), inputs: d.properties(r.GetNews()), ignored: d.paths(r.GetIgnoreChanges()),
	}
	if d.err != nil {
		return nil, d.err
	}
	return op.diff(ctx, &q)
}

// Create makes a resource and waits until it is ready.
func (s *server) Create(ctx context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), inputs: d.properties(r.GetProperties()), preview: r.GetPreview(),
		timeout: seconds(r.GetTimeout()),
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := op.cluster.reachable(ctx); err != nil {
		return &pulumirpc.CreateResponse{Properties: r.GetProperties()}, op.unlessPreview(&q, err)
	}
	result, err := op.create(ctx, &q)
	if err != nil {
		return nil, err
	}
	outputs, err := result.encode()
	return &pulumirpc.CreateResponse{Id: result.id, Properties: outputs}, err
}

// Update brings a resource in line with the program and waits until it is ready.
func (s *server) Update(ctx context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), id: r.GetId(), oldInputs: d.properties(r.GetOldInputs()),
		state: d.properties(r.GetOlds()), inputs: d.properties(r.GetNews()), ignored: d.paths(r.GetIgnoreChanges()),
		preview: r.GetPreview(), timeout: seconds(r.GetTimeout()),
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := op.cluster.reachable(ctx); err != nil {
		return &pulumirpc.UpdateResponse{Properties: r.GetNews()}, op.unlessPreview(&q, err)
	}
	result, err := op.update(ctx, &q)
	if err != nil {
		return nil, err
	}
	outputs, err := result.encode()
	return &pulumirpc.UpdateResponse{Properties: outputs}, err
}

// Read finds what is live, for a refresh or an import.
func (s *server) Read(ctx context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	if err := op.cluster.reachable(ctx); err != nil {
		switch {
		case op.cluster.DeleteUnreachable:
			s.journal.warn(ctx, err.Error()+"; the resource is dropped from the state (deleteUnreachable)")
			return &pulumirpc.ReadResponse{}, nil
		case op.cluster.SkipUpdateUnreachable:
			s.journal.warn(ctx, err.Error()+"; the resource is taken to be unchanged (skipUpdateUnreachable)")
			return &pulumirpc.ReadResponse{Id: r.GetId(), Inputs: r.GetInputs(), Properties: r.GetProperties()}, nil
		}
		return nil, fmt.Errorf("%w; %s", err, unreachableAdvice)
	}
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), id: r.GetId(), oldInputs: d.properties(r.GetInputs()),
		state: d.properties(r.GetProperties()), timeout: seconds(r.GetTimeout()),
	}
	if d.err != nil {
		return nil, d.err
	}
	result, err := op.read(ctx, &q)
	if err != nil || result == nil {
		return &pulumirpc.ReadResponse{}, err
	}
	inputs, err := encode(result.inputs)
	if err != nil {
		return nil, err
	}
	outputs, err := result.encode()
	return &pulumirpc.ReadResponse{Id: result.id, Inputs: inputs, Properties: outputs}, err
}

// Delete removes a resource and waits until it is gone.
func (s *server) Delete(ctx context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	ctx, op, err := s.begin(ctx, r.GetUrn())
	if err != nil {
		return nil, err
	}
	defer op.end()
	if err := op.cluster.reachable(ctx); err != nil {
		if _, isRelease := op.resourceType.(*release); isRelease { // a refresh drops it from the state, a deletion does not
			return nil, fmt.Errorf("can't delete Helm Release with unreachable cluster. Reason: %w", err)
		}
		if op.cluster.DeleteUnreachable {
			s.journal.warn(ctx, err.Error()+"; the resource is dropped from the state (deleteUnreachable)")
			return &emptypb.Empty{}, nil
		}
		return nil, fmt.Errorf("%w; %s", err, unreachableAdvice)
	}
	var d decoder
	q := request{
		urn: resource.URN(r.GetUrn()), id: r.GetId(), oldInputs: d.properties(r.GetOldInputs()),
		state: d.properties(r.GetProperties()), timeout: seconds(r.GetTimeout()),
	}
	if d.err != nil {
		return nil, d.err
	}
	return &emptypb.Empty{}, op.delete(ctx, &q)
}

const unreachableAdvice = "where the cluster was deleted, set PULUMI_K8S_DELETE_UNREACHABLE=true to drop its resources from " +
	"the state"

// unlessPreview lets a preview pass where the cluster does not answer, but not one without a cluster.
func (op *operation) unlessPreview(q *request, err error) error {
	if q.preview && op.cluster.unusable == nil {
		return nil
	}
	return err
}
