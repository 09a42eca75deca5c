package visitors

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Report is what visitors noticed.
type Report struct {
	// Sorts are what each sort noticed.
	Sorts []Noticed `json:"sorts"`
	// Failures are what failed, in runs, first to last.
	Failures []Failure `json:"failures"`
	// Clients are the addresses that the app took for visitors'.
	Clients []netip.Addr `json:"clients"`

	mu      sync.Mutex
	metrics map[Sort]*vegeta.Metrics
	answers map[Sort][]answer
	clients map[netip.Addr]bool
}

// Noticed is what a sort of visitors noticed. Times are in seconds.
type Noticed struct {
	Sort     Sort    `json:"sort"`
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	Median   float64 `json:"median"`
	P95      float64 `json:"p95"`
	P99      float64 `json:"p99"`
	Longest  float64 `json:"longest"`
	// Gap is the longest time in which requests were made and none of them was answered well.
	Gap float64 `json:"gap"`
}

// Failure is a run of requests of one sort that failed one after the other.
type Failure struct {
	Sort     Sort      `json:"sort"`
	Station  string    `json:"station"` // as far as they got
	Says     string    `json:"says"`
	Requests int       `json:"requests"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
}

// answer is what a request came to.
type answer struct {
	at            time.Time
	station, says string // where it failed
}

func newReport(o *Options) *Report {
	r := &Report{metrics: map[Sort]*vegeta.Metrics{}, answers: map[Sort][]answer{}, clients: map[netip.Addr]bool{}}
	for _, sort := range o.Sorts {
		r.metrics[sort] = &vegeta.Metrics{}
	}
	return r
}

func (r *Report) add(sort Sort, result *vegeta.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics[sort].Add(result)
	got := answer{at: result.Timestamp}
	if result.Code < 200 || result.Code >= 400 || result.Error != "" {
		got.station = station(sort, result)
		got.says = cmp.Or(result.Error, fmt.Sprint(result.Code))
	} else if client, said := clientOf(result); said {
		r.clients[client] = true
	}
	r.answers[sort] = append(r.answers[sort], got)
}

// finish sums up what was added.
func (r *Report) finish() {
	for _, sort := range Sorts {
		metrics := r.metrics[sort]
		if metrics == nil {
			continue
		}
		metrics.Close()
		answers := r.answers[sort]
		slices.SortFunc(answers, func(a, b answer) int { return a.at.Compare(b.at) })
		failures := failuresOf(sort, answers)
		noticed := Noticed{
			Sort: sort, Requests: len(answers), Gap: gap(answers).Seconds(), Longest: metrics.Latencies.Max.Seconds(),
			Median: metrics.Latencies.P50.Seconds(), P95: metrics.Latencies.P95.Seconds(), P99: metrics.Latencies.P99.Seconds(),
		}
		for _, failure := range failures {
			noticed.Failed += failure.Requests
		}
		r.Sorts, r.Failures = append(r.Sorts, noticed), append(r.Failures, failures...)
	}
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return a.From.Compare(b.From) })
	r.Clients = slices.SortedFunc(maps.Keys(r.clients), netip.Addr.Compare)
}

// failuresOf are the runs of requests that failed alike.
func failuresOf(sort Sort, answers []answer) (runs []Failure) {
	running := false
	for _, a := range answers {
		if a.station == "" {
			running = false
			continue
		}
		if last := len(runs) - 1; running && runs[last].Station == a.station && runs[last].Says == a.says {
			runs[last].Requests++
			runs[last].To = a.at
			continue
		}
		running = true
		runs = append(runs, Failure{Sort: sort, Station: a.station, Says: a.says, Requests: 1, From: a.at, To: a.at})
	}
	return runs
}

// gap is the longest time from the first request that failed to the next one that did not.
func gap(answers []answer) (longest time.Duration) {
	var since time.Time
	for i, a := range answers {
		if since.IsZero() && a.station != "" {
			since = a.at
		}
		if !since.IsZero() && (a.station == "" || i == len(answers)-1) {
			longest = max(longest, a.at.Sub(since))
		}
		if a.station == "" {
			since = time.Time{}
		}
	}
	return longest
}

// Failed is how many requests failed, of all.
func (r *Report) Failed() (failed, all int) {
	for _, noticed := range r.Sorts {
		failed, all = failed+noticed.Failed, all+noticed.Requests
	}
	return failed, all
}

// mostRuns is how many runs of failures are printed.
const mostRuns = 20

// Print writes what was noticed, as people read it.
func (r *Report) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VISITORS\tREQUESTS\tFAILED\tLONGEST GAP\tMEDIAN\t95 %\t99 %\tLONGEST")
	for _, n := range r.Sorts {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", n.Sort, n.Requests, n.Failed, seconds(n.Gap), seconds(n.Median),
			seconds(n.P95), seconds(n.P99), seconds(n.Longest))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i, f := range r.Failures {
		if i == mostRuns {
			fmt.Fprintf(out, "… and %d more\n", len(r.Failures)-i)
			break
		}
		fmt.Fprintf(out, "%s  %d of %s for %s at %s: %s\n", f.From.Format("15:04:05.000"), f.Requests, f.Sort,
			seconds(f.To.Sub(f.From).Seconds()), f.Station, f.Says)
	}
	failed, all := r.Failed()
	clients := make([]string, len(r.Clients))
	for i, client := range r.Clients {
		clients[i] = client.String()
	}
	_, err := fmt.Fprintf(out, "%d of %d requests failed; the app saw visitors from %s\n", failed, all,
		cmp.Or(strings.Join(clients, ", "), "nowhere"))
	return err
}

func seconds(s float64) string {
	switch {
	case s == 0:
		return "–"
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.1f s", s)
}
