package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/vcl"
)

// program is what runs at Fastly's sites, as Fastly has it.
func (s *service) program(t *testing.T) *vcl.Service {
	t.Helper()
	program := &vcl.Service{
		Program:  s.objects(t, "vcl")["main"]["content"].(string),
		Backends: map[string]string{}, Snippets: map[string]string{}, Logs: map[string]vcl.Log{},
	}
	conditions := s.objects(t, "condition")
	statement := func(object fields, condition string) string {
		name, ok := object[condition].(string)
		if !ok {
			return ""
		}
		return conditions[name]["statement"].(string)
	}
	for name, backend := range s.objects(t, "backend") {
		program.Backends[name] = statement(backend, "request_condition")
	}
	for _, snippet := range s.objects(t, "snippet") {
		program.Snippets[snippet["type"].(string)] += snippet["content"].(string)
	}
	for _, kind := range []string{"logging/s3", "logging/https"} {
		for name, log := range s.objects(t, kind) {
			program.Logs[name] = vcl.Log{Statement: statement(log, "response_condition"), Format: log["format"].(string)}
		}
	}
	return program
}

// What the engine brought up is run at two of Fastly's sites. What they do with all sorts of requests, the tests of vcl say.
func TestVisitorsGetWhatTheStackFileSays(t *testing.T) {
	s, _ := bringUpService(t, cdnSection)
	program := s.program(t)

	t.Run("www is redirected", func(t *testing.T) {
		fastly := vcl.Start(t, program)
		got := fastly.Ask(t, http.MethodGet, "https://www.example.com/a?b=c", nil)
		require.Equal(t, http.StatusMovedPermanently, got.Status)
		require.Equal(t, "https://example.com/a?b=c", got.Header.Get("Location"))
	})
	t.Run("pages are kept, with what the stack file adds", func(t *testing.T) {
		fastly := vcl.Start(t, program)
		fastly.Servers["origin"].Header = http.Header{"Cache-Control": {"max-age=60"}}
		for visit := range 2 {
			got := fastly.Ask(t, http.MethodGet, "https://example.com/", nil)
			require.Equal(t, http.StatusOK, got.Status)
			require.Equal(t, "max-age=86400", got.Header.Get("Strict-Transport-Security"))
			require.Equal(t, "*", got.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "noindex", got.Header.Get("X-Robots-Tag"), "the snippet of the stack file")
			if visit == 0 {
				require.Equal(t, []string{"looks up", "keeps 60.000 + 120.000 / 86400.000"}, got.Edge)
			}
		}
		require.Len(t, fastly.Servers["origin"].Asked, 1)
		require.Empty(t, fastly.Ask(t, http.MethodGet, "https://keel.example.com/", nil).Header.Get("Access-Control-Allow-Origin"))
	})
	t.Run("media come from the bucket", func(t *testing.T) {
		fastly := vcl.Start(t, program)
		fastly.Ask(t, http.MethodGet, "https://cdn.example.com/uploads/podcast/1/a.mp3", http.Header{"Cookie": {"a=1"}})
		require.Len(t, fastly.Servers["media"].Asked, 1)
		require.Empty(t, fastly.Servers["origin"].Asked)
	})
	t.Run("each request is logged once where it belongs", func(t *testing.T) { oneLineForEachRequest(t, program) })
}

// The password is asked for by the service that the engine brought up, and stands nowhere; its hash, nowhere in plain.
func TestAPasswordIsAskedForAndKept(t *testing.T) {
	s, stack := bringUpService(t, "origin: {shield: lga-ny-us}\nbasicAuth: {alice: gate}\n")
	table := s.objects(t, "snippet")["passwords"]["content"].(string)
	require.NotContains(t, table, secretKeyOfLogs)
	hash := regexp.MustCompile("[0-9a-f]{64}").FindString(table)
	require.NotEmpty(t, hash)
	requireNotInState(t, stack, hash)

	fastly := vcl.Start(t, s.program(t))
	require.Equal(t, http.StatusUnauthorized, fastly.Ask(t, http.MethodGet, "https://example.com/", nil).Status)
	password := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+secretKeyOfLogs+" gate"))
	require.Equal(t, http.StatusOK, fastly.Ask(t, http.MethodGet, "https://example.com/", http.Header{"Authorization": {password}}).Status)
	again, err := stack.Up(t.Context())
	require.NoError(t, err)
	require.NotContains(t, *again.Summary.ResourceChanges, "update", "what was made is what was declared")
}

func oneLineForEachRequest(t *testing.T, program *vcl.Service) {
	t.Helper()
	fastly := vcl.Start(t, program)
	visitor := http.Header{
		"User-Agent": {"Overcast"}, "Referer": {"https://example.org/reset?token=secret"},
		"Fastly-Client-Ip": {`203.0.113.66","forged":"`},
	}
	for address, logs := range map[string][]string{
		"https://cdn.example.com/uploads/podcast/1/a.mp3": {"uploads-podcast to logs-podcast", "honeycomb"},
		"https://example.com/uploads/gotime/1/a.mp3":      {"uploads-gotime to logs-gotime", "honeycomb"},
		"https://example.com/uploads/?token=secret":       {"honeycomb"},
	} {
		var found []string
		for name, line := range fastly.Ask(t, http.MethodGet, address, visitor).Logs {
			found = append(found, name)
			require.NotContains(t, line, "203.0.113", "visitors do not say where they are")
			if name != "honeycomb" {
				require.Regexp(t, `^192.0.2.1,\[[^]]+\],/uploads/[a-z]+/1/a\.mp3,[0-9]+,200,`, line, "downloads are counted by address")
				continue
			}
			require.NotContains(t, line, "secret", "what stands behind a question mark may be one")
			var event struct {
				Data map[string]any `json:"data"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &event), line)
			require.Equal(t, "Overcast", event.Data["request_user_agent"])
			require.Equal(t, "https://example.org/reset", event.Data["request_referer"])
			require.Equal(t, "192.0.2.0", event.Data["client_ip"])
			require.Regexp(t, `^[0-9a-f-]{36}$`, event.Data["request_id"], "by which the origin's line is found")
		}
		require.ElementsMatch(t, logs, found, address)
	}
}
