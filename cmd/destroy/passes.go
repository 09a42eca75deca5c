package main

import (
	"context"
	"errors"
)

// passes has Pulumi delete what it can, and again as long as that gets further. A bucket that is full is left out; where it is to
// be emptied, that comes when the cluster is gone and nothing writes to it any more. It returns what is left in the state; the
// error is that something is that should not be.
func (d *destruction) passes(ctx context.Context, u *used) (left []resource, failed error) {
	full, before, tried := u.full, len(u.resources), false
	for {
		failed = d.pass(ctx, u, full)
		var err error
		if left, err = readState(context.WithoutCancel(ctx), d.stack); err != nil {
			return u.resources, errors.Join(failed, err)
		}
		if ctx.Err() != nil || len(left) == 0 {
			return left, failed
		}
		if full, err = d.readBuckets(ctx, left); err != nil {
			return left, errors.Join(failed, err)
		}
		if d.empty && len(full) > 0 && !tried && len(of(left, clusterType)) == 0 {
			tried = true
			if err := d.clearAll(ctx, full); err != nil {
				return left, errors.Join(failed, err)
			}
			full = nil
			continue
		}
		if !d.empty && len(left) == len(of(left, bucketType)) {
			return left, nil // on purpose
		}
		if failed == nil {
			return left, errors.New("not all of the stack is deleted, though nothing failed")
		}
		if len(left) >= before {
			return left, failed
		}
		before = len(left)
	}
}

// pass runs `pulumi destroy` once, and has what it deletes inside the cluster let go of.
func (d *destruction) pass(ctx context.Context, u *used, full []bucket) error {
	options := []string{"--yes", "--skip-preview", "--continue-on-error"}
	for _, one := range full {
		options = append(options, "--exclude", one.urn)
	}
	if u.control != nil {
		watching, stop := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() {
			d.unblock(watching, u.control)
			close(over)
		}()
		defer func() {
			stop()
			<-over
		}()
	}
	return d.pulumi(u, options...)
}

// clearAll empties buckets, as many as it can.
func (d *destruction) clearAll(ctx context.Context, buckets []bucket) error {
	var failures []error
	for _, one := range buckets {
		failures = append(failures, d.clear(ctx, &one))
	}
	return errors.Join(failures...)
}
