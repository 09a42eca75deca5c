package main

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
	"strings"

	"lke-platform/cmd/internal/command"
)

// cluster is that of a stack, as long as its kubeconfig lies in a folder.
type cluster struct{ folder string }

// reach asks the stack for the way to its cluster.
func reach(ctx context.Context, stack string) (*cluster, error) {
	kubeconfig, err := command.Output(ctx, nil, "pulumi", "stack", "output", "kubeconfig", "--show-secrets", "--stack", stack)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "alerts-")
	if err != nil {
		return nil, err
	}
	c := &cluster{folder}
	if err := os.WriteFile(c.kubeconfig(), kubeconfig, 0o600); err != nil {
		return nil, errors.Join(err, c.leave())
	}
	return c, nil
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.folder, "kubeconfig") }

func (c *cluster) leave() error { return os.RemoveAll(c.folder) }

func (c *cluster) arguments(arguments ...string) []string {
	return append([]string{"--kubeconfig", c.kubeconfig(), "--namespace", "monitoring"}, arguments...)
}

var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

// forward opens a way to Alertmanager, for as long as the context lasts. It leads through the node and not through the network of
// pods, which lets nobody in.
func (c *cluster) forward(ctx context.Context) (address string, err error) {
	command := exec.CommandContext(ctx, "kubectl", c.arguments("port-forward", "service/alertmanager-operated", ":9093")...)
	said := &bytes.Buffer{}
	command.Stderr = said
	lines, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		if found := forwarding.FindStringSubmatch(scanner.Text()); found != nil {
			return "http://" + found[1], nil
		}
	}
	return "", fmt.Errorf("kubectl port-forward: %w: %s", command.Wait(), strings.TrimSpace(said.String()))
}

// log is what Alertmanager has said in the last minutes.
func (c *cluster) log(ctx context.Context) (string, error) {
	text, err := command.Output(ctx, nil, "kubectl", c.arguments("logs", "--selector", "app.kubernetes.io/name=alertmanager",
		"--container", "alertmanager", "--since", "5m", "--tail", "-1")...)
	return string(text), err
}
