package main

import (
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

// clouds are the APIs that are asked.
type clouds struct{ linode, fastly *api }

// api is one that takes a token and talks JSON.
type api struct {
	url, header, token string
	variable           string // of the token
	client             *http.Client
}

// version ends the address of Linode's API; where it is missing, Linode's own clients add it.
var version = regexp.MustCompile(`/v\d\w*$`)

// newClouds reads the variables that the providers read.
func newClouds() (*clouds, error) {
	client := &http.Client{Timeout: time.Minute}
	linode := &api{
		url: strings.TrimSuffix(cmp.Or(os.Getenv("LINODE_URL"), "https://api.linode.com"), "/"), header: "Authorization",
		variable: "LINODE_TOKEN", client: client,
	}
	if !version.MatchString(linode.url) {
		linode.url += "/v4"
	}
	if token := os.Getenv(linode.variable); token != "" {
		linode.token = "Bearer " + token
	}
	if linode.token == "" {
		return nil, errors.New("LINODE_TOKEN is not set")
	}
	fastly := &api{
		url: strings.TrimSuffix(cmp.Or(os.Getenv("FASTLY_API_URL"), "https://api.fastly.com"), "/"), header: "Fastly-Key",
		variable: "FASTLY_API_KEY", token: os.Getenv("FASTLY_API_KEY"), client: client,
	}
	return &clouds{linode, fastly}, nil
}

// get decodes the answer to a question.
func (a *api) get(ctx context.Context, path string, answer any) error {
	return a.patiently(ctx, func() error {
		response, err := a.do(ctx, http.MethodGet, path)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return &refusal{"GET " + path, response.StatusCode}
		}
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// delete is content with what is gone already.
func (a *api) delete(ctx context.Context, path string) error {
	return a.patiently(ctx, func() error {
		response, err := a.do(ctx, http.MethodDelete, path)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode >= http.StatusMultipleChoices && response.StatusCode != http.StatusNotFound {
			return &refusal{"DELETE " + path, response.StatusCode}
		}
		return nil
	})
}

func (a *api) do(ctx context.Context, method, path string) (*http.Response, error) {
	if a.token == "" {
		return nil, &refusal{a.variable + " is not set", 0}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(a.header, a.token)
	request.Header.Set("Accept", "application/json")
	return a.client.Do(request)
}

// refusal is an answer, rather than the lack of one.
type refusal struct {
	call   string
	status int // 0 where nobody was asked
}

func (r *refusal) Error() string {
	if r.status == 0 {
		return r.call
	}
	return fmt.Sprintf("%s is answered %d %s", r.call, r.status, http.StatusText(r.status))
}

// passes says whether a call may go well a moment later.
func (r *refusal) passes() bool {
	return r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
}

// patiently calls once more, and once again, where a cloud is busy or out of order, or its answer got lost.
func (a *api) patiently(ctx context.Context, call func() error) error {
	const tries = 3
	for try := 1; ; try++ {
		err := call()
		var refused *refusal
		if err == nil || try == tries || errors.As(err, &refused) && !refused.passes() {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pause is what a cloud is given in between.
const pause = time.Second

// pageSize is how much a page of a list holds.
const pageSize = 100

// pages asks Fastly for pages until one is not full.
func pages(ask func(page int) (count int, err error)) error {
	for page := 1; ; page++ {
		if count, err := ask(page); err != nil || count < pageSize {
			return err
		}
	}
}

// listed are all items of a list of Linode's.
func listed[T any](ctx context.Context, linode *api, path string) (all []T, err error) {
	for page, last := 1, 1; page <= last && err == nil; page++ {
		var answer struct {
			Data  []T `json:"data"`
			Pages int `json:"pages"`
		}
		err = linode.get(ctx, fmt.Sprintf("%s?page_size=%d&page=%d", path, pageSize, page), &answer)
		all, last = append(all, answer.Data...), answer.Pages
	}
	return all, err
}
