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

	"lke-platform/tests/rehearsal/engine"
	"lke-platform/tests/rehearsal/fastly"
)

func main() {
	os.Exit(command(os.Args[1:]))
}

// command does what the arguments say and returns the exit status.
func command(arguments []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), engine.Endings...)
	defer stop()
	o, err := parseFlags(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && o.clean:
		err = clean(o.root)
	case err == nil:
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nrehearsal failed: %v\n", err)
		if o.resume {
			// What was being made when one crashed is in the cloud and not in the engine's state, for instance.
			fmt.Fprintln(os.Stderr, "where it cannot go on from what the last one left: without RESUME=1 it starts afresh")
		}
		return 1
	}
	return 0
}

// options are what the command line says.
type options struct {
	root    string // the repository
	stack   string
	resume  bool // go on with what the last rehearsal left
	sandbox bool // keep everything running
	clean   bool // remove what rehearsals of all stacks left
	verbose bool // show every line
	live    bool // nodes run containers
	// images is a folder of images for them, beside those that are made here.
	images string
	// plugins is a folder of the providers' plugins; empty for none but the user's own.
	plugins string
	// fastlyAccount is the sort of account at Fastly, see fastly.AccountOf.
	fastlyAccount string
}

// dir holds all that the rehearsal of the stack leaves.
func (o options) dir() string { return filepath.Join(o.root, ".rehearsal", o.stack) }

// temporary holds what programs leave in their folder for temporary files, until the rehearsal ends.
func (o options) temporary() string { return filepath.Join(o.dir(), "tmp") }

// imageFolders are the folders of images for the machines of a live rehearsal.
func (o options) imageFolders() []string {
	var folders []string
	if made := filepath.Join(o.root, ".bin", "images"); isFolder(made) {
		folders = append(folders, made)
	}
	if o.images != "" {
		folders = append(folders, o.images)
	}
	return folders
}

func isFolder(path string) bool {
	found, err := os.Stat(path)
	return err == nil && found.IsDir()
}

// machinePrograms has what the machines of a live rehearsal run.
func (o options) machinePrograms() string { return filepath.Join(o.root, ".bin", "live") }

func (o options) stackFile() string { return filepath.Join(o.root, "Pulumi."+o.stack+".yaml") }

func (o options) summaryFile() string { return filepath.Join(o.dir(), "summary.json") }

// linesFile is the log of what a console says.
func (o options) linesFile() string { return filepath.Join(o.dir(), "logs", "rehearsal.log") }

func (o options) reportFile() string { return filepath.Join(o.dir(), "report.html") }

func parseFlags(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	flags.StringVar(&o.stack, "stack", "staging", "stack whose file is rehearsed")
	flags.BoolVar(&o.resume, "resume", false, "go on with the simulated cloud that the last rehearsal left")
	flags.BoolVar(&o.sandbox, "sandbox", false, "keep everything running for other programs")
	flags.StringVar(&o.fastlyAccount, "fastly-account", fastly.Usual, "sort of account at Fastly, for instance new or trial")
	flags.StringVar(&o.plugins, "plugins", "", "folder of the providers' plugins, for who has none of them")
	flags.BoolVar(&o.verbose, "v", false, "show every line of what happens, and all of the summary")
	flags.BoolVar(&o.live, "live", false, "have nodes run containers, which takes Linux and root")
	flags.StringVar(&o.images, "images", os.Getenv("REHEARSE_IMAGES"), "folder of images for them, OCI layouts or archives")
	flags.BoolVar(&o.clean, "clean", false, "only remove what rehearsals left, of all stacks")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	root, err := os.Getwd()
	if err != nil {
		return o, fmt.Errorf("finding the repository: %w", err)
	}
	o.root = root
	if o.plugins != "" {
		o.plugins = filepath.Join(root, o.plugins)
	}
	if _, err := os.Stat(o.stackFile()); err != nil && !o.clean {
		return o, fmt.Errorf("stack %q: there is no %s (run from the top of the repository; STACK=<name> chooses the stack)",
			o.stack, filepath.Base(o.stackFile()))
	}
	return o, nil
}

// run rehearses the stack; a sandbox then stays until it is interrupted.
func run(ctx context.Context, o options) error {
	lock, err := o.claim()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := o.tidy(); err != nil {
		return err
	}
	console, err := openConsole(o)
	if err != nil {
		return err
	}
	defer console.close()
	console.tell("rehearsing stack %s: the real engine and Kubernetes, simulated Linode and Fastly", o.stack)
	world, err := startWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		console.tell("stopping everything that was started")
		if err := world.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	console.tell("simulated Linode at %s with its name server at %s, Fastly at %s; %s",
		world.linodeURL, world.nameServer, world.fastlyURL, world.pluginsInUse())
	err = rehearse(ctx, o, console, world)
	if err == nil && o.sandbox {
		err = keep(ctx, o, console, world)
	}
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
