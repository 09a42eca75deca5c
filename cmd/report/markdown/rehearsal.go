package markdown

import (
	"fmt"

	"lke-platform/cmd/report/rendered"
)

// Rehearsal is what is told of a rehearsal: what its summary.json has.
type Rehearsal struct {
	Stack, Result string
	Resources     map[string]int
	Up            struct {
		Seconds float64
		Created int
	}
	Again           struct{ Changed int }
	CostPerMonthUSD float64
	Cost            []struct {
		What     string
		Count    int
		MonthUSD float64
	}
	Nodes []struct {
		Name, Type    string
		Pods          int
		CPUPercent    int
		MemoryPercent int
	}
	NotRehearsed, NotRendered, Warnings []string

	// Rendered is no part of the summary.
	Rendered *rendered.Comparison `json:"-"`
}

// String is the text for the page of the workflow's run.
func (r *Rehearsal) String() string {
	p := &page{}
	p.line("### Rehearsal of %s", r.Stack)
	if r.Result != "succeeded" {
		p.line("**It %s.** The log of the run says why, and the report where it ended.", r.Result)
		notes(p, "Warnings", r.Warnings)
		renders(p, r.Rendered)
		return p.String()
	}
	p.line("**It succeeded**: %s in %.1f s, %d changed by a second `up`. At list price it costs **$%.2f a month**, without "+
		"traffic and Fastly.", count(r.Up.Created, "resource", "resources"), r.Up.Seconds, r.Again.Changed, r.CostPerMonthUSD)
	var rows [][]string
	for _, line := range r.Cost {
		rows = append(rows, []string{fmt.Sprint(line.Count), code(line.What), fmt.Sprintf("%.2f", line.MonthUSD)})
	}
	p.table([]string{"", "Cost", "USD a month"}, rows)
	rows = nil
	for _, node := range r.Nodes {
		rows = append(rows, []string{
			code(node.Name), code(node.Type), fmt.Sprint(node.Pods), fmt.Sprintf("%d %%", node.CPUPercent),
			fmt.Sprintf("%d %%", node.MemoryPercent),
		})
	}
	p.table([]string{"Node", "Type", "Pods", "CPU", "Memory"}, rows)
	notes(p, "Not rehearsed", append(r.NotRehearsed, r.NotRendered...))
	notes(p, "Warnings", r.Warnings)
	renders(p, r.Rendered)
	return p.String()
}
