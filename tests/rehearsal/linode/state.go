package linode

import (
	"slices"
	"time"
)

// state is all that the simulated account holds. Lists are in the order of creation.
type state struct {
	LastID           int             `json:"last_id"`
	Clusters         []*cluster      `json:"clusters"`
	Instances        []*instance     `json:"instances"`
	Volumes          []*volume       `json:"volumes"`
	NodeBalancers    []*nodeBalancer `json:"nodebalancers"`
	Firewalls        []*firewall     `json:"firewalls"`
	DefaultFirewalls map[string]int  `json:"default_firewalls"` // by the kind of device
	Domains          []*domain       `json:"domains"`
	Buckets          []*bucket       `json:"buckets"`
	Keys             []*storageKey   `json:"object_storage_keys"`
	Tokens           []*token        `json:"tokens"`
	Events           []*event        `json:"events"`
	Settings         *settings       `json:"settings"` // nil as long as nobody changed them
}

// newID gives IDs that no two objects of any kind share.
func (s *state) newID() int {
	const first = 100_001
	s.LastID = max(s.LastID+1, first)
	return s.LastID
}

// cluster finds an LKE cluster, nil when there is none.
func (s *state) cluster(id int) *cluster {
	return find(s.Clusters, func(c *cluster) bool { return c.ID == id })
}

// instance finds a Linode, nil when there is none.
func (s *state) instance(id int) *instance {
	return find(s.Instances, func(i *instance) bool { return i.ID == id })
}

// find gives the first item that is wanted, nil when none is.
func find[T any](items []*T, wanted func(*T) bool) *T {
	if i := slices.IndexFunc(items, wanted); i >= 0 {
		return items[i]
	}
	return nil
}

// without is the list less one item.
func without[T any](items []*T, gone *T) []*T {
	return slices.DeleteFunc(items, func(item *T) bool { return item == gone })
}

// now is the time as the API writes it, in UTC.
func now() string { return time.Now().UTC().Format(timeFormat) }
