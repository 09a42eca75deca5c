package tests

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/objectstorage"
	"lke-platform/components/postgres"
)

const (
	postgresType        = "kubernetes:postgres-operator.crunchydata.com/v1:PostgresCluster"
	postgresMonitorType = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
	loadJobType         = "kubernetes:batch/v1:Job"
	kubeSecretType      = "kubernetes:core/v1:Secret"
	passphrase          = "the-passphrase"
	dumpURL             = "https://example.com/dump?signature=the-signature"
)

func postgresArgs() postgres.Args {
	args := postgres.Defaults()
	args.Backups.Encryption = "backup-passphrase"
	args.Name = "db"
	args.Namespace = pulumi.String("changelog")
	args.StorageClass = pulumi.String("platform-retain")
	args.SecretValues = pulumi.StringMap{
		"backup-passphrase": pulumi.String(passphrase),
		"dump":              pulumi.String(dumpURL),
		"prod-access":       pulumi.String("the-access-key-of-prod"),
		"prod-secret":       pulumi.String("the-secret-key-of-prod"),
	}
	return args
}

// declarePostgres declares an operator, a bucket and a cluster as a stack does, and an app that asks for the cluster's Secret.
func declarePostgres(t *testing.T, edit func(*postgres.Args)) *graph {
	t.Helper()
	args := postgresArgs()
	if edit != nil {
		edit(&args)
	}
	return declareBuckets(t, func(ctx *pulumi.Context) error {
		operator, err := postgres.NewOperator(ctx, "postgres-operator", &args.Operator)
		if err != nil {
			return err
		}
		bucket, err := objectstorage.New(ctx, "backups", &objectstorage.Args{
			Region: "us-east", Prefix: "lke-platform-test", Purpose: "backups",
		})
		if err != nil {
			return err
		}
		args.Repository = postgres.Repository{
			Bucket: bucket.Name, Endpoint: bucket.Endpoint, Region: bucket.Region,
			AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey,
		}
		cluster, err := postgres.New(ctx, "postgres", &args, pulumi.DependsOn(operator.Ready))
		if err != nil {
			return err
		}
		return newProbe(ctx, cluster.SecretName)
	})
}

// newProbe declares something that needs a value.
func newProbe(ctx *pulumi.Context, value pulumi.StringInput) error {
	var probe struct{ pulumi.CustomResourceState }
	return ctx.RegisterResource("test:index:Probe", "probe", pulumi.Map{"value": value}, &probe)
}

// clusterSpec is what a cluster asks of the operator.
func clusterSpec(t *testing.T, g *graph) any {
	t.Helper()
	return reveal(g.find(t, postgresType, "postgres").inputs["spec"])
}

// instance is what it says of its servers.
func postgresServer(t *testing.T, g *graph) any {
	t.Helper()
	return at(clusterSpec(t, g), "instances").([]any)[0]
}

func TestNoTwoServersOfADatabaseShareANode(t *testing.T) {
	t.Parallel()
	instance := postgresServer(t, declarePostgres(t, nil))
	require.InDelta(t, 2, at(instance, "replicas"), 0)
	terms := at(instance, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution").([]any)
	require.Equal(t, "kubernetes.io/hostname", at(terms[0], "topologyKey"))
	require.Equal(t, map[string]any{
		"postgres-operator.crunchydata.com/cluster": "db", "postgres-operator.crunchydata.com/instance-set": "pg",
	}, at(terms[0], "labelSelector", "matchLabels"))
	require.Equal(t, "platform-data", at(instance, "priorityClassName"))
}

// A server is not replaced while its node may still run it, so that leaving in haste only turns a hiccup into a failover, or
// begins a restore anew.
func TestServersDoNotLeaveInHaste(t *testing.T) {
	t.Parallel()
	spec := clusterSpec(t, declarePostgres(t, func(args *postgres.Args) {
		args.Restore = &postgres.Restore{Time: "2026-01-02T03:04:05Z"}
	}))
	require.NotContains(t, at(spec, "instances").([]any)[0], "tolerations")
	require.NotContains(t, at(spec, "backups", "pgbackrest", "restore"), "tolerations")
	require.NotContains(t, at(spec, "backups", "pgbackrest", "jobs"), "tolerations")
	require.Len(t, at(spec, "proxy", "pgBouncer", "tolerations"), 2, "poolers hold nothing and run twice")
}

// Who breaks into the database is not to carry it away to anywhere.
func TestTheDatabaseConnectsToLittle(t *testing.T) {
	t.Parallel()
	g := deployed(t, "prod")
	for name, test := range map[string]struct {
		policy, label, value string
		ports                []any
	}{
		"servers": {"changelog-database-bound", "postgres-operator.crunchydata.com/data", "postgres", []any{53.0, 53.0, 443.0, 6443.0}},
		"poolers": {"changelog-pooler-bound", "postgres-operator.crunchydata.com/role", "pgbouncer", []any{53.0, 53.0}},
		"grafana": {"monitoring-grafana-bound", "app.kubernetes.io/name", "grafana", []any{53.0, 53.0, 443.0, 6443.0, 3100.0}},
		"state":   {"monitoring-state-metrics-bound", "app.kubernetes.io/name", "kube-state-metrics", []any{53.0, 53.0, 443.0, 6443.0}},
	} {
		spec := reveal(g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", test.policy).inputs["spec"])
		require.Equal(t, map[string]any{test.label: test.value}, at(spec, "podSelector", "matchLabels"), name)
		require.Equal(t, []any{"Egress"}, at(spec, "policyTypes"), name)
		rules := at(spec, "egress").([]any)
		require.Len(t, rules, 2)
		require.NotEmpty(t, at(rules[0], "to"), "its own namespace")
		var ports []any
		for _, port := range at(rules[1], "ports").([]any) {
			ports = append(ports, at(port, "port"))
		}
		require.Equal(t, test.ports, ports, name)
	}
}

// The primary's lock is an object of Kubernetes: without the fail-safe it steps down while the API server is restarted.
func TestTheDatabaseOutlivesTheAPIServer(t *testing.T) {
	t.Parallel()
	spec := clusterSpec(t, declarePostgres(t, nil))
	require.Equal(t, true, at(spec, "patroni", "dynamicConfiguration", "failsafe_mode"))
}

func TestConnectionsToALostNodeAreGivenUpInHalfAMinute(t *testing.T) {
	t.Parallel()
	spec := clusterSpec(t, declarePostgres(t, nil))
	number := func(value any) int {
		n, err := strconv.Atoi(value.(string))
		require.NoError(t, err)
		return n
	}
	for _, end := range []struct{ settings, idle, interval, count any }{
		{at(spec, "config", "parameters"), "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"},
		{at(spec, "proxy", "pgBouncer", "config", "global"), "tcp_keepidle", "tcp_keepintvl", "tcp_keepcnt"},
	} {
		seconds := func(name any) int { return number(at(end.settings, name.(string))) }
		require.LessOrEqual(t, seconds(end.idle)+seconds(end.interval)*seconds(end.count), 30)
		require.LessOrEqual(t, seconds("tcp_user_timeout"), 30_000, "in milliseconds, for what was sent and not acknowledged")
	}
	require.LessOrEqual(t, number(at(spec, "proxy", "pgBouncer", "config", "global", "server_connect_timeout")), 5)

	spec = clusterSpec(t, declarePostgres(t, func(args *postgres.Args) {
		args.Parameters = map[string]string{"tcp_user_timeout": "0"}
	}))
	require.Equal(t, "0", at(spec, "config", "parameters", "tcp_user_timeout"), "what is configured wins")
}

// Incident I4: a replica stopped replicating, and the log that was kept for it filled the primary's disk.
func TestNothingThatPilesUpFillsTheDisk(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"10Gi", "40Gi"} {
		g := declarePostgres(t, func(args *postgres.Args) { args.WALStorage = size })
		spec := clusterSpec(t, g)
		require.Equal(t, size, at(postgresServer(t, g), "walVolumeClaimSpec", "resources", "requests", "storage"),
			"the log has a volume of its own")
		require.Equal(t, false, at(spec, "patroni", "dynamicConfiguration", "postgresql", "use_slots"),
			"nothing is kept for a replica that is gone")
		volume := resourceBytes(t, size)
		for name, value := range map[string]any{
			"checkpoints":    at(spec, "config", "parameters", "max_wal_size"),
			"a dead slot":    at(spec, "config", "parameters", "max_slot_wal_keep_size"),
			"a dead archive": at(spec, "backups", "pgbackrest", "global", "archive-push-queue-max"),
		} {
			amount := strings.TrimSuffix(strings.TrimSuffix(value.(string), "MB"), "MiB") + "Mi"
			require.LessOrEqual(t, resourceBytes(t, amount), volume*6/10, name)
			require.GreaterOrEqual(t, resourceBytes(t, amount), volume/5, name)
		}
	}
}

func resourceBytes(t *testing.T, quantity string) int64 {
	t.Helper()
	parsed, err := apiresource.ParseQuantity(quantity)
	require.NoError(t, err)
	return parsed.Value()
}

func TestBackupsAreEncryptedAndKeptForDays(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, nil)
	backups := at(clusterSpec(t, g), "backups", "pgbackrest")
	for option, value := range map[string]string{
		"repo1-path": "/db", "repo1-s3-uri-style": "path", "repo1-cipher-type": "aes-256-cbc",
		"repo1-retention-full": "14", "repo1-retention-full-type": "time",
	} {
		require.Equal(t, value, at(backups, "global", option), option)
	}
	require.Equal(t, []any{map[string]any{
		"name":      "repo1",
		"s3":        map[string]any{"bucket": "lke-platform-test-backups", "endpoint": "us-east-1.linodeobjects.com", "region": "us-east-1"},
		"schedules": map[string]any{"full": "0 3 * * 0", "differential": "0 3 * * 1-6"},
	}}, at(backups, "repos"))
	require.Equal(t, "[global]\nrepo1-s3-key=the-access-key\nrepo1-s3-key-secret="+secret+"\nrepo1-cipher-pass="+passphrase+"\n",
		at(reveal(g.find(t, kubeSecretType, "postgres").inputs["stringData"]), "s3.conf"))
}

func TestSecretsOfADatabaseStandInSecretsOnly(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, func(args *postgres.Args) { args.Load = &postgres.Load{URL: "dump"} })
	for key, node := range g.resources {
		values := resource.NewProperty(node.inputs)
		if strings.HasPrefix(key, kubeSecretType) {
			require.True(t, node.inputs["stringData"].ContainsSecrets(), key)
			continue
		}
		for _, value := range []string{secret, passphrase, "the-signature", "the-access-key"} {
			require.NotContains(t, values.String(), value, key)
		}
	}
}

func TestTheAppsRoleIsAnOrdinaryOne(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, func(args *postgres.Args) { args.Database = "changelog" })
	require.Equal(t, []any{map[string]any{
		"name": "changelog", "databases": []any{"changelog"}, "password": map[string]any{"type": "AlphaNumeric"},
	}}, at(clusterSpec(t, g), "users"))
	require.Equal(t, "\\set ON_ERROR_STOP on\nALTER DATABASE \"changelog\" OWNER TO \"changelog\";\n", firstSQL(t, g))
	require.Equal(t, "db-pguser-changelog", reveal(g.find(t, "test:index:Probe", "probe").inputs["value"]))
}

func firstSQL(t *testing.T, g *graph) any {
	t.Helper()
	return at(reveal(g.find(t, "kubernetes:core/v1:ConfigMap", "postgres").inputs["data"]), "init.sql")
}

// What an app calls its database is PostgreSQL's affair; only the role is part of names in Kubernetes.
func TestADatabaseHasTheNameThatTheAppKnows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ database, user, role string }{
		{"changelog_production", "", "changelog-production"},
		{"Discourse", "", "discourse"},
		{"my.app_", "", "my-app"},
		{"changelog_production", "web", "web"},
	} {
		g := declarePostgres(t, func(args *postgres.Args) { args.Database, args.User = test.database, test.user })
		user := at(clusterSpec(t, g), "users").([]any)[0]
		require.Equal(t, test.role, at(user, "name"))
		require.Equal(t, []any{test.database}, at(user, "databases"))
		require.Contains(t, firstSQL(t, g), `ALTER DATABASE "`+test.database+`" OWNER TO "`+test.role+`";`)
		require.Equal(t, "db-pguser-"+test.role, reveal(g.find(t, "test:index:Probe", "probe").inputs["value"]))
	}
}

func TestTheSuperuserCreatesExtensionsInTheAppsDatabase(t *testing.T) {
	t.Parallel()
	setup := func(extensions ...string) (*graph, resource.PropertyMap) {
		g := declarePostgres(t, func(args *postgres.Args) { args.Extensions = extensions })
		return g, g.find(t, "kubernetes:core/v1:ConfigMap", "postgres").inputs
	}
	g, one := setup("vector")
	require.Equal(t, "\\set ON_ERROR_STOP on\nALTER DATABASE \"app\" OWNER TO \"app\";\n"+
		"\\connect \"app\"\nCREATE EXTENSION IF NOT EXISTS \"vector\" CASCADE;\n", firstSQL(t, g))

	// The operator runs it once: what comes later is told, and nothing else is.
	require.Equal(t, []string{"postgres-setup"}, g.find(t, "kubernetes:core/v1:ConfigMap", "postgres").request.GetHooks().GetBeforeUpdate())
	_, two := setup("vector", "uuid-ossp")
	_, none := setup()
	create := func(extension string) postgres.Statement {
		return postgres.Statement{Database: "app", SQL: `CREATE EXTENSION IF NOT EXISTS "` + extension + `" CASCADE;`}
	}
	require.Equal(t, []postgres.Statement{create("uuid-ossp")}, postgres.Late(one, two))
	require.Equal(t, []postgres.Statement{create("vector"), create("uuid-ossp")}, postgres.Late(none, two))
	require.Empty(t, postgres.Late(two, one))
}

// The operator writes the URIs of a role's first database into its Secret, and no others.
func TestAnAppIsToldOfTheDatabaseThatItNames(t *testing.T) {
	t.Parallel()
	told := func(entries string) (*graph, error) {
		return deploy(t, copyStack(t, "staging", func(text string) string {
			return strings.NewReplacer(
				"    database: changelog\n", "    database: changelog\n    databases: [{name: cache, user: changelog}, {name: reports}]\n",
				"    health:\n", "    database: {"+entries+"}\n    health:\n").Replace(text)
		}), "staging")
	}
	g, err := told("URL: changelog/uri, NAME: cache/dbname, HOST: cache/host, REPORTS: reports/uri")
	require.NoError(t, err)
	variables := reveal(only(t, podOf(g.find(t, deploymentType, "app").inputs)["containers"])["env"])
	require.Contains(t, variables, map[string]any{"name": "NAME", "value": "cache"})
	for name, secretKey := range map[string][2]string{
		"URL": {"changelog", "uri"}, "HOST": {"changelog", "host"}, "REPORTS": {"reports", "uri"},
	} {
		require.Contains(t, variables, map[string]any{"name": name, "valueFrom": map[string]any{
			"secretKeyRef": map[string]any{"name": "changelog-pguser-" + secretKey[0], "key": secretKey[1]},
		}})
	}
	for _, key := range []string{"uri", "jdbc-uri", "pgbouncer-uri", "pgbouncer-jdbc-uri"} {
		_, err := told("URL: cache/" + key)
		require.ErrorContains(t, err, `app.database[URL]: Invalid value: "cache/`+key+`": leads to the first database of that user`)
	}
}

// A second database, of a role of its own or of the first's, and roles for people.
func TestAClusterHasSeveralDatabasesAndReaders(t *testing.T) {
	t.Parallel()
	setup := func(edit func(*postgres.Args)) (*graph, resource.PropertyMap) {
		g := declarePostgres(t, func(args *postgres.Args) {
			args.Database, args.Extensions = "shop", []string{"citext"}
			edit(args)
		})
		return g, g.find(t, "kubernetes:core/v1:ConfigMap", "postgres").inputs
	}
	g, all := setup(func(args *postgres.Args) {
		args.Databases = []postgres.Database{{Name: "shop_cache", User: "shop"}, {Name: "reports", Extensions: []string{"citext", "tablefunc"}}}
		args.Readers = []string{"metabase"}
	})
	password := map[string]any{"type": "AlphaNumeric"}
	require.Equal(t, []any{
		map[string]any{"name": "shop", "databases": []any{"shop", "shop_cache"}, "password": password},
		map[string]any{"name": "reports", "databases": []any{"reports"}, "password": password},
		map[string]any{"name": "metabase", "password": password},
	}, at(clusterSpec(t, g), "users"), "whom the operator gives a database may write to it")
	require.Equal(t, `\set ON_ERROR_STOP on
ALTER DATABASE "shop" OWNER TO "shop";
\connect "shop"
CREATE EXTENSION IF NOT EXISTS "citext" CASCADE;
\connect "postgres"
ALTER DATABASE "shop_cache" OWNER TO "shop";
ALTER DATABASE "reports" OWNER TO "reports";
\connect "reports"
CREATE EXTENSION IF NOT EXISTS "citext" CASCADE;
CREATE EXTENSION IF NOT EXISTS "tablefunc" CASCADE;
\connect "postgres"
GRANT pg_read_all_data TO "metabase";
`, firstSQL(t, g))
	_, before := setup(func(*postgres.Args) {})
	late := postgres.Late(before, all)
	require.Len(t, late, 5)
	require.Contains(t, late, postgres.Statement{Database: "reports", SQL: `CREATE EXTENSION IF NOT EXISTS "citext" CASCADE;`},
		"the other database has it, this one not")
}

func TestExtensionsComeWithTheImageThatHasThem(t *testing.T) {
	t.Parallel()
	spec := func(edit func(*postgres.Args)) map[string]any {
		return clusterSpec(t, declarePostgres(t, edit)).(map[string]any)
	}
	require.NotContains(t, spec(nil), "postGISVersion")
	require.Equal(t, "3.4", spec(func(args *postgres.Args) {
		args.Databases = []postgres.Database{{Name: "maps", Extensions: []string{"postgis"}}}
	})["postGISVersion"])
	own := spec(func(args *postgres.Args) {
		args.Image, args.Extensions = "registry.example/postgres:17", []string{"hypopg", "postgis"}
	})
	require.Equal(t, "registry.example/postgres:17", own["image"])
	require.NotContains(t, own, "postGISVersion", "which names an image of the operator's")
}

func TestWhoUsesADatabaseWaitsUntilItIsThere(t *testing.T) {
	t.Parallel()
	const app = "test:index:Probe probe"
	g := declarePostgres(t, nil)
	for _, edge := range [][2]string{
		{app, postgresType + " postgres"},
		{postgresType + " postgres", releaseType + " postgres-operator"},
		{postgresType + " postgres", bucketType + " backups"},
		{postgresType + " postgres", bucketKeyType + " backups"},
		{postgresMonitorType + " postgres-monitor", releaseType + " postgres-operator"},
	} {
		require.True(t, g.waitsFor(edge[0], edge[1]), "%s: %s", edge[0], edge[1])
	}
	annotations := at(reveal(g.find(t, postgresType, "postgres").inputs["metadata"]), "annotations")
	require.JSONEq(t, `["jsonpath={.status.instances[0].readyReplicas}=2",
		"jsonpath={.status.proxy.pgBouncer.readyReplicas}=2", "jsonpath={.status.databaseInitSQL}",
		"jsonpath={.status.pgbackrest.repos[0].stanzaCreated}=true"]`,
		at(annotations, "pulumi.com/waitFor").(string))
	require.Equal(t, "1800", at(annotations, "pulumi.com/timeoutSeconds"))

	loaded := declarePostgres(t, func(args *postgres.Args) { args.Load = &postgres.Load{URL: "dump"} })
	require.True(t, loaded.waitsFor(app, loadJobType+" postgres-load"))
	require.True(t, loaded.waitsFor(loadJobType+" postgres-load", postgresType+" postgres"))
	require.Equal(t, "db-pguser-app", reveal(loaded.find(t, "test:index:Probe", "probe").inputs["value"]))
}

func TestOnlyTheClusterItselfIsProtected(t *testing.T) {
	t.Parallel()
	for _, protect := range []bool{true, false} {
		g := declarePostgres(t, func(args *postgres.Args) { args.Protect = protect })
		for key, node := range g.resources {
			require.Equal(t, protect && key == postgresType+" postgres", node.request.GetProtect(), key)
		}
	}
}

func TestARestoreGoesBackInPlace(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, func(args *postgres.Args) { args.Restore = &postgres.Restore{Time: "2026-01-20T12:00:00+02:00"} })
	spec := clusterSpec(t, g)
	restore := at(spec, "backups", "pgbackrest", "restore")
	require.Equal(t, true, at(restore, "enabled"))
	require.Equal(t, "repo1", at(restore, "repoName"))
	require.Equal(t, []any{"--type=time", `--target="2026-01-20 10:00:00+00"`}, at(restore, "options"),
		"the operator hands options to a shell as they are")
	require.Equal(t, "2026-01-20 10:00:00+00", at(reveal(g.find(t, postgresType, "postgres").inputs["metadata"]),
		"annotations", "postgres-operator.crunchydata.com/pgbackrest-restore"), "another time is another restore")
	require.NotContains(t, spec, "dataSource", "it would tear the servers down")
}

func TestANewClusterStartsFromABackup(t *testing.T) {
	t.Parallel()
	own := declarePostgres(t, func(args *postgres.Args) { args.StartFrom = &postgres.StartFrom{} })
	source := at(clusterSpec(t, own), "dataSource", "pgbackrest")
	require.Equal(t, "lke-platform-test-backups", at(source, "repo", "s3", "bucket"))
	require.Equal(t, at(clusterSpec(t, own), "backups", "pgbackrest", "configuration"), at(source, "configuration"))
	require.NotContains(t, source, "options", "up to the end of the archive")

	other := declarePostgres(t, func(args *postgres.Args) {
		args.StartFrom = &postgres.StartFrom{Time: "2026-01-20T10:00:00Z", Bucket: &postgres.SourceBucket{
			Name: "prod-backups", Endpoint: "us-ord-1.linodeobjects.com", Path: "/db",
			AccessKey: "prod-access", SecretKey: "prod-secret",
		}}
	})
	source = at(clusterSpec(t, other), "dataSource", "pgbackrest")
	require.Equal(t, map[string]any{"bucket": "prod-backups", "endpoint": "us-ord-1.linodeobjects.com", "region": "us-ord-1"},
		at(source, "repo", "s3"))
	require.Equal(t, map[string]any{"repo1-path": "/db", "repo1-s3-uri-style": "path"}, at(source, "global"))
	require.Equal(t, []any{"--type=time", `--target="2026-01-20 10:00:00+00"`}, at(source, "options"))
	require.Equal(t, "[global]\nrepo1-s3-key=the-access-key-of-prod\nrepo1-s3-key-secret=the-secret-key-of-prod\n",
		at(reveal(other.find(t, kubeSecretType, "postgres-source").inputs["stringData"]), "s3.conf"))
	require.Equal(t, "lke-platform-test-backups", at(at(clusterSpec(t, other), "backups", "pgbackrest", "repos").([]any)[0],
		"s3", "bucket"), "its own backups go to its own bucket")
}

// The operator would put the backup in place of the data of a living cluster.
func TestALivingClusterIsNeverFilledFromABackup(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, nil)
	hooks := g.find(t, postgresType, "postgres").request.GetHooks()
	require.Equal(t, []string{"postgres-guard"}, hooks.GetBeforeUpdate())
	require.Equal(t, []string{"postgres-guard"}, hooks.GetBeforeCreate())

	inputs := func(edit func(*postgres.Args)) resource.PropertyMap {
		return declarePostgres(t, edit).find(t, postgresType, "postgres").inputs
	}
	plain := inputs(nil)
	started := inputs(func(args *postgres.Args) { args.StartFrom = &postgres.StartFrom{} })
	mended := inputs(func(args *postgres.Args) { args.StartFrom = &postgres.StartFrom{Time: "2026-01-20T10:00:00Z"} })
	restored := inputs(func(args *postgres.Args) { args.Restore = &postgres.Restore{Time: "2026-01-20T10:00:00Z"} })
	older := inputs(func(args *postgres.Args) { args.Version = 16 })
	for name, test := range map[string]struct {
		before, after resource.PropertyMap
		fault         string
	}{
		"new":                             {nil, plain, ""},
		"new from a backup":               {nil, started, ""},
		"restore of a new one":            {nil, restored, "restore is for a cluster that exists"},
		"backup for a living one":         {plain, started, "startFrom is for a cluster that does not exist yet"},
		"backup for a restored one":       {restored, started, "startFrom is for a cluster that does not exist yet"},
		"first start that failed, mended": {started, mended, ""},
		"startFrom taken out again":       {started, plain, ""},
		"restore of a living one":         {plain, restored, ""},
		"restore of one from a backup":    {started, restored, ""},
		"restore taken out again":         {restored, plain, ""},
		"another major version":           {older, plain, "version cannot change from 16 to 17 in place"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := postgres.Refuse(test.before, test.after)
			if test.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.fault)
		})
	}
}

func TestConnectionsNeedTLSUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	t.Parallel()
	spec := clusterSpec(t, declarePostgres(t, nil))
	require.NotContains(t, spec, "authentication", "the operator's own rules take TLS only")
	require.NotContains(t, at(spec, "proxy", "pgBouncer", "config", "global"), "client_tls_sslmode")

	spec = clusterSpec(t, declarePostgres(t, func(args *postgres.Args) { args.RequireTLS = false }))
	require.Equal(t, []any{map[string]any{"connection": "host", "method": "scram-sha-256"}}, at(spec, "authentication", "rules"))
	require.Equal(t, "prefer", at(spec, "proxy", "pgBouncer", "config", "global", "client_tls_sslmode"))
}

func TestThePoolerFitsThePrimary(t *testing.T) {
	t.Parallel()
	spec := clusterSpec(t, declarePostgres(t, func(args *postgres.Args) {
		args.Pooler = postgres.Pooler{Replicas: 3, Mode: "session", Size: 50}
		args.Parameters = map[string]string{"work_mem": "16MB", "shared_buffers": "1GB"}
	}))
	require.Equal(t, "session", at(spec, "proxy", "pgBouncer", "config", "global", "pool_mode"))
	require.Equal(t, "50", at(spec, "proxy", "pgBouncer", "config", "global", "default_pool_size"))
	require.Equal(t, "250", at(spec, "config", "parameters", "max_connections"), "3 × 50, and 100 for all others")
	require.Equal(t, "16MB", at(spec, "config", "parameters", "work_mem"))
	require.Equal(t, "1GB", at(spec, "config", "parameters", "shared_buffers"), "what is configured wins")
}

func TestEveryFaultOfADatabaseIsNamed(t *testing.T) {
	t.Parallel()
	bucket := postgres.SourceBucket{Name: "b", Endpoint: "us-east-1.linodeobjects.com", Path: "/db", AccessKey: "a", SecretKey: "s"}
	for name, test := range map[string]struct {
		edit  func(*postgres.Args)
		fault string
	}{
		"right":              {func(*postgres.Args) {}, ""},
		"right restore":      {func(a *postgres.Args) { a.Restore = &postgres.Restore{Time: "2026-01-20T10:00:00Z"} }, ""},
		"right start":        {func(a *postgres.Args) { a.StartFrom = &postgres.StartFrom{Bucket: &bucket} }, ""},
		"old version":        {func(a *postgres.Args) { a.Version = 14 }, "postgres.version: Invalid value: 14: must be between 15 and 17"},
		"superuser":          {func(a *postgres.Args) { a.Database = "postgres" }, "postgres.database: Forbidden"},
		"name of an app":     {func(a *postgres.Args) { a.Database = "my_db" }, ""},
		"bad database":       {func(a *postgres.Args) { a.Database = `my "db"` }, "postgres.database: Invalid value"},
		"long database":      {func(a *postgres.Args) { a.Database = strings.Repeat("a", 64) }, "postgres.database: Invalid value"},
		"template":           {func(a *postgres.Args) { a.Database = "template1" }, "postgres.database: Forbidden"},
		"bad role":           {func(a *postgres.Args) { a.User = "my_app" }, `postgres.user: Invalid value: "my_app"`},
		"no role":            {func(a *postgres.Args) { a.Database = "__" }, `postgres.user: Invalid value: ""`},
		"superuser's role":   {func(a *postgres.Args) { a.User = "postgres" }, "postgres.user: Forbidden: is the superuser"},
		"extension twice":    {func(a *postgres.Args) { a.Extensions = []string{"vector", "vector"} }, `postgres.extensions[1]: Duplicate value: "vector"`},
		"extension unknown":  {func(a *postgres.Args) { a.Extensions = []string{"hypopg"} }, `postgres.extensions[0]: Not found: "hypopg (the operator's image lacks it`},
		"no such image":      {func(a *postgres.Args) { a.Image = "Postgres" }, `postgres.image: Invalid value: "Postgres"`},
		"database twice":     {func(a *postgres.Args) { a.Databases = []postgres.Database{{Name: a.Database}} }, "postgres.databases[0].name: Duplicate value"},
		"another's database": {func(a *postgres.Args) { a.Databases = []postgres.Database{{Name: "template1"}} }, "postgres.databases[0].name: Forbidden: is PostgreSQL's own"},
		"another superuser":  {func(a *postgres.Args) { a.Databases = []postgres.Database{{Name: "a", User: "postgres"}} }, "postgres.databases[0].user: Forbidden: is the superuser"},
		"extension of none":  {func(a *postgres.Args) { a.Databases = []postgres.Database{{Name: "a", Extensions: []string{"x"}}} }, "postgres.databases[0].extensions[0]: Not found"},
		"cron by itself":     {func(a *postgres.Args) { a.Extensions = []string{"pg_cron"} }, "postgres.extensions[0]: Invalid value: \"pg_cron\": is created only where PostgreSQL loads it at its start"},
		"cron elsewhere": {func(a *postgres.Args) {
			a.Extensions, a.Parameters = []string{"pg_cron"}, map[string]string{"shared_preload_libraries": "pg_cron"}
		}, "postgres.extensions[0]: Invalid value: \"pg_cron\": is created only in the one database that it is told of; set parameters to {cron.database_name: app}"},
		"cron that is told": {func(a *postgres.Args) {
			a.Extensions = []string{"pg_cron"}
			a.Parameters = map[string]string{"shared_preload_libraries": "timescaledb, pg_cron", "cron.database_name": "app"}
		}, ""},
		"series not loaded": {func(a *postgres.Args) {
			a.Extensions, a.Parameters = []string{"timescaledb"}, map[string]string{"shared_preload_libraries": "pg_cron"}
		}, "postgres.extensions[0]: Invalid value: \"timescaledb\": is created only where"},
		"reader that writes":       {func(a *postgres.Args) { a.Database, a.Readers = "shop", []string{"shop"} }, `postgres.readers[0]: Duplicate value: "shop"`},
		"reader of capitals":       {func(a *postgres.Args) { a.Readers = []string{"Me"} }, `postgres.readers[0]: Invalid value: "Me"`},
		"bad extension":            {func(a *postgres.Args) { a.Extensions = []string{"vector; DROP"} }, "postgres.extensions[0]: Invalid value"},
		"logical decoding":         {func(a *postgres.Args) { a.Parameters = map[string]string{"wal_level": "logical"} }, ""},
		"less of the log":          {func(a *postgres.Args) { a.Parameters = map[string]string{"wal_level": "minimal"} }, "postgres.parameters[wal_level]: Forbidden"},
		"unnamed passphrase":       {func(a *postgres.Args) { a.Backups.Encryption = "" }, "postgres.backups.encryption: Required value: must name a secret"},
		"unnamed dump":             {func(a *postgres.Args) { a.Load = &postgres.Load{} }, "postgres.load.url: Required value: must name a secret"},
		"name with a colon":        {func(a *postgres.Args) { a.Backups.Encryption = "a:b" }, `postgres.backups.encryption: Invalid value: "a:b"`},
		"no instances":             {func(a *postgres.Args) { a.Instances = 0 }, "postgres.instances: Invalid value: 0"},
		"small disk":               {func(a *postgres.Args) { a.Storage = "9Gi" }, `postgres.storage: Invalid value: "9Gi": must be at least 10Gi`},
		"small log":                {func(a *postgres.Args) { a.WALStorage = "1Gi" }, "postgres.walStorage: Invalid value"},
		"no size":                  {func(a *postgres.Args) { a.Storage = "big" }, "postgres.storage: Invalid value"},
		"no memory":                {func(a *postgres.Args) { a.Memory = "0" }, "postgres.memory: Invalid value"},
		"operator's setting":       {func(a *postgres.Args) { a.Parameters = map[string]string{"ssl_ciphers": "x"} }, "postgres.parameters[ssl_ciphers]: Forbidden"},
		"no pooler":                {func(a *postgres.Args) { a.Pooler.Replicas = 0 }, "postgres.pooler.replicas: Invalid value"},
		"bad mode":                 {func(a *postgres.Args) { a.Pooler.Mode = "statement" }, "postgres.pooler.mode: Unsupported value"},
		"bad schedule":             {func(a *postgres.Args) { a.Backups.Full = "daily" }, "postgres.backups.full: Invalid value"},
		"time zone":                {func(a *postgres.Args) { a.Backups.Full = "TZ=UTC 0 3 * * *" }, "postgres.backups.full: Invalid value"},
		"never":                    {func(a *postgres.Args) { a.Backups.Differential = "0 3 30 2 *" }, "postgres.backups.differential: Invalid value: \"0 3 30 2 *\": never comes"},
		"retention 0":              {func(a *postgres.Args) { a.Backups.RetentionDays = 0 }, "postgres.backups.retentionDays: Invalid value: 0"},
		"no passphrase":            {func(a *postgres.Args) { a.Backups.Encryption = "" }, "postgres.backups.encryption: Required value"},
		"bad schedule of a test":   {func(a *postgres.Args) { a.Backups.Test = "weekly" }, "postgres.backups.test: Invalid value"},
		"a test of unknown images": {func(a *postgres.Args) { a.Extensions, a.Backups.Test = []string{"postgis"}, "0 5 * * 1" }, "postgres.backups.test: Forbidden"},
		"relative path":            {func(a *postgres.Args) { a.Backups.Path = "db" }, "postgres.backups.path: Invalid value"},
		"no time":                  {func(a *postgres.Args) { a.Restore = &postgres.Restore{} }, "postgres.restore.time: Invalid value"},
		"time without zone":        {func(a *postgres.Args) { a.Restore = &postgres.Restore{Time: "2026-01-20 10:00:00"} }, "must be a time in RFC 3339"},
		"fraction":                 {func(a *postgres.Args) { a.Restore = &postgres.Restore{Time: "2026-01-20T10:00:00.5Z"} }, "must not have fractions"},
		"future":                   {func(a *postgres.Args) { a.Restore = &postgres.Restore{Time: "9999-01-01T00:00:00Z"} }, "postgres.restore.time: Invalid value: \"9999-01-01T00:00:00Z\": must not be in the future"},
		"future start":             {func(a *postgres.Args) { a.StartFrom = &postgres.StartFrom{Time: "9999-01-01T00:00:00Z"} }, "postgres.startFrom.time: Invalid value"},
		"empty bucket":             {func(a *postgres.Args) { a.StartFrom = &postgres.StartFrom{Bucket: &postgres.SourceBucket{}} }, "postgres.startFrom.bucket.accessKey: Required value"},
		"two origins": {func(a *postgres.Args) {
			a.StartFrom, a.Restore = &postgres.StartFrom{}, &postgres.Restore{Time: "2026-01-20T10:00:00Z"}
		}, "postgres.startFrom: Forbidden"},
		"load into a backup": {func(a *postgres.Args) { a.StartFrom, a.Load = &postgres.StartFrom{}, &postgres.Load{URL: "dump"} }, "postgres.load: Forbidden"},
		"load of nothing":    {func(a *postgres.Args) { a.Load = &postgres.Load{} }, "postgres.load.url: Required value"},
		"bad timeout":        {func(a *postgres.Args) { a.Timeout = "soon" }, "postgres.timeout: Invalid value"},
		"no timeout":         {func(a *postgres.Args) { a.Timeout = "0s" }, "postgres.timeout: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := postgresArgs()
			test.edit(&args)
			faults := args.Validate(field.NewPath("postgres"))
			if test.fault == "" {
				require.Empty(t, faults)
				return
			}
			require.ErrorContains(t, faults.ToAggregate(), test.fault)
		})
	}
}

func TestTheSecretsOfADatabaseAreKnownByName(t *testing.T) {
	t.Parallel()
	args := postgresArgs()
	require.Equal(t, []string{"backup-passphrase"}, args.SecretNames())
	args.Load = &postgres.Load{URL: "dump"}
	args.StartFrom = &postgres.StartFrom{Bucket: &postgres.SourceBucket{AccessKey: "a", SecretKey: "s", Encryption: "backup-passphrase"}}
	require.Equal(t, []string{"a", "backup-passphrase", "dump", "s"}, args.SecretNames())
}

// dump is what pg_dump writes, in short.
const dump = `--
-- PostgreSQL database dump
--
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
COMMENT ON EXTENSION citext IS 'case-insensitive text';
CREATE TABLE public.posts (id integer, body text);
ALTER TABLE public.posts OWNER TO postgres;
COPY public.posts (id, body) FROM stdin;
1	first
GRANT ALL ON TABLE public.posts TO somebody;
ALTER TABLE public.posts OWNER TO postgres;
\.
GRANT SELECT ON TABLE public.posts TO reader;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
--
-- PostgreSQL database dump complete
--
`

const loadedDump = `--
-- PostgreSQL database dump
--
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE TABLE public.posts (id integer, body text);
COPY public.posts (id, body) FROM stdin;
1	first
GRANT ALL ON TABLE public.posts TO somebody;
ALTER TABLE public.posts OWNER TO postgres;
\.
--
-- PostgreSQL database dump complete
--
`

// runLoad runs the script with stand-ins for what talks to others. It returns what it loaded, "" for nothing.
func runLoad(t *testing.T, content, tables string) (loaded, output string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{
		"wget":       `cat "$SOURCE" > "$3"`,
		"pg_restore": `tail -c +6 "$4"`,
		"psql": `case "$*" in
			*count*) echo "$TABLES" ;;
			*--single-transaction*--set=ON_ERROR_STOP=1*) cp dump.sql "$LOADED" ;;
		esac`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	source, result := filepath.Join(dir, "source"), filepath.Join(dir, "result")
	require.NoError(t, os.WriteFile(source, []byte(content), 0o600))
	command := exec.CommandContext(t.Context(), "sh", "-c", postgres.LoadScript)
	command.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "WORK="+t.TempDir(), "URL="+dumpURL,
		"SOURCE="+source, "LOADED="+result, "TABLES="+tables)
	text, err := command.CombinedOutput()
	written, _ := os.ReadFile(result)
	return string(written), string(text), err
}

func TestADumpIsLoadedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, err := writer.Write([]byte(dump))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	for name, test := range map[string]struct {
		content, tables, loaded, says string
		fails                         bool
	}{
		"SQL":             {dump, "0", loadedDump, "The dump is loaded.", false},
		"gzip":            {zipped.String(), "0", loadedDump, "The dump is loaded.", false},
		"archive":         {"PGDMP" + dump, "0", loadedDump, "The dump is loaded.", false},
		"has tables":      {dump, "3", "", "The database has 3 tables already: nothing is loaded.", false},
		"cut off":         {dump[:300], "0", "", "This is not a whole dump", true},
		"cut off, zipped": {zipped.String()[:zipped.Len()-20], "0", "", "This is not a whole dump", true},
		"something else":  {"<html>404</html>", "0", "", "This is not a whole dump", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loaded, says, err := runLoad(t, test.content, test.tables)
			require.Equal(t, test.fails, err != nil, says)
			require.Contains(t, says, test.says)
			require.Equal(t, test.loaded, loaded)
			require.NotContains(t, says, "the-signature")
		})
	}
}

func TestTheLoadRunsAsTheAppsRoleAndWithoutRights(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, func(args *postgres.Args) { args.Load = &postgres.Load{URL: "dump"} })
	job := reveal(g.find(t, loadJobType, "postgres-load").inputs["spec"])
	pod := at(job, "template", "spec")
	container := at(pod, "containers").([]any)[0]
	require.Equal(t, "docker.io/library/postgres:17-alpine", at(container, "image"), "clients as old as the server")
	require.Equal(t, false, at(pod, "automountServiceAccountToken"))
	require.Equal(t, true, at(pod, "securityContext", "runAsNonRoot"))
	require.NotContains(t, job, "ttlSecondsAfterFinished", "a Job that vanished would run again")
	names := map[any]any{}
	for _, variable := range at(container, "env").([]any) {
		names[at(variable, "name")] = at(variable, "valueFrom", "secretKeyRef", "name")
	}
	for _, variable := range []string{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"} {
		require.Equal(t, "db-pguser-app", names[variable], variable)
	}
}

func TestMetricsOfADatabaseHaveUpstreamsLabels(t *testing.T) {
	t.Parallel()
	spec := reveal(declarePostgres(t, nil).find(t, postgresMonitorType, "postgres-monitor").inputs["spec"])
	require.Equal(t, map[string]any{
		"postgres-operator.crunchydata.com/cluster":                   "db",
		"postgres-operator.crunchydata.com/crunchy-postgres-exporter": "true",
	}, at(spec, "selector", "matchLabels"))
	endpoint := at(spec, "podMetricsEndpoints").([]any)[0]
	require.Equal(t, "exporter", at(endpoint, "port"))
	var labels []any
	for _, relabeling := range at(endpoint, "relabelings").([]any) {
		labels = append(labels, at(relabeling, "targetLabel"))
	}
	require.Subset(t, labels, []any{"pg_cluster", "role", "deployment"})
}
