package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The ways in which SIGTERM may be taken.
const (
	well       = "well" // requests end first
	badly      = "badly"
	stubbornly = "never"
)

// faults is what somebody has broken.
type faults struct {
	mu     sync.Mutex
	broken map[string]time.Time // until when, by path; "" is all of them
	how    string               // SIGTERM is taken
}

// never is when that is mended which is broken for good.
var never = time.Unix(1<<62, 0)

// serve adds the paths that break and mend.
func (f *faults) serve(mux *http.ServeMux) {
	mux.HandleFunc("POST /break", func(w http.ResponseWriter, r *http.Request) {
		until := never
		if length := duration(r, "for", 0); length > 0 {
			until = time.Now().Add(length)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.broken == nil {
			f.broken = map[string]time.Time{}
		}
		f.broken[r.FormValue("path")] = until
	})
	mux.HandleFunc("POST /mend", func(http.ResponseWriter, *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.broken = nil
	})
	mux.HandleFunc("POST /sigterm", func(w http.ResponseWriter, r *http.Request) {
		how := r.FormValue("how")
		if !slices.Contains([]string{well, badly, stubbornly}, how) {
			http.Error(w, fmt.Sprintf("how: one of %s, %s, %s is wanted", well, badly, stubbornly), http.StatusBadRequest)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.how = how
	})
}

func (f *faults) ending() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.how
}

// before answers 503 in the place of what is broken.
func (f *faults) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		isBroken := time.Now().Before(f.broken[""]) || time.Now().Before(f.broken[r.URL.Path])
		f.mu.Unlock()
		if isBroken {
			unavailable(w, errors.New("it was broken on demand"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
