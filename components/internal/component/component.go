// Package component holds what all components do in the same way.
package component

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Done registers the outputs of a component, which ends its declaration. Unlike the SDK's RegisterResourceOutputs it returns at
// once: that one waits until the component is registered, and with it until all that the component comes after is there, so
// that nothing could be declared meanwhile that has nothing to do with it.
func Done(ctx *pulumi.Context, component pulumi.ComponentResource, outputs pulumi.Map) error {
	component.URN().ApplyT(func(urn pulumi.URN) (pulumi.URN, error) {
		return urn, ctx.RegisterResourceOutputs(component, outputs)
	})
	return nil
}
