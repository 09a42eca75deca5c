package incluster

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func databaseCluster(t *testing.T, text string) *postgresCluster {
	t.Helper()
	wanted := &postgresCluster{}
	require.NoError(t, yaml.Unmarshal([]byte(text), wanted))
	wanted.complete()
	return wanted
}

const shippedCluster = `
metadata: {name: db, namespace: site}
spec:
  postgresVersion: 17
  instances: [{name: pg, walVolumeClaimSpec: {}}]
  users: [{name: app, databases: [app]}]
  config: {parameters: {max_wal_size: 2048MB, shared_preload_libraries: pg_cron, archive_command: rm}}
  patroni: {dynamicConfiguration: {failsafe_mode: true, postgresql: {use_slots: true}}}
  proxy: {pgBouncer: {config: {global: {pool_mode: session, client_tls_sslmode: prefer, auth_user: nobody}}}}
`

func TestServersAreConfiguredAsAskedAndAsTheOperatorHasThem(t *testing.T) {
	t.Parallel()
	wanted := databaseCluster(t, shippedCluster)
	content, err := wanted.patroniConfiguration()
	require.NoError(t, err)
	var configuration struct {
		Scope     string `json:"scope"`
		Bootstrap struct {
			DCS struct {
				Failsafe   bool `json:"failsafe_mode"`
				PostgreSQL struct {
					Slots      bool              `json:"use_slots"`
					Parameters map[string]string `json:"parameters"`
					HBA        []string          `json:"pg_hba"`
				} `json:"postgresql"`
			} `json:"dcs"`
			Initdb []any `json:"initdb"`
		} `json:"bootstrap"`
	}
	require.NoError(t, json.Unmarshal(content, &configuration))
	require.Equal(t, "db-ha", configuration.Scope)
	dynamic := configuration.Bootstrap.DCS
	require.True(t, dynamic.Failsafe)
	require.True(t, dynamic.PostgreSQL.Slots)
	require.Contains(t, configuration.Bootstrap.Initdb, map[string]any{"waldir": "/pgwal/wal"})
	require.Equal(t, "2048MB", dynamic.PostgreSQL.Parameters["max_wal_size"])
	require.Equal(t, "true", dynamic.PostgreSQL.Parameters["archive_command"], "the archive is the operator's")
	require.NotContains(t, dynamic.PostgreSQL.Parameters, "shared_preload_libraries", "which are not in the image")
	rules := dynamic.PostgreSQL.HBA
	require.Equal(t, "local all postgres peer", rules[0])
	require.Equal(t, "hostssl all all all scram-sha-256", rules[len(rules)-1], "nobody connects without TLS")

	wanted.Spec.Authentication.Rules = []hbaRule{
		{Connection: "host", Method: "md5"}, {Connection: "local", Databases: []string{"a", "b"}, Users: []string{"c"}, Method: "peer"},
		{HBA: "host x y all trust"},
	}
	rules = wanted.rules()
	require.Equal(t, []string{"host all all all md5", `local "a","b" "c" peer`, "host x y all trust"}, rules[len(rules)-3:])
}

func TestThePoolerIsConfiguredAsAskedAndAsTheOperatorHasIt(t *testing.T) {
	t.Parallel()
	configuration := databaseCluster(t, shippedCluster).poolerConfiguration()
	require.True(t, strings.HasPrefix(configuration, "[databases]\n* = host=db-primary.site.svc port=5432\n[pgbouncer]\n"))
	require.Contains(t, configuration, "\npool_mode = session\n")
	require.Contains(t, configuration, "\nclient_tls_sslmode = prefer\n")
	require.Contains(t, configuration, "\nauth_user = _crunchypgbouncer\n", "who asks for passwords is the operator's")
}

func TestAServerHasItsVolumesItsKeyAndRoomInMemory(t *testing.T) {
	t.Parallel()
	pod := scheduling{}.pod(corev1.Container{Name: "database"})
	pod.Volumes = []corev1.Volume{{Name: "pgdata"}}
	databaseCluster(t, shippedCluster).serve(&pod, "postgres:1")
	require.Equal(t, "postgres:1", pod.Containers[0].Image)
	mounted := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		mounted[mount.MountPath] = mount.Name
	}
	require.Equal(t, map[string]string{
		"/pgdata": "pgdata", "/tmp": "tmp", "/dev/shm": "dev-shm", "/etc/patroni": "etc-patroni", "/pgconf/tls": "pgconf-tls",
	}, mounted)
	require.EqualValues(t, postgresGID, *pod.SecurityContext.FSGroup)
	require.Equal(t, corev1.FSGroupChangeOnRootMismatch, *pod.SecurityContext.FSGroupChangePolicy, "else no server starts again")
}

func TestTheFirstSQLGoesWithoutExtensionsThatAreNotThere(t *testing.T) {
	t.Parallel()
	const other = "\\connect \"app\"\nALTER DATABASE \"app\" OWNER TO \"app\";\nCREATE EXTENSION IF NOT EXISTS \"pg_trgm\" CASCADE;\n"
	sql, lacking := withoutExtensions(other+"CREATE EXTENSION IF NOT EXISTS \"vector\" CASCADE;\n", []string{"pg_trgm", "citext"})
	require.Equal(t, other, sql)
	require.Equal(t, []string{"vector"}, lacking)
}
