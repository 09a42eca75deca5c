package app

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"
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

func (h *Health) validate(path *field.Path) field.ErrorList {
	faults := check.URLPath(path.Child("path"), h.Path)
	if h.LivenessPath != "" {
		faults = append(faults, check.URLPath(path.Child("livenessPath"), h.LivenessPath)...)
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

// headerValue refuses what cannot be the value of a header.
func headerValue(path *field.Path, value string) field.ErrorList {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return field.ErrorList{field.Invalid(path, value, "must not contain control characters")}
	}
	return nil
}
