// Package mend clears away what a run that was cut short has left half done inside a cluster, so that the next one can go on.
package mend

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic"

	"lke-platform/components/internal/live"
)

// pending are the states of a release that only an operation under way, or one that was cut short, leaves it in. While there is
// such a record Helm refuses every other operation.
var pending = []string{"pending-install", "pending-upgrade", "pending-rollback"}

// Release makes a release ready for the next operation. One that the state knows (known) loses the records of operations that
// were cut short. One that the state does not know loses all of its records: a run that ended before it could say so made it, and
// Helm refuses a name that has any. What the release has made stays: Helm takes over the objects that bear its name.
//
// Nobody else is at work on the release meanwhile: the state is locked. forgotten counts the records that are gone.
// Upstream: https://github.com/helm/helm/blob/v3.21.4/pkg/storage/driver/secrets.go
func Release(ctx context.Context, kubeconfig, namespace, name string, known bool) (forgotten int, err error) {
	client, err := live.Connect(kubeconfig)
	if err != nil {
		return 0, err
	}
	return forget(ctx, client.Resource(live.Secrets).Namespace(namespace), name, known)
}

func forget(ctx context.Context, secrets dynamic.ResourceInterface, name string, known bool) (forgotten int, err error) {
	selector := labels.SelectorFromSet(labels.Set{"owner": "helm", "name": name})
	if known {
		only, err := labels.NewRequirement("status", "in", pending)
		if err != nil {
			return 0, err
		}
		selector = selector.Add(*only)
	}
	found, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return 0, err
	}
	var faults []error
	for i := range found.Items {
		faults = append(faults, secrets.Delete(ctx, found.Items[i].GetName(), metav1.DeleteOptions{}))
	}
	return len(found.Items), errors.Join(faults...)
}
