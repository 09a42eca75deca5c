package postgres

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// initKey is the key of the SQL that the superuser runs once, in a new cluster.
const initKey = "init.sql"

// newSetup declares that SQL. The operator never runs it again, so that whoever adds an extension later is told to create it.
func (c *Cluster) newSetup(ctx *pulumi.Context, name string, args *Args) (*corev1.ConfigMap, error) {
	hook, err := ctx.RegisterResourceHook(name+"-setup", func(change *pulumi.ResourceHookArgs) error {
		late := LateExtensions(change.OldInputs, change.NewInputs)
		if len(late) == 0 {
			return nil
		}
		primary := prefix + "cluster=" + args.Name + "," + prefix + "role=master"
		return ctx.Log.Warn(fmt.Sprintf("postgres.extensions: the database is there already, and nothing creates %s in it; run "+
			"once, in its namespace: kubectl exec -i $(kubectl get pod -o name -l %s) -c database -- psql -d %s "+
			"-c 'CREATE EXTENSION %s'", strings.Join(late, ", "), primary, args.Database, quote(late[0])), nil)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("registering the warning of extensions: %w", err)
	}
	return corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: args.metadata(args.Name+"-init", nil),
		Data:     pulumi.StringMap{initKey: pulumi.String(args.initSQL())},
	}, pulumi.Parent(c), pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}))
}

// initSQL makes the role the owner of its database, since as an ordinary role it could not even create a table from PostgreSQL
// 15 on, and creates the extensions. Without ON_ERROR_STOP the operator would take SQL that failed for done.
func (a *Args) initSQL() string {
	sql := "\\set ON_ERROR_STOP on\n" + fmt.Sprintf("ALTER DATABASE %s OWNER TO %s;\n", quote(a.Database), quote(a.role()))
	if len(a.Extensions) > 0 {
		sql += "\\connect " + quote(a.Database) + "\n"
	}
	for _, extension := range a.Extensions {
		sql += createExtension + quote(extension) + ";\n"
	}
	return sql
}

const createExtension = "CREATE EXTENSION IF NOT EXISTS "

// quote makes an identifier of a name that has no quotes.
func quote(name string) string { return `"` + name + `"` }

// LateExtensions are the extensions that a change of the first SQL's ConfigMap adds.
func LateExtensions(before, after resource.PropertyMap) (late []string) {
	had := strings.Split(initSQLOf(before), "\n")
	for line := range strings.SplitSeq(initSQLOf(after), "\n") {
		if extension, isOne := strings.CutPrefix(line, createExtension); isOne && !slices.Contains(had, line) {
			late = append(late, strings.Trim(extension, `";`))
		}
	}
	return late
}

func initSQLOf(configMap resource.PropertyMap) string {
	if sql := at(configMap, "data", initKey); sql.IsString() {
		return sql.StringValue()
	}
	return ""
}
