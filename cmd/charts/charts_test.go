package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// sum is the digest of a text, as a repository lists it.
func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// upstream serves one chart from a repository and one from a registry.
type upstream struct {
	*httptest.Server
	asked sync.Map // how often for what, by path
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	const layer, config = "packed webhook", "{}"
	manifest := fmt.Sprintf(`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "sha256:%s", "size": %d},
		"layers": [{"mediaType": %q, "digest": "sha256:%s", "size": %d}]}`, sum(config), len(config), chartLayer, sum(layer), len(layer))
	u := &upstream{}
	u.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		times, _ := u.asked.LoadOrStore(r.URL.Path, &atomic.Int32{})
		times.(*atomic.Int32).Add(1)
		answer, found := map[string]string{
			"/charts/index.yaml":                           "entries: {traefik: [{version: v2.0.0}, {version: v1.0.0, urls: [files/traefik.tgz]}]}",
			"/charts/files/traefik.tgz":                    "packed traefik",
			"/own/index.yaml":                              "entries: {traefik: [{version: 2.0.0, urls: [own.tgz]}]}",
			"/own/own.tgz":                                 "packed own",
			"/v2/group/webhook/manifests/v0.1.0":           manifest,
			"/v2/group/webhook/blobs/sha256:" + sum(layer): layer,
		}[r.URL.Path]
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/") && r.Header.Get("Authorization") == "": // as ghcr.io does, for everybody
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="x",scope="x"`, u.URL))
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token": "for everybody"}`)
		case !found:
			http.NotFound(w, r)
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", "sha256:"+sum(answer))
			fallthrough
		default:
			fmt.Fprint(w, answer)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// list enters an empty repository whose list pins both charts.
func (u *upstream) list(t *testing.T, traefik, webhook string) *fetcher {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll(filepath.Dir(list), 0o700))
	const chart = "\t_ = Chart{%q, %q, %q,\n\t\t%q}\n"
	text := fmt.Sprintf(chart, "traefik", u.URL+"/charts/", "1.0.0", traefik) +
		fmt.Sprintf(chart, "oci://"+strings.TrimPrefix(u.URL, "https://")+"/group/webhook", "", "v0.1.0", webhook)
	require.NoError(t, os.WriteFile(list, []byte(text), 0o600))
	return &fetcher{client: u.Client()}
}

func TestChartsAreDownloadedOnce(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, sum("packed traefik"), sum("packed webhook"))
	before := read(t, list)
	require.NoError(t, f.run(t.Context()))
	require.Equal(t, "packed traefik", read(t, ".charts/traefik-1.0.0.tgz"))
	require.Equal(t, "packed webhook", read(t, ".charts/webhook-v0.1.0.tgz"))
	require.Equal(t, before, read(t, list))
	u.Close()
	require.NoError(t, f.run(t.Context()), "all is at hand, so that nobody is asked")
}

// The first download is trusted, in a file that is reviewed; a workflow trusts nothing.
func TestADigestIsRecordedAtTheFirstDownload(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, "", "")
	f.frozen = true
	before := read(t, list)
	err := f.run(t.Context())
	require.ErrorContains(t, err, "traefik 1.0.0: "+list+" pins no digest, .charts/traefik-1.0.0.tgz has sha256 "+sum("packed traefik"))
	require.Equal(t, before, read(t, list))
	f.frozen = false
	require.NoError(t, f.run(t.Context()))
	recorded := read(t, list)
	u.list(t, sum("packed traefik"), sum("packed webhook"))
	require.Equal(t, read(t, list), recorded)
}

func TestAnotherChartThanTheReviewedOneIsRefused(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, sum("reviewed"), sum("packed webhook"))
	const told = "traefik 1.0.0: %s has sha256 %s, and components/charts/charts.go pins %s"
	require.ErrorContains(t, f.run(t.Context()),
		fmt.Sprintf(told, u.URL+"/charts/files/traefik.tgz", sum("packed traefik"), sum("reviewed")))
	require.NoFileExists(t, ".charts/traefik-1.0.0.tgz")
	require.FileExists(t, ".charts/webhook-v0.1.0.tgz", "the others are fetched all the same")

	require.NoError(t, os.WriteFile(".charts/traefik-1.0.0.tgz", []byte("by hand"), 0o600))
	require.ErrorContains(t, f.run(t.Context()), fmt.Sprintf(told, ".charts/traefik-1.0.0.tgz", sum("by hand"), sum("reviewed")))
	require.Equal(t, "by hand", read(t, ".charts/traefik-1.0.0.tgz"))
}

// A stack's own charts are fetched too. Their digest is for whoever writes the stack file.
func TestAStackHasChartsOfItsOwn(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, sum("packed traefik"), sum("packed webhook"))
	const stack = `config:
  lke-platform:charts:
    - {name: own, chart: traefik, repository: %q, version: 2.0.0, sha256: %q}
`
	write := func(digest string) {
		require.NoError(t, os.WriteFile("Pulumi.prod.yaml", []byte(fmt.Sprintf(stack, u.URL+"/own", digest)), 0o600))
	}
	write("")
	require.ErrorContains(t, f.run(t.Context()),
		"traefik 2.0.0: write its digest into Pulumi.prod.yaml: sha256: "+sum("packed own"))
	write(sum("another"))
	require.ErrorContains(t, f.run(t.Context()), "and Pulumi.prod.yaml pins "+sum("another"))
	write(sum("packed own"))
	require.NoError(t, f.run(t.Context()))
	require.Equal(t, "packed own", read(t, ".charts/traefik-2.0.0.tgz"))
}

// All stacks may have one chart: it is one archive, which nobody writes while another moves it into its place.
func TestStacksShareAnArchive(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, sum("packed traefik"), sum("packed webhook"))
	const stack = `config:
  lke-platform:charts:
    - {name: own, chart: traefik, repository: %q, version: 2.0.0, sha256: %q}
`
	for name, digest := range map[string]string{"prod": sum("packed own"), "staging": sum("packed own"), "test": sum("another")} {
		text := fmt.Sprintf(stack, u.URL+"/own", digest)
		require.NoError(t, os.WriteFile("Pulumi."+name+".yaml", []byte(text), 0o600))
	}
	err := f.run(t.Context())
	require.ErrorContains(t, err, "and Pulumi.test.yaml pins "+sum("another"), "each digest counts")
	require.NotContains(t, err.Error(), "prod")
	require.NotContains(t, err.Error(), "staging")
	times, _ := u.asked.Load("/own/own.tgz")
	require.EqualValues(t, 1, times.(*atomic.Int32).Load())
}

func TestWhatCannotBeHadIsNamed(t *testing.T) {
	u := newUpstream(t)
	f := u.list(t, "", "")
	require.NoError(t, os.WriteFile(list, []byte(strings.ReplaceAll(read(t, list), `"1.0.0"`, `"3.0.0"`)), 0o600))
	require.ErrorContains(t, f.run(t.Context()), "traefik 3.0.0: "+u.URL+"/charts/index.yaml has no such chart")
	u.Close()
	require.NoError(t, os.RemoveAll(".charts"))
	err := f.run(t.Context())
	require.ErrorContains(t, err, "traefik 3.0.0")
	require.ErrorContains(t, err, "webhook v0.1.0")
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}
