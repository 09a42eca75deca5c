// Package cloud asks the APIs of clouds for what no provider looks up, and asks again where they are busy.
package cloud

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// API takes a token in a header, and talks JSON.
type API struct {
	URL string
	// Header is empty where no token is asked for.
	Header, Token string
	// Accept is what answers are to be, where that is not plain JSON.
	Accept string
	// Client is one of its own, where it needs that.
	Client *http.Client
	// Once has nothing asked again.
	Once bool
}

// NewFastly returns Fastly's API at an address.
// Upstream: https://www.fastly.com/documentation/reference/api/
func NewFastly(url, key string) API {
	return API{URL: strings.TrimSuffix(url, "/"), Header: "Fastly-Key", Token: key}
}

// Get decodes the answer to a question, unless answer is nil.
func (a API) Get(ctx context.Context, path string, answer any) error {
	return a.patiently(ctx, func() error { return a.do(ctx, http.MethodGet, path, "", nil, answer) })
}

// Post makes something. It asks once: of a lost answer nobody knows what was done.
func (a API) Post(ctx context.Context, path string, body, answer any) error {
	return a.do(ctx, http.MethodPost, path, "application/json", body, answer)
}

// Patch merges a change into an object.
func (a API) Patch(ctx context.Context, path string, change any) error {
	return a.do(ctx, http.MethodPatch, path, "application/merge-patch+json", change, nil)
}

// Delete is content with what is gone already.
func (a API) Delete(ctx context.Context, path string) error {
	return a.patiently(ctx, func() error {
		if err := a.do(ctx, http.MethodDelete, path, "", nil, nil); !IsAbsent(err) {
			return err
		}
		return nil
	})
}

// client gives up a connection that nothing comes from.
var client = &http.Client{Timeout: time.Minute}

// do sends a request with a body of a form, where that is not empty, and decodes the answer where somebody wants it.
func (a API) do(ctx context.Context, method, path, form string, body, answer any) error {
	var content io.Reader
	if form != "" {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.URL+path, content)
	if err != nil {
		return err
	}
	if a.Header != "" {
		request.Header.Set(a.Header, a.Token)
	}
	request.Header.Set("Accept", cmp.Or(a.Accept, "application/json"))
	if form != "" { // Kubernetes refuses its list of kinds to whoever says a type of nothing
		request.Header.Set("Content-Type", form)
	}
	response, err := cmp.Or(a.Client, client).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		return refusalOf(method+" "+path, response)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// refusal is an answer, rather than the lack of one.
type refusal struct {
	call    string
	status  int
	reasons []string
	pause   time.Duration // that is asked for
}

// refusalOf keeps the reasons that Linode gives.
func refusalOf(call string, response *http.Response) error {
	r := &refusal{call: call, status: response.StatusCode, pause: askedFor(response.Header)}
	var said struct {
		Errors []struct{ Reason string }
	}
	_ = json.NewDecoder(response.Body).Decode(&said) // others say it in other forms, and some nothing that can be read
	for _, one := range said.Errors {
		r.reasons = append(r.reasons, one.Reason)
	}
	return r
}

func (r *refusal) Error() string {
	answer := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	text := r.call + " is answered " + strings.Join(append([]string{answer}, r.reasons...), "; ")
	if r.pause > 0 {
		text += fmt.Sprintf("; ask again in %s", r.pause)
	}
	return text
}

// passes says whether a call may go well a moment later.
func (r *refusal) passes() bool {
	return r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
}

// IsAbsent says that what was asked for is not there.
func IsAbsent(err error) bool { return Status(err) == http.StatusNotFound }

// Status is that of the answer; 0 where there was none.
func Status(err error) int {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.status
	}
	return 0
}

// askedFor is the pause that an answer asks for, as a number of seconds; 0 where it asks for none. (Fastly counts what changes
// something only, which is none of the questions here.)
func askedFor(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

const (
	tries = 4
	// pause is what a cloud is given that does not say how long it wants.
	pause = time.Second
	// longestPause is the window in which Linode counts requests. Whoever wants more is not waited for.
	// Upstream: https://techdocs.akamai.com/linode-api/reference/rate-limits
	longestPause = time.Minute
)

// patiently calls again where a cloud is busy or out of order, or its answer got lost, for as long as the context lets it.
func (a API) patiently(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		if err == nil || try == tries || a.Once {
			return err
		}
		after := pause
		if refused := (*refusal)(nil); errors.As(err, &refused) {
			if !refused.passes() || refused.pause > longestPause {
				return err
			}
			after = max(pause, refused.pause)
		}
		if until, ends := ctx.Deadline(); ends && time.Until(until) < after {
			return err
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return err
		}
	}
}
