// Package visitors asks a platform as its visitors do, at a constant rate, and tells what they noticed. The app that answers is
// the test app of live rehearsals (package live/app), whose pages each reach further than the one before.
package visitors

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Sort is a sort of visitors. Each gets as far as a station of its own.
type Sort string

// The sorts, in the order of how far they get.
const (
	Anonymous Sort = "anonymous" // gets pages that the edge may have a copy of
	Known     Sort = "known"     // has a session, so that every page is the app's
	Reading   Sort = "reading"   // gets a page that is read from the database
	Uploading Sort = "uploading" // brings a file for the bucket
	Streaming Sort = "streaming" // gets a page that takes a second to come, line by line
	Talking   Sort = "talking"   // holds a WebSocket, and says something each second
)

// Sorts are all of them.
var Sorts = []Sort{Anonymous, Known, Reading, Uploading, Streaming, Talking}

// Options say who visits what.
type Options struct {
	// Host is the public name of the app.
	Host string
	// Proxy is the way to public names, see package internet.
	Proxy *url.URL
	// Roots are who may have issued certificates. Default: anybody.
	Roots *x509.CertPool
	// Rate is how many requests each sort makes a second; who talks says one thing a second.
	Rate int
	// Sorts are those who visit. Default: all.
	Sorts []Sort
}

// patience is how long a visitor waits for an answer.
const patience = 30 * time.Second

// pages is how many different ones the anonymous ask for.
const pages = 20

// Visit visits until the time is over, or the context is, and returns what was noticed.
func Visit(ctx context.Context, o Options, length time.Duration) (*Report, error) {
	if o.Rate < 1 {
		return nil, errors.New("visitors: a rate must be one request a second, or more")
	}
	if len(o.Sorts) == 0 {
		o.Sorts = Sorts
	}
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	report := newReport(&o)
	var all sync.WaitGroup
	for _, sort := range o.Sorts {
		all.Go(func() {
			if sort == Talking {
				o.talk(ctx, report.add)
			} else {
				o.attack(ctx, sort, length, report.add)
			}
		})
	}
	all.Wait()
	report.finish()
	return report, nil
}

// answered are the sorts whose first request is answered well, and why those of others are not: a stack has a database, a bucket
// and WebSockets where its file says so.
func answered(ctx context.Context, o Options) (served []Sort, left []Failure, err error) {
	o.Rate, o.Sorts = 1, Sorts
	report, err := Visit(ctx, o, 2*time.Second) // a busy machine may come to ask nothing in one
	if err != nil {
		return nil, nil, err
	}
	for _, noticed := range report.Sorts {
		if noticed.Requests > 0 && noticed.Failed == 0 {
			served = append(served, noticed.Sort)
		}
	}
	return served, report.Failures, nil
}

// client is one for each sort: who visits keeps connections.
func (o *Options) client() *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			Proxy: http.ProxyURL(o.Proxy), MaxIdleConnsPerHost: 1000, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: o.Roots, InsecureSkipVerify: o.Roots == nil}, //nolint:gosec // as asked for
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// attack makes the requests of a sort, whether those before were answered or not.
func (o *Options) attack(ctx context.Context, sort Sort, length time.Duration, note func(Sort, *vegeta.Result)) {
	attacker := vegeta.NewAttacker(vegeta.Client(o.client()))
	results := attacker.Attack(o.targeter(sort), vegeta.Rate{Freq: o.Rate, Per: time.Second}, length, string(sort))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	for result := range results {
		note(sort, result)
	}
}

// targeter makes the requests of a sort, one after the other.
func (o *Options) targeter(sort Sort) vegeta.Targeter {
	var mu sync.Mutex
	made := 0
	return func(t *vegeta.Target) error {
		mu.Lock()
		made++
		number := made
		mu.Unlock()
		site := "https://" + o.Host
		t.Method, t.Header = http.MethodGet, http.Header{}
		switch sort {
		case Anonymous:
			t.URL = fmt.Sprintf("%s/page/%d", site, number%pages)
		case Known:
			t.URL = site + "/account"
			t.Header.Set("Cookie", "_app_session=a-visitor-of-the-rehearsal")
		case Reading:
			t.URL = fmt.Sprintf("%s/db?request=%d", site, number)
			t.Header.Set("Cookie", "_app_session=a-visitor-of-the-rehearsal")
		case Uploading:
			t.Method, t.URL = http.MethodPut, fmt.Sprintf("%s/upload/visitor-%d.txt", site, number%pages)
			t.Body = bytes.Repeat([]byte("brought by a visitor\n"), 500)
		case Streaming:
			t.URL = fmt.Sprintf("%s/stream?lines=10&every=100ms&request=%d", site, number)
		case Talking: // has a connection, and makes no requests
		}
		return nil
	}
}

// station is as far as a request got that failed, by who answered.
func station(sort Sort, result *vegeta.Result) string {
	behind := map[Sort]string{Reading: "database", Uploading: "bucket"}
	switch {
	case result.Code == 0:
		return "edge" // nobody answered, or not to the end
	case result.Headers.Get(podHeader) != "":
		return cmp.Or(behind[sort], "app")
	case result.Headers.Get("Via") == "":
		return "edge" // which does not know the service
	case strings.HasPrefix(result.Headers.Get("Content-Type"), "text/plain"):
		return "ingress" // which does not write pages
	}
	return "origin" // of which the edge says that it is not there
}

// podHeader names the pod of the app that answered.
const podHeader = "X-App-Pod"

// clientOf is the address that the app took for the visitor's.
func clientOf(result *vegeta.Result) (netip.Addr, bool) {
	var page struct{ Client string }
	if json.Unmarshal(result.Body, &page) != nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(page.Client)
	return address, err == nil
}
