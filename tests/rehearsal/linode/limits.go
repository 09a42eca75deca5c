package linode

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limit is how many requests for one operation Linode answers in a time:
// https://techdocs.akamai.com/linode-api/reference/rate-limits
type limit struct {
	requests int
	window   time.Duration
}

// single matches the operations that read one thing. All other readers list things, in pages.
var single = regexp.MustCompile(`(\{[a-z]+\}(/availability)?|/account|/profile|/settings|/kubeconfig|/dashboard|` +
	`/control_plane_acl|/rules|/access|/ips)$`)

// limitOf is the limit of an operation, which its pattern stands for.
func limitOf(operation string) limit {
	switch {
	case operation == "POST /linode/instances":
		return limit{20, 15 * time.Second}
	case operation == "POST /volumes":
		return limit{100, time.Minute}
	case strings.HasPrefix(operation, "GET ") && !single.MatchString(operation):
		return limit{200, time.Minute}
	default:
		return limit{1600, time.Minute}
	}
}

// rationing counts the requests for each operation, by its pattern. Here there is one user, whose all tokens are.
type rationing struct {
	mu      sync.Mutex
	windows map[string]*window
}

// window is the time that a limit is counted in.
type window struct {
	limit, left int
	ends        time.Time
}

// rationed serves what takes one request from what is left of an operation's limit, and tells clients what is left then.
func (a *API) rationed(operation string, next http.Handler) http.Handler {
	if !a.options.RateLimits {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.rationing.take(operation, w.Header()); err != nil {
			writeError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (r *rationing) take(operation string, header http.Header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	w := r.windows[operation]
	if w == nil || !now.Before(w.ends) {
		of := limitOf(operation)
		w = &window{of.requests, of.requests, now.Add(of.window)}
		r.windows[operation] = w
	}
	header.Set("X-RateLimit-Limit", strconv.Itoa(w.limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(w.left-1, 0)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(w.ends.Unix(), 10))
	header.Set("Retry-After", strconv.Itoa(int(w.ends.Sub(now).Seconds())+1))
	if w.left == 0 {
		return refuse(http.StatusTooManyRequests, "", "Too many requests")
	}
	w.left--
	return nil
}
