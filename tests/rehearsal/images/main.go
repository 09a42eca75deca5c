// Command images makes images for live rehearsals, out of programs that are linked with nothing or of packages of this computer's
// distribution: an OCI layout of each, in a folder of its own. `make images` calls it.
//
//	images <folder> <image>=<program>...
//	images <folder> <image>=apt:<package>,<package>...
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
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

// write writes the layout of an image, whole, in the place of the one before.
func write(folder, called, program string) error {
	named, err := reference.ParseNormalizedNamed(called)
	if err != nil {
		return err
	}
	if reference.IsNameOnly(named) {
		return errors.New("has no tag")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := filepath.Base(reference.Path(named))
	temporary := filepath.Join(filepath.Dir(folder), "image-"+name)
	if err := os.RemoveAll(temporary); err != nil { // what a run left that was broken off
		return err
	}
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	made, err := build(program, temporary)
	if err != nil {
		return err
	}
	path, err := layout.Write(filepath.Join(temporary, "layout"), empty.Index)
	if err != nil {
		return err
	}
	annotations := map[string]string{"org.opencontainers.image.ref.name": named.String()}
	if err := path.AppendImage(made, layout.WithAnnotations(annotations)); err != nil {
		return err
	}
	dir := filepath.Join(folder, name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(string(path), dir)
}

func build(program, temporary string) (v1.Image, error) {
	if packages, listed := strings.CutPrefix(program, "apt:"); listed {
		return image.OfPackages(temporary, strings.Split(packages, ","))
	}
	return image.Of(program)
}
