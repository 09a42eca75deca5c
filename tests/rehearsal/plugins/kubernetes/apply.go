package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// fieldManager is the name under which the API server notes which fields are ours.
const fieldManager = "pulumi-kubernetes"

// create makes an object. One that exists already belongs to somebody, so it is left alone.
func (o *object) create(ctx context.Context, q *request) (*outcome, error) {
	if q.preview {
		return o.previewCreate(ctx, q)
	}
	object, err := o.toObject(q.inputs)
	if err != nil {
		return nil, err
	}
	if err := o.awaitKind(ctx, o.gvk); err != nil {
		return nil, fmt.Errorf("creating %s: %w", o.title(object), err)
	}
	if !o.UpsertExistingObjects {
		switch _, err := o.get(ctx, object.GetNamespace(), object.GetName()); {
		case err == nil:
			return nil, fmt.Errorf("%s exists already. To adopt it, run\n  pulumi import %s %s %s\nor set "+
				"upsertExistingObjects on the provider; where the resource was renamed in the program, give it an alias",
				o.title(object), q.urn.Type(), q.urn.Name(), id(object.GetNamespace(), object.GetName()))
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("creating %s: %w", o.title(object), err)
		}
	}
	live, err := o.apply(ctx, object, metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", o.title(object), err)
	}
	return o.settle(ctx, q, live)
}

// previewCreate returns the inputs, so that everything that the cluster will make up stays unknown. Where it can, it has the API
// server check them first, by a dry run.
func (o *object) previewCreate(ctx context.Context, q *request) (*outcome, error) {
	result := &outcome{outputs: q.inputs}
	if q.inputs.ContainsUnknowns() {
		return result, nil
	}
	object, err := o.toObject(q.inputs)
	if err != nil {
		return nil, err
	}
	client, err := o.client(o.gvk, object.GetNamespace())
	if meta.IsNoMatchError(err) {
		return result, nil // the update may create the definition first
	}
	if err == nil {
		_, err = client.Create(ctx, object, metav1.CreateOptions{
			FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
		})
	}
	// What exists may be about to be replaced, and a namespace or a webhook that is missing may be about to be created.
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) ||
		apierrors.IsInternalError(err) {
		return result, nil
	}
	return nil, fmt.Errorf("previewing %s: %w", o.title(object), err)
}

// update brings an object in line with the program.
func (o *object) update(ctx context.Context, q *request) (*outcome, error) {
	if q.preview && q.inputs.ContainsUnknowns() {
		return &outcome{outputs: q.inputs}, nil
	}
	object, err := o.toObject(q.inputs)
	if err != nil {
		return nil, err
	}
	live, err := o.get(ctx, object.GetNamespace(), object.GetName())
	if q.preview && meta.IsNoMatchError(err) {
		return &outcome{outputs: q.inputs}, nil
	}
	if apierrors.IsNotFound(err) {
		err = fmt.Errorf("it is gone from the cluster; `pulumi refresh` takes note of that: %w", err)
	}
	if err == nil && len(q.ignored) > 0 {
		object, err = o.withLiveAt(ctx, object, live, q.ignored)
	}
	if err == nil {
		options := metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict}
		if q.preview {
			options.DryRun = []string{metav1.DryRunAll}
		}
		live, err = o.apply(ctx, object, options)
	}
	if err != nil {
		return nil, fmt.Errorf("updating %s: %w", o.title(object), err)
	}
	if q.preview {
		return &outcome{outputs: o.toOutputs(live, q.inputs)}, nil
	}
	return o.settle(ctx, q, live)
}

// withLiveAt returns the object with the live values at the ignored paths: another controller may have changed them since the
// state was written, and ignoring a change means to leave it alone.
func (o *object) withLiveAt(
	ctx context.Context, object, live *unstructured.Unstructured, ignored []resource.PropertyPath,
) (*unstructured.Unstructured, error) {
	found, err := o.drift(ctx, object, live)
	if err != nil {
		return nil, err
	}
	for _, field := range found {
		for _, path := range ignored {
			if path.Contains(field.location) {
				object.Object = field.adopt(object.Object)
			}
		}
	}
	return object, nil
}

// apply applies an object under our name. Fields that somebody else has taken over are conflicts, unless the program insists. As
// the official provider does, it takes back what was done with kubectl; but not in a preview, which therefore fails.
func (o *object) apply(
	ctx context.Context, object *unstructured.Unstructured, options metav1.PatchOptions,
) (*unstructured.Unstructured, error) {
	client, err := o.client(o.gvk, object.GetNamespace())
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	options.FieldManager = fieldManager
	if options.Force == nil {
		force := o.EnablePatchForce || object.GetAnnotations()[annotationPatchForce] == "true"
		options.Force = &force
	}
	live, err := client.Patch(ctx, object.GetName(), types.ApplyPatchType, text, options)
	if apierrors.IsConflict(err) && len(options.DryRun) == 0 && byHand(err) {
		force := true
		options.Force = &force
		live, err = client.Patch(ctx, object.GetName(), types.ApplyPatchType, text, options)
	}
	if apierrors.IsConflict(err) && !*options.Force {
		return nil, fmt.Errorf("%w. Leave the field to the other manager by taking it out of the program or with the option "+
			"ignoreChanges, or take it back with the annotation %s: \"true\"", err, annotationPatchForce)
	}
	return live, err
}

// byHand tells whether all fields in conflict were last set with kubectl, and not through a subresource, as by kubectl scale.
func byHand(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	causes := status.Status().Details.Causes
	for _, cause := range causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict || !strings.HasPrefix(cause.Message, `conflict with "kubectl`) ||
			strings.Contains(cause.Message, "with subresource") {
			return false
		}
	}
	return len(causes) > 0
}

// get returns the live object.
func (o *object) get(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	client, err := o.client(o.gvk, namespace)
	if err != nil {
		return nil, err
	}
	return client.Get(ctx, name, metav1.GetOptions{})
}

// settle waits until an object that was applied is ready, and says what became of it.
func (o *object) settle(ctx context.Context, q *request, applied *unstructured.Unstructured) (*outcome, error) {
	live, unready := o.await(ctx, applied, q.timeout)
	if o.gvk.Kind == "CustomResourceDefinition" {
		o.mapper.Reset()
	}
	return &outcome{
		id: id(live.GetNamespace(), live.GetName()), outputs: o.toOutputs(live, q.inputs), unready: unready,
	}, nil
}

// read finds the live object. What differs from what the program said last time is in the inputs that it returns.
func (o *object) read(ctx context.Context, q *request) (*outcome, error) {
	namespace, name := splitID(q.id)
	live, err := o.get(ctx, namespace, name)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) { // with its definition, an object goes too
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", o.gvk.Kind, q.id, err)
	}
	result := &outcome{id: id(live.GetNamespace(), live.GetName())}
	if len(q.oldInputs) == 0 {
		result.inputs = o.importable(live)
	} else {
		result.inputs = o.liveInputs(ctx, q.oldInputs, live)
		result.unready = o.unready(ctx, live)
	}
	result.outputs = o.toOutputs(live, result.inputs)
	return result, nil
}

// importable returns the part of a live object that a program could have said.
func (o *object) importable(live *unstructured.Unstructured) resource.PropertyMap {
	live = live.DeepCopy()
	delete(live.Object, "status")
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"} {
		unstructured.RemoveNestedField(live.Object, "metadata", field)
	}
	for _, annotation := range []string{
		"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration",
	} {
		unstructured.RemoveNestedField(live.Object, "metadata", "annotations", annotation)
	}
	return fromObject(live.Object)
}

// title names an object in messages.
func (o *object) title(object *unstructured.Unstructured) string {
	return o.gvk.Kind + " " + id(object.GetNamespace(), object.GetName())
}
