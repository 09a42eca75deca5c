package app

import (
	"maps"
	"strconv"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// surge is how many replicas more than asked for run while a new version rolls out.
const surge = 1

// Seconds.
const (
	// startLimit is how long a replica may take until it answers for the first time, where nothing else is said.
	startLimit = 300
	// probePeriod is the time between two health requests.
	probePeriod = 10
	// drainDelay is how long a replica goes on serving after it was told to stop, until no proxy sends to it any more.
	drainDelay = 10
	// stuckLimit is how long a rollout may take from one replica to the next, Kubernetes' own.
	stuckLimit = 600
)

// newDeployment starts with the replicas asked for; with an autoscaler, their number is the autoscaler's from then on.
func (a *App) newDeployment(
	ctx *pulumi.Context, p *process, shared *shared, before []pulumi.Resource,
) (*appsv1.Deployment, error) {
	metadata := p.metadata()
	metadata.Annotations = p.annotations()
	spec := appsv1.DeploymentSpecArgs{
		Replicas:             pulumi.Int(p.Replicas),
		RevisionHistoryLimit: pulumi.Int(3),
		Selector:             p.selector(),
		Strategy:             p.strategy(),
		Template: corev1.PodTemplateSpecArgs{
			Metadata: &metav1.ObjectMetaArgs{Labels: p.metadata().Labels},
			Spec:     p.replica(shared),
		},
	}
	if limit := p.Health.startLimit(); limit >= stuckLimit {
		spec.ProgressDeadlineSeconds = pulumi.Int(limit + startLimit)
	}
	return appsv1.NewDeployment(ctx, p.resource, &appsv1.DeploymentArgs{Metadata: metadata, Spec: spec},
		pulumi.Parent(a), pulumi.IgnoreChanges(p.leave()), pulumi.DependsOn(before))
}

// annotations are those of what delivers, and the time that a rollout takes whose replicas start as late as they may, one after
// the other: the provider by itself gives up after ten minutes. It waits as long for a rollout that Kubernetes has given up.
func (p *process) annotations() pulumi.StringMap {
	annotations := pulumi.StringMap{
		"pulumi.com/timeoutSeconds": pulumi.String(strconv.Itoa(stuckLimit + p.most()*p.Health.startLimit())),
	}
	if p.followed() {
		maps.Copy(annotations, pulumi.ToStringMap(p.app.Annotations))
	}
	return annotations
}

// strategy has a new replica ready before an old one goes, unless they would wait for each other's disk.
func (p *process) strategy() appsv1.DeploymentStrategyArgs {
	if len(p.Volumes) > 0 {
		return appsv1.DeploymentStrategyArgs{Type: pulumi.String("Recreate")}
	}
	return appsv1.DeploymentStrategyArgs{
		Type:          pulumi.String("RollingUpdate"),
		RollingUpdate: appsv1.RollingUpdateDeploymentArgs{MaxSurge: pulumi.Int(surge), MaxUnavailable: pulumi.Int(0)},
	}
}

// replica is a pod of a process.
func (p *process) replica(shared *shared) *corev1.PodSpecArgs {
	container := p.app.container(shared, p.image(), p.Resources)
	container.Name, container.Env = pulumi.String(p.object()), p.app.environment(p.Env)
	if len(p.Command) > 0 {
		container.Command = pulumi.ToStringArray(p.Command)
	}
	if len(p.Arguments) > 0 {
		container.Args = pulumi.ToStringArray(p.Arguments)
	}
	container.Ports = p.ports()
	container.StartupProbe = p.liveness(p.Health.startLimit() / probePeriod)
	container.ReadinessProbe = p.readiness()
	// A restart is for a replica that hangs, not for one that is busy: it takes longer than to be taken out of service.
	container.LivenessProbe = p.liveness(6)
	if p.serves() {
		container.Lifecycle = corev1.LifecycleArgs{PreStop: corev1.LifecycleHandlerArgs{
			Sleep: corev1.SleepActionArgs{Seconds: pulumi.Int(drainDelay)},
		}}
	}
	pod := p.app.pod(shared, container)
	pod.SecurityContext = kube.PodSecurity(p.user())
	p.mountVolumes(pod, container)
	pod.PriorityClassName = pulumi.String(kube.PriorityApp)
	pod.TerminationGracePeriodSeconds = pulumi.Int(p.gracePeriod())
	// Replicas stand on different nodes where there is room, each version counted for itself.
	pod.TopologySpreadConstraints = corev1.TopologySpreadConstraintArray{corev1.TopologySpreadConstraintArgs{
		MaxSkew:           pulumi.Int(1),
		TopologyKey:       pulumi.String("kubernetes.io/hostname"),
		WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
		LabelSelector:     p.selector(),
		MatchLabelKeys:    pulumi.ToStringArray([]string{"pod-template-hash"}),
	}}
	return pod
}

// pod is what replicas and jobs have in common.
func (a *Args) pod(shared *shared, container *corev1.ContainerArgs) *corev1.PodSpecArgs {
	pod := &corev1.PodSpecArgs{
		AutomountServiceAccountToken: pulumi.Bool(false),
		Containers:                   corev1.ContainerArray{container},
		SecurityContext:              kube.PodSecurity(a.User),
		Tolerations:                  kube.Tolerations(),
	}
	a.mountAuthority(pod, container)
	a.mountFiles(shared, pod, container)
	if shared.registry != nil {
		pod.ImagePullSecrets = corev1.LocalObjectReferenceArray{corev1.LocalObjectReferenceArgs{
			Name: shared.registry.Metadata.Name(),
		}}
	}
	return pod
}

// Root says whether the containers run as root.
func (a *Args) Root() bool { return a.User == 0 }

// PodSecurity is the standard that the application's namespace can be held to: the restricted one admits no root. All else that
// it asks for, the pods do in any case.
func (a *Args) PodSecurity() namespace.Standard {
	if a.Root() {
		return namespace.Baseline
	}
	return namespace.Restricted
}

// container is what replicas and jobs have in common.
func (a *Args) container(shared *shared, image string, resources Resources) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String(a.Name),
		Image:           pulumi.String(imageName(image)),
		ImagePullPolicy: pulumi.String(pullPolicy(image)),
		Env:             a.environment(nil),
		EnvFrom: corev1.EnvFromSourceArray{corev1.EnvFromSourceArgs{
			SecretRef: corev1.SecretEnvSourceArgs{Name: shared.environment.Metadata.Name()},
		}},
		Resources: corev1.ResourceRequirementsArgs{
			Requests: pulumi.ToStringMap(map[string]string{"cpu": resources.CPU, "memory": resources.Memory}),
			Limits:   pulumi.ToStringMap(map[string]string{"memory": resources.Memory}),
		},
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false),
			Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
	}
}

func (p *process) ports() corev1.ContainerPortArray {
	var ports corev1.ContainerPortArray
	if p.serves() {
		ports = append(ports, corev1.ContainerPortArgs{Name: pulumi.String(portName), ContainerPort: pulumi.Int(p.Port)})
	}
	if p.metricsPortName() == metricsPortName {
		ports = append(ports, corev1.ContainerPortArgs{
			Name: pulumi.String(metricsPortName), ContainerPort: pulumi.Int(p.Metrics.Port),
		})
	}
	return ports
}
