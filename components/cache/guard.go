package cache

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/inputs"
)

// newGuard returns the option that lets Refuse see each change of a cache, in previews as well, before it is made.
func newGuard(ctx *pulumi.Context, name string) (pulumi.ResourceOption, error) {
	hook, err := ctx.RegisterResourceHook(name+"-guard", func(change *pulumi.ResourceHookArgs) error {
		return Refuse(change.OldInputs, change.NewInputs)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("registering the guard: %w", err)
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}), nil
}

// Refuse returns an error where a change of the release would give the servers disks, or take them away: a StatefulSet has the
// disks that it was made with.
func Refuse(before, after resource.PropertyMap) error {
	was, is := persistent(before), persistent(after)
	if was.IsBool() && is.IsBool() && was.BoolValue() != is.BoolValue() {
		return errors.New("cache: persistent cannot change on a cache that is there; add a cache of another name, and lead the " +
			"application to it")
	}
	return nil
}

func persistent(release resource.PropertyMap) resource.PropertyValue {
	return inputs.At(release, "values", "persistentVolume", "enabled")
}
