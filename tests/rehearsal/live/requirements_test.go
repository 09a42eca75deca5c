//go:build linux

package live

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lke-platform/tests/rehearsal/live/spec"
)

// Who is not root is told before anything is begun.
func TestRootIsAskedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	err := apart(func() error {
		if os.Geteuid() == 0 { // this thread is somebody else from now on, and ends
			if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, math.MaxUint32, 65534, math.MaxUint32); err != 0 {
				return err
			}
		}
		_, err := New(Options{Dir: dir})
		return err
	})
	require.ErrorContains(t, err, `sudo env PATH="$PATH" make rehearse LIVE=1`)
	require.NoDirExists(t, dir)
}

func TestMemoryIsAskedForByNode(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkMemory(0))
	require.ErrorContains(t, checkMemory(100_000), fmt.Sprintf("100000 nodes need %d MiB of memory, and ", ownMiB+100_000*machineMiB))
}

func TestDiskIsAskedForByNode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	require.ErrorContains(t, checkDisk(dir, 100_000_000), "MiB are free in "+dir)
}

// A container may have less memory than its computer.
func TestTheMemoryOfAContainerIsItsLimit(t *testing.T) {
	t.Parallel()
	unlimited, one, two := t.TempDir(), t.TempDir(), t.TempDir()
	for path, limit := range map[string]string{
		filepath.Join(unlimited, "memory.max"): "max", filepath.Join(one, "memory.limit_in_bytes"): "9223372036854771712",
		filepath.Join(two, "memory.max"): "2147483648",
	} {
		require.NoError(t, os.WriteFile(path, []byte(limit+"\n"), 0o600))
	}
	require.Equal(t, math.MaxInt, memoryLimit([]hierarchy{{path: unlimited}, {path: t.TempDir()}}))
	require.Equal(t, 2<<30, memoryLimit([]hierarchy{{path: unlimited}, {path: one}, {path: two}}))
}

// Machines get what their Linodes have, whichever version of control groups a computer has.
func TestGroupsAreLimited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, content := range map[string]string{"unified/cgroup.controllers": "cpuset cpu io memory pids\n", "one/cgroup.controllers": ""} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600))
	}
	machine := spec.Machine{CPUs: 2, MemoryMiB: 4096, ControlGroup: "/" + groupName + "/node"}
	for mounts, limits := range map[string]map[string]string{
		"30 23 0:26 / {dir}/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n": {
			"unified/{group}/memory.max": "4294967296", "unified/{group}/cpu.max": "200000 100000",
		},
		"32 31 0:29 / {dir}/cpu rw - cgroup cgroup rw,cpu\n35 31 0:32 / {dir}/memory rw - cgroup cgroup rw,memory\n" +
			"41 31 0:38 / {dir}/one rw - cgroup2 cgroup2 rw\n": {
			"cpu/{group}/cpu.cfs_quota_us": "200000", "memory/{group}/memory.limit_in_bytes": "4294967296",
		},
	} {
		all, err := hierarchiesIn(strings.NewReader(strings.ReplaceAll(mounts, "{dir}", dir)))
		require.NoError(t, err)
		for _, h := range all {
			require.NoError(t, h.makeGroup(machine))
		}
		for path, limit := range limits {
			content, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(path, "{group}", machine.ControlGroup)))
			require.NoError(t, err)
			require.Equal(t, limit, string(content))
		}
	}
	require.NoFileExists(t, filepath.Join(dir, "one", machine.ControlGroup, "memory.max"))
}
