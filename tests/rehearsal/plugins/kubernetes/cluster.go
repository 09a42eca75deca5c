package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// cluster is the Kubernetes that a provider was configured for. It is safe for concurrent use.
type cluster struct {
	settings
	journal *journal

	kubeconfig *clientcmdapi.Config
	rest       *rest.Config
	dynamic    dynamic.Interface
	discovery  discovery.CachedDiscoveryInterface
	mapper     *restmapper.DeferredDiscoveryRESTMapper
	unusable   error // why there are no clients

	mu    sync.Mutex
	asked time.Time // when the API server was asked for a sign of life
	alive error     // what came of it
}

func newCluster(settings settings, journal *journal) *cluster {
	c := &cluster{settings: settings, journal: journal}
	c.unusable = c.connect()
	return c
}

func (c *cluster) connect() error {
	if c.Kubeconfig == "" {
		return errors.New("no kubeconfig is configured, and a rehearsal does not use the one of its user: " +
			"give the resource a provider that has one")
	}
	kubeconfig, err := c.load()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c.kubeconfig = kubeconfig
	client := c.clientConfig(c.Namespace)
	if c.rest, err = client.ClientConfig(); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if c.Namespace == "" {
		if c.Namespace, _, err = client.Namespace(); err != nil {
			return fmt.Errorf("reading the kubeconfig: %w", err)
		}
	}
	c.rest.Burst, c.rest.QPS = c.KubeClientSettings.Burst, float32(c.KubeClientSettings.QPS)
	c.rest.Timeout = time.Duration(c.KubeClientSettings.Timeout) * time.Second
	c.rest.WarningHandler = rest.NoWarnings{}
	if !c.SuppressDeprecationWarnings {
		c.rest.WarningHandlerWithContext = c.journal
	}
	if c.dynamic, err = dynamic.NewForConfig(c.rest); err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	live, err := discovery.NewDiscoveryClientForConfig(c.rest)
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	c.discovery = memory.NewMemCacheClient(live)
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discovery)
	return nil
}

// clientConfig is the kubeconfig with the settings' overrides and a default namespace.
func (c *cluster) clientConfig(namespace string) clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*c.kubeconfig, &clientcmd.ConfigOverrides{
		CurrentContext: c.Context,
		Context:        clientcmdapi.Context{Cluster: c.Cluster, Namespace: namespace},
	})
}

// reachable returns nil when the API server answers, or has answered before. One that did not is not asked again for a while,
// so that a preview with many resources does not wait for each.
func (c *cluster) reachable(ctx context.Context) error {
	if c.unusable != nil {
		return c.unusable
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked.IsZero() && (c.alive == nil || time.Since(c.asked) < 10*time.Second) {
		return c.alive
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := c.discovery.RESTClient().Get().AbsPath("/version").Do(limited).Error()
	if err != nil {
		err = fmt.Errorf("the Kubernetes cluster at %s cannot be reached: %w", c.rest.Host, err)
	}
	if ctx.Err() == nil {
		c.asked, c.alive = time.Now(), err
	}
	return err
}

// mapping tells how the API server serves a kind. A kind that is not known may have come into being a moment ago, so the
// API server is asked once more.
func (c *cluster) mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	return mapping, err
}

// awaitKind waits for a kind whose definition was created a moment ago: it takes the API server up to a few seconds to serve
// it, and there is nothing to watch.
func (c *cluster) awaitKind(ctx context.Context, gvk schema.GroupVersionKind) error {
	unknown := fmt.Errorf("the cluster does not know the kind %s of %s: is its CustomResourceDefinition, or the release that "+
		"brings it, among what this resource depends on?", gvk.Kind, gvk.GroupVersion())
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 10*time.Second, true,
		func(ctx context.Context) (bool, error) {
			_, err := c.mapping(gvk)
			if meta.IsNoMatchError(err) && c.defines(ctx, gvk) {
				return false, nil
			}
			if meta.IsNoMatchError(err) {
				return false, unknown
			}
			return err == nil, err
		})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return unknown
	}
	return err
}

// defines tells whether there is a definition of a kind.
func (c *cluster) defines(ctx context.Context, gvk schema.GroupVersionKind) bool {
	definitions := schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	}
	list, err := c.dynamic.Resource(definitions).List(ctx, metav1.ListOptions{})
	return err == nil && slices.ContainsFunc(list.Items, func(definition unstructured.Unstructured) bool {
		group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
		return group == gvk.Group && kind == gvk.Kind
	})
}

// client returns the client for the objects of a kind, in a namespace where the kind is namespaced.
func (c *cluster) client(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(gvk)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.dynamic.Resource(mapping.Resource), nil
	}
	if namespace == "" {
		namespace = c.Namespace
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}
