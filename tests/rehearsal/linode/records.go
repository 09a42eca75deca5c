package linode

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// record is an entry of a zone: https://techdocs.akamai.com/linode-api/reference/get-domain-record
type record struct {
	ID       int     `json:"id"`
	Type     string  `json:"type"`
	Name     string  `json:"name"` // relative to the zone; empty at its apex
	Target   string  `json:"target"`
	Priority int     `json:"priority"`
	Weight   int     `json:"weight"`
	Port     int     `json:"port"`
	Service  *string `json:"service"`
	Protocol *string `json:"protocol"`
	Tag      *string `json:"tag"`
	TTLSec   int     `json:"ttl_sec"` // 0 for that of the zone
	Created  string  `json:"created"`
	Updated  string  `json:"updated"`
}

func (a *API) recordRoutes() routes {
	return collection[*record]{
		path:   "/domains/{domain}/records",
		items:  func(c *call) ([]*record, error) { d, err := c.domain(); return d.Records, err },
		id:     func(r *record) string { return strconv.Itoa(r.ID) },
		create: createRecord,
		update: updateRecord,
		delete: func(c *call, r *record) error {
			d, err := c.domain()
			d.Records = without(d.Records, r)
			return err
		},
	}.routes()
}

// recordRequest creates or updates a record; what is nil stays as it is.
type recordRequest struct {
	Type     *string `json:"type"`
	Name     *string `json:"name"`
	Target   *string `json:"target"`
	Priority *int    `json:"priority"`
	Weight   *int    `json:"weight"`
	Port     *int    `json:"port"`
	Service  *string `json:"service"`
	Protocol *string `json:"protocol"`
	Tag      *string `json:"tag"`
	TTLSec   *int    `json:"ttl_sec"`
}

func createRecord(c *call) (any, error) {
	d, err := c.domain()
	if err != nil {
		return nil, err
	}
	r := &record{Created: now()}
	if err := r.change(c, d); err != nil {
		return nil, err
	}
	r.ID = c.state.newID()
	d.Records = append(d.Records, r)
	return r, nil
}

func updateRecord(c *call, r *record) error {
	d, err := c.domain()
	if err != nil {
		return err
	}
	changed := *r
	if err := changed.change(c, d); err != nil {
		return err
	}
	*r = changed
	return nil
}

// change makes of a record what the request says and checks the outcome.
func (r *record) change(c *call, d *domain) error {
	var in recordRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set(&r.Type, in.Type)
	set(&r.Name, in.Name)
	set(&r.Target, in.Target)
	set(&r.Priority, in.Priority)
	set(&r.Weight, in.Weight)
	set(&r.Port, in.Port)
	set(&r.TTLSec, in.TTLSec)
	if in.Service != nil {
		r.Service = in.Service
	}
	if in.Protocol != nil {
		r.Protocol = in.Protocol
	}
	if in.Tag != nil {
		r.Tag = in.Tag
	}
	r.normalize(d.Domain)
	r.Updated = now()
	return r.check(d)
}

// normalize writes names and targets as Linode stores them: names relative to the zone, host names in full without the
// last dot. The name of an SRV record is made of its service and protocol.
func (r *record) normalize(zone string) {
	r.TTLSec = storedSeconds(r.TTLSec)
	if r.Type == "SRV" && r.Service != nil && r.Protocol != nil {
		r.Name = "_" + strings.TrimPrefix(*r.Service, "_") + "._" + strings.TrimPrefix(*r.Protocol, "_")
	}
	r.Name = strings.TrimSuffix(r.Name, ".")
	if r.Name == zone {
		r.Name = ""
	}
	r.Name = strings.TrimSuffix(r.Name, "."+zone)
	if !r.toHost() || r.Target == "" {
		return
	}
	r.Target = strings.TrimSuffix(r.Target, ".")
	if !strings.Contains(r.Target, ".") {
		r.Target += "." + zone
	}
}

// toHost tells whether the target is the name of a host.
func (r *record) toHost() bool {
	return slices.Contains([]string{"CNAME", "MX", "NS", "SRV", "PTR"}, r.Type)
}

var (
	namePattern = regexp.MustCompile(`^(\*|[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*$`)
	recordTypes = []string{"A", "AAAA", "NS", "MX", "CNAME", "TXT", "SRV", "PTR", "CAA"}
)

func (r *record) check(d *domain) error {
	var check checks
	check.that(slices.Contains(recordTypes, r.Type), "type", "Must be one of %s", strings.Join(recordTypes, ", "))
	check.that(r.Name == "" || len(r.Name) <= 100 && namePattern.MatchString(r.Name), "name", "name is not valid")
	check.that(r.Target != "", "target", "target is required")
	check.that(r.Priority >= 0 && r.Priority <= 255, "priority", "Must be 0-255")
	check.that(r.Weight >= 0 && r.Weight <= 65535, "weight", "Must be 0-65535")
	check.that(r.Port >= 0 && r.Port <= 65535, "port", "Must be 0-65535")
	address, _ := netip.ParseAddr(r.Target)
	switch r.Type {
	case "A":
		check.that(address.Is4(), "target", "Invalid IPv4 address")
	case "AAAA":
		check.that(address.Is6(), "target", "Invalid IPv6 address")
	case "CNAME":
		check.that(r.Name != "", "name", "name is required: a zone's apex cannot be an alias")
	case "NS":
		check.that(!strings.HasPrefix(r.Name, "*"), "name", "Wildcard NS records are not supported")
	case "SRV":
		check.that(r.Service != nil, "service", "service is required")
		check.that(r.Protocol != nil, "protocol", "protocol is required")
	case "CAA":
		known := r.Tag != nil && slices.Contains([]string{"issue", "issuewild", "iodef"}, *r.Tag)
		check.that(known, "tag", "Must be one of issue, issuewild, iodef")
	}
	if r.toHost() {
		check.that(!address.IsValid() && namePattern.MatchString(r.Target), "target", "target is not a valid hostname")
	}
	rival := func(o *record) bool {
		return o.ID != r.ID && strings.EqualFold(o.Name, r.Name) && (o.Type == "CNAME" || r.Type == "CNAME")
	}
	check.that(find(d.Records, rival) == nil, "name", "Record conflict - CNAMES must be unique")
	return check.err()
}
