package visitors

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"lke-platform/tests/rehearsal/internet"
)

// site is a platform of one process.
func site(t *testing.T, handler http.Handler) *Options {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	var dialer net.Dialer
	proxy, err := internet.New(internet.Options{
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, server.Listener.Addr().String())
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	return &Options{Host: "example.com", Proxy: &url.URL{Scheme: "http", Host: proxy.Address()}, Rate: 20}
}

// app answers as the test app does.
func app(pages http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /websocket", func(w http.ResponseWriter, r *http.Request) {
		connection, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		kind, heard, err := connection.Read(r.Context())
		if err == nil {
			_ = connection.Write(r.Context(), kind, heard)
		}
		_ = connection.Close(websocket.StatusGoingAway, "")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(podHeader, "app-1")
		pages(w, r)
	})
	return mux
}

func TestAllSortsGetTheirAnswers(t *testing.T) {
	t.Parallel()
	var uploads, sessions atomic.Int32
	o := site(t, app(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			uploads.Add(1)
		}
		if r.Header.Get("Cookie") != "" {
			sessions.Add(1)
		}
		fmt.Fprint(w, `{"client": "203.0.113.7"}`)
	}))
	report, err := Visit(t.Context(), *o, 1500*time.Millisecond)
	require.NoError(t, err)
	require.Len(t, report.Sorts, len(Sorts))
	for i, noticed := range report.Sorts[:5] {
		require.Equal(t, Sorts[i], noticed.Sort)
		require.InDelta(t, 30, noticed.Requests, 2, "a constant rate")
		require.Zero(t, noticed.Failed)
		require.Positive(t, noticed.Median)
	}
	require.Positive(t, uploads.Load())
	require.Positive(t, sessions.Load())
	require.Equal(t, []netip.Addr{netip.MustParseAddr("203.0.113.7")}, report.Clients)
	talking := report.Sorts[5]
	require.Equal(t, 2, talking.Requests)
	require.Equal(t, 1, talking.Failed, "the server hangs up after each answer")
}

func TestWhoGetsNoAnswerStaysAway(t *testing.T) {
	t.Parallel()
	o := site(t, app(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/db" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	served, left, err := answered(t.Context(), *o)
	require.NoError(t, err)
	require.Subset(t, served, []Sort{Anonymous, Known, Uploading, Streaming})
	require.NotContains(t, served, Reading)
	require.True(t, slices.ContainsFunc(left, func(f Failure) bool { return f.Sort == Reading && f.Station == "database" }))
}

// Who answered with what says as far as a request got.
func TestFailuresAreToldByStation(t *testing.T) {
	t.Parallel()
	header := func(name, value string) http.Header { return http.Header{name: {value}, "Via": {"1.1 varnish"}} }
	for _, c := range []struct {
		want   string
		sort   Sort
		result vegeta.Result
	}{
		{"edge", Known, vegeta.Result{Error: "EOF"}},
		{"edge", Known, vegeta.Result{Code: 500, Headers: http.Header{"Content-Type": {"text/plain"}}}},
		{"origin", Known, vegeta.Result{Code: 503, Headers: header("Content-Type", "text/html; charset=utf-8")}},
		{"ingress", Known, vegeta.Result{Code: 502, Headers: header("Content-Type", "text/plain; charset=utf-8")}},
		{"app", Known, vegeta.Result{Code: 503, Headers: header(podHeader, "app-1")}},
		{"database", Reading, vegeta.Result{Code: 503, Headers: header(podHeader, "app-1")}},
		{"bucket", Uploading, vegeta.Result{Code: 503, Headers: header(podHeader, "app-1")}},
	} {
		require.Equal(t, c.want, station(c.sort, &c.result))
	}
}

func TestAnOutageIsToldOnceWithItsLength(t *testing.T) {
	t.Parallel()
	report := newReport(&Options{Sorts: []Sort{Known}})
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i := range 100 { // ten a second; of the answers some come late
		result := &vegeta.Result{Timestamp: begin.Add(time.Duration(i^1) * 100 * time.Millisecond), Latency: time.Millisecond, Code: 200}
		switch at := i ^ 1; {
		case at >= 20 && at < 50:
			result.Code, result.Error = 0, "connection refused"
		case at == 70:
			result.Code = 500
			result.Headers = http.Header{podHeader: {"app-1"}}
		}
		report.add(Known, result)
	}
	report.finish()
	require.Equal(t, []Failure{
		{Sort: Known, Station: "edge", Says: "connection refused", Requests: 30, From: begin.Add(2 * time.Second), To: begin.Add(4900 * time.Millisecond)},
		{Sort: Known, Station: "app", Says: "500", Requests: 1, From: begin.Add(7 * time.Second), To: begin.Add(7 * time.Second)},
	}, report.Failures)
	require.InDelta(t, 3.0, report.Sorts[0].Gap, 1e-9)
	failed, all := report.Failed()
	require.Equal(t, [2]int{31, 100}, [2]int{failed, all})

	var printed bytes.Buffer
	require.NoError(t, report.Print(&printed))
	require.Equal(t, `VISITORS  REQUESTS  FAILED  LONGEST GAP  MEDIAN  95 %  99 %  LONGEST
known     100       31      3.0 s        1 ms    1 ms  1 ms  1 ms
12:00:02.000  30 of known for 2.9 s at edge: connection refused
12:00:07.000  1 of known for – at app: 500
31 of 100 requests failed; the app saw visitors from nowhere
`, printed.String())
}

func TestNobodyVisitsLessThanOnceASecond(t *testing.T) {
	t.Parallel()
	_, err := Visit(t.Context(), Options{Host: "example.com"}, time.Second)
	require.ErrorContains(t, err, "one request a second")
}
