package fastly

import (
	"context"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ServiceVclProductEnablement says which products the service uses that are not part of every account.
type ServiceVclProductEnablement struct {
	BrotliCompression *bool `pulumi:"brotliCompression"`
	ImageOptimizer    *bool `pulumi:"imageOptimizer"`
	Websockets        *bool `pulumi:"websockets"`
}

// ServiceVclProductEnablementArgs is a ServiceVclProductEnablement of inputs.
type ServiceVclProductEnablementArgs struct {
	BrotliCompression pulumi.BoolPtrInput `pulumi:"brotliCompression"`
	ImageOptimizer    pulumi.BoolPtrInput `pulumi:"imageOptimizer"`
	Websockets        pulumi.BoolPtrInput `pulumi:"websockets"`
}

func (ServiceVclProductEnablementArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclProductEnablement]()
}

// ToServiceVclProductEnablementPtrOutput makes an optional output of the inputs.
func (a ServiceVclProductEnablementArgs) ToServiceVclProductEnablementPtrOutput() ServiceVclProductEnablementPtrOutput {
	return a.ToServiceVclProductEnablementPtrOutputWithContext(context.Background())
}

// ToServiceVclProductEnablementPtrOutputWithContext makes an optional output of the inputs.
func (a ServiceVclProductEnablementArgs) ToServiceVclProductEnablementPtrOutputWithContext(
	ctx context.Context,
) ServiceVclProductEnablementPtrOutput {
	return pulumi.ToOutputWithContext(ctx, a).(ServiceVclProductEnablementOutput).
		ApplyTWithContext(ctx, func(_ context.Context, v ServiceVclProductEnablement) *ServiceVclProductEnablement {
			return &v
		}).(ServiceVclProductEnablementPtrOutput)
}

// ServiceVclProductEnablementPtrInput is accepted where a ServiceVclProductEnablement may be given.
type ServiceVclProductEnablementPtrInput interface {
	pulumi.Input
	ToServiceVclProductEnablementPtrOutput() ServiceVclProductEnablementPtrOutput
	ToServiceVclProductEnablementPtrOutputWithContext(context.Context) ServiceVclProductEnablementPtrOutput
}

// ServiceVclProductEnablementOutput is a ServiceVclProductEnablement that is still to come.
type ServiceVclProductEnablementOutput struct{ *pulumi.OutputState }

func (ServiceVclProductEnablementOutput) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclProductEnablement]()
}

// ServiceVclProductEnablementPtrOutput is an optional ServiceVclProductEnablement that is still to come.
type ServiceVclProductEnablementPtrOutput struct{ *pulumi.OutputState }

func (ServiceVclProductEnablementPtrOutput) ElementType() reflect.Type {
	return reflect.TypeFor[*ServiceVclProductEnablement]()
}

// ToServiceVclProductEnablementPtrOutput returns the output itself.
func (o ServiceVclProductEnablementPtrOutput) ToServiceVclProductEnablementPtrOutput() ServiceVclProductEnablementPtrOutput {
	return o
}

// ToServiceVclProductEnablementPtrOutputWithContext returns the output itself.
func (o ServiceVclProductEnablementPtrOutput) ToServiceVclProductEnablementPtrOutputWithContext(
	context.Context,
) ServiceVclProductEnablementPtrOutput {
	return o
}

func init() {
	pulumi.RegisterInputType(reflect.TypeFor[ServiceVclProductEnablementPtrInput](), ServiceVclProductEnablementArgs{})
	pulumi.RegisterOutputType(ServiceVclProductEnablementOutput{})
	pulumi.RegisterOutputType(ServiceVclProductEnablementPtrOutput{})
}
