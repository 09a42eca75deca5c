// Command images makes images for live rehearsals out of programs that are linked with nothing: an OCI layout of each, in a
// folder of its own. `make images` calls it.
//
//	images <folder> <image>=<program>...
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"lke-platform/tests/rehearsal/live/image"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("what it wants is: images <folder> <image>=<program>…")
	}
	for _, argument := range arguments[1:] {
		called, program, _ := strings.Cut(argument, "=")
		if err := write(arguments[0], called, program); err != nil {
			return fmt.Errorf("image %s: %w", called, err)
		}
	}
	return nil
}

// write writes the layout of an image, in the place of the one before.
func write(folder, called, program string) error {
	named, err := reference.ParseNormalizedNamed(called)
	if err != nil {
		return err
	}
	if reference.IsNameOnly(named) {
		return errors.New("has no tag")
	}
	made, err := image.Of(program)
	if err != nil {
		return err
	}
	dir := filepath.Join(folder, filepath.Base(reference.Path(named)))
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendImage(made, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": named.String()}))
}
