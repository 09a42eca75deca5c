package fastly

import (
	"fmt"
	"strings"
	"time"
)

// purge is a purge that was asked for. Nothing is cached here, so it is only recorded.
type purge struct {
	Service string   `json:"service"`
	Keys    []string `json:"keys"` // surrogate keys; none purges everything
	Soft    bool     `json:"soft"` // content is marked stale, not dropped
	At      string   `json:"at"`
}

func (a *API) purgeRoutes() {
	a.handle("POST /service/{service}/purge_all", purgeAll)
	a.handle("POST /service/{service}/purge/{key}", purgeKey)
	a.handle("POST /service/{service}/purge", purgeKeys)
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
	soft := r.Header.Get("Fastly-Soft-Purge") == "1"
	s.Purges = append(s.Purges, purge{Service: svc.ID, Keys: keys, Soft: soft, At: now()})
	return ids, nil
}
