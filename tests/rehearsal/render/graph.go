package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// graph is what a golden graph says of charts.
type graph struct {
	root       string // of the repository
	kubernetes string // version
	releases   map[string]*release
}

// release is one as the program declares it.
type release struct {
	Chart, Name, Namespace, Version string
	Values                          map[string]any
}

// chart is how people call the chart.
func (r *release) chart() string {
	if r == nil {
		return ""
	}
	return strings.TrimSuffix(filepath.Base(r.Chart), ".tgz")
}

const (
	releaseType = "kubernetes:helm.sh/v3:Release "
	clusterType = "linode:index/lkeCluster:LkeCluster "
)

// readGraph reads that of a stack, which is an empty one where the commit has no such stack.
func readGraph(root, stack string) (*graph, error) {
	g := &graph{root: root, releases: map[string]*release{}}
	file := filepath.Join(root, "tests", "testdata", stack+".golden.yaml")
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the golden graph: %w", err)
	}
	var resources map[string]struct {
		Inputs struct {
			release
			K8sVersion string `json:"k8sVersion"`
		} `json:"inputs"`
	}
	if err := yaml.Unmarshal(content, &resources); err != nil {
		return nil, fmt.Errorf("reading the golden graph %s: %w", file, err)
	}
	for key, resource := range resources {
		switch {
		case strings.HasPrefix(key, releaseType):
			g.releases[strings.TrimPrefix(key, releaseType)] = &resource.Inputs.release
		case strings.HasPrefix(key, clusterType):
			g.kubernetes = resource.Inputs.K8sVersion
		}
	}
	return g, nil
}
