package kubernetes

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// drifted is a field that the program set and that has another value in the cluster.
type drifted struct {
	path     fieldpath.Path
	location resource.PropertyPath // the same path, as seen from the program
	live     any
	gone     bool // the cluster has no value there
}

// drift lists the fields of an object, as the program has it, that differ in the cluster. To know what they should be, it
// has the API server apply the object in a dry run: the answer is completed and normalised just as the live object is, and it
// says which fields are the program's. So neither defaults nor "1000m" for 1 nor fields of others are ever drift.
func (o *object) drift(ctx context.Context, object, live *unstructured.Unstructured) ([]drifted, error) {
	force := true
	applied, err := o.apply(ctx, object, metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, Force: &force, FieldValidation: metav1.FieldValidationIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("comparing with the cluster: %w", err)
	}
	ours, err := ownFields(applied)
	if err != nil {
		return nil, fmt.Errorf("comparing with the cluster: %w", err)
	}
	var found []drifted
	leaves := ours.Leaves()
	for path := range ours.All() { // list elements come before what is in them
		location, _, known := find(object.Object, path)
		if !known || slices.ContainsFunc(found, func(above drifted) bool { return above.gone && above.contains(path) }) {
			continue
		}
		_, want, _ := find(applied.Object, path)
		_, have, there := find(live.Object, path)
		if !there || leaves.Has(path) && !reflect.DeepEqual(want, have) {
			found = append(found, drifted{path: path.Copy(), location: location, live: have, gone: !there})
		}
	}
	return found, nil
}

// liveInputs returns the inputs with the live values where these differ.
func (o *object) liveInputs(
	ctx context.Context, inputs resource.PropertyMap, live *unstructured.Unstructured,
) resource.PropertyMap {
	object, err := o.toObject(inputs)
	var found []drifted
	if err == nil {
		object.SetName(live.GetName())
		object.SetNamespace(live.GetNamespace())
		found, err = o.drift(ctx, object, live)
	}
	if err != nil {
		o.journal.warn(ctx, fmt.Sprintf("drift of %s cannot be seen: %v", o.title(live), err))
	}
	if len(found) == 0 {
		return inputs
	}
	for _, field := range found {
		object.Object = field.adopt(object.Object)
	}
	return o.toInputs(object.Object, inputs)
}

func (d drifted) contains(path fieldpath.Path) bool {
	return len(path) >= len(d.path) && path[:len(d.path)].Equals(d.path)
}

// adopt returns the object with the live value of the field.
func (d drifted) adopt(object map[string]any) map[string]any {
	return replaced(object, d.path, d.live, d.gone).(map[string]any)
}

// ownFields returns the fields that the API server notes as ours.
func ownFields(object *unstructured.Unstructured) (*fieldpath.Set, error) {
	ours := &fieldpath.Set{}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == fieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			return ours, ours.FromJSON(entry.FieldsV1.GetRawReader())
		}
	}
	return ours, nil
}

// find returns the value at a path, and the path in Pulumi's terms: list elements by index.
func find(in any, path fieldpath.Path) (resource.PropertyPath, any, bool) {
	location := resource.PropertyPath{}
	for _, element := range path {
		switch container := in.(type) {
		case map[string]any:
			if element.FieldName == nil {
				return nil, nil, false
			}
			child, found := container[*element.FieldName]
			if !found {
				return nil, nil, false
			}
			in, location = child, append(location, *element.FieldName)
		case []any:
			i := index(container, element)
			if i < 0 {
				return nil, nil, false
			}
			in, location = container[i], append(location, i)
		default:
			return nil, nil, false
		}
	}
	return location, in, true
}

// replaced returns a value with another value at a path within, or with nothing there.
func replaced(in any, path fieldpath.Path, by any, gone bool) any {
	if len(path) == 0 {
		return by
	}
	switch container := in.(type) {
	case map[string]any:
		key := *path[0].FieldName
		if gone && len(path) == 1 {
			delete(container, key)
		} else if child, found := container[key]; found {
			container[key] = replaced(child, path[1:], by, gone)
		}
	case []any:
		i := index(container, path[0])
		if i >= 0 && gone && len(path) == 1 {
			return slices.Delete(container, i, i+1)
		} else if i >= 0 {
			container[i] = replaced(container[i], path[1:], by, gone)
		}
	}
	return in
}

// index finds an element of a list. A program may leave parts of an element's key to defaults (the protocol of a port), so
// an element without a part matches too, if none matches in full.
func index(list []any, element fieldpath.PathElement) int {
	switch {
	case element.Key != nil:
		full := slices.IndexFunc(list, func(candidate any) bool { return hasKey(candidate, *element.Key, false) })
		if full >= 0 {
			return full
		}
		return slices.IndexFunc(list, func(candidate any) bool { return hasKey(candidate, *element.Key, true) })
	case element.Value != nil:
		return slices.IndexFunc(list, func(candidate any) bool {
			return value.Equals(value.NewValueInterface(candidate), *element.Value)
		})
	case element.Index != nil && *element.Index < len(list):
		return *element.Index
	}
	return -1
}

func hasKey(candidate any, key value.FieldList, inPart bool) bool {
	fields, isMap := candidate.(map[string]any)
	for _, part := range key {
		have, found := fields[part.Name]
		if !found && inPart {
			continue
		}
		if !found || !value.Equals(value.NewValueInterface(have), part.Value) {
			return false
		}
	}
	return isMap
}
