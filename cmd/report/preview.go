package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"lke-platform/cmd/report/cost"
	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/plan"
	"lke-platform/cmd/report/rendered"
)

// preview runs a preview and writes what a reviewer of it has to know.
func preview(ctx context.Context, arguments []string) error {
	t, err := parse("preview", arguments)
	if err != nil {
		return err
	}
	asked := make(chan *cost.Prices, 1)
	go func() { asked <- prices(ctx) }()
	o, err := watch(ctx, append([]string{"preview"}, t.options...)...)
	if err != nil {
		return err
	}
	objects, err := rendered.Read(t.stack)
	if err != nil {
		o.plan.Lacks = append(o.plan.Lacks, err.Error())
	}
	report := &markdown.Preview{
		Stack: t.stack, Plan: o.plan, Failed: o.err != nil, Output: o.output, Rehearsed: rehearsed(t.stack), Rendered: objects,
		Prices: <-asked,
	}
	if err := t.write(report.String()); err != nil {
		return err
	}
	fmt.Printf("\n%s: %s\nThe whole report is in %s\n", report.Title(), markdown.Text(report.Verdict()), t.to)
	return o.err
}

func (t *target) write(text string) error {
	if err := os.MkdirAll(filepath.Dir(t.to), 0o755); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(t.to, []byte(withoutOwnSecrets(text)), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// secretVariable is what variables are called that hold what Pulumi is given to work with.
var secretVariable = regexp.MustCompile(`(?i)(token|key|secret|password|passphrase)`)

// withoutOwnSecrets takes the credentials that Pulumi works with from a text, wherever they got into it.
func withoutOwnSecrets(text string) string {
	const least = 8 // what is shorter is no secret, and part of words
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if secretVariable.MatchString(name) && len(value) >= least {
			text = strings.ReplaceAll(text, value, plan.Hidden)
		}
	}
	return text
}

// prices are those that Linode asks for today or, where it does not answer, those that are recorded.
func prices(ctx context.Context) *cost.Prices {
	if asked, err := cost.Ask(ctx, linodeAPI()); err == nil {
		return asked
	}
	recorded, err := cost.Recorded()
	if err != nil { // a test reads it
		return &cost.Prices{}
	}
	return recorded
}

// rehearsed are the seconds that types of resources took at most in the last rehearsal of a stack here, if there was one.
func rehearsed(stack string) map[string]float64 {
	content, err := os.ReadFile(summaryFile(stack))
	var summary struct {
		Operations []struct {
			Steps []struct {
				URN        string
				Begin, End time.Time
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(content, &summary)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "report: the last rehearsal cannot be read:", err)
	}
	longest := map[string]float64{}
	for _, operation := range summary.Operations {
		for _, step := range operation.Steps {
			kind := plan.TypeOf(step.URN)
			longest[kind] = max(longest[kind], step.End.Sub(step.Begin).Seconds())
		}
	}
	return longest
}

func summaryFile(stack string) string { return filepath.Join(".rehearsal", stack, "summary.json") }

// priceList is where the list is recorded that comes with the program.
const priceList = "cmd/report/cost/prices.json"

// recordPrices has the program know what Linode asks today.
func recordPrices(ctx context.Context, _ []string) error {
	asked, err := cost.Ask(ctx, linodeAPI())
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(asked, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the list of prices: %w", err)
	}
	if err := os.WriteFile(priceList, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the list of prices: %w", err)
	}
	return nil
}

func linodeAPI() string { return cmp.Or(os.Getenv("LINODE_URL"), "https://api.linode.com/v4") }
