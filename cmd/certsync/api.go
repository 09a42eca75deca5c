package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
)

// session is what a run works with.
type session struct {
	api           *fastly.Client
	log           *slog.Logger
	stack         string
	configuration string // ID, the account's default when empty
	changes       int
}

func newSession(o *options, log *slog.Logger) (*session, error) {
	client, err := fastly.NewClientForEndpoint(o.token, o.url)
	if err != nil {
		return nil, fmt.Errorf("the address of Fastly's API cannot be used: %w", err)
	}
	client.DebugMode = false // it would print the keys
	client.HTTPClient.Timeout = time.Minute
	client.HTTPClient.Transport = attentive{client.HTTPClient.Transport}
	return &session{api: client, log: log, stack: o.stack, configuration: o.configuration}, nil
}

// changed notes and tells a change at Fastly.
func (s *session) changed(what string, about ...any) {
	s.changes++
	s.log.Info(what, about...)
}

// busy is a call that may go well later: Fastly has too much to do, is out of order or out of reach.
type busy struct {
	why   string
	until time.Time // when Fastly wants to be asked again, zero when it does not say
}

func (b *busy) Error() string { return b.why }

// refusal is a call that Fastly did not do, nor will unless something changes.
type refusal struct {
	doing, answer, next string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("Fastly refused to %s (%s): %s", r.doing, r.answer, r.next)
}

// denied is a token that may not do what is needed, so that nothing else needs to be tried.
type denied struct{ why string }

func (d *denied) Error() string { return d.why }

// attentive turns answers that ask for patience into errors that say for how long.
type attentive struct{ http.RoundTripper }

func (a attentive) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, &busy{why: "cannot reach Fastly: " + err.Error()}
	}
	if response.StatusCode == http.StatusOK && r.Method == http.MethodGet {
		if err := understood(response); err != nil {
			return nil, err
		}
		return response, nil
	}
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < http.StatusInternalServerError {
		return response, nil
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection can be used again
	_ = response.Body.Close()
	return nil, &busy{
		why:   fmt.Sprintf("Fastly answers %d %s", response.StatusCode, http.StatusText(response.StatusCode)),
		until: askedFor(response.Header, time.Now()),
	}
}

// understood refuses an answer without data, which would pass for an empty list: of something in between, for instance.
func understood(response *http.Response) error {
	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(content))
	var document struct {
		Data json.RawMessage `json:"data"`
	}
	if err != nil || json.Unmarshal(content, &document) != nil || document.Data == nil {
		return &busy{why: "an answer of Fastly cannot be understood: it has no data"}
	}
	return nil
}

// askedFor returns when to come back: Retry-After is a number of seconds or a date, Fastly-RateLimit-Reset a time of Unix.
func askedFor(header http.Header, now time.Time) time.Time {
	after := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err == nil && seconds > 0 {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	if date, err := http.ParseTime(after); err == nil {
		return date
	}
	remaining, errRemaining := strconv.Atoi(header.Get("Fastly-RateLimit-Remaining"))
	reset, err := strconv.ParseInt(header.Get("Fastly-RateLimit-Reset"), 10, 64)
	if err == nil && (errRemaining != nil || remaining <= 0) {
		return time.Unix(reset, 0)
	}
	return time.Time{}
}

const newToken = "make one of scope global for a user who may manage TLS, and set it as the secret that cdn.tls.token names; " +
	"a trial account can have no certificates of its own at all: " + ofFastlys

const ofFastlys = "set cdn.tls.mode to managed, for Fastly to get them"

// explain says what an error of a call means. doing completes "Fastly refused to", next says what a person can do about it.
func explain(err error, doing, next string) error {
	var refused *fastly.HTTPError
	var soon *busy
	switch {
	case err == nil:
		return nil
	case errors.As(err, &soon):
		return soon
	case !errors.As(err, &refused):
		return &busy{why: "an answer of Fastly cannot be understood: " + err.Error()} // cut off, or of something in between
	case refused.StatusCode == http.StatusUnauthorized:
		return &denied{"Fastly does not know the token (401): " + newToken}
	case refused.StatusCode == http.StatusForbidden:
		return &denied{"the token may not " + doing + " (403): " + newToken}
	case refused.StatusCode == http.StatusRequestTimeout:
		return &busy{why: "Fastly answers 408 Request Timeout"}
	}
	return &refusal{doing, answer(refused), next}
}

// answer is an error of Fastly in one line.
func answer(e *fastly.HTTPError) string {
	said := strconv.Itoa(e.StatusCode)
	for _, one := range e.Errors {
		for _, part := range []string{one.Title, one.Detail} {
			if part = strings.Join(strings.Fields(part), " "); part != "" {
				said += ", " + part
			}
		}
	}
	said = privateKey.ReplaceAllString(said, hidden)
	return said[:min(len(said), 400)]
}

func isGone(err error) bool {
	var refused *fastly.HTTPError
	return errors.As(err, &refused) && (refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusGone)
}

// goesOn says whether what is left can be tried after an error: it concerns one domain only.
func goesOn(ctx context.Context, err error) bool {
	var soon *busy
	var no *denied
	return ctx.Err() == nil && !errors.As(err, &soon) && !errors.As(err, &no)
}

var privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)

const hidden = "[hidden]"

// scrubber is the last barrier: whatever is printed, a token or a key is not in it.
type scrubber struct {
	out   io.Writer
	token string
}

func (s *scrubber) Write(line []byte) (int, error) {
	text := privateKey.ReplaceAllString(string(line), hidden)
	if s.token != "" {
		text = strings.ReplaceAll(text, s.token, hidden)
	}
	_, err := io.WriteString(s.out, strings.TrimSuffix(text, "\n")+"\n")
	return len(line), err
}
