package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"lke-platform/cmd/report/markdown"
)

// changesFound is how Pulumi ends where changes are not expected and there are some.
const changesFound = 7

// errDrift says that something differs, or could not be compared.
var errDrift = errors.New("cloud, state and program do not agree")

// drift compares the cloud with the state, and the program with the cloud, both in one preview that looks at the cloud first. The
// program runs before that look, since it holds the credentials.
func drift(ctx context.Context, arguments []string) error {
	t, err := parse("drift", arguments)
	if err != nil {
		return err
	}
	o, err := watch(ctx, append([]string{"preview", "--refresh", "--run-program", "--expect-no-changes"}, t.options...)...)
	if err != nil {
		return err
	}
	var ended *exec.ExitError
	report := &markdown.Drift{
		Stack: t.stack, Plan: o.plan, Output: o.output, Differs: o.err != nil,
		Failed: errors.As(o.err, &ended) && ended.ExitCode() != changesFound,
	}
	if err := t.write(report.String()); err != nil {
		return err
	}
	fmt.Printf("\n%s: %s\nThe whole report is in %s\n", report.Title(), markdown.Text(report.Verdict()), t.to)
	if !report.Nothing() {
		return errDrift
	}
	return nil
}
