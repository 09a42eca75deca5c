package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// Whoever looks into a cluster leaves no kubeconfig behind, and nobody else can read it meanwhile.
func TestTheKubeconfigOfALookIsGoneAfterwards(t *testing.T) {
	machine := t.TempDir()
	for name, script := range map[string]string{
		"pulumi": `[ "$*" = 'stack output kubeconfig --stack prod --show-secrets' ] && echo opens-all`,
		"k9s": `cd "$K9S_CONFIG_DIR"; pwd >'` + machine + `/folder'; ls >'` + machine + `/files'
stat -c %a kubeconfig . >'` + machine + `/modes'; grep -q opens-all "$KUBECONFIG" && [ "$STACK $STATUS" = 'prod /bin/status' ] && exit 7`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(machine, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	t.Setenv("PATH", machine+":"+os.Getenv("PATH"))
	err := exec.CommandContext(t.Context(), "../tools/top", "prod", filepath.Join(machine, "k9s"), "/bin/status").Run()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, 7, ended.ExitCode(), "k9s' own")
	require.Equal(t, "600\n700\n", textOf(t, filepath.Join(machine, "modes")))
	require.Equal(t, "aliases.yaml\nconfig.yaml\nhotkeys.yaml\nkubeconfig\nplugins.yaml\nviews.yaml\n", textOf(t, filepath.Join(machine, "files")))
	folder := textOf(t, filepath.Join(machine, "folder"))
	require.NoDirExists(t, folder[:len(folder)-1])
}

// k9s takes the last of two shortcuts that are the same, and says nothing.
func TestEachShortcutOfALookIsOneThing(t *testing.T) {
	t.Parallel()
	type shortcut struct {
		ShortCut, Description, Command string
		Scopes                         []string
	}
	var keys struct{ HotKeys map[string]shortcut }
	require.NoError(t, yaml.UnmarshalStrict([]byte(textOf(t, "../tools/k9s/hotkeys.yaml")), &keys))
	var plugins struct{ Plugins map[string]shortcut }
	require.NoError(t, yaml.Unmarshal([]byte(textOf(t, "../tools/k9s/plugins.yaml")), &plugins))
	page, seen := textOf(t, "../docs/status.md"), map[string]bool{}
	for _, all := range []map[string]shortcut{keys.HotKeys, plugins.Plugins} {
		for name, one := range all {
			require.False(t, seen[one.ShortCut], "%s of %s has two meanings", one.ShortCut, name)
			seen[one.ShortCut] = true
			require.NotEmpty(t, one.Command, name)
			require.Contains(t, page, "`"+one.ShortCut+"`")
		}
	}
}
