package monitoring

import (
	_ "embed" // for the configuration
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// blackboxConfig is the configuration of the exporter.
//
//go:embed blackbox.yaml
var blackboxConfig string

const (
	blackbox     = "blackbox-exporter"
	blackboxPort = 9115
	// blackboxUser is nobody; the image would be root, to send ICMP.
	blackboxUser = 65534
	// blackboxFile and blackboxDir are where the configuration is.
	blackboxFile, blackboxDir = "blackbox.yaml", "/etc/blackbox"
)

// newBlackbox declares the exporter that asks for what Probes name. Only Prometheus, in the same namespace, reaches it.
func (s *Stack) newBlackbox(ctx *pulumi.Context, name string) error {
	name += "-" + blackbox
	// Immutable and named by the engine, so that another configuration is another ConfigMap, which rolls the exporter.
	config, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata:  metav1.ObjectMetaArgs{Namespace: s.Namespace, Labels: kube.Labels(blackbox, "probe")},
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{blackboxFile: pulumi.String(blackboxConfig)},
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	metadata := metav1.ObjectMetaArgs{
		Name: pulumi.String(blackbox), Namespace: s.Namespace, Labels: kube.Labels(blackbox, "probe"),
	}
	_, err = appsv1.NewDeployment(ctx, name, &appsv1.DeploymentArgs{
		Metadata: metadata,
		Spec: appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(1),
			Selector: metav1.LabelSelectorArgs{MatchLabels: kube.SelectorLabels(blackbox)},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: kube.Labels(blackbox, "probe")},
				Spec:     blackboxPod(config.Metadata.Name()),
			},
		},
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Selector: kube.SelectorLabels(blackbox),
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String("http"), Port: pulumi.Int(blackboxPort), TargetPort: pulumi.String("http"),
			}},
		},
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	s.prober = pulumi.Sprintf("%s.%s.svc:%d", service.Metadata.Name().Elem(), s.Namespace, blackboxPort)
	return nil
}

func blackboxPod(config pulumi.StringPtrInput) corev1.PodSpecArgs {
	healthy := corev1.ProbeArgs{HttpGet: corev1.HTTPGetActionArgs{Path: pulumi.String("/-/healthy"), Port: pulumi.String("http")}}
	return corev1.PodSpecArgs{
		AutomountServiceAccountToken: pulumi.Bool(false),
		SecurityContext: corev1.PodSecurityContextArgs{
			RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(blackboxUser), RunAsGroup: pulumi.Int(blackboxUser),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		},
		Tolerations: kube.Tolerations(),
		Volumes: corev1.VolumeArray{corev1.VolumeArgs{
			Name: pulumi.String("config"), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: config},
		}},
		Containers: corev1.ContainerArray{corev1.ContainerArgs{
			Name:  pulumi.String(blackbox),
			Image: pulumi.String(charts.BlackboxExporter.String()),
			Args:  pulumi.ToStringArray([]string{fmt.Sprintf("--config.file=%s/%s", blackboxDir, blackboxFile)}),
			Ports: corev1.ContainerPortArray{corev1.ContainerPortArgs{
				Name: pulumi.String("http"), ContainerPort: pulumi.Int(blackboxPort),
			}},
			VolumeMounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
				Name: pulumi.String("config"), MountPath: pulumi.String(blackboxDir), ReadOnly: pulumi.Bool(true),
			}},
			LivenessProbe: healthy, ReadinessProbe: healthy,
			Resources: corev1.ResourceRequirementsArgs{
				Requests: pulumi.ToStringMap(map[string]string{"cpu": "10m", "memory": "64Mi"}),
				Limits:   pulumi.ToStringMap(map[string]string{"memory": "64Mi"}),
			},
			SecurityContext: corev1.SecurityContextArgs{
				AllowPrivilegeEscalation: pulumi.Bool(false),
				ReadOnlyRootFilesystem:   pulumi.Bool(true),
				Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
			},
		}},
	}
}
