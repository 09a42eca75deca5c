// Package cluster reaches the Kubernetes of a stack, by kubectl.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"lke-platform/cmd/internal/command"
)

// Cluster is one whose kubeconfig lies in a folder, until Leave.
type Cluster struct{ folder string }

// Reach asks Pulumi for the way to the cluster of a stack.
func Reach(ctx context.Context, stack string) (*Cluster, error) {
	kubeconfig, err := command.Output(ctx, nil, "pulumi", "stack", "output", "kubeconfig", "--show-secrets", "--stack", stack)
	if err != nil {
		return nil, err
	}
	return Open(kubeconfig)
}

// Open takes a kubeconfig.
func Open(kubeconfig []byte) (*Cluster, error) {
	folder, err := os.MkdirTemp("", "lke-platform-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{folder}
	if err := os.WriteFile(c.kubeconfig(), kubeconfig, 0o600); err != nil {
		return nil, errors.Join(err, c.Leave())
	}
	return c, nil
}

// Leave forgets the way there.
func (c *Cluster) Leave() error { return os.RemoveAll(c.folder) }

func (c *Cluster) kubeconfig() string { return filepath.Join(c.folder, "kubeconfig") }

// Kubectl runs a command for what it prints.
func (c *Cluster) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	text, err := command.Output(ctx, nil, "kubectl",
		append([]string{"--kubeconfig", c.kubeconfig(), "--request-timeout", "10s"}, arguments...)...)
	return string(text), err
}

// Service is one that nobody outside reaches.
type Service struct {
	Namespace, Name string
	Port            int
}

// What the operator of kube-prometheus-stack makes, whatever the release is called.
var (
	Alertmanager = Service{"monitoring", "alertmanager-operated", 9093}
	Prometheus   = Service{"monitoring", "prometheus-operated", 9090}
)

var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

// Forward opens a way to a Service for as long as the context lasts, and returns the URL that it begins at. The way leads through
// the node: the network of pods lets nobody in, the API server's proxy neither.
func (c *Cluster) Forward(ctx context.Context, to Service) (url string, err error) {
	forward := exec.CommandContext(ctx, "kubectl", "--kubeconfig", c.kubeconfig(), "--namespace", to.Namespace,
		"port-forward", "service/"+to.Name, ":"+strconv.Itoa(to.Port))
	said := &bytes.Buffer{}
	forward.Stderr = said
	lines, err := forward.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := forward.Start(); err != nil {
		return "", err
	}
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		if found := forwarding.FindStringSubmatch(scanner.Text()); found != nil {
			go func() { _ = forward.Wait() }()
			return "http://" + found[1], nil
		}
	}
	err = forward.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return "", fmt.Errorf("kubectl port-forward: %w: %s", err, strings.TrimSpace(said.String()))
}
