package incluster

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// provision has the primary know the roles and databases that are asked for, and run the first SQL, once. It tells whether that
// has run.
func (c *cluster) provision(
	ctx context.Context, object *unstructured.Unstructured, wanted *postgresCluster,
) (done bool, err error) {
	_, done, _ = unstructured.NestedString(object.Object, "status", "databaseInitSQL")
	primary, err := c.primaryOf(ctx, wanted)
	if err != nil {
		return done, err
	}
	if primary == "" && !done {
		return false, errNotYet
	}
	wish, err := c.rolesAndDatabases(ctx, object, wanted)
	if err != nil {
		return done, err
	}
	c.provisioning.Lock()
	defer c.provisioning.Unlock()
	known := c.provisioned[object.GetUID()]
	if primary != "" && known.wish != wish {
		version, err := c.psql(ctx, wanted.Namespace, primary, wish+askVersion)
		if err != nil {
			return done, err
		}
		if version = strings.TrimSpace(version); version != fmt.Sprint(wanted.Spec.PostgresVersion) {
			c.notes.add(notRehearsed, "PostgreSQL %d of PostgresCluster %s/%s: version %s is at hand (docs/live.md)",
				wanted.Spec.PostgresVersion, wanted.Namespace, wanted.Name, version)
		}
		known.wish = wish
	}
	if source := wanted.Spec.DatabaseInitSQL; source != nil && !done && !known.initialized {
		if err := c.initialize(ctx, wanted, primary, source); err != nil {
			return false, err
		}
		known.initialized = true
	}
	c.provisioned[object.GetUID()] = known
	return true, nil
}

const askVersion = "SELECT current_setting('server_version_num')::int / 10000;\n"

// provisioned is what a database cluster has been told.
type provisioned struct {
	wish        string
	initialized bool
}

// primaryOf is the pod of the primary, "" where there is none at the moment.
func (c *cluster) primaryOf(ctx context.Context, wanted *postgresCluster) (string, error) {
	found, err := c.client.CoreV1().Pods(wanted.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: postgresPrefix + "cluster=" + wanted.Name + "," + postgresPrefix + "role=master",
	})
	if err != nil {
		return "", err
	}
	for _, pod := range found.Items {
		if slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
			return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
		}) {
			return pod.Name, nil
		}
	}
	return "", nil
}

// rolesAndDatabases is SQL that makes what there is not yet, and sets the passwords of the Secrets.
func (c *cluster) rolesAndDatabases(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster,
) (string, error) {
	var sql strings.Builder
	databases := []string{"postgres"}
	for _, user := range wanted.Spec.Users {
		secret, err := c.client.CoreV1().Secrets(wanted.Namespace).Get(ctx, wanted.Name+"-pguser-"+user.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		addRole(&sql, user.Name, string(secret.Data["verifier"]))
		for _, database := range user.Databases {
			fmt.Fprintf(&sql, "SELECT %s WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = %s) \\gexec\n",
				pq.QuoteLiteral("CREATE DATABASE "+pq.QuoteIdentifier(database)), pq.QuoteLiteral(database))
			fmt.Fprintf(&sql, "GRANT ALL ON DATABASE %s TO %s;\n", pq.QuoteIdentifier(database), pq.QuoteIdentifier(user.Name))
			if !slices.Contains(databases, database) {
				databases = append(databases, database)
			}
		}
	}
	if wanted.Spec.Proxy.PGBouncer == nil {
		return sql.String(), nil
	}
	password, err := c.passwordOf(ctx, owner, wanted, "pgbouncer", poolerRole)
	if err != nil {
		return "", err
	}
	addRole(&sql, poolerRole, password)
	for _, database := range databases {
		fmt.Fprintf(&sql, "\\connect %s\n%s", pq.QuoteIdentifier(database), letPoolerAsk)
	}
	return sql.String(), nil
}

// addRole adds a role with a password, or with what PostgreSQL keeps of one.
func addRole(sql *strings.Builder, name, password string) {
	role := pq.QuoteIdentifier(name)
	fmt.Fprintf(sql, "SELECT %s WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %s) \\gexec\n",
		pq.QuoteLiteral("CREATE ROLE "+role), pq.QuoteLiteral(name))
	fmt.Fprintf(sql, "ALTER ROLE %s LOGIN PASSWORD %s;\n", role, pq.QuoteLiteral(password))
}

// letPoolerAsk lets the pooler ask for the passwords of ordinary roles, in one database.
const letPoolerAsk = `CREATE SCHEMA IF NOT EXISTS pgbouncer;
CREATE OR REPLACE FUNCTION pgbouncer.get_auth(asked text) RETURNS TABLE (username text, password text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
  AS 'SELECT rolname::text, rolpassword FROM pg_authid
      WHERE rolname = asked AND rolcanlogin AND NOT rolsuper AND NOT rolreplication';
REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC;
REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA pgbouncer TO ` + poolerRole + `;
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO ` + poolerRole + `;
`

// initialize runs the first SQL, without the extensions that the image lacks.
func (c *cluster) initialize(
	ctx context.Context, wanted *postgresCluster, primary string, source *corev1.ConfigMapKeySelector,
) error {
	script, err := c.client.CoreV1().ConfigMaps(wanted.Namespace).Get(ctx, source.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	available, err := c.psql(ctx, wanted.Namespace, primary, "SELECT name FROM pg_available_extensions;\n")
	if err != nil {
		return err
	}
	sql, lacking := withoutExtensions(script.Data[source.Key], strings.Fields(available))
	for _, name := range lacking {
		c.notes.add(notRehearsed, "extension %s of PostgresCluster %s/%s: the image that is at hand lacks it",
			name, wanted.Namespace, wanted.Name)
	}
	_, err = c.psql(ctx, wanted.Namespace, primary, sql)
	return err
}

// extension is what a line of SQL creates.
var extension = regexp.MustCompile(`^CREATE EXTENSION IF NOT EXISTS "?([^" ;]+)`)

// withoutExtensions leaves out of a script those that are not available, and tells which these are.
func withoutExtensions(script string, available []string) (sql string, lacking []string) {
	for line := range strings.Lines(script) {
		if created := extension.FindStringSubmatch(line); created != nil && !slices.Contains(available, created[1]) {
			lacking = append(lacking, created[1])
			continue
		}
		sql += line
	}
	return sql, lacking
}

// sqlTime is how long SQL may take.
const sqlTime = 30 * time.Second

// psql runs SQL in a server, as its superuser, and returns what that prints.
func (c *cluster) psql(ctx context.Context, namespace, pod, sql string) (string, error) {
	request := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: "database", Command: []string{"psql", "-qXAt", "--set=ON_ERROR_STOP=1", "--dbname=postgres", "--file=-"},
			Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(c.config, "POST", request.URL())
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithTimeout(ctx, sqlTime) // a server that hangs is not to keep the others waiting
	defer stop()
	var printed, complaints bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin: strings.NewReader(sql), Stdout: &printed, Stderr: &complaints,
	})
	if err != nil {
		return "", fmt.Errorf("running SQL in %s: %w: %s", pod, err, strings.TrimSpace(complaints.String()))
	}
	return printed.String(), nil
}
