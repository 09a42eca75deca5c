package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// refusals is how often something is tried that Fastly refuses: it may be that another run did the same meanwhile, or that
// Fastly has not yet heard of its own service.
const refusals = 5

// persist does work until it succeeds or there is no hope. Each attempt begins with a look at what is there, as does the first
// attempt after a run that was killed; so nothing is done twice, and what was under way when an answer got lost does no harm.
func (s *session) persist(ctx context.Context, timeout time.Duration, work func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	refused := 0
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = 30 * time.Second
	var last error
	_, err := backoff.Retry(limited, func() (any, error) {
		err := work(limited)
		if limited.Err() == nil || last == nil {
			last = err
		}
		return nil, hope(err, &refused)
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(timeout), backoff.WithNotify(func(err error, wait time.Duration) {
		s.log.Warn("trying again", "in", wait.Round(10*time.Millisecond), "because", sentence(last))
	}))
	var soon *busy
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("it was told to stop before it was done; the next run goes on from there")
	case errors.As(last, &soon) || limited.Err() != nil:
		return fmt.Errorf("it could not be done within %s (%s): look at https://www.fastlystatus.com, "+
			"the next run goes on from there", timeout, patience(last))
	}
	return last
}

// hope says how to go on after an error: later, when Fastly says so or soon, or not at all.
func hope(err error, refused *int) error {
	var soon *busy
	var no *refusal
	switch {
	case errors.As(err, &soon) && time.Until(soon.until) > 0:
		return errors.Join(err, &backoff.RetryAfterError{Duration: time.Until(soon.until)})
	case errors.As(err, &soon):
		return err
	case errors.As(err, &no) && *refused < refusals-1:
		*refused++
		return err
	}
	return backoff.Permanent(err)
}

// patience tells why there was no success, and for how long Fastly wants to be left alone.
func patience(err error) string {
	var soon *busy
	if errors.As(err, &soon) && time.Until(soon.until) > 0 {
		return soon.why + " and wants to be left alone until " + day(soon.until)
	}
	return sentence(err)
}

// sentence is an error in one line.
func sentence(err error) string {
	if err == nil {
		return "no answer"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
