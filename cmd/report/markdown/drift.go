package markdown

import (
	"fmt"
	"strings"

	"lke-platform/cmd/report/plan"
)

// Drift is what is told of a comparison of the cloud with the state, and of the program with the cloud.
type Drift struct {
	Stack string
	// Plan is that of a preview which looked at the cloud first.
	Plan *plan.Plan
	// Differs says that the program differs from the cloud, or may: the comparison Failed.
	Differs, Failed bool
	// Output is what Pulumi printed.
	Output string
}

// Title is that of the issue.
func (d *Drift) Title() string { return "Drift of " + d.Stack }

// Nothing says that nothing differs.
func (d *Drift) Nothing() bool { return !d.Differs && len(d.Plan.Drifted()) == 0 }

// Verdict is what to know in one line.
func (d *Drift) Verdict() string {
	byHand, toDo := d.Plan.Drifted(), d.Plan.Changed()
	switch {
	case d.Failed:
		return "**It could not be compared**, or not all of it."
	case d.Nothing():
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
	todo := &Preview{Stack: d.Stack, Plan: d.Plan, Failed: d.Failed, Output: d.Output}
	todo.faults(p)
	d.byHand(p)
	if len(d.Plan.Changed()) > 0 {
		p.heading("What `make up` would do")
		todo.lost(p)
		todo.updated(p)
		todo.created(p)
		todo.remade(p)
	}
	notes(p, "What this report lacks", d.Plan.Lacks)
	return p.String()
}

// byHand tells what was changed behind the program's back.
func (d *Drift) byHand(p *page) {
	drifted := d.Plan.Drifted()
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
