package main

import (
	"context"
	"regexp"
	"strings"

	"lke-platform/cmd/internal/command"
)

// subject is that of the commits of releases, and names the version and the target.
var subject = regexp.MustCompile(`^(?:Release (\S+)|Put (\S+) back) to (\S+)$`)

// keep puts the versions into the stack file, without a commit, that releases have brought since the commit that is checked out:
// to bring that commit up is not to take them back.
func (r *release) keep(ctx context.Context) (err error) {
	if _, err := command.Output(ctx, nil, "git", "fetch", "--quiet", "origin", "main"); err != nil {
		return err
	}
	since, err := command.Output(ctx, nil, "git", "log", "--first-parent", "--format=%s", "HEAD..FETCH_HEAD")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(since)) { // the newest first
		match := subject.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue
		}
		stack, app, _ := strings.Cut(match[3], "/")
		if stack != r.stack || seen[app] {
			continue
		}
		seen[app] = true
		if r.file, err = readStackFile(stack, app); err != nil {
			return err
		}
		image := match[1] + match[2]
		r.say("%s was released since this commit, and stays", image)
		if err := r.file.put(image); err != nil {
			return err
		}
	}
	return nil
}
