package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// operation watches one run of the engine: it shows the progress and remembers what took how long and what was said.
type operation struct {
	name    string
	console *console
	total   int // how many resources will change; 0 where nobody knows
	mu      sync.Mutex
	steps   map[string]*step // by URN, those that change something
	errors  []string
	warned  []string
	began   time.Time
	took    time.Duration
	over    chan struct{} // closed by finish
	done    chan struct{} // closed when all events are handled
}

// step is the work on one resource, all of it where the engine replaces one in several steps.
type step struct {
	urn        string
	parent     string
	kind       apitype.OpType
	custom     bool // a provider's, rather than a component, which lasts as long as its parts
	diffs      []string
	begin, end time.Time
	failed     bool
}

func (s *step) seconds() float64 { return s.end.Sub(s.begin).Seconds() }

// watch starts an operation that will change so many resources; the channel that it returns takes the engine's events.
func watch(name string, total int, console *console) (*operation, chan events.EngineEvent) {
	o := &operation{
		name: name, total: total, console: console, steps: map[string]*step{}, began: time.Now(),
		over: make(chan struct{}), done: make(chan struct{}),
	}
	channel := make(chan events.EngineEvent)
	console.follow(o)
	go o.follow(channel)
	return o, channel
}

// finish ends the watch when the engine has returned. It closes the channel of events itself, but not where it fails before
// its first event.
func (o *operation) finish() {
	close(o.over)
	<-o.done
	o.console.follow(nil)
	o.took = time.Since(o.began)
}

// follow handles events, and says what is still under way when nothing else is to be said.
func (o *operation) follow(channel <-chan events.EngineEvent) {
	defer close(o.done)
	const patience = 5 * time.Second
	quiet, pace := time.NewTicker(patience), time.NewTicker(patience)
	defer quiet.Stop()
	defer pace.Stop()
	for {
		select {
		case event, open := <-channel:
			if !open {
				return
			}
			if o.handle(event) {
				quiet.Reset(patience)
			}
		case <-o.over:
			return
		case <-quiet.C:
			o.sayPending()
		case <-pace.C:
			o.console.sayProgress(o)
		}
	}
}

// handle returns whether it said something.
func (o *operation) handle(event events.EngineEvent) bool {
	switch {
	case event.ResourcePreEvent != nil:
		o.begin(event.ResourcePreEvent.Metadata)
	case event.ResOutputsEvent != nil:
		return o.end(event.ResOutputsEvent.Metadata, false)
	case event.ResOpFailedEvent != nil:
		return o.end(event.ResOpFailedEvent.Metadata, true)
	case event.DiagnosticEvent != nil:
		return o.diagnose(event.DiagnosticEvent)
	}
	return false
}

func (o *operation) begin(m apitype.StepEventMetadata) {
	if !changes(m.Op) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, replaced := o.steps[m.URN]; replaced {
		s.kind, s.end = apitype.OpReplace, time.Time{}
		return
	}
	state := cmp.Or(m.New, m.Old)
	o.steps[m.URN] = &step{
		urn: m.URN, kind: m.Op, custom: state != nil && state.Custom,
		diffs: slices.Sorted(maps.Keys(m.DetailedDiff)), begin: time.Now(),
	}
	if state != nil {
		o.steps[m.URN].parent = state.Parent
	}
}

// changes is false for what only looks at a resource.
func changes(op apitype.OpType) bool { return op != apitype.OpSame && op != apitype.OpRefresh }

func (o *operation) end(m apitype.StepEventMetadata, failed bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, known := o.steps[m.URN]
	if !known || !changes(m.Op) {
		return false
	}
	s.end, s.failed = time.Now(), s.failed || failed
	if !s.custom || m.Op == apitype.OpReplace { // which comes between the creation and the deletion, without work of its own
		return false
	}
	told := *s
	told.kind = m.Op
	o.console.say("%s  %s", o.name, &told)
	return true
}

// String says what happened, to what, in which fields and for how long.
func (s *step) String() string {
	text := fmt.Sprintf("%-8s %s", s.kind, describe(s.urn))
	if len(s.diffs) > 0 {
		text += " (" + strings.Join(s.diffs, ", ") + ")"
	}
	if seconds := s.seconds(); seconds >= 0.05 {
		text += fmt.Sprintf("  %.1fs", seconds)
	}
	if s.failed {
		text += "  FAILED"
	}
	return text
}

func (o *operation) diagnose(d *apitype.DiagnosticEvent) bool {
	message := strings.TrimSpace(colors.Never.Colorize(d.Message))
	if d.Ephemeral || message == "" {
		return false
	}
	if d.URN != "" {
		message = describe(d.URN) + ": " + message
	}
	switch d.Severity {
	case "error":
		o.errors = append(o.errors, message)
	case "warning":
		o.warned = append(o.warned, message)
	default:
		return false
	}
	o.console.say("%s  %s  %s", o.name, d.Severity, message)
	return true
}

// progress is how far the operation is, and what it is at: the longest of it first, and so many at most.
func (o *operation) progress(most int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var pending []*step
	done := 0
	for _, s := range o.sorted() {
		switch {
		case !s.custom:
		case s.end.IsZero():
			pending = append(pending, s)
		default:
			done++
		}
	}
	head := fmt.Sprintf("%s: %d done", o.name, done)
	if o.total > 0 {
		head = fmt.Sprintf("%s: %s %d of %d", o.name, gauge(int64(100*done/o.total)), done, o.total)
	}
	lines := []string{fmt.Sprintf("%s after %.0fs", head, time.Since(o.began).Seconds())}
	for i, s := range pending {
		if i == most {
			return append(lines, fmt.Sprintf("and %d more", len(pending)-i))
		}
		lines = append(lines, fmt.Sprintf("%s %s, for %.0fs", s.kind, describe(s.urn), time.Since(s.begin).Seconds()))
	}
	return lines
}

// works is how many resources of providers the operation did something to.
func (o *operation) works() int {
	total := 0
	for _, s := range o.steps {
		if s.custom {
			total++
		}
	}
	return total
}

func (o *operation) sayPending() {
	for _, s := range o.sorted() {
		if s.custom && s.end.IsZero() {
			o.console.say("%s  … still at %s, for %.0fs", o.name, describe(s.urn), time.Since(s.begin).Seconds())
		}
	}
}

// sorted returns the steps in the order in which they began.
func (o *operation) sorted() []*step {
	return slices.SortedFunc(maps.Values(o.steps), func(a, b *step) int { return a.begin.Compare(b.begin) })
}

// created returns how many resources the operation made that were not there before.
func (o *operation) created() int {
	total := 0
	for _, s := range o.steps {
		if s.kind == apitype.OpCreate {
			total++
		}
	}
	return total
}

// changed returns how many resources the operation did anything to.
func (o *operation) changed() int { return len(o.steps) }

// failure says what went wrong: each resource and its reason, and where more is to be read.
func (o *operation) failure(err error, logs string) error {
	reasons := o.errors
	if len(reasons) == 0 {
		reasons = []string{err.Error()}
	}
	return fmt.Errorf("%s:\n  %s\nlogs are in %s",
		o.name, strings.Join(reasons, "\n  "), logs)
}

// describe makes a URN readable: the type without its package path, and the name.
func describe(urn string) string {
	u := resource.URN(urn)
	return fmt.Sprintf("%s %s", u.Type(), u.Name())
}
