package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/stacks"
)

// applications are the public ones that are written down as stack files, and how many lines their own compose file has.
var applications = map[string]int{
	"calcom": 47, "chatwoot": 66, "forem": 150, "ghost": 190, "healthchecks": 22, "hexpm": 17, "mastodon": 137, "pixelfed": 62,
	"plausible": 95, "rubygems": 33,
}

// application returns a folder with the stack file of an application, and placeholders for its secrets.
func application(t *testing.T, name string) (dir string) {
	t.Helper()
	file := "Pulumi." + name + ".yaml"
	content, err := os.ReadFile(filepath.Join("applications", file))
	require.NoError(t, err)
	values, _ := readConfig(t, "applications", name)
	decoded, faults := stacks.Decode(func(section string) string { return values[projectName+":"+section] })
	require.Empty(t, faults)
	text := string(content)
	for _, key := range decoded.SecretKeys() {
		text += "  " + projectName + ":" + key + ":\n    secure: v1:ciphertext\n"
	}
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	return dir
}

// What real applications need can be said, and not in many more words than they need themselves.
func TestApplications(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("applications/Pulumi.*.yaml")
	require.NoError(t, err)
	require.Len(t, files, len(applications))
	documented := textOf(t, "../docs/applications.md")
	for name, composed := range applications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := textOf(t, "applications/Pulumi."+name+".yaml")
			require.LessOrEqual(t, strings.Count(text, "\n"), 3*composed)
			require.Contains(t, text, "# It does without:", "what it cannot have")
			require.Contains(t, documented, "(../tests/applications/Pulumi."+name+".yaml)")
			g, err := deploy(t, application(t, name), name)
			require.NoError(t, err)
			require.True(t, g.waitsFor(deploymentType+" app", jobType+" app-release") || name == "ghost")
		})
	}
}
