package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// stackPins are the charts that stack files name beside the platform's.
func stackPins() (pins []*pin, err error) {
	files, err := filepath.Glob("Pulumi.*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var file struct {
			Config struct {
				Charts []struct{ Chart, Repository, Version, SHA256 string } `yaml:"lke-platform:charts"`
			}
		}
		if err := yaml.Unmarshal(content, &file); err != nil {
			return nil, fmt.Errorf("charts: %s: %w", name, err)
		}
		for _, chart := range file.Config.Charts {
			pins = append(pins, &pin{
				name: chart.Chart, repository: chart.Repository, version: chart.Version, sha256: chart.SHA256, list: name,
			})
		}
	}
	return pins, nil
}
