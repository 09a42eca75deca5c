package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The annotations by which a program steers the provider, as the official one has them.
const (
	annotationAutonamed   = "pulumi.com/autonamed"
	annotationSkipAwait   = "pulumi.com/skipAwait"
	annotationWaitFor     = "pulumi.com/waitFor"
	annotationTimeout     = "pulumi.com/timeoutSeconds"
	annotationPatchForce  = "pulumi.com/patchForce"
	annotationPropagation = "pulumi.com/deletionPropagationPolicy"
)

// check completes the inputs of an object: type, name and namespace. It refuses metadata that no API server would take. What
// else is wrong with an object, its API server says in a preview.
func (o *object) check(
	ctx context.Context, q *request,
) (resource.PropertyMap, []*pulumirpc.CheckFailure, error) {
	inputs := withoutNulls(q.inputs)
	var failures []*pulumirpc.CheckFailure
	for key, want := range map[resource.PropertyKey]string{"apiVersion": o.gvk.GroupVersion().String(), "kind": o.gvk.Kind} {
		if given, found := inputs[key]; found && given.IsString() && given.StringValue() != want {
			failures = append(failures, &pulumirpc.CheckFailure{
				Property: string(key), Reason: fmt.Sprintf("%q does not go with the type %s", given.StringValue(), q.urn.Type()),
			})
		}
		inputs[key] = resource.NewProperty(want)
	}
	if _, found := inputs["metadata"]; !found {
		inputs["metadata"] = resource.NewProperty(resource.PropertyMap{})
	}
	if metadata := within(inputs["metadata"]); metadata != nil {
		if err := o.name(metadata, q); err != nil {
			failures = append(failures, &pulumirpc.CheckFailure{Property: "metadata.name", Reason: err.Error()})
		}
		o.setNamespace(ctx, metadata)
		failures = append(failures, o.faults(metadata)...)
	}
	if o.isSecret() {
		hideKey(inputs, "data")
		hideKey(inputs, "stringData")
	}
	return inputs, failures, nil
}

// name gives an object without a name the one that it had, or a new one: the logical name and eight random digits.
func (o *object) name(metadata resource.PropertyMap, q *request) error {
	if _, found := metadata["generateName"]; found {
		return errors.New("metadata.generateName does not go with server-side apply: leave the name out to have one made")
	}
	if !isBlank(metadata["name"]) {
		return nil
	}
	old := within(q.oldInputs["metadata"])
	if old != nil && isAutonamed(old) {
		metadata["name"] = old["name"]
	} else {
		name, err := autoname(q)
		if err != nil {
			return err
		}
		metadata["name"] = resource.NewProperty(name)
	}
	if _, found := metadata["annotations"]; !found {
		metadata["annotations"] = resource.NewProperty(resource.PropertyMap{})
	}
	if annotations := within(metadata["annotations"]); annotations != nil {
		annotations[annotationAutonamed] = resource.NewProperty("true")
	}
	return nil
}

func isAutonamed(metadata resource.PropertyMap) bool {
	annotations := within(metadata["annotations"])
	mark := annotations[annotationAutonamed]
	return mark.IsString() && mark.StringValue() == "true"
}

// autoname makes a name that is random, but the same in a preview and in the update that follows it.
func autoname(q *request) (string, error) {
	if q.autonaming != nil {
		if q.autonaming.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE {
			return "", errors.New("a name has to be given, because automatic names are turned off")
		}
		return q.autonaming.GetProposedName(), nil
	}
	return resource.NewUniqueName(q.seed, q.urn.Name()+"-", 8, 0, nil)
}

// setNamespace puts an object that names no namespace into the default one. A kind that the cluster does not know yet is taken to
// be namespaced; the difference, if it turns out not to be, is none to diff.
func (o *object) setNamespace(ctx context.Context, metadata resource.PropertyMap) {
	if isBlank(metadata["namespace"]) {
		delete(metadata, "namespace")
		if o.unusable == nil && o.namespaced(ctx) {
			metadata["namespace"] = resource.NewProperty(o.Namespace)
		}
	}
}

// namespaced tells whether objects of the kind live in namespaces, as far as the cluster can tell.
func (o *object) namespaced(ctx context.Context) bool {
	if o.reachable(ctx) != nil {
		return true
	}
	mapping, err := o.mapping(o.gvk)
	return err != nil || mapping.Scope.Name() == meta.RESTScopeNameNamespace
}

// faults lists what is wrong with known metadata.
func (o *object) faults(metadata resource.PropertyMap) []*pulumirpc.CheckFailure {
	var faults field.ErrorList
	root := field.NewPath("metadata")
	if name := plainValue(metadata["name"]); name.IsString() {
		for _, problem := range o.nameProblems(name.StringValue()) {
			faults = append(faults, field.Invalid(root.Child("name"), name.StringValue(), problem))
		}
	}
	if namespace := plainValue(metadata["namespace"]); namespace.IsString() {
		for _, problem := range validation.IsDNS1123Label(namespace.StringValue()) {
			faults = append(faults, field.Invalid(root.Child("namespace"), namespace.StringValue(), problem))
		}
	}
	labels, wrong := texts(metadata["labels"], root.Child("labels"))
	faults = append(append(faults, wrong...), metav1validation.ValidateLabels(labels, root.Child("labels"))...)
	annotations, wrong := texts(metadata["annotations"], root.Child("annotations"))
	faults = append(append(faults, wrong...), apivalidation.ValidateAnnotations(annotations, root.Child("annotations"))...)
	faults = append(faults, steeringFaults(annotations, root.Child("annotations"))...)

	failures := make([]*pulumirpc.CheckFailure, len(faults))
	for i, fault := range faults {
		failures[i] = &pulumirpc.CheckFailure{Property: fault.Field, Reason: fault.ErrorBody()}
	}
	return failures
}

func (o *object) nameProblems(name string) []string {
	if o.gvk.Group == "rbac.authorization.k8s.io" { // names such as system:node
		return content.IsPathSegmentName(name)
	}
	return validation.IsDNS1123Subdomain(name)
}

// steeringFaults finds values of our own annotations that could not be obeyed.
func steeringFaults(annotations map[string]string, root *field.Path) field.ErrorList {
	var faults field.ErrorList
	if text, found := annotations[annotationWaitFor]; found {
		if _, err := parseWaitFor(text); err != nil {
			faults = append(faults, field.Invalid(root.Key(annotationWaitFor), text, err.Error()))
		}
	}
	if text, found := annotations[annotationTimeout]; found {
		if _, err := strconv.Atoi(text); err != nil {
			faults = append(faults, field.Invalid(root.Key(annotationTimeout), text, "a whole number of seconds is wanted"))
		}
	}
	return faults
}

// texts reads a map of strings; what is not known yet is left out.
func texts(value resource.PropertyValue, root *field.Path) (map[string]string, field.ErrorList) {
	value = plainValue(value)
	if value.IsNull() || value.IsComputed() {
		return nil, nil
	}
	if !value.IsObject() {
		return nil, field.ErrorList{field.Invalid(root, value.TypeString(), "a map of strings is wanted")}
	}
	read, faults := map[string]string{}, field.ErrorList{}
	for key, value := range value.ObjectValue() {
		switch {
		case value.IsString():
			read[string(key)] = value.StringValue()
		case !value.IsComputed():
			faults = append(faults, field.Invalid(root.Key(string(key)), value.V, "a string is wanted"))
		}
	}
	return read, faults
}

// isBlank tells whether a property is not given; one that is not known yet is.
func isBlank(value resource.PropertyValue) bool {
	return value.IsNull() || value.IsString() && value.StringValue() == ""
}

// within returns the properties within a property, nil where it is no object or not known yet.
func within(value resource.PropertyValue) resource.PropertyMap {
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsObject() {
		return nil
	}
	return value.ObjectValue()
}

// withoutNulls returns a copy of the properties without those that are null, which mean nothing to server-side apply.
func withoutNulls(properties resource.PropertyMap) resource.PropertyMap {
	copied := resource.PropertyMap{}
	for key, value := range properties {
		if !value.IsNull() {
			copied[key] = valueWithoutNulls(value)
		}
	}
	return copied
}

func valueWithoutNulls(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return resource.MakeSecret(valueWithoutNulls(value.SecretValue().Element))
	case value.IsObject():
		return resource.NewProperty(withoutNulls(value.ObjectValue()))
	case value.IsArray():
		list := make([]resource.PropertyValue, 0, len(value.ArrayValue()))
		for _, element := range value.ArrayValue() {
			list = append(list, valueWithoutNulls(element))
		}
		return resource.NewProperty(list)
	default:
		return value
	}
}
