//go:build linux

package live

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/live/image"
	"lke-platform/tests/rehearsal/live/spec"
)

// program writes what is taken for one.
func program(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("#!"+name), 0o755))
	return path
}

// writeLayout writes an OCI layout of an image.
func writeLayout(t *testing.T, dir string, image v1.Image, annotations map[string]string) {
	t.Helper()
	path, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	require.NoError(t, path.AppendImage(image, layout.WithAnnotations(annotations)))
}

func TestImagesAreFoundByTheirNames(t *testing.T) {
	dir, hand := t.TempDir(), t.TempDir()
	played, err := image.Of(program(t, dir, "played"))
	require.NoError(t, err)
	digest, err := played.Digest()
	require.NoError(t, err)
	writeLayout(t, filepath.Join(hand, "web"), played, map[string]string{"org.opencontainers.image.ref.name": "ghcr.io/org/web:1.2"})
	tag, err := name.NewTag("nginx:1.29")
	require.NoError(t, err)
	require.NoError(t, tarball.WriteToFile(filepath.Join(hand, "nginx.tar"), tag, played))
	require.NoError(t, os.WriteFile(filepath.Join(hand, "README"), nil, 0o600))

	program(t, dir, "coredns")
	packed, err := pack(Options{
		Bin: dir, Dir: filepath.Join(dir, "kept"), Images: []string{hand},
		Programs: map[string]string{"ghcr.io/org/certsync@sha256:" + digest.Hex: program(t, dir, "certsync")},
	})
	require.NoError(t, err)
	found := readList(t, packed.list())
	require.Len(t, found, 6)
	for _, called := range []string{
		spec.Played, "ghcr.io/org/certsync", "registry.k8s.io/coredns/coredns",
		"ghcr.io/org/web:1.2", "ghcr.io/org/web@" + digest.String(), "docker.io/library/nginx:1.29",
	} {
		imported, err := name.NewTag(spec.Imported)
		require.NoError(t, err)
		unpacked, err := tarball.ImageFromPath(found[called], &imported)
		require.NoError(t, err, called)
		config, err := unpacked.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, runtime.GOARCH, config.Architecture)
		require.Equal(t, image.Nobody, config.Config.User)
	}
}

// The test app stands in for an application whose image is not at hand in the very version.
func TestTheTestAppStandsIn(t *testing.T) {
	dir, made, hand := t.TempDir(), t.TempDir(), t.TempDir()
	played, err := image.Of(program(t, dir, "played"))
	require.NoError(t, err)
	writeLayout(t, filepath.Join(made, "app"), played, map[string]string{"org.opencontainers.image.ref.name": spec.App})
	writeLayout(t, filepath.Join(hand, "web"), played, map[string]string{"org.opencontainers.image.ref.name": "ghcr.io/org/web:1.2"})
	program(t, dir, "coredns")
	options := Options{
		Bin: dir, Dir: filepath.Join(dir, "kept"), Images: []string{made, hand},
		Apps: []string{"ghcr.io/org/web:1.2", "shop@sha256:" + strings.Repeat("ab", 32)},
	}
	packed, err := pack(options)
	require.NoError(t, err)
	require.Equal(t, []string{"docker.io/library/" + options.Apps[1]}, packed.standIns)
	found := readList(t, packed.list())
	require.Equal(t, found[spec.App], found["docker.io/library/shop"])
	options.Images = nil
	packed, err = pack(options)
	require.NoError(t, err)
	require.Empty(t, packed.standIns, "nor is the test app at hand")
}

// All that is wrong with the images at hand is told at once.
func TestImagesThatCannotBeTaken(t *testing.T) {
	dir, hand := t.TempDir(), t.TempDir()
	played, err := image.Of(program(t, dir, "played"))
	require.NoError(t, err)
	config, err := played.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.Architecture = "riscv64"
	foreign, err := mutate.ConfigFile(played, config)
	require.NoError(t, err)
	named := map[string]string{"io.containerd.image.name": "docker.io/library/web:1"}
	writeLayout(t, filepath.Join(hand, "foreign"), foreign, named)
	writeLayout(t, filepath.Join(hand, "nameless"), played, map[string]string{"org.opencontainers.image.ref.name": "latest"})
	writeLayout(t, filepath.Join(hand, "damaged"), played, named)
	layers, err := played.Layers()
	require.NoError(t, err)
	digest, err := layers[0].Digest()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(hand, "damaged", "blobs", "sha256", digest.Hex), []byte("torn"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(hand, "torn.tar"), []byte("no archive"), 0o600))

	program(t, dir, "coredns")
	_, err = pack(Options{Bin: dir, Dir: filepath.Join(dir, "kept"), Images: []string{hand}})
	require.ErrorContains(t, err, hand+"/foreign: is for riscv64, and this computer is "+runtime.GOARCH)
	require.ErrorContains(t, err, hand+`/nameless: says no whole name of an image (org.opencontainers.image.ref.name), but "latest"`)
	require.ErrorContains(t, err, hand+"/damaged: is damaged")
	require.ErrorContains(t, err, hand+"/torn.tar: is damaged")
}
