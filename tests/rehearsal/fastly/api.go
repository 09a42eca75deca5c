// Package fastly simulates the part of Fastly's API (https://www.fastly.com/documentation/reference/api/) that declares
// a VCL service and the TLS of its domains: services and their versions, the objects of a version, products, custom TLS
// certificates and look-ups. It is an HTTP server that official clients (go-fastly, the Fastly CLI, the Pulumi and
// Terraform providers) work against unmodified.
package fastly

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"

	"lke-platform/tests/rehearsal/simulation"
)

// Options say where an API keeps its state and whom it serves.
type Options struct {
	// Dir is the folder of the state file, fastly.json. It is created when something is first saved.
	Dir string
	// Token is the API token accepted, in the Fastly-Key header. It must not be empty.
	Token string
	// Account is the sort of account, see AccountOf. Default Usual.
	Account string
	// Resolve returns the name that an alias (CNAME) leads to, "" where there is none: authorities prove by it whose names are.
	// Default: there is none.
	Resolve func(name string) string
	// KeepKeys has private keys kept, with which an edge can serve. Default no.
	KeepKeys bool
	// TokenWithoutTLS is accepted too, but not for TLS: a token of a user who may not manage that. Default none.
	TokenWithoutTLS string
}

// API is the simulated Fastly API.
type API struct {
	token      string
	withoutTLS string // empty when there is none
	account    Account
	resolve    func(name string) string
	keepKeys   bool
	changed    atomic.Pointer[func()] // see OnChange
	store      *simulation.Store[state]
	mux        *http.ServeMux
	faults     simulation.Faults
	front      http.Handler // faults, then the token check, then mux
}

// New returns the API with the state found in Options.Dir, an empty account at first.
func New(options Options) (*API, error) {
	if options.Token == "" {
		return nil, errors.New("fastly: a token is required")
	}
	account, err := AccountOf(cmp.Or(options.Account, Usual))
	if err != nil {
		return nil, err
	}
	store, err := simulation.OpenStore[state](filepath.Join(options.Dir, "fastly.json"))
	if err != nil {
		return nil, fmt.Errorf("fastly: %w", err)
	}
	a := &API{
		token: options.Token, withoutTLS: options.TokenWithoutTLS, account: account, resolve: options.Resolve,
		keepKeys: options.KeepKeys, store: store, mux: http.NewServeMux(),
	}
	a.front = a.faults.Wrap(http.HandlerFunc(a.authenticate), func(w http.ResponseWriter, status int) {
		reply(w, status, failure{Msg: http.StatusText(status), Detail: "a simulated fault"})
	})
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusNotFound, failure{Msg: "Not found", Detail: r.Method + " " + r.URL.Path + " is not simulated"})
	})
	a.accountRoutes()
	a.serviceRoutes()
	a.versionRoutes()
	a.domainRoutes()
	a.objectRoutes()
	a.settingsRoutes()
	a.collectionRoutes()
	a.productRoutes()
	a.purgeRoutes()
	a.tlsRoutes()
	a.subscriptionRoutes()
	return a, nil
}

// ServeHTTP answers as api.fastly.com does. Faults are also taken over HTTP, see simulation.FaultsPath.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.front.ServeHTTP(w, r) }

// Faults disturbs the API on demand.
func (a *API) Faults() *simulation.Faults { return &a.faults }

// authenticate lets through what carries a token that may do it, and the one look-up that needs none.
func (a *API) authenticate(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Fastly-Key")
	limited := token != "" && token == a.withoutTLS
	switch {
	case token != a.token && !limited && r.URL.Path != "/public-ip-list":
		reply(w, http.StatusUnauthorized, failure{Msg: "Provided credentials are missing or invalid"})
	case limited && strings.HasPrefix(r.URL.Path, "/tls/"):
		reply(w, http.StatusForbidden, failure{Msg: "You are not authorized to perform this action"})
	default:
		if err := a.prove(r); err != nil {
			replyError(w, err)
			return
		}
		a.mux.ServeHTTP(w, r)
	}
}

// A request is what a handler works on.
type request struct {
	*http.Request
	fields map[string]any // the body, see decodeBody
	header http.Header    // of the answer
	// account is that of whoever asks.
	account *Account
	// keepKeys is that of Options.
	keepKeys bool
}

// A handler answers a request with a value that becomes JSON, a *document for JSON:API, or with nil for "no content".
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
		status, mediaType := http.StatusOK, plainJSON
		asked := request{Request: r, fields: fields, header: w.Header(), account: &a.account, keepKeys: a.keepKeys}
		run := func(s *state) error {
			answer, err := h(s, asked)
			if err != nil || answer == nil {
				return err
			}
			switch d := answer.(type) {
			case *document:
				status, mediaType = d.status, jsonAPI
			case createdDomain:
				status = http.StatusCreated
			}
			content, err = json.Marshal(answer)
			return err
		}
		if r.Method == http.MethodGet {
			a.store.View(func(s *state) { err = run(s) })
		} else {
			err = a.update(run)
		}
		switch {
		case err != nil:
			replyError(w, err)
		case content == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(status)
			_, _ = w.Write(content) // a client that has gone needs no answer
		}
	})
}

// update changes the state, and tells whoever wants to know.
func (a *API) update(f func(*state) error) error {
	if err := a.store.Update(f); err != nil {
		return err
	}
	if changed := a.changed.Load(); changed != nil {
		(*changed)()
	}
	return nil
}

// done is the answer to what succeeds and has nothing to show.
var done = map[string]any{"status": "ok"}

// Fastly answers in one of two media types.
const plainJSON, jsonAPI = "application/json", "application/vnd.api+json"

// reply writes value as JSON, a *document as JSON:API.
func reply(w http.ResponseWriter, status int, value any) {
	mediaType := plainJSON
	if _, ok := value.(*document); ok {
		mediaType = jsonAPI
	}
	w.Header().Set("Content-Type", mediaType)
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
