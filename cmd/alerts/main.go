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

	"lke-platform/cmd/internal/cluster"
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
	reached, err := cluster.Reach(ctx, stack)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reached.Leave()) }()
	address, err := reached.Forward(ctx, cluster.Alertmanager)
	if err != nil {
		return err
	}
	test := &trial{
		alertmanager: alertmanager{address: address, log: logOf(reached)},
		stack:        stack, out: os.Stdout, pause: 2 * time.Second, patience: 2 * time.Minute,
	}
	return test.run(ctx)
}

// logOf is what a cluster's Alertmanager has said in the last minutes.
func logOf(reached *cluster.Cluster) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return reached.Kubectl(ctx, "--namespace", cluster.Alertmanager.Namespace, "logs", "--selector",
			"app.kubernetes.io/name=alertmanager", "--container", "alertmanager", "--since", "5m", "--tail", "-1")
	}
}
