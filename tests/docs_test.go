package tests

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/components/charts"
)

var (
	fencedYAML = regexp.MustCompile("(?s)```yaml\n(config:\n.*?)```")
	secretSet  = regexp.MustCompile(`pulumi config set --stack prod --secret (secret-[a-z-]+)`)
)

// Whoever moves a site in begins with the stack file of that page, and the secrets that it says to set.
func TestTheStackFileForMovingInIsValid(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-in.md")
	require.NoError(t, err)
	examples := fencedYAML.FindStringSubmatch(string(page))
	require.Len(t, examples, 2)
	g, err := deploy(t, copyStack(t, "prod", func(string) string {
		text := strings.Replace(examples[1], "sha256:…", strings.TrimPrefix(digest, "@"), 1)
		for _, secret := range secretSet.FindAllStringSubmatch(string(page), -1) {
			if line := "  lke-platform:" + secret[1] + ":\n    secure: v1:ciphertext\n"; !strings.Contains(text, line) {
				text += line
			}
		}
		return text
	}), "prod")
	require.NoError(t, err)
	require.Contains(t, g.resources, deploymentType+" app")
}

// Nobody goes on with a move before commands have answered as they must, and each step that visitors could notice has a way back
// that works without the cluster.
func TestEveryStepOfAMoveHasItsGate(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-in.md")
	require.NoError(t, err)
	steps := regexp.MustCompile(`(?m)^## \d\. `).Split(string(page), -1)[1:]
	require.Len(t, steps, 8)
	for i, step := range steps {
		require.Regexp(t, "(?s)\\*\\*Gate[^\n]*\\*\\*:?.*`", step, "step %d", i+1)
	}
	_, back, found := strings.Cut(steps[6], "Lead the names back")
	require.True(t, found)
	require.Contains(t, back, "linode-cli domains records-update")
	before, _, found := strings.Cut(back, "Run no `make up`")
	require.True(t, found)
	require.NotContains(t, before, "make up")
}

// Whoever looks for a chart, or for how its values are changed, finds it on one page.
func TestThePageOfTheChartsNamesAll(t *testing.T) {
	t.Parallel()
	page := textOf(t, "../docs/components/charts.md")
	table, _, found := strings.Cut(page, "## At hand")
	require.True(t, found)
	for _, chart := range charts.All() {
		require.Contains(t, table, path.Base(chart.Name))
	}
	require.Contains(t, page, "| `caches[].values` | redis-ha |")
	// What asks the real cloud needs them all.
	callers := regexp.MustCompile("`make preview`[^.]* call it").FindString(page)
	for _, target := range regexp.MustCompile(`(?m)^(\w+): pulumi-cli charts `).FindAllStringSubmatch(textOf(t, "../Makefile"), -1) {
		require.Regexp(t, "`(make )?"+target[1]+"`", callers)
	}
}

// Each incident of the platform before has a test that keeps it from happening again.
func TestEveryIncidentHasItsTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/incidents.md")
	require.NoError(t, err)
	incidents := regexp.MustCompile(`(?m)^\| I\d+ \|.*$`).FindAllString(string(page), -1)
	require.Len(t, incidents, 12)
	there := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, function := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			there[function[1]] = true
		}
		return err
	}))
	for _, incident := range incidents {
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(incident, -1)
		require.NotEmpty(t, named, incident)
		for _, test := range named {
			require.True(t, there[test[1]], test[1])
		}
	}
}
