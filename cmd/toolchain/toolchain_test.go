package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// goStandIn pins a version, and builds as `go build` does: it does not overwrite what is no program of Go's.
const goStandIn = `#!/bin/sh
case $1 in
list) echo v2.9.9 ;;
build)
	while [ "$1" != -o ]; do shift; done
	[ ! -e "$2" ] && printf '#!/bin/sh\necho built\n' >"$2" && chmod +x "$2" ;;
esac
`

// machine has a repository, Go, and a network in which one server answers for everybody.
type machine struct {
	*toolchain
	programs string // a folder on PATH
	said     *bytes.Buffer
	asked    atomic.Int32
}

func newMachine(t *testing.T, answer http.HandlerFunc) *machine {
	t.Helper()
	m := &machine{programs: t.TempDir(), said: &bytes.Buffer{}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	m.toolchain = &toolchain{
		root: t.TempDir(), system: "linux", processor: "amd64", out: m.said, pace: time.Hour, client: newClient(),
	}
	m.transport().TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	m.transport().DialContext = func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", server.Listener.Addr().String())
	}
	t.Cleanup(m.client.CloseIdleConnections)
	for _, p := range programs {
		require.NoError(t, os.MkdirAll(filepath.Join(m.root, "tools", p.module), 0o700))
	}
	m.pin(t, "")
	require.NoError(t, os.WriteFile(filepath.Join(m.programs, "go"), []byte(goStandIn), 0o700))
	t.Setenv("PATH", m.programs+":/usr/bin:/bin")
	return m
}

func (m *machine) transport() *http.Transport { return m.client.Transport.(*http.Transport) }

// pin has digests recorded.
func (m *machine) pin(t *testing.T, lines ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(m.root, sums), []byte(strings.Join(lines, "\n")), 0o600))
}

// line records what is at an address.
func line(content, address string) string { return sum(content) + "  " + address }

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// get installs a program and returns what was said.
func (m *machine) get(t *testing.T, name string) string {
	t.Helper()
	m.said.Reset()
	require.NoError(t, m.install(t.Context(), name))
	return m.said.String()
}

// run returns what a program in .bin answers.
func (m *machine) run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	printed, err := exec.CommandContext(t.Context(), m.bin(name), arguments...).Output()
	require.NoError(t, err)
	return string(printed)
}

// script is a program that answers with a text.
func script(answer string) string { return "#!/bin/sh\necho " + answer + " \"$@\"\n" }

func tarred(t *testing.T, name, content string) string {
	t.Helper()
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressed)
	for _, file := range []string{"README.md", name} {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: file, Size: int64(len(content)), Mode: 0o600}))
		_, err := archive.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, errors.Join(archive.Close(), compressed.Close()))
	return packed.String()
}

func zipped(t *testing.T, name, content string) string {
	t.Helper()
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	file, err := archive.Create(name)
	require.NoError(t, err)
	_, err = file.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return packed.String()
}

func serve(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) }
}

// A plugin is there whole, in a folder of the version that the engine looks for, or not at all: then a stand-in plays it.
func TestPluginsAreTheOfficialOnesOrNone(t *testing.T) {
	const releases = "https://github.com/pulumi/pulumi-%s/releases/download/v2.9.9/pulumi-resource-%s-v2.9.9-linux-amd64.tar.gz"
	linode := tarred(t, "pulumi-resource-linode", "the plugin")
	m := newMachine(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "pulumi-linode") {
			fmt.Fprint(w, linode)
			return
		}
		fmt.Fprint(w, "something else")
	})
	m.pin(t, line(linode, fmt.Sprintf(releases, "linode", "linode")), line("as reviewed", fmt.Sprintf(releases, "fastly", "fastly")))
	require.NoError(t, m.installPlugins(t.Context()))
	plugin, err := os.ReadFile(m.bin("plugins/resource-linode-v2.9.9/pulumi-resource-linode"))
	require.NoError(t, err)
	require.Equal(t, "the plugin", string(plugin))
	require.Contains(t, m.said.String(), "tool-chain: pulumi-resource-linode v2.9.9 is the official release\n")
	require.Regexp(t, "pulumi-resource-fastly v2.9.9 is played in rehearsals: .* has sha256 ", m.said.String())
	require.Contains(t, m.said.String(), "pulumi-resource-kubernetes v2.9.9 is played in rehearsals: tools/releases.sum has no digest of its release")
	folders, err := filepath.Glob(m.bin("plugins/*"))
	require.NoError(t, err)
	require.Equal(t, []string{m.bin("plugins/resource-linode-v2.9.9")}, folders)

	m.said.Reset()
	m.offline = true
	require.NoError(t, m.installPlugins(t.Context()))
	require.NotContains(t, m.said.String(), "linode", "it is there")
	require.Contains(t, m.said.String(), "pulumi-resource-fastly v2.9.9 is played in rehearsals: OFFLINE is set")
}

func TestAProgramOnPathIsTakenOnlyWhereItsVersionSuits(t *testing.T) {
	m := newMachine(t, http.NotFound)
	onPath := filepath.Join(m.programs, "golangci-lint")
	setVersion := func(version string) {
		require.NoError(t, os.WriteFile(onPath, []byte(script(version)), 0o700))
	}
	const built = "tool-chain: golangci-lint v2.9.9 is built from its module, which is done once: "

	setVersion("2.9.9")
	require.Equal(t, "tool-chain: golangci-lint v2.9.9 is "+onPath+"\n", m.get(t, "golangci-lint"))
	require.Equal(t, "2.9.9 a b\n", m.run(t, "golangci-lint", "a", "b"))
	require.Empty(t, m.get(t, "golangci-lint"), "nothing has changed")

	setVersion("2.10.0")
	require.Contains(t, m.get(t, "golangci-lint"), built)
	require.Equal(t, "built\n", m.run(t, "golangci-lint"))

	setVersion("2.9.9")
	m.get(t, "golangci-lint")
	require.NoError(t, os.Remove(onPath))
	require.Contains(t, m.get(t, "golangci-lint"), built, "it is gone from the machine")
}

// Whoever has .bin on PATH does not get a program there that calls itself.
func TestAProgramInBinIsNotTakenForOneOfTheMachine(t *testing.T) {
	m := newMachine(t, http.NotFound)
	elsewhere := t.TempDir()
	require.NoError(t, os.Symlink(m.bin(""), filepath.Join(elsewhere, "bin")))
	t.Setenv("PATH", filepath.Join(elsewhere, "bin")+":"+os.Getenv("PATH"))
	m.get(t, "golangci-lint")
	require.NoError(t, os.WriteFile(m.bin("golangci-lint"), []byte(script("2.9.9")), 0o700))
	require.Contains(t, m.get(t, "golangci-lint"), "is built from its module")
}

func TestAnOfficialReleaseIsTakenAsItIsRecorded(t *testing.T) {
	const etcd = "https://github.com/etcd-io/etcd/releases/download/v2.9.9/etcd-v2.9.9-"
	for name, test := range map[string]struct{ program, system, address, content string }{
		"a program": {"kubectl", "linux", "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl", script("v2.9.9")},
		"in a tar":  {"etcd", "linux", etcd + "linux-amd64.tar.gz", tarred(t, "etcd-v2.9.9-linux-amd64/etcd", script("Version: 2.9.9"))},
		"in a zip":  {"etcd", "darwin", etcd + "darwin-amd64.zip", zipped(t, "etcd-v2.9.9-darwin-amd64/etcd", script("Version: 2.9.9"))},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, test.address, "https://"+r.Host+r.URL.Path)
				fmt.Fprint(w, test.content)
			})
			m.system = test.system
			m.pin(t, "# with a comment", "", line(test.content, test.address))
			require.Equal(t, "tool-chain: "+test.program+" v2.9.9 is the official release\n", m.get(t, test.program))
			require.Contains(t, m.run(t, test.program), "2.9.9")
			require.Equal(t, []string{test.program}, m.inBin(t))
		})
	}
}

// inBin lists what is in .bin, hidden or not.
func (m *machine) inBin(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(m.bin(""))
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Whatever comes of asking for a release, the program is there in the end, and one line says why it took so long.
func TestWhatIsNotTheReleaseIsNotTaken(t *testing.T) {
	const address = "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl"
	good := script("v2.9.9")
	for name, test := range map[string]struct {
		answer         http.HandlerFunc
		record, reason string
	}{
		"not recorded":          {serve(good), "", "tools/releases.sum has no digest of its release (make releases records it)"},
		"recorded of another":   {serve(good), line(good, strings.ReplaceAll(address, "2.9.9", "2.9.8")), "has no digest of its release"},
		"corrupted":             {serve("corrupted"), line(good, address), address + " has sha256 " + sum("corrupted") + ", and tools/releases.sum has " + sum(good)},
		"absent":                {http.NotFound, line(good, address), address + " answers 404 Not Found"},
		"of another version":    {serve(script("v2.8.0")), line(script("v2.8.0"), address), `does not suit: kubectl version --client answers "v2.8.0 version --client"`},
		"of another machine":    {serve("\x7fELF"), line("\x7fELF", address), "does not suit: kubectl version --client fails"},
		"somewhere else":        {http.RedirectHandler("http://example.com/", http.StatusFound).ServeHTTP, line(good, address), address + " leads astray, to http://example.com/"},
		"from where to nowhere": {http.RedirectHandler(address, http.StatusFound).ServeHTTP, line(good, address), address + " leads astray, to " + address},
		"half of it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, good)
		}, line(good, address), address + " ends early: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, test.answer)
			m.pin(t, test.record)
			said := m.get(t, "kubectl")
			require.Contains(t, said, "tool-chain: kubectl v2.9.9 is built from its module, which is done once: ")
			require.Contains(t, said, test.reason)
			require.Equal(t, 1, strings.Count(said, "\n"), said)
			require.Equal(t, "built\n", m.run(t, "kubectl"))
			require.Contains(t, m.inBin(t), "kubectl")
			require.NotContains(t, strings.Join(m.inBin(t), " "), ".kubectl-", "nothing is left of it")
		})
	}
}

func TestAReleaseInAnArchiveWithoutItIsNotTaken(t *testing.T) {
	const address = "https://github.com/rhysd/actionlint/releases/download/v2.9.9/actionlint_2.9.9_linux_amd64.tar.gz"
	for _, content := range []string{tarred(t, "another", script("2.9.9")), "no archive"} {
		m := newMachine(t, serve(content))
		m.pin(t, line(content, address))
		require.Contains(t, m.get(t, "actionlint"), "is built from its module, which is done once: unpacking "+address)
	}
}

// Each program would wait anew for a host that is out of reach, or hardly within.
func TestAHostThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	half := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		worsen func(*machine)
		reason string
	}{
		"unreachable": {http.NotFound, func(m *machine) {
			m.transport().DialContext = func(context.Context, string, string) (net.Conn, error) {
				m.asked.Add(1)
				return nil, errors.New("no such host")
			}
		}, "dl.k8s.io does not answer: no such host"},
		"slow": {half, func(m *machine) { m.pace, m.least = time.Millisecond, 5 },
			`dl.k8s.io does not answer: \d bytes in 1ms are too slow`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, test.answer)
			test.worsen(m)
			const kubernetes = "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/"
			m.pin(t, line("", kubernetes+"kubectl"), line("", kubernetes+"kube-scheduler"),
				line("", "https://github.com/kubernetes-sigs/kwok/releases/download/v2.9.9/kwok-linux-amd64"))
			require.Regexp(t, "which is done once: "+test.reason+"\n$", m.get(t, "kubectl"))
			require.Contains(t, m.get(t, "kube-scheduler"), "which is done once: dl.k8s.io did not answer just now\n")
			require.EqualValues(t, 1, m.asked.Load())
			require.Contains(t, m.get(t, "kwok"), "github.com does not answer", "that is another")
			require.EqualValues(t, 2, m.asked.Load())

			past := time.Now().Add(-leftAlone).Format(time.RFC3339)
			require.NoError(t, os.WriteFile(m.silence(kubernetes), []byte(past), 0o600))
			require.Regexp(t, test.reason, m.get(t, "kube-scheduler"))
			require.EqualValues(t, 3, m.asked.Load(), "it may be back")
		})
	}
}

// Nothing is built, and nobody is taken for silent, because somebody has had enough of waiting.
func TestACtrlCEndsIt(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	const address = "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl"
	m := newMachine(t, func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	})
	m.pin(t, line("", address))
	require.ErrorIs(t, m.install(ctx, "kubectl"), context.Canceled)
	require.Empty(t, m.said)
	require.Empty(t, m.inBin(t))
}

func TestOfflineAsksNobody(t *testing.T) {
	m := newMachine(t, http.NotFound)
	m.pin(t, line("", "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl"))
	m.offline = true
	require.Contains(t, m.get(t, "kubectl"), "which is done once: OFFLINE is set\n")
	require.Zero(t, m.asked.Load())
}

// Whoever waits for the first build is told how far it is.
func TestAFirstBuildKnowsItsParts(t *testing.T) {
	list := exec.CommandContext(t.Context(), "make", "-s", "--eval", "parts: ; @echo $(notdir $(TOOLCHAIN))", "parts")
	list.Dir = "../.."
	names, err := list.Output()
	require.NoError(t, err)
	var wanted []string
	for _, name := range strings.Fields(string(names)) {
		wanted = append(wanted, "tool-chain: "+name)
	}
	content, err := os.ReadFile("../../tools/first-build")
	require.NoError(t, err)
	var parts []string
	whole := 0
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n")[1:] {
		share, part, found := strings.Cut(line, " ")
		require.True(t, found, line)
		percent, err := strconv.Atoi(share)
		require.NoError(t, err)
		whole += percent
		parts = append(parts, part)
	}
	require.Equal(t, append(wanted, "building certsync", "building the rehearsal"), parts)
	require.Equal(t, 100, whole)
}
