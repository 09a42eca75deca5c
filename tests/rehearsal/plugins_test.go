package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	fastlyplugin "lke-platform/tests/rehearsal/plugins/fastly"
	kubernetesplugin "lke-platform/tests/rehearsal/plugins/kubernetes"
	linodeplugin "lke-platform/tests/rehearsal/plugins/linode"
)

func TestOnlyThePluginThatTheEngineWantsTakesTheStandInsPlace(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PULUMI_HOME", home)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "plugins", "resource-linode-v4.38.0"), 0o700))
	require.False(t, installed("linode", linodeplugin.Version))
	require.NoError(t, os.Mkdir(filepath.Join(home, "plugins", "resource-linode-v"+linodeplugin.Version), 0o700))
	require.True(t, installed("linode", linodeplugin.Version))
}

// The official Kubernetes plugin would stop at the first chart that is missing, in the middle of a preview.
func TestTheOfficialKubernetesPluginWantsAllCharts(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging"}
	plugin := "resource-kubernetes-v" + kubernetesplugin.Version
	require.NoError(t, os.MkdirAll(filepath.Join(os.Getenv("PULUMI_HOME"), "plugins", plugin), 0o700))
	own := ownChart(t, o.root)
	err := run(t.Context(), o)
	require.ErrorContains(t, err, "make charts")
	require.ErrorContains(t, err, ".charts/traefik-")
	require.NotContains(t, err.Error(), own, "it is at hand")
}

// What `make rehearse` had downloaded does for who has no plugins, and the one of Kubernetes only where the charts could be had too.
func TestPluginsThatWereDownloadedTakeTheStandInsPlaces(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging", plugins: t.TempDir()}
	for _, plugin := range []string{"linode-v" + linodeplugin.Version, "kubernetes-v" + kubernetesplugin.Version} {
		require.NoError(t, os.Mkdir(filepath.Join(o.plugins, "resource-"+plugin), 0o700))
	}
	w, err := startWorld(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	require.Equal(t, []string{"fastly", "kubernetes"}, w.standIns)
}

// The engine wants the plugins' versions that the SDKs name, which are the SDKs' own.
func TestStandInsAreOfTheSDKsVersions(t *testing.T) {
	modules := readFile(t, "go.mod")
	for _, module := range []string{
		"pulumi-linode/sdk/v4 v" + linodeplugin.Version,
		"pulumi-fastly/sdk/v8 v" + fastlyplugin.Version,
		"pulumi-kubernetes/sdk/v4 v" + kubernetesplugin.Version,
	} {
		require.Contains(t, modules, "github.com/pulumi/"+module+" ")
	}
}
