package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/distribution/reference"
	"gopkg.in/yaml.v3"
)

// stackFile is the file of a stack, and the one line in it that names the version of an app.
type stackFile struct {
	path  string
	app   string // its name, and that of its namespace
	image string
	line  int // from 1
	// candidate is where versions are tried; nil where they are not.
	candidate *candidate
}

// readStackFile reads what there is to know of an app: by its name one of apps, without a name the first.
func readStackFile(stack, app string) (*stackFile, error) {
	f := &stackFile{path: "Pulumi." + stack + ".yaml"}
	content, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; STACK=<name> chooses the stack", f.path)
	} else if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	described := appOf(&document, app)
	image := at(described, "image")
	if image == nil {
		return nil, fmt.Errorf("%s has no image of that app; APP=<name> chooses one of apps, and without it the first is meant",
			f.path)
	}
	f.image, f.line = image.Value, image.Line
	if name := at(described, "name"); name != nil {
		f.app = name.Value
	}
	if f.candidate, err = candidateOf(described); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	if app != "" {
		return f, nil // which is always pinned
	}
	if mode := at(&document, "config", "lke-platform:delivery", "mode"); mode != nil && mode.Value != "pinned" {
		return nil, fmt.Errorf("%s has delivery.mode %s, which brings versions by itself; set it to pinned", f.path, mode.Value)
	}
	return f, nil
}

// appOf is what the file says of an app, nil where it says nothing.
func appOf(document *yaml.Node, name string) *yaml.Node {
	first := at(document, "config", "lke-platform:app")
	if called := at(first, "name"); name == "" || called != nil && called.Value == name {
		return first
	}
	further := at(document, "config", "lke-platform:apps")
	if further == nil {
		return nil
	}
	for _, described := range further.Content {
		if called := at(described, "name"); called != nil && called.Value == name {
			return described
		}
	}
	return nil
}

// at is the value below some keys, nil where there is none.
func at(node *yaml.Node, keys ...string) *yaml.Node {
	if node == nil || len(keys) == 0 {
		return node
	}
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == keys[0] {
			return at(node.Content[i+1], keys[1:]...)
		}
	}
	return nil
}

// put changes the version, and leaves everything else of the file as somebody wrote it.
func (f *stackFile) put(image string) error {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(content), "\n")
	if f.line > len(lines) || strings.Count(lines[f.line-1], f.image) != 1 {
		return fmt.Errorf("%s was changed meanwhile", f.path)
	}
	lines[f.line-1] = strings.Replace(lines[f.line-1], f.image, image, 1)
	if err := os.WriteFile(f.path, []byte(strings.Join(lines, "")), 0o600); err != nil { // keeps the mode that it has
		return err
	}
	f.image = image
	return nil
}

func checkImage(image string) error {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return fmt.Errorf("IMAGE=%s: %w", image, err)
	}
	if _, pinned := named.(reference.Digested); !pinned {
		return fmt.Errorf("IMAGE=%s: must have a digest (name@sha256:…), as a tag may be another version tomorrow; "+
			"`docker buildx imagetools inspect %[1]s` prints it", image)
	}
	return nil
}
