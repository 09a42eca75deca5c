package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/live/image"
)

func TestEachProgramGetsALayout(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "traefik")
	folder := filepath.Join(dir, "images")
	for _, version := range []string{"one", "another"} { // which takes the place of the one before
		require.NoError(t, os.WriteFile(program, []byte("#!"+version), 0o755))
		require.NoError(t, run([]string{folder, "traefik:v3.1=" + program, "ghcr.io/org/tool:1=" + program}))
	}
	for name, called := range map[string]string{"traefik": "docker.io/library/traefik:v3.1", "tool": "ghcr.io/org/tool:1"} {
		index, err := layout.ImageIndexFromPath(filepath.Join(folder, name))
		require.NoError(t, err)
		manifest, err := index.IndexManifest()
		require.NoError(t, err)
		require.Len(t, manifest.Manifests, 1)
		require.Equal(t, called, manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
		made, err := index.Image(manifest.Manifests[0].Digest)
		require.NoError(t, err)
		config, err := made.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, []string{"/traefik"}, config.Config.Entrypoint)
		require.Equal(t, image.Nobody, config.Config.User)
	}
	require.ErrorContains(t, run([]string{folder, "traefik=" + program}), "image traefik: has no tag")
	require.ErrorIs(t, run([]string{folder, "traefik:v3=" + folder + "/none"}), os.ErrNotExist)
}
