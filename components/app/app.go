// Package app declares an application: for each of its processes a Deployment that never drops below its replicas, with the
// Service, the PodDisruptionBudget, the autoscaler and the disks that belong to it; and the Ingress, the Secrets, the release
// command and the scheduled jobs of all of them.
package app

import (
	"fmt"
	"slices"

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

	// Name is that of the Deployment of web.
	Name pulumi.StringOutput `pulumi:"name"`
	// Followed are the names of the Deployments that run the application's image.
	Followed pulumi.StringArray
	// PullSecret is the Secret with the credentials of the image's registry; nil for a public image.
	PullSecret pulumi.StringInput
	// Ready is what visitors need.
	Ready []pulumi.Resource
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
	shared, err := a.newShared(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Secrets: %w", err)
	}
	var before []pulumi.Resource
	if args.Release != nil {
		release, err := a.newRelease(ctx, name, args, shared)
		if err != nil {
			return nil, fmt.Errorf("app: declaring the release command: %w", err)
		}
		before = append(before, release)
	}
	processes := args.processes(name)
	services := make([]pulumi.StringOutput, len(processes))
	for i, process := range processes {
		if services[i], err = a.newProcess(ctx, process, shared, before); err != nil {
			return nil, fmt.Errorf("app: declaring process %s: %w", process.Name, err)
		}
	}
	ingress, err := a.newIngress(ctx, name, args, processes, services)
	if err != nil {
		return nil, fmt.Errorf("app: declaring the Ingress: %w", err)
	}
	a.Ready = append(a.Ready, ingress)
	for _, job := range args.Jobs {
		if err := a.newJob(ctx, name, args, job, shared, before); err != nil {
			return nil, fmt.Errorf("app: declaring job %s: %w", job.Name, err)
		}
	}
	return a, component.Done(ctx, a, pulumi.Map{"name": a.Name})
}

// newProcess declares a process, and returns its Service, if it serves.
func (a *App) newProcess(
	ctx *pulumi.Context, p *process, shared *shared, before []pulumi.Resource,
) (service pulumi.StringOutput, err error) {
	if err := a.newClaims(ctx, p); err != nil {
		return service, fmt.Errorf("volumes: %w", err)
	}
	deployment, err := a.newDeployment(ctx, p, shared, before)
	if err != nil {
		return service, fmt.Errorf("the Deployment: %w", err)
	}
	name := deployment.Metadata.Name().Elem()
	if p.Name == webName {
		a.Name = name
	}
	if p.followed() {
		a.Followed = append(a.Followed, name)
	}
	a.Ready = append(a.Ready, deployment)
	if err := a.newAutoscaler(ctx, p, name); err != nil {
		return service, fmt.Errorf("the autoscaler: %w", err)
	}
	if err := a.newDisruptionBudget(ctx, p); err != nil {
		return service, fmt.Errorf("the PodDisruptionBudget: %w", err)
	}
	if p.serves() {
		if service, err = a.newService(ctx, p); err != nil {
			return service, fmt.Errorf("the Service: %w", err)
		}
	}
	if err := a.newMonitor(ctx, p, shared); err != nil {
		return service, fmt.Errorf("the monitor: %w", err)
	}
	return service, nil
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
	if a.StorageClass == nil && slices.ContainsFunc(a.processes(""), func(p *process) bool { return len(p.Volumes) > 0 }) {
		faults = append(faults, field.Required(field.NewPath("volumes"), "there is no class of storage"))
	}
	for i, host := range a.AllHosts() {
		if _, found := kube.CertificateFor(host, a.Certificates); !found && a.Certificates != nil {
			faults = append(faults, field.Invalid(field.NewPath("hosts").Index(i), host, "no certificate is valid for it"))
		}
	}
	return faults
}

// newAutoscaler adds replicas under load.
func (a *App) newAutoscaler(ctx *pulumi.Context, p *process, deployment pulumi.StringInput) error {
	if p.Autoscale == nil {
		return nil
	}
	percent := p.Autoscale.CPUPercent
	if percent == 0 {
		percent = defaultCPUPercent
	}
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, p.resource, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: p.metadata(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String("apps/v1"), Kind: pulumi.String("Deployment"), Name: deployment,
			},
			MinReplicas: pulumi.Int(p.Replicas),
			MaxReplicas: pulumi.Int(p.Autoscale.Max),
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

func (a *App) newDisruptionBudget(ctx *pulumi.Context, p *process) error {
	_, err := policyv1.NewPodDisruptionBudget(ctx, p.resource, &policyv1.PodDisruptionBudgetArgs{
		Metadata: p.metadata(),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			// Not minAvailable: with one replica that would block every drain of its node.
			MaxUnavailable: pulumi.Int(1),
			Selector:       p.selector(),
			// A replica that is not ready protects nothing, and must not block a drain.
			UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
		},
	}, pulumi.Parent(a))
	return err
}

func (a *App) newService(ctx *pulumi.Context, p *process) (pulumi.StringOutput, error) {
	ports := corev1.ServicePortArray{corev1.ServicePortArgs{
		Name: pulumi.String(portName), Port: pulumi.Int(p.servicePort()), TargetPort: pulumi.String(portName),
	}}
	if p.metricsPortName() == metricsPortName {
		ports = append(ports, corev1.ServicePortArgs{
			Name: pulumi.String(metricsPortName), Port: pulumi.Int(p.Metrics.Port), TargetPort: pulumi.String(metricsPortName),
		})
	}
	service, err := corev1.NewService(ctx, p.resource, &corev1.ServiceArgs{
		Metadata: p.metadata(),
		Spec: corev1.ServiceSpecArgs{
			Type: pulumi.String("ClusterIP"), Selector: kube.SelectorLabels(p.object()), Ports: ports,
		},
	}, pulumi.Parent(a))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return service.Metadata.Name().Elem(), nil
}

// metadata is that of what all processes share.
func (a *Args) metadata() *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{Name: pulumi.String(a.Name), Namespace: a.Namespace, Labels: kube.Labels(a.Name, "web")}
}
