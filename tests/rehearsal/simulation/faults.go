package simulation

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// FaultsPath is where every simulated API takes its faults: POST a JSON list of Fault to add them, DELETE to drop all.
const FaultsPath = "/_simulation/faults"

// A Fault disturbs the requests that match it.
type Fault struct {
	// Method is the HTTP method to match, any when empty.
	Method string `json:"method,omitempty"`
	// Path is a regular expression that the request's path must match, any when empty.
	Path string `json:"path,omitempty"`
	// Status is answered in place of the real answer; 0 only delays.
	Status int `json:"status,omitempty"`
	// DelayMS holds the request back by so many milliseconds.
	DelayMS int `json:"delayMs,omitempty"`
	// Times is how many requests are disturbed before the fault is spent; 0 means all.
	Times int `json:"times,omitempty"`
	// EachOnce disturbs every call the first time it is made, and not when it is repeated.
	EachOnce bool `json:"eachOnce,omitempty"`
	// Lose is what is lost on the way, in place of a Status.
	Lose Lost `json:"lose,omitempty"`

	path *regexp.Regexp
	left int
	seen map[string]bool
}

// Lost is what of a request gets lost, together with the connection.
type Lost string

// What can be lost: the request, so that nothing is done; the answer, or half of it, when it was done.
const (
	LostRequest Lost = "request"
	LostAnswer  Lost = "answer"
	HalfAnswer  Lost = "half"
)

// Faults injects faults into an HTTP API. The zero value injects none.
type Faults struct {
	mu   sync.Mutex
	list []*Fault
}

// Add puts faults in force; a path that is no regular expression is refused.
func (f *Faults) Add(faults ...Fault) error {
	added := make([]*Fault, len(faults))
	for i, fault := range faults {
		expression, err := regexp.Compile(fault.Path)
		if err != nil {
			return fmt.Errorf("faults[%d].path: %w", i, err)
		}
		fault.path, fault.left = expression, fault.Times
		fault.seen = map[string]bool{}
		added[i] = &fault
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, added...)
	return nil
}

// Clear drops all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// Wrap returns next with the faults in front of it. answer writes an error in the shape of the API.
func (f *Faults) Wrap(next http.Handler, answer func(w http.ResponseWriter, status int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == FaultsPath {
			f.control(w, r)
			return
		}
		fault := f.take(r)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case <-time.After(time.Duration(fault.DelayMS) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
		if fault.Lose != "" {
			lose(fault.Lose, next, w, r)
		}
		if fault.Status == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if fault.Status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		answer(w, fault.Status)
	})
}

// lose ends the connection in the middle of a request.
func lose(what Lost, next http.Handler, w http.ResponseWriter, r *http.Request) {
	if what != LostRequest {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if body := answer.Body.Bytes(); what == HalfAnswer && len(body) > 1 {
			maps.Copy(w.Header(), answer.Header())
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(answer.Code)
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
		}
	}
	panic(http.ErrAbortHandler)
}

// fastlyVersion is the part of a path that names a version of a Fastly service.
var fastlyVersion = regexp.MustCompile(`/version/[0-9]+`)

// call is what a request asks for: things are made at one path by what is said of them, and all else is done to what the path
// names. One that repeats another is the same call, also in another version of a Fastly service: who fails with one begins the
// next.
func call(r *http.Request) string {
	made := fastlyVersion.ReplaceAllString(r.Method+" "+r.URL.String(), "/version/*") + " " + r.Header.Get("X-Filter")
	if r.Method != http.MethodPost {
		return made
	}
	body, _ := io.ReadAll(r.Body) // whoever reads on finds the body cut off too
	r.Body = io.NopCloser(bytes.NewReader(body))
	return fmt.Sprintf("%s %x", made, sha256.Sum256(body))
}

// take returns the first fault that matches the request, and counts it down.
func (f *Faults) take(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		spent := fault.Times > 0 && fault.left == 0
		if spent || fault.Method != "" && fault.Method != r.Method || !fault.path.MatchString(r.URL.Path) {
			continue
		}
		if fault.EachOnce {
			made := call(r)
			if fault.seen[made] {
				continue
			}
			fault.seen[made] = true
		}
		fault.left--
		return fault
	}
	return nil
}

func (f *Faults) control(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		var faults []Fault
		if err := json.NewDecoder(r.Body).Decode(&faults); err != nil {
			http.Error(w, "a JSON list of faults is wanted: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := f.Add(faults...); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		f.Clear()
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "POST adds faults, DELETE drops them", http.StatusMethodNotAllowed)
	}
}
