package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"lke-platform/cmd/report/plan"
)

// operation is what one run of Pulumi's came to.
type operation struct {
	plan *plan.Plan
	// err is Pulumi's own, an exec.ExitError; output is what it printed.
	err    error
	output string
}

// watch runs Pulumi, shows what it prints, and reads what its engine told. The error is one of this program's.
func watch(ctx context.Context, arguments ...string) (*operation, error) {
	folder, err := os.MkdirTemp("", "report-")
	if err != nil {
		return nil, fmt.Errorf("making room for the event log: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	log := filepath.Join(folder, "events.jsonl")
	// A Ctrl-C reaches Pulumi too, which ends in good order then; there is a report of it all the same.
	interrupts := make(chan os.Signal, 1) // caught and not ignored, which Pulumi would inherit
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	command := exec.CommandContext(ctx, "pulumi", append(arguments, "--event-log", log)...)
	var output bytes.Buffer
	// Without the variable the CLI does not know its option --event-log, which the Automation API uses in the same way.
	command.Env = append(os.Environ(), "PULUMI_DEBUG_COMMANDS=true")
	command.Stdin = os.Stdin
	command.Stdout, command.Stderr = io.MultiWriter(os.Stdout, &output), io.MultiWriter(os.Stderr, &output)
	o := &operation{err: command.Run()}
	o.output = output.String()
	var ended *exec.ExitError
	if o.err != nil && !errors.As(o.err, &ended) {
		return nil, fmt.Errorf("running pulumi: %w", o.err)
	}
	events, err := os.Open(log)
	if errors.Is(err, os.ErrNotExist) { // it failed before its engine began
		o.plan, err = plan.Read(bytes.NewReader(nil))
		return o, err
	}
	if err != nil {
		return nil, fmt.Errorf("opening the event log: %w", err)
	}
	defer func() { _ = events.Close() }()
	o.plan, err = plan.Read(events)
	return o, err
}
