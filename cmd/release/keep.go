package main

import (
	"context"
	"regexp"
	"strings"
)

// subject is that of the commits of releases, and names the version and the stack.
var subject = regexp.MustCompile(`^(?:Release (\S+)|Put (\S+) back) to (\S+)$`)

// keep puts the version into the stack file, without a commit, that a release has brought since the commit that is checked out:
// to bring that commit up is not to take the release back.
func (r *release) keep(ctx context.Context) (err error) {
	if _, err := output(ctx, "git", "fetch", "--quiet", "origin", "main"); err != nil {
		return err
	}
	since, err := output(ctx, "git", "log", "--first-parent", "--format=%s", "HEAD..FETCH_HEAD")
	if err != nil {
		return err
	}
	for line := range strings.Lines(since) { // the newest first
		match := subject.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil || match[3] != r.stack {
			continue
		}
		if r.file, err = readStackFile(r.stack); err != nil {
			return err
		}
		image := match[1] + match[2]
		r.say("%s was released since this commit, and stays", image)
		return r.file.put(image)
	}
	return nil
}
