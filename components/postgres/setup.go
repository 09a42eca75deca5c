package postgres

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/inputs"
)

// initKey is the key of the SQL that the superuser runs once, in a new cluster.
const initKey = "init.sql"

// newSetup declares that SQL. The operator never runs it again, so that whoever adds something later is told to run it.
func (c *Cluster) newSetup(ctx *pulumi.Context, name string, args *Args) (*corev1.ConfigMap, error) {
	hook, err := ctx.RegisterResourceHook(name+"-setup", func(change *pulumi.ResourceHookArgs) error {
		late := Late(change.OldInputs, change.NewInputs)
		if len(late) == 0 {
			return nil
		}
		primary := prefix + "cluster=" + args.Name + "," + prefix + "role=master"
		warning := "postgres: the cluster is there already, and nothing does this in it; run once, in its namespace:"
		for _, statement := range late {
			warning += fmt.Sprintf("\n  kubectl exec -i $(kubectl get pod -o name -l %s) -c database -- psql -d %s -c '%s'",
				primary, statement.Database, statement.SQL)
		}
		return ctx.Log.Warn(warning, nil)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("registering the warning of what comes late: %w", err)
	}
	return corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: args.metadata(args.Name+"-init", nil),
		Data:     pulumi.StringMap{initKey: pulumi.String(script(args.setup()))},
	}, pulumi.Parent(c), pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}))
}

const connect = "\\connect "

// script is what psql runs. Without ON_ERROR_STOP the operator would take SQL that failed for done.
func script(statements []Statement) string {
	text, connected := "\\set ON_ERROR_STOP on\n", superuser
	for _, statement := range statements {
		if statement.Database != connected {
			connected = statement.Database
			text += connect + quote(connected) + "\n"
		}
		text += statement.SQL + "\n"
	}
	return text
}

// statements are those of a script.
func statements(text string) (found []Statement) {
	connected := superuser
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if database, moves := strings.CutPrefix(line, connect); moves {
			connected = strings.Trim(database, `"`)
		} else if !strings.HasPrefix(line, `\`) {
			found = append(found, Statement{connected, line})
		}
	}
	return found
}

// Late are the statements that a change of the script's ConfigMap adds.
func Late(before, after resource.PropertyMap) []Statement {
	had := statements(scriptOf(before))
	return slices.DeleteFunc(statements(scriptOf(after)), func(statement Statement) bool {
		return slices.Contains(had, statement)
	})
}

func scriptOf(configMap resource.PropertyMap) string {
	if sql := inputs.At(configMap, "data", initKey); sql.IsString() {
		return sql.StringValue()
	}
	return ""
}
