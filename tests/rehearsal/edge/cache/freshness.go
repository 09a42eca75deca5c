package cache

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cacheable are the statuses of answers that Fastly keeps.
// Upstream: https://www.fastly.com/documentation/reference/vcl/variables/backend-response/beresp-cacheable/
var cacheable = []int{200, 203, 300, 301, 302, 404, 410}

// IsCacheable says whether Fastly keeps answers with a status.
func IsCacheable(status int) bool { return slices.Contains(cacheable, status) }

// Freshness is how long an answer is good for.
type Freshness struct{ TTL, StaleWhileRevalidate, StaleIfError time.Duration }

// usual is how long an answer is kept that does not say.
const usual = 2 * time.Minute

// The directives that Fastly reads, in the form in which it surely does.
var (
	maxAge               = regexp.MustCompile(`(?:^|[ ,])max-age=([0-9]+)`)
	sharedMaxAge         = regexp.MustCompile(`s-maxage=([0-9]+)`)
	staleWhileRevalidate = regexp.MustCompile(`stale-while-revalidate=([0-9]+)`)
	staleIfError         = regexp.MustCompile(`stale-if-error=([0-9]+)`)
)

// Read is what Fastly makes of an answer's headers before vcl_fetch. What the answer was in other caches is not told apart here.
// Upstream: https://www.fastly.com/documentation/guides/concepts/edge-state/cache/cache-freshness/
func Read(header http.Header, at time.Time) Freshness {
	surrogate := strings.Join(header.Values("Surrogate-Control"), ", ")
	control := strings.Join(header.Values("Cache-Control"), ", ")
	f := Freshness{}
	f.StaleWhileRevalidate, _ = first(staleWhileRevalidate, surrogate, control)
	f.StaleIfError, _ = first(staleIfError, surrogate, control)
	f.TTL = timeToLive(surrogate, control, header.Get("Expires"), at)
	f.TTL -= Age(header)
	return f
}

func timeToLive(surrogate, control, expires string, at time.Time) time.Duration {
	if age, said := first(maxAge, surrogate); said {
		return age
	}
	if age, said := first(sharedMaxAge, control); said {
		return age
	}
	if age, said := first(maxAge, control); said {
		return age
	}
	if expires == "" {
		return usual
	}
	until, err := http.ParseTime(expires)
	if err != nil {
		return 0
	}
	return until.Sub(at)
}

// Age is how old an answer says that it is.
func Age(header http.Header) time.Duration {
	age, _ := strconv.Atoi(header.Get("Age")) // none is 0
	return time.Duration(age) * time.Second
}

// first finds a directive in the first header that has it.
func first(directive *regexp.Regexp, headers ...string) (time.Duration, bool) {
	for _, header := range headers {
		if found := directive.FindStringSubmatch(header); found != nil {
			seconds, err := strconv.Atoi(found[1])
			return time.Duration(seconds) * time.Second, err == nil
		}
	}
	return 0, false
}
