// Command release brings a version of the app to a stack, and takes it back if it does not do well. `make release` calls it, from
// the top of the repository, and docs/components/delivery.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	r := &release{
		out: os.Stdout, every: 15 * time.Second, pause: 2 * time.Second, trialTime: 2 * time.Minute, begin: time.Now(),
		visitor: http.DefaultTransport,
	}
	flag.StringVar(&r.stack, "stack", "", "the stack, whose file names the version")
	flag.StringVar(&r.app, "app", "", "the app, by its name; without one the first")
	flag.StringVar(&r.image, "image", "", "the version, by its digest: name@sha256:…")
	flag.DurationVar(&r.watched, "watch", 3*time.Minute, "how long the origin's errors are watched afterwards")
	flag.Float64Var(&r.objective, "errors", 1, "how many of a hundred requests the origin may answer with an error meanwhile")
	flag.BoolVar(&r.push, "push", false, "push the commits too")
	keep := flag.Bool("keep", false, "release nothing, but name the version that was released since this commit")
	flag.Parse()
	r.options = flag.Args() // of pulumi up
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	do := r.run
	if *keep {
		do = r.keep
	}
	err := do(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one attempt to bring a version to a stack.
type release struct {
	stack, app, image string
	options           []string
	watched           time.Duration
	every             time.Duration // from one look to the next
	objective         float64
	push              bool
	// visitor is the way that visitors come; a candidate is asked after each pause, for so long at most.
	visitor          http.RoundTripper
	pause, trialTime time.Duration

	out   *os.File
	file  *stackFile
	begin time.Time
}

// run brings the version, and where it does not do well the one before, so that cluster and stack file agree either way.
func (r *release) run(ctx context.Context) (err error) {
	if r.file, err = readStackFile(r.stack, r.app); err != nil {
		return err
	}
	before := r.file.image
	if err := checkImage(r.image); err != nil {
		return err
	}
	if before == r.image {
		r.say("%s names it already, and is brought to it", r.file.path)
		if err := r.up(ctx, "Bring "+r.image); err != nil {
			return err
		}
		return r.publish(ctx)
	}
	errorsBefore, _ := r.errors(ctx) // whatever they are, they are not this version's
	if err := r.try(ctx); err != nil {
		return err
	}
	if err := r.commit(ctx, r.image, r.title()); err != nil {
		return err
	}
	fault := r.up(ctx, r.title())
	if fault == nil {
		took := time.Since(r.begin)
		r.say("%s has all traffic", r.image)
		if fault = r.watch(ctx, max(errorsBefore, r.objective)); fault == nil {
			r.compare(ctx, took)
			return r.publish(ctx)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("it was stopped, and may be half done: %s names %s, which `make up STACK=%s` brings; to go back, "+
			"release %s", r.file.path, r.image, r.stack, before)
	}
	return r.takeBack(ctx, before, fault)
}

// takeBack brings the version before, and says why.
func (r *release) takeBack(ctx context.Context, before string, fault error) error {
	r.say("it does not do well, so %s comes back: %v", before, fault)
	if err := r.commit(ctx, before, "Put "+before+" back to "+r.target()); err != nil {
		return errors.Join(fault, err)
	}
	if errors.Is(fault, errLocked) {
		return errors.Join(fault, r.publish(ctx)) // nothing was changed
	}
	if err := r.up(ctx, "Put "+before+" back"); err != nil {
		return fmt.Errorf("%w\nand the version before could not be put back; see what is wrong, then: make up STACK=%s\n%w",
			fault, r.stack, err)
	}
	r.say("%s has all traffic again", before)
	return errors.Join(fmt.Errorf("%s was taken back: %w", r.image, fault), r.publish(ctx))
}

// target is the stack, and after a slash the app if it is not the first. The titles of commits and updates end with it.
func (r *release) target() string {
	if r.app == "" {
		return r.stack
	}
	return r.stack + "/" + r.app
}

func (r *release) title() string { return released + r.image + " to " + r.target() }

// say prints a line, with the time since the beginning.
func (r *release) say(format string, values ...any) {
	fmt.Fprintf(r.out, "release: %6.1f s  %s\n", time.Since(r.begin).Seconds(), fmt.Sprintf(format, values...))
}
