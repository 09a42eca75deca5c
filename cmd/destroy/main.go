// Command destroy deletes a stack, one that was in use too, and tells what stays, why, what that costs and how to delete it.
// `make destroy` calls it, and docs/destroy.md describes it.
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
	"time"

	"lke-platform/cmd/report/cost"
	"lke-platform/internal/cloud"
)

func main() {
	d := &destruction{in: os.Stdin, out: os.Stdout}
	flag.StringVar(&d.stack, "stack", "", "the stack")
	flag.BoolVar(&d.empty, "empty", false, "empty the stack's buckets, so that they can be deleted")
	flag.BoolVar(&d.unreachable, "unreachable", false, "delete a cluster whose API does not answer, with all that is inside")
	flag.DurationVar(&d.patience, "patience", 3*time.Minute, "how long an operator has to let go of what is being deleted")
	flag.StringVar(&d.certsync, "certsync", "go run ./cmd/certsync", "the command that takes certificates from Fastly")
	flag.Parse()
	d.options = flag.Args() // of pulumi destroy
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := d.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "destroy:", err)
		os.Exit(1)
	}
}

// destruction is one attempt to delete a stack.
type destruction struct {
	stack              string
	options            []string
	empty, unreachable bool
	patience           time.Duration
	certsync           string

	in     io.Reader
	out    io.Writer
	linode cloud.API
	prices *cost.Prices
}

// account is the name that the stack has in the accounts at Linode and Fastly.
func (d *destruction) account() string { return "lke-platform-" + d.stack }

// again is the command that goes on, or does more.
func (d *destruction) again(variables ...string) string {
	return strings.Join(append([]string{"make destroy STACK=" + d.stack}, variables...), " ")
}

// run shows what goes, deletes it once the stack's name is typed, and tells what stays. The error is that something stays that
// should not.
func (d *destruction) run(ctx context.Context) error {
	if os.Getenv("LINODE_TOKEN") == "" {
		return errors.New("LINODE_TOKEN is not set")
	}
	d.linode = cloud.Linode()
	var err error
	if d.prices, err = d.askPrices(ctx); err != nil {
		return err
	}
	u, err := d.survey(ctx)
	if err != nil {
		return err
	}
	if err := d.pulumi(u, "--preview-only"); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	d.tell(u)
	if !d.agreed() {
		return errors.New("nothing was deleted")
	}
	left, failed := d.passes(ctx, u)
	if ctx.Err() != nil {
		return fmt.Errorf("it was interrupted; docs/interrupted.md says what to do before: %s", d.again())
	}
	return errors.Join(failed, d.conclude(ctx, u, left))
}

// askPrices takes the list that comes with the program where Linode does not tell.
func (d *destruction) askPrices(ctx context.Context) (*cost.Prices, error) {
	if prices, err := cost.Ask(ctx, d.linode.URL); err == nil {
		return prices, nil
	}
	return cost.Recorded()
}

// agreed asks for the name of the stack.
func (d *destruction) agreed() bool {
	_, _ = fmt.Fprint(d.out, "This cannot be undone. To delete all of that, type the name of the stack: ")
	answer, _ := bufio.NewReader(d.in).ReadString('\n')
	return strings.TrimSpace(answer) == d.stack
}

func (d *destruction) say(format string, values ...any) {
	_, _ = fmt.Fprintf(d.out, format+"\n", values...)
}
