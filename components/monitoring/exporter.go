package monitoring

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// exporter is a program that asks others, and answers Prometheus, in the same namespace, with what they said.
type exporter struct {
	name, component string
	port            int
	namespace       pulumi.StringInput
	pod             corev1.PodSpecArgs
	// annotations are those of its Deployment and its Service.
	annotations pulumi.StringMapInput
}

// exporterUser is nobody: some images would be root.
const exporterUser = 65534

// newExporter declares the Deployment of an exporter, and its Service.
func newExporter(ctx *pulumi.Context, name string, e *exporter, opts ...pulumi.ResourceOption) (*corev1.Service, error) {
	metadata := metav1.ObjectMetaArgs{
		Name: pulumi.String(e.name), Namespace: e.namespace, Labels: kube.Labels(e.name, e.component),
		Annotations: e.annotations,
	}
	_, err := appsv1.NewDeployment(ctx, name, &appsv1.DeploymentArgs{
		Metadata: metadata,
		Spec: appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(1),
			Selector: metav1.LabelSelectorArgs{MatchLabels: kube.SelectorLabels(e.name)},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: kube.Labels(e.name, e.component)}, Spec: e.pod,
			},
		},
	}, opts...)
	if err != nil {
		return nil, err
	}
	return corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Selector: kube.SelectorLabels(e.name),
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String("http"), Port: pulumi.Int(e.port), TargetPort: pulumi.String("http"),
			}},
		},
	}, opts...)
}

func exporterPorts(port int) corev1.ContainerPortArray {
	return corev1.ContainerPortArray{corev1.ContainerPortArgs{Name: pulumi.String("http"), ContainerPort: pulumi.Int(port)}}
}

// exporterPod is a pod of one container, without rights.
func exporterPod(container corev1.ContainerArgs, volumes ...corev1.VolumeInput) corev1.PodSpecArgs {
	container.Resources = corev1.ResourceRequirementsArgs{
		Requests: pulumi.ToStringMap(map[string]string{"cpu": "10m", "memory": "64Mi"}),
		Limits:   pulumi.ToStringMap(map[string]string{"memory": "64Mi"}),
	}
	container.SecurityContext = kube.NoRights()
	return corev1.PodSpecArgs{
		AutomountServiceAccountToken: pulumi.Bool(false),
		SecurityContext: corev1.PodSecurityContextArgs{
			RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(exporterUser), RunAsGroup: pulumi.Int(exporterUser),
			SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
		},
		Tolerations: kube.Tolerations(),
		Containers:  corev1.ContainerArray{container},
		Volumes:     corev1.VolumeArray(volumes),
	}
}
