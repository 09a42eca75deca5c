package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"lke-platform/tests/rehearsal/report"
)

// writeReport writes the summary as a page to path, and says where it is.
func (s *summary) writeReport(console *console, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := cmp.Or(report.Write(file, s.rehearsal()), file.Close()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	link := url.URL{Scheme: "file", Path: path}
	fmt.Fprintf(console.out, "\nReport, to be opened in a browser: %s\n", link.String())
	return nil
}

// rehearsal is the summary as the page takes it.
func (s *summary) rehearsal() report.Rehearsal {
	r := report.Rehearsal{
		Stack: s.Stack, Succeeded: s.Result == "succeeded", Resources: s.resources, Pods: s.Pods, Warnings: s.Warnings,
		NotRehearsed: s.NotRehearsed, NotRendered: s.NotRendered, Schemaless: s.Schemaless,
	}
	for _, o := range s.Operations {
		operation := report.Operation{Name: o.Name, Begin: o.Begin, Took: time.Duration(o.Seconds * float64(time.Second))}
		for _, step := range o.Steps {
			operation.Steps = append(operation.Steps, report.Step(step))
		}
		r.Operations = append(r.Operations, operation)
	}
	for _, step := range s.CriticalPath {
		r.CriticalPath = append(r.CriticalPath, step.URN)
	}
	for _, line := range s.Cost {
		r.Cost = append(r.Cost, report.CostLine(line))
	}
	for _, fill := range s.Nodes {
		node := report.Node{Name: fill.Name, Type: fill.Type, MilliCPUs: fill.MilliCPUs, MemoryBytes: fill.MemoryBytes}
		for _, pod := range fill.Requests {
			node.Pods = append(node.Pods, report.Pod(pod))
		}
		r.Nodes = append(r.Nodes, node)
	}
	for _, a := range s.Activated {
		r.Certificates = append(r.Certificates, report.Certificate{
			Domain: a.Domain, Certificate: a.Certificate, Since: a.Since, NotAfter: a.NotAfter,
		})
	}
	for _, name := range s.WentLive {
		r.Live = append(r.Live, report.Live(name))
	}
	return r
}

// resourcesIn are the resources of a state, without anything of what they hold.
func resourcesIn(state []apitype.ResourceV3) []report.Resource {
	var all []report.Resource
	for _, r := range state {
		all = append(all, report.Resource{
			URN: string(r.URN), Type: string(r.Type), Name: r.URN.Name(), Parent: string(r.Parent), Component: !r.Custom,
			Needs: dependencies(r),
		})
	}
	return all
}

// meet notes what an operation worked on: all that is known of the graph where the state is not looked at any more. What each
// resource waits for is not known then.
func (s *summary) meet(o *operation) {
	for _, step := range o.sorted() {
		known := slices.ContainsFunc(s.resources, func(r report.Resource) bool { return r.URN == step.urn })
		if urn := resource.URN(step.urn); !known {
			s.resources = append(s.resources, report.Resource{
				URN: step.urn, Type: string(urn.Type()), Name: urn.Name(), Parent: step.parent, Component: !step.custom,
			})
		}
	}
}
