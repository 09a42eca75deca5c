//go:build linux

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestPlayedContainersDoTheirPart(t *testing.T) {
	t.Parallel()
	always := corev1.ContainerRestartPolicyAlways
	http := func(port intstr.IntOrString, scheme corev1.URIScheme) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: port, Scheme: scheme}}}
	}
	app := corev1.Container{
		Name: "app", Image: "app:1",
		Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {ContainerPort: 53, Protocol: corev1.ProtocolUDP},
		},
		ReadinessProbe: http(intstr.FromString("http"), corev1.URISchemeHTTP),
		LivenessProbe:  http(intstr.FromInt32(9443), corev1.URISchemeHTTPS),
		StartupProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
			TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(9443)},
		}},
	}
	of := func(image string, command ...string) corev1.Container {
		return corev1.Container{Name: "app", Image: image, Command: command}
	}
	for name, c := range map[string]struct {
		spec   corev1.PodSpec
		wanted []string
	}{
		"answers where it is asked": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{app}},
			[]string{"serve", "8080", "https:9443"},
		},
		"without a port": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{of("app")}}, []string{"serve"},
		},
		"never becomes ready": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{of("app@sha256:bad0")}},
			[]string{"exit", "1"},
		},
		"job": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{of("app")}}, []string{"exit", "0"},
		},
		"job of a version that fails": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyOnFailure, Containers: []corev1.Container{of("app@sha256:fa11")}},
			[]string{"exit", "1"},
		},
		"job whose command fails": {
			corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{of("app", "false")}},
			[]string{"exit", "1"},
		},
		"before others": {corev1.PodSpec{InitContainers: []corev1.Container{of("app")}}, []string{"exit", "0"}},
		"beside others": {
			corev1.PodSpec{InitContainers: []corev1.Container{{Name: "app", RestartPolicy: &always}}}, []string{"serve"},
		},
	} {
		require.Equal(t, c.wanted, part(&corev1.Pod{Spec: c.spec}, "app"), name)
	}
}
