package lke

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/mend"
)

// releaseType is the type of what Helm installs.
const releaseType = "kubernetes:helm.sh/v3:Release"

// mendReleases returns the option that has every release below a component mended before Helm is asked for it: Helm refuses one
// that a killed run has left half done, in every run from then on.
func (c *Cluster) mendReleases(ctx *pulumi.Context, name string) (pulumi.ResourceOption, error) {
	hook, err := ctx.RegisterResourceHook(name+"-mend", func(args *pulumi.ResourceHookArgs) error {
		return c.mendRelease(ctx, args)
	}, nil)
	if err != nil {
		return nil, err
	}
	binding := pulumi.ResourceHooks(&pulumi.ResourceHookBinding{
		BeforeCreate: []*pulumi.ResourceHook{hook}, BeforeUpdate: []*pulumi.ResourceHook{hook},
	})
	return pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if args.Type != releaseType {
				return nil
			}
			return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: append(args.Opts, binding)}
		},
	}), nil
}

func (c *Cluster) mendRelease(ctx *pulumi.Context, args *pulumi.ResourceHookArgs) error {
	kubeconfig, err := c.awaitKubeconfig(ctx.Context())
	if err != nil {
		return fmt.Errorf("lke: %w", err)
	}
	namespace, name := plainText(args.NewInputs["namespace"]), plainText(args.NewInputs["name"])
	forgotten, err := mend.Release(ctx.Context(), kubeconfig, namespace, name, len(args.OldInputs) > 0)
	if err != nil {
		return fmt.Errorf("lke: looking for what an earlier run has left of release %s/%s: %w", namespace, name, err)
	}
	if forgotten > 0 {
		_ = ctx.Log.Warn(fmt.Sprintf("release %s/%s: an earlier run was cut short in the middle of it; this one goes on from "+
			"there", namespace, name), nil)
	}
	return nil
}

// plainText is the text of a property, whether it is secret or not; "" where it is not known yet.
func plainText(value resource.PropertyValue) string {
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return ""
	}
	return value.StringValue()
}
