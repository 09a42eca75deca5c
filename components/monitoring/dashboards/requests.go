package dashboards

import (
	"fmt"
	"strings"
)

// requests are metrics of an ingress controller, of what the matcher leaves of them. Both controllers have the same three, under
// names of their own. They are asked over five minutes, as by the alerts.
type requests struct{ total, buckets, code, matcher string }

// service is the label that tells which Service the controller asks.
const service = "exported_service"

// slow is how long a request may take before it is worth a look, in seconds, and failing which part of all may fail.
var (
	slow    = limits{0.5, 2}
	failing = limits{0.01, 0.05}
)

// entering are all requests that reach the origin.
func (p *Platform) entering() requests {
	if p.Controller == "nginx" {
		return nginx("")
	}
	return traefik("entrypoint", `entrypoint="websecure"`)
}

// answered are the requests that the applications answered, as the controller sees them: how long an app takes, and that it
// does not answer at all, is told by who asks it.
func (p *Platform) answered() requests {
	if p.Controller == "nginx" {
		return nginx(`exported_namespace=~"` + strings.Join(p.Apps, "|") + `"`)
	}
	// Traefik calls a Service by its namespace, its name, which begins with the app's, and its port.
	services := make([]string, len(p.Apps))
	for i, app := range p.Apps {
		services[i] = app + "-" + app + "-.+"
	}
	return traefik("service", service+`=~"`+strings.Join(services, "|")+`"`)
}

func traefik(of, matcher string) requests {
	return requests{"traefik_" + of + "_requests_total", "traefik_" + of + "_request_duration_seconds_bucket", "code", matcher}
}

func nginx(matcher string) requests {
	const prefix = "nginx_ingress_controller_"
	return requests{prefix + "requests", prefix + "request_duration_seconds_bucket", "status", matcher}
}

// signals of the requests.
func (r *requests) signals() *signals {
	return &signals{
		rate:     query{name: "Requests", unit: perSecond, expr: r.rate("")},
		errors:   query{name: "Errors", unit: fraction, limits: failing, expr: r.share("")},
		duration: query{name: "95 % within", unit: seconds, limits: slow, expr: r.within(0.95, "")},
	}
}

// selected are the series that a further matcher leaves.
func (r *requests) selected(metric, further string) string {
	matchers := strings.Trim(r.matcher+", "+further, ", ")
	if matchers == "" {
		return metric
	}
	return metric + "{" + matchers + "}"
}

// rate is in requests a second, for each value of a label, unless that is empty.
func (r *requests) rate(label string) string {
	return fmt.Sprintf("sum%s(rate(%s[5m]))", by(label), r.selected(r.total, ""))
}

// share is the part of all requests that failed; none while there are no requests.
func (r *requests) share(label string) string {
	failed := r.selected(r.total, r.code+`=~"5.."`)
	all := r.rate(label)
	return fmt.Sprintf("(sum%s(rate(%s[5m])) or %s * 0) / (%s > 0)", by(label), failed, all, all)
}

// within is the time in which a part of all requests was answered, in seconds.
func (r *requests) within(part float64, label string) string {
	return fmt.Sprintf("histogram_quantile(%g, sum%s(rate(%s[5m])))", part, by("le", label), r.selected(r.buckets, ""))
}

// partOf is what a count makes of itself and another, for each value of a label, unless that is empty.
func partOf(count, other, label string) string {
	rate := func(metric string) string { return "sum" + by(label) + "(rate(" + metric + "[5m]))" }
	return rate(count) + " / (" + rate(count) + " + " + rate(other) + " > 0)"
}

func by(labels ...string) string {
	if list := strings.Trim(strings.Join(labels, ", "), ", "); list != "" {
		return " by (" + list + ") "
	}
	return ""
}
