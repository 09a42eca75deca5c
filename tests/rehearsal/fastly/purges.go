package fastly

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Purge is a purge that was asked for. Nothing is cached here, so it is only recorded: an edge does it.
type Purge struct {
	Service string   `json:"service,omitempty"`
	Keys    []string `json:"keys"`          // surrogate keys; none purges everything
	URL     string   `json:"url,omitempty"` // without its scheme; what it leads to is purged
	Soft    bool     `json:"soft"`          // content is marked stale, not dropped
	At      string   `json:"at"`
}

// Purges returns all that were asked for.
func (a *API) Purges() []Purge {
	var all []Purge
	a.store.View(func(s *state) { all = slices.Clone(s.Purges) })
	return all
}

func (a *API) purgeRoutes() {
	a.handle("POST /service/{service}/purge_all", purgeAll)
	a.handle("POST /service/{service}/purge/{key}", purgeKey)
	a.handle("POST /service/{service}/purge", purgeKeys)
	a.handle("POST /purge/{url...}", purgeURL)
}

func purgeAll(s *state, r request) (any, error) {
	if _, err := s.purge(r, nil); err != nil {
		return nil, err
	}
	return done, nil
}

func purgeKey(s *state, r request) (any, error) {
	key := r.PathValue("key")
	ids, err := s.purge(r, []string{key})
	if err != nil {
		return nil, err
	}
	return object{"status": "ok", "id": ids[key]}, nil
}

// purgeKeys takes its keys from the Surrogate-Key header, separated by spaces, or from a JSON body.
func purgeKeys(s *state, r request) (any, error) {
	keys := strings.Fields(r.Header.Get("Surrogate-Key"))
	listed, _ := r.fields["surrogate_keys"].([]any)
	for _, key := range listed {
		keys = append(keys, plain(key))
	}
	if len(keys) == 0 || len(keys) > 256 {
		return nil, badRequest("a batch purges 1 to 256 surrogate keys, not %d", len(keys))
	}
	ids, err := s.purge(r, keys)
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// purgeURL names the host first, as Fastly does: whose service it is, the sites know.
func purgeURL(s *state, r request) (any, error) {
	url := strings.TrimPrefix(r.URL.RequestURI(), "/purge/")
	s.Purges = append(s.Purges, Purge{URL: url, Soft: isSoft(r), At: now()})
	return object{"status": "ok", "id": fmt.Sprintf("%d-%d", len(s.Purges), time.Now().Unix())}, nil
}

func isSoft(r request) bool { return r.Header.Get("Fastly-Soft-Purge") == "1" }

// purge records a purge and returns an identifier per key.
func (s *state) purge(r request, keys []string) (map[string]string, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for i, key := range keys {
		ids[key] = fmt.Sprintf("%d-%d-%d", len(s.Purges), time.Now().Unix(), i)
	}
	s.Purges = append(s.Purges, Purge{Service: svc.ID, Keys: keys, Soft: isSoft(r), At: now()})
	return ids, nil
}
