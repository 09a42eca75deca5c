package plan

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Change is what happens to a resource.
type Change string

// The changes, the ones that lose something first.
const (
	Delete  Change = "delete"
	Replace Change = "replace"
	Forget  Change = "forget" // it stays, and Pulumi knows of it no more
	Update  Change = "update"
	Create  Change = "create"
	Import  Change = "import"
	None    Change = ""
)

// changes are those of the engine's operations that are changes.
var changes = map[string]Change{
	"delete": Delete, "discard": Forget, "update": Update, "create": Create, "import": Import,
	"replace": Replace, "create-replacement": Replace, "delete-replaced": Replace, "import-replacement": Replace,
}

// Plan is what the engine does, or would do.
type Plan struct {
	// Resources are all that it came to, changed or not, by component.
	Resources []*Resource
	// Faults and Warnings are what was said, each once.
	Faults, Warnings []string
	// Lacks says what of the log could not be read.
	Lacks []string
	// Ended says whether the engine came to its end, also where it failed.
	Ended bool

	byURN map[string]*Resource
}

// Resource is one that the engine came to.
type Resource struct {
	URN, Type, Name string
	// Component is the name of the outermost component that the resource is part of, its own where it is one.
	Component string
	Change    Change
	// Before and After are nil where there is none.
	Before, After *State
	// Forced are the properties that force a replacement.
	Forced []string
	// Differences are those between Before and After that somebody can make something of.
	Differences []Difference

	touched   []string // the properties that the provider names
	protected bool     // before, also where a refresh with the program has taken note already that it is not to be
	refreshes bool
	drift     drift
}

// drift is what a refresh found: what the state knew of, and what there is.
type drift struct {
	change        Change
	before, after *State
	touched       []string
}

// Read reads a log of events.
func Read(log io.Reader) (*Plan, error) {
	p := &Plan{byURN: map[string]*Resource{}}
	lacks, err := readEvents(log, p.take)
	p.Lacks = append(lacks, p.Lacks...)
	if err != nil {
		return nil, err
	}
	if !p.Ended {
		p.Lacks = append(p.Lacks, "the engine was stopped before its end, so that changes may be missing here")
	}
	for _, r := range p.Resources {
		r.Component = p.componentOf(r)
		r.Differences = r.differences()
		for i, path := range r.Forced {
			r.Forced[i] = r.ownPath(path)
		}
	}
	// The engine comes to them side by side, in another order each time.
	slices.SortFunc(p.Resources, func(a, b *Resource) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.URN, b.URN))
	})
	if len(p.Faults) > 1 {
		p.Faults = slices.DeleteFunc(p.Faults, func(fault string) bool { return fault == "preview failed" }) // which says no more
	}
	return p, nil
}

func (p *Plan) take(e *event) {
	switch {
	case e.Begun != nil:
		p.begin(&e.Begun.Metadata)
	case e.Done != nil:
		p.end(&e.Done.Metadata)
	case e.Summary != nil:
		p.Ended = true
	case e.Error != nil:
		p.Faults = appendOnce(p.Faults, Plain(e.Error.Error))
	case e.Diagnostic != nil && !e.Diagnostic.Ephemeral:
		p.diagnose(e.Diagnostic.Severity, e.Diagnostic.URN, Plain(e.Diagnostic.Message))
	}
}

// engineWords are what the engine puts before the program's own.
var engineWords = regexp.MustCompile(`(?:an unhandled error occurred: )?(?:program failed: )?\d+ errors? occurred:\n\t\* `)

func (p *Plan) diagnose(severity, urn, message string) {
	if message == "" {
		return
	}
	if _, name := split(urn); name != "" && !strings.Contains(urn, "pulumi:pulumi:Stack") {
		message = name + ": " + message
	}
	switch severity {
	case "error":
		p.Faults = appendOnce(p.Faults, engineWords.ReplaceAllString(message, ""))
	case "warning":
		p.Warnings = appendOnce(p.Warnings, message)
	}
}

// begin notes what is going to be done. A replacement comes in several steps, of which the first tells what there was.
func (p *Plan) begin(s *step) {
	r := p.resource(s)
	r.protected = r.protected || s.Old != nil && s.Old.Protect
	if s.Op == "refresh" {
		r.refreshes, r.Before, r.After = true, s.Old, s.Old
		return
	}
	change := changes[s.Op]
	if r.Change == None {
		r.Before, r.Change = s.Old, change
	} else if change == Replace {
		r.Change = Replace
	}
	if r.Before == nil {
		r.Before = s.Old
	}
	if s.Op != "delete-replaced" {
		r.After = s.New
	}
	r.Forced = mergeSorted(r.Forced, s.Keys)
	for path, difference := range s.DetailedDiff {
		r.touched = mergeSorted(r.touched, []string{path})
		if strings.HasSuffix(difference.Kind, "-replace") {
			r.Forced = mergeSorted(r.Forced, []string{path})
		}
	}
}

// end notes what was done. Of a refresh only the end tells what was found, as if the cloud had been changed to it.
func (p *Plan) end(s *step) {
	r := p.resource(s)
	if r.refreshes {
		r.refreshes, r.drift = false, drift{found(s), s.Old, s.New, slices.Sorted(maps.Keys(s.DetailedDiff))}
		r.Before, r.After = s.New, s.New
		return
	}
	if s.New != nil && s.Op != "delete-replaced" {
		r.After = s.New
	}
}

// found is what a look at the cloud found done. In a preview it always ends as a refresh, with what differs; by itself it ends as
// the operation that would have done it. What differs only in what nobody declared is no change.
func found(s *step) Change {
	switch {
	case s.New == nil:
		return Delete
	case s.Op == "refresh" && len(s.DetailedDiff) > 0:
		return Update
	}
	return changes[s.Op]
}

// resource is the one that a step is about.
func (p *Plan) resource(s *step) *Resource {
	if r, seen := p.byURN[s.URN]; seen {
		return r
	}
	kind, name := split(s.URN)
	r := &Resource{URN: s.URN, Type: kind, Name: name}
	p.byURN[s.URN] = r
	p.Resources = append(p.Resources, r)
	return r
}

// split takes type and name from a URN: urn:pulumi:<stack>::<project>::<types of parents>$<type>::<name>.
func split(urn string) (kind, name string) {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return "", Plain(urn)
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:], Plain(parts[3])
}

// TypeOf is the type of a resource.
func TypeOf(urn string) string {
	kind, _ := split(urn)
	return kind
}

// componentOf follows parents up to the stack.
func (p *Plan) componentOf(r *Resource) string {
	outermost := ""
	for range len(p.Resources) { // a damaged log can lead in circles
		if r == nil || r.Type == "pulumi:pulumi:Stack" {
			break
		}
		if state := r.any(); state != nil && !state.Custom {
			outermost = r.Name
		}
		r = p.byURN[r.parent()]
	}
	return outermost
}

// any is the state of a resource after the operation, or before it where there is none after.
func (r *Resource) any() *State {
	if r.After != nil {
		return r.After
	}
	return r.Before
}

func (r *Resource) parent() string {
	if state := r.any(); state != nil {
		return state.Parent
	}
	return ""
}

// IsComponent says whether the resource has no provider: it is there for its parts.
func (r *Resource) IsComponent() bool { state := r.any(); return state != nil && !state.Custom }

// Kind is the last part of the type, which people know it by: LkeNodePool.
func (r *Resource) Kind() string { return r.Type[strings.LastIndex(r.Type, ":")+1:] }

// Protected says whether Pulumi refuses to delete the resource.
func (r *Resource) Protected() bool { return r.protected }

// Unprotected says whether the protection goes.
func (r *Resource) Unprotected() bool { return r.Protected() && r.After != nil && !r.After.Protect }

// Of are the resources to which some of the changes happen, without components.
func (p *Plan) Of(wanted ...Change) (found []*Resource) {
	for _, r := range p.Resources {
		if slices.Contains(wanted, r.Change) && !r.IsComponent() {
			found = append(found, r)
		}
	}
	return found
}

// Changed are all the resources to which something happens.
func (p *Plan) Changed() []*Resource { return p.Of(Delete, Replace, Forget, Update, Create, Import) }

// remade are the kinds that have a new name with each content, or run once: another one is made, and nobody misses the old one.
var remade = []string{"kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap", "kubernetes:batch/v1:Job"}

// Remade says whether a replacement is the ordinary course of things.
func (r *Resource) Remade() bool { return r.Change == Replace && slices.Contains(remade, r.Type) }

// Lost are the resources that go, or go and come anew, with what was in them.
func (p *Plan) Lost() []*Resource {
	return slices.DeleteFunc(p.Of(Delete, Replace), func(r *Resource) bool { return r.Remade() })
}

// String is how people call a resource.
func (r *Resource) String() string { return fmt.Sprintf("%s %s", r.Kind(), r.Name) }

func appendOnce(lines []string, line string) []string {
	if slices.Contains(lines, line) {
		return lines
	}
	return append(lines, line)
}

func mergeSorted(all, more []string) []string {
	all = append(all, more...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Drifted are the resources that a refresh finds changed or gone. It passes on components and providers as changed, too.
func (p *Plan) Drifted() (found []*Resource) {
	for _, r := range p.Resources {
		before := r.drift.before
		if r.drift.change != None && before != nil && before.Custom && !strings.HasPrefix(r.Type, "pulumi:providers:") {
			found = append(found, r)
		}
	}
	return found
}

// Gone says whether a refresh found a resource gone.
func (r *Resource) Gone() bool { return r.drift.change == Delete }
