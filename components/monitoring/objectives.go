package monitoring

import (
	"bytes"
	_ "embed" // for the rules
	"fmt"
	"maps"
	"slices"
	"strconv"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Objectives are how well the platform means to serve. What falls short of them so fast that the budget of errors would not last
// is an alert. Shares are in percent.
// Upstream: https://sre.google/workbook/alerting-on-slos/
type Objectives struct {
	// Window is the time that they hold for, a day or more, and no more than Retention. Default 28d, which has four weekends.
	Window string `json:"window"`
	// Edge is the share of their requests that visitors get an answer to which is no error. Default 99.99.
	Edge float64 `json:"edge"`
	// Origin is the share of what Fastly could not answer by itself. Default 99.9.
	Origin float64 `json:"origin"`
	// Latency is how fast the origin is.
	Latency Latency `json:"latency"`

	off bool
}

// Latency is how much the origin answers how fast.
type Latency struct {
	// Percent is the share of its answers. Default 95.
	Percent float64 `json:"percent"`
	// Within is 100ms, 250ms, 500ms, 1s, 2500ms or 5s. Default 500ms.
	Within string `json:"within"`
}

// latencyBounds are the times that the ingress controllers count their answers by, the shortest first.
var latencyBounds = []string{"100ms", "250ms", "500ms", "1s", "2500ms", "5s"}

// LatencyBuckets are the times that an ingress controller has to count its answers by, in seconds.
func LatencyBuckets() []string {
	var buckets []string
	for _, bound := range latencyBounds {
		buckets = append(buckets, latencyBucket(bound))
	}
	return buckets
}

// latencyBucket is one of latencyBounds in seconds.
func latencyBucket(bound string) string {
	length, _ := time.ParseDuration(bound)
	return strconv.FormatFloat(length.Seconds(), 'f', -1, 64)
}

// Default fills in what is not said.
func (o *Objectives) Default() {
	*o = Objectives{Window: "28d", Edge: 99.99, Origin: 99.9, Latency: Latency{Percent: 95, Within: "500ms"}}
}

// ObjectivesFor are the objectives where nothing is said of them, and measurements are kept for so long. They hold for no longer
// than that.
func ObjectivesFor(retention string) *Objectives {
	o := &Objectives{}
	o.Default()
	if check.Duration(nil, retention) == nil && check.Seconds(retention) < check.Seconds(o.Window) {
		o.Window = retention
		o.off = check.Seconds(retention) < check.Seconds(shortestWindow)
	}
	return o
}

// SwitchOff does without objectives, also where there are some by default.
func (o *Objectives) SwitchOff() { o.off = true }

// AreThere says whether there are any.
func (o *Objectives) AreThere() bool { return o != nil && !o.off }

// shortestWindow is one in which an outage can be made up for.
const shortestWindow = "1d"

// fewestPercent is an objective that is none: a tenth of all requests may fail.
const fewestPercent = 90

func (o *Objectives) validate(path *field.Path, retention string) field.ErrorList {
	if !o.AreThere() {
		return nil
	}
	faults := append(o.validateWindow(path.Child("window"), retention), validatePercent(path.Child("edge"), o.Edge)...)
	faults = append(faults, validatePercent(path.Child("origin"), o.Origin)...)
	faults = append(faults, validatePercent(path.Child("latency", "percent"), o.Latency.Percent)...)
	return append(faults, check.OneOf(path.Child("latency", "within"), o.Latency.Within, latencyBounds...)...)
}

func (o *Objectives) validateWindow(path *field.Path, retention string) field.ErrorList {
	if faults := check.Duration(path, o.Window); faults != nil {
		return faults
	}
	if check.Seconds(o.Window) < check.Seconds(shortestWindow) {
		return field.ErrorList{field.Invalid(path, o.Window, "must be a day or more, or no outage could be made up for")}
	}
	if check.Duration(nil, retention) == nil && check.Seconds(o.Window) > check.Seconds(retention) {
		return field.ErrorList{field.Invalid(path, o.Window, fmt.Sprintf(
			"must be no more than monitoring.retention, which is %s: what is older is not known", retention))}
	}
	return nil
}

func validatePercent(path *field.Path, percent float64) field.ErrorList {
	switch {
	case percent >= 100:
		return field.ErrorList{field.Invalid(path, percent, "must be less than 100, which leaves no request to fail")}
	case percent < fewestPercent:
		return field.ErrorList{field.Invalid(path, percent, fmt.Sprintf("must be %d or more, in percent", fewestPercent))}
	}
	return nil
}

// objectiveRules are rules of Prometheus, as a template of Go's with other brackets: Prometheus has templates of its own in them.
//
//go:embed objectives.yaml.tmpl
var objectiveRules string

// budgetAlerts say who is told when how much of the budget goes in how long, as Google's workbook has it: two burns that wake
// somebody, and two that can wait. Over the short time it still has to go as fast, which ends an alert soon after its reason.
var budgetAlerts = []budgetAlert{
	{Name: "BudgetBurnsFast", Severity: critical, For: "1m", Pace: "fast", Burns: []burn{
		{Long: "1h", Short: "5m", Share: 0.02}, {Long: "6h", Short: "30m", Share: 0.05},
	}},
	{Name: "BudgetBurns", Severity: warning, For: "15m", Pace: "faster than it may", Burns: []burn{
		{Long: "1d", Short: "2h", Share: 0.1}, {Long: "3d", Short: "6h", Share: 0.1},
	}},
}

type budgetAlert struct {
	Name, Severity, For, Pace string
	Burns                     []burn
}

type burn struct {
	Long, Short string
	Share       float64
	// Rate is how many times as fast the budget goes as it may.
	Rate float64
}

// fewestFailures is how many tell something: of the three requests of a night one may fail.
const fewestFailures = 10

// alerts are those whose times fit into the window. A rate is never less than once: who keeps the objective hears nothing.
func (o *Objectives) alerts() []budgetAlert {
	alerts := slices.Clone(budgetAlerts)
	for i, alert := range alerts {
		alerts[i].Burns = nil
		for _, b := range alert.Burns {
			if window, long := check.Seconds(o.Window), check.Seconds(b.Long); long <= window {
				b.Rate = max(1, b.Share*float64(window)/float64(long))
				alerts[i].Burns = append(alerts[i].Burns, b)
			}
		}
	}
	return alerts
}

// spans are the times that failures are looked at over, the shortest first.
func spans(alerts []budgetAlert) []string {
	found := sets.New[string]()
	for _, alert := range alerts {
		for _, b := range alert.Burns {
			found.Insert(b.Long, b.Short)
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b string) int { return check.Seconds(a) - check.Seconds(b) })
}

// Rules are the rule file of the objectives; nothing where there are none. With statistics Fastly's count is one of them.
func (o *Objectives) Rules(statistics bool) ([]byte, error) {
	if !o.AreThere() {
		return nil, nil
	}
	rules, err := template.New("objectives").Delims("<%", "%>").Parse(objectiveRules)
	if err != nil {
		return nil, err
	}
	percent := map[string]float64{"probes": o.Edge, "origin": o.Origin, "latency": o.Latency.Percent}
	if statistics {
		percent["edge"] = o.Edge
	}
	alerts, text := o.alerts(), &bytes.Buffer{}
	err = rules.Execute(text, map[string]any{
		"Window": o.Window, "Percent": percent, "Within": o.Latency.Within, "Bound": latencyBucket(o.Latency.Within),
		"Statistics": statistics, "Alerts": alerts, "Spans": spans(alerts), "Fewest": fewestFailures,
	})
	return text.Bytes(), err
}

// groups are those of the rules.
func (o *Objectives) groups(statistics bool) ([]any, error) {
	text, err := o.Rules(statistics)
	if err != nil {
		return nil, err
	}
	var file struct{ Groups []any }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("rules of the objectives: %w", err)
	}
	return file.Groups, nil
}
