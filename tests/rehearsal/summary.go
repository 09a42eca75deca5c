package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"lke-platform/tests/rehearsal/incluster"
	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/linode"
	kubernetesplugin "lke-platform/tests/rehearsal/plugins/kubernetes"
	"lke-platform/tests/rehearsal/report"
)

// summary is what a rehearsal found out. Its JSON form is an interface: fields are added, never renamed.
type summary struct {
	Stack     string         `json:"stack"`
	Result    string         `json:"result"` // succeeded or failed
	Resources map[string]int `json:"resources"`
	Up        struct {
		Seconds float64 `json:"seconds"`
		Created int     `json:"created"`
	} `json:"up"`
	Again struct {
		Changed int `json:"changed"`
	} `json:"again"`
	CriticalPath []pathStep `json:"criticalPath"`
	NotRendered  []string   `json:"notRendered"`
	Schemaless   []string   `json:"schemaless"`
	// CostPerMonthUSD is at list price.
	CostPerMonthUSD float64        `json:"costPerMonthUSD"`
	Cost            []costLine     `json:"cost"`
	Nodes           []nodeFill     `json:"nodes"`
	Pods            map[string]int `json:"pods"`
	NotRehearsed    []string       `json:"notRehearsed"`
	Warnings        []string       `json:"warnings"`
	// Activated are the certificates that Fastly serves domains with, in the order of their activation.
	Activated []activated `json:"activated"`
	// WentLive are the public names whose records `up` made or changed, in the order in which it did.
	WentLive []wentLive `json:"wentLive"`
	// Operations are the runs of the engine, in their order.
	Operations []operationTimes `json:"operations"`

	steps     map[string]*step // of up
	resources []report.Resource
}

// operationTimes is when a run of the engine worked on what.
type operationTimes struct {
	Name    string      `json:"name"` // preview, up, or again
	Begin   time.Time   `json:"begin"`
	Seconds float64     `json:"seconds"`
	Steps   []stepTimes `json:"steps"` // in the order in which they began
}

// stepTimes is when an operation worked on a resource.
type stepTimes struct {
	URN    string    `json:"urn"`
	Kind   string    `json:"kind"`
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end,omitzero"` // where it was seen
	Failed bool      `json:"failed,omitempty"`
}

// activated is a domain that Fastly serves with a certificate.
type activated struct {
	Domain      string    `json:"domain"`
	Certificate string    `json:"certificate"`
	NotAfter    time.Time `json:"notAfter"`
	Since       time.Time `json:"since"`
}

// wentLive is a public name, and when the last of its records was there.
type wentLive struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// costLine is one line of the bill.
type costLine struct {
	What     string  `json:"what"`
	Count    int     `json:"count"`
	MonthUSD float64 `json:"monthUSD"`
}

// nodeFill is how full a node is, in percent of what pods may request.
type nodeFill struct {
	Name          string `json:"name"`
	Type          string `json:"type"`
	Pods          int64  `json:"pods"`
	CPUPercent    int64  `json:"cpuPercent"`
	MemoryPercent int64  `json:"memoryPercent"`
	// What pods may request, and what each does.
	MilliCPUs   int64         `json:"milliCPUs"`
	MemoryBytes int64         `json:"memoryBytes"`
	Requests    []podRequests `json:"requests"`
}

// podRequests is what a pod requests.
type podRequests struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	MilliCPUs   int64  `json:"milliCPUs"`
	MemoryBytes int64  `json:"memoryBytes"`
}

// unrendered collects the Helm releases whose chart could not be had, and has the clusters' controllers stand in for them.
type unrendered struct {
	controllers *incluster.Controllers

	mu    sync.Mutex
	found []string
}

// Found is that of kubernetesplugin.Substitute.
func (u *unrendered) Found(release kubernetesplugin.NotRendered) {
	u.mu.Lock()
	defer u.mu.Unlock()
	line := fmt.Sprintf("%s/%s (chart %s %s): %s",
		release.Namespace, release.Name, release.Chart, release.Version, release.Reason)
	if !slices.Contains(u.found, line) {
		u.found = append(u.found, line)
	}
}

// Deployed is that of kubernetesplugin.Substitute.
func (u *unrendered) Deployed(ctx context.Context, release kubernetesplugin.NotRendered) error {
	return u.controllers.Deployed(ctx, forControllers(release))
}

// Uninstalled is that of kubernetesplugin.Substitute.
func (u *unrendered) Uninstalled(ctx context.Context, release kubernetesplugin.NotRendered) error {
	return u.controllers.Uninstalled(ctx, forControllers(release))
}

func forControllers(release kubernetesplugin.NotRendered) incluster.Release {
	return incluster.Release{
		Namespace: release.Namespace, Name: release.Name,
		Chart: release.Chart, Version: release.Version, Values: release.Values,
	}
}

func newSummary(o options, w *world, madeUp []string) *summary {
	s := &summary{
		Stack: o.stack, Result: "succeeded", Resources: map[string]int{}, Pods: map[string]int{},
		CriticalPath: []pathStep{}, Activated: []activated{}, WentLive: []wentLive{},
		NotRendered: []string{}, Schemaless: []string{}, Cost: []costLine{}, Nodes: []nodeFill{}, Operations: []operationTimes{},
		Warnings: append([]string{}, madeUp...),
		NotRehearsed: []string{
			"containers: pods are scheduled, and become ready without running",
			"traffic: no request goes through Fastly or an Ingress",
		},
	}
	if o.live {
		s.NotRehearsed = []string{} // pods run, and visitors come by Fastly and the Ingresses
	}
	s.NotRehearsed = append(s.NotRehearsed, w.unset...)
	_, refused := lookAtCharts(o)
	for _, fault := range refused {
		s.Warnings = append(s.Warnings, "pulumi up will refuse chart "+fault.Error())
	}
	if len(w.standIns) > 0 {
		s.NotRehearsed = append(s.NotRehearsed, "the official provider plugins "+strings.Join(w.standIns, ", ")+
			": not installed, stand-ins took their place")
	}
	return s
}

// record keeps what an operation did when, and its warnings, each once.
func (s *summary) record(o *operation) {
	times := operationTimes{Name: o.name, Begin: o.began, Seconds: round(o.took.Seconds()), Steps: []stepTimes{}}
	for _, step := range o.sorted() {
		if step.custom {
			times.Steps = append(times.Steps, stepTimes{step.urn, string(step.kind), step.begin, step.end, step.failed})
		}
	}
	s.Operations = append(s.Operations, times)
	s.meet(o)
	for _, warning := range o.warned {
		if !slices.Contains(s.Warnings, warning) {
			s.Warnings = append(s.Warnings, warning)
		}
	}
}

func (s *summary) recordUp(o *operation) {
	s.Up.Seconds = round(o.took.Seconds())
	s.Up.Created = o.created()
	s.steps = o.steps
	maps.DeleteFunc(s.steps, func(_ string, step *step) bool { return !step.custom })
}

// survey asks the engine, the cluster and the simulated account what there is now.
func (s *summary) survey(ctx context.Context, stack auto.Stack, w *world) error {
	exported, err := stack.Export(ctx)
	if err != nil {
		return fmt.Errorf("reading the stack's state: %w", err)
	}
	var state apitype.DeploymentV3
	if err := json.Unmarshal(exported.Deployment, &state); err != nil {
		return fmt.Errorf("reading the stack's state: %w", err)
	}
	for _, r := range state.Resources {
		s.Resources[string(r.Type)]++
	}
	s.resources = resourcesIn(state.Resources)
	s.CriticalPath = append(s.CriticalPath, criticalPath(s.steps, state.Resources)...)
	s.NotRendered = append(s.NotRendered, w.unrendered.found...)
	s.NotRehearsed = append(s.NotRehearsed, w.controllers.NotRehearsed()...)
	if w.machines != nil {
		for _, image := range w.machines.StandIns() {
			s.NotRehearsed = append(s.NotRehearsed,
				"the application "+image+": it is not at hand, and the test app runs in its place (docs/live.md)")
		}
		if played := w.machines.Played(); len(played) > 0 {
			s.NotRehearsed = append(s.NotRehearsed, fmt.Sprintf("containers of %d images that are not at hand (docs/live.md): %s",
				len(played), strings.Join(played, ", ")))
		}
	}
	s.Schemaless = append(s.Schemaless, w.controllers.Schemaless()...)
	s.Warnings = append(s.Warnings, w.controllers.Warnings()...)
	for _, a := range w.fastly.Activations() {
		s.Activated = append(s.Activated, activated{a.Domain, a.Certificate, a.NotAfter, a.Since})
	}
	s.addNames()
	s.addCost(w.linode.MonthlyCost())
	return s.addNodes(ctx, state.Resources, w.clusters)
}

// hostRecord is how the program calls the record of a public name.
var hostRecord = regexp.MustCompile(`DomainRecord::hosts-(.+)-A{1,4}-\d+$`)

// addNames notes when each public name went live.
func (s *summary) addNames() {
	last := map[string]time.Time{}
	for urn, step := range s.steps {
		if parts := hostRecord.FindStringSubmatch(urn); parts != nil && step.kind != apitype.OpDelete {
			last[parts[1]] = later(last[parts[1]], step.end)
		}
	}
	for name, at := range last {
		s.WentLive = append(s.WentLive, wentLive{name, at})
	}
	slices.SortFunc(s.WentLive, func(a, b wentLive) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name))
	})
}

func (s *summary) addCost(lines []linode.CostLine) {
	for _, line := range lines {
		s.Cost = append(s.Cost, costLine{What: line.What, Count: line.Count, MonthUSD: line.TotalUSD})
		s.CostPerMonthUSD += line.TotalUSD
	}
}

// addNodes says how full the nodes of the stack's clusters are, and warns of pods that fit none of them.
func (s *summary) addNodes(ctx context.Context, resources []apitype.ResourceV3, clusters *kubernetes.Clusters) error {
	for _, r := range resources {
		if r.Type != "linode:index/lkeCluster:LkeCluster" {
			continue
		}
		id, err := strconv.Atoi(string(r.ID))
		if err != nil {
			return fmt.Errorf("%s has the ID %q, which is no number", r.URN, r.ID)
		}
		usage, err := clusters.Usage(ctx, id)
		if err != nil {
			return err
		}
		for _, node := range usage.Nodes {
			s.Nodes = append(s.Nodes, fillOf(node))
		}
		for phase, count := range usage.Pods {
			s.Pods[string(phase)] += count
		}
		for pod, reason := range usage.Unschedulable {
			s.Warnings = append(s.Warnings, fmt.Sprintf("pod %s fits no node: %s", pod, reason))
		}
	}
	return nil
}

func fillOf(node kubernetes.NodeUsage) nodeFill {
	fill := nodeFill{
		Name: node.Name, Type: node.Type, Pods: node.Requested.Pods,
		CPUPercent:    percent(node.Requested.MilliCPUs, node.Allocatable.MilliCPUs),
		MemoryPercent: percent(node.Requested.MemoryBytes, node.Allocatable.MemoryBytes),
		MilliCPUs:     node.Allocatable.MilliCPUs, MemoryBytes: node.Allocatable.MemoryBytes, Requests: []podRequests{},
	}
	for _, pod := range node.Pods {
		fill.Requests = append(fill.Requests, podRequests(pod))
	}
	return fill
}

func percent(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return part * 100 / whole
}

// publish writes the summary as JSON and as a page to files, and as text to the console.
func (s *summary) publish(console *console, o options) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the summary: %w", err)
	}
	if err := os.WriteFile(o.summaryFile(), append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	console.still()
	if s.Result == "succeeded" {
		s.print(console.out, console.verbose)
	}
	return s.writeReport(console, o.reportFile())
}
