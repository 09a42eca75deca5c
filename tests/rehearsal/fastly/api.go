// Package fastly simulates the part of Fastly's API (https://www.fastly.com/documentation/reference/api/) that declares
// a VCL service: services and their versions, the objects of a version, products and look-ups. It is an HTTP server
// that official clients (go-fastly, the Fastly CLI, the Pulumi and Terraform providers) work against unmodified.
package fastly

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"lke-platform/tests/rehearsal/simulation"
)

// Options say where an API keeps its state and whom it serves.
type Options struct {
	// Dir is the folder of the state file, fastly.json. It is created when something is first saved.
	Dir string
	// Token is the only API token accepted, in the Fastly-Key header. It must not be empty.
	Token string
}

// API is the simulated Fastly API.
type API struct {
	token  string
	store  *simulation.Store[state]
	mux    *http.ServeMux
	faults simulation.Faults
	front  http.Handler // faults, then the token check, then mux
}

// New returns the API with the state found in Options.Dir, an empty account at first.
func New(options Options) (*API, error) {
	if options.Token == "" {
		return nil, errors.New("fastly: a token is required")
	}
	store, err := simulation.OpenStore[state](filepath.Join(options.Dir, "fastly.json"))
	if err != nil {
		return nil, fmt.Errorf("fastly: %w", err)
	}
	a := &API{token: options.Token, store: store, mux: http.NewServeMux()}
	a.front = a.faults.Wrap(http.HandlerFunc(a.authenticate), func(w http.ResponseWriter, status int) {
		reply(w, status, failure{Msg: http.StatusText(status), Detail: "a simulated fault"})
	})
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusNotFound, failure{Msg: "Not found", Detail: r.Method + " " + r.URL.Path + " is not simulated"})
	})
	a.accountRoutes()
	a.serviceRoutes()
	a.versionRoutes()
	a.objectRoutes()
	a.settingsRoutes()
	a.collectionRoutes()
	a.productRoutes()
	a.purgeRoutes()
	return a, nil
}

// ServeHTTP answers as api.fastly.com does. Faults are also taken over HTTP, see simulation.FaultsPath.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.front.ServeHTTP(w, r) }

// Faults disturbs the API on demand.
func (a *API) Faults() *simulation.Faults { return &a.faults }

// authenticate lets through what carries the token, and the one look-up that needs none.
func (a *API) authenticate(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Fastly-Key") != a.token && r.URL.Path != "/public-ip-list" {
		reply(w, http.StatusUnauthorized, failure{Msg: "Provided credentials are missing or invalid"})
		return
	}
	a.mux.ServeHTTP(w, r)
}

// A request is what a handler works on.
type request struct {
	*http.Request
	fields map[string]any // the body, see decodeBody
	header http.Header    // of the answer
}

// A handler answers a request with a value that becomes JSON, or with nil for "no content".
type handler func(s *state, r request) (any, error)

// handle routes a pattern of http.ServeMux to h. The answer to a GET must leave the state as it is; what any other
// method makes of it is saved.
func (a *API) handle(pattern string, h handler) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		fields, err := decodeBody(r)
		if err != nil {
			replyError(w, err)
			return
		}
		var content []byte
		run := func(s *state) error {
			answer, err := h(s, request{Request: r, fields: fields, header: w.Header()})
			if err != nil || answer == nil {
				return err
			}
			content, err = json.Marshal(answer)
			return err
		}
		if r.Method == http.MethodGet {
			a.store.View(func(s *state) { err = run(s) })
		} else {
			err = a.store.Update(run)
		}
		switch {
		case err != nil:
			replyError(w, err)
		case content == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(content) // a client that has gone needs no answer
		}
	})
}

// done is the answer to what succeeds and has nothing to show.
var done = map[string]any{"status": "ok"}

// reply writes value as JSON.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that has gone needs no answer
}

func replyError(w http.ResponseWriter, err error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		reply(w, http.StatusInternalServerError, failure{Msg: "Internal error", Detail: err.Error()})
		return
	}
	reply(w, refused.status, refused.body)
}
