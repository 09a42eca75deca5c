package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake answers as Alertmanager's API of version 2 and its metrics do, as far as they are asked.
type fake struct {
	// routes are the receivers of each severity, and refuses those that take nothing.
	routes  map[string][]string
	refuses map[string]bool
	// state is that of every alert, and apart says whether metrics name receivers.
	state string
	apart bool

	lock   sync.Mutex
	alerts map[string]*alert
	counts map[string]*count
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case r.URL.Path == "/metrics":
		for receiver, count := range f.counts {
			label := ""
			if f.apart {
				label = fmt.Sprintf(`,receiver_name=%q`, receiver)
			}
			_, _ = fmt.Fprintf(w, "alertmanager_notification_requests_failed_total{integration=\"webhook\"%s} %d\n", label, count.refused)
			_, _ = fmt.Fprintf(w, "alertmanager_notification_requests_total{integration=\"webhook\"%s} %d\n", label, count.handed)
		}
	case r.Method == http.MethodPost:
		var posted []*alert
		if err := json.NewDecoder(r.Body).Decode(&posted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, alert := range posted {
			f.take(alert)
		}
	default:
		filter, _ := url.QueryUnescape(r.URL.Query().Get("filter"))
		found := []*alert{}
		for namespace, alert := range f.alerts {
			if filter == fmt.Sprintf("namespace=%q", namespace) {
				found = append(found, alert)
			}
		}
		_ = json.NewEncoder(w).Encode(found)
	}
}

// take hands a new alert to its receivers.
func (f *fake) take(sent *alert) {
	namespace := sent.Labels["namespace"]
	_, known := f.alerts[namespace]
	f.alerts[namespace] = sent
	if known {
		return
	}
	sent.Status.State = f.state
	for _, receiver := range f.routes[sent.Labels["severity"]] {
		sent.Receivers = append(sent.Receivers, struct{ Name string }{receiver})
		if receiver == nobody {
			continue
		}
		f.counts[receiver].handed++
		if f.refuses[receiver] {
			f.counts[receiver].refused++
		}
	}
}

// try runs a trial against the fake, and returns what it printed.
func (f *fake) try(t *testing.T) (string, error) {
	t.Helper()
	f.alerts, f.counts = map[string]*alert{}, map[string]*count{"team": {handed: 7, refused: 2}, "pager": {}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	printed := &bytes.Buffer{}
	test := &trial{stack: "prod", out: printed, pause: time.Millisecond, patience: 20 * time.Millisecond, alertmanager: alertmanager{
		address: server.URL,
		log: func(context.Context) (string, error) {
			return `level=WARN msg="Notify attempt failed" component=dispatcher receiver=pager integration=webhook[0] attempts=1 ` +
				`err="Post \"<redacted>\": unexpected status code 404"`, nil
		},
	}}
	err := test.run(t.Context())
	for _, sent := range f.alerts {
		require.Equal(t, "prod", sent.Labels["stack"], "as Prometheus' have")
	}
	return printed.String(), err
}

var everybody = map[string][]string{"critical": {"pager", "team"}, "warning": {"team"}}

func TestEveryReceiverIsTriedAndTheAlertsEnd(t *testing.T) {
	t.Parallel()
	f := &fake{routes: everybody, apart: true, state: "active"}
	printed, err := f.try(t)
	require.NoError(t, err)
	require.Regexp(t, `pager +webhook +critical +took it\nteam +webhook +critical, warning +took it\n`, printed)
	require.Len(t, f.alerts, 2)
	for _, alert := range f.alerts {
		require.False(t, alert.EndsAt.After(time.Now()), "it has been ended")
		require.Contains(t, alert.Annotations["summary"], "test")
	}
}

func TestWhatAReceiverAnswersIsSaid(t *testing.T) {
	t.Parallel()
	f := &fake{routes: everybody, apart: true, state: "active", refuses: map[string]bool{"pager": true}}
	printed, err := f.try(t)
	require.EqualError(t, err, "pager (webhook) took 0 of 1 messages")
	require.Contains(t, printed, `refused: Post "<redacted>": unexpected status code 404`)
	require.Contains(t, printed, "The alerts are over")
}

func TestWhatDoesNotArriveIsNamed(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*fake{
		"nobody is told of what is warning: name one": {
			routes: map[string][]string{"critical": {"pager"}, "warning": {nobody}}, apart: true,
		},
		"a silence keeps what is critical from everybody": {routes: everybody, apart: true, state: "suppressed"},
		"what team answers is not told by Alertmanager":   {routes: everybody},
	} {
		_, err := f.try(t)
		require.ErrorContains(t, err, want)
		require.Len(t, f.alerts, 2)
		for _, alert := range f.alerts {
			require.False(t, alert.EndsAt.After(time.Now()), "whatever went wrong, it has been ended")
		}
	}
}

func TestAnAlertmanagerThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	test := &trial{out: &strings.Builder{}, alertmanager: alertmanager{address: "http://127.0.0.1:1"}}
	require.ErrorContains(t, test.run(t.Context()), "asking Alertmanager")
}
