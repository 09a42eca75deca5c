package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARunningRehearsalIsLeftAlone(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging"}
	lock, err := o.claim()
	require.NoError(t, err)
	state := filepath.Join(o.dir(), "linode", "linode.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(state), 0o700))
	require.NoError(t, os.WriteFile(state, nil, 0o600))

	const refusal = "stack staging is being rehearsed, or kept as a sandbox: end that first"
	require.ErrorContains(t, run(t.Context(), o), refusal)
	require.ErrorContains(t, clean(o.root), refusal)
	require.FileExists(t, state)

	require.NoError(t, lock.Close())
	require.NoError(t, clean(o.root))
	require.NoDirExists(t, filepath.Join(o.root, ".rehearsal"))
}

// What a run that never came to its summary left is not to be taken for this one's.
func TestAFailureToStartLeavesNoSummary(t *testing.T) {
	o := options{root: repository(t, asItIs), stack: "staging", resume: true}
	require.NoError(t, os.MkdirAll(o.dir(), 0o700))
	require.NoError(t, os.WriteFile(o.summaryFile(), []byte(`{"result": "succeeded"}`), 0o600))
	require.NoError(t, os.WriteFile(o.stackFile(), []byte("config: ["), 0o600))

	require.ErrorContains(t, run(t.Context(), o), "reading "+o.stackFile())
	require.NoFileExists(t, o.summaryFile())
}
