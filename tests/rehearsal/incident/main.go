// Command incident brings a live sandbox into trouble while visitors are there, and tells what they noticed of it, how soon the
// cluster knew, and how soon it was at full strength again. `make incident` calls it, and docs/live.md describes it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"lke-platform/tests/rehearsal/engine"
	"lke-platform/tests/rehearsal/visitors"
)

func main() {
	o := visitors.Options{Host: os.Getenv("REHEARSAL_HOST")}
	name := flag.String("name", "", "the incident; with all, one after the other; names, with commas between them")
	runs := flag.Int("runs", 1, "how often each happens")
	as := flag.String("as", "", "the sorts of visitors, with commas between them; all that are answered where nothing is said")
	flag.IntVar(&o.Rate, "rate", 10, "requests a second, of each sort")
	lasts := flag.Duration("for", 0, "how long trouble lasts that ends by itself; as long as usual where nothing is said")
	asJSON := flag.Bool("json", false, "tell it as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), engine.Endings...)
	err := run(ctx, o, *name, *as, *lasts, *runs, *asJSON)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "incident:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o visitors.Options, name, as string, lasts time.Duration, runs int, asJSON bool) (err error) {
	names, err := chosen(name)
	if err != nil {
		return err
	}
	if o.Proxy, o.Roots, err = visitors.Way(); err != nil {
		return err
	}
	if _, err := o.Choose(ctx, as); err != nil {
		return err
	}
	p := &platform{visitors: o, every: 500 * time.Millisecond, calm: 10 * time.Second, patience: 8 * time.Minute, lasts: lasts}
	if err := p.find(ctx); err != nil {
		return err
	}
	var outcomes []*outcome
	for _, name := range names {
		for number := range runs {
			fmt.Fprintf(os.Stderr, "incident: %s, run %d of %d\n", name, number+1, runs)
			got, err := p.suffer(ctx, name)
			if err != nil {
				return errors.Join(fmt.Errorf("%s: %w", name, err), show(outcomes, asJSON))
			}
			outcomes = append(outcomes, got)
		}
	}
	return show(outcomes, asJSON)
}

func show(outcomes []*outcome, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(outcomes)
	}
	return write(os.Stdout, outcomes)
}

// chosen are the names of incidents that there are.
func chosen(names string) ([]string, error) {
	known := slices.Sorted(maps.Keys(incidents))
	if names == "all" {
		return slices.DeleteFunc(known, func(name string) bool { return incidents[name].once }), nil
	}
	list := strings.Split(names, ",")
	for _, name := range list {
		if incidents[name] == nil {
			return nil, fmt.Errorf("there is no incident %q; there are all, %s", name, strings.Join(known, ", "))
		}
	}
	return list, nil
}
