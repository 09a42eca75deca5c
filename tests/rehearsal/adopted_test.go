package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAZoneThatIsAdoptedIsThereBefore(t *testing.T) {
	o := options{stack: "staging", root: repository(t, func(stackFile string) string {
		return strings.Replace(stackFile, "      - name: staging.changelog.com\n", `      - name: staging.changelog.com
        adopt: 4711
        records: [{name: staging.changelog.com, type: MX, target: mail.example.com, priority: 10, adopt: 815},
          {name: staging.changelog.com, type: A, target: 203.0.113.9, adopt: 816}]
`, 1)
	})}
	require.NoError(t, run(t.Context(), o))
	s := readSummary(t, o)
	require.Zero(t, s.Again.Changed)
	require.Equal(t, 1, s.Resources["linode:index/domain:Domain"])
	require.Equal(t, 1+2+3*8, s.Resources["linode:index/domainRecord:DomainRecord"], "its own, and those of the origin and of the public names")
}
