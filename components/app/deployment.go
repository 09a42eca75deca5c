package app

import (
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
	// startLimit is how long a replica may take until it answers for the first time.
	startLimit = 300
	// probePeriod is the time between two health requests.
	probePeriod = 10
	// drainDelay is how long a replica goes on serving after it was told to stop, until no proxy sends to it any more.
	drainDelay = 10
	// stopLimit is how long a replica may take to finish its requests, drainDelay included.
	stopLimit = 60
)

// newDeployment starts with the replicas asked for; with an autoscaler, their number is the autoscaler's from then on.
func (a *App) newDeployment(ctx *pulumi.Context, name string, args *Args, secrets *secrets) (*appsv1.Deployment, error) {
	metadata := args.metadata()
	if len(args.Annotations) > 0 {
		metadata.Annotations = pulumi.ToStringMap(args.Annotations)
	}
	return appsv1.NewDeployment(ctx, name, &appsv1.DeploymentArgs{
		Metadata: metadata,
		Spec: appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(args.Replicas),
			RevisionHistoryLimit: pulumi.Int(3),
			Selector:             args.selector(),
			// A new replica has to be ready before an old one goes.
			Strategy: appsv1.DeploymentStrategyArgs{
				Type: pulumi.String("RollingUpdate"),
				RollingUpdate: appsv1.RollingUpdateDeploymentArgs{
					MaxSurge: pulumi.Int(surge), MaxUnavailable: pulumi.Int(0),
				},
			},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: args.metadata().Labels},
				Spec:     args.replica(secrets),
			},
		},
	}, pulumi.Parent(a), pulumi.IgnoreChanges(args.leave()))
}

// replica is a pod that serves visitors.
func (a *Args) replica(secrets *secrets) *corev1.PodSpecArgs {
	container := a.container(secrets)
	container.Ports = a.ports()
	container.StartupProbe = a.livenessProbe(startLimit / probePeriod)
	container.ReadinessProbe = a.probe(a.Health.Path, 2)
	// A restart is for a replica that hangs, not for one that is busy: it takes longer than to be taken out of service.
	container.LivenessProbe = a.livenessProbe(6)
	container.Lifecycle = corev1.LifecycleArgs{PreStop: corev1.LifecycleHandlerArgs{
		Sleep: corev1.SleepActionArgs{Seconds: pulumi.Int(drainDelay)},
	}}
	pod := a.pod(secrets, container)
	pod.PriorityClassName = pulumi.String(kube.PriorityApp)
	pod.TerminationGracePeriodSeconds = pulumi.Int(stopLimit)
	// Replicas stand on different nodes where there is room, each version counted for itself.
	pod.TopologySpreadConstraints = corev1.TopologySpreadConstraintArray{corev1.TopologySpreadConstraintArgs{
		MaxSkew:           pulumi.Int(1),
		TopologyKey:       pulumi.String("kubernetes.io/hostname"),
		WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
		LabelSelector:     a.selector(),
		MatchLabelKeys:    pulumi.ToStringArray([]string{"pod-template-hash"}),
	}}
	return pod
}

// pod is what replicas and jobs have in common.
func (a *Args) pod(secrets *secrets, container *corev1.ContainerArgs) *corev1.PodSpecArgs {
	pod := &corev1.PodSpecArgs{
		AutomountServiceAccountToken: pulumi.Bool(false),
		Containers:                   corev1.ContainerArray{container},
		SecurityContext: corev1.PodSecurityContextArgs{
			RunAsNonRoot:   pulumi.Bool(!a.Root()),
			RunAsUser:      pulumi.Int(a.User),
			RunAsGroup:     pulumi.Int(a.User),
			FsGroup:        pulumi.Int(a.User),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		},
		Tolerations: kube.Tolerations(),
	}
	a.mountAuthority(pod, container)
	if secrets.registry != nil {
		pod.ImagePullSecrets = corev1.LocalObjectReferenceArray{corev1.LocalObjectReferenceArgs{
			Name: secrets.registry.Metadata.Name(),
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
func (a *Args) container(secrets *secrets) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:            pulumi.String(a.Name),
		Image:           pulumi.String(a.imageName()),
		ImagePullPolicy: pulumi.String(a.pullPolicy()),
		Env:             a.environment(),
		EnvFrom: corev1.EnvFromSourceArray{corev1.EnvFromSourceArgs{
			SecretRef: corev1.SecretEnvSourceArgs{Name: secrets.environment.Metadata.Name()},
		}},
		Resources: corev1.ResourceRequirementsArgs{
			Requests: pulumi.ToStringMap(map[string]string{"cpu": a.Resources.CPU, "memory": a.Resources.Memory}),
			Limits:   pulumi.ToStringMap(map[string]string{"memory": a.Resources.Memory}),
		},
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false),
			Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
	}
}

func (a *Args) ports() corev1.ContainerPortArray {
	ports := corev1.ContainerPortArray{corev1.ContainerPortArgs{
		Name: pulumi.String(portName), ContainerPort: pulumi.Int(a.Port),
	}}
	if a.metricsPortName() == metricsPortName {
		ports = append(ports, corev1.ContainerPortArgs{
			Name: pulumi.String(metricsPortName), ContainerPort: pulumi.Int(a.Metrics.Port),
		})
	}
	return ports
}

// livenessProbe restarts a replica, also one that does not start.
func (a *Args) livenessProbe(failures int) *corev1.ProbeArgs {
	probe := a.probe(a.Health.LivenessPath, failures)
	if a.Health.LivenessPath == "" {
		probe.HttpGet, probe.TcpSocket = nil, corev1.TCPSocketActionArgs{Port: pulumi.String(portName)}
	}
	return probe
}

func (a *Args) probe(path string, failures int) *corev1.ProbeArgs {
	return &corev1.ProbeArgs{
		HttpGet: corev1.HTTPGetActionArgs{
			Path: pulumi.String(path), Port: pulumi.String(portName), HttpHeaders: a.Health.headers(),
		},
		PeriodSeconds:    pulumi.Int(probePeriod),
		TimeoutSeconds:   pulumi.Int(5),
		FailureThreshold: pulumi.Int(failures),
	}
}
