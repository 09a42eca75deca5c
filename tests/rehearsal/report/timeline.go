package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// timeLine is when an operation worked on what.
type timeLine struct {
	Name  string
	Begin time.Time
	Took  time.Duration
	Steps int // all, those that are not shown too
	Ticks []tick
	Rows  []row
	// Quick are the steps that took next to no time.
	Quick int
}

// tick is a mark on the axis of time.
type tick struct {
	X     float64 // in percent of the width
	Label string
	Last  bool
}

// row is a component on a time line.
type row struct {
	*component
	From time.Duration // since the operation began
	Busy time.Duration
	Bars []bar
	Work []work
}

// Failed says whether something of the component failed.
func (r row) Failed() bool { return slices.ContainsFunc(r.Work, func(w work) bool { return w.Failed }) }

// work is a step on a time line.
type work struct {
	*member
	Kind   string
	From   time.Duration
	Long   time.Duration
	Bar    bar
	Failed bool
	Ended  bool
}

// bar is a stretch of time, in percent of the width.
type bar struct {
	X, Width float64
	Critical bool
	Failed   bool
}

// quick is what took next to no time: the engine's events tell no more.
const quick = 50 * time.Millisecond

func newTimeLine(o Operation, c *components) timeLine {
	t := timeLine{Name: o.Name, Begin: o.Begin, Took: o.Took, Steps: len(o.Steps), Ticks: ticks(o.Took)}
	rows := map[*component]*row{}
	for i := range o.Steps {
		step := &o.Steps[i]
		one, home := c.members[step.URN], c.of[step.URN]
		ended := !step.End.IsZero()
		if one == nil || ended && step.Took() < quick && !step.Failed {
			t.Quick++
			continue
		}
		w := work{
			member: one, Kind: step.Kind, From: step.Begin.Sub(o.Begin), Long: step.Took(), Failed: step.Failed, Ended: ended,
		}
		if !ended {
			w.Long = o.Took - w.From
		}
		w.Bar = t.bar(w.From, w.From+w.Long)
		w.Bar.Critical, w.Bar.Failed = o.Name == Up && one.Place > 0, step.Failed
		if rows[home] == nil {
			rows[home] = &row{component: home}
		}
		rows[home].Work = append(rows[home].Work, w)
	}
	for _, r := range rows {
		r.sum(&t)
		t.Rows = append(t.Rows, *r)
	}
	slices.SortFunc(t.Rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Number, b.Number)) })
	return t
}

// sum draws the work on a component as one line: what overlaps becomes one bar, and the critical path lies above.
func (r *row) sum(t *timeLine) {
	slices.SortFunc(r.Work, func(a, b work) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.URN, b.URN)) })
	r.From = r.Work[0].From
	var from, to time.Duration
	var above []bar
	for i, w := range r.Work {
		if i > 0 && w.From > to {
			r.add(t, from, to)
		}
		if i == 0 || w.From > to {
			from = w.From
		}
		to = max(to, w.From+w.Long)
		if w.Bar.Critical || w.Bar.Failed {
			above = append(above, w.Bar)
		}
	}
	r.add(t, from, to)
	r.Bars = append(r.Bars, above...)
}

func (r *row) add(t *timeLine, from, to time.Duration) {
	r.Bars = append(r.Bars, t.bar(from, to))
	r.Busy += to - from
}

// bar is never too narrow to be seen.
func (t *timeLine) bar(from, to time.Duration) bar {
	const least = 0.4
	whole := max(t.Took, time.Millisecond).Seconds()
	b := bar{X: 100 * from.Seconds() / whole, Width: max(100*(to-from).Seconds()/whole, least)}
	b.X = min(max(b.X, 0), 100-least)
	b.Width = min(b.Width, 100-b.X)
	return b
}

func mark(at, took time.Duration) string {
	if took < 3*time.Minute {
		return fmt.Sprintf("%.0f s", at.Seconds())
	}
	return fmt.Sprintf("%d:%02d", at/time.Minute, at%time.Minute/time.Second)
}

// ticks divide the time into a handful of round parts.
func ticks(took time.Duration) []tick {
	const most = 8
	step := time.Second
	for _, factor := range []int{2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600} {
		if took/step <= most {
			break
		}
		step = time.Duration(factor) * time.Second
	}
	var all []tick
	for at := time.Duration(0); at <= took && len(all) <= 2*most; at += step {
		all = append(all, tick{X: 100 * at.Seconds() / max(took, time.Millisecond).Seconds(), Label: mark(at, took)})
	}
	if len(all) > 0 {
		all[len(all)-1].Last = all[len(all)-1].X > 95
	}
	return all
}
