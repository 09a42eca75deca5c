package kubernetes

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rehearsal that is interrupted while its first etcd starts leaves a log that nobody could be elected on.
func TestAnEtcdThatNeverAnsweredBeginsAnew(t *testing.T) {
	t.Parallel()
	p := &controlPlane{dir: t.TempDir()}
	log := filepath.Join(p.dir, "etcd", "member", "wal")
	require.NoError(t, p.beginEtcd())
	require.NoError(t, os.MkdirAll(log, 0o700)) // and it is stopped
	require.NoError(t, p.beginEtcd())
	require.NoDirExists(t, log)

	require.NoError(t, os.MkdirAll(log, 0o700))
	require.NoError(t, os.Remove(p.unborn())) // it has answered
	require.NoError(t, p.beginEtcd())
	require.DirExists(t, log)
	require.NoFileExists(t, p.unborn())
}
