package markdown

import (
	"fmt"
	"strings"

	"lke-platform/cmd/report/plan"
	"lke-platform/cmd/report/rendered"
)

// Rendered is what is told of a comparison of charts by itself.
func Rendered(c *rendered.Comparison) string {
	p := &page{}
	renders(p, c)
	return p.String()
}

// renders tells what other objects the charts make: of those that come and go the names, of those that change the difference.
func renders(p *page, c *rendered.Comparison) {
	if c == nil || len(c.Releases) == 0 {
		return
	}
	p.heading("What the charts render, against %s", code(c.Base))
	for _, r := range c.Releases {
		if p.room() < 4*longestLine {
			p.line("…and of more releases, for which there is no room here.")
			return
		}
		p.line("**%s**: %s", code(r.Name), changeOf(r))
		names(p, "Comes", r.Added)
		names(p, "Goes", r.Removed)
		var all []block
		for _, object := range r.Changed {
			lines := patch(plan.Plain(object.Before), plan.Plain(object.After))
			all = append(all, block{object.Name, r.Name, fence("diff", strings.Join(lines, "\n"))})
		}
		p.blocks(all)
		defines(p, r.Definitions)
	}
}

// names lists objects, if there is room for that.
func names(p *page, title string, objects []string) {
	if len(objects) == 0 {
		return
	}
	line := title + ": " + some(objects)
	if len(line) > p.room() {
		line = fmt.Sprintf("%s: %s, for which there is no room here.", title, count(len(objects), "object", "objects"))
	}
	p.line("%s", line)
}

// changeOf is the line of a release.
func changeOf(r *rendered.Release) string {
	versions := code(r.After)
	switch {
	case r.After == "":
		versions = code(r.Before) + ", which goes"
	case r.Before == "":
		versions += ", which is new"
	case r.Before != r.After:
		versions = code(r.Before) + " → " + versions
	}
	switch {
	case r.Lacks != "":
		return versions + ". **Not compared**: " + verbatim(r.Lacks, longestLine)
	case len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Definitions) == 0:
		return versions + ", which renders the same."
	}
	return fmt.Sprintf("%s: adds %s, removes %d, changes %d; %s.", versions, count(len(r.Added), "object", "objects"),
		len(r.Removed), len(r.Changed), count(len(r.Definitions), "definition differs", "definitions differ"))
}

// defines lists definitions by the versions that they serve. What no version serves any more is gone for whoever asks for it.
func defines(p *page, all []rendered.Definition) {
	if len(all) == 0 {
		return
	}
	var rows [][]string
	for _, d := range all {
		before, after := "–", "goes"
		if d.Before != "" {
			before = code(d.Before)
		}
		if d.Before == d.After {
			after = "the same, by another schema"
		} else if d.After != "" {
			after = code(d.After)
		}
		rows = append(rows, []string{code(d.Name), before, after})
	}
	p.table([]string{"Custom resource definition", "Serves", "Then"}, rows)
}
