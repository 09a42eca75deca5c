// Command alerts tells whether alerts arrive: it has Alertmanager send one of each severity to every receiver. `make alert-test`
// calls it, and docs/components/monitoring.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	stack := flag.String("stack", "", "the stack, which has been brought up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *stack)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "alerts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stack string) (err error) {
	cluster, err := reach(ctx, stack)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.leave()) }()
	address, err := cluster.forward(ctx)
	if err != nil {
		return err
	}
	test := &trial{
		alertmanager: alertmanager{address: address, log: cluster.log},
		out:          os.Stdout, pause: 2 * time.Second, patience: 2 * time.Minute,
	}
	return test.run(ctx)
}
