package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// meta is what every object of Kubernetes has.
type meta struct {
	Name, Namespace   string
	CreationTimestamp time.Time
	Labels            map[string]string
}

func (m *meta) path() string { return m.Namespace + "/" + m.Name }

type objectCondition struct {
	Type, Status, Reason, Message string
	LastTransitionTime            time.Time
}

// named returns the condition of a type; an empty one where there is none yet.
func named(conditions []objectCondition, kind string) objectCondition {
	for _, c := range conditions {
		if c.Type == kind {
			return c
		}
	}
	return objectCondition{Type: kind}
}

// objects are all of a kind in the cluster.
func objects[T any](ctx context.Context, s *survey, path string) ([]T, error) {
	if s.kubernetes == nil {
		return nil, errors.New("there is no cluster")
	}
	var list struct{ Items []T }
	err := s.kubernetes.Get(ctx, path, &list)
	return list.Items, err
}

func (s *survey) lookAtNodes(ctx context.Context) (*finding, error) {
	nodes, err := objects[struct {
		Metadata meta
		Spec     struct{ Unschedulable bool }
		Status   struct{ Conditions []objectCondition }
	}](ctx, s, "/api/v1/nodes")
	if err != nil {
		return nil, err
	}
	f := &finding{says: fmt.Sprintf("%s ready", count(len(nodes), "node")), more: "kubectl describe nodes"}
	for _, node := range nodes {
		for _, c := range node.Status.Conditions {
			switch {
			case c.Type == "Ready" && c.Status != "True":
				f.fault("%s has not been ready for %s (%s)", node.Metadata.Name, age(s.now.Sub(c.LastTransitionTime)), c.Reason)
			case strings.HasSuffix(c.Type, "Pressure") && c.Status == "True":
				f.fault("%s has %s", node.Metadata.Name, c.Type)
			}
		}
		if node.Spec.Unschedulable {
			f.fault("%s takes no pods (it is cordoned)", node.Metadata.Name)
		}
	}
	if len(nodes) == 0 {
		f.fault("there are no nodes")
	}
	return f, nil
}

// workload is a Deployment, a StatefulSet or a DaemonSet.
type workload struct {
	Metadata meta
	Spec     struct{ Replicas *int }
	Status   struct {
		ReadyReplicas, DesiredNumberScheduled, NumberReady int
		Conditions                                         []objectCondition
	}
}

var workloadKinds = []string{"deployment", "statefulset", "daemonset"}

func (s *survey) lookAtWorkloads(ctx context.Context) (*finding, error) {
	found := make([][]workload, len(workloadKinds))
	lists, ctx := errgroup.WithContext(ctx)
	for i, kind := range workloadKinds {
		lists.Go(func() (err error) {
			found[i], err = objects[workload](ctx, s, "/apis/apps/v1/"+kind+"s")
			return err
		})
	}
	if err := lists.Wait(); err != nil {
		return nil, err
	}
	f, all := &finding{more: "kubectl get deployments,statefulsets,daemonsets --all-namespaces"}, 0
	for i, list := range found {
		all += len(list)
		for _, w := range list {
			wanted, ready := w.Status.DesiredNumberScheduled, w.Status.NumberReady
			if workloadKinds[i] != "daemonset" {
				wanted, ready = 1, w.Status.ReadyReplicas
			}
			if w.Spec.Replicas != nil {
				wanted = *w.Spec.Replicas
			}
			if ready < wanted {
				f.fault("%s %s has %d of %s", workloadKinds[i], w.Metadata.path(), ready, count(wanted, "pod"))
			}
			if c := named(w.Status.Conditions, "Progressing"); c.Reason == "ProgressDeadlineExceeded" {
				f.fault("the rollout of %s is stuck: %s", w.Metadata.path(), c.Message)
			}
		}
	}
	f.says = fmt.Sprintf("%s at full strength", count(all, "workload"))
	return f, nil
}

type pod struct {
	Metadata meta
	Status   struct {
		Phase                                    string
		Conditions                               []objectCondition
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
}

type containerStatus struct {
	ImageID          string
	RestartCount     int
	State, LastState struct {
		Waiting    *struct{ Reason string }
		Terminated *struct {
			Reason     string
			ExitCode   int
			FinishedAt time.Time
		}
	}
}

func (s *survey) lookAtPods(ctx context.Context) (*finding, error) {
	pods, err := objects[pod](ctx, s, "/api/v1/pods")
	if err != nil {
		return nil, err
	}
	f, running := &finding{more: "kubectl get pods --all-namespaces"}, 0
	for _, p := range pods {
		if p.Status.Phase == "Running" {
			running++
		}
		if trouble := p.trouble(s.now); trouble != "" {
			f.fault("%s %s", p.Metadata.path(), trouble)
		}
	}
	f.says = count(running, "pod") + " running, none of them crashes"
	return f, nil
}

// trouble is what keeps a pod from its work; "" where nothing does.
func (p *pod) trouble(now time.Time) string {
	// starting is how long a pod may look for its place, and recent how long a crash is worth a line.
	const starting, recent = 2 * time.Minute, 15 * time.Minute
	placed := named(p.Status.Conditions, "PodScheduled")
	if placed.Status == "False" && now.Sub(p.Metadata.CreationTimestamp) > starting {
		return "finds no node: " + placed.Message
	}
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return "waits in " + w.Reason
		}
		if t := c.LastState.Terminated; t != nil && t.ExitCode != 0 && now.Sub(t.FinishedAt) < recent {
			ago, restarts := age(now.Sub(t.FinishedAt)), count(c.RestartCount, "restart")
			return fmt.Sprintf("crashed %s ago (%s), %s in all", ago, t.Reason, restarts)
		}
	}
	return ""
}

func (s *survey) lookAtVolumes(ctx context.Context) (*finding, error) {
	claims, err := objects[struct {
		Metadata meta
		Status   struct{ Phase string }
	}](ctx, s, "/api/v1/persistentvolumeclaims")
	if err != nil {
		return nil, err
	}
	f := &finding{says: count(len(claims), "claim") + " bound", more: "kubectl get persistentvolumeclaims --all-namespaces"}
	for _, claim := range claims {
		if claim.Status.Phase != "Bound" {
			f.fault("%s is %s", claim.Metadata.path(), claim.Status.Phase)
		}
	}
	return f, nil
}

func (s *survey) lookAtCertificates(ctx context.Context) (*finding, error) {
	certificates, err := objects[struct {
		Metadata meta
		Status   struct {
			Conditions            []objectCondition
			NotAfter, RenewalTime time.Time
		}
	}](ctx, s, "/apis/cert-manager.io/v1/certificates")
	if err != nil {
		return nil, err
	}
	f, first := &finding{more: "kubectl get certificates,challenges --all-namespaces"}, ending{}
	for _, c := range certificates {
		ready := named(c.Status.Conditions, "Ready")
		switch left := c.Status.NotAfter.Sub(s.now); {
		case ready.Status != "True":
			f.fault("%s is not ready: %s", c.Metadata.path(), ready.Message)
		case left < shortly:
			f.fault("%s ends in %s", c.Metadata.path(), age(left))
		case s.now.Sub(c.Status.RenewalTime) > overdue:
			f.fault("%s should have been renewed %s ago, and ends in %s", c.Metadata.path(),
				age(s.now.Sub(c.Status.RenewalTime)), age(left))
		default:
			first.see(c.Metadata.Name, left)
		}
	}
	f.says = first.tell(count(len(certificates), "certificate") + " ready")
	return f, nil
}

// As in the alerts: a certificate ends shortly, and a renewal is overdue.
const shortly, overdue = 7 * 24 * time.Hour, 24 * time.Hour

// ending is the certificate that ends first.
type ending struct {
	name string
	left time.Duration
}

func (e *ending) see(name string, left time.Duration) {
	if e.name == "" || left < e.left {
		*e = ending{name, left}
	}
}

func (e *ending) tell(what string) string {
	if e.name == "" {
		return what
	}
	return fmt.Sprintf("%s, the first ends in %s (%s)", what, age(e.left), e.name)
}
