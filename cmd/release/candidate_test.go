package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withCandidate has the site of the stack try versions, said in braces or not.
func withCandidate(t *testing.T, described string) (before string) {
	t.Helper()
	before = strings.Replace(read(t, "Pulumi.prod.yaml"), "    name: site\n", "    name: site\n"+described, 1)
	require.NoError(t, os.WriteFile("Pulumi.prod.yaml", []byte(before), 0o600))
	require.NoError(t, exec.Command("git", "commit", "--quiet", "-am", "Try versions").Run())
	return before
}

// visited is a way to a site, which answers as it is told.
func visited(t *testing.T, answer http.HandlerFunc) http.RoundTripper {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport)
	transport.TLSClientConfig.ServerName = "example.com" // whom httptest's certificate is for
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return transport
}

// tryCandidate releases version two past its trial.
func tryCandidate(t *testing.T, visitor http.RoundTripper) (printed string, err error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	r := &release{
		stack: "prod", image: versionTwo, out: out, objective: 1, watched: 20 * time.Millisecond, every: 10 * time.Millisecond,
		begin: time.Now(), visitor: visitor, pause: time.Millisecond, trialTime: 300 * time.Millisecond,
	}
	err = r.run(t.Context())
	return read(t, out.Name()), err
}

// notes keeps the stack file as each up finds it.
const notes = "n=$(ls up.* 2>/dev/null | wc -l); cp Pulumi.prod.yaml up.$n"

func TestAVersionIsTriedBeforeVisitorsGetIt(t *testing.T) {
	for name, test := range map[string]struct{ described, tried string }{
		"in braces": {"    candidate: {host: next.example.com}\n", "    candidate: {image: " + versionTwo + ", host: next.example.com}\n"},
		"in lines": {"    candidate:\n      # Nobody's.\n      host: next.example.com\n",
			"    candidate:\n      # Nobody's.\n      image: " + versionTwo + "\n      host: next.example.com\n"},
	} {
		t.Run(name, func(t *testing.T) {
			platform(t, notes, "echo 0")
			before := withCandidate(t, test.described)
			asked := 0
			printed, err := tryCandidate(t, visited(t, func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked < 3 { // the ingress controller has not heard of it yet
					w.WriteHeader(http.StatusNotFound)
				}
				require.Equal(t, "next.example.com/health", r.Host+r.URL.Path)
			}))
			require.NoError(t, err)
			require.Equal(t, 2+trials, asked)
			require.Equal(t, strings.Replace(before, test.described, test.tried, 1), read(t, "up.0"), "visitors have version one")
			require.Equal(t, strings.Replace(before, versionOne, versionTwo, 1), read(t, "up.1"))
			require.Equal(t, read(t, "up.1"), read(t, "Pulumi.prod.yaml"))
			require.Equal(t, []string{"Try versions", "Release " + versionTwo + " to prod"}, commits(t))
			require.Contains(t, printed, "https://next.example.com/health answered 5 times in a row: 200 OK")
		})
	}
}

// What is not well, or leads to what is, no visitor gets: the file is as it was, and nobody commits anything.
func TestAVersionThatIsNotWellIsTakenAway(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		pulumi string
		fault  string
	}{
		"errors": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "", "last: 502 Bad Gateway"},
		"now and then": {func(w http.ResponseWriter, _ *http.Request) {
			if time.Now().UnixNano()%3 == 0 {
				w.WriteHeader(http.StatusBadGateway)
			}
			panic(http.ErrAbortHandler)
		}, "", "was not well 5 times in a row"},
		"leads away": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/health", http.StatusFound)
		}, "", "last: 302 Found"},
		"never starts": {func(http.ResponseWriter, *http.Request) {},
			"; if grep -q 'candidate: {image' Pulumi.prod.yaml; then printf 'Diagnostics:\\n  the pod failed\\n'; exit 1; fi", "the pod failed"},
	} {
		t.Run(name, func(t *testing.T) {
			platform(t, notes+test.pulumi, "echo 0")
			before := withCandidate(t, "    candidate: {host: next.example.com}\n")
			printed, err := tryCandidate(t, visited(t, test.answer))
			require.ErrorContains(t, err, "no visitor got it")
			require.ErrorContains(t, err, test.fault)
			require.Equal(t, before, read(t, "Pulumi.prod.yaml"))
			require.Equal(t, before, read(t, "up.1"), "it is taken away")
			require.Equal(t, []string{"Try versions"}, commits(t))
			require.Contains(t, printed, "visitors keep "+versionOne)
		})
	}
}

// An app beside the first is released by its name, and nothing of the others changes.
func TestAnAppIsReleasedByItsName(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	_, other := withOrigin(t)
	text := read(t, "Pulumi.prod.yaml") + "  lke-platform:apps:\n    - name: shop\n      image: " + versionOne + "\n"
	require.NoError(t, os.WriteFile("Pulumi.prod.yaml", []byte(text), 0o600))
	git(t, ".", "commit", "--quiet", "-am", "Add a shop")
	git(t, ".", "push", "--quiet")
	r := &release{stack: "prod", app: "shop", image: versionTwo, out: os.Stdout, begin: time.Now(), push: true}
	require.NoError(t, r.run(t.Context()))
	require.Equal(t, strings.Replace(text, "shop\n      image: "+versionOne, "shop\n      image: "+versionTwo, 1), read(t, "Pulumi.prod.yaml"))
	require.Equal(t, "Release "+versionTwo+" to prod/shop", commits(t)[1])

	for _, unknown := range []string{"blog", "web"} {
		_, err := readStackFile("prod", unknown)
		require.ErrorContains(t, err, "has no image of that app", unknown)
	}
	first, err := readStackFile("prod", "site")
	require.NoError(t, err, "the first has a name too")
	require.Equal(t, versionOne, first.image)

	git(t, other, "pull", "--quiet")
	git(t, other, "commit", "--quiet", "--allow-empty", "-m", fmt.Sprintf("Release %s to prod/shop", versionOne))
	git(t, other, "push", "--quiet")
	require.NoError(t, (&release{stack: "prod", out: os.Stdout}).keep(t.Context()))
	require.Equal(t, text, read(t, "Pulumi.prod.yaml"), "what was released since stays")
}
