// Package vcl runs a Fastly service as Fastly would, in falco: at the site that a visitor asks, and at the shield that this one
// asks. What Fastly does by itself, around the program and before it, is played from its documentation.
package vcl

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/interpreter"
	"github.com/ysugimoto/falco/interpreter/context"
	"github.com/ysugimoto/falco/resolver"
)

// Fastly is a service at work, in front of its servers.
type Fastly struct {
	// Servers are what the backends lead to, by the names of the backends.
	Servers map[string]*Server
	// Stale gives the sites a copy that has run out of everything that they are asked for.
	Stale bool

	edge, shield *site
	// headers are the names of those that are under way, see expand.
	headers http.Header
}

// Server answers requests and notes them.
type Server struct {
	Asked []*http.Request
	// Header and Status are what it answers; no status is 200.
	Header http.Header
	Status int
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Asked = append(s.Asked, r)
	for name, values := range s.Header {
		w.Header()[name] = values
	}
	if s.Status != 0 {
		w.WriteHeader(s.Status)
	}
}

// Answer is what came of a request.
type Answer struct {
	Status int
	Header http.Header
	// Logs are the lines that were written, by the name of the log.
	Logs map[string]string
	// Edge and Shield are what the sites did, in the words of notes; the shield's are empty if it was not asked.
	Edge, Shield []string
}

// Start runs a service until the test ends.
func Start(t *testing.T, service *Service) *Fastly {
	t.Helper()
	listen := func(handler http.Handler) (address string) {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	f := &Fastly{Servers: map[string]*Server{}}
	shield := listen(http.HandlerFunc(f.askShield))
	direct, both := map[string]string{}, map[string]string{}
	for name := range service.Backends {
		f.Servers[name] = &Server{}
		direct["F_"+name] = listen(f.Servers[name])
		both["F_"+name], both["shield_"+name] = direct["F_"+name], shield
	}
	f.edge = &site{fastly: f, program: service.program(both, false)}
	f.shield = &site{fastly: f, program: service.program(direct, true)}
	return f
}

// Ask sends a visitor's request.
func (f *Fastly) Ask(t *testing.T, method, address string, header http.Header) *Answer {
	t.Helper()
	request := httptest.NewRequest(method, address, nil)
	maps.Copy(request.Header, header)
	request.Header.Set("Host", request.Host) // where falco looks for it
	f.headers = request.Header.Clone()
	for name := range added {
		f.headers[name] = nil
	}
	for _, server := range f.Servers {
		for name := range server.Header {
			f.headers[name] = nil
		}
	}
	f.shield.notes = nil
	seen, err := f.edge.ask(request)
	require.NoError(t, err)
	return &Answer{Status: seen.status, Header: seen.header, Logs: seen.logs, Edge: seen.notes, Shield: f.shield.notes}
}

// askShield is what the edge's backends lead to.
func (f *Fastly) askShield(w http.ResponseWriter, r *http.Request) {
	request := httptest.NewRequest(r.Method, "https://"+r.Header.Get(hostHeader)+r.URL.RequestURI(), nil)
	request.RemoteAddr = edgeAddress
	request.Header = r.Header.Clone()
	request.Header.Set("Host", r.Header.Get(hostHeader))
	seen, err := f.shield.ask(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, values := range seen.header {
		w.Header()[name] = values
	}
	w.WriteHeader(seen.status)
}

// site is one of Fastly's. Its falco keeps what the program says.
type site struct {
	fastly  *Fastly
	program string
	falco   *interpreter.Interpreter
	notes   []string
}

// What Fastly adds to requests that it gets, at each site.
// Upstream: https://www.fastly.com/documentation/reference/http/http-headers/X-Forwarded-Host
var added = map[string]func(*http.Request) string{
	"X-Forwarded-For":    func(r *http.Request) string { return strings.SplitN(r.RemoteAddr, ":", 2)[0] },
	"X-Forwarded-Host":   func(r *http.Request) string { return r.Host },
	"X-Forwarded-Server": func(*http.Request) string { return "cache-lga0001-LGA" },
}

// many is more backends than any service has here. Falco counts those that play the shields too.
const many = 20

const edgeAddress = "198.51.100.7:443"

// report is what falco tells of a request.
type report struct {
	Flows []struct {
		Subroutine string `json:"subroutine"`
		Response   *struct {
			StatusCode int               `json:"status_code"`
			Headers    map[string]string `json:"headers"`
		} `json:"resp"`
	} `json:"flows"`
	Logs []struct {
		Message string `json:"message"`
	} `json:"logs"`
	Error any `json:"error"`
}

type seen struct {
	status int
	header http.Header
	logs   map[string]string
	notes  []string
}

func (s *site) ask(request *http.Request) (*seen, error) {
	if request.TLS != nil {
		for name, value := range added {
			values := append(request.Header.Values(name), value(request))
			request.Header.Set(name, strings.Join(values, ", "))
		}
		if request.Header.Get("Fastly-SSL") == "" {
			request.Header.Set("Fastly-SSL", "1")
		}
	}
	if s.falco == nil {
		s.falco = interpreter.New(context.WithResolver(s), context.WithMaxBackends(many), func(c *context.Context) {
			if s.fastly.Stale {
				c.StaleContents.Value = "1"
			}
		})
	}
	said := &messages{}
	s.falco.Debugger = said
	recorder := httptest.NewRecorder()
	s.falco.ServeHTTP(recorder, request)
	var told report
	if err := json.Unmarshal(recorder.Body.Bytes(), &told); err != nil {
		return nil, fmt.Errorf("%s\n%s", recorder.Body.String(), strings.Join(*said, "\n"))
	}
	if told.Error != nil {
		return nil, fmt.Errorf("falco failed:\n%s", strings.Join(*said, "\n"))
	}
	got := told.seen()
	s.notes = got.notes
	return got, nil
}

// seen reads the answer where the log is written: what falco ends with lacks what vcl_deliver changed.
func (r *report) seen() *seen {
	got := &seen{header: http.Header{}, logs: map[string]string{}}
	for _, flow := range r.Flows {
		if flow.Subroutine == "vcl_log" && flow.Response != nil {
			got.status = flow.Response.StatusCode
			for name, value := range flow.Response.Headers {
				got.header.Set(name, value)
			}
		}
	}
	for _, log := range r.Logs {
		name, line, _ := strings.Cut(log.Message, ": ")
		if name == "note" {
			got.notes = append(got.notes, line)
		} else {
			got.logs[name] = line
		}
	}
	return got
}

// MainVCL is the program as falco reads it for each request.
func (s *site) MainVCL() (*resolver.VCL, error) {
	return &resolver.VCL{Name: "main", Data: expand(s.program, s.fastly.headers)}, nil
}

// Resolve and the others find what a program includes, which is nothing.
func (s *site) Resolve(*ast.IncludeStatement) (*resolver.VCL, error) {
	return nil, fmt.Errorf("the program includes nothing")
}
func (s *site) Name() string { return "" }

// messages are what falco says of its work.
type messages []string

func (*messages) Run(ast.Node) interpreter.DebugState { return interpreter.DebugPass }
func (m *messages) Message(text string)               { *m = append(*m, text) }

func declareBackend(name, address string) string {
	at, err := url.Parse(address)
	if err != nil {
		panic(err) // it is a test server's
	}
	return fmt.Sprintf("backend %s { .host = \"%s\"; .port = \"%s\"; }\n", name, at.Hostname(), at.Port())
}
