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
	"strings"
	"sync"
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
"patch certificates"*) echo 2 >revision ;;
"get certificates"*)
	echo '{"items": [{"metadata": {"namespace": "site", "name": "zone"}, "status": {"revision": '$(cat revision || echo 1)',
		"conditions": [{"type": "Ready", "status": "True"}, {"type": "Issuing", "status": "'$([ -e refused ] && echo False)'"}]}}]}' ;;
"get cronjobs"*) echo '{"items": [{"metadata": {"namespace": "site", "name": "certsync"}}]}' ;;
"create job"*|wait*|"delete --ignore"*) echo "$*" >>copied ;;
annotate*|patch*|set*|delete*) echo "$1 $2 $3 $4 $5" >>done ;;
"get pods"*)
	echo '{"items": [{"metadata": {"namespace": "site", "name": "site-1"}, "spec": {"nodeName": "one"},
		"status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}' ;;
"get deployments"*)
	ready=2; [ -e lacks ] && ready=1
	echo '{"items": [{"kind": "Deployment", "metadata": {"namespace": "site", "name": "site"}, "spec": {"replicas": 2},
		"status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": '$ready'}},
		{"kind": "DaemonSet", "metadata": {"namespace": "ingress", "name": "traefik"},
			"status": {"desiredNumberScheduled": 2, "numberReady": '$([ -e unplaced ] && echo 0 || echo 2)'}},
		{"kind": "Deployment", "metadata": {"namespace": "kube-system", "name": "coredns"}, "spec": {"replicas": 2}, "status": {}}]}' ;;
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
	const nowhere = "patch --namespace ingress daemonset/traefik --type\n"
	requireFile(t, nowhere+nowhere, "done")
}

// cli is a Pulumi CLI that keeps what the stack file says at each `up`; the first one lasts as long as a file is there.
const cli = `#!/bin/sh
case $* in
version) echo v3.259.0 ;;
*"stack output"*) echo '{}' ;;
*"stack history"*) echo '[]' ;;
*"config set"*) echo "rotated: $*" >>Pulumi.staging.yaml ;;
*" up "*)
	cat Pulumi.staging.yaml >>ups; echo "$*" >>asked
	trap 'rm lasting; exit 1' INT
	while [ -e lasting ]; do sleep 0.1; done ;;
esac
`

const stackFile = `config:
    lke-platform:cluster:
        kubernetesVersion: "1.35"
        nodePools:
            - name: app
              type: g6-standard-4
    lke-platform:cdn: {account: {plan: paid}}
    lke-platform:app: {secrets: {KEY: site-key}}
`

// withStack gives a sandbox a stack file.
func withStack(t *testing.T) *platform {
	t.Helper()
	p := sandbox(t)
	dir, err := os.Getwd()
	require.NoError(t, err)
	for name, content := range map[string]string{
		"pulumi": cli, "Pulumi.yaml": "name: lke-platform\nruntime: go\n", "Pulumi.staging.yaml": stackFile,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700))
	}
	t.Setenv("REHEARSAL_STACK_FILE", filepath.Join(dir, "Pulumi.staging.yaml"))
	require.NoError(t, p.find(t.Context()))
	return p
}

func requireFile(t *testing.T, want, name string) {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, want, string(content))
}

func TestPlannedWorkIsAChangeOfTheStackFileThatIsTakenBack(t *testing.T) {
	p := withStack(t)
	_, err := p.suffer(t.Context(), "pool-replaced")
	require.NoError(t, err)
	requireFile(t, stackFile, p.stackFile)
	ups, err := os.ReadFile("ups")
	require.NoError(t, err)
	changed, back, found := strings.Cut(string(ups), "g6-standard-6\n")
	require.True(t, found)
	require.Contains(t, changed, "type: ")
	require.Contains(t, back, stackFile, "and brought up")
}

func TestPlannedWorkThatIsBrokenOffIsTakenBack(t *testing.T) {
	p := withStack(t)
	require.NoError(t, os.WriteFile("lasting", nil, 0o600))
	ctx, breakOff := context.WithTimeout(t.Context(), 2*time.Second)
	defer breakOff()
	_, err := p.suffer(ctx, "pool-replaced")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoFileExists(t, "lasting", "the engine was interrupted, and not killed")
	requireFile(t, stackFile, p.stackFile)
	asked, err := os.ReadFile("asked")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(asked), " up "), "the second takes back what the first had done")
}

func TestAnUpgradeStays(t *testing.T) {
	p := withStack(t)
	_, err := p.suffer(t.Context(), "kubernetes-upgraded")
	require.NoError(t, err)
	requireFile(t, strings.Replace(stackFile, "1.35", "1.36", 1), p.stackFile)
	names, err := chosen("all")
	require.NoError(t, err)
	require.NotContains(t, names, "kubernetes-upgraded")
}

func TestASecretThatIsRotatedGetsItsValueBack(t *testing.T) {
	p := withStack(t)
	_, err := p.suffer(t.Context(), "secret-rotated")
	require.NoError(t, err)
	requireFile(t, stackFile, p.stackFile)
	ups, err := os.ReadFile("ups")
	require.NoError(t, err)
	require.Contains(t, string(ups), "lke-platform:secret-site-key")
}

// What restarts while a tag leads to a broken version gets it, until another is pushed.
func TestABrokenTagIsPushedOver(t *testing.T) {
	p := sandbox(t)
	require.NoError(t, p.find(t.Context()))
	p.lasts = time.Second
	_, err := p.suffer(t.Context(), "broken-tag")
	require.NoError(t, err)
	const leadsTo, rollout = "annotate --overwrite namespace site lke-platform.rehearsal/tag-leads-to", "patch --namespace site deployment/site --type\n"
	requireFile(t, leadsTo+"=bad\n"+rollout+"delete pod --namespace site site-1\n"+leadsTo+"-\n"+rollout, "done")
}

// It is `up` that makes it anew.
func TestATornPolicyIsMadeAnew(t *testing.T) {
	p := withStack(t)
	_, err := p.suffer(t.Context(), "policy-torn")
	require.NoError(t, err)
	requireFile(t, "delete networkpolicy --namespace site web\n", "done")
	asked, err := os.ReadFile("asked")
	require.NoError(t, err)
	require.Contains(t, string(asked), "--refresh")
}

// Fastly is asked nothing on the way past it, and everything on the way back.
func TestVisitorsAreLedPastFastlyAndBack(t *testing.T) {
	p := withStack(t)
	asked := p.services(t, "REHEARSAL_EDGE", "FASTLY_API_URL")
	p.lasts = 2 * time.Second
	_, err := p.suffer(t.Context(), "fastly-down")
	require.NoError(t, err)
	require.Equal(t, []string{
		"POST REHEARSAL_EDGE", "POST FASTLY_API_URL", "DELETE REHEARSAL_EDGE", "DELETE FASTLY_API_URL",
	}, asked())
	requireFile(t, stackFile, p.stackFile)
	ups, err := os.ReadFile("ups")
	require.NoError(t, err)
	require.Contains(t, string(ups), "lke-platform:cdn: {account: {plan: paid}, bypass: true}")
	content, err := os.ReadFile("asked")
	require.NoError(t, err)
	there, back, _ := strings.Cut(string(content), "\n")
	require.Contains(t, there, "--exclude=**fastly:index/**")
	require.NotContains(t, there, "--refresh")
	require.NotContains(t, back, "--exclude")
}

// services serves what faults can be told of, and returns what was asked so far.
func (p *platform) services(t *testing.T, variables ...string) (asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	for _, variable := range variables {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, r.Method+" "+strings.Replace(r.URL.Path, "/_simulation/faults", variable, 1))
		}))
		t.Cleanup(server.Close)
		t.Setenv(variable, server.URL)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

func TestAServiceThatFailsIsWellAgainAlsoWhereThatIsBrokenOff(t *testing.T) {
	p := sandbox(t)
	asked := p.services(t, "OBJECT_STORAGE_URL")
	ctx, breakOff := context.WithTimeout(t.Context(), 2*time.Second)
	defer breakOff()
	_, err := p.suffer(ctx, "bucket-down")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, []string{"POST OBJECT_STORAGE_URL", "DELETE OBJECT_STORAGE_URL"}, asked())
}

func TestCertificatesAreRenewedAndCopied(t *testing.T) {
	p := sandbox(t)
	got, err := p.suffer(t.Context(), "certificate-renewed")
	require.NoError(t, err)
	require.Empty(t, got.Lacked)
	requireFile(t, "2\n", "revision")
	copied, err := os.ReadFile("copied")
	require.NoError(t, err)
	require.Regexp(t, "^create job certsync-now .*\nwait .* job/certsync-now\ndelete .* job/certsync-now\n$", string(copied))
}

// A certificate that cannot be had anew is something that is missing, and so is an API server that does not answer.
func TestWhatElseIsMissing(t *testing.T) {
	p := sandbox(t)
	require.NoError(t, os.WriteFile("refused", nil, 0o600))
	lacks, err := p.lacks(t.Context())
	require.NoError(t, err)
	require.Equal(t, "certificate site/zone", lacks)
	require.NoError(t, os.Remove("refused"))
	require.NoError(t, os.WriteFile("unplaced", nil, 0o600))
	lacks, err = p.lacks(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ingress/traefik", lacks)
	require.NoError(t, os.WriteFile("kubectl", []byte("#!/bin/sh\nexit 1\n"), 0o700))
	lacks, err = p.lacks(t.Context())
	require.NoError(t, err)
	require.Equal(t, "the API server", lacks)
}

func TestWhatAStackFileHasNoPlaceForIsSaid(t *testing.T) {
	p := withStack(t)
	begin := planned(edited(always("x"), "lke-platform:cluster", "nodePools", "1", "type"))
	require.EqualError(t, begin(p, t.Context()), "Pulumi.staging.yaml has no place for lke-platform:cluster.nodePools.1.type")
	require.NoFileExists(t, "ups")
	requireFile(t, stackFile, p.stackFile)
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
	require.Len(t, names, len(incidents)-1, "one stays")
	_, err = chosen("flood")
	require.ErrorContains(t, err, `there is no incident "flood"; there are all, api-down, app-pod-lost`)
}
