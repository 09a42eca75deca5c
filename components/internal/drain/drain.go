// Package drain empties nodes, and waits for volumes, before what they are on is deleted.
//
// It speaks to the API server through the dynamic client. kubectl's own package for this, k8s.io/kubectl/pkg/drain, brings six
// times as many packages along, every API group of Kubernetes among them.
package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"lke-platform/components/internal/live"
)

// How long is waited, and for what.
const (
	answerTime = time.Minute      // for the API server
	nodesTime  = 30 * time.Minute // for nodes to be empty: a pod may have to wait for the one before it, and for its volume
	systemTime = 2 * time.Minute  // for pods of kube-system, some of which can run nowhere else
	volumeTime = 5 * time.Minute  // for volumes to be detached and deleted

	balancerTime = 2 * time.Minute  // for load balancers to let go of nodes
	settleTime   = 10 * time.Second // without another change of them

	pollTime = 2 * time.Second
	sayTime  = 30 * time.Second // between two lines of progress
)

var (
	pods           = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	services       = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	events         = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	nodes          = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	claims         = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes        = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	attachments    = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "volumeattachments"}
	storageClasses = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
)

// Cluster is a cluster that nodes are to be deleted of.
type Cluster struct {
	client dynamic.Interface
	say    func(string)
}

// Connect returns the cluster of a kubeconfig; say takes lines of progress.
func Connect(kubeconfig string, say func(string)) (*Cluster, error) {
	client, err := live.Connect(kubeconfig)
	return &Cluster{client: client, say: say}, err
}

// HasStorageClass tells whether there is a StorageClass of that name.
func (c *Cluster) HasStorageClass(ctx context.Context, name string) (found bool, err error) {
	var failure error
	err = wait.PollUntilContextTimeout(ctx, pollTime, answerTime, true, func(ctx context.Context) (bool, error) {
		_, failure = c.client.Resource(storageClasses).Get(ctx, name, metav1.GetOptions{})
		found = failure == nil
		return found || apierrors.IsNotFound(failure), nil
	})
	if err != nil {
		return false, fmt.Errorf("the cluster's API did not answer for %s: %w", answerTime, failure)
	}
	return found, nil
}

// await looks until nothing is left, and returns what is, and what kept it from looking, when the time is over. A failure to look
// is no reason to give up before: API servers are busy at times, and restarted.
func (c *Cluster) await(
	ctx context.Context, limit time.Duration, look func(context.Context) ([]string, error),
) (left []string, failure error) {
	said := time.Now()
	waited := wait.PollUntilContextTimeout(ctx, pollTime, limit, true, func(ctx context.Context) (bool, error) {
		found, err := look(ctx)
		if ctx.Err() != nil {
			return false, nil // what was found before is all of it
		}
		left, failure = found, err
		if len(left) > 0 && time.Since(said) > sayTime {
			said = time.Now()
			c.say(fmt.Sprintf("waiting for %s", list(left)))
		}
		return len(left) == 0 && failure == nil, nil
	})
	if waited == nil {
		return nil, nil
	}
	return left, failure
}

// list names some, and counts the rest.
func list(names []string) string {
	const most = 8
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
