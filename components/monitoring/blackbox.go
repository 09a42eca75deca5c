package monitoring

import (
	_ "embed" // for the configuration
	"fmt"

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
	service, err := newExporter(ctx, name, &exporter{
		name: blackbox, component: "probe", port: blackboxPort, namespace: s.Namespace, pod: blackboxPod(config.Metadata.Name()),
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	s.prober = pulumi.Sprintf("%s.%s.svc:%d", service.Metadata.Name().Elem(), s.Namespace, blackboxPort)
	return nil
}

func blackboxPod(config pulumi.StringPtrInput) corev1.PodSpecArgs {
	healthy := corev1.ProbeArgs{HttpGet: corev1.HTTPGetActionArgs{Path: pulumi.String("/-/healthy"), Port: pulumi.String("http")}}
	return exporterPod(corev1.ContainerArgs{
		Name:  pulumi.String(blackbox),
		Image: pulumi.String(charts.BlackboxExporter.String()),
		Args:  pulumi.ToStringArray([]string{fmt.Sprintf("--config.file=%s/%s", blackboxDir, blackboxFile)}),
		Ports: exporterPorts(blackboxPort),
		VolumeMounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
			Name: pulumi.String("config"), MountPath: pulumi.String(blackboxDir), ReadOnly: pulumi.Bool(true),
		}},
		LivenessProbe: healthy, ReadinessProbe: healthy,
	}, corev1.VolumeArgs{Name: pulumi.String("config"), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: config}})
}
