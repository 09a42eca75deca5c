// Package postgres declares a PostgreSQL cluster that outlives its nodes: several servers, a pooler in front of them, every
// change archived on Object Storage within a minute, and the operator that runs it all.
package postgres

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// Cluster is a database cluster whose servers and pooler are ready, and whose database belongs to the application's role.
// Upstream: https://access.crunchydata.com/documentation/postgres-operator/latest/references/crd/6.0.x/postgrescluster
type Cluster struct {
	pulumi.ResourceState

	// Name of the cluster.
	Name pulumi.StringOutput `pulumi:"name"`
	// SecretName is the name of the Secret, in the cluster's namespace, with which the application connects. The operator
	// writes its keys: user, password and dbname; host, port and uri of the primary; pgbouncer-host, pgbouncer-port and
	// pgbouncer-uri of the pooler. It is known when the database is there, and loaded where there is something to load.
	SecretName pulumi.StringOutput `pulumi:"secretName"`
	// SecretNames are those of all databases, by their names.
	SecretNames pulumi.StringMap
	// AuthorityName is the name of the Secret, in the cluster's namespace, whose ca.crt is the authority that signs the
	// certificates of the servers and of the pooler, for the hosts that are in the Secret of SecretName.
	AuthorityName pulumi.StringOutput `pulumi:"authorityName"`

	args *Args
	// made is known when the cluster is there in its present form.
	made pulumi.IDOutput
}

const (
	apiVersion = "postgres-operator.crunchydata.com/v1"
	prefix     = "postgres-operator.crunchydata.com/"
	// instanceSet names the servers of a cluster, and repository its one repository of backups. Neither may ever change.
	instanceSet = "pg"
	repository  = "repo1"
	// stanza is what pgBackRest calls a cluster, by the operator's will every one.
	stanza = "db"
)

// New declares a cluster. The operator has to be there: its caller depends on it, and on the kinds of object that monitoring
// brings.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Cluster, error) {
	if faults := append(args.Validate(nil), ValidateName(field.NewPath("name"), args.Name)...); len(faults) > 0 {
		return nil, fmt.Errorf("postgres: %w", faults.ToAggregate())
	}
	c := &Cluster{}
	if err := ctx.RegisterComponentResource("lke-platform:postgres:Cluster", name, c, opts...); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	cluster, err := c.newCluster(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("postgres: declaring the cluster: %w", err)
	}
	if err := c.newMonitor(ctx, name, args); err != nil {
		return nil, fmt.Errorf("postgres: declaring the PodMonitor: %w", err)
	}
	c.Name, c.args, c.made = cluster.Metadata.Name().Elem(), args, cluster.ID()
	databases := args.databases()
	user := secretOf(c.Name, databases[0])
	c.SecretName, c.AuthorityName = user, pulumi.Sprintf("%s-cluster-cert", c.Name)
	if args.Load != nil {
		job, err := c.newLoad(ctx, name, args, user)
		if err != nil {
			return nil, fmt.Errorf("postgres: declaring the load: %w", err)
		}
		// Who asks for the Secret waits for the load.
		c.SecretName = pulumi.All(user, job.Metadata.Name()).ApplyT(func(values []any) string {
			return values[0].(string)
		}).(pulumi.StringOutput)
	}
	c.SecretNames = pulumi.StringMap{args.Database: c.SecretName}
	for _, database := range databases[1:] {
		c.SecretNames[database.Name] = secretOf(c.Name, database)
	}
	return c, component.Done(ctx, c, pulumi.Map{
		"name": c.Name, "secretName": c.SecretName, "authorityName": c.AuthorityName,
	})
}

// secretOf is the Secret that the operator writes for the role of a database.
func secretOf(cluster pulumi.StringInput, database Database) pulumi.StringOutput {
	return pulumi.Sprintf("%s-pguser-%s", cluster, database.role())
}

func (c *Cluster) newCluster(ctx *pulumi.Context, name string, args *Args) (*apiextensions.CustomResource, error) {
	guard, err := newGuard(ctx, name)
	if err != nil {
		return nil, err
	}
	keys, err := c.newRepositorySecret(ctx, name, args, "backups", args.ownKeys())
	if err != nil {
		return nil, err
	}
	setup, err := c.newSetup(ctx, name, args)
	if err != nil {
		return nil, err
	}
	if args.restoreTests() != "" {
		if err := c.newRestoreTest(ctx, name, args, keys); err != nil {
			return nil, err
		}
	}
	spec := args.spec(keys, setup.Metadata.Name())
	if args.StartFrom != nil {
		source := keys
		if args.StartFrom.Bucket != nil {
			source, err = c.newRepositorySecret(ctx, name+"-source", args, "source", args.sourceKeys())
			if err != nil {
				return nil, err
			}
		}
		spec["dataSource"] = pulumi.Map{"pgbackrest": args.dataSource(source)}
	}
	return apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion:  pulumi.String(apiVersion),
		Kind:        pulumi.String("PostgresCluster"),
		Metadata:    args.metadata(args.Name, args.annotations()),
		OtherFields: kubernetes.UntypedArgs{"spec": spec},
	}, pulumi.Parent(c), pulumi.Protect(args.Protect), guard)
}

// annotations wait for what makes a cluster ready, as it has no condition that says so: its servers, its pooler, the first SQL,
// and the archive, which shows that keys, path and passphrase are right. While the operator restores, the observed generation
// stays behind, so that a restore is awaited too.
func (a *Args) annotations() pulumi.StringMap {
	annotations := pulumi.StringMap{
		"pulumi.com/waitFor": pulumi.Sprintf(
			`["jsonpath={.status.instances[0].readyReplicas}=%d",`+
				`"jsonpath={.status.proxy.pgBouncer.readyReplicas}=%d",`+
				`"jsonpath={.status.databaseInitSQL}",`+
				`"jsonpath={.status.pgbackrest.repos[0].stanzaCreated}=true"]`, a.Instances, a.Pooler.Replicas),
		"pulumi.com/timeoutSeconds": pulumi.String(a.timeoutSeconds()),
	}
	if a.Restore != nil {
		// What the operator has restored once by this name, it does not restore again.
		annotations[restoreAnnotation] = pulumi.String(target(a.Restore.Time))
	}
	return annotations
}

// timeoutSeconds is Timeout, which Validate has checked.
func (a *Args) timeoutSeconds() string {
	timeout, _ := time.ParseDuration(a.Timeout)
	return strconv.Itoa(int(timeout.Seconds()))
}

func (a *Args) metadata(name string, annotations pulumi.StringMap) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{
		Name:        pulumi.String(name),
		Namespace:   a.Namespace,
		Labels:      kube.Labels(a.Name, "database"),
		Annotations: annotations,
	}
}
