package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/simulation"
)

// What certsync cannot do stops the `up` before any name leads to Fastly, says why, and is made good by the next one.
func TestNoNameGoesLiveWithoutItsCertificate(t *testing.T) {
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	e.start(t)
	refusal := simulation.Fault{Method: "POST", Path: "^/tls/activations$", Status: 403}
	require.NoError(t, e.world.fastly.Faults().Add(refusal))
	failed, err := bringUp(t.Context(), e.stack, "up", 0, newConsole(io.Discard))
	require.ErrorContains(t, failed.failure(err, ""), "the token may not")
	for urn := range failed.steps {
		require.NotRegexp(t, hostRecord, urn)
	}
	origin := failed.step("DomainRecord::origin-origin.staging.changelog.com-AAAA-0")
	require.False(t, failed.step("ServiceVcl::cdn").begin.Before(origin.end), "Fastly asks for its origin at once")

	e.world.fastly.Faults().Clear()
	e.change(t)
	require.Len(t, e.world.fastly.Activations(), 2)
}
