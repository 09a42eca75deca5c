package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// diff compares inputs with inputs. What changed in the cluster is among the old ones after a refresh: see read.
func (o *object) diff(ctx context.Context, q *request) (*pulumirpc.DiffResponse, error) {
	olds, news := o.comparable(ctx, q.oldInputs), o.comparable(ctx, q.inputs)
	response, err := compare(olds, news, q.ignored, o.immutable(olds, news))
	if err != nil {
		return nil, err
	}
	if o.mustReplace(ctx, news) {
		const path = `metadata.annotations["` + annotationReplaceUnready + `"]`
		response.Changes, response.Replaces = pulumirpc.DiffResponse_DIFF_SOME, append(response.Replaces, path)
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_UPDATE_REPLACE, InputDiff: true}
	}
	if len(response.Replaces) == 0 {
		return response, nil
	}
	oldName, newName := within(olds["metadata"]), within(news["metadata"])
	sameName := oldName["name"].DeepEquals(newName["name"]) && oldName["namespace"].DeepEquals(newName["namespace"])
	response.DeleteBeforeReplace = sameName && !isAutonamed(newName)
	return response, nil
}

// annotationReplaceUnready asks for a Job that has not completed to be made anew: as it is, it never will.
const annotationReplaceUnready = "pulumi.com/replaceUnready"

// mustReplace tells whether an object is a Job that has not completed, and is to be made anew then.
func (o *object) mustReplace(ctx context.Context, news resource.PropertyMap) bool {
	metadata := within(news["metadata"])
	wanted := within(metadata["annotations"])[annotationReplaceUnready]
	namespace, name := metadata["namespace"], metadata["name"]
	isAsked := wanted.IsString() && wanted.StringValue() == "true"
	if o.gvk.Kind != "Job" || !isAsked || !namespace.IsString() || !name.IsString() {
		return false
	}
	live, err := o.get(ctx, namespace.StringValue(), name.StringValue())
	if err != nil {
		return false
	}
	missing, _ := completed(live)
	return missing != ""
}

// comparable returns inputs in the form in which two that mean the same are the same.
func (o *object) comparable(ctx context.Context, inputs resource.PropertyMap) resource.PropertyMap {
	inputs = plain(inputs)
	if metadata := within(inputs["metadata"]); metadata != nil && o.unusable == nil {
		switch {
		case !o.namespaced(ctx):
			delete(metadata, "namespace")
		case isBlank(metadata["namespace"]):
			metadata["namespace"] = resource.NewProperty(o.Namespace)
		}
	}
	return inputs
}

// compare lists in detail how inputs differ, without what is ignored. A change at or below one of the immutable paths, or
// above, is one that needs a replacement.
func compare(
	olds, news resource.PropertyMap, ignored, immutable []resource.PropertyPath,
) (*pulumirpc.DiffResponse, error) {
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	detail := plugin.NewDetailedDiffFromObjectDiff(olds.Diff(news), true)
	for _, text := range slices.Sorted(maps.Keys(detail)) {
		path, err := resource.ParsePropertyPath(text)
		if err != nil {
			return nil, fmt.Errorf("comparing: %w", err)
		}
		if slices.ContainsFunc(ignored, func(ignore resource.PropertyPath) bool { return ignore.Contains(path) }) {
			continue
		}
		kind := detail[text].Kind
		if slices.ContainsFunc(immutable, func(fixed resource.PropertyPath) bool {
			return fixed.Contains(path) || path.Contains(fixed) && touches(olds, news, fixed)
		}) {
			kind = kind.AsReplace()
			response.Replaces = append(response.Replaces, text)
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.DetailedDiff[text] = &pulumirpc.PropertyDiff{Kind: kinds[kind], InputDiff: true}
	}
	return response, nil
}

// touches tells whether there is, or was, anything at a path.
func touches(olds, news resource.PropertyMap, path resource.PropertyPath) bool {
	_, before := path.Get(resource.NewProperty(olds))
	_, after := path.Get(resource.NewProperty(news))
	return before || after
}

var kinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:           pulumirpc.PropertyDiff_ADD,
	plugin.DiffAddReplace:    pulumirpc.PropertyDiff_ADD_REPLACE,
	plugin.DiffDelete:        pulumirpc.PropertyDiff_DELETE,
	plugin.DiffDeleteReplace: pulumirpc.PropertyDiff_DELETE_REPLACE,
	plugin.DiffUpdate:        pulumirpc.PropertyDiff_UPDATE,
	plugin.DiffUpdateReplace: pulumirpc.PropertyDiff_UPDATE_REPLACE,
}
