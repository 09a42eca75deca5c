package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"lke-platform/cmd/internal/command"
)

// errLocked says that another run is at work, so that this one has changed nothing.
var errLocked = errors.New("another run holds the stack's lock; wait for it, or if it is gone: pulumi cancel")

// commit changes the version in the stack file, and keeps that in a commit of nothing else. Without the commit the file stays
// as it was: it says what runs.
func (r *release) commit(ctx context.Context, image, message string) error {
	before := r.file.image
	if err := r.file.put(image); err != nil {
		return err
	}
	if _, err := command.Output(ctx, nil, "git", "commit", "--quiet", "--message", message, "--", r.file.path); err != nil {
		return errors.Join(fmt.Errorf("committing %s: %w", r.file.path, err), r.file.put(before))
	}
	return nil
}

// publish pushes the commits. Somebody else may have been faster: their changes are of other lines.
func (r *release) publish(ctx context.Context) error {
	if !r.push {
		return nil
	}
	var err error
	for range 3 {
		if _, err = command.Output(ctx, nil, "git", "push", "--quiet"); err == nil {
			return nil
		}
		if _, err := command.Output(ctx, nil, "git", "pull", "--quiet", "--rebase"); err != nil {
			return fmt.Errorf("main has moved, and %s in it too; what runs is %s: %w", r.file.path, r.file.image, err)
		}
	}
	return fmt.Errorf("main does not name what runs, %s: %w", r.file.image, err)
}

// up has the cluster run what the stack file says. It waits for the release command and for every replica, but no longer than
// Kubernetes does. The error is what Pulumi says that failed.
func (r *release) up(ctx context.Context, message string) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	before, _ := r.stuck(ctx) // nil where it cannot be asked
	go r.lookOut(ctx, before, giveUp)
	arguments := append([]string{"up", "--yes", "--skip-preview", "--non-interactive", "--message", message}, r.options...)
	command := exec.CommandContext(ctx, "pulumi", arguments...)
	// It ends by itself when it is interrupted, and leaves nothing half done: nobody else may stop it.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 30 * time.Minute
	said := &bytes.Buffer{}
	command.Stdout, command.Stderr = io.MultiWriter(r.out, said), io.MultiWriter(r.out, said)
	err := command.Run()
	var given *stuckError
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &given):
		return fmt.Errorf("%w\n%s", given, diagnostics(said.String()))
	case strings.Contains(said.String(), "is currently locked by"):
		return errLocked
	}
	if words := diagnostics(said.String()); words != "" {
		return errors.New(words)
	}
	return fmt.Errorf("pulumi up: %w", err)
}

// diagnostics are what Pulumi says of the resources that failed, at the end of its output, without what it only warns of.
func diagnostics(output string) string {
	var words []string
	inside := false
	for line := range strings.Lines(output) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "Diagnostics:"):
			inside = true
		case line != "" && !strings.HasPrefix(line, " "):
			inside = false
		case inside && strings.TrimSpace(line) != "" && !strings.Contains(line, "warning: "):
			words = append(words, line)
		}
	}
	return strings.Join(words, "\n")
}
