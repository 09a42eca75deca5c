package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"lke-platform/cmd/internal/command"
)

// lately is how many releases the newest is compared with, itself among them.
const lately = 10

// released begins what Pulumi is told of a release, and so its history.
const released = "Release "

// compare tells how long the version took to all traffic beside those before it, here and on the page of the workflow's run. It
// fails nothing: the version is there.
func (r *release) compare(ctx context.Context, took time.Duration) {
	text := fmt.Sprintf("all traffic after %.1f s", took.Seconds())
	if times, err := r.times(ctx); err != nil {
		text += fmt.Sprintf("; what it took before cannot be told: %v", err)
	} else {
		text += fmt.Sprintf("; median of the last %d: %.0f s", len(times), median(times).Seconds())
	}
	r.say("%s", text)
	page := os.Getenv("GITHUB_STEP_SUMMARY")
	if page == "" {
		return
	}
	file, err := os.OpenFile(page, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s on %s: %s\n", r.image, r.stack, text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		r.say("the page of the run does not show it: %v", err)
	}
}

// times is how long the last releases took from their digest to all traffic, the newest first. Pulumi keeps them with the state.
func (r *release) times(ctx context.Context) ([]time.Duration, error) {
	text, err := command.Output(ctx, nil, "pulumi", "stack", "history", "--json", "--page-size", "100", "--stack", r.stack)
	if err != nil {
		return nil, err
	}
	var updates []struct {
		Kind, Message, Result string
		StartTime, EndTime    time.Time
	}
	if err := json.Unmarshal(text, &updates); err != nil {
		return nil, fmt.Errorf("what Pulumi keeps of the stack: %w", err)
	}
	var times []time.Duration
	for _, update := range updates {
		wentWell := update.Kind == "update" && update.Result == "succeeded"
		match := subject.FindStringSubmatch(update.Message)
		if wentWell && match != nil && match[1] != "" && match[3] == r.target() && len(times) < lately {
			times = append(times, update.EndTime.Sub(update.StartTime))
		}
	}
	if len(times) == 0 {
		return nil, errors.New("there is no release in the stack's history")
	}
	return times, nil
}

// median is the one in the middle, or halfway between the two there.
func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
