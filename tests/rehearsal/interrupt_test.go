package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary the program.
const asProgram = "REHEARSAL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(command(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// A Ctrl-C reaches all processes of the terminal's group. It comes while the cluster is being created, which is in the account by
// then; what goes on from there has to know of it.
func TestAnInterruptedRehearsalLeavesNoProcessAndIsResumed(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging"}
	program := exec.Command(os.Args[0], "-stack", o.stack)
	program.Env = append(os.Environ(), asProgram+"=1")
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	program.Stdout, program.Stderr = &output, &output
	require.NoError(t, program.Start())
	group := -program.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	require.Eventually(t, func() bool {
		clusters, err := os.ReadDir(filepath.Join(o.dir(), "clusters"))
		return err == nil && len(clusters) > 0
	}, time.Minute, 10*time.Millisecond)
	started := descendants(t, program.Process.Pid)
	require.NotEmpty(t, started)
	for _, pid := range started {
		group, err := syscall.Getpgid(pid)
		require.NoError(t, err)
		require.NotEqual(t, program.Process.Pid, group, "the terminal would interrupt it a second time")
	}

	require.NoError(t, syscall.Kill(group, syscall.SIGINT))
	require.EqualError(t, program.Wait(), "exit status 1", &output)
	require.Contains(t, output.String(), "rehearsal failed: interrupted")
	require.Contains(t, output.String(), "\nReport, to be opened in a browser: file://"+o.root+"/.rehearsal/staging/report.html\n")
	require.ErrorIs(t, syscall.Kill(group, 0), syscall.ESRCH)
	for _, pid := range started {
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	}

	// What an engine leaves that did not end by itself, as after a loss of power.
	lock := filepath.Join(o.dir(), "state", ".pulumi", "locks", "organization", "lke-platform", o.stack, "lost.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(lock), 0o700))
	require.NoError(t, os.WriteFile(lock, []byte("{}"), 0o600))
	o.resume = true
	require.NoError(t, run(t.Context(), o))
	s := readSummary(t, o)
	require.Equal(t, 1, s.Resources["linode:index/lkeCluster:LkeCluster"])
	require.InDelta(t, stagingCost, s.CostPerMonthUSD, 0.001, "nothing is there twice")
}

// descendants are the processes that a process started, and those that they did.
func descendants(t testing.TB, root int) []int {
	t.Helper()
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	require.NoError(t, err)
	parents := map[int]int{}
	for line := range strings.Lines(string(table)) {
		var pid, parent int
		_, err := fmt.Sscan(line, &pid, &parent)
		require.NoError(t, err)
		parents[pid] = parent
	}
	var found []int
	for pid := range parents {
		for ancestor := parents[pid]; ancestor != 0; ancestor = parents[ancestor] {
			if ancestor == root {
				found = append(found, pid)
			}
		}
	}
	slices.Sort(found)
	return found
}
