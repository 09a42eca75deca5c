package markdown

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lke-platform/cmd/report/cost"
	"lke-platform/cmd/report/plan"
	"lke-platform/cmd/report/rendered"
)

// Preview is what is told of a preview.
type Preview struct {
	Stack string
	Plan  *plan.Plan
	// Failed says that Pulumi ended with an error. Output is what it printed; it is shown where nothing else tells why.
	Failed bool
	Output string
	// Prices are those that the cost is told at.
	Prices *cost.Prices
	// Rehearsed are the seconds that resources took in a rehearsal, by type. None where there was none.
	Rehearsed map[string]float64
	// Rendered are the objects of charts before and after the change. Nil where nobody has compared them.
	Rendered *rendered.Comparison
}

// Title is the first line, by which the comment is found again.
func (v *Preview) Title() string { return "Preview of " + v.Stack }

// String is the comment.
func (v *Preview) String() string {
	p := &page{}
	p.line("### %s", v.Title())
	p.line("%s", v.Verdict())
	v.faults(p)
	v.lost(p)
	v.unprotected(p)
	v.names(p)
	v.cost(p)
	v.updated(p)
	v.created(p)
	v.remade(p)
	v.kept(p)
	v.durations(p)
	renders(p, v.Rendered)
	notes(p, "What this report lacks", v.Plan.Lacks)
	notes(p, "Warnings", v.Plan.Warnings)
	return p.String()
}

// Verdict is what a reviewer has to know, in one line.
func (v *Preview) Verdict() string {
	lost, all := v.Plan.Lost(), v.Plan.Changed()
	var verdict string
	switch {
	case v.Failed:
		verdict = "**The preview failed**, and nothing can be brought up."
		if len(all) > 0 {
			verdict += " What it found before that is not all there is."
		}
	case len(lost) > 0:
		verdict = fmt.Sprintf("**Destroys or replaces %d**%s, of %s in all.", len(lost), protected(lost),
			count(len(all), "change", "changes"))
	case len(all) > 0:
		verdict = fmt.Sprintf("**%s**, and nothing is destroyed or replaced.", count(len(all), "change", "changes"))
	case len(v.Plan.Lacks) > 0:
		verdict = "**No change was found**, in as much of the preview as could be read."
	default:
		verdict = "**Nothing changes.**"
	}
	if loose := unprotected(v.Plan); len(loose) > 0 {
		verdict += fmt.Sprintf(" But **the protection of %s is lifted**.", count(len(loose), "resource", "resources"))
	}
	return verdict
}

func protected(lost []*plan.Resource) string {
	n := 0
	for _, r := range lost {
		if r.Protected() {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", **protected %d**", n)
}

func unprotected(p *plan.Plan) []*plan.Resource {
	return slices.DeleteFunc(slices.Clone(p.Resources), func(r *plan.Resource) bool {
		return r.IsComponent() || !r.Unprotected()
	})
}

// faults come first: without them there would be more to see.
func (v *Preview) faults(p *page) {
	const longest, most = 6_000, 30
	faults := v.Plan.Faults
	if v.Failed && len(faults) == 0 {
		faults = []string{lastOf(plan.Plain(v.Output), longest)}
	}
	for i, fault := range faults {
		text := fence("text", cut(fault, longest))
		if i == most || len(text) > p.room() {
			p.line("…and %s.", count(len(faults)-i, "more fault", "more faults"))
			return
		}
		p.WriteString(text + "\n")
	}
}

// lastOf is the end of what a program said, where it says why it failed.
func lastOf(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	_, end, _ := strings.Cut(text[len(text)-longest:], "\n")
	return "…\n" + end
}

func (v *Preview) lost(p *page) {
	lost := v.Plan.Lost()
	if len(lost) == 0 {
		return
	}
	slices.SortStableFunc(lost, func(a, b *plan.Resource) int {
		return -cmp.Compare(boolToInt(a.Protected()), boolToInt(b.Protected()))
	})
	var rows [][]string
	for _, r := range lost {
		what := "delete"
		if r.Change == plan.Replace {
			what = "**replace**"
		}
		if r.Protected() {
			what += ", protected"
		}
		rows = append(rows, []string{what, code(r.String()), part(r), why(r)})
	}
	p.heading("Deleted or replaced")
	p.table([]string{"", "Resource", "Part of", "Why"}, rows)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// part is the component that a resource belongs to.
func part(r *plan.Resource) string {
	if r.Component == "" {
		return "–"
	}
	return code(r.Component)
}

// why tells what forces a replacement.
func why(r *plan.Resource) string {
	if r.Change == plan.Delete {
		return "the program has it no more"
	}
	const most = 4
	var reasons []string
	for _, path := range r.Forced {
		if r.Remade() && path == "metadata.name" {
			continue // it tells contents apart, which are the reason
		}
		if len(reasons) == most {
			reasons = append(reasons, "…")
			break
		}
		reasons = append(reasons, reason(r, path))
	}
	if len(reasons) == 0 {
		return "the provider says so"
	}
	return strings.Join(slices.Compact(reasons), "<br>")
}

func reason(r *plan.Resource, path string) string {
	for _, d := range r.Differences {
		if d.Path == path && d.Before != nil && d.After != nil && d.Before != d.After {
			return fmt.Sprintf("%s: %s → %s", code(path), short(d.Before), short(d.After))
		}
	}
	return code(path)
}

func short(v any) string {
	const longest = 60
	return verbatim(value(v), longest)
}

func (v *Preview) unprotected(p *page) {
	loose := unprotected(v.Plan)
	if len(loose) == 0 {
		return
	}
	p.heading("No longer protected from being deleted")
	list(p, loose)
}

// list names resources.
func list(p *page, resources []*plan.Resource) {
	var rows [][]string
	for _, r := range resources {
		rows = append(rows, []string{code(r.String()), part(r)})
	}
	p.table([]string{"Resource", "Part of"}, rows)
}

func (v *Preview) names(p *page) {
	public, gone := v.Plan.Names()
	if len(public)+len(gone) == 0 {
		return
	}
	p.heading("Names that lead here")
	for _, group := range []struct {
		what  string
		names []string
	}{{"From now on", public}, {"No more", gone}} {
		if len(group.names) > 0 {
			p.line("%s (%d): %s", group.what, len(group.names), some(group.names))
		}
	}
}

// some are the first of many names.
func some(names []string) string {
	const most = 40
	var shown []string
	for _, name := range names[:min(most, len(names))] {
		shown = append(shown, code(name))
	}
	if left := len(names) - most; left > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(shown, ", ")
}

func (v *Preview) updated(p *page) {
	updated := v.Plan.Of(plan.Update)
	if len(updated) == 0 {
		return
	}
	p.heading("Updated: %d", len(updated))
	var all []block
	for _, r := range updated {
		body := "Nothing of it that the program says.\n"
		if len(r.Differences) > 0 {
			body = differences(r.Differences)
		}
		all = append(all, block{r.String(), r.Component, body})
	}
	p.blocks(all)
}

// created counts by component: of what is new the kinds matter more than the names.
func (v *Preview) created(p *page) {
	created := v.Plan.Of(plan.Create)
	if len(created) == 0 {
		return
	}
	kinds := map[string]map[string][]string{}
	for _, r := range created {
		if kinds[r.Component] == nil {
			kinds[r.Component] = map[string][]string{}
		}
		kinds[r.Component][r.Kind()] = append(kinds[r.Component][r.Kind()], r.Name)
	}
	var rows [][]string
	for _, component := range slices.Sorted(maps.Keys(kinds)) {
		total, parts := 0, []string{}
		for _, kind := range slices.Sorted(maps.Keys(kinds[component])) {
			n := len(kinds[component][kind])
			total += n
			parts = append(parts, fmt.Sprintf("%d %s", n, code(kind)))
		}
		rows = append(rows, []string{code(cmp.Or(component, v.Stack)), fmt.Sprint(total), strings.Join(parts, ", ")})
	}
	p.heading("Created: %d", len(created))
	p.table([]string{"Component", "Resources", "Kinds"}, rows)
}

// remade is what is replaced in the ordinary course of things.
func (v *Preview) remade(p *page) {
	var remade []*plan.Resource
	for _, r := range v.Plan.Of(plan.Replace) {
		if r.Remade() {
			remade = append(remade, r)
		}
	}
	if len(remade) == 0 {
		return
	}
	var rows [][]string
	for _, r := range remade {
		rows = append(rows, []string{code(r.String()), part(r), why(r)})
	}
	p.heading("Made anew beside the old, which then goes: %d", len(remade))
	p.table([]string{"Resource", "Part of", "Because of"}, rows)
}

// kept is what comes under Pulumi, or leaves it, and stays.
func (v *Preview) kept(p *page) {
	if taken := v.Plan.Of(plan.Import); len(taken) > 0 {
		p.heading("Taken over as they are: %d", len(taken))
		list(p, taken)
	}
	if left := v.Plan.Of(plan.Forget); len(left) > 0 {
		p.heading("Let go, and not deleted: %d", len(left))
		list(p, left)
	}
}

// durations tell how long the slowest of what has to be made took in a rehearsal.
func (v *Preview) durations(p *page) {
	const most, short = 3, 1.0
	longest := map[string]float64{}
	for _, r := range v.Plan.Of(plan.Create, plan.Replace) {
		if seconds := v.Rehearsed[r.Type]; seconds >= short {
			longest[r.Kind()] = seconds
		}
	}
	kinds := slices.SortedFunc(maps.Keys(longest), func(a, b string) int {
		return cmp.Or(cmp.Compare(longest[b], longest[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, kind := range kinds[:min(most, len(kinds))] {
		parts = append(parts, fmt.Sprintf("%s %.0f s", code(kind), longest[kind]))
	}
	if len(parts) > 0 {
		p.line("In a rehearsal the slowest of these took: %s.", strings.Join(parts, ", "))
	}
}

// notes are lines that are folded.
func notes(p *page, title string, lines []string) {
	const most = 40
	if len(lines) == 0 {
		return
	}
	var body strings.Builder
	for i, line := range lines {
		text := "- " + verbatim(line, longestLine) + "\n"
		if i == most || body.Len()+len(text) > max(p.room(), reserve/4) {
			fmt.Fprintf(&body, "- …and %d more\n", len(lines)-i)
			break
		}
		body.WriteString(text)
	}
	fmt.Fprintf(p, "<details><summary>%s: %d</summary>\n\n%s\n</details>\n\n", title, len(lines), &body)
}
