package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Postgres is the user of images of packages, who is called postgres there and has the number that he has in Crunchy's.
const Postgres = "26:26"

// OfPackages makes an image of packages that apt-get has for this computer, and of all that they depend on, whatever is
// installed here. Their scripts do not run, so that it suits programs that want none of that. The image is read from a folder,
// which takes the packages.
func OfPackages(dir string, names []string) (v1.Image, error) {
	if err := download(dir, names); err != nil {
		return nil, err
	}
	root := &root{written: map[string]bool{}}
	if err := root.write(dir); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(root.archive)
	if err != nil {
		return nil, err
	}
	programs := "PATH=" + strings.Join(append(root.programs, "/usr/sbin", "/usr/bin"), ":")
	return of(layer, v1.Config{User: Postgres, Env: []string{programs, "LANG=C.UTF-8", "HOME=/tmp"}})
}

// download has apt-get fetch packages as if nothing were installed, and leaves what it knows of this computer alone.
func download(dir string, names []string) error {
	if err := os.WriteFile(filepath.Join(dir, "status"), nil, 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "partial"), 0o700); err != nil {
		return err
	}
	arguments := []string{"install", "--yes", "--quiet=2", "--download-only", "--no-install-recommends"}
	for _, option := range []string{
		"Dir::State::status=" + dir + "/status", "Dir::State::extended_states=" + dir + "/states",
		"Dir::Cache::archives=" + dir, "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
		"Debug::NoLocking=true", "APT::Sandbox::User=root",
	} {
		arguments = append(arguments, "--option", option)
	}
	var said bytes.Buffer
	fetch := exec.Command("apt-get", append(arguments, names...)...)
	fetch.Stderr = &said
	switch err := fetch.Run(); {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("it is made of Debian's packages, or Ubuntu's, and there is no apt-get here")
	case err != nil:
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("fetching %s: %w: %s (after `apt-get update` they may be there)", strings.Join(names, ", "), err, line)
	}
	return nil
}

// needless are packages that others depend on for their scripts, or for what is slow to begin with, and files nobody reads.
var needless = regexp.MustCompile(`^(libllvm|libz3-|libperl|perl|locales_|dpkg_|usrmerge_)`)

var unread = regexp.MustCompile(`^usr/share/(doc|info|i18n|lintian|locale|man)/|^usr/lib/postgresql/[^/]+/lib/(bitcode/|llvmjit)`)

// root is the file system of an image of packages.
type root struct {
	archive  string
	tar      *tar.Writer
	written  map[string]bool
	programs []string // folders with programs of PostgreSQL
}

// write unpacks the packages of a folder into an archive beside them.
func (r *root) write(dir string) error {
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	r.archive = filepath.Join(dir, "root.tar")
	file, err := os.Create(r.archive)
	if err != nil {
		return err
	}
	defer file.Close()
	r.tar = tar.NewWriter(file)
	if err := r.furnish(); err != nil {
		return err
	}
	for _, one := range packages {
		if needless.MatchString(filepath.Base(one)) {
			continue
		}
		if err := r.unpack(one); err != nil {
			return fmt.Errorf("unpacking %s: %w", filepath.Base(one), err)
		}
	}
	return r.tar.Close()
}

// furnish makes what scripts of packages would.
func (r *root) furnish() error {
	for _, folder := range []string{"bin", "sbin", "lib", "lib64"} {
		link := &tar.Header{Typeflag: tar.TypeSymlink, Name: folder, Linkname: "usr/" + folder, Mode: 0o777}
		if err := r.tar.WriteHeader(link); err != nil {
			return err
		}
	}
	if err := r.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:26:26::/tmp:/bin/sh\n", "etc/group": "root:x:0:\npostgres:x:26:\n",
	} {
		if err := r.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := io.WriteString(r.tar, content); err != nil {
			return err
		}
		r.written[name] = true
	}
	return nil
}

// unpack adds the files of a package.
func (r *root) unpack(archive string) error {
	unpacking := exec.Command("dpkg-deb", "--fsys-tarfile", archive)
	output, err := unpacking.StdoutPipe()
	if err != nil {
		return err
	}
	if err := unpacking.Start(); err != nil {
		return err
	}
	err = r.add(tar.NewReader(output))
	_, _ = io.Copy(io.Discard, output) // else it would wait for ever where that failed
	return errors.Join(err, unpacking.Wait())
}

func (r *root) add(files *tar.Reader) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := merged(header.Name)
		if name == "." || name == "tmp" || unread.MatchString(name) || r.written[name] {
			continue
		}
		r.written[name] = true
		if strings.HasPrefix(name, "usr/lib/postgresql/") && path.Base(name) == "postgres" {
			r.programs = append(r.programs, "/"+path.Dir(name))
		}
		if header.Typeflag == tar.TypeLink {
			header.Linkname = merged(header.Linkname)
		}
		header.Name = name
		if err := r.tar.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(r.tar, files); err != nil {
			return err
		}
	}
}

// merged is where a file is since what was beside /usr is in it.
func merged(name string) string {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	switch first, _, _ := strings.Cut(name, "/"); first {
	case "bin", "sbin", "lib", "lib64":
		return "usr/" + name
	}
	return name
}
