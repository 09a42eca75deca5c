package tests

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
