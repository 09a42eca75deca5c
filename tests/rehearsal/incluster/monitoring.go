package incluster

import (
	"cmp"
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// monitor is what counts in a Prometheus or an Alertmanager of Prometheus Operator:
// https://prometheus-operator.dev/docs/api-reference/api/
type monitor struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		scheduling
		Replicas  *int32                      `json:"replicas"`
		PortName  string                      `json:"portName"`
		Resources corev1.ResourceRequirements `json:"resources"`
		Storage   *struct {
			VolumeClaimTemplate corev1.PersistentVolumeClaim `json:"volumeClaimTemplate"`
		} `json:"storage"`
		Retention *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy `json:"persistentVolumeClaimRetentionPolicy"`
	} `json:"spec"`
}

func (c *cluster) runPrometheus(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	return c.runMonitor(ctx, resource, object, "prometheus")
}

func (c *cluster) runAlertmanager(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	return c.runMonitor(ctx, resource, object, "alertmanager")
}

// runMonitor runs the pods of a Prometheus or an Alertmanager, with their volumes. Where a field of their StatefulSet is to
// change that cannot, the StatefulSet is made anew, and what becomes of the volumes is what its retention policy says.
func (c *cluster) runMonitor(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured, kind string,
) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	var wanted monitor
	if err := decode(object, &wanted); err != nil {
		return err
	}
	set := wanted.statefulSet(kind)
	if err := c.remake(ctx, object, statefulSets, set); err != nil {
		return err
	}
	ready, err := c.readyReplicas(ctx, statefulSets, wanted.Namespace, set.Name)
	if err != nil {
		return err
	}
	status := map[string]any{
		"replicas": int64(*set.Spec.Replicas), "availableReplicas": ready, "updatedReplicas": ready,
		"unavailableReplicas": int64(*set.Spec.Replicas) - ready,
	}
	if ready == int64(*set.Spec.Replicas) {
		status["conditions"] = []any{holds(object, "Available", "", ""), holds(object, "Reconciled", "", "")}
	}
	return c.setStatus(ctx, resource, object, status)
}

func (w *monitor) statefulSet(kind string) *appsv1.StatefulSet {
	replicas := int32(1)
	if w.Spec.Replicas != nil {
		replicas = *w.Spec.Replicas
	}
	labels := map[string]string{
		"app.kubernetes.io/name": kind, "app.kubernetes.io/instance": w.Name,
		"app.kubernetes.io/managed-by": "prometheus-operator", kind: w.Name,
	}
	if kind == "prometheus" {
		labels["operator.prometheus.io/name"], labels["operator.prometheus.io/shard"] = w.Name, "0"
	}
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: kind + "-" + w.Name, Labels: labels},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, PodManagementPolicy: appsv1.ParallelPodManagement,
			Selector:                             &metav1.LabelSelector{MatchLabels: labels},
			PersistentVolumeClaimRetentionPolicy: w.Spec.Retention,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       w.Spec.pod(w.containers(kind)...),
			},
		},
	}
	if w.Spec.Storage != nil {
		claim := w.Spec.Storage.VolumeClaimTemplate
		claim.Name = cmp.Or(claim.Name, kind+"-"+w.Name+"-db")
		set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{claim}
	}
	return set
}

// containers are the program itself, and what tells it when its configuration changes.
func (w *monitor) containers(kind string) []corev1.Container {
	ports := map[string]int32{"prometheus": 9090, "alertmanager": 9093}
	// Unless the operator is told otherwise.
	reloader := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("50Mi"),
	}
	return []corev1.Container{
		{
			Name: kind, Resources: w.Spec.Resources,
			Ports: []corev1.ContainerPort{{Name: cmp.Or(w.Spec.PortName, "web"), ContainerPort: ports[kind]}},
		},
		{
			Name:      "config-reloader",
			Resources: corev1.ResourceRequirements{Requests: reloader, Limits: reloader},
			Ports:     []corev1.ContainerPort{{Name: "reloader-web", ContainerPort: 8080}},
		},
	}
}
