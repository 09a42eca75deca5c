package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	ofDatabase = "    database: changelog\n"
	startFrom  = "    startFrom: {}\n"
	restore    = "    restore: {time: \"2026-01-20T10:00:00Z\"}\n"
)

// TestADatabaseComesFromItsBackups starts a new database from a backup, and takes it back in place to a moment of the past, as
// docs/components/postgres.md says.
func TestADatabaseComesFromItsBackups(t *testing.T) {
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	t.Run("what does not exist is not restored", e.restoreNothing)
	e.edit(t, restore, startFrom)
	e.bringUp(t)
	require.Equal(t, "~pgo-bootstrap-changelog", e.requireRestored(t))
	for _, chapter := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a database goes back in place", e.restoreInPlace},
		{"and does so once", e.restoreOnce},
		{"a backup never takes the place of a living database", e.startAnew},
	} {
		if !t.Run(chapter.name, chapter.run) {
			break // what follows builds on it
		}
	}
}

func (e *estate) restoreNothing(t *testing.T) {
	e.edit(t, ofDatabase, ofDatabase+restore)
	e.start(t)
	_, err := e.stack.Preview(t.Context(), optpreview.SuppressProgress())
	require.ErrorContains(t, err, "postgres: restore is for a cluster that exists, and this one does not")
}

func (e *estate) restoreInPlace(t *testing.T) {
	started, volumes := e.servers(t), e.volumes(t)
	e.edit(t, startFrom, restore)
	done := e.change(t)
	require.Equal(t, map[apitype.OpType]int{apitype.OpUpdate: 1}, done.kinds())
	require.Equal(t, "2026-01-20 10:00:00+00", e.requireRestored(t))
	require.True(t, done.step("PostgresCluster::postgres").end.After(e.restoreJob(t).Status.CompletionTime.Time),
		"up waits for the restore")
	for name, server := range e.servers(t) {
		require.NotEqual(t, started[name].uid, server.uid, "%s stopped for the restore", name)
		require.EqualValues(t, 1, server.ready, "up waits for %s", name)
	}
	require.Equal(t, volumes, e.volumes(t), "what is restored is what was there")
}

func (e *estate) restoreOnce(t *testing.T) {
	restored := e.servers(t)
	require.Empty(t, e.change(t).kinds())
	e.edit(t, restore, "")
	require.Equal(t, map[apitype.OpType]int{apitype.OpUpdate: 1}, e.change(t).kinds())
	require.Equal(t, restored, e.servers(t), "nothing is restored, and no server stops")
}

func (e *estate) startAnew(t *testing.T) {
	const refusal = "postgres: startFrom is for a cluster that does not exist yet, and this one does"
	living := e.servers(t)
	e.edit(t, ofDatabase, ofDatabase+startFrom)
	e.load(t)
	_, err := e.stack.Preview(t.Context(), optpreview.SuppressProgress())
	require.ErrorContains(t, err, refusal)
	_, err = e.stack.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, refusal)
	require.Equal(t, living, e.servers(t))
}

// requireRestored returns the name of the last restore, which is over, and which the servers have waited for.
func (e *estate) requireRestored(t *testing.T) string {
	t.Helper()
	text, err := e.cluster.CoreV1().RESTClient().Get().
		AbsPath("/apis/postgres-operator.crunchydata.com/v1/namespaces/changelog/postgresclusters/changelog").DoRaw(t.Context())
	require.NoError(t, err)
	var cluster struct {
		Status struct {
			PGBackRest struct {
				Restore struct {
					ID       string
					Finished bool
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &cluster))
	require.True(t, cluster.Status.PGBackRest.Restore.Finished)
	filled := e.restoreJob(t).Status.CompletionTime
	for name, server := range e.servers(t) {
		require.False(t, server.since.Before(filled.Time), "%s waits for its data", name)
	}
	return cluster.Status.PGBackRest.Restore.ID
}

func (e *estate) restoreJob(t *testing.T) *batchv1.Job {
	t.Helper()
	job, err := e.cluster.BatchV1().Jobs("changelog").Get(t.Context(), "changelog-pgbackrest-restore", metav1.GetOptions{})
	require.NoError(t, err)
	return job
}

// databaseServer is one of the database as it runs.
type databaseServer struct {
	uid   types.UID
	since time.Time
	ready int32
}

func (e *estate) servers(t *testing.T) map[string]databaseServer {
	t.Helper()
	sets, err := e.cluster.AppsV1().StatefulSets("changelog").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, sets.Items, 2)
	servers := map[string]databaseServer{}
	for _, set := range sets.Items {
		servers[set.Name] = databaseServer{uid: set.UID, since: set.CreationTimestamp.Time, ready: set.Status.ReadyReplicas}
	}
	return servers
}

// volumes are the database's, by claim.
func (e *estate) volumes(t *testing.T) map[string]string {
	t.Helper()
	claims, err := e.cluster.CoreV1().PersistentVolumeClaims("changelog").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, claims.Items, 4)
	volumes := map[string]string{}
	for _, claim := range claims.Items {
		volumes[claim.Name] = claim.Spec.VolumeName
	}
	return volumes
}
