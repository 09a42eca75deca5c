package incluster

import (
	"context"
	"slices"
	"strings"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	validatingWebhooks = admissionv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations")
	mutatingWebhooks   = admissionv1.SchemeGroupVersion.WithResource("mutatingwebhookconfigurations")
	apiServices        = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
)

// neverCalled is the match condition that keeps the API server from calling a webhook that nobody serves.
var neverCalled = map[string]any{"name": "not-rehearsed", "expression": "false"}

// runAdmission takes out of the way what pods would have to serve, for simulated ones answer nothing, and whoever calls them
// waits until the call times out. Admission webhooks get a condition that never holds, which neither Helm minds nor who
// compares the fields that he has set. Aggregated APIs, which have nothing of the kind, are deleted.
func (c *cluster) runAdmission(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, resource := range []schema.GroupVersionResource{validatingWebhooks, mutatingWebhooks} {
		running.Go(func() {
			c.follow(ctx, resource, func(ctx context.Context, found *unstructured.Unstructured) error {
				return c.mute(ctx, resource, found)
			})
		})
	}
	running.Go(func() { c.follow(ctx, apiServices, c.deleteAggregated) })
}

// mute adds the condition to those webhooks that a Service serves. Others are called.
func (c *cluster) mute(ctx context.Context, resource schema.GroupVersionResource, found *unstructured.Unstructured) error {
	webhooks, _, err := unstructured.NestedSlice(found.Object, "webhooks")
	if err != nil {
		return err
	}
	var muted []any
	changed := false
	for _, element := range webhooks {
		webhook := element.(map[string]any)
		if _, inside, _ := unstructured.NestedMap(webhook, "clientConfig", "service"); !inside {
			continue
		}
		conditions, _, _ := unstructured.NestedSlice(webhook, "matchConditions")
		isNeverCalled := func(condition any) bool { return condition.(map[string]any)["name"] == neverCalled["name"] }
		changed = changed || !slices.ContainsFunc(conditions, isNeverCalled)
		muted = append(muted, map[string]any{"name": webhook["name"], "matchConditions": []any{neverCalled}})
		c.notes.add(notRehearsed, "admission webhook %s of %s %s", webhook["name"], found.GetKind(), found.GetName())
	}
	if !changed {
		return nil
	}
	patch := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": found.GetAPIVersion(), "kind": found.GetKind(), "webhooks": muted,
	}}
	_, err = c.dynamic.Resource(resource).Apply(ctx, found.GetName(), patch, apply)
	return err
}

// deleteAggregated deletes an API that a Service would serve. (One that does not answer also keeps namespaces from being
// deleted, and discovery from being complete.)
func (c *cluster) deleteAggregated(ctx context.Context, found *unstructured.Unstructured) error {
	if _, inside, _ := unstructured.NestedMap(found.Object, "spec", "service"); !inside {
		return nil
	}
	version, group, _ := strings.Cut(found.GetName(), ".")
	c.notes.add(notRehearsed, "aggregated API %s/%s", group, version)
	err := c.dynamic.Resource(apiServices).Delete(ctx, found.GetName(), metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
