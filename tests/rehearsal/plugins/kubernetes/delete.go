package kubernetes

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// unattended lists the kinds whose deletion the official provider does not wait for when pulumi.com/skipAwait is set.
var unattended = map[schema.GroupKind]bool{
	{Kind: "Namespace"}:                  true,
	{Kind: "Pod"}:                        true,
	{Group: "apps", Kind: "DaemonSet"}:   true,
	{Group: "apps", Kind: "Deployment"}:  true,
	{Group: "apps", Kind: "StatefulSet"}: true,
	{Group: "batch", Kind: "Job"}:        true,
}

// delete removes an object and everything that it owns, and waits until it is gone.
func (o *object) delete(ctx context.Context, q *request) error {
	namespace, name := splitID(q.id)
	client, err := o.client(o.gvk, namespace)
	var live *unstructured.Unstructured
	if err == nil {
		live, err = client.Get(ctx, name, metav1.GetOptions{})
	}
	if err == nil {
		propagation := propagationOf(live)
		err = client.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &propagation})
	}
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) { // with its definition, an object goes too
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting %s %s: %w", o.gvk.Kind, q.id, err)
	}
	if live.GetAnnotations()[annotationSkipAwait] == "true" && unattended[o.gvk.GroupKind()] {
		return nil
	}
	return o.awaitGone(ctx, q, live)
}

func propagationOf(object *unstructured.Unstructured) metav1.DeletionPropagation {
	switch strings.ToLower(object.GetAnnotations()[annotationPropagation]) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	default:
		return metav1.DeletePropagationForeground
	}
}

func (o *object) awaitGone(ctx context.Context, q *request, object *unstructured.Unstructured) error {
	timeout := timeoutFor(object, q.timeout)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := object
	err := o.follow(limited, object, func(seen *unstructured.Unstructured, deleted bool) (bool, error) {
		last = seen
		if !deleted {
			o.journal.status(ctx, "is being deleted"+holders(seen))
		}
		return deleted, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s was still being deleted when the operation was cancelled", o.title(last))
	case limited.Err() != nil:
		reasons := o.explain(ctx, last, fmt.Sprintf("is still there %s after it was deleted%s", timeout, holders(last)))
		return fmt.Errorf("%s", strings.Join(reasons, "\n"))
	}
	return fmt.Errorf("waiting for %s to be deleted: %w", o.title(object), err)
}

// holders names the finalizers that keep an object.
func holders(object *unstructured.Unstructured) string {
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		return ", held by the finalizers " + strings.Join(finalizers, ", ")
	}
	return ""
}
