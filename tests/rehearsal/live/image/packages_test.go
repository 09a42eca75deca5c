package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// aptGet is one that has two packages, of which a third is one that nobody needs.
const aptGet = `#!/bin/sh
for argument; do case $argument in Dir::Cache::archives=*) to=${argument#*=} ;; esac; done
[ "$argument" = postgresql ] || { echo "E: Unable to locate package $argument" >&2; exit 100; }
build() {
	mkdir -p "$1/DEBIAN"
	printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n' "$1" >"$1/DEBIAN/control"
	dpkg-deb --build --root-owner-group "$1" "$to/$1_1_all.deb" >/dev/null
}
cd "$to"
mkdir -p pg/usr/lib/postgresql/17/bin pg/bin pg/lib pg/usr/share/man/man1 perl/usr/bin
touch pg/usr/lib/postgresql/17/bin/postgres pg/lib/lib.so pg/usr/share/man/man1/postgres.1 perl/usr/bin/perl
ln -s ../lib/postgresql/17/bin/postgres pg/bin/postgres
build pg
build perl
`

func TestAnImageIsMadeOfPackagesAndWhatTheyNeed(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("packages are unpacked by dpkg-deb, which Debian and Ubuntu have: ", err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "apt-get"), []byte(aptGet), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	made, err := OfPackages(dir, []string{"postgresql"})
	require.NoError(t, err)
	config, err := made.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, Postgres, config.Config.User)
	require.Contains(t, config.Config.Env, "PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin")
	layers, err := made.Layers()
	require.NoError(t, err)
	content, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer content.Close()
	links := map[string]string{}
	var names []string
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		links[header.Name] = header.Linkname
		names = append(names, header.Name)
	}
	require.Equal(t, "usr/bin", links["bin"])
	require.Equal(t, "../lib/postgresql/17/bin/postgres", links["usr/bin/postgres"], "/bin is in /usr")
	require.Contains(t, names, "usr/lib/lib.so")
	require.Contains(t, names, "etc/passwd")
	require.NotContains(t, strings.Join(names, " "), "perl", "its scripts do not run")
	require.NotContains(t, names, "usr/share/man/man1/postgres.1")

	_, err = OfPackages(t.TempDir(), []string{"patroni"})
	require.EqualError(t, err, "fetching patroni: exit status 100: E: Unable to locate package patroni (after `apt-get update` they may be there)")
	t.Setenv("PATH", t.TempDir())
	_, err = OfPackages(t.TempDir(), []string{"postgresql"})
	require.EqualError(t, err, "it is made of Debian's packages, or Ubuntu's, and there is no apt-get here")
}
