package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/report"
)

// What is not known of the graph when a rehearsal ends early is known from the engine's events, once for all its runs.
func TestTheReportKnowsWhatWasWorkedOn(t *testing.T) {
	const component = "urn:pulumi:staging::lke-platform::lke-platform:objectstorage:Bucket::media"
	s := newSummary(options{stack: "staging"}, &world{}, nil)
	for _, name := range []string{"preview", "up"} {
		o := &operation{name: name, console: newConsole(&strings.Builder{}), steps: map[string]*step{}, took: time.Second}
		runStep(o, apitype.OpCreate, name == "up")
		o.steps[bucketURN].parent = component
		o.steps[component] = &step{urn: component, kind: apitype.OpCreate, begin: time.Now()}
		s.record(o)
	}
	r := s.rehearsal()
	require.Equal(t, []report.Resource{
		{URN: bucketURN, Type: "linode:index/objectStorageBucket:ObjectStorageBucket", Name: "media", Parent: component},
		{URN: component, Type: "lke-platform:objectstorage:Bucket", Name: "media", Component: true},
	}, r.Resources)
	require.Len(t, r.Operations, 2)
	require.Equal(t, time.Second, r.Operations[1].Took)
	require.Len(t, r.Operations[1].Steps, 1, "a component is no work of its own")
	require.True(t, r.Operations[1].Steps[0].Failed)
}

func TestTheReportHasNoValues(t *testing.T) {
	resources := resourcesIn([]apitype.ResourceV3{{
		URN: bucketURN, Type: "linode:index/objectStorageBucket:ObjectStorageBucket", Custom: true, ID: "1", Parent: "parent",
		Inputs: map[string]any{"label": "value"}, Outputs: map[string]any{"secretKey": "value"},
	}})
	require.Equal(t, []report.Resource{{
		URN: bucketURN, Type: "linode:index/objectStorageBucket:ObjectStorageBucket", Name: "media", Parent: "parent", Needs: []string{"parent"},
	}}, resources)
}

func TestANodeIsAsFullAsItsPodsAsk(t *testing.T) {
	fill := fillOf(kubernetes.NodeUsage{
		Name: "node", Allocatable: kubernetes.Resources{MilliCPUs: 2000, MemoryBytes: 4 << 30},
		Requested: kubernetes.Resources{MilliCPUs: 500, MemoryBytes: 1 << 30, Pods: 1},
		Pods:      []kubernetes.PodUsage{{Namespace: "app", Name: "web", MilliCPUs: 500, MemoryBytes: 1 << 30}},
	})
	require.EqualValues(t, 25, fill.MemoryPercent)
	s := summary{Nodes: []nodeFill{fill}}
	require.Equal(t, []report.Node{{
		Name: "node", MilliCPUs: 2000, MemoryBytes: 4 << 30, Pods: []report.Pod{{Namespace: "app", Name: "web", MilliCPUs: 500, MemoryBytes: 1 << 30}},
	}}, s.rehearsal().Nodes)
}
