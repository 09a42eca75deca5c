package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"lke-platform/internal/cloud"
)

// condition is how a part is.
type condition string

const (
	well    condition = "ok"
	wrong   condition = "wrong"
	unknown condition = "unknown"
	absent  condition = "off" // which the stack does without
)

// report is what a survey came to.
type report struct {
	Stack string `json:"stack"`
	URL   string `json:"url,omitempty"`
	// State is that of the worst part.
	State condition `json:"state"`
	Parts []part    `json:"parts"`
}

// part is one line.
type part struct {
	Name  string    `json:"name"`
	State condition `json:"state"`
	// Says is one sentence, or one for each fault.
	Says []string `json:"says"`
	// More is the command that shows more.
	More string `json:"more,omitempty"`
}

// finding is what a look at a part came to.
type finding struct {
	says   string // where nothing is wrong
	faults []string
	more   string
	absent bool
}

func (f *finding) fault(format string, values ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, values...))
}

func newPart(name string, f *finding, err error) part {
	switch {
	case err != nil:
		return part{Name: name, State: unknown, Says: []string{err.Error()}}
	case len(f.faults) > 0:
		return part{Name: name, State: wrong, Says: f.faults, More: f.more}
	case f.absent:
		return part{Name: name, State: absent, Says: []string{f.says}}
	}
	return part{Name: name, State: well, Says: []string{f.says}}
}

// sum finds the worst of all parts.
func (r *report) sum() {
	r.State = well
	for _, p := range r.Parts {
		if p.State == wrong || p.State == unknown && r.State == well {
			r.State = p.State
		}
	}
}

// exit is the status of the process. What is not known is no fault, and nobody should take it for good news either.
func (r *report) exit() int { return map[condition]int{well: 0, wrong: 1, unknown: 2}[r.State] }

// errNotTold is why nothing else is known where Pulumi fails.
var errNotTold = errors.New("where it is Pulumi has not told")

// explain says why a part is not known, and what helps.
func (s *survey) explain(err error) error {
	var lost *url.Error
	switch status := cloud.Status(err); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", s.patience)
	case errors.As(err, &lost):
		return fmt.Errorf("no way there: %w", lost.Err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return errors.New(query.ReplaceAllString(err.Error(), "") + "; is the token right, and may it read that?")
	case status != 0:
		return errors.New(query.ReplaceAllString(err.Error(), ""))
	}
	return err
}

// query is what follows the path of a call, and says nothing to whoever reads it.
var query = regexp.MustCompile(`\?\S+`)
