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

// drift compares the cloud with the state, and the program with the cloud. The program runs for both: it holds the credentials.
func drift(ctx context.Context, arguments []string) error {
	t, err := parse("drift", arguments)
	if err != nil {
		return err
	}
	report := &markdown.Drift{Stack: t.stack}
	for _, c := range []struct {
		*markdown.Comparison
		name      string
		arguments []string
	}{
		{&report.Cloud, "the cloud against the state", []string{"refresh", "--preview-only"}},
		{&report.Program, "the program against the cloud", []string{"preview", "--refresh"}},
	} {
		fmt.Printf("== %s\n", c.name)
		o, err := watch(ctx, append(append(c.arguments, "--run-program", "--expect-no-changes"), t.options...)...)
		if err != nil {
			return err
		}
		var ended *exec.ExitError
		c.Plan, c.Output = o.plan, o.output
		c.Failed = errors.As(o.err, &ended) && ended.ExitCode() != changesFound
		c.Differs = o.err != nil
	}
	if err := t.write(report.String()); err != nil {
		return err
	}
	fmt.Printf("\n%s: %s\nThe whole report is in %s\n", report.Title(), markdown.Text(report.Verdict()), t.to)
	if report.Cloud.Differs || report.Program.Differs {
		return errDrift
	}
	return nil
}
