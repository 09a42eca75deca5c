package postgres

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// operatorNamespace is where the operator runs.
const operatorNamespace = "postgres-operator"

// OperatorArgs describes the operator.
type OperatorArgs struct {
	// Values are laid over the chart's values, last and whatever they say.
	Values map[string]any `json:"values"`
}

// Operator runs the database clusters of all namespaces. While it is down they go on working, failover included; only what is
// declared anew has to wait.
// Upstream: https://access.crunchydata.com/documentation/postgres-operator/latest
type Operator struct {
	pulumi.ResourceState

	// Ready is what has to be there before a cluster.
	Ready []pulumi.Resource
}

// NewOperator declares the operator, with the kinds of object that it serves.
func NewOperator(ctx *pulumi.Context, name string, args *OperatorArgs, opts ...pulumi.ResourceOption) (*Operator, error) {
	o := &Operator{}
	if err := ctx.RegisterComponentResource("lke-platform:postgres:Operator", name, o, opts...); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	// The operator talks to the API server only, so that nothing has to reach it.
	within, err := namespace.New(ctx, operatorNamespace, &namespace.Args{
		Name: operatorNamespace, Standard: namespace.Restricted,
	}, pulumi.Parent(o))
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	release, err := charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart:     charts.PostgresOperator,
		Name:      "pgo",
		Namespace: within.Name,
		Values: pulumi.Map{
			"debug":       pulumi.Bool(false),
			"resources":   pulumi.Map{"controller": kube.Requests("50m", "256Mi")},
			"tolerations": kube.TolerationValues(),
		},
		Overrides: args.Values,
	}, pulumi.Parent(o))
	if err != nil {
		return nil, fmt.Errorf("postgres: declaring the operator's release: %w", err)
	}
	o.Ready = []pulumi.Resource{release}
	return o, component.Done(ctx, o, pulumi.Map{})
}
