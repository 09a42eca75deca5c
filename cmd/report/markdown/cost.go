package markdown

import (
	"fmt"
	"maps"
	"slices"

	"lke-platform/cmd/report/cost"
)

// cost tells what changes of the bill. Of a plan that is not whole nobody can say.
func (v *Preview) cost(p *page) {
	if v.Failed || !v.Plan.Ended {
		return
	}
	had, has := v.Prices.Compare(v.Plan)
	before, after := had.Total(), has.Total()
	unpriced := slices.Compact(slices.Sorted(slices.Values(slices.Concat(had.Unpriced, has.Unpriced))))
	if before == after {
		p.line("**Cost a month** stays $%.2f, at Linode's list prices of %s, without traffic and Fastly.", after, v.Prices.Date)
	} else {
		p.line("**Cost a month**: $%.2f → **$%.2f** (%+.2f), at Linode's list prices of %s, without traffic and Fastly.",
			before, after, after-before, v.Prices.Date)
	}
	if rows := changed(had, has); len(rows) > 0 {
		p.table([]string{"", "Before", "After", "USD a month"}, rows)
	}
	if len(unpriced) > 0 {
		p.line("The list has no price for %s.", some(unpriced))
	}
}

// changed are the lines that differ.
func changed(before, after *cost.Bill) (rows [][]string) {
	was, is := byWhat(before), byWhat(after)
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		if was[what] != is[what] {
			rows = append(rows, []string{
				code(what), fmt.Sprint(was[what].Count), fmt.Sprint(is[what].Count),
				fmt.Sprintf("%+.2f", is[what].MonthUSD-was[what].MonthUSD),
			})
		}
	}
	return rows
}

func byWhat(bill *cost.Bill) map[string]cost.Line {
	lines := map[string]cost.Line{}
	for _, line := range bill.Lines {
		lines[line.What] = line
	}
	return lines
}
