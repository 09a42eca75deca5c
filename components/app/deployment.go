package app

import (
	"maps"
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

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

func (a *App) newDeployment(ctx *pulumi.Context, name string, args *Args, secret *corev1.Secret) error {
	_, err := appsv1.NewDeployment(ctx, name, &appsv1.DeploymentArgs{
		Metadata: args.metadata(),
		Spec: appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(args.Replicas),
			RevisionHistoryLimit: pulumi.Int(3),
			Selector:             args.selector(),
			// A new replica has to be ready before an old one goes.
			Strategy: appsv1.DeploymentStrategyArgs{
				Type: pulumi.String("RollingUpdate"),
				RollingUpdate: appsv1.RollingUpdateDeploymentArgs{
					MaxSurge: pulumi.Int(1), MaxUnavailable: pulumi.Int(0),
				},
			},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: args.metadata().Labels},
				Spec:     args.podSpec(secret),
			},
		},
	}, pulumi.Parent(a))
	return err
}

func (a *Args) podSpec(secret *corev1.Secret) *corev1.PodSpecArgs {
	return &corev1.PodSpecArgs{
		AutomountServiceAccountToken:  pulumi.Bool(false),
		TerminationGracePeriodSeconds: pulumi.Int(stopLimit),
		Containers:                    corev1.ContainerArray{a.container(secret)},
		SecurityContext: corev1.PodSecurityContextArgs{
			RunAsNonRoot:   pulumi.Bool(true),
			RunAsUser:      pulumi.Int(a.User),
			RunAsGroup:     pulumi.Int(a.User),
			FsGroup:        pulumi.Int(a.User),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		},
		// Replicas stand on different nodes where there is room, each version counted for itself.
		TopologySpreadConstraints: corev1.TopologySpreadConstraintArray{corev1.TopologySpreadConstraintArgs{
			MaxSkew:           pulumi.Int(1),
			TopologyKey:       pulumi.String("kubernetes.io/hostname"),
			WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
			LabelSelector:     a.selector(),
			MatchLabelKeys:    pulumi.ToStringArray([]string{"pod-template-hash"}),
		}},
		Tolerations: kube.Tolerations(),
	}
}

func (a *Args) container(secret *corev1.Secret) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:  pulumi.String(a.Name),
		Image: pulumi.String(a.Image),
		Ports: corev1.ContainerPortArray{corev1.ContainerPortArgs{
			Name: pulumi.String(portName), ContainerPort: pulumi.Int(a.Port),
		}},
		Env: a.environment(),
		EnvFrom: corev1.EnvFromSourceArray{corev1.EnvFromSourceArgs{
			SecretRef: corev1.SecretEnvSourceArgs{Name: secret.Metadata.Name()},
		}},
		Resources: corev1.ResourceRequirementsArgs{
			Requests: pulumi.ToStringMap(map[string]string{"cpu": a.Resources.CPU, "memory": a.Resources.Memory}),
			Limits:   pulumi.ToStringMap(map[string]string{"memory": a.Resources.Memory}),
		},
		StartupProbe:   a.probe(startLimit / probePeriod),
		ReadinessProbe: a.probe(2),
		// A restart is for a replica that hangs, not for one that is busy: it takes longer than to be taken out of service.
		LivenessProbe: a.probe(6),
		Lifecycle: corev1.LifecycleArgs{PreStop: corev1.LifecycleHandlerArgs{
			Sleep: corev1.SleepActionArgs{Seconds: pulumi.Int(drainDelay)},
		}},
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false),
			Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
	}
}

func (a *Args) environment() corev1.EnvVarArray {
	variables := corev1.EnvVarArray{}
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		variables = append(variables, corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(a.Env[name])})
	}
	return variables
}

func (a *Args) probe(failures int) *corev1.ProbeArgs {
	request := corev1.HTTPGetActionArgs{Path: pulumi.String(a.Health.Path), Port: pulumi.String(portName)}
	if a.Health.Host != "" {
		request.HttpHeaders = corev1.HTTPHeaderArray{corev1.HTTPHeaderArgs{
			Name: pulumi.String("Host"), Value: pulumi.String(a.Health.Host),
		}}
	}
	return &corev1.ProbeArgs{
		HttpGet:          request,
		PeriodSeconds:    pulumi.Int(probePeriod),
		TimeoutSeconds:   pulumi.Int(5),
		FailureThreshold: pulumi.Int(failures),
	}
}
