package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/live"
)

// claim keeps other rehearsals away from the stack's folder, and ends what one that crashed left running. The lock goes with
// the process that holds it, whatever its end, so there are no stale ones; and it lies outside the folder, which comes and goes.
func (o options) claim() (*os.File, error) {
	path := o.dir() + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the rehearsals: %w", err)
	}
	lock, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("locking stack %s: %w", o.stack, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(lock.Close(), fmt.Errorf(
			"stack %s is being rehearsed, or kept as a sandbox: end that first, with Ctrl-C where it runs (%w)", o.stack, err))
	}
	if err := kubernetes.KillOrphans(filepath.Join(o.dir(), "clusters")); err != nil {
		return nil, errors.Join(lock.Close(), err)
	}
	return lock, nil
}

// tidy removes what the last rehearsal left; of one that is resumed, only what no longer holds: what it summed up, and the locks
// of an engine that did not end by itself.
func (o options) tidy() error {
	outdated := []string{o.dir()}
	if o.resume {
		outdated = []string{o.summaryFile(), o.reportFile(), o.temporary(), filepath.Join(o.dir(), "state", ".pulumi", "locks")}
	}
	for _, path := range outdated {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clearing the last rehearsal: %w", err)
		}
	}
	return nil
}

// clean removes what rehearsals left, of all stacks, unless one of them is still at it.
func clean(root string) error {
	folder := filepath.Join(root, ".rehearsal")
	locks, err := filepath.Glob(filepath.Join(folder, "*.lock"))
	if err != nil {
		return fmt.Errorf("looking for rehearsals: %w", err)
	}
	for _, path := range locks {
		o := options{root: root, stack: strings.TrimSuffix(filepath.Base(path), ".lock")}
		lock, err := o.claim()
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	if err := live.Clean(); err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing what rehearsals left: %w", err)
	}
	return nil
}
