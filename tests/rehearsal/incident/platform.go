package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"lke-platform/tests/rehearsal/visitors"
)

// platform is a live sandbox.
type platform struct {
	visitors visitors.Options
	linode   string // the simulated API
	// namespace and app are those of the first app.
	namespace, app string
	// node and pod are those that are in trouble.
	node string
	pod  pod
	// stackFile is the sandbox's copy of one, and before what it said before it was changed.
	stackFile string
	before    []byte
	upping    sync.Mutex // held by `up`
	// lasts is how long trouble lasts that ends by itself; where this is zero, as long as usual.
	lasts time.Duration
	// every is the time between two looks at the cluster, calm how long visitors stay before and after, and patience how long the
	// platform may take to be at full strength.
	every, calm, patience time.Duration
}

// find asks the sandbox where everything is.
func (p *platform) find(ctx context.Context) error {
	p.linode, p.stackFile = os.Getenv("LINODE_URL"), os.Getenv("REHEARSAL_STACK_FILE")
	var found struct{ Items []workload }
	const web = "app.kubernetes.io/component=web,app.kubernetes.io/part-of=lke-platform"
	if err := p.get(ctx, &found, "deployments", "--selector", web); err != nil {
		return err
	}
	if len(found.Items) == 0 {
		return errors.New("the sandbox has no app")
	}
	p.namespace, p.app = found.Items[0].Metadata.Namespace, found.Items[0].Metadata.Name
	return nil
}

type metadata struct{ Namespace, Name string }

// workload is what counts of one.
type workload struct {
	Kind     string
	Metadata metadata
	Spec     struct{ Replicas *int }
	Status   struct{ ReadyReplicas, UpdatedReplicas, Replicas, NumberReady, DesiredNumberScheduled int }
}

// lacksPods says whether some are missing. What is Linode's waits five minutes for a node that is lost, and of what runs on every
// node the ingress controller counts.
func (w *workload) lacksPods() bool {
	switch {
	case w.Metadata.Namespace == "kube-system":
		return false
	case w.Kind == "DaemonSet":
		return w.Metadata.Namespace == ingressNamespace && w.Status.NumberReady < max(1, w.Status.DesiredNumberScheduled)
	case w.Kind == "StatefulSet": // which replaces its pods when it likes
		return *w.Spec.Replicas > w.Status.ReadyReplicas
	default:
		return *w.Spec.Replicas > w.Status.ReadyReplicas || w.Status.UpdatedReplicas < w.Status.Replicas
	}
}

type condition struct{ Type, Status string }

func has(conditions []condition, kind, status string) bool {
	return slices.Contains(conditions, condition{kind, status})
}

// pod is what counts of one.
type pod struct {
	Metadata struct {
		metadata
		DeletionTimestamp string
	}
	Spec struct {
		NodeName   string
		Containers []struct {
			Ports          []struct{ ContainerPort int }
			ReadinessProbe struct{ HTTPGet struct{ Path string } }
		}
	}
	Status struct{ Conditions []condition }
}

func (p *pod) ready() bool {
	return p.Metadata.DeletionTimestamp == "" && has(p.Status.Conditions, "Ready", "True")
}

// health is where the pod is asked whether it is well.
func (p *pod) health() string {
	return cmp.Or(p.Spec.Containers[0].ReadinessProbe.HTTPGet.Path, "/health")
}

// podsOf are the pods of an app that are ready; there is one at least.
func (p *platform) podsOf(ctx context.Context, namespace, app string) ([]pod, error) {
	var found struct{ Items []pod }
	if err := p.get(ctx, &found, "pods", "--selector", "app.kubernetes.io/name="+app); err != nil {
		return nil, err
	}
	ready := slices.DeleteFunc(found.Items, func(pod pod) bool { return pod.Metadata.Namespace != namespace || !pod.ready() })
	if len(ready) == 0 {
		return nil, fmt.Errorf("no pod of %s is ready", app)
	}
	return ready, nil
}

// nodeOf is the node of one of the app's replicas.
func (p *platform) nodeOf(ctx context.Context) (string, error) {
	pods, err := p.podsOf(ctx, p.namespace, p.app)
	if err != nil {
		return "", err
	}
	return pods[0].Spec.NodeName, nil
}

// lacks says what the cluster knows that it lacks: a node, a certificate, pods, or its API server; "" where that is nothing.
func (p *platform) lacks(ctx context.Context) (string, error) {
	var nodes struct {
		Items []struct {
			Metadata metadata
			Status   struct{ Conditions []condition }
		}
	}
	if err := p.get(ctx, &nodes, "nodes"); err != nil {
		return unanswered(ctx)
	}
	for _, node := range nodes.Items {
		if !has(node.Status.Conditions, "Ready", "True") {
			return "node " + node.Metadata.Name, nil
		}
	}
	return p.lacksMore(ctx, replaced+",statefulsets")
}

// lacksMore says which certificate cannot be had anew, or which workload of some kinds lacks pods.
func (p *platform) lacksMore(ctx context.Context, kinds string) (string, error) {
	certificates, err := p.certificates(ctx)
	if err != nil {
		return unanswered(ctx)
	}
	for _, c := range certificates {
		if c.refused() {
			return "certificate " + c.Metadata.Namespace + "/" + c.Metadata.Name, nil
		}
	}
	return p.lacksPods(ctx, kinds)
}

// replaced are the kinds of what is at full strength again when a node that is lost stays so: a StatefulSet's pods wait for
// somebody who says that it is.
const replaced = "deployments,daemonsets"

// lacksPods says which workload of some kinds lacks pods.
func (p *platform) lacksPods(ctx context.Context, kinds string) (string, error) {
	var found struct{ Items []workload }
	if err := p.get(ctx, &found, kinds); err != nil {
		return unanswered(ctx)
	}
	for _, w := range found.Items {
		if w.lacksPods() {
			return w.Metadata.Namespace + "/" + w.Metadata.Name, nil
		}
	}
	return "", nil
}

// unanswered says what is missing where nobody answers: the API server, unless it is not waited for any more.
func unanswered(ctx context.Context) (string, error) { return "the API server", ctx.Err() }

// get decodes a list of all namespaces.
func (p *platform) get(ctx context.Context, list any, kinds string, arguments ...string) error {
	asked := []string{"get", kinds, "--all-namespaces", "--output", "json", "--request-timeout", "3s"}
	text, err := p.kubectl(ctx, append(asked, arguments...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, list)
}

func (p *platform) kubectl(ctx context.Context, arguments ...string) ([]byte, error) {
	text, err := exec.CommandContext(ctx, "kubectl", arguments...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("kubectl %s: %s", arguments[0], strings.TrimSpace(string(failed.Stderr)))
	}
	return text, err
}

var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+)`)

// ask posts to a pod, past everything that visitors come through. The API server's proxy would not get there: the network
// policies of the platform let it in nowhere.
func (p *platform) ask(ctx context.Context, to pod, path string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	forward := exec.CommandContext(ctx, "kubectl", "port-forward", "--namespace", to.Metadata.Namespace,
		"pod/"+to.Metadata.Name, fmt.Sprintf(":%d", to.Spec.Containers[0].Ports[0].ContainerPort))
	lines, err := forward.StdoutPipe()
	if err != nil {
		return err
	}
	if err := forward.Start(); err != nil {
		return err
	}
	defer func() { _ = forward.Wait() }()
	defer stop()
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		if found := forwarding.FindStringSubmatch(scanner.Text()); found != nil {
			return p.post(ctx, "http://"+found[1]+path, "")
		}
	}
	return fmt.Errorf("kubectl finds no way to pod %s", to.Metadata.Name)
}

func (p *platform) post(ctx context.Context, url, body string) error {
	return p.do(ctx, http.MethodPost, url, body)
}

// do asks a simulated API for what no real one has.
func (p *platform) do(ctx context.Context, method, address, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, address, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
