package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	versionOne = "ghcr.io/org/app@sha256:" + strings.Repeat("1", 64)
	versionTwo = "ghcr.io/org/app@sha256:" + strings.Repeat("2", 64)
)

const stackText = `# The site.
config:
  lke-platform:delivery: {mode: pinned}
  lke-platform:app:
    name: site
    # The version.
    image: VERSION # set by make release
    processes: [{name: proxy, image: "nginx@sha256:0"}]
`

// platform is a repository with one stack, and stand-ins for what reaches the cloud: pulumi runs the script, and Prometheus, to
// which kubectl finds a way, says that so many requests of a hundred fail.
func platform(t *testing.T, pulumi, errors string) {
	t.Helper()
	machine := t.TempDir()
	t.Chdir(t.TempDir())
	script := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(machine, name), []byte("#!/bin/sh\n"+text), 0o700))
	}
	script("pulumi", "[ \"$1 $2\" = 'stack history' ] && exec cat history.json\n"+
		"[ \"$1\" = stack ] && exec echo kubeconfig\necho \"$*\" >>calls\n"+pulumi)
	script("kubectl", "case \"$*\" in *' --namespace monitoring port-forward service/prometheus-operated :9090')\n"+
		"echo 'Forwarding from "+serve(t, errors)+" -> 9090'; exec sleep 60;; *) echo '{}';; esac")
	t.Setenv("PATH", machine+":"+os.Getenv("PATH"))
	for name, value := range map[string]string{
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
		"GIT_CONFIG_GLOBAL": os.DevNull, "GITHUB_STEP_SUMMARY": filepath.Join(machine, "page"),
	} {
		t.Setenv(name, value)
	}
	require.NoError(t, os.WriteFile("Pulumi.prod.yaml", []byte(strings.Replace(stackText, "VERSION", versionOne, 1)), 0o600))
	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "Pulumi.prod.yaml"}, {"commit", "--quiet", "-m", "Begin"}} {
		require.NoError(t, exec.Command("git", arguments...).Run())
	}
}

// serve is a Prometheus that answers with what a script says.
func serve(t *testing.T, script string) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := exec.Command("sh", "-c", script).Output()
		if err != nil || r.URL.Path != "/api/v1/query" || r.URL.Query().Get("query") != errorPercent {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"data": {"result": [{"value": [0, %q]}]}}`, strings.TrimSpace(string(text)))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// try releases version two, and returns what was printed.
func try(t *testing.T) (printed string, err error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	r := &release{
		stack: "prod", image: versionTwo, options: []string{"--refresh"}, out: out, objective: 1, watched: 100 * time.Millisecond,
		every: 20 * time.Millisecond, begin: time.Now(),
	}
	err = r.run(t.Context())
	return read(t, out.Name()), err
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}

func commits(t *testing.T) []string {
	t.Helper()
	log, err := exec.Command("git", "log", "--format=%s", "--reverse").Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(log)), "\n")[1:]
}

func TestAReleaseThatGoesWell(t *testing.T) {
	platform(t, "grep -q "+versionTwo+" Pulumi.prod.yaml", "echo 0.2")
	printed, err := try(t)
	require.NoError(t, err)
	require.Equal(t, strings.Replace(stackText, "VERSION", versionTwo, 1), read(t, "Pulumi.prod.yaml"), "one line, and its comment")
	require.Equal(t, []string{"Release " + versionTwo + " to prod"}, commits(t))
	require.Equal(t, "up --yes --skip-preview --non-interactive --message Release "+versionTwo+" to prod --refresh\n", read(t, "calls"))
	require.Regexp(t, `release: +\d+\.\d s  \S+ has all traffic\n`, printed)
	require.Contains(t, printed, "did not stay above 1.0 % of all requests")
}

// history is what Pulumi keeps of so many updates, each a second longer than the one before it, newest first.
func history(message, result string, updates int) string {
	var entries []string
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range updates {
		entries = append(entries, fmt.Sprintf(`{"kind": "update", "message": %q, "result": %q, "startTime": %q, "endTime": %q}`,
			message, result, begin.Format(time.RFC3339), begin.Add(time.Duration(60+i)*time.Second).Format(time.RFC3339)))
	}
	return strings.Join(entries, ",")
}

func TestAReleaseIsComparedWithThoseBefore(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	kept := strings.Join([]string{
		history("Release "+versionOne+" to prod/shop", "succeeded", 12), history("Release "+versionTwo+" to prod", "succeeded", 12),
		history("Release "+versionOne+" to prod", "failed", 3), history("Bring it", "succeeded", 3),
	}, ",")
	require.NoError(t, os.WriteFile("history.json", []byte("["+kept+"]"), 0o600))
	printed, err := try(t)
	require.NoError(t, err)
	const told = `all traffic after \d+\.\d s; median of the last 10: 64 s\n` // 60 to 69 seconds, halfway
	require.Regexp(t, told, printed)
	require.Regexp(t, "^"+versionTwo+" on prod: "+told+"$", read(t, os.Getenv("GITHUB_STEP_SUMMARY")))
}

// What it took does not undo it.
func TestAReleaseWithoutAHistoryGoesWell(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	printed, err := try(t)
	require.NoError(t, err)
	require.Contains(t, printed, "what it took before cannot be told: pulumi stack: exit status 1")
	require.NoError(t, os.WriteFile("history.json", []byte("["+history("Update", "succeeded", 2)+"]"), 0o600))
	require.NoError(t, exec.Command("git", "reset", "--quiet", "--hard", "HEAD^").Run())
	printed, err = try(t)
	require.NoError(t, err)
	require.Contains(t, printed, "there is no release in the stack's history")
}

// The file may name what nobody brought yet: of a release that was stopped, or of a change by hand.
func TestAVersionThatTheFileNamesIsBrought(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	_, err := try(t)
	require.NoError(t, err)
	printed, err := try(t)
	require.NoError(t, err)
	require.Contains(t, printed, "Pulumi.prod.yaml names it already")
	require.Len(t, commits(t), 1)
	require.Equal(t, 2, strings.Count(read(t, "calls"), "up --yes"))
}

func TestWithoutItsCommitNothingIsReleased(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	require.NoError(t, os.WriteFile(".git/hooks/pre-commit", []byte("#!/bin/sh\necho no >&2; exit 1\n"), 0o700))
	for range 2 {
		_, err := try(t)
		require.ErrorContains(t, err, "committing Pulumi.prod.yaml")
		require.Equal(t, strings.Replace(stackText, "VERSION", versionOne, 1), read(t, "Pulumi.prod.yaml"))
	}
	require.NoFileExists(t, "calls")
}

// brokenTwo is a pulumi that cannot bring version two.
var brokenTwo = "grep -q " + versionOne + ` Pulumi.prod.yaml && exit 0
cat <<'END'
Updating (prod):
Diagnostics:
  pulumi:pulumi:Stack (lke-platform-prod):
    warning: app.user: the app runs as root
    error: update failed

  kubernetes:batch/v1:Job (app-release):
    error: the Job "site/site-release" failed: [Error] PG::UndefinedColumn: no column "x"

Outputs:
  - url: "https://site"
END
exit 255
`

func TestAVersionThatFailsIsTakenBack(t *testing.T) {
	platform(t, brokenTwo, "echo 0")
	_, err := try(t)
	require.ErrorContains(t, err, versionTwo+" was taken back")
	require.ErrorContains(t, err, `PG::UndefinedColumn: no column "x"`, "its last words")
	require.NotContains(t, err.Error(), "Outputs")
	require.NotContains(t, err.Error(), "warning")
	require.Equal(t, strings.Replace(stackText, "VERSION", versionOne, 1), read(t, "Pulumi.prod.yaml"))
	require.Equal(t, []string{"Release " + versionTwo + " to prod", "Put " + versionOne + " back to prod"}, commits(t))
	require.Equal(t, 2, strings.Count(read(t, "calls"), "\n"), "the cluster has it again, too")
}

func TestAVersionThatAnswersWithErrorsIsTakenBack(t *testing.T) {
	// None before, and many as soon as the second version runs.
	platform(t, "exit 0", "grep -q "+versionTwo+" Pulumi.prod.yaml && echo 7.3 || echo 0")
	r := &release{stack: "prod", image: versionTwo, out: os.Stdout, objective: 1, watched: time.Minute, every: time.Millisecond}
	err := r.run(t.Context())
	require.ErrorContains(t, err, "the origin answers 7.3 % of all requests with an error, and 1.0 % is the most")
	require.Contains(t, read(t, "Pulumi.prod.yaml"), versionOne)
}

// Errors that were there before are not the new version's, which may be what mends them.
func TestErrorsFromBeforeTakeNothingBack(t *testing.T) {
	platform(t, "exit 0", "echo 7.3")
	_, err := try(t)
	require.NoError(t, err)
	require.Contains(t, read(t, "Pulumi.prod.yaml"), versionTwo)
}

func TestAReleaseThatCannotLookSaysSo(t *testing.T) {
	platform(t, "exit 0", "exit 1")
	printed, err := try(t)
	require.NoError(t, err)
	require.Contains(t, printed, "the origin's errors are not watched")
}

// Nothing was changed, so there is nothing to bring back but the file.
func TestALockedStackIsLeftToWhoHoldsIt(t *testing.T) {
	platform(t, "echo 'error: the stack is currently locked by 1 lock(s).' >&2; exit 255", "echo 0")
	_, err := try(t)
	require.ErrorContains(t, err, "pulumi cancel")
	require.Equal(t, 1, strings.Count(read(t, "calls"), "\n"))
	require.Contains(t, read(t, "Pulumi.prod.yaml"), versionOne)
}

func TestWhatCannotBeReleasedChangesNothing(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	for fault, r := range map[string]*release{
		"must have a digest":       {stack: "prod", image: "ghcr.io/org/app:v2"},
		"IMAGE=Org/App":            {stack: "prod", image: "Org/App"},
		"there is no Pulumi.x.yam": {stack: "x", image: versionTwo},
	} {
		r.out = os.Stdout
		require.ErrorContains(t, r.run(t.Context()), fault)
	}
	require.NoError(t, os.WriteFile("Pulumi.keel.yaml", []byte(strings.Replace(stackText, "pinned", "keel", 1)), 0o600))
	r := &release{stack: "keel", image: versionTwo, out: os.Stdout}
	require.ErrorContains(t, r.run(t.Context()), "has delivery.mode keel")
	require.Empty(t, commits(t))
	require.NoFileExists(t, "calls")
}

// git runs in a folder.
func git(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	text, err := exec.Command("git", append([]string{"-C", dir}, arguments...)...).CombinedOutput()
	require.NoError(t, err, string(text))
	return string(text)
}

// withOrigin gives the repository an origin, and somebody else a clone of it.
func withOrigin(t *testing.T) (origin, other string) {
	t.Helper()
	origin, other = t.TempDir(), filepath.Join(t.TempDir(), "other")
	git(t, origin, "init", "--quiet", "--bare", "--initial-branch", "main")
	git(t, ".", "branch", "--move", "main")
	git(t, ".", "remote", "add", "origin", origin)
	git(t, ".", "push", "--quiet", "--set-upstream", "origin", "HEAD")
	git(t, ".", "clone", "--quiet", origin, other)
	return origin, other
}

// Whoever was faster with another change of main does not lose it.
func TestAReleaseIsPushedAfterOthers(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	origin, other := withOrigin(t)
	git(t, other, "commit", "--quiet", "--allow-empty", "-m", "Another change")
	git(t, other, "push", "--quiet")

	r := &release{stack: "prod", image: versionTwo, out: os.Stdout, push: true}
	require.NoError(t, r.run(t.Context()))
	require.Equal(t, "Release "+versionTwo+" to prod\nAnother change\nBegin\n", git(t, origin, "log", "--format=%s"))
}

// An up is of the commit that was merged, and may be approved long after.
func TestAnUpOfAnEarlierCommitKeepsARelease(t *testing.T) {
	platform(t, "exit 0", "echo 0")
	_, other := withOrigin(t)
	keep := func() string {
		require.NoError(t, (&release{stack: "prod", out: os.Stdout}).keep(t.Context()))
		text := read(t, "Pulumi.prod.yaml")
		git(t, ".", "checkout", "--quiet", "--", ".")
		return text
	}
	push := func(subject string) {
		git(t, other, "commit", "--quiet", "--allow-empty", "-m", subject)
		git(t, other, "push", "--quiet")
	}
	before := read(t, "Pulumi.prod.yaml")
	push("Release notes to prod and staging")
	push("Release " + versionTwo + " to staging")
	require.Equal(t, before, keep(), "none of this stack")
	push("Release " + versionTwo + " to prod")
	push("Another change")
	require.Equal(t, strings.Replace(stackText, "VERSION", versionTwo, 1), keep())
	push("Put " + versionOne + " back to prod")
	require.Equal(t, before, keep(), "the last one counts")
	push("Release " + versionTwo + " to prod")
	git(t, ".", "pull", "--quiet")
	push("Another change")
	require.Equal(t, before, keep(), "what the commit contains is left to it")
}

// The last commits of a release are found by what they are called.
func TestTheCommitsOfAReleaseAreRecognized(t *testing.T) {
	platform(t, brokenTwo, "echo 0")
	_, other := withOrigin(t)
	t.Chdir(other)
	_, err := try(t)
	require.ErrorContains(t, err, "taken back")
	for _, made := range commits(t) {
		require.Regexp(t, subject, made)
	}
	require.Len(t, commits(t), 2)
}

// Kubernetes gives a rollout up long before Pulumi does. What was stuck before is not held against the version that comes back.
func TestARolloutThatIsStuckIsTakenBack(t *testing.T) {
	const stuck = `{"items": [{"metadata": {"name": "site"}, "status": {"conditions": [{"reason": "ProgressDeadlineExceeded",
		"message": "ReplicaSet \"site-2\" has timed out progressing.", "lastUpdateTime": "2026-01-01T00:00:00Z"}]}}]}`
	// Version two never gets ready; the other one does, a few looks later.
	platform(t, "if grep -q "+versionTwo+" Pulumi.prod.yaml; then trap 'exit 1' INT; touch stuck; i=0; while [ $i -lt 1000 ]; do sleep 0.01; i=$((i+1)); done; exit 1; fi; sleep 0.2",
		"echo 0")
	kubectl := filepath.Join(filepath.SplitList(os.Getenv("PATH"))[0], "kubectl")
	script := "#!/bin/sh\ncase \"$*\" in *deployments*) [ -f stuck ] && echo '" + stuck + "' || echo '{}';; *) " + strings.TrimPrefix(read(t, kubectl), "#!/bin/sh\n") + ";; esac"
	require.NoError(t, os.WriteFile(kubectl, []byte(script), 0o700))
	printed, err := try(t)
	require.ErrorContains(t, err, versionTwo+" was taken back: Deployment site: ReplicaSet")
	require.Contains(t, printed, versionOne+" has all traffic again")
}
