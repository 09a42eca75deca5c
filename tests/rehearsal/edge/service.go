package edge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"lke-platform/tests/rehearsal/edge/program"
	"lke-platform/tests/rehearsal/fastly"
)

// service is a version that is served. It stays as it is; another version is another one.
type service struct {
	deployment *fastly.Deployment
	program    *program.Program
	fault      error // why the version cannot be served here
	backends   map[string]*backend
	directors  map[string]program.Director
	shields    map[string]string // codes, by what VCL calls them
	webSockets bool
}

// newService makes ready to serve what is deployed. What cannot be served here is told to whoever asks for it.
func newService(d *fastly.Deployment, options *Options) *service {
	s := &service{
		deployment: d, backends: map[string]*backend{}, directors: map[string]program.Director{}, shields: program.Shields(d),
		webSockets: program.HasProduct(d, "websockets"),
	}
	if s.program, s.fault = program.Compile(d); s.fault != nil {
		return s
	}
	for _, declared := range program.Backends(d) {
		b, err := newBackend(declared, options)
		if err != nil {
			s.fault = err
			return s
		}
		s.backends[declared.Name] = b
	}
	for _, director := range program.Directors(d) {
		s.directors[director.Name] = director
	}
	for _, b := range s.backends {
		if b.health != nil {
			b.health.start(b)
		}
	}
	return s
}

func (s *service) close() {
	for _, b := range s.backends {
		b.close()
	}
}

// healthy says of a backend, a director or a shield whether it would be asked.
func (s *service) healthy(name string) bool {
	if director, ok := s.directors[name]; ok {
		return s.meetsQuorum(director)
	}
	if b := s.backends[name]; b != nil {
		return b.healthy()
	}
	return true // a shield is a site like this one
}

func (s *service) meetsQuorum(d program.Director) bool {
	all, well := 0, 0
	for _, name := range d.Backends {
		all += s.backends[name].Weight
		if s.backends[name].healthy() {
			well += s.backends[name].Weight
		}
	}
	return well > 0 && well*100 >= all*d.Quorum
}

// choose returns the backend that is asked, of a name that may be a director's; nil where it is nobody's.
func (s *service) choose(name, key, client string) (*backend, error) {
	director, isDirector := s.directors[name]
	if !isDirector {
		if b := s.backends[name]; b != nil {
			return b, nil
		}
		return nil, &unavailable{"No backend " + name}
	}
	var well []*backend
	all := 0
	for _, member := range director.Backends {
		if b := s.backends[member]; b != nil && b.healthy() {
			well = append(well, b)
			all += b.Weight
		}
	}
	if len(well) == 0 || all == 0 || !s.meetsQuorum(director) {
		return nil, &unavailable{"Quorum weight not reached"}
	}
	at := rand.IntN(all)
	switch director.Kind {
	case "hash":
		at = place(key, all)
	case "client":
		at = place(client, all)
	}
	for _, b := range well {
		if at -= b.Weight; at < 0 {
			return b, nil
		}
	}
	return well[len(well)-1], nil
}

// isShield says whether VCL means a site by a name.
func (s *service) isShield(name string) bool { return s.shields[name] != "" }

// refusal answers for a version that cannot be served here. Fastly has no such answer: it does not activate what it cannot run.
func refusal(r *http.Request, fault error) *answer {
	return plainAnswer(r, http.StatusInternalServerError, fmt.Sprintf("The simulated edge cannot run this service: %v", fault))
}

// detached is a request that goes on when nobody waits for its answer any more.
func detached(r *http.Request) *http.Request { return r.Clone(context.WithoutCancel(r.Context())) }

// domainOf returns the domain of a list that a name is served by, "" where none is. A wildcard stands for one label.
func domainOf(name string, domains []string) string {
	for _, candidate := range []string{name, wildcardOf(name)} {
		if slices.Contains(domains, candidate) {
			return candidate
		}
	}
	return ""
}
