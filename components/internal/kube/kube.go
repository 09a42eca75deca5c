// Package kube holds what the components' Kubernetes objects have in common.
package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Priority classes, which decide who stays on a full cluster: data before the app, the app before all the rest.
const (
	PriorityData = "platform-data"
	PriorityApp  = "platform-app"
)

// nodeLossDelay is how long a pod on a lost node counts as running, in seconds; Kubernetes' default of 300 is most of the time
// that such a loss takes to heal.
const nodeLossDelay = 30

// Labels are the recommended labels of an object. The first two also select pods, and must never change.
// Upstream: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
func Labels(name, component string) pulumi.StringMap {
	labels := SelectorLabels(name)
	labels["app.kubernetes.io/component"] = pulumi.String(component)
	labels["app.kubernetes.io/part-of"] = pulumi.String("lke-platform")
	labels["app.kubernetes.io/managed-by"] = pulumi.String("pulumi")
	return labels
}

// SelectorLabels are those of Labels that find pods. A Deployment's selector is immutable.
func SelectorLabels(name string) pulumi.StringMap {
	return pulumi.StringMap{
		"app.kubernetes.io/name":     pulumi.String(name),
		"app.kubernetes.io/instance": pulumi.String(name),
	}
}

// Tolerations let a pod leave a lost node soon. They are for what can run twice: a pod of a StatefulSet is not replaced before
// somebody says that the lost one does not run any more, however soon it is given up.
func Tolerations() corev1.TolerationArray {
	var tolerations corev1.TolerationArray
	for _, condition := range lost {
		tolerations = append(tolerations, corev1.TolerationArgs{
			Key:               pulumi.String(condition),
			Operator:          pulumi.String("Exists"),
			Effect:            pulumi.String("NoExecute"),
			TolerationSeconds: pulumi.Int(nodeLossDelay),
		})
	}
	return tolerations
}

// TolerationValues are Tolerations as the value of a chart.
func TolerationValues() pulumi.Array {
	var tolerations pulumi.Array
	for _, condition := range lost {
		tolerations = append(tolerations, pulumi.Map{
			"key":               pulumi.String(condition),
			"operator":          pulumi.String("Exists"),
			"effect":            pulumi.String("NoExecute"),
			"tolerationSeconds": pulumi.Int(nodeLossDelay),
		})
	}
	return tolerations
}

// lost are the taints of a node that cannot be reached.
var lost = []string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}

// Requests are a container's resources as the value of a chart: both are reserved, and memory is limited too. CPU is not, since
// a limit slows a container down while the node is idle.
func Requests(cpu, memory string) pulumi.Map {
	return pulumi.Map{
		"requests": pulumi.StringMap{"cpu": pulumi.String(cpu), "memory": pulumi.String(memory)},
		"limits":   pulumi.StringMap{"memory": pulumi.String(memory)},
	}
}
