package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/interpreter"
	"github.com/ysugimoto/falco/interpreter/context"
	"github.com/ysugimoto/falco/resolver"
)

// A site is one of Fastly's that runs a service: a simulator of VCL in front of servers that note what they are asked.
type site struct {
	vcl     http.Handler
	servers map[string]*server // by backend
}

// server is what a backend leads to.
type server struct {
	asked  []*http.Request
	answer func(http.ResponseWriter)
}

// answer is what a visitor gets.
type answer struct {
	Logs []struct {
		Message string `json:"message"`
	} `json:"logs"`
	Error    any `json:"error"`
	Response struct {
		StatusCode int               `json:"status_code"`
		Headers    map[string]string `json:"headers"`
	} `json:"client_response"`
}

// seconds are a length of time in VCL.
var seconds = regexp.MustCompile(`= ([0-9]+)s;`)

// simulable says in other words what this version of the simulator refuses, and Fastly does not: lengths of time that stand in the
// program as they are, and passing an answer on without keeping it.
func simulable(program string) string {
	before, rest, _ := strings.Cut(program, "sub vcl_fetch {")
	fetch, after, _ := strings.Cut(rest, "sub vcl_error {")
	fetch = strings.ReplaceAll(fetch, "return(pass);", "set beresp.ttl = 0s;\nreturn(deliver);")
	return seconds.ReplaceAllString(before+"sub vcl_fetch {"+fetch+"sub vcl_error {"+after, `= std.atoi("$1");`)
}

// newSite makes the VCL that Fastly makes of a service's objects, as far as it matters here, and runs it.
func newSite(t *testing.T, s *service) *site {
	t.Helper()
	f := &site{servers: map[string]*server{}}
	var program strings.Builder
	for name := range s.objects(t, "backend") {
		noting := &server{answer: func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "max-age=60") }}
		listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			noting.asked = append(noting.asked, r)
			noting.answer(w)
		}))
		t.Cleanup(listening.Close)
		f.servers[name] = noting
		address, err := url.Parse(listening.URL)
		require.NoError(t, err)
		fmt.Fprintf(&program, "backend F_%s { .host = \"%s\"; .port = \"%s\"; }\n", name, address.Hostname(), address.Port())
	}
	content := s.objects(t, "vcl")["main"]["content"].(string)
	for subroutine, generated := range s.generated(t) {
		content = strings.Replace(content, "#FASTLY "+subroutine+"\n", "#FASTLY "+subroutine+"\n"+generated, 1)
	}
	program.WriteString(simulable(content))
	simulator := interpreter.New(context.WithResolver(resolver.NewStaticResolver("main", program.String())))
	simulator.Debugger = noise{t}
	f.vcl = simulator
	return f
}

// generated is what Fastly generates for each subroutine.
func (s *service) generated(t *testing.T) map[string]string {
	t.Helper()
	generated := map[string]string{}
	for _, snippet := range s.objects(t, "snippet") {
		generated[snippet["type"].(string)] += snippet["content"].(string)
	}
	conditions := s.objects(t, "condition")
	generated["recv"] += "set req.backend = F_origin;\n"
	for _, setting := range s.objects(t, "request_settings") {
		if setting["force_ssl"] == "1" {
			generated["recv"] += "if (!req.http.Fastly-SSL) { error 801; }\n"
			generated["error"] += "if (obj.status == 801) { set obj.status = 301; set obj.response = \"Moved Permanently\";\n" +
				"set obj.http.Location = \"https://\" req.http.Host req.url; synthetic \"\"; return(deliver); }\n"
		}
	}
	for name, backend := range s.objects(t, "backend") {
		if condition, ok := backend["request_condition"].(string); ok {
			generated["recv"] += fmt.Sprintf("if (%s) { set req.backend = F_%s; }\n", conditions[condition]["statement"], name)
		}
	}
	for _, kind := range []string{"logging/s3", "logging/https"} {
		for name, log := range s.objects(t, kind) {
			generated["log"] += fmt.Sprintf("if (%s) { log \"%s: \" %s; }\n",
				conditions[log["response_condition"].(string)]["statement"], name, logExpression(log["format"].(string)))
		}
	}
	return generated
}

// directive is a part of a log's format that is not text.
var directive = regexp.MustCompile(`%\{([^}]*)\}i|%\{(.*?)\}V|%>?[a-zA-Z]`)

// directives are the short ones in VCL.
var directives = map[string]string{
	"%h": "req.http.Fastly-Client-IP", "%t": `"[" now "]"`, "%U": "req.url.path", "%b": "resp.body_bytes_written", "%>s": "resp.status",
}

// expressions undoes a format's quoting, and names a backend as the simulator wants it.
var expressions = strings.NewReplacer(`\{`, "{", `\}`, "}", "req.backend", "req.backend.name")

// logExpression is the VCL that Fastly makes of a log's format.
func logExpression(format string) string {
	var expression strings.Builder
	text := func(part string) {
		if part != "" {
			expression.WriteString(` {"` + part + `"}`)
		}
	}
	at := 0
	for _, found := range directive.FindAllStringSubmatchIndex(format, -1) {
		text(format[at:found[0]])
		whole := format[found[0]:found[1]]
		switch {
		case found[2] >= 0:
			expression.WriteString(" req.http." + format[found[2]:found[3]])
		case found[4] >= 0:
			expression.WriteString(" " + expressions.Replace(format[found[4]:found[5]]))
		default:
			expression.WriteString(" " + directives[whole])
		}
		at = found[1]
	}
	text(format[at:])
	return expression.String()
}

// noise is what the simulator says of its work: that in which something failed.
type noise struct{ *testing.T }

func (noise) Run(ast.Node) interpreter.DebugState { return interpreter.DebugPass }
func (n noise) Message(text string)               { n.Log(text) }

// ask sends a request over TLS with headers, as "Name: value".
func (f *site) ask(t *testing.T, method, address string, headers ...string) answer {
	t.Helper()
	request := httptest.NewRequest(method, address, nil)
	request.Header.Set("Host", request.Host) // where the simulator looks for it
	if request.URL.Scheme == "https" {
		request.Header.Set("Fastly-SSL", "1")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	f.vcl.ServeHTTP(recorder, request)
	var got answer
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &got), recorder.Body.String())
	require.Nil(t, got.Error, "see the messages above")
	return got
}

// requireAsked says how often a backend was asked since the last time.
func (f *site) requireAsked(t *testing.T, backend string, times int) {
	t.Helper()
	require.Len(t, f.servers[backend].asked, times)
	f.servers[backend].asked = nil
}

// The objects that Fastly has are run in a simulator of its VCL. It knows neither shields nor stale answers.
func TestVisitorsGetWhatTheStackFileSays(t *testing.T) {
	s, _ := bringUpService(t, cdnSection)

	for name, test := range map[string]struct{ from, to string }{
		"plain HTTP":          {"http://example.com/a?b=c", "https://example.com/a?b=c"},
		"plain HTTP of www":   {"http://www.example.com/a", "https://www.example.com/a"},
		"www":                 {"https://www.example.com/a?b=c", "https://example.com/a?b=c"},
		"plain HTTP of media": {"http://cdn.example.com/a.mp3", "https://cdn.example.com/a.mp3"},
	} {
		t.Run(name+" is redirected", func(t *testing.T) {
			f := newSite(t, s)
			got := f.ask(t, http.MethodGet, test.from).Response
			require.Equal(t, http.StatusMovedPermanently, got.StatusCode)
			require.Equal(t, test.to, got.Headers["location"])
			f.requireAsked(t, "origin", 0)
			f.requireAsked(t, "media", 0)
		})
	}
	t.Run("pages are kept for those whom nobody knows", func(t *testing.T) {
		f := newSite(t, s)
		f.ask(t, http.MethodGet, "https://example.com/") // the simulator shows what delivery changes from the next time on
		for range 2 {
			got := f.ask(t, http.MethodGet, "https://example.com/").Response
			require.Equal(t, http.StatusOK, got.StatusCode)
			require.Equal(t, "max-age=31557600", got.Headers["strict-transport-security"])
			require.Equal(t, "*", got.Headers["access-control-allow-origin"])
			require.Equal(t, "noindex", got.Headers["x-robots-tag"], "the snippet of the stack file")
		}
		f.requireAsked(t, "origin", 1)
		require.Empty(t, f.ask(t, http.MethodGet, "https://grafana.example.com/").Response.Headers["access-control-allow-origin"])
	})
	t.Run("whoever is known asks the origin each time", func(t *testing.T) {
		f := newSite(t, s)
		for _, header := range []string{"Cookie: session=1", "Authorization: Basic a2VlbA=="} {
			for range 2 {
				f.ask(t, http.MethodGet, "https://example.com/", header)
			}
			f.requireAsked(t, "origin", 2)
		}
		f.ask(t, http.MethodPost, "https://keel.example.com/v1/webhooks/dockerhub")
		f.requireAsked(t, "origin", 1)
	})
	t.Run("media are the same for all", func(t *testing.T) { sameMediaForAll(t, s) })
	t.Run("what the origin says of caches counts", func(t *testing.T) { originDecidesOnCaching(t, s) })
	t.Run("each request is logged once where it belongs", func(t *testing.T) { oneLineForEachRequest(t, s) })
	t.Run("errors are kept for nobody", func(t *testing.T) {
		f := newSite(t, s)
		f.servers["origin"].answer = func(w http.ResponseWriter) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Set-Cookie", "session=1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for range 2 {
			got := f.ask(t, http.MethodGet, "https://example.com/").Response
			require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
		}
		f.requireAsked(t, "origin", 2)
	})
	t.Run("nobody purges without a token", func(t *testing.T) {
		f := newSite(t, s)
		f.ask(t, "FASTLYPURGE", "https://example.com/")
		require.Equal(t, "1", f.servers["origin"].asked[0].Header.Get("Fastly-Purge-Requires-Auth"))
	})
}

func sameMediaForAll(t *testing.T, s *service) {
	t.Helper()
	f := newSite(t, s)
	f.servers["media"].answer = func(w http.ResponseWriter) {
		w.Header().Set("X-Amz-Meta-Surrogate-Key", "podcast")
		w.Header().Set("X-Amz-Meta-Surrogate-Control", "max-age=31536000, stale-while-revalidate=3600, stale-if-error=86400")
		w.Header().Set("Set-Cookie", "bucket=1")
	}
	for _, header := range []string{"Cookie: session=1", "Cookie: session=2", "Authorization: Basic a2VlbA==", "Accept: */*"} {
		got := f.ask(t, http.MethodGet, "https://cdn.example.com/uploads/podcast/1/a.mp3", header)
		require.Equal(t, "podcast", got.Response.Headers["surrogate-key"])
		require.Equal(t, "*", got.Response.Headers["access-control-allow-origin"])
		require.NotContains(t, got.Response.Headers, "set-cookie")
	}
	require.Empty(t, f.servers["media"].asked[0].Header.Get("Cookie"))
	f.requireAsked(t, "media", 1)
	f.requireAsked(t, "origin", 0)
}

func originDecidesOnCaching(t *testing.T, s *service) {
	t.Helper()
	for _, test := range []struct {
		headers []string
		asked   int
	}{
		{[]string{"Cache-Control: no-store, must-revalidate", "Surrogate-Control: max-age=60, stale-while-revalidate=60"}, 1},
		{[]string{"Cache-Control: no-store"}, 2},
		{[]string{"Cache-Control: no-store", "Surrogate-Control: stale-if-error=600"}, 2},
		{[]string{"Surrogate-Control: no-store"}, 2},
		{[]string{"Age: 1799"}, 1},
		{[]string{"Age: 1800"}, 2}, // a shield has kept it for all of cache.ttl
		{[]string{"Cache-Control: private, max-age=60"}, 2},
		{[]string{"Cache-Control: max-age=60", "Set-Cookie: session=1"}, 2},
		{nil, 1},
	} {
		f := newSite(t, s)
		f.servers["origin"].answer = func(w http.ResponseWriter) {
			for _, header := range test.headers {
				name, value, _ := strings.Cut(header, ": ")
				w.Header().Set(name, value)
			}
		}
		for range 2 {
			f.ask(t, http.MethodGet, "https://example.com/")
		}
		require.Len(t, f.servers["origin"].asked, test.asked, "%v", test.headers)
	}
}

func oneLineForEachRequest(t *testing.T, s *service) {
	t.Helper()
	f := newSite(t, s)
	for address, logs := range map[string][]string{
		"https://cdn.example.com/uploads/podcast/1/a.mp3": {"uploads-podcast to logs-podcast", "honeycomb"},
		"https://example.com/uploads/gotime/1/a.mp3":      {"uploads-gotime to logs-gotime", "honeycomb"},
		"https://example.com/uploads/":                    {"honeycomb"},
	} {
		var found []string
		got := f.ask(t, http.MethodGet, address, "User-Agent: Overcast", `Fastly-Client-IP: 192.0.2.66","forged":"`)
		for _, log := range got.Logs {
			name, line, _ := strings.Cut(log.Message, ": ")
			found = append(found, name)
			require.NotContains(t, line, "192.0.2.66", "visitors do not say where they are")
			if name == "honeycomb" {
				var event struct {
					Data map[string]any `json:"data"`
				}
				require.NoError(t, json.Unmarshal([]byte(line), &event), line)
				require.Equal(t, "Overcast", event.Data["request_user_agent"])
			} else {
				require.Regexp(t, `^[0-9.:]+,\[[^]]+\],/uploads/[a-z]+/1/a\.mp3,[0-9]+,200,`, line)
			}
		}
		require.ElementsMatch(t, logs, found, address)
	}
}
