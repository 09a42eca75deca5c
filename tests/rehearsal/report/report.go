// Package report writes what a rehearsal found out as a page to look at: one file that asks for nothing else, in which names and
// times stand and no value of any property.
package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

// Rehearsal is what the page tells. What is not known, as when a rehearsal ends early, is left empty.
type Rehearsal struct {
	Stack      string
	Succeeded  bool
	Operations []Operation // in their order
	// Resources are those of the stack, with what each waits for; of a rehearsal that ended early those that it worked on.
	Resources []Resource
	// CriticalPath are the URNs of the resources that decided how long Up took, first to last.
	CriticalPath []string
	Warnings     []string
	NotRehearsed []string
	NotRendered  []string // releases whose charts were not at hand
	Schemaless   []string // kinds without a schema
	Cost         []CostLine
	Nodes        []Node
	Pods         map[string]int // by phase
	Certificates []Certificate  // in the order of their activation
	Live         []Live         // in the order in which they went live
}

// Up is the name of the operation that makes the stack.
const Up = "up"

// Operation is one run of the engine.
type Operation struct {
	Name  string
	Begin time.Time
	Took  time.Duration
	Steps []Step
}

// Step is the work of an operation on one resource.
type Step struct {
	URN, Kind  string
	Begin, End time.Time // the end is zero where it was not seen
	Failed     bool
}

// Resource is a resource of the stack, or a component.
type Resource struct {
	URN, Type, Name string
	Parent          string // its URN
	Component       bool
	Needs           []string // URNs
}

// CostLine is one line of the bill.
type CostLine struct {
	What     string
	Count    int
	MonthUSD float64
}

// Node is a node, what pods may request of it, and the pods that do.
type Node struct {
	Name, Type  string
	MilliCPUs   int64
	MemoryBytes int64
	Pods        []Pod
}

// Pod is what one requests.
type Pod struct {
	Namespace, Name string
	MilliCPUs       int64
	MemoryBytes     int64
}

// Certificate is what a domain is served with.
type Certificate struct {
	Domain, Certificate string
	Since, NotAfter     time.Time
}

// Live is a public name, and when it went live.
type Live struct {
	Name string
	At   time.Time
}

//go:embed page.html.tmpl style.css
var files embed.FS

var pageTemplate = template.Must(template.New("page.html.tmpl").Funcs(template.FuncMap{
	"seconds": seconds, "clock": clock, "day": day, "money": money, "cores": cores, "memory": memory, "percent": percent,
	"inc": func(i int) int { return i + 1 }, "count": count, "px": px,
}).ParseFS(files, "page.html.tmpl", "style.css"))

// Write writes the page.
func Write(out io.Writer, r Rehearsal) error {
	shown, err := newPage(r)
	if err != nil {
		return err
	}
	if err := pageTemplate.Execute(out, shown); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
