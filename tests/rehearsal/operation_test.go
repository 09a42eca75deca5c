package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"
)

const bucketURN = "urn:pulumi:staging::lke-platform::linode:index/objectStorageBucket:ObjectStorageBucket::media"

// runStep has an operation handle the beginning and the end of a step.
func runStep(o *operation, op apitype.OpType, failed bool) {
	state := &apitype.StepEventStateMetadata{Custom: true}
	m := apitype.StepEventMetadata{Op: op, URN: bucketURN, New: state, DetailedDiff: map[string]apitype.PropertyDiff{"label": {}}}
	o.handle(events.EngineEvent{EngineEvent: apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: m}}})
	if failed {
		o.handle(events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOpFailedEvent: &apitype.ResOpFailedEvent{Metadata: m}}})
	} else {
		o.handle(events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m}}})
	}
}

func TestAReplacementIsOneStep(t *testing.T) {
	said := &strings.Builder{}
	o := &operation{name: "up", console: newConsole(said), steps: map[string]*step{}}
	before := time.Now()
	runStep(o, apitype.OpCreateReplacement, false)
	created := o.steps[bucketURN].end
	runStep(o, apitype.OpReplace, false)
	runStep(o, apitype.OpDeleteReplaced, true)

	require.Equal(t, 1, o.changed())
	require.Zero(t, o.created())
	s := o.steps[bucketURN]
	require.Equal(t, apitype.OpReplace, s.kind)
	require.WithinRange(t, s.begin, before, created)
	require.False(t, s.end.Before(created))
	require.True(t, s.failed)
	require.Contains(t, said.String(), "up  create-replacement linode:index/objectStorageBucket:ObjectStorageBucket media (label)")
	require.Contains(t, said.String(), "up  delete-replaced linode:index/objectStorageBucket:ObjectStorageBucket media (label)")
	require.Equal(t, 2, strings.Count(said.String(), "\n"))
}

func TestALookAtAResourceIsNoChange(t *testing.T) {
	o := &operation{console: newConsole(&strings.Builder{}), steps: map[string]*step{}}
	runStep(o, apitype.OpRefresh, false)
	runStep(o, apitype.OpSame, false)
	require.Zero(t, o.changed())
}
