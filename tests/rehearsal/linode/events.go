package linode

import (
	"fmt"
	"slices"
	"strconv"
)

// event is something that happened on the account: https://techdocs.akamai.com/linode-api/reference/get-events
type event struct {
	ID              int     `json:"id"`
	Action          string  `json:"action"`
	Status          string  `json:"status"`
	Created         string  `json:"created"`
	Message         string  `json:"message"`
	Username        string  `json:"username"`
	PercentComplete int     `json:"percent_complete"`
	TimeRemaining   *int    `json:"time_remaining"`
	Rate            *string `json:"rate"`
	Duration        float64 `json:"duration"`
	Read            bool    `json:"read"`
	Seen            bool    `json:"seen"`
	Entity          entity  `json:"entity"`
	SecondaryEntity *entity `json:"secondary_entity"`
}

// entity is the object of an event.
type entity struct {
	ID    int    `json:"id"`
	Type  string `json:"type"`
	Label string `json:"label"`
	URL   string `json:"url"`
}

const (
	finished = "finished"
	failed   = "failed"
)

// record notes that an action has finished or failed; the message says why it failed.
func (s *state) record(action, status string, of entity, message string) {
	s.Events = append(s.Events, &event{
		ID: s.newID(), Action: action, Status: status, Created: now(), Message: message, Username: username,
		PercentComplete: 100, Entity: of,
	})
}

func (c *cluster) entity() entity {
	return entity{c.ID, "lkecluster", c.Label, fmt.Sprintf("/v4/lke/clusters/%d", c.ID)}
}

func (i *instance) entity() entity {
	return entity{i.ID, "linode", i.Label, fmt.Sprintf("/v4/linode/instances/%d", i.ID)}
}

func (a *API) eventRoutes() routes {
	return collection[*event]{
		path:  "/account/events",
		items: func(c *call) ([]*event, error) { return newestFirst(c.state.Events), nil },
		id:    func(e *event) string { return strconv.Itoa(e.ID) },
	}.routes()
}

func newestFirst(events []*event) []*event {
	events = slices.Clone(events)
	slices.Reverse(events)
	return events
}
