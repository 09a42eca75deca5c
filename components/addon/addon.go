// Package addon installs charts of the stack's own beside the platform: pinned, confined and awaited as the platform's are.
package addon

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Addon is a chart that is installed, in a namespace of its own.
type Addon struct {
	pulumi.ResourceState

	// Ready is the release, for what comes after it.
	Ready []pulumi.Resource
}

// New declares the chart, and the namespace that it is confined to. The kinds of object that monitoring brings have to be there,
// for the chart may bring monitors along: its caller depends on them.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Addon, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("addon: %w", faults.ToAggregate())
	}
	a := &Addon{}
	if err := ctx.RegisterComponentResource("lke-platform:addon:Addon", name, a, opts...); err != nil {
		return nil, fmt.Errorf("addon: %w", err)
	}
	space, err := namespace.New(ctx, name, &namespace.Args{
		Name: args.Name, Standard: namespace.Standard(args.Standard), Open: args.openings(),
	}, pulumi.Parent(a))
	if err != nil {
		return nil, fmt.Errorf("addon: declaring the namespace: %w", err)
	}
	var before []pulumi.Resource
	if len(args.Secrets) > 0 {
		secret, err := a.newSecret(ctx, name, args, space)
		if err != nil {
			return nil, fmt.Errorf("addon: declaring the Secret: %w", err)
		}
		before = append(before, secret)
	}
	release, err := charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart: args.Pinned(), Name: args.Name, Namespace: space.Name, Overrides: args.Values,
	}, pulumi.Parent(a), pulumi.DependsOn(before))
	if err != nil {
		return nil, fmt.Errorf("addon: declaring the release: %w", err)
	}
	a.Ready = []pulumi.Resource{release}
	return a, component.Done(ctx, a, pulumi.Map{})
}

// newSecret holds what the chart's values name: existingSecret, or whatever the chart calls it. It has the name of the release.
func (a *Addon) newSecret(ctx *pulumi.Context, name string, args *Args, space *namespace.Namespace) (*corev1.Secret, error) {
	data := pulumi.StringMap{}
	for key, secret := range args.Secrets {
		data[key] = args.SecretValues[secret]
	}
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(args.Name), Namespace: space.Name, Labels: kube.Labels(args.Name, "addon"),
		},
		StringData: data,
	}, pulumi.Parent(a))
}
