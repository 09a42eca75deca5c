package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
)

// maxEvents is how many of the latest warnings an explanation quotes.
const maxEvents = 3

// explain says why an object is not ready: the headline, its conditions, and for workloads the first pod that is not ready, with
// the latest warnings about both.
func (o *object) explain(ctx context.Context, object *unstructured.Unstructured, headline string) []string {
	reasons := []string{o.title(object) + " " + headline}
	for _, condition := range conditions(object) {
		if text := reasonOf(condition); text != "" && condition["status"] != goodStatus(condition) {
			reasons = append(reasons, fmt.Sprintf("condition %v is %v%s", condition["type"], condition["status"], text))
		}
	}
	client, err := kubernetes.NewForConfig(o.rest)
	if err != nil {
		return append(reasons, err.Error())
	}
	reasons = append(reasons, warnings(ctx, client, object.GetNamespace(), string(object.GetUID()))...)
	if pod := firstUnready(ctx, client, object); pod != nil {
		reasons = append(reasons, fmt.Sprintf("pod %s is not ready: %s", pod.Name, podProblem(pod)))
		reasons = append(reasons, warnings(ctx, client, pod.Namespace, string(pod.UID))...)
	}
	return reasons
}

// goodStatus is the status of a condition that is nothing to worry about.
func goodStatus(condition map[string]any) string {
	name, _ := condition["type"].(string)
	if slices.Contains([]string{"ReplicaFailure", "Stalled", "Failed", "FailureTarget", "Suspended", "Terminating"}, name) ||
		strings.HasPrefix(name, "Namespace") {
		return "False"
	}
	return "True"
}

// firstUnready returns a pod of a workload that is not ready, nil where there is none.
func firstUnready(ctx context.Context, client kubernetes.Interface, workload *unstructured.Unstructured) *corev1.Pod {
	if workload.GetKind() == "Pod" {
		pod := &corev1.Pod{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(workload.Object, pod) != nil {
			return nil
		}
		return pod
	}
	fields, found, _ := unstructured.NestedMap(workload.Object, "spec", "selector")
	var selector metav1.LabelSelector
	if !found || runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &selector) != nil {
		return nil
	}
	pods, err := client.CoreV1().Pods(workload.GetNamespace()).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(&selector),
	})
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(pods.Items, func(pod corev1.Pod) bool { return podProblem(&pod) != "" })
	if i < 0 {
		return nil
	}
	return &pods.Items[i]
}

// podProblem says why a pod is not ready, nothing for one that is.
func podProblem(pod *corev1.Pod) string {
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch state := container.State; {
		case state.Waiting != nil && state.Waiting.Reason != "PodInitializing":
			return fmt.Sprintf("container %s: %s", container.Name, join(state.Waiting.Reason, state.Waiting.Message))
		case state.Terminated != nil && state.Terminated.ExitCode != 0:
			return fmt.Sprintf("container %s ended with code %d: %s", container.Name, state.Terminated.ExitCode,
				join(state.Terminated.Reason, state.Terminated.Message))
		}
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.PodReady} {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == kind && condition.Status != corev1.ConditionTrue && condition.Reason != "PodCompleted" {
				return fmt.Sprintf("%s is %s: %s", kind, condition.Status, join(condition.Reason, condition.Message))
			}
		}
	}
	if pod.Status.Phase == corev1.PodPending {
		return "it is pending"
	}
	return ""
}

// warnings quotes the latest warnings about an object.
func warnings(ctx context.Context, client kubernetes.Interface, namespace, uid string) []string {
	events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": uid, "type": corev1.EventTypeWarning}.String(),
	})
	if err != nil {
		return nil
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return latest(&b).Compare(latest(&a).Time) })
	var quoted []string
	for _, event := range events.Items[:min(maxEvents, len(events.Items))] {
		quoted = append(quoted, fmt.Sprintf("warning about %s %s: %s",
			event.InvolvedObject.Kind, event.InvolvedObject.Name, join(event.Reason, event.Message)))
	}
	return quoted
}

func latest(event *corev1.Event) metav1.Time {
	switch {
	case event.Series != nil:
		return metav1.Time{Time: event.Series.LastObservedTime.Time}
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp
	default:
		return metav1.Time{Time: event.EventTime.Time}
	}
}

func join(reason, message string) string {
	return strings.Trim(reason+": "+message, ": ")
}
