// Command visit visits a live sandbox, and tells what visitors noticed. `make visit` calls it, and docs/live.md describes it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"lke-platform/tests/rehearsal/visitors"
)

func main() {
	o := visitors.Options{}
	host := flag.String("host", os.Getenv("REHEARSAL_HOST"), "public name of the app")
	flag.IntVar(&o.Rate, "rate", 10, "requests a second, of each sort")
	length := flag.Duration("for", 30*time.Second, "how long")
	as := flag.String("as", "", "the sorts of visitors, with commas between them; all that are answered where nothing is said")
	asJSON := flag.Bool("json", false, "tell it as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	o.Host = *host
	failed, err := visit(ctx, o, *as, *length, *asJSON)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "visit:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// visit says whether a request failed.
func visit(ctx context.Context, o visitors.Options, as string, length time.Duration, asJSON bool) (failed bool, err error) {
	if o.Proxy, o.Roots, err = visitors.Way(); err != nil {
		return false, err
	}
	left, err := o.Choose(ctx, as)
	if err != nil {
		return false, err
	}
	for _, one := range left {
		fmt.Fprintf(os.Stderr, "visit: %s stay away, as the first request fails at %s: %s\n", one.Sort, one.Station, one.Says)
	}
	report, err := visitors.Visit(ctx, o, length)
	if err != nil {
		return false, err
	}
	some, _ := report.Failed()
	if asJSON {
		return some > 0, json.NewEncoder(os.Stdout).Encode(report)
	}
	return some > 0, report.Print(os.Stdout)
}
