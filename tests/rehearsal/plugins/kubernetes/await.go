package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
)

// defaultTimeout is how long the provider waits for an object, unless its annotation or the resource's options say otherwise.
const defaultTimeout = 10 * time.Minute

func timeoutFor(object *unstructured.Unstructured, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	if number, err := strconv.Atoi(object.GetAnnotations()[annotationTimeout]); err == nil && number > 0 {
		return time.Duration(number) * time.Second
	}
	return defaultTimeout
}

// A requirement says what an object lacks to be ready, nothing when it is. An error means that it never will be.
type requirement func(object *unstructured.Unstructured) (missing string, err error)

// usual lists the kinds that the official provider waits for, and for what. A custom resource is ready as soon as it exists.
var usual = map[schema.GroupKind][]requirement{
	{Group: "apps", Kind: "DaemonSet"}:                                {current},
	{Group: "apps", Kind: "Deployment"}:                               {rolledOut},
	{Group: "apps", Kind: "StatefulSet"}:                              {current},
	{Group: "batch", Kind: "Job"}:                                     {current, completed},
	{Kind: "PersistentVolumeClaim"}:                                   {current},
	{Kind: "Pod"}:                                                     {current},
	{Kind: "Service"}:                                                 {current},
	{Group: "networking.k8s.io", Kind: "Ingress"}:                     {addressed},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: {current},
}

// requirements lists what an object must fulfil: what its annotations ask for, else what is usual for its kind.
// PULUMI_K8S_AWAIT_ALL=true makes kstatus the measure for all other kinds too.
func (o *object) requirements(ctx context.Context, object *unstructured.Unstructured) ([]requirement, error) {
	annotations := object.GetAnnotations()
	if annotations[annotationSkipAwait] == "true" {
		return nil, nil
	}
	if text := annotations[annotationWaitFor]; text != "" {
		return parseWaitFor(text)
	}
	required, found := usual[o.gvk.GroupKind()]
	switch {
	case o.gvk.Kind == "PersistentVolumeClaim" && o.bindsLate(ctx, object):
		return nil, nil
	case !found && os.Getenv("PULUMI_K8S_AWAIT_ALL") == "true":
		return []requirement{current}, nil
	}
	return required, nil
}

// bindsLate tells whether a claim gets its volume only when a pod uses it.
func (o *object) bindsLate(ctx context.Context, claim *unstructured.Unstructured) bool {
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
	classes := schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	class, err := o.dynamic.Resource(classes).Get(ctx, name, metav1.GetOptions{})
	if name == "" || err != nil {
		return false
	}
	mode, _, _ := unstructured.NestedString(class.Object, "volumeBindingMode")
	return mode == "WaitForFirstConsumer"
}

// current follows kstatus: https://github.com/fluxcd/cli-utils/tree/main/pkg/kstatus.
func current(object *unstructured.Unstructured) (string, error) {
	result, err := status.Compute(object)
	switch {
	case err != nil:
		return "", err
	case result.Status == status.FailedStatus:
		return result.Message, errors.New(result.Message)
	case result.Status == status.CurrentStatus:
		return "", nil
	}
	return result.Message, nil
}

// rolledOut is current, but that a rollout which Kubernetes has given up is waited for as well: the official provider does.
func rolledOut(deployment *unstructured.Unstructured) (string, error) {
	result, err := status.Compute(deployment)
	if err != nil || result.Status == status.CurrentStatus {
		return "", err
	}
	return result.Message, nil
}

func completed(job *unstructured.Unstructured) (string, error) {
	if condition := conditionOf(job, "Complete"); condition["status"] == "True" {
		return "", nil
	}
	return "the job has not completed", nil
}

func addressed(ingress *unstructured.Unstructured) (string, error) {
	if addresses, _, _ := unstructured.NestedSlice(ingress.Object, "status", "loadBalancer", "ingress"); len(addresses) > 0 {
		return "", nil
	}
	return "no ingress controller has given it an address (the annotation " + annotationSkipAwait +
		`: "true" does without)`, nil
}

func missing(object *unstructured.Unstructured, required []requirement) (string, error) {
	for _, requirement := range required {
		if missing, err := requirement(object); missing != "" || err != nil {
			return missing, err
		}
	}
	return "", nil
}

// await waits until an object is ready. It returns the object as it was last seen, and, where it did not become ready, why.
func (o *object) await(
	ctx context.Context, applied *unstructured.Unstructured, asked time.Duration,
) (*unstructured.Unstructured, []string) {
	required, err := o.requirements(ctx, applied)
	if err != nil {
		return applied, []string{fmt.Sprintf("%s: %v", o.title(applied), err)}
	}
	if lacking, err := missing(applied, required); lacking == "" && err == nil {
		return applied, nil
	}
	timeout := timeoutFor(applied, asked)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	last, lacking := applied, ""
	err = o.follow(limited, applied, func(seen *unstructured.Unstructured, deleted bool) (bool, error) {
		if deleted {
			return false, errors.New("it was deleted meanwhile")
		}
		last = seen
		now, err := missing(seen, required)
		if now != lacking {
			lacking = now
			o.journal.status(ctx, lacking)
		}
		return now == "" && err == nil, err
	})
	switch {
	case err == nil:
		o.journal.status(ctx, "")
		return last, nil
	case ctx.Err() != nil:
		return last, []string{fmt.Sprintf("%s was not ready yet when the operation was cancelled: %s", o.title(last), lacking)}
	case limited.Err() != nil:
		return last, o.explain(ctx, last, fmt.Sprintf("is not ready after %s: %s", timeout, lacking))
	}
	return last, o.explain(ctx, last, fmt.Sprintf("failed: %v", err))
}

// unready tells what an object lacks at this moment.
func (o *object) unready(ctx context.Context, live *unstructured.Unstructured) []string {
	required, err := o.requirements(ctx, live)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", o.title(live), err)}
	}
	lacking, err := missing(live, required)
	switch {
	case err != nil:
		return o.explain(ctx, live, fmt.Sprintf("failed: %v", err))
	case lacking != "":
		return o.explain(ctx, live, "is not ready: "+lacking)
	}
	return nil
}

// follow calls done with an object as it is, and again with each change, until done says so. An object that is deleted is seen as
// it was last.
func (o *object) follow(
	ctx context.Context, object *unstructured.Unstructured,
	done func(seen *unstructured.Unstructured, deleted bool) (bool, error),
) error {
	client, err := o.client(o.gvk, object.GetNamespace())
	if err != nil {
		return err
	}
	isIt := func(item any) bool {
		seen, isObject := item.(*unstructured.Unstructured)
		return isObject && seen.GetUID() == object.GetUID()
	}
	ctx = klog.NewContext(ctx, logr.Discard()) // the watch mends itself, and talks about it
	_, err = watchtools.UntilWithSync(ctx, watching(client, object.GetName()), &unstructured.Unstructured{},
		func(store cache.Store) (bool, error) {
			if slices.ContainsFunc(store.List(), isIt) {
				return false, nil
			}
			return done(object, true)
		},
		func(event watch.Event) (bool, error) {
			if !isIt(event.Object) { // another has taken the name
				return done(object, true)
			}
			return done(event.Object.(*unstructured.Unstructured), event.Type == watch.Deleted)
		})
	return err
}

func watching(client dynamic.ResourceInterface, name string) cache.ListerWatcher {
	byName := func(options metav1.ListOptions) metav1.ListOptions {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		return options
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, byName(options))
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, byName(options))
		},
	}
}
