package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// applications are the public ones that are written down as stack files, and how many lines their own compose file has.
var applications = map[string]int{
	"calcom": 47, "chatwoot": 66, "forem": 150, "ghost": 190, "healthchecks": 22, "hexpm": 17, "mastodon": 137, "pixelfed": 62,
	"plausible": 95, "rubygems": 33,
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
			g, err := deploy(t, copyStackFrom(t, "applications", name, unchanged), name)
			require.NoError(t, err)
			require.True(t, g.waitsFor(deploymentType+" app", jobType+" app-release") || name == "ghost")
		})
	}
}
