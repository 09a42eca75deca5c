package linode_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

const (
	token   = "the-only-token"
	soon    = 10 * time.Second // for what happens in the background
	instant = 2 * time.Millisecond
)

// planes is a ControlPlanes that only remembers what it was asked for.
type planes struct {
	mu       sync.Mutex
	starts   int
	versions map[int]string        // of the running control planes
	nodes    map[int][]linode.Node // as last synced
	hung     map[int]bool          // whose API server answers nobody
	replaced int                   // the most nodes that one sync took away
	fail     error                 // of Start and Sync
	hold     chan struct{}         // Start waits until it is closed, if there is one
}

func (p *planes) Start(ctx context.Context, id int, version string) (linode.Access, error) {
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
			return linode.Access{}, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return linode.Access{}, p.fail
	}
	p.starts++
	p.versions[id] = version
	return linode.Access{Kubeconfig: fmt.Appendf(nil, "kubeconfig %d", p.starts), Endpoint: "https://127.0.0.1:6443"}, nil
}

func (p *planes) Sync(_ context.Context, id int, nodes []linode.Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	left := 0
	for _, old := range p.nodes[id] {
		if !slices.ContainsFunc(nodes, func(n linode.Node) bool { return n.Name == old.Name }) {
			left++
		}
	}
	p.replaced = max(p.replaced, left)
	p.nodes[id] = nodes
	return nil
}

func (p *planes) Hang(id int, hung bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung[id] = hung
	return nil
}

func (p *planes) Delete(_ context.Context, id int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.versions, id)
	delete(p.nodes, id)
	return nil
}

func (p *planes) set(fail error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

func (p *planes) version(id int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.versions[id]
}

func (p *planes) synced(id int) []linode.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes[id]
}

// rig is a simulated API with its control planes and a client that knows nothing of the simulation.
type rig struct {
	*linodego.Client
	t      *testing.T
	api    *linode.API
	planes *planes
	url    string
	dir    string
	log    *safeBuffer
}

func newRig(t *testing.T, changes ...func(*linode.Options)) *rig {
	t.Helper()
	return open(t, t.TempDir(), &planes{versions: map[int]string{}, nodes: map[int][]linode.Node{}, hung: map[int]bool{}}, changes...)
}

func open(t *testing.T, dir string, planes *planes, changes ...func(*linode.Options)) *rig {
	t.Helper()
	log := &safeBuffer{}
	options := linode.Options{Dir: dir, Token: token, ControlPlanes: planes, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, change := range changes {
		change(&options)
	}
	api, err := linode.New(options)
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(func() { server.Close(); api.Close() })
	client := linodego.NewClient(nil)
	client.SetBaseURL(server.URL)
	client.SetToken(token)
	client.SetPollDelay(instant)
	client.SetRetryWaitTime(instant)
	client.SetRetryMaxWaitTime(instant)
	return &rig{&client, t, api, planes, server.URL, dir, log}
}

// cluster creates one with a pool of so many nodes and waits until all of it is ready.
func (r *rig) cluster(label string, count int) *linodego.LKECluster {
	r.t.Helper()
	cluster, err := r.CreateLKECluster(r.t.Context(), newCluster(label, count))
	require.NoError(r.t, err)
	r.nodesReady(cluster.ID, count)
	return cluster
}

func newCluster(label string, count int) linodego.LKEClusterCreateOptions {
	return linodego.LKEClusterCreateOptions{
		Label: label, Region: "us-ord", K8sVersion: "1.35",
		NodePools: []linodego.LKENodePoolCreateOptions{{Type: "g6-standard-2", Count: count}},
	}
}

// nodesReady waits until the cluster has exactly so many nodes and all are ready, in the API and in the control plane.
func (r *rig) nodesReady(cluster, count int) []linodego.LKENodePoolLinode {
	r.t.Helper()
	var nodes []linodego.LKENodePoolLinode
	require.Eventually(r.t, func() bool {
		nodes = nil
		pools, err := r.ListLKENodePools(r.t.Context(), cluster, nil)
		require.NoError(r.t, err)
		for _, pool := range pools {
			nodes = append(nodes, pool.Linodes...)
		}
		for _, node := range nodes {
			if node.Status != linodego.LKELinodeReady {
				return false
			}
		}
		return len(nodes) == count && len(r.planes.synced(cluster)) == count
	}, soon, instant)
	return nodes
}

// replaced waits until nodes of a cluster with three have made way for others.
func (r *rig) replaced(cluster int, old []linodego.LKENodePoolLinode) (nodes []linodego.LKENodePoolLinode) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		nodes = r.nodesReady(cluster, 3)
		return !slices.ContainsFunc(old, func(n linodego.LKENodePoolLinode) bool { return slices.Contains(nodes, n) })
	}, soon, instant)
	return nodes
}

// request speaks plain HTTP, for what no client sends or shows.
func (r *rig) request(method, path, body string) (status int, answer string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	content, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, response.Body.Close())
	require.Equal(r.t, "application/json", response.Header.Get("Content-Type"))
	return response.StatusCode, string(content)
}

// safeBuffer takes the log of several goroutines.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
