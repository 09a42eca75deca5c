package incluster

import (
	"cmp"
	"context"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

var (
	nodes        = corev1.SchemeGroupVersion.WithResource("nodes")
	claims       = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	services     = corev1.SchemeGroupVersion.WithResource("services")
	deployments  = appsv1.SchemeGroupVersion.WithResource("deployments")
	statefulSets = appsv1.SchemeGroupVersion.WithResource("statefulsets")
	jobs         = batchv1.SchemeGroupVersion.WithResource("jobs")
	budgets      = policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")

	configMaps     = corev1.SchemeGroupVersion.WithResource("configmaps")
	endpoints      = corev1.SchemeGroupVersion.WithResource("endpoints")
	endpointSlices = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")
	accounts       = corev1.SchemeGroupVersion.WithResource("serviceaccounts")
	roles          = rbacv1.SchemeGroupVersion.WithResource("roles")
	roleBindings   = rbacv1.SchemeGroupVersion.WithResource("rolebindings")
)

// madeKinds are the kinds of the resources that operators make.
var madeKinds = map[schema.GroupVersionResource]string{
	claims: "PersistentVolumeClaim", services: "Service", deployments: "Deployment", statefulSets: "StatefulSet",
	jobs: "Job", budgets: "PodDisruptionBudget", configMaps: "ConfigMap", endpoints: "Endpoints",
	endpointSlices: "EndpointSlice", accounts: "ServiceAccount", roles: "Role", roleBindings: "RoleBinding",
}

// scheduling says where pods may run, as operators let their custom resources say it.
type scheduling struct {
	Affinity                  *corev1.Affinity                  `json:"affinity"`
	Tolerations               []corev1.Toleration               `json:"tolerations"`
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints"`
	PriorityClassName         string                            `json:"priorityClassName"`
}

// sidecar is what custom resources say of a container.
type sidecar struct {
	Resources corev1.ResourceRequirements `json:"resources"`
}

// pod returns a pod that asks for what the operator's would, and is admitted where that one is: it keeps the restricted
// standard of Pod Security.
func (s scheduling) pod(containers ...corev1.Container) corev1.PodSpec {
	yes, no := true, false
	for i := range containers {
		containers[i].Image = cmp.Or(containers[i].Image, "rehearsal/"+containers[i].Name)
		containers[i].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	return corev1.PodSpec{
		Containers: containers, Affinity: s.Affinity, Tolerations: s.Tolerations, PriorityClassName: s.PriorityClassName,
		TopologySpreadConstraints: s.TopologySpreadConstraints,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// foreground deletes an object after what belongs to it.
var foreground = metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}

// make makes or updates an object that belongs to a custom resource, in its namespace.
func (c *cluster) make(
	ctx context.Context, owner *unstructured.Unstructured, resource schema.GroupVersionResource, object metav1.Object,
) error {
	object.SetNamespace(owner.GetNamespace())
	object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	delete(content, "status")
	made := &unstructured.Unstructured{Object: content}
	made.SetGroupVersionKind(resource.GroupVersion().WithKind(madeKinds[resource]))
	_, err = c.dynamic.Resource(resource).Namespace(owner.GetNamespace()).Apply(ctx, object.GetName(), made, apply)
	return err
}

// remake makes or updates an object, too. Where a field is to change that cannot, it is made anew, and errNotYet returned.
func (c *cluster) remake(
	ctx context.Context, owner *unstructured.Unstructured, resource schema.GroupVersionResource, object metav1.Object,
) error {
	all := c.dynamic.Resource(resource).Namespace(owner.GetNamespace())
	existing, err := all.Get(ctx, object.GetName(), metav1.GetOptions{})
	isThere := err == nil
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err := c.make(ctx, owner, resource, object); !isThere || !apierrors.IsInvalid(err) {
		return err
	}
	this := foreground // not one that was made meanwhile: another worker may look at the same object
	this.Preconditions = metav1.NewUIDPreconditions(string(existing.GetUID()))
	return cmp.Or(all.Delete(ctx, object.GetName(), this), errNotYet)
}

// readyReplicas counts the ready pods of a Deployment or StatefulSet that follows its present specification.
func (c *cluster) readyReplicas(
	ctx context.Context, resource schema.GroupVersionResource, namespace, name string,
) (int64, error) {
	found, err := c.dynamic.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	observed, _, _ := unstructured.NestedInt64(found.Object, "status", "observedGeneration")
	if observed < found.GetGeneration() {
		return 0, nil
	}
	ready, _, err := unstructured.NestedInt64(found.Object, "status", "readyReplicas")
	return ready, err
}
