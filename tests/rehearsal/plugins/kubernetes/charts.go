package kubernetes

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/registry"
)

// A ChartSource finds the charts of releases.
type ChartSource interface {
	// Locate returns the path of a chart's archive or folder. The repository is a URL, or empty for a chart that is a URL
	// (oci://…) or a path itself. An empty version means the latest.
	Locate(repository, chart, version string) (path string, err error)
}

// noCharts is the ChartSource where there is none.
type noCharts struct{}

func (noCharts) Locate(_, chart, _ string) (string, error) {
	return "", fmt.Errorf("chart %s: charts are left out", chart)
}

// Charts finds charts in a folder first and downloads the others from their repositories, each once. It is safe for concurrent
// use.
type Charts struct {
	folder string
	mu     sync.Mutex
	found  map[[3]string]func() (string, error)
}

// ChartsVariable is the environment variable that names the folder of charts that a rehearsal looks into first.
const ChartsVariable = "REHEARSE_CHARTS"

// NewCharts returns Charts for a folder that holds archives <chart>-<version>.tgz or unpacked charts <chart>-<version> and
// <chart>; an empty name means that there is none.
func NewCharts(folder string) *Charts {
	return &Charts{folder: folder, found: map[[3]string]func() (string, error){}}
}

// Locate is that of ChartSource. What could not be had is not tried again: a rehearsal without a network would wait each time.
func (c *Charts) Locate(repository, chart, version string) (string, error) {
	key := [3]string{repository, chart, version}
	c.mu.Lock()
	locate := c.found[key]
	if locate == nil {
		locate = sync.OnceValues(func() (string, error) { return c.locate(repository, chart, version) })
		c.found[key] = locate
	}
	c.mu.Unlock()
	return locate()
}

func (c *Charts) locate(repository, chart, version string) (string, error) {
	name := path.Base(chart)
	for _, candidate := range []string{name + "-" + version + ".tgz", name + "-" + version, name} {
		file := filepath.Join(c.folder, candidate)
		if _, err := os.Stat(file); c.folder != "" && err == nil && (candidate != name || isVersion(file, version)) {
			return file, nil
		}
	}
	file, err := download(repository, chart, version)
	if err != nil && c.folder != "" {
		return "", fmt.Errorf("%s holds neither %s-%s.tgz nor a folder of that name, and the download failed: %w",
			c.folder, name, version, err)
	}
	return file, err
}

// isVersion tells whether an unpacked chart is of a version.
func isVersion(folder, version string) bool {
	metadata, err := chartutil.LoadChartfile(filepath.Join(folder, chartutil.ChartfileName))
	return err == nil && (version == "" || strings.TrimPrefix(metadata.Version, "v") == strings.TrimPrefix(version, "v"))
}

// download fetches a chart into Helm's own cache.
func download(repository, chart, version string) (string, error) {
	client, err := registry.NewClient()
	if err != nil {
		return "", fmt.Errorf("downloading chart %s: %w", chart, err)
	}
	options := action.NewInstall(&action.Configuration{RegistryClient: client}).ChartPathOptions
	options.RepoURL, options.Version = repository, version
	file, err := options.LocateChart(chart, cli.New())
	if err != nil {
		return "", fmt.Errorf("downloading chart %s: %w", chart, err)
	}
	return file, nil
}
