package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/internet"
	"lke-platform/tests/rehearsal/visitors"
)

// cluster answers as kubectl does: of a Deployment that lacks a pod from a rollout on, for as long as a file says so.
const cluster = `#!/bin/sh
case $* in
"get nodes"*) echo '{"items": [{"metadata": {"name": "one"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}' ;;
"rollout restart"*) touch lacks; (sleep 1; rm lacks) >/dev/null 2>&1 & ;;
scale*) echo "$*" >>scaled ;;
"get deployments"*)
	ready=2; [ -e lacks ] && ready=1
	echo '{"items": [{"metadata": {"namespace": "site", "name": "site"}, "spec": {"replicas": 2},
		"status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": '$ready'}},
		{"metadata": {"namespace": "kube-system", "name": "coredns"}, "spec": {"replicas": 2}, "status": {}}]}' ;;
esac
`

// sandbox is one whose app answers with errors while a pod is missing.
func sandbox(t *testing.T) *platform {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kubectl"), []byte(cluster), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(dir, "lacks")); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(site.Close)
	var dialer net.Dialer
	proxy, err := internet.New(internet.Options{
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, site.Listener.Addr().String())
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = proxy.Close() })
	return &platform{
		every: 20 * time.Millisecond, calm: 300 * time.Millisecond, patience: 20 * time.Second,
		visitors: visitors.Options{
			Host: "example.com", Proxy: &url.URL{Scheme: "http", Host: proxy.Address()}, Rate: 20, Sorts: []visitors.Sort{visitors.Known},
		},
	}
}

func TestAnIncidentIsMeasuredFromItsBeginToFullStrength(t *testing.T) {
	p := sandbox(t)
	require.NoError(t, p.find(t.Context()))
	require.Equal(t, "site", p.app)
	got, err := p.suffer(t.Context(), "rollout")
	require.NoError(t, err)
	require.Equal(t, "site/site", got.Lacked)
	require.Less(t, got.Detected, got.Strong)
	require.GreaterOrEqual(t, got.Strong, 0.5)
	require.Positive(t, got.Failed)
	require.Greater(t, got.Requests, got.Failed, "those before and after were answered")
	require.Positive(t, got.Gap)
}

// Whoever breaks an incident off gets the sandbox back as it was.
func TestAnIncidentThatIsBrokenOffEndsItsTrouble(t *testing.T) {
	p := sandbox(t)
	ctx, breakOff := context.WithTimeout(t.Context(), 2*time.Second)
	defer breakOff()
	_, err := p.suffer(ctx, "origin-down")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	scaled, err := os.ReadFile("scaled")
	require.NoError(t, err)
	const traefik = "scale --namespace ingress deployment/traefik --replicas "
	require.Equal(t, traefik+"0\n"+traefik+"2\n", string(scaled))
}

func TestASandboxThatIsNotWellIsLeftAlone(t *testing.T) {
	p := sandbox(t)
	p.patience = 100 * time.Millisecond
	require.NoError(t, os.WriteFile("lacks", nil, 0o600))
	_, err := p.suffer(t.Context(), "rollout")
	require.EqualError(t, err, "the sandbox is not well to begin with: for 100ms it has lacked site/site")
}

func TestWhatHappenedOftenIsToldByItsMedianAndItsWorst(t *testing.T) {
	t.Parallel()
	var printed bytes.Buffer
	require.NoError(t, write(&printed, []*outcome{
		{Name: "node-lost", Requests: 100, Failed: 3, Gap: 1.5, Detected: 40, Strong: 80},
		{Name: "node-lost", Requests: 100, Failed: 9, Gap: 2.5, Detected: 40, Strong: 95},
		{Name: "node-lost", Requests: 100, Failed: 1, Gap: 0.5, Detected: 40, Strong: 85},
		{Name: "rollout", Requests: 200},
	}))
	require.Equal(t, `INCIDENT   RUNS  REQUESTS  FAILED  LONGEST GAP   KNOWN AFTER  FULL STRENGTH AFTER
node-lost  3     300       3, 9    1.5 s, 2.5 s  40.0 s       85.0 s, 95.0 s
rollout    1     200       –       –             –            –
`, printed.String())
}

func TestOnlyIncidentsThatThereAreHappen(t *testing.T) {
	t.Parallel()
	names, err := chosen("node-lost,rollout")
	require.NoError(t, err)
	require.Equal(t, []string{"node-lost", "rollout"}, names)
	names, err = chosen("all")
	require.NoError(t, err)
	require.Len(t, names, len(incidents))
	_, err = chosen("flood")
	require.ErrorContains(t, err, `there is no incident "flood"; there are all, app-pod-lost`)
}
