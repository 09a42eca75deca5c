package kube

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NewServiceMonitor has Prometheus collect metrics from the pods behind the Services with the given labels. Its kind comes with
// the monitoring of the platform.
// Upstream: https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.ServiceMonitor
func NewServiceMonitor(
	ctx *pulumi.Context, name string, metadata *metav1.ObjectMetaArgs, services pulumi.StringMap, endpoint pulumi.Map,
	opts ...pulumi.ResourceOption,
) error {
	return newMonitor(ctx, name, "ServiceMonitor", "endpoints", metadata, services, endpoint, opts)
}

// NewPodMonitor has Prometheus collect metrics from the pods with the given labels, whether there is a Service or not.
// Upstream: https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor
func NewPodMonitor(
	ctx *pulumi.Context, name string, metadata *metav1.ObjectMetaArgs, pods pulumi.StringMap, endpoint pulumi.Map,
	opts ...pulumi.ResourceOption,
) error {
	return newMonitor(ctx, name, "PodMonitor", "podMetricsEndpoints", metadata, pods, endpoint, opts)
}

func newMonitor(
	ctx *pulumi.Context, name, kind, endpoints string, metadata *metav1.ObjectMetaArgs, labels pulumi.StringMap,
	endpoint pulumi.Map, opts []pulumi.ResourceOption,
) error {
	_, err := apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("monitoring.coreos.com/v1"),
		Kind:       pulumi.String(kind),
		Metadata:   metadata,
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"selector": pulumi.Map{"matchLabels": labels},
			endpoints:  pulumi.Array{endpoint},
		}},
	}, opts...)
	return err
}
