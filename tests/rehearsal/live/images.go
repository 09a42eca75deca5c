//go:build linux

package live

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"lke-platform/tests/rehearsal/live/image"
	"lke-platform/tests/rehearsal/live/spec"
)

// packing puts images into the archives that machines read.
type packing struct {
	dir      string
	packed   int
	archives spec.Images
	standIns []string // images in whose place the test app answers
}

// pack packs the played image, those of the programs, and those that are at hand.
func pack(o Options) (*packing, error) {
	p := &packing{dir: filepath.Join(o.Dir, "images"), archives: spec.Images{}}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	programs := map[string]string{spec.Played: filepath.Join(o.Bin, "played")}
	own := o.equipped()
	maps.Copy(own, o.Programs)
	for image, path := range own {
		repository, err := reference.ParseNormalizedNamed(image)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image, err)
		}
		programs[reference.TrimNamed(repository).String()] = path
	}
	for name, path := range programs {
		built, err := image.Of(path)
		if err != nil {
			return nil, fmt.Errorf("building image %s: %w", name, err)
		}
		if err := p.add(built, name); err != nil {
			return nil, err
		}
	}
	for _, folder := range o.Images {
		if err := p.addAtHand(folder); err != nil {
			return nil, err
		}
	}
	for _, app := range o.Apps {
		p.standIn(app)
	}
	content, err := json.Marshal(p.archives)
	if err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.list(), content, 0o600)
}

// list is the file that lists the archives.
func (p *packing) list() string { return filepath.Join(p.dir, "list.json") }

// standIn has the test app run in the place of an image that is not at hand, if it is at hand itself.
func (p *packing) standIn(app string) {
	named, err := reference.ParseDockerRef(app)
	if err != nil {
		return // the program's to report
	}
	archive, found := p.archives[spec.App]
	if _, atHand := p.archives[named.String()]; found && !atHand {
		p.archives[reference.TrimNamed(named).String()] = archive
		p.standIns = append(p.standIns, named.String())
	}
}

// add packs an image under its names.
func (p *packing) add(image v1.Image, names ...string) error {
	imported, err := name.NewTag(spec.Imported)
	if err != nil {
		return err
	}
	p.packed++
	archive := filepath.Join(p.dir, strconv.Itoa(p.packed)+".tar")
	if err := tarball.WriteToFile(archive, imported, image); err != nil {
		return fmt.Errorf("packing image %s: %w", names[0], err)
	}
	for _, name := range names {
		p.archives[name] = archive
	}
	return nil
}

// addAtHand packs the images of a folder, each of which is an OCI layout or an archive.
func (p *packing) addAtHand(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("looking for images (REHEARSE_IMAGES): %w", err)
	}
	var faults []error
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		switch {
		case entry.IsDir():
			err = p.addLayout(path)
		case filepath.Ext(path) == ".tar":
			err = p.addArchive(path)
		default:
			continue
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("image %s: %w", path, err))
		}
	}
	return errors.Join(faults...)
}

// addArchive adds the images of an archive, as `docker save` or as an OCI layout that is packed.
func (p *packing) addArchive(path string) error {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		return p.addPackedLayout(path, err)
	}
	for _, entry := range manifest {
		for _, tagged := range entry.RepoTags {
			tag, err := name.NewTag(tagged)
			if err != nil {
				return err
			}
			image, err := tarball.ImageFromPath(path, &tag)
			if err != nil {
				return err
			}
			if err := p.addNamed(image, tagged); err != nil {
				return err
			}
		}
	}
	return nil
}

// addPackedLayout unpacks a layout. What is none was no archive either, for the reason given.
func (p *packing) addPackedLayout(path string, reason error) error {
	archive, err := os.Open(path)
	if err != nil {
		return err
	}
	defer archive.Close()
	dir := filepath.Join(p.dir, "layout-"+filepath.Base(path))
	if err := untar(archive, dir); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil {
		return fmt.Errorf("is neither what `docker save` writes nor an OCI layout: %w", reason)
	}
	return p.addLayout(dir)
}

// untar unpacks regular files into a folder, and nothing beside it.
func untar(archive io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(filepath.Clean(header.Name)), 0o755); err != nil {
			return err
		}
		file, err := root.Create(header.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, files)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
}

// addLayout adds the images of an OCI layout that say their names.
func (p *packing) addLayout(dir string) error {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return fmt.Errorf("is no OCI layout: %w", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, descriptor := range manifest.Manifests {
		called := descriptor.Annotations["io.containerd.image.name"]
		if called == "" {
			called = descriptor.Annotations["org.opencontainers.image.ref.name"]
		}
		named, err := reference.ParseNormalizedNamed(called)
		if err != nil || reference.IsNameOnly(named) {
			return fmt.Errorf("says no whole name of an image (org.opencontainers.image.ref.name), but %q", called)
		}
		image, err := pick(index, descriptor)
		if err != nil {
			return err
		}
		if err := p.addNamed(image, called, reference.TrimNamed(named).String()+"@"+descriptor.Digest.String()); err != nil {
			return err
		}
	}
	return nil
}

// pick is the image of a descriptor, or of several that it leads to the one for this computer.
func pick(index v1.ImageIndex, descriptor v1.Descriptor) (v1.Image, error) {
	if !descriptor.MediaType.IsIndex() {
		return index.Image(descriptor.Digest)
	}
	inner, err := index.ImageIndex(descriptor.Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := inner.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, one := range manifest.Manifests {
		if one.Platform != nil && one.Platform.OS == "linux" && one.Platform.Architecture == runtime.GOARCH {
			return inner.Image(one.Digest)
		}
	}
	return nil, fmt.Errorf("is not for linux/%s", runtime.GOARCH)
}

// addNamed packs an image that is whole and runs on this computer.
func (p *packing) addNamed(image v1.Image, names ...string) error {
	if err := validate.Image(image); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	if config.Architecture != runtime.GOARCH {
		return fmt.Errorf("is for %s, and this computer is %s", config.Architecture, runtime.GOARCH)
	}
	for i, called := range names {
		named, err := reference.ParseDockerRef(called)
		if err != nil {
			return err
		}
		names[i] = named.String()
	}
	return p.add(image, names...)
}
