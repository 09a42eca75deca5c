package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

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

// newClouds reads the variables that the providers read.
func newClouds() (*clouds, error) {
	if os.Getenv("LINODE_TOKEN") == "" {
		return nil, errors.New("LINODE_TOKEN is not set")
	}
	return &clouds{
		linode: &asked{cloud.Linode(), "LINODE_TOKEN", map[string]json.RawMessage{}},
		fastly: &asked{cloud.Fastly(), "FASTLY_API_KEY", map[string]json.RawMessage{}},
	}, nil
}

// Get decodes the answer to a question.
func (a *asked) Get(ctx context.Context, path string, answer any) error {
	text, known := a.answers[path]
	if !known {
		if a.Token == "" {
			return fmt.Errorf("%s is not set", a.variable)
		}
		if err := a.API.Get(ctx, path, &text); err != nil {
			return err
		}
		a.answers[path] = text
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
