package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of the public applications these use most between them: processes of several images, caches, disks, no database.
func TestApplicationsAreRehearsed(t *testing.T) {
	for name, deployments := range map[string]int{"mastodon": 3, "plausible": 2, "ghost": 2} {
		t.Run(name, func(t *testing.T) {
			file := "Pulumi." + name + ".yaml"
			text := readFile(t, filepath.Join("..", "applications", file))
			o := options{stack: name, root: repository(t, asItIs)}
			require.NoError(t, os.WriteFile(o.stackFile(), []byte(text), 0o600))
			require.NoError(t, run(t.Context(), o))
			s := readSummary(t, o)
			require.Zero(t, s.Again.Changed)
			require.Equal(t, 1+deployments, s.Resources["kubernetes:apps/v1:Deployment"], "and the one that asks for names")
		})
	}
}
