package main

import (
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// pathStep is a resource on the critical path, with the seconds that it took itself.
type pathStep struct {
	URN     string  `json:"urn"`
	Seconds float64 `json:"seconds"`
}

// criticalPath returns the chain of resources that decided how long the operation took, first to last: each could begin
// only when the one before it had ended.
func criticalPath(steps map[string]*step, resources []apitype.ResourceV3) []pathStep {
	links := map[string][]string{}
	for _, r := range resources {
		links[string(r.URN)] = dependencies(r)
	}
	var path []pathStep
	for current := lastOf(steps, nil); current != nil; {
		path = append(path, pathStep{URN: current.urn, Seconds: round(current.seconds())})
		current = lastOf(stepsBefore(current, steps, links), current)
	}
	slices.Reverse(path)
	return path
}

// stepsBefore are the steps that one can have waited for: through links, and through what is no step itself, such as the
// component that a resource belongs to.
func stepsBefore(current *step, steps map[string]*step, links map[string][]string) map[string]*step {
	before, seen := map[string]*step{}, map[string]bool{}
	var visit func(urn string)
	visit = func(urn string) {
		for _, link := range links[urn] {
			s := steps[link]
			switch {
			case seen[link]:
			case s == nil:
				seen[link] = true
				visit(link)
			case !s.end.IsZero() && !s.end.After(current.begin.Add(time.Millisecond)):
				before[link] = s
			}
		}
	}
	visit(current.urn)
	return before
}

// lastOf returns the step that ended last, or nil.
func lastOf(steps map[string]*step, besides *step) *step {
	var last *step
	for _, s := range steps {
		if s != besides && !s.end.IsZero() && (last == nil || s.end.After(last.end)) {
			last = s
		}
	}
	return last
}

// dependencies are the URNs that a resource waits for.
func dependencies(r apitype.ResourceV3) []string {
	found := map[resource.URN]bool{r.Parent: true}
	for _, urn := range r.Dependencies {
		found[urn] = true
	}
	for _, property := range r.PropertyDependencies {
		for _, urn := range property {
			found[urn] = true
		}
	}
	if provider, _, ok := cutLast(r.Provider, "::"); ok {
		found[resource.URN(provider)] = true
	}
	var urns []string
	for urn := range found {
		urns = append(urns, string(urn))
	}
	return urns
}

// cutLast cuts text around the last separator: a reference to a provider is its URN and its ID.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// round keeps hundredths: the engine's events tell no more.
func round(seconds float64) float64 { return float64(int(seconds*100+0.5)) / 100 }
