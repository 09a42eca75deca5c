package report

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// page is what the template shows.
type page struct {
	Rehearsal
	Begin      time.Time
	Up         timeLine // empty where there was none
	Lines      []timeLine
	Components []*component
	Drawing    *drawing
	Path       []*member
	PathTook   time.Duration
	Monthly    float64
	Nodes      []node
	Kinds      []kindCount
	// Failed and Unfinished are the steps that did not go well, and those whose end was not seen.
	Failed, Unfinished []work
}

// kindCount is how many resources there are of a kind.
type kindCount struct {
	Type  string
	Count int
}

func newPage(r Rehearsal) (*page, error) {
	c := newComponents(r)
	drawing, err := draw(c, r.CriticalPath)
	if err != nil {
		return nil, err
	}
	p := &page{Rehearsal: r, Components: c.all, Drawing: drawing, Kinds: kinds(r.Resources)}
	for _, o := range r.Operations {
		line := newTimeLine(o, c)
		if o.Name == Up {
			p.Up = line
		}
		p.Lines = append(p.Lines, line)
		p.addTroubles(line)
	}
	if len(p.Lines) > 0 {
		p.Begin = p.Lines[0].Begin
	}
	for _, urn := range r.CriticalPath {
		if one := c.members[urn]; one != nil {
			p.Path = append(p.Path, one)
			p.PathTook += one.Took()
		}
	}
	for _, line := range r.Cost {
		p.Monthly += line.MonthUSD
	}
	for _, n := range r.Nodes {
		p.Nodes = append(p.Nodes, newNode(n))
	}
	return p, nil
}

func (p *page) addTroubles(line timeLine) {
	for _, row := range line.Rows {
		for _, w := range row.Work {
			switch {
			case w.Failed:
				p.Failed = append(p.Failed, w)
			case !w.Ended:
				p.Unfinished = append(p.Unfinished, w)
			}
		}
	}
}

// EndedIn is the operation that a rehearsal came to, or nothing.
func (p *page) EndedIn() string {
	if len(p.Lines) == 0 {
		return ""
	}
	return p.Lines[len(p.Lines)-1].Name
}

// TooMany says whether there are too many components to draw them.
func (p *page) TooMany() bool { return len(p.Components) > mostDrawn }

// Share is the part of the critical path that a step took, in percent.
func (p *page) Share(m *member) float64 { return share(m.Took().Seconds(), p.PathTook.Seconds()) }

// CostShare is the part of the bill that a line is, in percent.
func (p *page) CostShare(line CostLine) float64 { return share(line.MonthUSD, p.Monthly) }

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * part / whole
}

func kinds(resources []Resource) []kindCount {
	counts := map[string]int{}
	for _, resource := range resources {
		counts[resource.Type]++
	}
	var all []kindCount
	for kind, count := range counts {
		all = append(all, kindCount{kind, count})
	}
	slices.SortFunc(all, func(a, b kindCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type)) })
	return all
}

// Phases are those of the pods, in their order.
func (p *page) Phases() []string { return slices.Sorted(maps.Keys(p.Pods)) }
