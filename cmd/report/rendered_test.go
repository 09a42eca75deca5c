package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/rendered"
)

// What the job that rehearses has found out about charts is in the comment and on the page of its run.
func TestReportsTellWhatChartsRender(t *testing.T) {
	runPulumi(t, pulumiRun{log: logOf(t, summary)})
	c := &rendered.Comparison{Base: "main", Releases: []*rendered.Release{{
		Name: "web", Before: "web-1.0.0", After: "web-1.1.0", Removed: []string{"ConfigMap old"},
		Changed: []rendered.Object{{Name: "Deployment web", Before: "replicas: 1\n", After: "replicas: 2\npassword: hunter2\n"}},
	}}}
	told := func(arguments ...string) string {
		require.NoError(t, run(t.Context(), append(arguments, "-stack", "prod", "-to", "report.md")))
		text, err := os.ReadFile("report.md")
		require.NoError(t, err)
		requireWhole(t, string(text))
		return string(text)
	}
	require.NotContains(t, told("preview"), "charts render")
	require.NoError(t, c.Write(".", "prod"))
	for _, command := range []string{"preview", "rehearsal"} {
		text := told(command)
		require.Contains(t, text, "#### What the charts render, against `main`")
		require.Contains(t, text, "Goes: `ConfigMap old`")
		require.Contains(t, text, "-replicas: 1\n+replicas: 2\n")
		require.NotContains(t, text, "hunter2")
	}
	require.NoError(t, os.WriteFile(rendered.File("prod"), []byte(`{"releases": [`), 0o600))
	for _, command := range []string{"preview", "rehearsal"} {
		require.Contains(t, told(command), "reading what the charts render")
	}
}

// Charts can make thousands of objects, whatever they are called.
func TestWhatChartsRenderHoldsWhateverIsInIt(t *testing.T) {
	t.Parallel()
	const hostile = "ConfigMap <img src=x onerror=alert(1)> `a` | **b** ``` </details>\n\n### c"
	c := &rendered.Comparison{Base: hostile}
	long := strings.Repeat("a line\n", 60_000)
	for i := range 300 {
		r := &rendered.Release{
			Name: hostile, Before: hostile, After: fmt.Sprint(i), Changed: []rendered.Object{{Name: hostile, Before: "a\n", After: hostile}},
			Definitions: []rendered.Definition{{Name: hostile, Before: hostile}, {Name: "same", Before: "v1", After: "v1"}},
		}
		for n := range 500 {
			r.Added = append(r.Added, fmt.Sprint(hostile, strings.Repeat("n", 200), n))
		}
		c.Releases = append(c.Releases, r, &rendered.Release{Name: "lost", After: "lost-1", Lacks: hostile + long})
	}
	c.Releases[0].Changed[0].After = long
	text := (&markdown.Preview{Stack: "prod", Plan: read(t, logOf(t, summary)), Prices: recorded(t), Rendered: c}).String()
	require.LessOrEqual(t, len(text), 65_536-1_000, "there are links to come")
	requireWhole(t, text)
	require.Contains(t, text, "…and of more releases")
}
