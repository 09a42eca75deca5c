package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the summary for people, what matters most last. What only the page needs is left out, unless all is wanted.
func (s *summary) print(out io.Writer, all bool) {
	if all {
		s.printDetails(out)
	}
	list(out, fmt.Sprintf("Releases not rendered: %d, whose charts are not at hand (`make charts` downloads them)",
		len(s.NotRendered)), chartsOnly(s.NotRendered))
	list(out, "Custom resources without a schema", s.Schemaless)
	list(out, "Not rehearsed", s.NotRehearsed)
	section(out, fmt.Sprintf("Nodes (pods: %s)", counts(s.Pods)), func(table io.Writer) {
		for _, node := range s.Nodes {
			fmt.Fprintf(table, "%s\t%s\t%d pods\tcpu %s %d%%\tmemory %s %d%%\n", node.Name, node.Type, node.Pods,
				gauge(node.CPUPercent), node.CPUPercent, gauge(node.MemoryPercent), node.MemoryPercent)
		}
	})
	list(out, "Warnings", s.Warnings)
	section(out, fmt.Sprintf("Cost at list price: $%.2f a month, without traffic and Fastly", s.CostPerMonthUSD),
		func(table io.Writer) {
			for _, line := range s.Cost {
				fmt.Fprintf(table, "$%.2f\t%d × %s\n", line.MonthUSD, line.Count, line.What)
			}
		})
	fmt.Fprintf(out, "\nRehearsal of %s: %s. %d resources created in %.1f s, %d changed by a second run.\n",
		s.Stack, s.Result, s.Up.Created, s.Up.Seconds, s.Again.Changed)
}

// printDetails writes what the page has too.
func (s *summary) printDetails(out io.Writer) {
	section(out, "Resources", func(table io.Writer) {
		for _, kind := range slices.Sorted(maps.Keys(s.Resources)) {
			fmt.Fprintf(table, "%d\t%s\n", s.Resources[kind], kind)
		}
	})
	s.printTimeline(out)
	section(out, "Critical path", func(table io.Writer) {
		for _, step := range s.CriticalPath {
			fmt.Fprintf(table, "%.1f s\t%s\n", step.Seconds, describe(step.URN))
		}
	})
	s.printEdge(out)
}

// printEdge says what is served with which certificate, and when names came to lead there.
func (s *summary) printEdge(out io.Writer) {
	section(out, "Certificates activated at Fastly", func(table io.Writer) {
		for _, a := range s.Activated {
			fmt.Fprintf(table, "%s\t%s\tby %s, until %s\n",
				a.Since.Local().Format(time.TimeOnly), a.Domain, a.Certificate, a.NotAfter.Format(time.DateOnly))
		}
	})
	section(out, "Names that went live, in this order", func(table io.Writer) {
		for _, name := range s.WentLive {
			fmt.Fprintf(table, "%s\t%s\n", name.At.Local().Format(time.TimeOnly+".000"), name.Name)
		}
	})
}

// printTimeline draws when each resource was worked on, the longest ones.
func (s *summary) printTimeline(out io.Writer) {
	const most, width = 15, 40
	steps := slices.DeleteFunc(slices.Collect(maps.Values(s.steps)), func(s *step) bool { return s.seconds() < 0.05 })
	slices.SortFunc(steps, func(a, b *step) int { return cmp.Compare(b.seconds(), a.seconds()) })
	steps = steps[:min(most, len(steps))]
	if len(steps) == 0 {
		return
	}
	slices.SortFunc(steps, func(a, b *step) int { return a.begin.Compare(b.begin) })
	begin, end := steps[0].begin, steps[0].end
	for _, step := range steps {
		end = later(end, step.end)
	}
	column := func(t time.Time) int {
		return int(float64(width) * t.Sub(begin).Seconds() / max(end.Sub(begin).Seconds(), 0.001))
	}
	section(out, fmt.Sprintf("Time line of up, the %d longest", len(steps)), func(table io.Writer) {
		for _, step := range steps {
			from, to := column(step.begin), column(step.end)
			bar := strings.Repeat(" ", from) + strings.Repeat("█", max(to-from, 1))
			fmt.Fprintf(table, "%s\t%.1f s\t%s\n", describe(step.urn), step.seconds(), bar)
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// section prints a title and, below it, a table of tab-separated columns.
func section(out io.Writer, title string, rows func(table io.Writer)) {
	fmt.Fprintf(out, "\n%s\n", title)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows(indented{table})
	_ = table.Flush()
}

// indented puts two blanks in front of what is written, a line at a time.
type indented struct{ out io.Writer }

func (w indented) Write(line []byte) (int, error) {
	if _, err := io.WriteString(w.out, "  "); err != nil {
		return 0, err
	}
	return w.out.Write(line)
}

// chartsOnly leaves the reasons out.
func chartsOnly(notRendered []string) []string {
	var lines []string
	for _, line := range notRendered {
		release, _, _ := strings.Cut(line, "): ")
		lines = append(lines, release+")")
	}
	return lines
}

func list(out io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	for _, line := range lines {
		fmt.Fprintf(out, "  - %s\n", line)
	}
}

// gauge draws a percentage.
func gauge(percent int64) string {
	const width = 10
	full := int(min(percent, 100)) * width / 100
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

func counts(pods map[string]int) string {
	var parts []string
	for _, phase := range slices.Sorted(maps.Keys(pods)) {
		parts = append(parts, fmt.Sprintf("%d %s", pods[phase], phase))
	}
	return strings.Join(parts, ", ")
}
