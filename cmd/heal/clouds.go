package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"lke-platform/internal/cloud"
)

// clouds are the APIs that are asked.
type clouds struct{ linode, fastly *asked }

// asked is an API that is asked everything once: the records of a zone, for instance, are looked for one by one.
type asked struct {
	cloud.API

	variable string // of the token
	answers  map[string]json.RawMessage
}

// version ends the address of Linode's API; where it is missing, Linode's own clients add it.
var version = regexp.MustCompile(`/v\d\w*$`)

// newClouds reads the variables that the providers read.
func newClouds() (*clouds, error) {
	token := os.Getenv("LINODE_TOKEN")
	if token == "" {
		return nil, errors.New("LINODE_TOKEN is not set")
	}
	linode := cloud.API{
		URL:    strings.TrimSuffix(cmp.Or(os.Getenv("LINODE_URL"), "https://api.linode.com"), "/"),
		Header: "Authorization", Token: "Bearer " + token,
	}
	if !version.MatchString(linode.URL) {
		linode.URL += "/v4"
	}
	fastly := cloud.NewFastly(cmp.Or(os.Getenv("FASTLY_API_URL"), "https://api.fastly.com"), os.Getenv("FASTLY_API_KEY"))
	return &clouds{
		linode: &asked{linode, "LINODE_TOKEN", map[string]json.RawMessage{}},
		fastly: &asked{fastly, "FASTLY_API_KEY", map[string]json.RawMessage{}},
	}, nil
}

// get decodes the answer to a question.
func (a *asked) get(ctx context.Context, path string, answer any) error {
	text, known := a.answers[path]
	if !known {
		if a.Token == "" {
			return fmt.Errorf("%s is not set", a.variable)
		}
		if err := a.Get(ctx, path, &text); err != nil {
			return err
		}
		a.answers[path] = text
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

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
func listed[T any](ctx context.Context, linode *asked, path string) (all []T, err error) {
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
