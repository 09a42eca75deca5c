package incluster

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linode/linodego"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"

	"lke-platform/tests/rehearsal/blockstorage"
)

const (
	// fieldManager is the name under which the API server notes what the controllers set.
	fieldManager = "rehearsal"
	// retryDelay is the pause before an object that failed, or that waits for another, is looked at again.
	retryDelay = 250 * time.Millisecond
	// workers is how many objects of a kind are worked on at a time.
	workers = 4
)

// errNotYet is returned by who waits for another object. It is no failure.
var errNotYet = errors.New("not yet")

// cluster is one cluster as its controllers see it.
type cluster struct {
	id      int
	config  *rest.Config
	client  client.Interface
	dynamic dynamic.Interface
	linode  *linodego.Client
	driver  *blockstorage.Controller // of volumes
	pods    Pods
	options *Options
	notes   *notes
	log     *slog.Logger

	letsEncrypt *letsEncrypt

	// orders are the certificates that are being proven, by their UID and generation.
	orders sync.Map
	// managerFlags are those of cert-manager where its chart is not rendered.
	managerFlags atomic.Pointer[[]string]

	provisioning sync.Mutex
	provisioned  map[types.UID]provisioned // by PostgresCluster
}

func connect(id int, kubeconfig []byte, c *Controllers) (*cluster, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // no limit: nobody else is there to be protected
	typed, err := client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cl := &cluster{
		id: id, config: config, client: typed, dynamic: untyped, linode: &c.linode, pods: c.options.Pods, options: &c.options,
		notes: &c.notes, letsEncrypt: &c.letsEncrypt, log: c.options.Log.With("cluster", id),
		provisioned: map[types.UID]provisioned{},
	}
	cl.driver = &blockstorage.Controller{Linode: cl.linode, Region: cl.region}
	return cl, nil
}

// region asks for the region of the cluster.
func (c *cluster) region(ctx context.Context) (string, error) {
	found, err := c.linode.GetLKECluster(ctx, c.id)
	if err != nil {
		return "", err
	}
	return found.Region, nil
}

// follow calls reconcile with each object of a resource, and again after each change, until ctx ends. An object whose
// reconcile fails comes again after retryDelay. No object is worked on twice at a time.
func (c *cluster) follow(
	ctx context.Context, resource schema.GroupVersionResource, reconcile func(context.Context, *unstructured.Unstructured) error,
) {
	queue := workqueue.NewTyped[cache.ObjectName]()
	delayed := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[cache.ObjectName]{Queue: queue})
	enqueue := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			delayed.Add(name)
		}
	}
	informer := dynamicinformer.NewFilteredDynamicInformer(c.dynamic, resource, metav1.NamespaceAll, 0, nil, nil).Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) },
	})
	if err != nil {
		c.log.Error("watching failed", "resource", resource.String(), "error", err)
		return
	}
	var running sync.WaitGroup
	running.Go(func() { informer.RunWithContext(ctx) })
	context.AfterFunc(ctx, delayed.ShutDown)
	for range workers {
		running.Go(func() {
			for name, shutdown := delayed.Get(); !shutdown; name, shutdown = delayed.Get() {
				if c.reconcile(ctx, informer.GetStore(), name, reconcile) != nil {
					delayed.AddAfter(name, retryDelay)
				}
				delayed.Done(name)
			}
		})
	}
	running.Wait()
}

// reconcile calls reconcile with an object as the store has it, if it is still there.
func (c *cluster) reconcile(
	ctx context.Context, store cache.Store, name cache.ObjectName,
	reconcile func(context.Context, *unstructured.Unstructured) error,
) error {
	object, exists, err := store.GetByKey(name.String())
	if err != nil || !exists {
		return err
	}
	found := object.(*unstructured.Unstructured).DeepCopy()
	err = reconcile(ctx, found)
	if err != nil && !errors.Is(err, errNotYet) && ctx.Err() == nil {
		c.log.Warn("reconciling failed", "kind", found.GetKind(), "name", name.String(), "error", err)
	}
	return err
}

// typed adapts a reconcile function for a type of Kubernetes' API.
func typed[T any](reconcile func(context.Context, *T) error) func(context.Context, *unstructured.Unstructured) error {
	return func(ctx context.Context, object *unstructured.Unstructured) error {
		var converted T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &converted); err != nil {
			return err
		}
		return reconcile(ctx, &converted)
	}
}
