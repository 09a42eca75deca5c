package fastly

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// state is the whole account, as it is on disk.
type state struct {
	Services []*service `json:"services"` // in the order of their creation
	Purges   []Purge    `json:"purges"`
	TLS      tlsState   `json:"tls"`
	// Domains are those of domain management, in the order of their last change.
	Domains []*managedDomain `json:"domains,omitempty"`
}

// service is what Fastly keeps per service.
type service struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Comment   string     `json:"comment"`
	Type      string     `json:"type"` // vcl or wasm
	CreatedAt string     `json:"created_at"`
	UpdatedAt string     `json:"updated_at"`
	DeletedAt *string    `json:"deleted_at"` // a deleted service stays visible in its details
	Versions  []*version `json:"versions"`   // version n at n-1
	// Products holds the configuration of each enabled product, by its ID.
	Products map[string]object `json:"products"`
	// Collections holds what has no version: ACL entries and dictionary items, by the ID of their ACL or dictionary.
	Collections map[string][]object `json:"collections"`
	// DynamicSnippets holds the content of dynamic snippets, which has no version either, by the snippet's ID.
	DynamicSnippets map[string]object `json:"dynamic_snippets"`
}

// version is one version of a service's configuration.
type version struct {
	Number    int    `json:"number"`
	Comment   string `json:"comment"`
	Active    bool   `json:"active"`
	Locked    bool   `json:"locked"` // for good, from the first activation on
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
	// Objects holds the objects of each kind, by the kind's path, in the order of their creation.
	Objects map[string][]object `json:"objects"`
	// Settings holds what a version has once: its settings, HTTP/3 and the image optimizer's defaults, by their path.
	Settings map[string]object `json:"settings"`
}

// service returns the service that a request names; one that was deleted is gone.
func (s *state) service(r request) (*service, error) {
	id := r.PathValue("service")
	for _, svc := range s.Services {
		if svc.ID == id && svc.DeletedAt == nil {
			return svc, nil
		}
	}
	return nil, noService(id)
}

// deleted returns the service that a request names if it was deleted, nil otherwise.
func (s *state) deleted(r request) *service {
	for _, svc := range s.Services {
		if svc.ID == r.PathValue("service") && svc.DeletedAt != nil {
			return svc
		}
	}
	return nil
}

func noService(id string) error {
	return &refusal{http.StatusNotFound, failure{Msg: "Record not found", Detail: "Cannot find service '" + id + "'"}}
}

// version returns the version that a request names, and its service.
func (s *state) version(r request) (*service, *version, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, nil, err
	}
	number, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || number < 1 || number > len(svc.Versions) {
		return nil, nil, notFound("Version", "deleted", never, "number", r.PathValue("version"), "service", svc.ID)
	}
	return svc, svc.Versions[number-1], nil
}

// draft is version for a request that edits: an active or locked version is refused.
func (s *state) draft(r request) (*service, *version, error) {
	svc, v, err := s.version(r)
	if err == nil && v.Locked {
		err = locked(svc.ID, v.Number)
	}
	return svc, v, err
}

// active returns the active version, nil when there is none.
func (svc *service) active() *version {
	at := slices.IndexFunc(svc.Versions, func(v *version) bool { return v.Active })
	if at < 0 {
		return nil
	}
	return svc.Versions[at]
}

// never is how Fastly's messages write that something has not been deleted.
const never = "0000-00-00 00:00:00"

// now is the time as Fastly writes it.
func now() string { return time.Now().UTC().Format(time.RFC3339) }

// newID returns an identifier like Fastly's: 22 letters and digits.
func newID() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	id := make([]byte, 22)
	for i := range id {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet)))) // never fails, see crypto/rand
		id[i] = alphabet[n.Int64()]
	}
	return string(id)
}
