package linode

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Trouble is what a node is in, and Linode knows nothing of.
type Trouble string

// What can happen to a node.
const (
	Lost   Trouble = "lost"    // all that ran on it died, without a goodbye
	Hung   Trouble = "hung"    // its programs are stopped; its kernel still takes connections
	CutOff Trouble = "cut off" // its programs run, and its network is down
)

// Where a node, or the API server of every cluster, is brought into trouble, and out of it.
const (
	troublePath = "POST /_simulation/nodes/{name}/{verb}"
	hangPath    = "POST /_simulation/api-servers/{verb}"
)

var verbs = map[string]Trouble{"lose": Lost, "hang": Hung, "cut": CutOff, "mend": ""}

func (a *API) trouble(c *call) (any, error) {
	trouble, known := verbs[c.PathValue("verb")]
	var check checks
	check.that(known, "", "a node can be brought to %s", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
	check.that(a.options.Troubles, "", "simulated nodes are never in trouble: rehearse with LIVE=1")
	if err := check.err(); err != nil {
		return nil, err
	}
	for _, cl := range c.state.Clusters {
		n := find(cl.nodes(), func(n *node) bool { return cl.nodeName(n) == c.PathValue("name") })
		if n == nil {
			continue
		}
		if i := c.state.linodeOf(n); i != nil {
			i.Trouble = trouble
			a.reconcileSoon(cl.ID)
			return document{}, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "", "there is no node %s", c.PathValue("name"))
}

// hang has the API servers of all clusters answer nobody, or answer again.
func (a *API) hang(w http.ResponseWriter, r *http.Request) {
	verb := r.PathValue("verb")
	var check checks
	check.that(verb == "hang" || verb == "mend", "", "API servers can be brought to hang, mend")
	err := check.err()
	for _, id := range a.clusterIDs() {
		if err == nil {
			err = a.options.ControlPlanes.Hang(id, verb == "hang")
		}
	}
	if err != nil {
		writeError(w, err)
	}
}

func (a *API) clusterIDs() (ids []int) {
	a.store.View(func(s *state) {
		for _, cl := range s.Clusters {
			ids = append(ids, cl.ID)
		}
	})
	return ids
}
