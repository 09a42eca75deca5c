// Package chartdata checks values and custom resources against the charts that they are meant for: a folder of unpacked charts,
// <name>/values.yaml and so on, with subcharts in the chart or beside it.
package chartdata

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// Data is a folder of charts.
type Data struct {
	dir  string
	pods podFields

	mu        sync.Mutex
	resources map[string]*jsonschema.Schema // by apiVersion and kind, those that were asked for
}

// folders are those that have not the name of their chart.
var folders = map[string]string{
	"webhook": "cert-manager-webhook-linode", // under this name in its OCI registry
	"pgo":     "pgo-5.8.5-helm-install",      // the last that was published as source
}

// outdated are folders whose CRDs stand in another folder too, newer.
var outdated = []string{"pgo-5.8.5-helm-install"}

// Open opens a folder of charts.
func Open(dir string) (*Data, error) {
	d := &Data{dir: dir, resources: map[string]*jsonschema.Schema{}}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("chartdata: %w", err)
	}
	var err error
	if d.pods, err = d.podFields(); err != nil {
		return nil, fmt.Errorf("chartdata: reading the schema of pods: %w", err)
	}
	return d, nil
}

// CheckValues returns what is wrong with values that are set for a chart, and the version of the chart that says so. The name
// may be an OCI reference.
func (d *Data) CheckValues(name string, values map[string]any) (faults []string, version string, err error) {
	name = name[strings.LastIndex(name, "/")+1:]
	if folder, differs := folders[name]; differs {
		name = folder
	}
	c, err := loadChart(filepath.Join(d.dir, name))
	if err != nil {
		return nil, "", fmt.Errorf("chartdata: reading chart %s: %w", name, err)
	}
	return c.check(values, d.pods), c.version, nil
}

// CheckResource returns what is wrong with a custom resource. The error is ErrNoDefinition where no chart defines it. Rules in
// CEL are not checked.
func (d *Data) CheckResource(object map[string]any) (faults []string, err error) {
	apiVersion, kind := fmt.Sprint(object["apiVersion"]), fmt.Sprint(object["kind"])
	schema, err := d.definition(apiVersion, kind)
	if err != nil {
		return nil, fmt.Errorf("chartdata: %s %s: %w", apiVersion, kind, err)
	}
	return violations(schema, object), nil
}

// ErrNoDefinition says that no chart has the CRD of a custom resource.
var ErrNoDefinition = errors.New("no chart defines it")

func readYAML(path string, target any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, target)
}

// readOptional reads a file that need not be there.
func readOptional(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// compile makes a validator of a JSON schema that refers to no other.
func compile(schema []byte, draft *jsonschema.Draft) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	const url = "memory:schema"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(draft)
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // no file, no network
	if err := compiler.AddResource(url, document); err != nil {
		return nil, err
	}
	return compiler.Compile(url)
}
