package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// severities are those that the platform's alerts have, the gravest first.
var severities = []string{"critical", "warning"}

// nobody is the receiver of what has no other.
const nobody = "null"

// lifetime is when a test alert ends by itself.
const lifetime = 10 * time.Minute

// trial has Alertmanager tell its receivers of alerts that are none.
type trial struct {
	alertmanager
	stack string
	out   io.Writer
	// pause is the time between two looks, and patience how long receivers may take.
	pause, patience time.Duration
}

// answer is what a receiver made of the messages that it was given.
type answer struct {
	way
	severities []string
	count
}

// missing says whether a message was not taken.
func (a *answer) missing() bool { return a.taken() < len(a.severities) }

// run sends the alerts, waits for the answers, and ends the alerts. The error is what does not arrive.
func (t *trial) run(ctx context.Context) (err error) {
	before, err := t.counts(ctx)
	if err != nil {
		return err
	}
	alerts := testAlerts(t.stack, time.Now())
	if err := t.post(ctx, alerts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end(context.WithoutCancel(ctx), alerts)) }()
	t.say("One alert of each severity is sent: %s. Receivers are told within a minute.", strings.Join(severities, ", "))
	told, err := t.told(ctx, alerts)
	if err != nil {
		return err
	}
	answers, err := t.await(ctx, before, told)
	if err != nil {
		return err
	}
	t.print(answers, t.reasons(ctx))
	return judge(told, answers)
}

// testAlerts are of a group each, which was never there before: what is new in a group is told minutes later.
func testAlerts(stack string, now time.Time) (alerts []*alert) {
	for _, severity := range severities {
		alerts = append(alerts, &alert{
			Labels: map[string]string{
				"alertname": "AlertTest", "severity": severity, "stack": stack,
				"namespace": fmt.Sprintf("test-%s-%d", severity, now.UnixMilli()),
			},
			Annotations: map[string]string{
				"summary":     "This is a test, of severity " + severity,
				"description": "Somebody wants to know whether alerts arrive. Nothing is wrong.",
				"impact":      "Nothing.",
			},
			StartsAt: now, EndsAt: now.Add(lifetime),
		})
	}
	return alerts
}

// end has the alerts be over.
func (t *trial) end(ctx context.Context, alerts []*alert) error {
	for _, alert := range alerts {
		alert.EndsAt = time.Now()
	}
	if err := t.post(ctx, alerts); err != nil {
		return fmt.Errorf("the alerts are not ended, and end by themselves in %s: %w", lifetime, err)
	}
	t.say("The alerts are over; receivers are told that within five minutes.")
	return nil
}

// told are the severities that each receiver is told of.
func (t *trial) told(ctx context.Context, alerts []*alert) (map[string][]string, error) {
	told := map[string][]string{}
	for _, sent := range alerts {
		routed, err := t.find(ctx, sent)
		if err != nil {
			return nil, err
		}
		for _, receiver := range routed.Receivers {
			told[receiver.Name] = append(told[receiver.Name], sent.Labels["severity"])
		}
	}
	return told, nil
}

// await looks until every message is taken, or patience is at an end.
func (t *trial) await(ctx context.Context, before map[way]count, told map[string][]string) ([]*answer, error) {
	for deadline := time.Now().Add(t.patience); ; {
		now, err := t.counts(ctx)
		if err != nil {
			return nil, err
		}
		var answers []*answer
		for _, to := range slices.SortedFunc(maps.Keys(now), way.compare) {
			if severities := told[to.receiver]; len(severities) > 0 {
				answers = append(answers, &answer{to, severities, now[to].since(before[to])})
			}
		}
		if !slices.ContainsFunc(answers, (*answer).missing) || time.Now().After(deadline) {
			return answers, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(t.pause):
		}
	}
}

// print says what each receiver answered, and why where Alertmanager has said it.
func (t *trial) print(answers []*answer, reasons map[way]string) {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "RECEIVER\tWAY\tIS TOLD OF\tANSWER")
	for _, a := range answers {
		said := "took it"
		switch {
		case a.missing() && a.refused > 0:
			said = "refused: " + cmp.Or(reasons[a.way], "the log of Alertmanager says why")
		case a.missing():
			said = "none yet"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.receiver, a.kind, strings.Join(a.severities, ", "), said)
	}
	_ = table.Flush()
}

// judge is an error that names whom alerts do not reach, and which alerts reach nobody.
func judge(told map[string][]string, answers []*answer) error {
	var faults []error
	heard, answered := map[string]bool{}, map[string]bool{nobody: true}
	for _, a := range answers {
		answered[a.receiver] = true
		if a.missing() {
			faults = append(faults, fmt.Errorf("%s (%s) took %d of %d messages",
				a.receiver, a.kind, a.taken(), len(a.severities)))
		}
	}
	for _, receiver := range slices.Sorted(maps.Keys(told)) {
		for _, severity := range told[receiver] {
			heard[severity] = heard[severity] || receiver != nobody
		}
		if !answered[receiver] {
			faults = append(faults, fmt.Errorf("what %s answers is not told by Alertmanager; it is after: make up", receiver))
		}
	}
	for _, severity := range severities {
		if !heard[severity] {
			faults = append(faults, fmt.Errorf("nobody is told of what is %s: name one in monitoring.alerts.receivers", severity))
		}
	}
	return errors.Join(faults...)
}

func (t *trial) say(format string, values ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", values...) }
