package app

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

const (
	hostHeader = "Host"
	// schemeHeader tells that the visitor came over TLS, which the ingress controller ends. Every request of a visitor has it,
	// and one without it is redirected by an application that insists on TLS.
	schemeHeader = "X-Forwarded-Proto"
)

// asks tells whether a replica is asked for anything before it counts as well.
func (h *Health) asks() bool { return h.Path != "" || h.TCP || len(h.Command) > 0 }

// startLimit is in seconds. Validate has checked it.
func (h *Health) startLimit() int {
	limit, _ := duration(h.StartLimit, startLimit*time.Second)
	return int(limit.Seconds())
}

// readiness says whether a replica may have visitors, and whether the next may be replaced. A worker that is asked nothing is
// ready when it runs.
func (p *process) readiness() *corev1.ProbeArgs {
	const failures = 2
	switch {
	case len(p.Health.Command) > 0:
		return p.execProbe(failures)
	case p.Health.TCP:
		return tcpProbe(failures)
	case p.Health.Path != "":
		return p.httpProbe(p.Health.Path, failures)
	}
	return nil
}

// liveness restarts a replica, also one that does not start. By default it is enough to take connections, and for a worker that
// its command succeeds.
func (p *process) liveness(failures int) *corev1.ProbeArgs {
	switch {
	case p.Health.LivenessPath != "":
		return p.httpProbe(p.Health.LivenessPath, failures)
	case p.serves():
		return tcpProbe(failures)
	case len(p.Health.Command) > 0:
		return p.execProbe(failures)
	}
	return nil
}

func (p *process) httpProbe(path string, failures int) *corev1.ProbeArgs {
	probe := newProbe(failures)
	probe.HttpGet = corev1.HTTPGetActionArgs{
		Path: pulumi.String(path), Port: pulumi.String(portName), HttpHeaders: p.Health.headers(),
	}
	return probe
}

func (p *process) execProbe(failures int) *corev1.ProbeArgs {
	probe := newProbe(failures)
	probe.Exec = corev1.ExecActionArgs{Command: pulumi.ToStringArray(p.Health.Command)}
	return probe
}

func tcpProbe(failures int) *corev1.ProbeArgs {
	probe := newProbe(failures)
	probe.TcpSocket = corev1.TCPSocketActionArgs{Port: pulumi.String(portName)}
	return probe
}

func newProbe(failures int) *corev1.ProbeArgs {
	return &corev1.ProbeArgs{
		PeriodSeconds: pulumi.Int(probePeriod), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(failures),
	}
}

// headers are those of the requests, sorted.
func (h *Health) headers() corev1.HTTPHeaderArray {
	values := map[string]string{schemeHeader: "https"}
	for name, value := range h.Headers {
		values[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	if h.Host != "" {
		values[hostHeader] = h.Host
	}
	var headers corev1.HTTPHeaderArray
	for _, name := range slices.Sorted(maps.Keys(values)) {
		headers = append(headers, corev1.HTTPHeaderArgs{Name: pulumi.String(name), Value: pulumi.String(values[name])})
	}
	return headers
}

// validate takes it that serves says whether there is a port to ask at.
func (h *Health) validate(path *field.Path, serves bool) field.ErrorList {
	faults := h.validateWays(path, serves)
	if h.StartLimit != "" {
		faults = append(faults, between(path.Child("startLimit"), h.StartLimit, probePeriod*time.Second, time.Hour)...)
	}
	faults = append(faults, headerValue(path.Child("host"), h.Host)...)
	seen := map[string]string{hostHeader: "health.host"}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		at := path.Child("headers").Key(name)
		for _, reason := range validation.IsHTTPHeaderName(name) {
			faults = append(faults, field.Invalid(at, name, reason))
		}
		faults = append(faults, headerValue(at, h.Headers[name])...)
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if other, twice := seen[canonical]; twice {
			faults = append(faults, field.Forbidden(at, "is the same header as "+other))
		}
		seen[canonical] = name
	}
	return faults
}

// validateWays refuses a replica that is asked in two ways, one that serves and is asked nothing, and one that is asked where it
// does not listen.
func (h *Health) validateWays(path *field.Path, serves bool) field.ErrorList {
	var faults field.ErrorList
	ways := 0
	for _, way := range []struct {
		key  string
		used bool
	}{{"path", h.Path != ""}, {"tcp", h.TCP}, {"command", len(h.Command) > 0}} {
		if !way.used {
			continue
		}
		if ways++; ways > 1 {
			faults = append(faults, field.Forbidden(path.Child(way.key), "is a second way; leave one of path, tcp and command"))
		}
		if way.key != "command" && !serves {
			faults = append(faults, field.Forbidden(path.Child(way.key), "there is no port to ask at; a worker has a command"))
		}
	}
	if ways == 0 && serves {
		faults = append(faults, field.Required(path, "a process with a port is asked by path, tcp or command"))
	}
	for key, value := range map[string]string{"path": h.Path, "livenessPath": h.LivenessPath} {
		if value != "" {
			faults = append(faults, check.URLPath(path.Child(key), value)...)
		}
	}
	if h.LivenessPath != "" && !serves {
		faults = append(faults, field.Forbidden(path.Child("livenessPath"), "there is no port to ask at"))
	}
	return append(faults, command(path.Child("command"), h.Command, false)...)
}

// headerValue refuses what cannot be the value of a header.
func headerValue(path *field.Path, value string) field.ErrorList {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return field.ErrorList{field.Invalid(path, value, "must not contain control characters")}
	}
	return nil
}
