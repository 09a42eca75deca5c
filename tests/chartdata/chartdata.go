// Package chartdata checks values and custom resources against the charts that they are meant for, as their archives have them.
package chartdata

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Data is a folder of charts' archives.
type Data struct {
	charts map[string]fs.FS // by the name of the file
	pods   podFields

	mu        sync.Mutex
	resources map[string]*jsonschema.Schema // by apiVersion and kind, those that were asked for
}

// Open reads all archives of a folder.
func Open(dir string) (*Data, error) {
	d := &Data{charts: map[string]fs.FS{}, resources: map[string]*jsonschema.Schema{}}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		return nil, fmt.Errorf("chartdata: %w", err)
	}
	for _, file := range archives {
		if d.charts[filepath.Base(file)], err = unpack(file); err != nil {
			return nil, fmt.Errorf("chartdata: unpacking %s: %w", file, err)
		}
	}
	if d.pods, err = d.podFields(); err != nil {
		return nil, fmt.Errorf("chartdata: reading the schema of pods: %w", err)
	}
	return d, nil
}

// unpack reads a chart's archive into memory. A chart is all that is in the one folder of its archive.
func unpack(file string) (fs.FS, error) {
	packed, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	files, folder := fstest.MapFS{}, ""
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fs.Sub(files, folder)
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg {
			files[header.Name] = &fstest.MapFile{Data: content}
			folder, _, _ = strings.Cut(header.Name, "/")
		}
	}
}

// CheckValues returns what is wrong with values that are set for the chart of an archive, and the version of the chart that says
// so. The error is fs.ErrNotExist where the archive is not there.
func (d *Data) CheckValues(archive string, values map[string]any) (faults []string, version string, err error) {
	files := d.charts[filepath.Base(archive)]
	if files == nil {
		return nil, "", fmt.Errorf("chartdata: %s: %w", archive, fs.ErrNotExist)
	}
	c, err := loadChart(files, ".")
	if err != nil {
		return nil, "", fmt.Errorf("chartdata: reading %s: %w", archive, err)
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

// readOptional reads a file that need not be there.
func readOptional(files fs.FS, path string) ([]byte, error) {
	text, err := fs.ReadFile(files, path)
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
