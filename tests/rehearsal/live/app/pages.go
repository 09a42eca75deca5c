package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// requestID is what the edge calls a request by.
const requestID = "X-Request-Id"

// app answers requests.
type app struct {
	http.Handler
	faults *faults
}

// newApp serves
//
//	GET  /…                             who the caller is, and what it said: at all paths but these
//	GET  /slow?for=5s                   the same, after a while
//	GET  /stream?lines=10&every=100ms   line after line
//	GET  /websocket                     says what it hears
//	GET  /db                            what the database says at DATABASE_URL, or DB_HOST and its like
//	PUT  /upload/<name>                 into the bucket that AWS_ASSETS_BUCKET and its like name
//	GET  /metrics
//	POST /break?path=/health&for=1m     has a path answer 503, or all of those above, for a while or until it is mended
//	POST /mend
//	POST /sigterm?how=badly             has SIGTERM end it at once, with its requests; well and never are other ways
func newApp() *app {
	registry := prometheus.NewRegistry()
	answered := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests that were answered.",
	}, []string{"code", "method"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "How long answers took.",
	}, []string{"code", "method"})
	registry.MustRegister(answered, took, collectors.NewGoCollector())
	faults := &faults{}

	pages := http.NewServeMux()
	pages.HandleFunc("/", mirror)
	pages.HandleFunc("GET /slow", slow)
	pages.HandleFunc("GET /stream", stream)
	pages.HandleFunc("GET /websocket", echo)
	pages.Handle("GET /db", &database{url: databaseURL()})
	pages.HandleFunc("PUT /upload/{name}", upload)

	all := http.NewServeMux()
	all.Handle("/", promhttp.InstrumentHandlerDuration(took, promhttp.InstrumentHandlerCounter(answered, faults.before(pages))))
	all.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	faults.serve(all)
	return &app{Handler: identified(all), faults: faults}
}

// podHeader says which pod has answered.
const podHeader = "X-App-Pod"

// identified answers with the identifier of the request, as the app's logs would have it, and says who answers.
func identified(next http.Handler) http.Handler {
	pod, _ := os.Hostname()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(podHeader, pod)
		if id := r.Header.Get(requestID); id != "" {
			w.Header().Set(requestID, id)
		}
		next.ServeHTTP(w, r)
	})
}

// reflection is what the app knows of a request.
type reflection struct {
	Client  string            `json:"client"` // the visitor, by X-Forwarded-For
	Peer    string            `json:"peer"`   // who connected
	Host    string            `json:"host"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Pod     string            `json:"pod"`
}

// mirror shows the caller what of it got here.
func mirror(w http.ResponseWriter, r *http.Request) {
	peer, _, _ := net.SplitHostPort(r.RemoteAddr)
	pod, _ := os.Hostname()
	seen := reflection{
		Client: peer, Peer: r.RemoteAddr, Host: r.Host, Method: r.Method, URL: r.URL.String(),
		Headers: map[string]string{}, Pod: pod,
	}
	if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ","); first != "" {
		seen.Client = strings.TrimSpace(first)
	}
	for name, values := range r.Header {
		seen.Headers[name] = strings.Join(values, ", ")
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(seen) // who does not hear it is gone
}

// duration is one that a request may ask for.
func duration(r *http.Request, name string, otherwise time.Duration) time.Duration {
	if asked, err := time.ParseDuration(r.FormValue(name)); err == nil {
		return asked
	}
	return otherwise
}

// pause waits, unless the caller is gone before.
func pause(r *http.Request, length time.Duration) bool {
	select {
	case <-time.After(length):
		return true
	case <-r.Context().Done():
		return false
	}
}

func slow(w http.ResponseWriter, r *http.Request) {
	if pause(r, duration(r, "for", 5*time.Second)) {
		mirror(w, r)
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	lines, err := strconv.Atoi(r.FormValue("lines"))
	if err != nil {
		lines = 10
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for line := range lines {
		if line > 0 && !pause(r, duration(r, "every", 100*time.Millisecond)) {
			return
		}
		fmt.Fprintf(w, "line %d of %d\n", line+1, lines)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	connection, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = connection.CloseNow() }()
	for {
		kind, content, err := connection.Read(r.Context())
		if err != nil {
			return
		}
		if connection.Write(r.Context(), kind, content) != nil {
			return
		}
	}
}

// unavailable says what keeps a page from being there.
func unavailable(w http.ResponseWriter, reason error) {
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, reason.Error()+"\n")
}
