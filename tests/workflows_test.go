package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"lke-platform/cmd/report/rendered"
	"lke-platform/components/charts/archive"
)

// A tag of somebody else's action can be moved to other code, which would then read the platform's tokens.
func TestActionsArePinnedToCommits(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`uses: (\./|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)`)
	for _, pattern := range []string{"../.github/workflows/*.yml", "../.github/actions/*/action.yml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			for _, line := range strings.Split(textOf(t, file), "\n") {
				if strings.Contains(line, "uses:") {
					require.Regexp(t, pinned, line, file)
				}
			}
		}
	}
}

// What a workflow runs is what a person would.
func TestWorkflowsCallMakeTargetsThatExist(t *testing.T) {
	t.Parallel()
	makefile := textOf(t, "../Makefile")
	for workflow, targets := range map[string][]string{
		"test": {"test", "lint"}, "preview": {"preview", "rehearse", "rendered"}, "up": {"up"}, "drift": {"drift"}, "bypass": {"bypass"},
		"release": {"release"},
	} {
		text := textOf(t, "../.github/workflows/"+workflow+".yml")
		for _, target := range targets {
			require.Contains(t, text, "make "+target, workflow)
			exists := regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile)
			require.True(t, exists, "the Makefile has no target %s", target)
		}
	}
}

// Whoever dispatches a workflow chooses its inputs, and it runs with the stack's secrets: nothing that stands in them is run.
func TestWhatIsGivenIsDataToWorkflows(t *testing.T) {
	t.Parallel()
	for _, workflow := range workflows(t) {
		for name, job := range workflow.Jobs {
			for _, step := range job.Steps {
				require.NotContains(t, step.Run, "${{", "%s of %s: a shell reads it from a variable", name, workflow.Name)
				require.NotContains(t, step.Run, "IMAGE=", "%s of %s: make takes it from the environment", name, workflow.Name)
			}
		}
	}
}

func TestWhatIsGivenIsDataToMake(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"$(shell touch %)", "'; touch %; '", "`touch %`", "$(touch %)", `"; touch %; "`, "a\ntouch %\n"} {
		ran := filepath.Join(t.TempDir(), "ran")
		image := strings.ReplaceAll(given, "%", ran)
		for where, said := range map[string]func() (string, bool){
			"environment": func() (string, bool) { return runMake(t, "release", "IMAGE="+image) },
			"command line": func() (string, bool) {
				return runMakeWith(t, "..", []string{"release", "STACK=prod", "IMAGE=" + image})
			},
		} {
			text, succeeded := said()
			require.True(t, succeeded, text)
			require.Contains(t, text, "go run ./cmd/release -stack prod -image "+image+" -- --stack prod", where)
			require.NoFileExists(t, ran, where)
		}
		text, _ := runMakeWith(t, "..", []string{"up", "STACK=" + image})
		require.NoFileExists(t, ran, text)
	}
}

// The exit code of a pipe is that of its last program, unless the shell is asked for better.
func TestWorkflowsFailWithWhatTheyShow(t *testing.T) {
	t.Parallel()
	for _, workflow := range workflows(t) {
		for name, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if strings.Contains(step.Run, "|") {
					require.Equal(t, "bash", step.Shell, "%s of %s: %s", name, workflow.Name, step.Run)
				}
			}
		}
	}
}

// A run of up that is cut off leaves the state locked, and one that is dropped while it waits is missed by nobody.
func TestWorkflowsLeaveARunningUpAlone(t *testing.T) {
	t.Parallel()
	groups := map[string]bool{}
	up := workflows(t)["up"].Jobs
	require.Equal(t, "./.github/workflows/test.yml", up["test"].Uses)
	require.Equal(t, "test", up["staging"].Needs, "nothing is brought up beside a test that fails")
	require.Equal(t, "staging", up["prod"].Needs)
	delete(up, "test")
	for name, job := range up {
		require.Equal(t, name, job.Environment, "its secrets and who approves it")
		require.Equal(t, inTurn("up-"+name), job.Concurrency)
		require.Zero(t, job.Timeout)
		require.Regexp(t, `(?s)go run ./cmd/release -stack "\$STACK" -keep.*make up`, runs(job.Steps), "it takes no release back")
		groups[job.Concurrency.Group] = true
	}
	require.Len(t, groups, 2)
	require.NotContains(t, groups, workflows(t)["drift"].Jobs["drift"].Concurrency.Group)
	require.Equal(t, "bypass-${{ inputs.stack }}", workflows(t)["bypass"].Concurrency.Group, "it ends an up that hangs")
	require.Equal(t, inTurn("up-${{ inputs.stack }}"), workflows(t)["release"].Concurrency, "it is one")
}

// What Fastly serves cannot be downloaded when it is down. A cache is never changed: what its key leaves out is missed when it is new.
func TestWorkflowsHaveChartsAndPluginsAtHand(t *testing.T) {
	t.Parallel()
	kept := func(action string) map[string]map[string]string {
		caches := map[string]map[string]string{}
		for _, step := range actionSteps(t, action) {
			if strings.HasPrefix(step.Uses, "actions/cache@") {
				caches[step.With["path"]] = step.With
			}
		}
		return caches
	}
	for _, action := range []string{"toolchain", "pulumi"} {
		cache := kept(action)[archive.Folder]
		require.Equal(t, "charts-${{ hashFiles('components/charts/charts.go', 'Pulumi.*.yaml') }}", cache["key"])
		require.Equal(t, "charts-", cache["restore-keys"])
	}
	const own = "plugins-${{ runner.os }}-${{ runner.arch }}-${{ env.STACK }}-"
	cache := kept("pulumi")["~/.pulumi/plugins"]
	require.Equal(t, own+"${{ hashFiles('go.mod', 'components/cdn/newer.go') }}-${{ steps.pinned.outputs.cdn }}", cache["key"])
	require.Equal(t, own, cache["restore-keys"])
	require.Contains(t, textOf(t, "../components/cdn/newer.go"), "pulumi.Version(", "a plugin that go.mod does not pin")
}

// The key of a cache tells nothing apart by a file that is not there, and GitHub does not mind.
func TestCachesAreKeptByFilesThatAreThere(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"toolchain", "pulumi"} {
		for _, step := range actionSteps(t, action) {
			for _, arguments := range regexp.MustCompile(`hashFiles\((.*?)\)`).FindAllStringSubmatch(step.With["key"], -1) {
				for _, file := range strings.Split(arguments[1], ", ") {
					found, err := filepath.Glob("../" + strings.Trim(file, "'"))
					require.NoError(t, err)
					require.NotEmpty(t, found, file)
				}
			}
		}
	}
}

// Plugins are kept anew when a stack begins to need others, and not with each release.
func TestPluginsAreKeptByWhatAStackNeeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := func(stack string) string {
		output := filepath.Join(dir, "output")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.prod.yaml"), []byte(stack), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\necho v1.2.3\n"), 0o700))
		require.NoError(t, os.WriteFile(output, nil, 0o600))
		command := exec.CommandContext(t.Context(), "sh", "-ec", actionSteps(t, "pulumi")[1].Run)
		command.Dir, command.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "STACK=prod", "GITHUB_OUTPUT="+output)
		said, err := command.CombinedOutput()
		require.NoError(t, err, string(said))
		found := regexp.MustCompile(`^version=v1\.2\.3\ncdn=([\d-]+)\n$`).FindStringSubmatch(textOf(t, output))
		require.NotNil(t, found, textOf(t, output))
		return found[1]
	}
	const cdn = "config:\n  lke-platform:cdn:\n    tls: {mode: managed}\n  lke-platform:app:\n    image: one\n"
	first := key(cdn)
	require.Equal(t, first, key(strings.Replace(cdn, "one", "two", 1)))
	require.NotEqual(t, first, key(strings.Replace(cdn, "managed", "certsync", 1)))
	require.NotEqual(t, first, key("config:\n  lke-platform:cdn: off\n"))
}

// step is one of a job or of an action.
type step struct {
	Run, Uses, Shell, If string
	With                 map[string]string
}

// runs are the commands of steps, one after the other.
func runs(steps []step) (all string) {
	for _, one := range steps {
		all += one.Run + "\n"
	}
	return all
}

func actionSteps(t *testing.T, action string) []step {
	t.Helper()
	var is struct{ Runs struct{ Steps []step } }
	require.NoError(t, yaml.Unmarshal([]byte(textOf(t, "../.github/actions/"+action+"/action.yml")), &is))
	return is.Runs.Steps
}

// Whoever can push a branch can have a workflow of it read every secret of the repository itself.
func TestSecretsAreOfAnEnvironment(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		if !strings.Contains(textOf(t, file), "secrets.") {
			continue
		}
		for job, is := range workflows(t)[name].Jobs {
			if is.Uses == "" && job != "rehearse" {
				require.NotEmpty(t, is.Environment, "%s of %s", job, name)
			}
		}
	}
}

// A job gets nothing that it does not need, so that a bad dependency can do little.
func TestWorkflowsHaveTheLeastPermissions(t *testing.T) {
	t.Parallel()
	writes := map[string]map[string]string{
		"drift/drift":     {"contents": "read", "issues": "write"},
		"preview/preview": {"contents": "read", "pull-requests": "write"},
		"image/image":     {"contents": "read", "packages": "write"},
		"bypass/bypass":   {"actions": "write", "contents": "write"},
		"release/release": {"contents": "write"},
		"live/visit":      {"contents": "read", "pull-requests": "write"},
	}
	for _, workflow := range workflows(t) {
		require.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions, workflow.Name)
		for name, job := range workflow.Jobs {
			require.Equal(t, writes[workflow.Name+"/"+name], job.Permissions, name)
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") {
					require.Equal(t, "false", step.With["persist-credentials"], "%s of %s", name, workflow.Name)
				}
			}
		}
	}
}

// concurrency is what may not run at the same time.
type concurrency struct {
	Group, Queue     string
	CancelInProgress string `yaml:"cancel-in-progress"` // an expression, too
}

// inTurn has every run of a group wait for its turn. Where one member lets only one wait, it drops those of the others.
func inTurn(group string) concurrency {
	return concurrency{Group: group, Queue: "max", CancelInProgress: "false"}
}

// workflow is what the tests look at of one.
type workflow struct {
	Name        string
	Permissions map[string]string
	Concurrency concurrency
	Jobs        map[string]struct {
		Environment, Needs, Uses string
		Permissions              map[string]string
		Timeout                  int `yaml:"timeout-minutes"`
		Concurrency              concurrency
		Steps                    []step
	}
}

// workflows returns all, by name.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	found := map[string]workflow{}
	for _, file := range files {
		var one workflow
		require.NoError(t, yaml.Unmarshal([]byte(textOf(t, file)), &one), file)
		require.Equal(t, filepath.Base(file), one.Name+".yml")
		found[one.Name] = one
	}
	return found
}

// runMake makes a target in the repository as runMakeIn does.
func runMake(t *testing.T, target string, environment ...string) (output string, succeeded bool) {
	t.Helper()
	return runMakeIn(t, "..", target, environment...)
}

// runMakeIn makes a target for prod as runMakeWith does.
func runMakeIn(t *testing.T, repository, target string, environment ...string) (output string, succeeded bool) {
	t.Helper()
	return runMakeWith(t, repository, []string{target, "STACK=prod"}, environment...)
}

// runMakeWith runs make beside stand-ins for Go and for the Pulumi CLI. It returns what was said, with each call of both, and whether
// make succeeded.
func runMakeWith(
	t *testing.T, repository string, arguments []string, environment ...string,
) (output string, succeeded bool) {
	t.Helper()
	dir := t.TempDir()
	const standIn = `#!/bin/sh
case "${0##*/} $1" in
  'pulumi stack') echo 7 ;;
  *) echo "${0##*/} $*" ;;
esac
`
	for _, program := range []string{"pulumi", "go"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(standIn), 0o700))
	}
	command := exec.CommandContext(t.Context(), "make", append([]string{"-C", repository}, arguments...)...)
	command.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "MAKEFLAGS=", "CI=")
	command.Env = append(command.Env, environment...)
	said, err := command.CombinedOutput()
	return string(said), err == nil
}

// What has to happen before nodes are deleted is in the program, so that it runs. What holds data, or may answer again, is deleted
// for whoever says so.
func TestDestroyIsTold(t *testing.T) {
	t.Parallel()
	const asked = "-- --stack prod --refresh --run-program\n"
	for given, options := range map[string]string{
		"": "", "EMPTY=1": "-empty ", "UNREACHABLE=1": "-unreachable ",
	} {
		said, succeeded := runMake(t, "destroy", given)
		require.True(t, succeeded, said)
		require.Regexp(t, "go run ./cmd/destroy -stack prod +"+options+" *"+asked, said)
	}
}

// healNode runs the Makefile's heal-node beside stand-ins for what it calls, and returns what was called.
func healNode(t *testing.T, ready, shutdown string) (calls string, succeeded bool) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	standIn := `#!/bin/sh
case "${0##*/} $*" in
*clusterId*) echo 77; exit ;;
*kubeconfig*) echo secret; exit ;;
*Ready*) echo ` + ready + `; exit ;;
*providerID*) echo linode://4711; exit ;;
*"linodes view 4711"*) cat ` + dir + `/power; exit ;;
*"volumeattachments"*) exit ;;
*"linodes shutdown"*) echo offline >` + dir + `/power; code=` + shutdown + ` ;;
esac
echo "${0##*/} $*" >>` + calls + `
exit ${code:-0}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "power"), []byte("running\n"), 0o600))
	for _, program := range []string{"pulumi", "kubectl", "linode-cli"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(standIn), 0o700))
	}
	command := exec.CommandContext(t.Context(), "make", "-C", "..", "heal-node", "STACK=prod", "NODE=lke77-88-abc")
	command.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "MAKEFLAGS=", "TMPDIR="+dir)
	said, err := command.CombinedOutput()
	t.Log(string(said))
	left, globErr := filepath.Glob(filepath.Join(dir, "tmp.*"))
	require.NoError(t, globErr)
	require.Empty(t, left, "the kubeconfig is taken away again")
	text, _ := os.ReadFile(calls)
	return string(text), err == nil
}

// A node that may still run what hangs on it must not be given up: two would write to one volume.
func TestADeadNodeIsOffBeforeItIsGivenUp(t *testing.T) {
	t.Parallel()
	const givenUp = "linode-cli linodes shutdown 4711\n" +
		"kubectl taint node lke77-88-abc node.kubernetes.io/out-of-service=nodeshutdown:NoExecute --overwrite\n" +
		"linode-cli lke node-recycle 77 88-abc\n"
	for _, shutdown := range []string{"0", "1"} { // one that is off already is not shut down
		calls, succeeded := healNode(t, "Unknown", shutdown)
		require.True(t, succeeded)
		require.Equal(t, givenUp, calls)
	}
	calls, succeeded := healNode(t, "True", "0")
	require.False(t, succeeded)
	require.Empty(t, calls, "one that is ready is left alone")
}

// A person is asked, a workflow cannot be.
func TestUpAsksAPersonButNotAWorkflow(t *testing.T) {
	t.Parallel()
	said, succeeded := runMake(t, "up", "CI=true")
	require.True(t, succeeded)
	require.Contains(t, said, "pulumi up --stack prod --refresh --run-program --yes --non-interactive")
	said, _ = runMake(t, "up")
	require.NotContains(t, said, "--yes")
}

// A page is kept of a rehearsal that failed, too: that is when one looks.
func TestTheReportOfARehearsalIsKept(t *testing.T) {
	t.Parallel()
	steps := workflows(t)["preview"].Jobs["rehearse"].Steps
	i := slices.IndexFunc(steps, func(s step) bool { return strings.HasPrefix(s.Uses, "actions/upload-artifact@") })
	require.NotEqual(t, -1, i)
	kept := steps[i]
	require.Equal(t, "${{ !cancelled() && steps.rehearse.outcome != 'skipped' }}", kept.If)
	for _, file := range []string{"report.html", "summary.json"} {
		require.Contains(t, kept.With["path"], ".rehearsal/${{ matrix.stack }}/"+file+"\n")
		require.Contains(t, textOf(t, "rehearsal/main.go"), `"`+file+`"`)
	}
	require.Contains(t, kept.With["name"], "${{ matrix.stack }}", "two artifacts of a run cannot have one name")
	require.Equal(t, "true", kept.With["include-hidden-files"])
}

// A checkout has one commit unless more are asked for, and what is compared with another then has nothing to compare with.
func TestCheckoutsReachTheCommitsThatAreComparedWith(t *testing.T) {
	t.Parallel()
	depth := func(workflow, job string) string {
		steps := workflows(t)[workflow].Jobs[job].Steps
		i := slices.IndexFunc(steps, func(s step) bool { return strings.HasPrefix(s.Uses, "actions/checkout@") })
		require.NotEqual(t, -1, i)
		return steps[i].With["fetch-depth"]
	}
	require.Equal(t, "0", depth("test", "test"), "the last release")
	require.Equal(t, "2", depth("preview", "rehearse"), "both parents of the merge")
	all := workflows(t)["preview"].Jobs["rehearse"].Steps
	at := func(text string) int {
		return slices.IndexFunc(all, func(s step) bool { return strings.Contains(s.Run, text) })
	}
	require.Contains(t, all[at("make rendered")].Run, "BASE=HEAD^1")
	require.Less(t, at("make rehearse"), at("make rendered"), "a rehearsal begins with an empty folder")
	require.Less(t, at("make rendered"), at("./cmd/report rehearsal"))
	kept := slices.IndexFunc(all, func(s step) bool { return strings.HasPrefix(s.Uses, "actions/upload-artifact@") })
	require.Contains(t, all[kept].With["path"], rendered.File("${{ matrix.stack }}"))
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
