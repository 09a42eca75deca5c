package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/rendered"
)

// rehearsal writes what a rehearsal found. One that failed before it found anything has no summary.
func rehearsal(_ context.Context, arguments []string) error {
	t, err := parse("rehearsal", arguments)
	if err != nil {
		return err
	}
	report := &markdown.Rehearsal{Stack: t.stack}
	content, err := os.ReadFile(summaryFile(t.stack))
	if err == nil {
		err = json.Unmarshal(content, report)
	}
	if err != nil {
		report.Result = fmt.Sprintf("did not get as far as a summary (%v)", err)
	}
	if report.Rendered, err = rendered.Read(t.stack); err != nil {
		report.Warnings = append(report.Warnings, err.Error())
	}
	return t.write(report.String())
}
