// Package linode simulates the part of the Linode API, v4 and v4beta, that the platform and the official Linode
// clients use on its behalf: https://techdocs.akamai.com/linode-api/reference/api
//
// A kind of object is a collection (collection.go); routes lists all of them. The state is kept in one JSON file.
package linode

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lke-platform/tests/rehearsal/simulation"
)

// Options configure a simulated API.
type Options struct {
	// Dir is the folder of the state file, linode.json. It is created when missing.
	Dir string
	// Token is the bearer token of the account's owner. Those that clients create are accepted, too, within their scopes.
	Token string
	// ControlPlanes runs the Kubernetes of the LKE clusters.
	ControlPlanes ControlPlanes
	// RateLimits has requests refused that are too many for Linode.
	RateLimits bool
	// Troubles are possible where nodes are machines that run.
	Troubles bool
	// BackendHealth tells, by its ID, whether a backend is up of a NodeBalancer that runs. Where none does, or this is nil, a
	// backend is up that is a Linode that runs.
	BackendHealth func(backend int) (up, known bool)
	// LinodeDelay is how long Linode takes to make the Linodes of new nodes.
	LinodeDelay time.Duration
	// Publishing is how long the name servers take until they answer with a change; by default as much faster than Linode's
	// minute as all DNS of a rehearsal is.
	Publishing time.Duration
	// Disks takes the disks of volumes; nil where Linodes do not run.
	Disks Disks
	// Contents counts what is in a bucket, and its bytes, where somebody else than ObjectStorage serves it.
	Contents func(endpoint, label string) (objects, size int)
	// Log takes failures of the background work and requests for what is not simulated; slog.Default() when nil.
	Log *slog.Logger
}

// API is a simulated Linode API: an http.Handler for the paths under /v4 and /v4beta.
type API struct {
	// Faults disturbs requests on demand.
	Faults simulation.Faults

	options Options
	log     *slog.Logger
	catalog *catalog
	store   *simulation.Store[state]
	mux     *http.ServeMux
	handler http.Handler

	rationing rationing

	ctx        context.Context // of the background work
	cancel     context.CancelFunc
	background sync.WaitGroup
	planesLock sync.Mutex
	planes     map[int]*plane
	published  atomic.Pointer[publication]
}

// New opens the API on the state that options.Dir holds. Clusters in that state stay down until Resume.
func New(options Options) (*API, error) {
	store, err := simulation.OpenStore[state](filepath.Join(options.Dir, "linode.json"))
	if err != nil {
		return nil, fmt.Errorf("linode: %w", err)
	}
	catalog, err := loadCatalog()
	if err != nil {
		return nil, fmt.Errorf("linode: reading the catalog: %w", err)
	}
	a := &API{options: options, log: options.Log, catalog: catalog, store: store, planes: map[int]*plane{}}
	a.options.Publishing = cmp.Or(options.Publishing, publishing)
	a.rationing.windows = map[string]*window{}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.options.Disks == nil {
		a.options.Disks = noDisks{}
	}
	store.View(func(s *state) { a.publish(s.publication()) })
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.mux = a.newMux()
	a.handler = a.Faults.Wrap(a.versions(), writeStatus)
	return a, nil
}

// ServeHTTP answers a request as Linode would.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close ends the background work and waits for it. Control planes stay as they are. Stop serving requests first.
func (a *API) Close() {
	a.cancel()
	a.background.Wait()
}

// routes is what the API serves. A new kind of object adds its routes here.
func (a *API) routes() []routes {
	return []routes{
		a.catalogRoutes(), a.accountRoutes(), a.eventRoutes(), a.instanceRoutes(),
		a.clusterRoutes(), a.accessRoutes(), a.poolRoutes(), a.nodeRoutes(),
		a.volumeRoutes(), a.nodeBalancerRoutes(), a.balancerConfigRoutes(), a.backendRoutes(),
		a.firewallRoutes(), a.firewallRuleRoutes(), a.firewallDeviceRoutes(),
		a.domainRoutes(), a.recordRoutes(), a.storageRoutes(), a.bucketRoutes(), a.keyRoutes(), a.tokenRoutes(),
	}
}

func (a *API) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, routes := range a.routes() {
		for pattern, handle := range routes {
			mux.Handle(pattern, a.rationed(pattern, a.transaction(handle)))
		}
	}
	return mux
}

// versions serves the same routes under both versions of the API.
func (a *API) versions() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/v4", "/v4beta"} {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, http.HandlerFunc(a.authorized)))
	}
	mux.HandleFunc(troublePath, a.transaction(a.trouble))
	mux.HandleFunc(hangPath, a.hang)
	mux.HandleFunc("/", a.unknown)
	return mux
}

func (a *API) authorized(w http.ResponseWriter, r *http.Request) {
	if err := a.authorize(r); err != nil {
		writeError(w, err)
		return
	}
	if _, pattern := a.mux.Handler(r); pattern == "" {
		a.unknown(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// unknown leaves a trace, so that a missing part of the simulation is not taken for a deleted object.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	a.log.Warn("the Linode API is not simulated there", "method", r.Method, "path", r.URL.Path)
	writeError(w, errNotFound)
}

// call is one request and, for as long as it is handled, the state.
type call struct {
	*http.Request
	state *state
	body  []byte
}

// handler answers one call with what is to be sent as JSON. It changes the state after all its checks.
type handler func(*call) (any, error)

// routes maps patterns of http.ServeMux, without the API's version, to handlers.
type routes map[string]handler

// transaction runs a handler alone on the state: a reader for GET, else a writer, after whom the state is saved.
func (a *API) transaction(handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		var answer []byte
		var changed *publication // of the zones, if that is what is asked for
		run := func(s *state) error {
			result, err := handle(&call{Request: r, state: s, body: body})
			if err != nil {
				return err
			}
			if r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/domains") {
				changed = s.publication()
			}
			answer, err = json.Marshal(result)
			return err
		}
		if r.Method == http.MethodGet {
			a.store.View(func(s *state) { err = run(s) })
		} else {
			err = a.store.Update(run)
		}
		if err != nil {
			writeError(w, err)
			return
		}
		if changed != nil {
			time.AfterFunc(a.options.Publishing, func() { a.publish(changed) })
		}
		writeJSON(w, http.StatusOK, answer)
	}
}
