package main

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// publisher serves releases that consist of their own address, and lists of their digests.
type publisher struct {
	lists map[string]string // by address
	mu    sync.Mutex
	asked []string // for releases
}

func newPublisher() *publisher {
	p := &publisher{lists: map[string]string{}}
	for _, program := range programs {
		for _, machine := range machines {
			program := program.at("v2.9.9", machine[0], machine[1])
			folder, file := path.Split(program.release)
			switch {
			case program.release == "" || program.published == "":
			case program.published == file+".sha256":
				p.lists[folder+program.published] = sum(program.release) + "\n"
			default:
				p.lists[folder+program.published] += sum(program.release) + "  ./" + file + "\n"
			}
		}
	}
	return p
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := "https://" + r.Host + r.URL.Path
	p.mu.Lock()
	defer p.mu.Unlock()
	if list, is := p.lists[address]; is {
		fmt.Fprint(w, list)
		return
	}
	p.asked = append(p.asked, address)
	fmt.Fprint(w, address)
}

func TestDigestsAreRecordedOnceAndHeldAgainstThoseOfThePublishers(t *testing.T) {
	const (
		kubectl = "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl"
		kwok    = "https://github.com/kubernetes-sigs/kwok/releases/download/v2.9.9/kwok-linux-amd64"
		older   = "https://github.com/kubernetes-sigs/kwok/releases/download/v2.9.8/kwok-linux-amd64"
	)
	p := newPublisher()
	m := newMachine(t, p.ServeHTTP)
	m.pin(t, line(older, older), line("as reviewed", kwok))
	require.NoError(t, m.record(t.Context()))
	digests, err := m.recorded()
	require.NoError(t, err)
	require.Len(t, digests, 4*(len(programs)-9)-2*5, "of nine no release is used; the control plane and nodes have some for Linux alone")
	require.Equal(t, sum(kubectl), digests[kubectl])
	require.Equal(t, sum("as reviewed"), digests[kwok], "nobody lists it, so what was reviewed stays")
	require.NotContains(t, digests, older)
	require.Contains(t, m.said.String(), "tool-chain: recorded sha256 "+sum(kubectl)+" of "+kubectl+" in tools/releases.sum; commit it\n")
	require.Len(t, p.asked, len(digests)-1)

	before, err := os.ReadFile(filepath.Join(m.root, sums))
	require.NoError(t, err)
	p.asked = nil
	m.said.Reset()
	require.NoError(t, m.record(t.Context()))
	after, err := os.ReadFile(filepath.Join(m.root, sums))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Empty(t, m.said.String())
	require.Empty(t, p.asked)

	p.lists[kubectl+".sha256"] = sum("another")
	require.EqualError(t, m.record(t.Context()), kubectl+" has sha256 "+sum(kubectl)+", and its publisher lists "+sum("another"))
	digests, err = m.recorded()
	require.NoError(t, err)
	require.NotContains(t, digests, kubectl)
	require.Len(t, digests, 4*(len(programs)-9)-2*5-1, "the others stay")
}

// What was recorded is of use while its publisher is out of reach.
func TestADigestOutlivesASilentPublisher(t *testing.T) {
	m := newMachine(t, http.NotFound)
	const kubectl = "https://dl.k8s.io/release/v2.9.9/bin/linux/amd64/kubectl"
	m.pin(t, line(kubectl, kubectl))
	require.ErrorContains(t, m.record(t.Context()), kubectl+".sha256 answers 404 Not Found")
	digests, err := m.recorded()
	require.NoError(t, err)
	require.Equal(t, map[string]string{kubectl: sum(kubectl)}, digests)
}

func TestALineThatIsNoDigestIsNamed(t *testing.T) {
	m := newMachine(t, http.NotFound)
	m.pin(t, "<<<<<<< HEAD")
	_, err := m.recorded()
	require.ErrorContains(t, err, "tools/releases.sum has a line that is no digest: <<<<<<< HEAD")
}

// A digest under an address that no program asks for would never be used.
func TestEachRecordedDigestIsOfAProgram(t *testing.T) {
	digests, err := (&toolchain{root: "../.."}).recorded()
	require.NoError(t, err)
	var addresses []string
	for _, p := range programs {
		for _, archive := range []string{"linux", "darwin"} {
			const version = "7.7.7"
			address := p.at(version, archive, "amd64").release
			if address != "" {
				pattern := strings.ReplaceAll(regexp.QuoteMeta(address), regexp.QuoteMeta(version), `\d+\.\d+\.\d+`)
				addresses = append(addresses, regexp.MustCompile("amd64|x64").ReplaceAllString(pattern, "(amd64|x64|arm64)"))
			}
		}
	}
	for address := range digests {
		require.Regexp(t, "^("+strings.Join(addresses, "|")+")$", address)
	}
}

func TestReleasesOfPrometheusAreNumberedApart(t *testing.T) {
	for module, release := range map[string]string{"v0.314.0": "3.14.0", "v0.305.1": "3.5.1"} {
		for _, p := range programs {
			if p.name == "promtool" {
				require.Equal(t, release, p.at(module, "linux", "amd64").version)
			}
		}
	}
}
