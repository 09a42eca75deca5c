package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
)

// How versions do is told by their digests: see kubernetes/arguments.go. Of the last one the origin's errors tell.
var (
	versionOfFailingCommand = "thechangelog/changelog.com@sha256:fa11" + strings.Repeat("0", 60)
	versionNeverReady       = "thechangelog/changelog.com@sha256:bad" + strings.Repeat("0", 61)
	versionThatFails        = "thechangelog/changelog.com@sha256:" + strings.Repeat("3", 64)
)

// `make release` keeps a version that does well, and takes back whatever does not, in the cluster and in the file, and says why.
func TestReleasesUndoThemselves(t *testing.T) {
	e := &estate{options: options{stack: "staging", root: repository(t, withRelease)}}
	e.bringUp(t)
	release := e.releases(t)
	for _, test := range []struct {
		name, image, says string
		watch             string // three looks, where they matter
	}{
		{"goes well", versionTwo, versionTwo + " has all traffic", "1s"},
		{"its command fails", versionOfFailingCommand, "the command false fails", "1s"},
		{"fails afterwards", versionThatFails, "the origin answers 30.0 % of all requests with an error", "46s"},
		{"never ready", versionNeverReady, "Deployment changelog: ReplicaSet", "1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.image == versionNeverReady && os.Getenv("SLOW") == "" {
				t.Skip("Kubernetes gives a rollout ten minutes: SLOW=1 waits for them")
			}
			printed, err := release(test.image, test.watch)
			t.Log(printed)
			require.Contains(t, printed, test.says)
			require.Equal(t, map[string]string{
				"changelog": versionTwo, "changelog-worker": versionTwo, "release": versionTwo,
			}, e.released(t))
			require.Contains(t, readFile(t, e.stackFile()), "image: "+versionTwo+"\n")
			if test.image == versionTwo {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "exit status 1")
			require.Contains(t, printed, test.image+" was taken back")
			require.Contains(t, printed, versionTwo+" has all traffic again")
		})
	}
	e.load(t)
	e.up(t, optup.ExpectNoChanges())
}

// releases builds the program that `make release` runs, and gives it a repository, a Pulumi CLI that works on the rehearsed stack,
// and a Prometheus in which the origin fails while the version that is known for it is there.
func (e *estate) releases(t *testing.T) (release func(image, watch string) (printed string, err error)) {
	t.Helper()
	tools, err := filepath.EvalSymlinks(filepath.Join(e.root, ".bin")) // the repository's
	require.NoError(t, err)
	machine := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(machine, "release"), "./cmd/release")
	build.Dir = filepath.Dir(tools)
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))
	kubeconfig, err := writeKubeconfig(t.Context(), e.options, e.world)
	require.NoError(t, err)
	for name, script := range map[string]string{
		"pulumi": `case "$1 $2" in
'stack output') exec cat ` + kubeconfig + `;;
'stack history') echo '[]';;
*) trap 'echo stop >asked' INT; cd ` + machine + `; echo up >asked; until read -r code; do :; done <answered; cat said; exit "$code";;
esac`,
		"kubectl": `case "$*" in *port-forward*) ;; *) exec ` + tools + `/kubectl "$@";; esac
echo 'Forwarding from ` + e.prometheus(t) + ` -> 9090'
exec sleep 60`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(machine, name), []byte("#!/bin/sh\n"+script), 0o700))
	}
	e.answerPulumi(t, machine)
	run := func(name string, arguments ...string) (string, error) {
		command := exec.Command(name, arguments...)
		command.Dir = e.root
		command.Env = append(os.Environ(), "PATH="+machine+":"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+os.DevNull,
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		text, err := command.CombinedOutput()
		return string(text), err
	}
	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "Pulumi.staging.yaml"}, {"commit", "--quiet", "-m", "Begin"}} {
		printed, err := run("git", arguments...)
		require.NoError(t, err, printed)
	}
	return func(image, watch string) (string, error) {
		return run(filepath.Join(machine, "release"), "-stack", "staging", "-image", image, "-watch", watch)
	}
}

// prometheus is one in which the origin fails while the version that is known for it is there.
func (e *estate) prometheus(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		percent := "0"
		if text, err := os.ReadFile(e.stackFile()); err == nil && strings.Contains(string(text), "image: "+versionThatFails) {
			percent = "30"
		}
		_, _ = fmt.Fprintf(w, `{"data": {"result": [{"value": [0, %q]}]}}`, percent)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// answerPulumi brings the stack up each time that somebody asks for it through the pipe asked, and stops when he asks for that. It
// tells what was printed in the file said, and how it ended through the pipe answered.
func (e *estate) answerPulumi(t *testing.T, machine string) {
	t.Helper()
	pipe := func(name string) *os.File {
		path := filepath.Join(machine, name)
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		file, err := os.OpenFile(path, os.O_RDWR, 0) // neither end waits for the other
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	asked, answered := pipe("asked"), pipe("answered")
	answer := func(ctx context.Context) {
		said, code := &strings.Builder{}, "0\n"
		if err := e.upAgain(ctx, said); err != nil {
			code = "255\n"
		}
		_ = os.WriteFile(filepath.Join(machine, "said"), []byte(said.String()), 0o600)
		_, _ = answered.WriteString(code)
	}
	go func() {
		stop := func() {}
		for lines := bufio.NewScanner(asked); lines.Scan(); {
			stop()
			if lines.Text() == "up" {
				ctx, cancel := context.WithCancel(t.Context())
				stop = cancel
				go answer(ctx)
			}
		}
	}()
}

func (e *estate) upAgain(ctx context.Context, said *strings.Builder) error {
	stack, _, err := newStack(ctx, e.options, e.world)
	if err != nil {
		said.WriteString(err.Error())
		return err
	}
	_, err = stack.Up(ctx, optup.ProgressStreams(said), optup.SuppressProgress())
	return err
}
