package incluster

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// operatorDelay is how long a custom resource takes until it is ready, where nothing else has to be waited for.
const operatorDelay = time.Second

// operator brings a custom resource to readiness.
type operator func(*cluster, context.Context, schema.GroupVersionResource, *unstructured.Unstructured) error

// operators are by what they operate. All other kinds are for others to read, and have no readiness.
var operators = map[schema.GroupResource]operator{
	{Group: certificateGroup, Resource: "clusterissuers"}: (*cluster).readyIssuer,
	{Group: certificateGroup, Resource: "issuers"}:        (*cluster).readyIssuer,
	{Group: certificateGroup, Resource: "certificates"}:   (*cluster).issueCertificate,
	{Group: monitoringGroup, Resource: "prometheuses"}:    (*cluster).runPrometheus,
	{Group: monitoringGroup, Resource: "alertmanagers"}:   (*cluster).runAlertmanager,
	cloudFirewalls.GroupResource():                        (*cluster).runFirewall,
	{Group: postgresGroup, Resource: "postgresclusters"}:  (*cluster).runPostgres,
}

// runOperators sets each operator to work when its kind of custom resource is defined, by a chart or by a stand-in, and again
// on each change of the workloads that it made.
func (c *cluster) runOperators(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { c.follow(ctx, nodes, c.protectNodes) })
	running.Go(func() { c.follow(ctx, deployments, typed(c.startFirewallController)) })
	for _, workloads := range []schema.GroupVersionResource{statefulSets, deployments} {
		running.Go(func() { c.follow(ctx, workloads, c.operateOwner) })
	}
	var started sync.Map // by schema.GroupVersionResource
	c.follow(ctx, definitions, typed(func(ctx context.Context, definition *apiextensionsv1.CustomResourceDefinition) error {
		if definition.Labels[schemalessLabel] != "" {
			c.notes.add(schemaless, "%s (%s)", definition.Spec.Names.Kind, definition.Spec.Group)
		}
		resource := stored(definition)
		operate, found := operators[resource.GroupResource()]
		switch {
		case !found:
			return nil
		case !established(definition):
			return errNotYet
		}
		if _, running := started.LoadOrStore(resource, true); running {
			return nil
		}
		running.Go(func() {
			c.follow(ctx, resource, func(ctx context.Context, object *unstructured.Unstructured) error {
				return operate(c, ctx, resource, object)
			})
		})
		return nil
	}))
}

// operateOwner has an operator look at the custom resource that a workload belongs to.
func (c *cluster) operateOwner(ctx context.Context, workload *unstructured.Unstructured) error {
	owner := metav1.GetControllerOf(workload)
	if owner == nil {
		return nil
	}
	resource, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind))
	operate, found := operators[resource.GroupResource()]
	if !found {
		return nil
	}
	object, err := c.dynamic.Resource(resource).Namespace(workload.GetNamespace()).Get(ctx, owner.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return operate(c, ctx, resource, object)
}

// stored returns the resource that a definition defines, in the version that is stored.
func stored(definition *apiextensionsv1.CustomResourceDefinition) schema.GroupVersionResource {
	resource := schema.GroupVersionResource{Group: definition.Spec.Group, Resource: definition.Spec.Names.Plural}
	for _, version := range definition.Spec.Versions {
		if version.Storage {
			resource.Version = version.Name
		}
	}
	return resource
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

// conditionOf returns a condition of an object that was set for its present generation.
func conditionOf(object *unstructured.Unstructured, name string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, element := range conditions {
		condition, _ := element.(map[string]any)
		if condition["type"] == name && condition["observedGeneration"] == object.GetGeneration() {
			return condition
		}
	}
	return nil
}

// conditionHolds tells whether an object has a condition that is true of its present generation.
func conditionHolds(object *unstructured.Unstructured, name string) bool {
	return conditionOf(object, name)["status"] == "True"
}

// holds returns a condition that is true of the object's present generation.
func holds(object *unstructured.Unstructured, name, reason, message string) map[string]any {
	since := any(timestamp(time.Now()))
	if conditionHolds(object, name) {
		since = conditionOf(object, name)["lastTransitionTime"]
	}
	return map[string]any{
		"type": name, "status": "True", "reason": reason, "message": message,
		"observedGeneration": object.GetGeneration(), "lastTransitionTime": since,
	}
}

// decode reads what a custom resource says into a struct.
func decode(object *unstructured.Unstructured, into any) error {
	text, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// isYoung tells whether an object has been there for less than operatorDelay.
func isYoung(object *unstructured.Unstructured) bool {
	return time.Since(object.GetCreationTimestamp().Time) < operatorDelay
}

// setStatus sets fields of an object's status.
func (c *cluster) setStatus(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured, status map[string]any,
) error {
	patch := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": object.GetAPIVersion(), "kind": object.GetKind(),
		"metadata": map[string]any{"name": object.GetName(), "namespace": object.GetNamespace()},
		"status":   status,
	}}
	_, err := c.dynamic.Resource(resource).Namespace(object.GetNamespace()).ApplyStatus(ctx, object.GetName(), patch, apply)
	if apierrors.IsNotFound(err) { // it went meanwhile
		return nil
	}
	return err
}
