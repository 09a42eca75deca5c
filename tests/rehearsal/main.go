// Command rehearse runs the platform's program with the real Pulumi engine against a real Kubernetes control plane and
// simulated Linode and Fastly APIs, all on the loopback interface. `make rehearse` and `make sandbox` call it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	options, err := parseFlags(os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, options)
		stop()
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nrehearsal failed: %v\n", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	root    string // the repository
	stack   string
	resume  bool // go on with what the last rehearsal left
	sandbox bool // keep everything running
}

// dir holds all that the rehearsal of the stack leaves.
func (o options) dir() string { return filepath.Join(o.root, ".rehearsal", o.stack) }

func parseFlags(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	flags.StringVar(&o.stack, "stack", "staging", "stack whose file is rehearsed")
	flags.BoolVar(&o.resume, "resume", false, "go on with the simulated cloud that the last rehearsal left")
	flags.BoolVar(&o.sandbox, "sandbox", false, "keep everything running for other programs")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	root, err := os.Getwd()
	if err != nil {
		return o, fmt.Errorf("finding the repository: %w", err)
	}
	o.root = root
	if _, err := os.Stat(o.stackFile()); err != nil {
		return o, fmt.Errorf("stack %q: there is no %s (run from the top of the repository; STACK=<name> chooses the stack)",
			o.stack, filepath.Base(o.stackFile()))
	}
	return o, nil
}

func (o options) stackFile() string { return filepath.Join(o.root, "Pulumi."+o.stack+".yaml") }

// run rehearses the stack; a sandbox then stays until it is interrupted.
func run(ctx context.Context, o options) error {
	if !o.resume {
		if err := os.RemoveAll(o.dir()); err != nil {
			return fmt.Errorf("clearing the last rehearsal: %w", err)
		}
	}
	console := newConsole(os.Stdout)
	console.say("rehearsing stack %s: the real engine and Kubernetes, simulated Linode and Fastly", o.stack)
	world, err := startWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		console.say("stopping everything that was started")
		if err := world.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	console.say("simulated Linode at %s, Fastly at %s; %s", world.linodeURL, world.fastlyURL, world.pluginsInUse())
	err = rehearse(ctx, o, console, world)
	if err == nil && o.sandbox {
		err = keep(ctx, o, console, world)
	}
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
