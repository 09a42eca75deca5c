// Command toolchain puts programs of the tool-chain into .bin, each from where it is had soonest: a wrapper of the one on PATH
// where its version suits, else its official release where that has the digest that tools/releases.sum records, else a build of
// its Go module, which takes minutes. Make calls it, from the top of the repository:
//
//	go run ./cmd/toolchain <program>...
//	go run ./cmd/toolchain -plugins
//	go run ./cmd/toolchain -record
//
// The second puts the official plugins of the providers into .bin/plugins, as far as their releases can be had, and the third
// records the digests of releases that have none yet. With OFFLINE set no release is asked for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	plugins := flag.Bool("plugins", false, "put the plugins of the providers into .bin/plugins")
	record := flag.Bool("record", false, "record the digests of releases that have none yet")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *plugins, *record, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool-chain:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, plugins, record bool, names []string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	t := &toolchain{
		root: root, out: os.Stdout, system: runtime.GOOS, processor: runtime.GOARCH, offline: os.Getenv("OFFLINE") != "",
		// Below 200 kB a second a build is there first.
		client: newClient(), pace: 10 * time.Second, least: 2_000_000,
	}
	switch {
	case record:
		return t.record(ctx)
	case plugins:
		return t.installPlugins(ctx)
	}
	for _, name := range names {
		if err := t.install(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// newClient asks who may be out of reach, which has to be known within seconds. It takes nothing but HTTPS.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport.TLSHandshakeTimeout = 5 * time.Second
	transport.ResponseHeaderTimeout = 10 * time.Second
	transport.DisableCompression = true // digests are of what is sent
	return &http.Client{Transport: transport, CheckRedirect: securely}
}

// errAstray is why a redirect is not followed.
var errAstray = errors.New("leads astray")

// securely follows no redirect to what anybody on the way could have written.
func securely(request *http.Request, before []*http.Request) error {
	if request.URL.Scheme != "https" || len(before) == 10 {
		return fmt.Errorf("%w, to %s", errAstray, request.URL)
	}
	return nil
}

// toolchain is that of a repository, on a machine.
type toolchain struct {
	root              string
	system, processor string
	offline           bool
	client            *http.Client
	// A transfer that brings less than so many bytes within the pace is given up.
	pace  time.Duration
	least int64
	out   io.Writer
}

func (t *toolchain) bin(name string) string { return filepath.Join(t.root, ".bin", name) }

// install puts a program into .bin.
func (t *toolchain) install(ctx context.Context, name string) error {
	at := slices.IndexFunc(programs, func(p program) bool { return p.name == name })
	if at < 0 {
		return errors.New("it is not part of the tool-chain")
	}
	version, err := t.pinned(ctx, programs[at])
	if err != nil {
		return err
	}
	p := programs[at].at(version, t.system, t.processor)
	if err := os.MkdirAll(filepath.Dir(t.bin(name)), 0o755); err != nil {
		return err
	}
	if path, err := exec.LookPath(name); err == nil && !t.isOurs(path) && p.suits(ctx, path) == nil {
		return t.wrap(p, path)
	}
	reason := t.fetch(ctx, p)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case reason == nil:
		t.say("%s v%s is the official release", p.name, p.version)
		return nil
	}
	t.say("%s v%s is built from its module, which is done once: %s", p.name, p.version, reason)
	return t.build(ctx, p)
}

// installPlugins puts those into .bin that are not there yet.
func (t *toolchain) installPlugins(ctx context.Context) error {
	if err := os.MkdirAll(t.bin("plugins"), 0o755); err != nil {
		return err
	}
	for _, p := range programs {
		if !p.plugin {
			continue
		}
		version, err := t.pinned(ctx, p)
		if err != nil {
			return err
		}
		p = p.at(version, t.system, t.processor)
		if _, err := os.Stat(t.bin(p.name)); err == nil {
			continue
		}
		reason := t.fetch(ctx, p)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case reason == nil:
			t.say("%s v%s is the official release", path.Base(p.name), p.version)
		default:
			t.say("%s v%s is played in rehearsals: %s", path.Base(p.name), p.version, reason)
		}
	}
	return nil
}

// isOurs tells whether a program on PATH is the one in .bin, which would call itself.
func (t *toolchain) isOurs(path string) bool {
	found, err := os.Stat(path)
	ours, none := os.Stat(t.bin(filepath.Base(path)))
	return err == nil && none == nil && os.SameFile(found, ours)
}

func (t *toolchain) say(format string, values ...any) {
	fmt.Fprintf(t.out, "tool-chain: "+format+"\n", values...)
}

// pinned is the version of a program's module.
func (t *toolchain) pinned(ctx context.Context, p program) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", p.path)
	list.Dir, list.Stderr = filepath.Join(t.root, "tools", p.module), os.Stderr
	version, err := list.Output()
	return strings.TrimSpace(string(version)), err
}

// suits says what is wrong with a program that is there.
func (p program) suits(ctx context.Context, path string) error {
	answer, err := exec.CommandContext(ctx, path, strings.Fields(p.asks)...).Output()
	switch {
	case err != nil:
		return fmt.Errorf("%s %s fails: %w", p.name, p.asks, err)
	case !strings.Contains(string(answer), p.answers):
		return fmt.Errorf("%s %s answers %q", p.name, p.asks, strings.TrimSpace(string(answer)))
	}
	return nil
}

// wrap has a program on PATH called by what is put into .bin.
func (t *toolchain) wrap(p program, path string) error {
	wrapper := fmt.Sprintf("#!/bin/sh\nexec \"%s\" \"$@\"\n", path)
	if there, err := os.ReadFile(t.bin(p.name)); err == nil && string(there) == wrapper {
		return nil
	}
	if err := os.RemoveAll(t.bin(p.name)); err != nil { // written into a program that runs, it would not
		return err
	}
	t.say("%s v%s is %s", p.name, p.version, path)
	return os.WriteFile(t.bin(p.name), []byte(wrapper), 0o755)
}

func (t *toolchain) build(ctx context.Context, p program) error {
	if err := os.RemoveAll(t.bin(p.name)); err != nil { // a wrapper would be in go's way
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", t.bin(p.name), "-tags", p.tags, "-ldflags", "-s -w "+p.stamps,
		p.path+p.command)
	build.Dir, build.Stdout, build.Stderr = filepath.Join(t.root, "tools", p.module), t.out, os.Stderr
	if p.static {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	return build.Run()
}
