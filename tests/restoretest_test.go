package tests

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/postgres"
)

// realPostgres is a server of PostgreSQL's own that archives with pgBackRest, both of them real, into an encrypted repository.
type realPostgres struct {
	t    *testing.T
	dir  string
	user *syscall.Credential // nil for one's own
	env  []string
}

// newRealPostgres runs one, where the programs are at hand.
func newRealPostgres(t *testing.T) *realPostgres {
	t.Helper()
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // where Debian has them
	path := strings.Join(append(programs, os.Getenv("PATH")), ":")
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // PostgreSQL's user has to get into it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &realPostgres{t: t, dir: dir, env: append(os.Environ(), "PATH="+path, "PGHOST="+dir, "PGUSER=postgres",
		"PGBACKREST_STANZA=db", "PGBACKREST_REPO1_TYPE=posix", "PGBACKREST_REPO1_PATH="+dir+"/repo", "PGBACKREST_REPO1_CIPHER_TYPE=aes-256-cbc",
		"PGBACKREST_REPO1_CIPHER_PASS=secret", "PGBACKREST_LOG_PATH="+dir, "PGBACKREST_LOCK_PATH="+dir,
	)}
	for _, program := range []string{"initdb", "pg_ctl", "pg_dumpall", "pgbackrest"} {
		if _, err := p.run("command -v "+program, nil); err != nil {
			t.Skipf("%s is not installed; Debian's packages postgresql and pgbackrest have it", program)
		}
	}
	if os.Geteuid() == 0 { // whom PostgreSQL does not run as
		owner, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, err := strconv.ParseUint(owner.Uid, 10, 32)
		require.NoError(t, err)
		p.user = &syscall.Credential{Uid: uint32(uid)}
		require.NoError(t, os.Chown(dir, int(uid), -1))
	}
	p.must("initdb --auth=trust --username=postgres --pgdata=$PGHOST/data >/dev/null")
	p.must("cat >>$PGHOST/data/postgresql.conf <<END\nlisten_addresses = ''\nunix_socket_directories = '$PGHOST'\nfsync = off\n" +
		"ssl_cert_file = '/pgconf/tls/tls.crt'\nlog_directory = '/pgdata/logs'\narchive_mode = on\n" +
		"archive_command = 'pgbackrest --pg1-path=$PGHOST/data archive-push %p'\nEND")
	p.must("pg_ctl start --silent --wait --pgdata=$PGHOST/data --log=$PGHOST/log")
	t.Cleanup(func() { _, _ = p.run("pg_ctl stop --silent --mode=immediate --pgdata=$PGHOST/data", nil) })
	p.must("pgbackrest --pg1-path=$PGHOST/data --pg1-socket-path=$PGHOST stanza-create")
	return p
}

func (p *realPostgres) run(script string, environment []string) (output string, err error) {
	p.t.Helper()
	command := exec.CommandContext(context.WithoutCancel(p.t.Context()), "sh", "-c", script)
	command.Dir, command.Env = p.dir, append(slices.Clone(p.env), environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	text, err := command.CombinedOutput()
	return string(text), err
}

func (p *realPostgres) must(script string) string {
	p.t.Helper()
	output, err := p.run(script, nil)
	require.NoError(p.t, err, output)
	return output
}

// test runs the test of a restore, in a folder of its own.
func (p *realPostgres) test(databases string) (output string, err error) {
	p.t.Helper()
	work := strings.TrimSpace(p.must("mktemp -d $PGHOST/w.XXXX"))
	return p.run(postgres.RestoreTestScript, []string{"WORK=" + work, "DATABASES=" + databases, "PRELOAD=", "PGBACKREST_JOB_RETRY=0"})
}

// By the real programs: what is tested is the backup with all that was archived after it, a backup that lacks something fails, and
// the archive is as it was.
func TestTheRestoreTestRestoresAndReadsAllOfIt(t *testing.T) {
	t.Parallel()
	p := newRealPostgres(t)
	p.must("psql -qc 'create database shop' && psql -qd shop -c 'create table orders as select n from generate_series(1, 1000) n'")
	p.must("pgbackrest --pg1-path=$PGHOST/data --pg1-socket-path=$PGHOST --start-fast --type=full --repo1-retention-full=9 backup")
	p.must("psql -qd shop -c 'create table later as select 1' && psql -qc 'select pg_switch_wal()' -c checkpoint >/dev/null")
	p.must("for i in $(seq 50); do find repo/archive -name '*.gz' | wc -l | grep -q '^[3-9]' && break; sleep 0.1; done")
	before := p.must("find repo -type f | sort")

	output, err := p.test("shop postgres")
	require.NoError(t, err, output)
	require.Contains(t, output, "Database shop has 2 tables.", "that of after the backup is there")
	require.Regexp(t, `All of it is restored and read, in \d+ s; its last change is of 20\d\d-`, output)
	require.Equal(t, before, p.must("find repo -type f | sort"), "nothing is archived")

	output, err = p.test("shop news")
	require.Error(t, err)
	require.Contains(t, output, `database "news" does not exist`)

	p.must("rm $(find repo/backup -name 'bundle' -o -path '*pg_data/base/1/*' -name '*.gz' | head -n 1)")
	output, err = p.test("shop")
	require.Error(t, err, "a file of the backup is gone\n%s", output)
}

const restoreTestType = "kubernetes:batch/v1:CronJob"

// It reads the cluster's own repository, as the cluster does, and leaves nothing that costs.
func TestARestoreIsTestedEveryWeek(t *testing.T) {
	t.Parallel()
	g := declarePostgres(t, func(args *postgres.Args) { args.ScratchClass = pulumi.String("platform-delete") })
	spec := reveal(g.find(t, restoreTestType, "postgres-restore-test").inputs["spec"])
	require.Equal(t, "0 5 * * 1", at(spec, "schedule"))
	pod := at(spec, "jobTemplate", "spec", "template", "spec")
	require.Equal(t, false, at(pod, "automountServiceAccountToken"))
	volumes := at(pod, "volumes").([]any)
	claim := at(volumes[0], "ephemeral", "volumeClaimTemplate", "spec")
	require.Equal(t, "platform-delete", at(claim, "storageClassName"))
	require.Equal(t, "20Gi", at(claim, "resources", "requests", "storage"))

	cluster := reveal(g.find(t, postgresType, "postgres").inputs["spec"])
	repo := at(cluster, "backups", "pgbackrest", "repos").([]any)[0]
	global := at(cluster, "backups", "pgbackrest", "global")
	require.Equal(t, at(at(cluster, "backups", "pgbackrest", "configuration").([]any)[0], "secret", "name"), at(volumes[1], "secret", "secretName"))
	container := at(pod, "containers").([]any)[0]
	environment := map[any]any{}
	for _, variable := range at(container, "env").([]any) {
		environment[at(variable, "name")] = at(variable, "value")
	}
	for variable, value := range map[string]any{
		"PGBACKREST_REPO1_S3_BUCKET": at(repo, "s3", "bucket"), "PGBACKREST_REPO1_S3_ENDPOINT": at(repo, "s3", "endpoint"),
		"PGBACKREST_REPO1_S3_REGION": at(repo, "s3", "region"), "PGBACKREST_REPO1_PATH": at(global, "repo1-path"),
		"PGBACKREST_REPO1_S3_URI_STYLE": at(global, "repo1-s3-uri-style"), "PGBACKREST_REPO1_CIPHER_TYPE": at(global, "repo1-cipher-type"),
		"PGBACKREST_STANZA": "db", "DATABASES": "app",
	} {
		require.Equal(t, value, environment[variable], variable)
	}
	require.Regexp(t, `/crunchy-postgres:ubi9-17\.`, at(container, "image"), "the server's version")
}

func TestARestoreIsNotTestedWhereNobodyKnowsTheImageOrWantsIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit   func(*postgres.Args)
		tested bool
	}{
		"off":                    {func(args *postgres.Args) { args.Backups.Test = "off" }, false},
		"PostGIS":                {func(args *postgres.Args) { args.Extensions = []string{"postgis"} }, false},
		"PostGIS in an image":    {func(args *postgres.Args) { args.Extensions, args.Image = []string{"postgis"}, "example.com/postgis:1" }, true},
		"at a time of one's own": {func(args *postgres.Args) { args.Backups.Test = "0 4 1 * *" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := declarePostgres(t, test.edit)
			require.Equal(t, test.tested, g.resources[restoreTestType+" postgres-restore-test"] != nil)
		})
	}
}
