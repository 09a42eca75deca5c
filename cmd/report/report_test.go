package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"lke-platform/cmd/report/cost"
	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/plan"
)

const (
	stackURN = "urn:pulumi:prod::lke-platform::pulumi:pulumi:Stack::lke-platform-prod"
	poolKind = "linode:index/lkeNodePool:LkeNodePool"
)

func urn(kind, name string) string { return "urn:pulumi:prod::lke-platform::" + kind + "::" + name }

// begun is the event of a step, as the engine's own type has it.
func begun(op apitype.OpType, urn string, old, new *apitype.StepEventStateMetadata) apitype.EngineEvent {
	return apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{
		Metadata: apitype.StepEventMetadata{Op: op, URN: urn, Old: old, New: new},
	}}
}

func pool(inputs map[string]any) *apitype.StepEventStateMetadata {
	return &apitype.StepEventStateMetadata{Custom: true, ID: "1", Parent: stackURN, Inputs: inputs}
}

var summary = apitype.EngineEvent{SummaryEvent: &apitype.SummaryEvent{Result: apitype.OperationResultSucceeded}}

func logOf(t testing.TB, events ...apitype.EngineEvent) string {
	t.Helper()
	var log strings.Builder
	for _, event := range events {
		line, err := json.Marshal(event)
		require.NoError(t, err)
		fmt.Fprintf(&log, "%s\n", line)
	}
	return log.String()
}

func read(t *testing.T, log string) *plan.Plan {
	t.Helper()
	p, err := plan.Read(strings.NewReader(log))
	require.NoError(t, err)
	return p
}

func recorded(t testing.TB) *cost.Prices {
	t.Helper()
	prices, err := cost.Recorded()
	require.NoError(t, err)
	return prices
}

func told(t *testing.T, log string) string {
	t.Helper()
	return (&markdown.Preview{Stack: "prod", Plan: read(t, log), Prices: recorded(t)}).String()
}

func TestAReplacementSaysWhatForcesIt(t *testing.T) {
	t.Parallel()
	old, new := pool(map[string]any{"type": "g6-standard-2", "nodeCount": 3}), pool(map[string]any{"type": "g6-standard-4", "nodeCount": 3})
	old.Protect = true
	replace := begun(apitype.OpReplace, urn(poolKind, "cluster-app"), old, new)
	replace.ResourcePreEvent.Metadata.Keys = []string{"type"}
	text := told(t, logOf(t, replace, begun(apitype.OpDeleteReplaced, urn(poolKind, "cluster-app"), old, nil), summary))
	require.Contains(t, text, "**Destroys or replaces 1**, **protected 1**, of 1 change in all.")
	require.Contains(t, text, "| **replace**, protected | `LkeNodePool cluster-app` | – | `type`: `g6-standard-2` → `g6-standard-4` |")
	require.Contains(t, text, "| `g6-standard-4 nodes` | 0 | 3 | +144.00 |")
	require.Contains(t, text, "$72.00 → **$144.00** (+72.00)")
}

// What was a secret stays one, wherever it got to.
func TestNoSecretGetsIntoAReport(t *testing.T) {
	token := strings.Repeat("0123456789abcdef", 4)
	t.Setenv("FASTLY_API_KEY", "a-key-of-fastly's")
	values := func(last string) map[string]any {
		return map[string]any{
			"values": map[string]any{
				"adminPassword": "hunter2" + last, "url": "postgres://app:hunter2" + last + "@db/app",
				"header": "Authorization: Bearer hunter2hunter2" + last, "token": "[secret]", "said": "FASTLY is a-key-of-fastly's" + last,
				"key": "-----BEGIN EC PRIVATE KEY-----\nhunter2" + last + "\n-----END EC PRIVATE KEY-----", "linode": token + last,
			},
			"image": "app@sha256:" + token,
		}
	}
	release := urn("kubernetes:helm.sh/v3:Release", "monitoring-"+token)
	update := begun(apitype.OpUpdate, release, pool(values("")), pool(values("-2")))
	update.ResourcePreEvent.Metadata.DetailedDiff = map[string]apitype.PropertyDiff{"values.token": {Kind: apitype.DiffUpdate}}
	fault := apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{
		Severity: "error", URN: release, Message: "<{%fg 1%}>api_key=hunter2 is refused, and password: \"hunter2\"<{%reset%}>\n",
	}}
	to := filepath.Join(t.TempDir(), "report.md")
	require.NoError(t, (&target{to: to}).write(told(t, logOf(t, update, fault, summary))))
	content, err := os.ReadFile(to)
	require.NoError(t, err)
	for _, word := range []string{"hunter2", "a-key-of-fastly's"} {
		require.NotContains(t, string(content), word)
	}
	require.Equal(t, 0, strings.Count(strings.ReplaceAll(string(content), "sha256:"+token, ""), token))
	require.Contains(t, string(content), "! values.token: differs, in a way that is secret")
	require.Contains(t, string(content), "is refused")
}

func TestWhatALogLacksIsSaid(t *testing.T) {
	t.Parallel()
	whole := logOf(t, begun(apitype.OpCreate, urn(poolKind, "a"), nil, pool(nil)), begun(apitype.OpCreate, urn(poolKind, "b"), nil, pool(nil)))
	for name, test := range map[string]struct{ log, lack string }{
		"nothing":            {"", "the engine was stopped before its end"},
		"cut off":            {whole[:len(whole)-20], "line 2 of the event log is no event"},
		"unknown kind":       {whole + `{"sequence": 3, "surpriseEvent": {}}`, "surpriseEvent"},
		"another form":       {whole + `{"resourcePreEvent": {"metadata": {"op": 4}}}`, "line 3 of the event log has another form"},
		"no event at all":    {"null\n[]\n", "line 2 of the event log is no event"},
		"parents in circles": {logOf(t, begun("create", stackURN+"x", nil, &apitype.StepEventStateMetadata{Parent: stackURN + "x"})), "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := told(t, test.log)
			require.Contains(t, text, test.lack)
			require.NotContains(t, text, "Nothing changes")
		})
	}
}

// requireWhole renders a report as GitHub does, and looks whether what is in it stayed in its place.
func requireWhole(t *testing.T, text string) {
	t.Helper()
	page := &bytes.Buffer{}
	renderer := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe()))
	require.NoError(t, renderer.Convert([]byte(text), page))
	root, err := html.Parse(page)
	require.NoError(t, err)
	elements, columns := map[string]int{}, 0
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		elements[node.Data]++
		if node.Data == "tr" {
			cells := 0
			for cell := range node.ChildNodes() {
				if cell.Type == html.ElementNode {
					cells++
				}
			}
			if node.Parent.Data == "thead" {
				columns = cells
			}
			require.Equal(t, columns, cells, "cells of a row")
		}
	}
	require.Equal(t, elements["summary"], elements["details"])
	require.Equal(t, strings.Count(text, "\n|---|"), elements["table"])
	for _, element := range []string{"img", "b", "h1", "h2", "script"} {
		require.Zero(t, elements[element], element)
	}
	require.Equal(t, 1, elements["h3"])
}

// thousands are the events of a preview of 5,000 resources, to each of which something happens.
func thousands() (many []apitype.EngineEvent) {
	for i := range 5_000 {
		name := fmt.Sprintf("pool-%d", i)
		switch i % 4 {
		case 0:
			many = append(many, begun(apitype.OpDelete, urn(poolKind, name), pool(nil), nil))
		case 1:
			many = append(many, begun(apitype.OpCreate, urn(poolKind+fmt.Sprint(i), name), nil, pool(nil)))
		default:
			many = append(many, begun(apitype.OpUpdate, urn(poolKind, name), pool(map[string]any{"nodeCount": 1}), pool(map[string]any{"nodeCount": 2})))
		}
	}
	return many
}

// BenchmarkComment makes the comment on a preview of 5,000 changes, and holds that against decoding the engine's events with its own
// types, which is the least that anybody has to do who reads them. Limit: 2 s.
func BenchmarkComment(b *testing.B) {
	log, prices := logOf(b, append(thousands(), summary)...), recorded(b)
	var whole, decoded time.Duration
	for b.Loop() {
		begin := time.Now()
		p, err := plan.Read(strings.NewReader(log))
		require.NoError(b, err)
		require.NotEmpty(b, (&markdown.Preview{Stack: "prod", Plan: p, Prices: prices}).String())
		whole += time.Since(begin)
		begin = time.Now()
		for line := range strings.Lines(log) {
			require.NoError(b, json.Unmarshal([]byte(line), &apitype.EngineEvent{}))
		}
		decoded += time.Since(begin)
	}
	b.ReportMetric(whole.Seconds()/float64(b.N), "s/comment")
	b.ReportMetric(whole.Seconds()/decoded.Seconds(), "x-of-decoding")
}

// GitHub refuses what is too long, and shows what a hostile name says if it is let.
func TestReportsHoldWhateverIsInThem(t *testing.T) {
	t.Parallel()
	many := thousands()
	hostile := "<img src=x onerror=alert(1)> `a` | **b** ``` </details> @everyone\n\n### c"
	long := strings.Repeat("a line of a value\n", 60_000)
	for name, log := range map[string]string{
		"5,000 resources": logOf(t, append(many, summary)...),
		"hostile names": logOf(t, begun(apitype.OpDelete, urn(poolKind, hostile), pool(nil), nil), begun(apitype.OpUpdate, urn(poolKind, hostile+"2"),
			pool(map[string]any{hostile: hostile}), pool(map[string]any{hostile: hostile + "```"})),
			apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{Severity: "error", Message: hostile}}, summary),
		"values of 1 MB": logOf(t, begun(apitype.OpUpdate, urn(poolKind, "a"), pool(map[string]any{"a": long, "b": []any{long}, "c": long}),
			pool(map[string]any{"a": long + "x", "b": map[string]any{"d": long}, "c": "short"})), summary),
		"a fault of 1 MB": logOf(t, apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{Severity: "error", Message: long}},
			apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{Severity: "warning", Message: long}}, summary),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := read(t, log)
			for _, text := range []string{
				(&markdown.Preview{Stack: "prod", Plan: p, Prices: recorded(t), Failed: name == "a fault of 1 MB"}).String(),
				(&markdown.Drift{Stack: "prod", Plan: p, Differs: true}).String(),
			} {
				require.LessOrEqual(t, len(text), 65_536-1_000, "there are links to come")
				requireWhole(t, text)
			}
		})
	}
	require.Contains(t, told(t, logOf(t, append(many, summary)...)), "more, for which there is no room here")
}

func TestWhatHasNoPriceIsSaid(t *testing.T) {
	t.Parallel()
	text := told(t, logOf(t, begun(apitype.OpCreate, urn(poolKind, "a"), nil, pool(map[string]any{"type": "g9-new-1", "nodeCount": 2})), summary))
	require.Contains(t, text, "The list has no price for `2 × g9-new-1 nodes`.")
}

// answerGitHub has a gh that asks the test, in place of GitHub's own.
func answerGitHub(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	const script = `#!/bin/sh
method=GET input=/dev/null
while [ $# -gt 1 ]; do case $1 in --method) method=$2; shift;; --input) input=/dev/stdin; shift;; esac; shift; done
exec curl -sSf -X "$method" --data-binary "@$input" "%s/$1"
`
	require.NoError(t, os.WriteFile(filepath.Join(folder, "gh"), fmt.Appendf(nil, script, server.URL), 0o700))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	t.Setenv("GITHUB_REPOSITORY", "us/platform")
	t.Setenv("GITHUB_SERVER_URL", "https://github.com")
	t.Setenv("GITHUB_RUN_ID", "42")
}

// One comment for each stack, and one issue: they are written anew, whoever else has written there.
func TestReportsAreWrittenOnceAndThenRewritten(t *testing.T) {
	var asked []string
	answerGitHub(t, func(w http.ResponseWriter, r *http.Request) {
		body := &strings.Builder{}
		_, err := io.Copy(body, r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+body.String()))
		answer := "[[]]"
		switch r.URL.Path {
		case "/repos/us/platform/issues/8/comments":
			answer = `[[{"id": 1, "body": "### Preview of prod\nby somebody", "user": {"type": "User"}}],
				[{"id": 2, "body": "### Preview of staging\n", "user": {"type": "Bot"}}, {"id": 3, "body": "### Preview of prod\nold", "user": {"type": "Bot"}}]]`
		case "/repos/us/platform/issues":
			answer = `[[{"number": 4, "title": "Drift of staging"}], [{"number": 5, "title": "Drift of prod"}]]`
		}
		_, _ = io.WriteString(w, answer)
	})
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "report.md")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const links = `\n\n[Run of the workflow](https://github.com/us/platform/actions/runs/42)\n`
	for _, test := range []struct {
		arguments []string
		last      string
	}{
		{[]string{"comment", "7", "Preview of prod", file("### Preview of prod\nnew")}, `POST /repos/us/platform/issues/7/comments {"body":"### Preview of prod\nnew` + links + `"}`},
		{[]string{"comment", "8", "Preview of prod", file("### Preview of prod\nnew")}, `PATCH /repos/us/platform/issues/comments/3 {"body":"### Preview of prod\nnew` + links + `"}`},
		{[]string{"open", "Drift of prod", file("### Drift of prod\nnew")}, `PATCH /repos/us/platform/issues/5 {"body":"### Drift of prod\nnew` + links + `"}`},
		{[]string{"open", "Drift of dev", "no such file"}, `POST /repos/us/platform/issues {"body":"### Drift of dev\n\n**There is no report**: ` +
			`it failed before there was anything to tell. Its run says why.` + links + `","title":"Drift of dev"}`},
		{[]string{"close", "Drift of prod"}, `PATCH /repos/us/platform/issues/5 {"state":"closed"}`},
		{[]string{"close", "Drift of dev"}, `GET /repos/us/platform/issues`},
	} {
		require.NoError(t, run(t.Context(), test.arguments))
		require.Equal(t, test.last, asked[len(asked)-1])
	}
}

// runPulumi has a pulumi that tells what the test says, and ends as it says.
func runPulumi(t *testing.T, run pulumiRun) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"log": run.log, "said": run.said, "code": fmt.Sprintln(run.code)} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	const script = `#!/bin/sh
cd %s
while [ "$1" != --event-log ]; do shift; done
[ ! -s log ] || cp log "$2"
cat said >&2; read -r code <code; exit "$code"
`
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pulumi"), fmt.Appendf(nil, script, folder), 0o700))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	t.Setenv("LINODE_URL", "http://127.0.0.1:1") // nobody there
	t.Chdir(t.TempDir())
}

type pulumiRun = struct {
	log, said string
	code      int
}

func TestAPreviewEndsAsPulumiDoes(t *testing.T) {
	changed := logOf(t, begun(apitype.OpCreate, urn(poolKind, "a"), nil, pool(map[string]any{"type": "g6-standard-2", "nodeCount": 1})), summary)
	for name, test := range map[string]struct {
		pulumiRun
		tells string
	}{
		"changes":             {pulumiRun{log: changed}, "**Cost a month**: $0.00 → **$24.00** (+24.00), at Linode's list prices of 20"},
		"fails at once":       {pulumiRun{said: "error: incorrect passphrase", code: 255}, "error: incorrect passphrase"},
		"fails in the middle": {pulumiRun{log: strings.TrimSuffix(changed, logOf(t, summary)), code: 1}, "What it found before that is not all there is"},
	} {
		t.Run(name, func(t *testing.T) {
			runPulumi(t, test.pulumiRun)
			err := run(t.Context(), []string{"preview", "-stack", "prod", "-to", "reports/preview.md", "--", "--stack", "prod"})
			content, readErr := os.ReadFile("reports/preview.md")
			require.NoError(t, readErr)
			require.Contains(t, string(content), test.tells)
			if test.code == 0 {
				require.NoError(t, err)
				return
			}
			var ended *exec.ExitError
			require.ErrorAs(t, err, &ended)
			require.Equal(t, test.code, ended.ExitCode())
		})
	}
}

func TestDriftTellsWhatWasDoneByHandAndWhatUpWouldDo(t *testing.T) {
	grown := begun(apitype.OpRefresh, urn(poolKind, "a"), pool(nil), pool(nil))
	found := apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: apitype.StepEventMetadata{
		Op: apitype.OpUpdate, URN: urn(poolKind, "a"),
		Old:          &apitype.StepEventStateMetadata{Custom: true, Outputs: map[string]any{"nodeCount": 2, "id": 1}},
		New:          &apitype.StepEventStateMetadata{Custom: true, Outputs: map[string]any{"nodeCount": 3, "id": 1}},
		DetailedDiff: map[string]apitype.PropertyDiff{"nodeCount": {Kind: apitype.DiffUpdate}},
	}}}
	back := begun(apitype.OpUpdate, urn(poolKind, "a"), pool(map[string]any{"nodeCount": 3}), pool(map[string]any{"nodeCount": 2}))
	for name, test := range map[string]struct {
		pulumiRun
		fails bool
		tells []string
	}{
		"nothing": {pulumiRun{log: logOf(t, summary)}, false, []string{"**Nothing differs.**"}},
		"by hand": {pulumiRun{log: logOf(t, grown, found, back, summary), code: 7}, true, []string{
			"**1 resource was changed by hand**; `make up` would change 1 resource.", "- nodeCount: 2\n+ nodeCount: 3\n", "- nodeCount: 3\n+ nodeCount: 2\n",
		}},
		"by hand, as the program says": {pulumiRun{log: logOf(t, grown, found, summary)}, true, []string{
			"**1 resource was changed by hand**, as the program says by now", "- nodeCount: 2\n+ nodeCount: 3\n",
		}},
		"a merge that is not up": {pulumiRun{log: logOf(t, back, summary), code: 7}, true, []string{"**Nothing was changed by hand**"}},
		"no access":              {pulumiRun{said: "error: no token", code: 255}, true, []string{"**It could not be compared**", "error: no token"}},
	} {
		t.Run(name, func(t *testing.T) {
			runPulumi(t, test.pulumiRun)
			err := run(t.Context(), []string{"drift", "-stack", "prod", "-to", "drift.md", "--", "--stack", "prod"})
			require.Equal(t, test.fails, err != nil, err)
			content, err := os.ReadFile("drift.md")
			require.NoError(t, err)
			for _, tells := range test.tells {
				require.Contains(t, string(content), tells)
			}
		})
	}
}

// The page of a workflow's run says what a rehearsal found, or that it failed.
func TestTheSummaryOfARehearsal(t *testing.T) {
	t.Chdir(t.TempDir())
	told := func(summary string) string {
		require.NoError(t, os.MkdirAll(".rehearsal/prod", 0o700))
		require.NoError(t, os.WriteFile(".rehearsal/prod/summary.json", []byte(summary), 0o600))
		require.NoError(t, run(t.Context(), []string{"rehearsal", "-stack", "prod", "-to", "page.md"}))
		text, err := os.ReadFile("page.md")
		require.NoError(t, err)
		requireWhole(t, string(text))
		return string(text)
	}
	succeeded := told(`{"stack": "prod", "result": "succeeded", "up": {"seconds": 1.5, "created": 3}, "costPerMonthUSD": 24,
		"cost": [{"what": "g6-standard-2 nodes", "count": 1, "monthUSD": 24}], "notRehearsed": ["traffic"],
		"nodes": [{"name": "n", "type": "g6-standard-2", "pods": 3, "cpuPercent": 20, "memoryPercent": 30}]}`)
	require.Contains(t, succeeded, "**It succeeded**: 3 resources in 1.5 s, 0 changed by a second `up`.")
	require.Contains(t, succeeded, "| `n` | `g6-standard-2` | 3 | 20 % | 30 % |")
	require.Contains(t, succeeded, "- `traffic`")
	require.Contains(t, told(`{"stack": "prod", "result": "failed", "warnings": ["w"]}`), "**It failed.** The log of the run says why")
	require.Contains(t, told(`{"stack": `), "It did not get as far as a summary")
}

// Prices are asked for without a token, and those of one region can differ.
func TestPricesComeFromLinodeWhereItAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"data": [{"id": "g6-standard-2", "price": {"monthly": 30}, "region_prices": [{"id": "br-gru", "monthly": 42}]}]}`)
	}))
	defer server.Close()
	asked, err := cost.Ask(t.Context(), server.URL)
	require.NoError(t, err)
	cluster := func(region string) string {
		return logOf(t, begun(apitype.OpCreate, urn("linode:index/lkeCluster:LkeCluster", "cluster"), nil, pool(map[string]any{
			"region": region, "pools": []any{map[string]any{"type": "g6-standard-2", "count": 2}},
		})), summary)
	}
	for region, usd := range map[string]float64{"us-ord": 60, "br-gru": 84} {
		_, bill := asked.Compare(read(t, cluster(region)))
		require.InDelta(t, usd, bill.Total(), 0.001)
	}
	server.Close()
	_, err = cost.Ask(t.Context(), server.URL)
	require.ErrorContains(t, err, "asking Linode for prices")
}

// The stand-in above takes any option. The CLI itself knows this one only where it is asked for options that are not for everybody.
func TestTheCLIKeepsAnEventLog(t *testing.T) {
	tools, err := filepath.Abs("../../.bin")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(tools, "pulumi")); err != nil {
		t.Skip("the tool-chain is missing: run `make toolchain`")
	}
	project := t.TempDir()
	t.Chdir(project)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	t.Setenv("PULUMI_HOME", t.TempDir())
	t.Setenv("PULUMI_BACKEND_URL", "file://"+project)
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "passphrase")
	t.Setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
	require.NoError(t, os.WriteFile("Pulumi.yaml", []byte("name: platform\nruntime: none\n"), 0o600))
	output, err := exec.Command("pulumi", "stack", "init", "prod").CombinedOutput()
	require.NoError(t, err, string(output))
	failed, err := watch(t.Context(), "preview", "--stack", "prod", "--non-interactive")
	require.NoError(t, err)
	require.Contains(t, failed.output, "language plugin", "it got as far as the program, which is in no language")
	looked, err := watch(t.Context(), "refresh", "--preview-only", "--stack", "prod", "--non-interactive")
	require.NoError(t, err)
	require.NoError(t, looked.err)
	require.True(t, looked.plan.Ended, "the log is where it is looked for, and whole")
}
