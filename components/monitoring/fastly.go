package monitoring

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// Fastly is who may ask for Fastly's own statistics.
type Fastly struct {
	// Token names the secret of the stack that holds a Fastly token of scope global:read, limited to the stack's services.
	Token string `json:"token"`
}

const (
	fastlyExporter = "fastly-exporter"
	fastlyPort     = 8080
	fastlyTokenKey = "token"
	// fastlyMetrics are what the rules and the dashboards ask for. Each is there once for every place of Fastly's, of which there
	// are a hundred, and Fastly counts two hundred things.
	fastlyMetrics = `^fastly_rt_(realtime_api_requests|requests|edge|status_group|hits|miss(es)?|errors|resp_body_bytes)_total$`
)

// NewFastlyStatistics has Fastly asked for the statistics of services. It is not part of the Stack: they come after it.
// Upstream: https://www.fastly.com/documentation/reference/tools/fastly-exporter
func (s *Stack) NewFastlyStatistics(
	ctx *pulumi.Context, name string, args *Args, services pulumi.StringArray, opts ...pulumi.ResourceOption,
) error {
	metadata := &metav1.ObjectMetaArgs{
		Name: pulumi.String(fastlyExporter), Namespace: s.Namespace, Labels: kube.Labels(fastlyExporter, "statistics"),
	}
	// Immutable and named by the engine, so that another token is another Secret, which rolls the exporter.
	token, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   metav1.ObjectMetaArgs{Namespace: s.Namespace, Labels: metadata.Labels},
		Immutable:  pulumi.Bool(true),
		StringData: pulumi.StringMap{fastlyTokenKey: args.secret(args.Fastly.Token)},
	}, opts...)
	if err != nil {
		return fmt.Errorf("monitoring: declaring the Secret of the Fastly exporter: %w", err)
	}
	_, err = newExporter(ctx, name, &exporter{
		name: fastlyExporter, component: "statistics", port: fastlyPort, namespace: s.Namespace,
		pod: fastlyPod(services, token.Metadata.Name()),
		// Where Fastly does not answer it does not get ready. That is an alert, and no reason for others to wait.
		annotations: pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")},
	}, opts...)
	if err != nil {
		return fmt.Errorf("monitoring: declaring the Fastly exporter: %w", err)
	}
	err = kube.NewServiceMonitor(ctx, name, metadata, kube.SelectorLabels(fastlyExporter),
		pulumi.Map{"port": pulumi.String("http")}, append(opts, pulumi.DependsOn(s.Ready))...)
	if err != nil {
		return fmt.Errorf("monitoring: declaring the ServiceMonitor of the Fastly exporter: %w", err)
	}
	return nil
}

func fastlyPod(services pulumi.StringArray, token pulumi.StringPtrInput) corev1.PodSpecArgs {
	arguments := pulumi.StringArray{
		pulumi.Sprintf("-listen=0.0.0.0:%d", fastlyPort), pulumi.String("-metric-allowlist=" + fastlyMetrics),
	}
	for _, id := range services {
		arguments = append(arguments, pulumi.Sprintf("-service=%s", id))
	}
	// Without an answer of Fastly's it ends, or says so in its metrics if it had one before, which is no reason to start it anew.
	ready := corev1.ProbeArgs{TcpSocket: corev1.TCPSocketActionArgs{Port: pulumi.String("http")}}
	return exporterPod(corev1.ContainerArgs{
		Name:  pulumi.String(fastlyExporter),
		Image: pulumi.String(charts.FastlyExporter.String()),
		Args:  arguments,
		Env: corev1.EnvVarArray{corev1.EnvVarArgs{
			Name: pulumi.String("FASTLY_API_TOKEN"),
			ValueFrom: corev1.EnvVarSourceArgs{SecretKeyRef: corev1.SecretKeySelectorArgs{
				Name: token, Key: pulumi.String(fastlyTokenKey),
			}},
		}},
		Ports:         exporterPorts(fastlyPort),
		LivenessProbe: ready, ReadinessProbe: ready,
	})
}
