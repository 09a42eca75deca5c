package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
)

// rehearse previews the stack, brings it up, brings it up again to see that nothing changes, and sums up.
func rehearse(ctx context.Context, o options, console *console, world *world) error {
	stack, madeUp, err := newStack(ctx, o, world)
	if err != nil {
		return err
	}
	if !o.sandbox {
		// It is soon made anew when it is killed. With its state written once, and not twice for each resource, it takes two
		// thirds of the time.
		stack.Workspace().SetEnvVar("PULUMI_SKIP_CHECKPOINTS", "true")
	}
	summary := newSummary(o, world, madeUp)
	err = runSteps(ctx, o, console, stack, summary, world)
	if err == nil {
		err = summary.survey(ctx, stack, world)
	}
	if err != nil {
		summary.Result = "failed"
	}
	return errors.Join(err, summary.publish(console, o))
}

// runSteps looks at the cloud first and runs the program for that, as `make preview` and `make up` do: where a rehearsal is
// resumed, the cloud may have been changed by hand, and the cluster may have moved to another port.
func runSteps(
	ctx context.Context, o options, console *console, stack auto.Stack, summary *summary, world *world,
) error {
	preview, events := watch("preview", 0, console)
	_, err := stack.Preview(ctx, optpreview.EventStreams(events), optpreview.SuppressProgress(),
		optpreview.Refresh(), optpreview.RunProgram(true))
	preview.finish()
	summary.record(preview)
	if err != nil {
		return preview.failure(err, world.logs(o))
	}
	console.tell("preview: %d resources to be created, %d to be changed otherwise",
		preview.created(), preview.changed()-preview.created())

	up, err := bringUpUnlessDoomed(ctx, stack, preview.works(), console, world)
	summary.record(up)
	summary.recordUp(up)
	if err != nil {
		return up.failure(err, world.logs(o))
	}
	again, err := bringUp(ctx, stack, "again", 0, console)
	summary.record(again)
	summary.Again.Changed = again.changed()
	if err != nil {
		return again.failure(err, world.logs(o))
	}
	return again.mustBeEmpty()
}

// bringUpUnlessDoomed ends early where the world knows that it cannot succeed, and says why.
func bringUpUnlessDoomed(
	ctx context.Context, stack auto.Stack, total int, console *console, world *world,
) (*operation, error) {
	ctx, end := world.unlessDoomed(ctx)
	defer end()
	up, err := bringUp(ctx, stack, "up", total, console, optup.Refresh(), optup.RunProgram(true))
	if why := new(doom); err != nil && errors.As(context.Cause(ctx), why) {
		up.errors = append([]string{why.Error()}, up.errors...)
	}
	return up, err
}

func bringUp(
	ctx context.Context, stack auto.Stack, name string, total int, console *console, options ...optup.Option,
) (*operation, error) {
	console.say("%s: running", name)
	operation, events := watch(name, total, console)
	_, err := stack.Up(ctx, append(options, optup.EventStreams(events), optup.SuppressProgress())...)
	operation.finish()
	if err == nil {
		console.tell("%s: %d resources changed in %.1fs", name, operation.changed(), operation.took.Seconds())
	}
	return operation, err
}

// mustBeEmpty refuses a second run that changes something: what is not stable then would change on every `pulumi up`.
func (o *operation) mustBeEmpty() error {
	var changes []string
	for _, s := range o.sorted() {
		changes = append(changes, s.String())
	}
	if len(changes) == 0 {
		return nil
	}
	return fmt.Errorf("a second `pulumi up` over an unchanged program changed %d resources:\n  %s",
		len(changes), strings.Join(changes, "\n  "))
}
