package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/require"
	"lke-platform/cmd/report/cost"
	"lke-platform/cmd/report/markdown"
	"lke-platform/components/charts"
)

// update writes the comments anew: go test . -run TestReviewersSee -update
var update = flag.Bool("update", false, "write the golden files anew instead of comparing with them")

// Whoever reviews a pull request sees in ten seconds what it does to the platform that is up.
func TestReviewersSeeWhatAChangeDoes(t *testing.T) {
	comments, err := filepath.Abs("testdata/comments") // before the test enters the repository's copy
	require.NoError(t, err)
	e := &estate{options: options{stack: "prod", root: repository(t, asItIs)}}
	e.bringUp(t)
	asItWas := readFile(t, e.stackFile())
	for i, test := range []struct {
		name   string
		edits  [][2]string
		change func(t *testing.T) // what is in no stack file
	}{
		{name: "no change"},
		{name: "a pool grown", edits: [][2]string{{"type: g6-dedicated-8, count: 3", "type: g6-dedicated-8, count: 4"}}},
		{name: "a pool of another type", edits: [][2]string{{"type: g6-dedicated-8, count: 3", "type: g6-standard-8, count: 3"}}},
		{name: "a chart upgraded", change: func(t *testing.T) {
			pinned := charts.KubePrometheusStack
			t.Cleanup(func() { charts.KubePrometheusStack = pinned })
			charts.KubePrometheusStack.Version = "88.6.0"
		}},
		{name: "a host added", edits: [][2]string{{"      - practicalai.fm\n    env:", "      - practicalai.fm\n      - news.changelog.com\n    env:"}}},
		{name: "a value of a release changed", edits: [][2]string{{"  lke-platform:monitoring:\n", "  lke-platform:monitoring:\n    retention: 60d\n"}}},
		{name: "a secret rotated", change: func(t *testing.T) {
			require.NoError(t, e.stack.SetConfig(t.Context(), "lke-platform:secret-app-secret-key-base",
				auto.ConfigValue{Value: "another-key-base-of-the-app", Secret: true}))
		}},
		{name: "protection lifted", edits: [][2]string{{"lke-platform:protect: true", "lke-platform:protect: false"}}},
		{name: "a zone removed", edits: [][2]string{{"      - name: jsparty.fm\n", ""}, {"      - jsparty.fm\n", ""}}},
		{name: "an invalid file", edits: [][2]string{{"type: g6-dedicated-8, count: 3", "type: g6-dedicated-9, count: 0"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(e.stackFile(), []byte(asItWas), 0o600))
			for _, edit := range test.edits {
				e.edit(t, edit[0], edit[1])
			}
			e.load(t)
			if test.change != nil {
				test.change(t)
			}
			comment := e.comment(t)
			name := filepath.Join(comments, fmt.Sprintf("%02d-%s.md", i, regexp.MustCompile(`\W+`).ReplaceAllString(test.name, "-")))
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(comment), 0o600))
			}
			require.Equal(t, readFile(t, name), comment, "if it is meant to: go test . -run TestReviewersSee -update")
		})
	}
}

// newName is one that the engine makes, another each time, or that ends with a hash of keys, which are others each time.
var newName = regexp.MustCompile(`\b(app|monitoring-home)-[0-9a-f]{8}`)

// comment is what a preview of the stack is told as.
func (e *estate) comment(t *testing.T) string {
	t.Helper()
	preview := e.preview(t)
	prices, err := cost.Recorded()
	require.NoError(t, err)
	comment := (&markdown.Preview{Stack: e.options.stack, Plan: preview.plan, Failed: preview.err != nil, Prices: prices}).String()
	return newName.ReplaceAllString(comment, "$1-…")
}
