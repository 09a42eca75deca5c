package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// goStandIn pins a version, and builds as `go build` does: it does not overwrite what is no program of Go's.
const goStandIn = `#!/bin/sh
case $1 in
list) echo v2.9.9 ;;
build)
	while [ "$1" != -o ]; do shift; done
	[ ! -e "$2" ] && printf '#!/bin/sh\necho built\n' >"$2" && chmod +x "$2" ;;
esac
`

func TestAProgramOnPathIsTakenOnlyWhereItsVersionSuits(t *testing.T) {
	root, machine := t.TempDir(), t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "tools"), os.DirFS("../../tools")))
	onPath := filepath.Join(machine, "golangci-lint")
	setVersion := func(version string) {
		require.NoError(t, os.WriteFile(onPath, []byte("#!/bin/sh\necho "+version+" \"$@\"\n"), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(machine, "go"), []byte(goStandIn), 0o700))
	t.Setenv("PATH", machine+":/usr/bin:/bin")
	output := func(program string, arguments ...string) string {
		printed, err := exec.Command(program, arguments...).CombinedOutput()
		require.NoError(t, err, string(printed))
		return string(printed)
	}
	install, installed := filepath.Join(root, "tools", "install"), filepath.Join(root, ".bin", "golangci-lint")
	const built = "tool-chain: golangci-lint v2.9.9 is built from its module, which is done once\n"

	setVersion("2.9.9")
	require.Equal(t, "tool-chain: golangci-lint v2.9.9 is "+onPath+"\n", output(install, "golangci-lint"))
	require.Equal(t, "2.9.9 a b\n", output(installed, "a", "b"))
	require.Empty(t, output(install, "golangci-lint"), "nothing has changed")

	setVersion("2.10.0")
	require.Equal(t, built, output(install, "golangci-lint"))
	require.Equal(t, "built\n", output(installed))

	setVersion("2.9.9")
	output(install, "golangci-lint")
	require.NoError(t, os.Remove(onPath))
	require.Equal(t, built, output(install, "golangci-lint"), "it is gone from the machine")
}
