package postgres

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/inputs"
)

// restoreAnnotation asks the operator to restore a cluster in place. Its value names the restore.
const restoreAnnotation = prefix + "pgbackrest-restore"

// newGuard returns the option that lets Refuse see each change of the cluster, in previews as well, before it is made.
func newGuard(ctx *pulumi.Context, name string) (pulumi.ResourceOption, error) {
	hook, err := ctx.RegisterResourceHook(name+"-guard", func(change *pulumi.ResourceHookArgs) error {
		return Refuse(change.OldInputs, change.NewInputs)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("registering the guard: %w", err)
	}
	hooks := []*pulumi.ResourceHook{hook}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeCreate: hooks, BeforeUpdate: hooks}), nil
}

// Refuse returns an error where the operator would take a change of a PostgresCluster for another than is meant. before is empty
// where the cluster is new.
func Refuse(before, after resource.PropertyMap) error {
	if len(before) == 0 {
		if has(after, "metadata", "annotations", restoreAnnotation) {
			return errors.New("postgres: restore is for a cluster that exists, and this one does not; " +
				"say startFrom to start it from a backup")
		}
		return nil
	}
	// The operator would tear the servers down and put the backup in place of their data.
	if has(after, "spec", "dataSource") && !has(before, "spec", "dataSource") {
		return errors.New("postgres: startFrom is for a cluster that does not exist yet, and this one does; " +
			"say restore to take it back to a moment of the past")
	}
	// The new servers could not read the old data.
	was, is := inputs.At(before, "spec", "postgresVersion"), inputs.At(after, "spec", "postgresVersion")
	if was.IsNumber() && is.IsNumber() && was.NumberValue() != is.NumberValue() {
		return fmt.Errorf("postgres: version cannot change from %.0f to %.0f in place; see docs/components/postgres.md",
			was.NumberValue(), is.NumberValue())
	}
	return nil
}

func has(object resource.PropertyMap, path ...resource.PropertyKey) bool {
	value := inputs.At(object, path...)
	return value.HasValue() || value.IsComputed() || value.IsOutput()
}
