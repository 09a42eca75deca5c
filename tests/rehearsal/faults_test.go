package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The engine stops at the first value that has not the type of Pulumi.yaml, takes an empty section for one that is left out, and
// hands out what is encrypted in a section as it hands out all else.
func TestTheEngineLetsEveryFaultThrough(t *testing.T) {
	faulty := strings.NewReplacer(
		"config:\n  lke-platform:cluster:", "config:\n  lke-platform:protect:\n  lke-platform:cluster:",
		"storage:\n    region: us-east", "storage: us-east",
		`HTTP_PORT: "4000"`, "HTTP_PORT: {secure: v1:ciphertext}",
		"tls: {", "tls: {configuration: of-no-one, ",
	)
	err := run(t.Context(), options{root: repository(t, faulty.Replace), stack: "staging"})
	for _, fault := range []string{
		"protect: Required value: has no value",
		`storage: Invalid value: "us-east": must be an object`,
		"app.env.HTTP_PORT: Forbidden: an encrypted value inside a section",
		`cdn.tls.configuration: Invalid value: "of-no-one": the Fastly account has no TLS configuration of that ID`,
	} {
		require.ErrorContains(t, err, "\n  "+fault)
	}
}
