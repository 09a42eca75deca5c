// Command visit visits a live sandbox, and tells what visitors noticed. `make visit` calls it, and docs/live.md describes it.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"lke-platform/tests/rehearsal/visitors"
)

func main() {
	o := visitors.Options{}
	host := flag.String("host", os.Getenv("REHEARSAL_HOST"), "public name of the app")
	flag.IntVar(&o.Rate, "rate", 10, "requests a second, of each sort")
	length := flag.Duration("for", 30*time.Second, "how long")
	as := flag.String("as", "", "the sorts of visitors, with commas between them; all where nothing is said")
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
	if o.Proxy, o.Roots, err = way(); err != nil {
		return false, err
	}
	if o.Sorts, err = sorts(as); err != nil {
		return false, err
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

// way is how a live sandbox says that its public names are reached.
func way() (*url.URL, *x509.CertPool, error) {
	address := os.Getenv("REHEARSAL_PROXY")
	if address == "" {
		return nil, nil, errors.New("no live sandbox is known: run make sandbox LIVE=1, and in another shell source .rehearsal/sandbox.env")
	}
	proxy, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("REHEARSAL_PROXY: %w", err)
	}
	file := os.Getenv("REHEARSAL_ROOTS")
	if file == "" {
		return proxy, nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("REHEARSAL_ROOTS: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, nil, fmt.Errorf("REHEARSAL_ROOTS: %s has no certificate", file)
	}
	return proxy, roots, nil
}

func sorts(text string) (chosen []visitors.Sort, err error) {
	if text == "" {
		return visitors.Sorts, nil
	}
	known := map[string]bool{}
	for _, sort := range visitors.Sorts {
		known[string(sort)] = true
	}
	for name := range strings.SplitSeq(text, ",") {
		if !known[name] {
			return nil, fmt.Errorf("%q are no visitors; there are %v", name, visitors.Sorts)
		}
		chosen = append(chosen, visitors.Sort(name))
	}
	return chosen, nil
}
