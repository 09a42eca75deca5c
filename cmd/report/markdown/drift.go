package markdown

import (
	"fmt"
	"strings"

	"lke-platform/cmd/report/plan"
)

// Drift is what is told of a comparison of cloud, state and program.
type Drift struct {
	Stack string
	// Cloud is held against the state, and Program against the cloud.
	Cloud, Program Comparison
}

// Comparison is one of the two.
type Comparison struct {
	Plan *plan.Plan
	// Differs says that there is a difference, or that there may be: the comparison Failed.
	Differs, Failed bool
	Output          string
}

// Title is that of the issue.
func (d *Drift) Title() string { return "Drift of " + d.Stack }

// Verdict is what to know in one line.
func (d *Drift) Verdict() string {
	if d.Cloud.Failed || d.Program.Failed {
		return "**It could not be compared**, or not all of it."
	}
	byHand, toDo := d.Cloud.Plan.Drifted(), d.Program.Plan.Changed()
	switch {
	case len(byHand) == 0 && len(toDo) == 0 && !d.Cloud.Differs && !d.Program.Differs:
		return "**Nothing differs.**"
	case len(byHand) == 0:
		return fmt.Sprintf("**Nothing was changed by hand**; `make up` would change %s.",
			count(len(toDo), "resource", "resources"))
	case len(toDo) == 0:
		return fmt.Sprintf("**%s by hand**, as the program says by now: the next `make up` notes it in the state.",
			count(len(byHand), "resource was changed", "resources were changed"))
	}
	return fmt.Sprintf("**%s by hand**; `make up` would change %s.",
		count(len(byHand), "resource was changed", "resources were changed"), count(len(toDo), "resource", "resources"))
}

// String is the text of the issue.
func (d *Drift) String() string {
	p := &page{}
	p.line("### %s", d.Title())
	p.line("%s", d.Verdict())
	p.line("What to do about it: `docs/drift.md`. To put back what was changed by hand: `make up STACK=%s`.", d.Stack)
	for _, c := range []*Comparison{&d.Cloud, &d.Program} {
		(&Preview{Stack: d.Stack, Plan: c.Plan, Failed: c.Failed, Output: c.Output}).faults(p)
	}
	d.byHand(p)
	if len(d.Program.Plan.Changed()) > 0 {
		p.heading("What `make up` would do")
		todo := &Preview{Stack: d.Stack, Plan: d.Program.Plan}
		todo.lost(p)
		todo.updated(p)
		todo.created(p)
		todo.remade(p)
	}
	notes(p, "What this report lacks", append(d.Cloud.Plan.Lacks, d.Program.Plan.Lacks...))
	return p.String()
}

// byHand tells what was changed behind the program's back.
func (d *Drift) byHand(p *page) {
	drifted := d.Cloud.Plan.Drifted()
	if len(drifted) == 0 {
		return
	}
	p.heading("Changed by hand")
	var all []block
	for _, r := range drifted {
		body := "It is not there any more.\n"
		if !r.Gone() {
			body = differences(r.Drift())
		}
		all = append(all, block{r.String(), r.Component, body})
	}
	p.blocks(all)
}

// Text is Markdown without its marks, for a terminal.
func Text(line string) string { return strings.NewReplacer("**", "", "`", "").Replace(line) }
