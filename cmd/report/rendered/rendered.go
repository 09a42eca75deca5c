// Package rendered is what the charts of a stack make with its values, before and after a change: what the program that renders
// hands to the one that tells.
package rendered

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Comparison is of two commits.
type Comparison struct {
	// Base is how the earlier commit is called.
	Base     string
	Releases []*Release
}

// Release is one that differs, or may differ.
type Release struct {
	Name string
	// Before and After are the chart and its version; empty where the release is not.
	Before, After string
	// Added and Removed are names of objects.
	Added, Removed []string
	Changed        []Object
	// Definitions are those custom resource definitions that differ.
	Definitions []Definition
	// Lacks says why it could not be compared.
	Lacks string
}

// Object is one of Kubernetes' that differs, in YAML.
type Object struct{ Name, Before, After string }

// Definition is a custom resource definition. Before and After are the versions that it serves; empty where it is not.
type Definition struct{ Name, Before, After string }

// File is where the comparison of a stack is handed over, seen from the top of the repository.
func File(stack string) string { return filepath.Join(".rehearsal", stack, "rendered.json") }

// Read reads the comparison of a stack; nil where nobody has made one.
func Read(stack string) (*Comparison, error) {
	content, err := os.ReadFile(File(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	c := &Comparison{}
	if err == nil {
		err = json.Unmarshal(content, c)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the charts render: %w", err)
	}
	return c, nil
}

// Write writes the comparison of a stack below the top of the repository.
func (c *Comparison) Write(root, stack string) error {
	content, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding what the charts render: %w", err)
	}
	file := filepath.Join(root, File(stack))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("writing what the charts render: %w", err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return fmt.Errorf("writing what the charts render: %w", err)
	}
	return nil
}
