package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// api is Linode's: https://techdocs.akamai.com/linode-api/reference/api
type api struct {
	url, token string
	client     *http.Client
}

// version ends the address of Linode's API; where it is missing, Linode's own clients add it.
var version = regexp.MustCompile(`/v\d\w*$`)

// newLinode reads the variables that the provider reads.
func newLinode() (*api, error) {
	a := &api{
		url:   strings.TrimSuffix(cmp.Or(os.Getenv("LINODE_URL"), "https://api.linode.com"), "/"),
		token: os.Getenv("LINODE_TOKEN"), client: &http.Client{Timeout: time.Minute},
	}
	if !version.MatchString(a.url) {
		a.url += "/v4"
	}
	if a.token == "" {
		return nil, errors.New("LINODE_TOKEN is not set")
	}
	return a, nil
}

func (a *api) get(ctx context.Context, path string, answer any) error {
	return a.patiently(ctx, func() error { return a.call(ctx, http.MethodGet, path, nil, answer) })
}

// delete is content with what is gone already.
func (a *api) delete(ctx context.Context, path string) error {
	return a.patiently(ctx, func() error {
		if err := a.call(ctx, http.MethodDelete, path, nil, nil); !isAbsent(err) {
			return err
		}
		return nil
	})
}

func (a *api) call(ctx context.Context, method, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := a.client.Do(request)
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
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// refusal is an answer, rather than the lack of one.
type refusal struct {
	call, reason string
	status       int
}

// refusalOf keeps the reasons that Linode gives.
func refusalOf(call string, response *http.Response) error {
	r := &refusal{call: call, status: response.StatusCode}
	var said struct {
		Errors []struct{ Reason string }
	}
	_ = json.NewDecoder(response.Body).Decode(&said) // others answer for Linode at times, and say nothing that can be read
	for _, one := range said.Errors {
		r.reason += "; " + one.Reason
	}
	return r
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s is answered %d %s%s", r.call, r.status, http.StatusText(r.status), r.reason)
}

// isAbsent says that what was asked for is not there.
func isAbsent(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && refused.status == http.StatusNotFound
}

// pause is what a cloud is given that is busy or out of order.
const pause = time.Second

// patiently calls once more, and once again, where a cloud is busy or out of order, or its answer got lost.
func (a *api) patiently(ctx context.Context, call func() error) error {
	const tries = 3
	for try := 1; ; try++ {
		err := call()
		var refused *refusal
		if err == nil || try == tries || errors.As(err, &refused) && refused.status != http.StatusTooManyRequests &&
			refused.status < http.StatusInternalServerError {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listed are all items of a list.
func listed[T any](ctx context.Context, linode *api, path string) (all []T, err error) {
	for page, last := 1, 1; page <= last && err == nil; page++ {
		var answer struct {
			Data  []T `json:"data"`
			Pages int `json:"pages"`
		}
		err = linode.get(ctx, fmt.Sprintf("%s?page_size=100&page=%d", path, page), &answer)
		all, last = append(all, answer.Data...), answer.Pages
	}
	return all, err
}
