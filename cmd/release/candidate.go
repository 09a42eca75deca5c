package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// candidate is where an app tries versions before visitors get them.
type candidate struct {
	host, path string
	// exact says that only 200 is well; otherwise everything is that is no error of the server's.
	exact bool
	// place is the key before which the version is written, and flow whether that stands in braces.
	place yaml.Node
	flow  bool
}

// candidateOf is what an app says of its candidate, and of the path that it is well at.
func candidateOf(app *yaml.Node) (*candidate, error) {
	described := at(app, "candidate")
	host := at(described, "host")
	if host == nil {
		return nil, nil
	}
	if image := at(described, "image"); image != nil {
		return nil, fmt.Errorf("candidate.image is %s: that version is tried already, or was left behind; take the line away",
			image.Value)
	}
	c := &candidate{
		host: host.Value, path: "/health", exact: true,
		place: *described.Content[0], flow: described.Style&yaml.FlowStyle != 0,
	}
	if path := at(app, "health", "path"); path != nil {
		c.path = path.Value
	} else if at(app, "health", "tcp") != nil || at(app, "health", "command") != nil {
		c.path, c.exact = "/", false
	}
	return c, nil
}

// write names a version that is tried, as the first key of the candidate.
func (c *candidate) write(content, image string) string {
	lines := strings.SplitAfter(content, "\n")
	line, key, before := &lines[c.place.Line-1], "image: "+image, c.place.Column-1
	if c.flow {
		*line = (*line)[:before] + key + ", " + (*line)[before:]
	} else {
		*line = strings.Repeat(" ", before) + key + "\n" + *line
	}
	return strings.Join(lines, "")
}

// trials is how often in a row a candidate has to be well.
const trials = 5

// try has the version answer at a name of its own, through everything that visitors come through. Visitors keep the version
// before, whatever comes of it. What stands in the file meanwhile is in no commit.
func (r *release) try(ctx context.Context) error {
	tried := r.file.candidate
	if tried == nil {
		return nil
	}
	content, err := os.ReadFile(r.file.path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.file.path, []byte(tried.write(string(content), r.image)), 0o600); err != nil {
		return err
	}
	fault := r.up(ctx, "Try "+r.image+" on "+r.target())
	if fault == nil {
		fault = r.ask(ctx, tried)
	}
	if err := os.WriteFile(r.file.path, content, 0o600); err != nil {
		return errors.Join(fault, err)
	}
	switch {
	case fault == nil, errors.Is(fault, errLocked):
		return fault
	case ctx.Err() != nil:
		return fmt.Errorf("it was stopped while it was tried, and visitors have the version before: `make up STACK=%s` takes "+
			"away what was tried", r.stack)
	}
	r.say("it does not do well, so it is taken away, and visitors keep %s: %v", r.file.image, fault)
	if err := r.up(ctx, "Take "+r.image+" away from "+r.target()); err != nil {
		return fmt.Errorf("%w\nand it could not be taken away; see what is wrong, then: make up STACK=%s\n%w",
			fault, r.stack, err)
	}
	return fmt.Errorf("%s was tried, and no visitor got it: %w", r.image, fault)
}

// ask asks a candidate whether it is well, until it has been several times in a row.
func (r *release) ask(ctx context.Context, tried *candidate) error {
	address := "https://" + tried.host + tried.path
	// What leads elsewhere does not answer for itself.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := http.Client{Transport: r.visitor, Timeout: 10 * time.Second, CheckRedirect: stay}
	well, last := 0, ""
	for end := time.Now().Add(r.trialTime); well < trials; {
		if time.Now().After(end) {
			return fmt.Errorf("%s was not well %d times in a row within %s; last: %s", address, trials, r.trialTime, last)
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			last = answer.Status
		} else {
			last = err.Error()
		}
		if well++; err != nil || !tried.isWell(answer.StatusCode) {
			well = 0
		}
		if rest(ctx, r.pause); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.say("%s answered %d times in a row: %s", address, trials, last)
	return nil
}

func (c *candidate) isWell(status int) bool {
	if c.exact {
		return status == http.StatusOK
	}
	return status < http.StatusInternalServerError && status != http.StatusNotFound
}
