package program

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ysugimoto/falco/interpreter/assign"
	"github.com/ysugimoto/falco/interpreter/context"
	"github.com/ysugimoto/falco/interpreter/value"
	"github.com/ysugimoto/falco/interpreter/variable"
)

// variables are those that falco has otherwise than Fastly: because it does not know where it runs, because it decodes URLs, or
// because it does not take every value for them. Those that can be set return what is set.
var variables = map[string]func(*Run) value.Value{
	"req.url":          func(r *Run) value.Value { return r.URL },
	"req.url.path":     func(r *Run) value.Value { return text(pathOf(r.URL.Value)) },
	"req.url.qs":       func(r *Run) value.Value { return text(queryOf(r.URL.Value)) },
	"req.url.ext":      func(r *Run) value.Value { return text(strings.TrimPrefix(path.Ext(pathOf(r.URL.Value)), ".")) },
	"req.url.basename": func(r *Run) value.Value { return text(path.Base(pathOf(r.URL.Value))) },
	"req.url.dirname":  func(r *Run) value.Value { return text(path.Dir(pathOf(r.URL.Value))) },
	"req.topurl":       func(r *Run) value.Value { return text(r.URL.Value) },
	"req.hash":         func(r *Run) value.Value { return r.RequestHash },
	"req.is_ipv6":      func(r *Run) value.Value { return truth(strings.Count(r.Request.RemoteAddr, ":") > 1) },
	"bereq.url":        func(r *Run) value.Value { return r.BackendURL },
	"bereq.url.path":   func(r *Run) value.Value { return text(pathOf(r.BackendURL.Value)) },
	"bereq.url.qs":     func(r *Run) value.Value { return text(queryOf(r.BackendURL.Value)) },

	"fastly.ff.visits_this_service": func(r *Run) value.Value { return &value.Integer{Value: r.Visits} },
	"req.is_background_fetch":       func(r *Run) value.Value { return truth(r.Background) },
	"req.service_id":                func(r *Run) value.Value { return text(r.ServiceID) },
	"req.vcl.version":               func(r *Run) value.Value { return &value.Integer{Value: int64(r.Version)} },
	"server.datacenter":             func(r *Run) value.Value { return text(r.Datacenter) },
	"server.pop":                    func(r *Run) value.Value { return text(r.Datacenter) },
	"server.hostname":               func(r *Run) value.Value { return text(CacheName(r.Datacenter)) },
	"server.identity":               func(r *Run) value.Value { return text(CacheName(r.Datacenter)) },

	"req.backend.is_shield": func(r *Run) value.Value { return truth(r.IsShield(r.BackendName())) },
	"req.backend.is_origin": func(r *Run) value.Value { return truth(!r.IsShield(r.BackendName())) },
	"req.backend.healthy":   func(r *Run) value.Value { return truth(r.IsHealthy(r.BackendName())) },

	"stale.exists":                   func(r *Run) value.Value { return truth(r.HasStale) },
	"resp.stale":                     func(r *Run) value.Value { return r.Stale },
	"resp.stale.is_error":            func(r *Run) value.Value { return r.StaleIsError },
	"resp.stale.is_revalidating":     func(r *Run) value.Value { return r.StaleIsRevalidating },
	"req.max_stale_while_revalidate": func(r *Run) value.Value { return r.MaxStaleWhileRevalidate },
	"req.max_stale_if_error":         func(r *Run) value.Value { return r.MaxStaleIfError },
	"req.grace":                      func(r *Run) value.Value { return r.MaxStaleIfError },

	"bereq.connect_timeout":       func(r *Run) value.Value { return r.ConnectTimeout },
	"bereq.first_byte_timeout":    func(r *Run) value.Value { return r.FirstByteTimeout },
	"bereq.between_bytes_timeout": func(r *Run) value.Value { return r.BetweenBytesTimeout },

	"beresp.ttl":                    func(r *Run) value.Value { return r.BackendResponseTTL },
	"beresp.grace":                  func(r *Run) value.Value { return r.BackendResponseStaleIfError },
	"beresp.stale_if_error":         func(r *Run) value.Value { return r.BackendResponseStaleIfError },
	"beresp.stale_while_revalidate": func(r *Run) value.Value { return r.BackendResponseStaleWhileRevalidate },
	"beresp.cacheable":              func(r *Run) value.Value { return r.BackendResponseCacheable },
	"beresp.response":               func(r *Run) value.Value { return r.BackendResponseResponse },
	"obj.ttl":                       func(r *Run) value.Value { return r.ObjectTTL },
	"obj.grace":                     func(r *Run) value.Value { return r.ObjectGrace },
	"obj.stale_if_error":            func(r *Run) value.Value { return r.ObjectGrace },
	"obj.response":                  func(r *Run) value.Value { return r.ObjectResponse },
	"resp.response":                 func(r *Run) value.Value { return text(http.StatusText(r.Response.StatusCode)) },
}

// backendHealth is what VCL asks whether a backend is well by.
var backendHealth = regexp.MustCompile(`^backend\.(.+)\.healthy$`)

// CacheName is what a machine of a site is called, by the site's code, which may be a shield's.
func CacheName(code string) string {
	code, _, _ = strings.Cut(code, "-")
	return "cache-" + strings.ToLower(code) + "1-" + strings.ToUpper(code)
}

func text(s string) *value.String { return &value.String{Value: s} }
func truth(b bool) *value.Boolean { return &value.Boolean{Value: b} }
func pathOf(url string) string    { p, _, _ := strings.Cut(url, "?"); return p }
func queryOf(url string) string   { _, q, _ := strings.Cut(url, "?"); return q }

// inject has falco ask us. It is the whole process' affair.
var inject = sync.OnceFunc(func() { variable.Inject(ours{}) })

// ours are the variables whose names begin with prefix.
type ours struct{}

var errUnknown = errors.New("no such variable")

// Get returns what a variable holds.
func (ours) Get(c *context.Context, _ context.Scope, name string) (value.Value, error) {
	run, isRun := c.Resolver.(*Run)
	name, isOurs := strings.CutPrefix(name, prefix)
	if !isRun || !isOurs {
		return nil, errUnknown
	}
	if length, ok := strings.CutPrefix(name, lengthOfTime); ok {
		return readLength(length)
	}
	if number, ok := strings.CutPrefix(name, group); ok {
		if matched := c.RegexMatchedValues[number]; matched != nil {
			return matched, nil
		}
		return &value.String{IsNotSet: true}, nil
	}
	if backend := backendHealth.FindStringSubmatch(name); backend != nil {
		return truth(run.IsHealthy(backend[1])), nil
	}
	if variables[name] == nil {
		return nil, errUnknown
	}
	return variables[name](run), nil
}

// readLength reads a length of time as VCL has it.
func readLength(length string) (value.Value, error) {
	hours := map[byte]time.Duration{'d': 24, 'y': 24 * 365}
	times := hours[length[len(length)-1]]
	if times == 0 {
		read, err := time.ParseDuration(length)
		return seconds(read), err
	}
	read, err := time.ParseDuration(length[:len(length)-1] + "h")
	return seconds(read * times), err
}

// Set changes a variable, or does what its name says.
func (ours) Set(c *context.Context, _ context.Scope, name, operator string, right value.Value) error {
	run, isRun := c.Resolver.(*Run)
	name, isOurs := strings.CutPrefix(name, prefix)
	if !isRun || !isOurs {
		return errUnknown
	}
	if beginning, ok := strings.CutPrefix(name, unsetEvery); ok {
		object, beginning, _ := strings.Cut(beginning, ".http.")
		run.unsetEvery(object, beginning)
		return nil
	}
	if header, ok := strings.CutPrefix(name, collectHeader); ok {
		object, header, _ := strings.Cut(header, ".http.")
		if fields := run.header(object); len(fields.Values(header)) > 1 {
			fields.Set(header, strings.Join(fields.Values(header), ", "))
		}
		return nil
	}
	if header, ok := strings.CutPrefix(name, backendHeader); ok {
		run.BackendRequest.Header.Set(header, right.String())
		return nil
	}
	if variables[name] == nil {
		return errUnknown
	}
	return change(variables[name](run), operator, right)
}

func (r *Run) unsetEvery(object, beginning string) {
	header := r.header(object)
	for name := range header {
		if len(name) >= len(beginning) && strings.EqualFold(name[:len(beginning)], beginning) {
			delete(header, name)
		}
	}
}

// header is that of a request or an answer, by what VCL calls it.
func (r *Run) header(object string) http.Header {
	switch object {
	case "req":
		return r.Request.Header
	case "bereq":
		return r.BackendRequest.Header
	case "beresp":
		return r.BackendResponse.Header
	case "obj":
		return r.Object.Header
	default:
		return r.Response.Header
	}
}

// change does what the operator says. Falco minds whether numbers are literal, and adds no texts.
func change(left value.Value, operator string, right value.Value) error {
	if number, ok := right.(*value.Integer); ok {
		right = &value.Integer{Value: number.Value}
	}
	if joined, ok := left.(*value.String); ok && operator == "+=" {
		joined.Value += right.String()
		return nil
	}
	changes := map[string]func(left, right value.Value) error{
		"=": assign.Assign, "+=": assign.Addition, "-=": assign.Subtraction, "*=": assign.Multiplication, "/=": assign.Division,
	}
	do := changes[operator]
	if do == nil {
		return fmt.Errorf("%s is not served here", operator)
	}
	return do(left, right)
}
