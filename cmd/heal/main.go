// Command heal puts in order what a run left that was killed while it made something: the cloud has it, and the state does not.
// `make heal` calls it, and docs/interrupted.md describes it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	h := &healing{in: os.Stdin, out: os.Stdout}
	flag.StringVar(&h.stack, "stack", "", "the stack")
	flag.BoolVar(&h.yes, "yes", false, "ask nobody")
	flag.Parse()
	h.options = flag.Args() // of pulumi preview
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := h.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "heal:", err)
		os.Exit(1)
	}
}

// healing is one attempt to put a stack in order.
type healing struct {
	stack   string
	yes     bool
	options []string

	in     io.Reader
	out    io.Writer
	clouds *clouds
}

// run finds what is to be done, tells it, and does it once somebody agrees. The error is that something could not be looked up or
// done; nothing was changed unless it says so.
func (h *healing) run(ctx context.Context) error {
	var err error
	if h.clouds, err = newClouds(); err != nil {
		return err
	}
	state, err := readState(ctx, h.stack)
	if err != nil {
		return err
	}
	p, err := h.plan(ctx, state)
	if err != nil {
		return err
	}
	for _, line := range p.notes {
		h.say("%s", line)
	}
	if p.isEmpty() {
		h.say("nothing is to be put in order; go on with: make up STACK=%s", h.stack)
		return nil
	}
	if !h.agreed() {
		return errors.New("nothing was changed")
	}
	if err := h.carryOut(ctx, state, p); err != nil {
		return err
	}
	h.say("done; go on with: make up STACK=%s", h.stack)
	return nil
}

// carryOut writes the state first, for which Pulumi takes the lock: what somebody else is making meanwhile is none of ours.
func (h *healing) carryOut(ctx context.Context, state *state, p *plan) error {
	if err := state.write(ctx, h.stack, p.found); err != nil {
		return err
	}
	for _, path := range p.useless {
		if err := h.clouds.linode.Delete(ctx, path); err != nil {
			return fmt.Errorf("deleting %s, after which this can be run again: %w", path, err)
		}
	}
	return nil
}

// agreed asks whether to do what was told.
func (h *healing) agreed() bool {
	if h.yes {
		return true
	}
	_, _ = fmt.Fprint(h.out, "Do that? Type yes: ")
	answer, _ := bufio.NewReader(h.in).ReadString('\n')
	return strings.TrimSpace(answer) == "yes"
}

func (h *healing) say(format string, values ...any) {
	_, _ = fmt.Fprintf(h.out, "heal: %s\n", fmt.Sprintf(format, values...))
}
