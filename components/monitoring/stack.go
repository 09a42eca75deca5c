// Package monitoring declares Prometheus, Alertmanager and Grafana, the alerts about what has hurt before, and the metrics that
// `kubectl top` and autoscalers ask for.
package monitoring

import (
	"fmt"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/charts"
	"lke-platform/components/internal/check"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Stack is kube-prometheus-stack, metrics-server and the blackbox exporter. It selects the monitors and rules of all namespaces,
// and its CRDs have to be there before them: what brings monitors along depends on Ready.
type Stack struct {
	pulumi.ResourceState

	// Namespace is known when it is there. A ConfigMap in it with the label grafana_dashboard=1 is a dashboard.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
	// Ready is what has to be there before monitors and rules.
	Ready []pulumi.Resource

	// prober is the address of the exporter that Probes go through.
	prober pulumi.StringOutput
}

const (
	// receiversSecret holds the secrets of Alertmanager's receivers, each under its name.
	receiversSecret = "alertmanager-receivers"
	// userKey and passwordKey are the entries of Grafana's Secret.
	userKey, passwordKey = "admin-user", "admin-password"
	// grafanaService is the chart's name for Grafana's Service.
	grafanaService = "kube-prometheus-stack-grafana"
)

// New declares the monitoring.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Stack, error) {
	faults := append(args.Validate(nil), check.Domain(field.NewPath("grafanaHost"), args.GrafanaHost)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("monitoring: %w", faults.ToAggregate())
	}
	s := &Stack{}
	if err := ctx.RegisterComponentResource("lke-platform:monitoring:Stack", name, s, opts...); err != nil {
		return nil, fmt.Errorf("monitoring: %w", err)
	}
	ns, err := namespace.New(ctx, name, args.confinement(), pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("monitoring: %w", err)
	}
	s.Namespace = ns.Name
	if err := s.newMetricsServer(ctx, name); err != nil {
		return nil, fmt.Errorf("monitoring: declaring metrics-server: %w", err)
	}
	if err := s.newBlackbox(ctx, name); err != nil {
		return nil, fmt.Errorf("monitoring: declaring the blackbox exporter: %w", err)
	}
	home, err := s.newDashboards(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("monitoring: declaring the dashboards: %w", err)
	}
	release, err := s.newRelease(ctx, name, args, home)
	if err != nil {
		return nil, fmt.Errorf("monitoring: declaring kube-prometheus-stack: %w", err)
	}
	s.Ready = []pulumi.Resource{release}
	if err := s.newRules(ctx, name, args, release); err != nil {
		return nil, fmt.Errorf("monitoring: declaring the alert rules: %w", err)
	}
	return s, component.Done(ctx, s, pulumi.Map{"namespace": s.Namespace})
}

// confinement is privileged, since the node exporter reads the host's network, processes and file systems, which no stricter
// standard allows. All other pods here are unprivileged by their own settings.
func (a *Args) confinement() *namespace.Args {
	shown := namespace.APIServer
	if a.LogsURL != "" {
		shown = append(slices.Clone(shown), a.LogsPort)
	}
	confined := &namespace.Args{
		Name: namespace.Monitoring, Standard: namespace.Privileged,
		Open: []namespace.Opening{
			{
				Name: "grafana", Pods: map[string]string{"app.kubernetes.io/name": "grafana"},
				Namespaces: []string{namespace.Ingress}, Ports: []any{3000},
			},
			// The API server asks these two.
			{Name: "operator", Pods: map[string]string{"app": "kube-prometheus-stack-operator"}, Ports: []any{10250}},
			{Name: "metrics-server", Pods: map[string]string{"app.kubernetes.io/name": "metrics-server"}, Ports: []any{10250}},
		},
		// Prometheus reads metrics from everywhere, and Alertmanager and the blackbox exporter are there to connect.
		Bound: []namespace.Bound{
			{Name: "grafana-bound", Pods: map[string]string{"app.kubernetes.io/name": "grafana"}, Ports: shown},
			{
				Name: "state-metrics-bound", Pods: map[string]string{"app.kubernetes.io/name": "kube-state-metrics"},
				Ports: namespace.APIServer,
			},
		},
	}
	if a.Fastly != nil {
		confined.Bound = append(confined.Bound, namespace.Bound{
			Name: "fastly-bound", Pods: map[string]string{"app.kubernetes.io/name": fastlyExporter}, Ports: []int{443},
		})
	}
	return confined
}

func (s *Stack) newRelease(
	ctx *pulumi.Context, name string, args *Args, home *corev1.ConfigMap,
) (*charts.Release, error) {
	login, err := s.newLogin(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("login of Grafana: %w", err)
	}
	var waitFor []pulumi.Resource
	if len(args.Alerts.secretNames()) > 0 {
		receivers, err := s.newReceiversSecret(ctx, name, args)
		if err != nil {
			return nil, fmt.Errorf("secrets of Alertmanager: %w", err)
		}
		waitFor = append(waitFor, receivers)
	}
	return charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart:     charts.KubePrometheusStack,
		Name:      "kube-prometheus-stack",
		Namespace: s.Namespace,
		Values:    args.values(ctx.Stack(), login.Metadata.Name().Elem(), home.Metadata.Name().Elem()),
		Overrides: args.Values,
	}, pulumi.Parent(s), pulumi.DependsOn(waitFor))
}

// newLogin holds Grafana's account. Grafana reads it when it starts, and has no volume that would remember an older one: the
// Secret is immutable and named by the engine, so that a new password is a new Secret, which rolls Grafana.
func (s *Stack) newLogin(ctx *pulumi.Context, name string, args *Args) (*corev1.Secret, error) {
	return corev1.NewSecret(ctx, name+"-grafana", &corev1.SecretArgs{
		Metadata:  metav1.ObjectMetaArgs{Namespace: s.Namespace, Labels: kube.Labels("grafana", "login")},
		Immutable: pulumi.Bool(true),
		StringData: pulumi.StringMap{
			userKey:     pulumi.String(args.Grafana.User),
			passwordKey: args.secret(args.Grafana.Password),
		},
	}, pulumi.Parent(s))
}

// newReceiversSecret holds what Alertmanager's receivers need. Alertmanager reads it again for each message.
func (s *Stack) newReceiversSecret(ctx *pulumi.Context, name string, args *Args) (*corev1.Secret, error) {
	values := pulumi.StringMap{}
	for _, secret := range args.Alerts.secretNames() {
		values[secret] = args.secret(secret)
	}
	return corev1.NewSecret(ctx, name+"-receivers", &corev1.SecretArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(receiversSecret), Namespace: s.Namespace, Labels: kube.Labels("alertmanager", "receivers"),
		},
		StringData: values,
	}, pulumi.Parent(s))
}

func (a *Args) secret(name string) pulumi.StringOutput {
	return a.SecretValues.ToStringMapOutput().MapIndex(pulumi.String(name))
}

// newMetricsServer lets `kubectl top` and autoscalers know what pods use.
func (s *Stack) newMetricsServer(ctx *pulumi.Context, name string) error {
	_, err := charts.NewRelease(ctx, name+"-metrics-server", &charts.ReleaseArgs{
		Chart:     charts.MetricsServer,
		Name:      "metrics-server",
		Namespace: s.Namespace,
		Values: pulumi.Map{
			// The kubelets of LKE show a certificate that they signed themselves.
			"args":        pulumi.ToStringArray([]string{"--kubelet-insecure-tls"}),
			"resources":   kube.Requests("50m", "100Mi"),
			"tolerations": kube.TolerationValues(),
		},
	}, pulumi.Parent(s))
	return err
}
