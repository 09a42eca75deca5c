package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lke-platform/components/charts"
	"lke-platform/components/charts/archive"
)

// lookAtCharts finds the charts that are not at hand, which a rehearsal plays, and those that `pulumi up` would refuse. It takes
// these as they are: whoever rehearses a chart of his own means to.
func lookAtCharts(o options) (missing, refused []error) {
	for _, chart := range charts.All() {
		switch err := chart.Check(o.root); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, err)
		case err != nil:
			refused = append(refused, err)
		}
	}
	return missing, refused
}

// linkCharts has the charts where the program says that they are, seen from the folder of the rehearsal's project.
func linkCharts(o options, project string) error {
	link := filepath.Join(project, archive.Folder)
	_ = os.Remove(link) // of an earlier rehearsal
	if err := os.Symlink(filepath.Join(o.root, archive.Folder), link); err != nil {
		return fmt.Errorf("linking the folder of the charts: %w", err)
	}
	return nil
}
