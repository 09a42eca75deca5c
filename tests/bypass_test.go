package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clone makes a clone of a repository that holds what a bypass needs, with an origin beside it.
func clone(t *testing.T) (dir string) {
	t.Helper()
	origin, dir := filepath.Join(t.TempDir(), "origin"), filepath.Join(t.TempDir(), "clone")
	git(t, ".", "init", "--quiet", "--bare", "--initial-branch", "main", origin)
	git(t, ".", "clone", "--quiet", origin, dir)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tools"), 0o700))
	for _, name := range []string{"Makefile", "Pulumi.prod.yaml", "tools/bypass", "tools/timed", "tools/first-build"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(textOf(t, "../"+name)), 0o700))
	}
	git(t, dir, "switch", "--quiet", "--orphan", "main")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "--quiet", "--message", "All")
	git(t, dir, "push", "--quiet", "--set-upstream", "origin", "main")
	return dir
}

func git(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", arguments...)
	command.Dir, command.Env = dir, append(os.Environ(), identity...)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}

var identity = []string{
	"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	"GIT_CONFIG_GLOBAL=/dev/null",
}

// bypass runs tools/bypass beside stand-ins: for GitHub's CLI, which knows one run of each workflow until that is cancelled, and for
// Pulumi's, which shows what the main branch says at that time. It returns all calls and what was said.
func bypass(t *testing.T, dir string, environment ...string) (calls, said string, succeeded bool) {
	t.Helper()
	bin := t.TempDir()
	calls = filepath.Join(bin, "calls")
	standIn := `#!/bin/sh
echo "${0##*/} $*" >>` + calls + `
case "$*" in
workflow*) exit ${GITHUB:-0} ;;
"run list --workflow up.yml"*) grep -q "run cancel 41" ` + calls + ` || echo 41 ;;
"run list --workflow release.yml"*) grep -q "run cancel 42" ` + calls + ` || echo 42 ;;
up*) git show origin/main:Pulumi.prod.yaml | grep -c "^    bypass: true$" >>` + calls + ` || true; exit ${PULUMI:-0} ;;
cancel*) exit 1 ;;
esac
`
	require.NoError(t, os.WriteFile(calls, nil, 0o600))
	for _, program := range []string{"gh", "pulumi"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(standIn), 0o700))
	}
	command := exec.CommandContext(t.Context(), "tools/bypass", "prod", "--exclude", "x")
	command.Dir = dir
	command.Env = append(append(os.Environ(), identity...), "PATH="+bin+":"+os.Getenv("PATH"))
	command.Env = append(command.Env, environment...)
	output, err := command.CombinedOutput()
	return textOf(t, calls), string(output), err == nil
}

// listRuns is how the runs of a workflow are asked for.
func listRuns(workflow string) string {
	return "gh run list --workflow " + workflow + " --limit 100 --json databaseId,status --jq " +
		".[] | select(.status != \"completed\").databaseId\n"
}

// An up that hangs, or that waits for an approval, is of a commit that leads to Fastly; and so is a release.
func TestABypassEndsWhatWouldLeadNamesBack(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	before := textOf(t, filepath.Join(dir, "Pulumi.prod.yaml"))
	calls, said, succeeded := bypass(t, dir)
	require.True(t, succeeded, said)
	require.Equal(t, "gh workflow disable up.yml\n"+listRuns("up.yml")+"gh run cancel 41\n"+
		"gh workflow disable release.yml\n"+listRuns("release.yml")+"gh run cancel 42\n"+
		listRuns("up.yml")+listRuns("release.yml")+
		"pulumi cancel --stack prod --yes\n"+
		"pulumi up --stack prod --skip-preview --yes --exclude x\n1\n"+
		"gh workflow enable up.yml\ngh workflow enable release.yml\n", calls, "the commit is there before anything is brought up")
	require.NotContains(t, said, "GitHub still runs no")
	const cdn = "  lke-platform:cdn:\n"
	require.Equal(t, strings.Replace(before, cdn, cdn+"    bypass: true\n", 1), textOf(t, filepath.Join(dir, "Pulumi.prod.yaml")))

	calls, said, succeeded = bypass(t, dir)
	require.True(t, succeeded, said)
	require.Contains(t, calls, "--exclude x\n1\n", "once more makes no second commit")
	require.Equal(t, "2\n", git(t, dir, "rev-list", "--count", "main"))
}

func TestABypassTakesTheWayBackBack(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	file := filepath.Join(dir, "Pulumi.prod.yaml")
	const cdn = "  lke-platform:cdn:\n"
	text := strings.Replace(textOf(t, file), cdn, cdn+"    bypass: false # soon over\n", 1)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	git(t, dir, "commit", "--quiet", "--all", "--message", "Lead visitors back")
	calls, said, succeeded := bypass(t, dir)
	require.True(t, succeeded, said)
	require.Contains(t, calls, "--exclude x\n1\n")
	require.Equal(t, 1, strings.Count(textOf(t, file), "bypass:"))
}

// What was stopped and is left so is named, for whoever has to start it again.
func TestABypassThatFailsSaysWhatIsStopped(t *testing.T) {
	t.Parallel()
	_, said, succeeded := bypass(t, clone(t), "PULUMI=1")
	require.False(t, succeeded)
	require.Contains(t, said, "gh workflow enable up.yml\n")
	require.Contains(t, said, "gh workflow enable release.yml\n")
}

// Visitors come first: neither GitHub nor a branch that is protected keeps them waiting.
func TestABypassNeedsNoGitHub(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	git(t, dir, "remote", "set-url", "--push", "origin", "/nowhere")
	calls, said, succeeded := bypass(t, dir, "GITHUB=1")
	require.False(t, succeeded)
	require.Contains(t, calls, "pulumi up --stack prod --skip-preview --yes --exclude x\n")
	require.Contains(t, said, "up.yml was not stopped: cancel each run of it")
	require.Contains(t, said, "release.yml was not stopped: cancel each run of it")
	require.Contains(t, said, "Pulumi.prod.yaml is not on the main branch yet")
}

func TestABypassOfNoStackStopsNothing(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "Pulumi.prod.yaml")))
	calls, said, succeeded := bypass(t, dir)
	require.False(t, succeeded)
	require.Contains(t, said, "there is no Pulumi.prod.yaml")
	require.Empty(t, calls)
}

// What a stack file says in another form is for its author to change.
func TestABypassChangesNoFileThatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	file := filepath.Join(dir, "Pulumi.prod.yaml")
	const text = "config:\n  lke-platform:cdn: {logs: {}}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	calls, said, succeeded := bypass(t, dir)
	require.False(t, succeeded)
	require.Contains(t, said, "lke-platform:cdn:\n    bypass: true")
	require.NotContains(t, calls, "pulumi")
	require.Equal(t, text, textOf(t, file))
}

// A commit of a bypass goes through the workflows, although they look at the cloud first.
func TestNothingOfFastlyIsLookedAtDuringABypass(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	for _, target := range []string{"preview", "up", "drift"} {
		said, _ := runMakeIn(t, dir, target)
		require.NotContains(t, said, "--exclude", target)
	}
	file := filepath.Join(dir, "Pulumi.prod.yaml")
	const cdn = "  lke-platform:cdn:\n"
	text := strings.Replace(textOf(t, file), cdn, cdn+"    bypass: true\n", 1)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	for _, target := range []string{"preview", "up", "drift"} {
		said, succeeded := runMakeIn(t, dir, target)
		require.True(t, succeeded, said)
		require.Equal(t, 1, strings.Count(said, " --exclude **fastly:index/**"), said)
	}
}

// Pulumi itself compiles in silence.
func TestTheProgramIsCompiledBeforePulumiRunsIt(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"preview", "up", "drift"} {
		said, _ := runMake(t, target)
		require.Regexp(t, `(?s)go run ./cmd/charts.*go build ./stacks.*(pulumi up|go run ./cmd/report) `, said, target)
	}
}
