// Package app declares a web application: a Deployment that never drops below its replicas, with the Service, the Ingress,
// the PodDisruptionBudget, the autoscaler, the Secrets and the scheduled jobs that belong to it.
package app

import (
	"fmt"

	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// App is a web application behind an Ingress.
type App struct {
	pulumi.ResourceState

	// Name is that of the Deployment.
	Name pulumi.StringOutput `pulumi:"name"`
	// PullSecret is the Secret with the credentials of the image's registry; nil for a public image.
	PullSecret pulumi.StringInput
	// Ready is what visitors need.
	Ready []pulumi.Resource

	// serviceName is the Service in front of the replicas, on port 80.
	serviceName pulumi.StringOutput
}

const (
	// portName ties probes, Service and Ingress to the container's port.
	portName = "http"
	// metricsPortName is that of a port that serves nothing but metrics.
	metricsPortName = "metrics"
	// defaultCPUPercent is the use of CPU that replicas are added at, in percent of what is reserved.
	defaultCPUPercent = 70
)

// New declares an application.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*App, error) {
	faults := append(args.Validate(nil), args.checkInputs()...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("app: %w", faults.ToAggregate())
	}
	a := &App{}
	if err := ctx.RegisterComponentResource("lke-platform:app:App", name, a, opts...); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	secrets, err := a.newSecrets(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Secrets: %w", err)
	}
	deployment, err := a.newDeployment(ctx, name, args, secrets)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Deployment: %w", err)
	}
	a.Name = deployment.Metadata.Name().Elem()
	if err := a.newAutoscaler(ctx, name, args); err != nil {
		return nil, fmt.Errorf("app: declaring the autoscaler: %w", err)
	}
	if err := a.newDisruptionBudget(ctx, name, args); err != nil {
		return nil, fmt.Errorf("app: declaring the PodDisruptionBudget: %w", err)
	}
	if err := a.newService(ctx, name, args); err != nil {
		return nil, fmt.Errorf("app: declaring the Service: %w", err)
	}
	ingress, err := a.newIngress(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Ingress: %w", err)
	}
	a.Ready = []pulumi.Resource{deployment, ingress}
	if err := a.newMonitor(ctx, name, args, secrets); err != nil {
		return nil, fmt.Errorf("app: declaring the ServiceMonitor: %w", err)
	}
	for _, job := range args.Jobs {
		if err := a.newJob(ctx, name, args, job, secrets); err != nil {
			return nil, fmt.Errorf("app: declaring job %s: %w", job.Name, err)
		}
	}
	return a, component.Done(ctx, a, pulumi.Map{"name": a.Name})
}

// checkInputs refuses what configuration asks for and the caller has not given.
func (a *Args) checkInputs() field.ErrorList {
	var faults field.ErrorList
	if a.Registry != nil && a.RegistryPassword == nil {
		faults = append(faults, field.Required(field.NewPath("registry", "password"), "has no value"))
	}
	if a.DatabaseSecret != nil && a.DatabaseAuthority == nil &&
		a.uses(func(key string) bool { return key == authorityText || key == authorityFile }) {
		faults = append(faults, field.Required(field.NewPath("database"), "the authority of the database is not known"))
	}
	if len(a.Media) > 0 && a.Bucket == nil {
		faults = append(faults, field.Required(field.NewPath("media"), "there is no bucket"))
	}
	for i, host := range a.Hosts {
		if _, found := kube.CertificateFor(host, a.Certificates); !found && a.Certificates != nil {
			faults = append(faults, field.Invalid(field.NewPath("hosts").Index(i), host, "no certificate is valid for it"))
		}
	}
	return faults
}

// newAutoscaler adds replicas under load.
func (a *App) newAutoscaler(ctx *pulumi.Context, name string, args *Args) error {
	if args.Autoscale == nil {
		return nil
	}
	percent := args.Autoscale.CPUPercent
	if percent == 0 {
		percent = defaultCPUPercent
	}
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, name, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: args.metadata(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String("apps/v1"), Kind: pulumi.String("Deployment"), Name: a.Name,
			},
			MinReplicas: pulumi.Int(args.Replicas),
			MaxReplicas: pulumi.Int(args.Autoscale.Max),
			Metrics: autoscalingv2.MetricSpecArray{autoscalingv2.MetricSpecArgs{
				Type: pulumi.String("Resource"),
				Resource: autoscalingv2.ResourceMetricSourceArgs{
					Name: pulumi.String("cpu"),
					Target: autoscalingv2.MetricTargetArgs{
						Type: pulumi.String("Utilization"), AverageUtilization: pulumi.Int(percent),
					},
				},
			}},
		},
	}, pulumi.Parent(a))
	return err
}

func (a *App) newDisruptionBudget(ctx *pulumi.Context, name string, args *Args) error {
	_, err := policyv1.NewPodDisruptionBudget(ctx, name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			// Not minAvailable: with one replica that would block every drain of its node.
			MaxUnavailable: pulumi.Int(1),
			Selector:       args.selector(),
			// A replica that is not ready protects nothing, and must not block a drain.
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(a))
	return err
}

func (a *App) newService(ctx *pulumi.Context, name string, args *Args) error {
	ports := corev1.ServicePortArray{corev1.ServicePortArgs{
		Name: pulumi.String(portName), Port: pulumi.Int(80), TargetPort: pulumi.String(portName),
	}}
	if args.metricsPortName() == metricsPortName {
		ports = append(ports, corev1.ServicePortArgs{
			Name: pulumi.String(metricsPortName), Port: pulumi.Int(args.Metrics.Port), TargetPort: pulumi.String(metricsPortName),
		})
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: args.metadata(),
		Spec: corev1.ServiceSpecArgs{
			Type: pulumi.String("ClusterIP"), Selector: kube.SelectorLabels(args.Name), Ports: ports,
		},
	}, pulumi.Parent(a))
	if err != nil {
		return err
	}
	a.serviceName = service.Metadata.Name().Elem()
	return nil
}

// newMonitor has Prometheus collect the application's metrics.
func (a *App) newMonitor(ctx *pulumi.Context, name string, args *Args, secrets *secrets) error {
	if args.Metrics == nil {
		return nil
	}
	endpoint := pulumi.Map{"port": pulumi.String(args.metricsPortName()), "path": pulumi.String(args.metricsPath())}
	if args.Metrics.Token != "" {
		endpoint["authorization"] = pulumi.Map{"credentials": pulumi.Map{
			"name": secrets.environment.Metadata.Name(), "key": pulumi.String(args.Metrics.Token),
		}}
	}
	return kube.NewServiceMonitor(ctx, name, args.metadata(), kube.SelectorLabels(args.Name), endpoint, pulumi.Parent(a))
}

func (a *Args) metricsPath() string {
	if a.Metrics.Path == "" {
		return "/metrics"
	}
	return a.Metrics.Path
}

// metricsPortName is the port that answers with metrics; portName where that is the one that serves visitors.
func (a *Args) metricsPortName() string {
	if a.Metrics == nil || a.Metrics.Port == 0 || a.Metrics.Port == a.Port {
		return portName
	}
	return metricsPortName
}

// leave are the properties of the Deployment that belong to others: to what delivers new versions, and to the autoscaler.
func (a *Args) leave() []string {
	if a.Autoscale == nil {
		return a.Leave
	}
	return append([]string{"spec.replicas"}, a.Leave...)
}

// metadata is that of every object of the application.
func (a *Args) metadata() *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{Name: pulumi.String(a.Name), Namespace: a.Namespace, Labels: kube.Labels(a.Name, "web")}
}

func (a *Args) selector() *metav1.LabelSelectorArgs {
	return &metav1.LabelSelectorArgs{MatchLabels: kube.SelectorLabels(a.Name)}
}
