package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"lke-platform/tests/rehearsal/visitors"
)

// outcome is what came of an incident. Times are in seconds, from its begin on.
type outcome struct {
	Name     string `json:"name"`
	Requests int    `json:"requests"`
	Failed   int    `json:"failed"`
	// Gap is the longest time without a good answer that a sort of visitors had.
	Gap float64 `json:"gap"`
	// Detected is when the cluster knew, and Lacked what it knew first; never, where nothing was missing.
	Detected float64 `json:"detected"`
	Lacked   string  `json:"lacked"`
	// Strong is when all Deployments and the ingress controller had all of their pods again.
	Strong float64          `json:"strong"`
	Report *visitors.Report `json:"report"`
}

// suffer has an incident happen, with visitors there from before it on until a while after it is over.
func (p *platform) suffer(ctx context.Context, name string) (*outcome, error) {
	if err := p.recover(ctx); err != nil {
		return nil, fmt.Errorf("the sandbox is not well to begin with: %w", err)
	}
	visiting, leave := context.WithCancel(ctx)
	defer leave()
	type visit struct {
		report *visitors.Report
		err    error
	}
	visited := make(chan visit, 1)
	go func() {
		report, err := visitors.Visit(visiting, p.visitors, p.patience+2*p.calm)
		visited <- visit{report, err}
	}()
	end := sync.OnceValue(func() error { // after a Ctrl-C, too
		if incidents[name].end == nil {
			return nil
		}
		return incidents[name].end(p, context.WithoutCancel(ctx))
	})
	rest(ctx, p.calm)
	got, err := p.watch(ctx, name, end)
	rest(ctx, p.calm)
	leave()
	noticed := <-visited
	if err := errors.Join(err, end(), noticed.err, p.recover(ctx), ctx.Err()); err != nil {
		return nil, err
	}
	got.Report = noticed.report
	got.Failed, got.Requests = noticed.report.Failed()
	for _, sort := range noticed.report.Sorts {
		got.Gap = max(got.Gap, sort.Gap)
	}
	return got, nil
}

// watch begins the incident, ends it in time, and looks at the cluster until it is at full strength.
func (p *platform) watch(ctx context.Context, name string, end func() error) (*outcome, error) {
	happens, got, began := incidents[name], &outcome{Name: name}, time.Now()
	since := func() float64 { return time.Since(began).Seconds() }
	begun := make(chan error, 1)
	var beginning sync.WaitGroup
	defer beginning.Wait() // who takes away what came of it does not meet it
	ctx, breakOff := context.WithCancel(ctx)
	defer breakOff()
	beginning.Go(func() { begun <- happens.begin(p, ctx) }) // a drain takes its time
	underWay, ended := true, happens.lasts == 0
	lasts := cmp.Or(p.lasts, happens.lasts)
	for quiet := began; time.Since(began) < p.patience; rest(ctx, p.every) {
		select {
		case err := <-begun:
			if underWay = false; err != nil {
				return nil, err
			}
		default:
		}
		if !ended && time.Since(began) > lasts {
			if err := end(); err != nil {
				return nil, err
			}
			ended, quiet, got.Strong = true, time.Now(), since() // a way back takes its time
		}
		lacks, err := p.lacks(ctx)
		if err != nil {
			return nil, err
		}
		if lacks != "" && got.Lacked == "" {
			got.Detected, got.Lacked = since(), lacks
		}
		if lacks, err = p.lacksMore(ctx, replaced); err != nil {
			return nil, err
		}
		if lacks != "" || underWay || !ended {
			got.Strong, quiet = since(), time.Now()
		}
		if time.Since(quiet) > p.settles(got) {
			return got, nil
		}
	}
	return nil, fmt.Errorf("after %s the platform is not at full strength", p.patience)
}

// settles is how long nothing may be missing until it is over. What the cluster does not know yet it finds within a minute.
func (p *platform) settles(got *outcome) time.Duration {
	if got.Lacked == "" {
		return 6 * p.calm
	}
	return p.calm
}

// recover waits until nothing is missing.
func (p *platform) recover(ctx context.Context) error {
	lacks, err := p.lacks(ctx)
	for begin := time.Now(); err == nil && lacks != ""; lacks, err = p.lacks(ctx) {
		if time.Since(begin) > p.patience {
			return fmt.Errorf("for %s it has lacked %s", p.patience, lacks)
		}
		rest(ctx, p.every)
	}
	return err
}

func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// write tells what came of them in a table, with the median and the worst of what happened more than once.
func write(out io.Writer, outcomes []*outcome) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "INCIDENT\tRUNS\tREQUESTS\tFAILED\tLONGEST GAP\tKNOWN AFTER\tFULL STRENGTH AFTER")
	for len(outcomes) > 0 {
		same := slices.IndexFunc(outcomes, func(o *outcome) bool { return o.Name != outcomes[0].Name })
		if same < 0 {
			same = len(outcomes)
		}
		runs := outcomes[:same]
		requests := 0
		for _, run := range runs {
			requests += run.Requests
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", runs[0].Name, len(runs), requests,
			medianAndWorst(runs, "%.0f", func(o *outcome) float64 { return float64(o.Failed) }),
			medianAndWorst(runs, "%.1f s", func(o *outcome) float64 { return o.Gap }),
			medianAndWorst(runs, "%.1f s", func(o *outcome) float64 { return o.Detected }),
			medianAndWorst(runs, "%.1f s", func(o *outcome) float64 { return o.Strong }))
		outcomes = outcomes[same:]
	}
	return table.Flush()
}

func medianAndWorst(runs []*outcome, format string, figure func(*outcome) float64) string {
	figures := make([]float64, len(runs))
	for i, run := range runs {
		figures[i] = figure(run)
	}
	slices.Sort(figures)
	median, worst := fmt.Sprintf(format, figures[(len(figures)-1)/2]), fmt.Sprintf(format, figures[len(figures)-1])
	switch {
	case figures[len(figures)-1] == 0:
		return "–" // nothing failed, or was missing
	case median == worst:
		return median
	}
	return median + ", " + worst
}
