package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/distribution/reference"
	"gopkg.in/yaml.v3"
)

// stackFile is the file of a stack, and the one line in it that names the version.
type stackFile struct {
	path  string
	image string
	line  int // from 1
}

func readStackFile(stack string) (*stackFile, error) {
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
	image := at(&document, "config", "lke-platform:app", "image")
	if image == nil {
		return nil, fmt.Errorf("%s has no config.lke-platform:app.image", f.path)
	}
	f.image, f.line = image.Value, image.Line
	if mode := at(&document, "config", "lke-platform:delivery", "mode"); mode != nil && mode.Value != "pinned" {
		return nil, fmt.Errorf("%s has delivery.mode %s, which brings versions by itself; set it to pinned", f.path, mode.Value)
	}
	return f, nil
}

// at is the value below some keys, nil where there is none.
func at(node *yaml.Node, keys ...string) *yaml.Node {
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	if len(keys) == 0 {
		return node
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
