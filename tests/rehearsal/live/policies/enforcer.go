package policies

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"
)

// Enforcer keeps the rules of a machine as the policies of its cluster are. They stay while the API server does not answer.
type Enforcer struct {
	node    string
	nft     knftables.Interface
	factory informers.SharedInformerFactory
	changed chan struct{}

	mu sync.Mutex
	// started are the addresses of pods on this machine, whose status tells them later, or still those from before a reboot.
	started map[types.UID]string
	inForce string // the rules, as they were set
}

// Enforce begins to watch a cluster, and reports by failed that rules cannot be set.
func Enforce(ctx context.Context, api client.Interface, node string, failed func(error)) (*Enforcer, error) {
	nft, err := knftables.New(knftables.IPv4Family, Table)
	if err != nil {
		return nil, fmt.Errorf("enforcing network policies: %w", err)
	}
	e := &Enforcer{
		node: node, nft: nft, factory: informers.NewSharedInformerFactory(api, 0),
		changed: make(chan struct{}, 1), started: map[types.UID]string{},
	}
	for _, informer := range e.informers() {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { e.change() }, UpdateFunc: func(any, any) { e.change() }, DeleteFunc: func(any) { e.change() },
		}); err != nil {
			return nil, fmt.Errorf("watching for network policies: %w", err)
		}
	}
	e.factory.StartWithContext(ctx)
	go func() {
		for range e.changed {
			if err := e.apply(ctx); err != nil {
				failed(err)
			}
		}
	}()
	return e, nil
}

// informers watch all that rules depend on.
func (e *Enforcer) informers() []cache.SharedIndexInformer {
	core := e.factory.Core().V1()
	return []cache.SharedIndexInformer{
		core.Pods().Informer(), core.Namespaces().Informer(), e.factory.Networking().V1().NetworkPolicies().Informer(),
	}
}

// change has the rules be looked at, once for all changes of a moment.
func (e *Enforcer) change() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Admit returns when the rules are in force for a pod that has got its address, and whose containers are about to start.
func (e *Enforcer) Admit(ctx context.Context, namespace, name string, uid types.UID, address string) error {
	err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(context.Context) (bool, error) {
		pod, err := e.factory.Core().V1().Pods().Lister().Pods(namespace).Get(name)
		return err == nil && pod.UID == uid && e.synced(), nil
	})
	if err != nil {
		return fmt.Errorf("looking for the network policies of pod %s/%s: %w", namespace, name, err)
	}
	e.mu.Lock()
	e.started[uid] = address
	e.mu.Unlock()
	return e.apply(ctx)
}

func (e *Enforcer) synced() bool {
	for _, informer := range e.informers() {
		if !informer.HasSynced() {
			return false
		}
	}
	return true
}

// apply sets the rules as they are to be now. Without all that they depend on they stay as they are.
func (e *Enforcer) apply(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.synced() {
		return nil
	}
	core := e.factory.Core().V1()
	pods, err := core.Pods().Lister().List(labels.Everything())
	namespaces, fault := core.Namespaces().Lister().List(labels.Everything())
	policies, fault2 := e.factory.Networking().V1().NetworkPolicies().Lister().List(labels.Everything())
	if err := errors.Join(err, fault, fault2); err != nil {
		return err
	}
	tx := e.nft.NewTransaction()
	Cluster{Policies: policies, Namespaces: namespaces, Pods: e.addressed(pods), Node: e.node}.Write(tx)
	if tx.String() == e.inForce {
		return nil
	}
	if err := e.nft.Run(ctx, tx); err != nil {
		return fmt.Errorf("setting the rules of network policies: %w", err)
	}
	e.inForce = tx.String()
	return nil
}

// addressed gives pods of this machine the addresses that they have got, and forgets those that are gone.
func (e *Enforcer) addressed(pods []*corev1.Pod) []*corev1.Pod {
	known := map[types.UID]string{}
	for i, pod := range pods {
		if address := e.started[pod.UID]; address != "" {
			known[pod.UID] = address
			pods[i] = pod.DeepCopy() // who watches shares it
			pods[i].Status.PodIP = address
		}
	}
	e.started = known
	return pods
}
