package linode

import (
	"cmp"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// domainView is a DNS zone as clients see it: https://techdocs.akamai.com/linode-api/reference/get-domain
type domainView struct {
	ID          int      `json:"id"`
	Type        string   `json:"type"`
	Domain      string   `json:"domain"`
	Status      string   `json:"status"`
	Description string   `json:"description"`
	Group       string   `json:"group"`
	Tags        []string `json:"tags"`
	SOAEmail    string   `json:"soa_email"`
	MasterIPs   []string `json:"master_ips"`
	AXFRIPs     []string `json:"axfr_ips"`
	TTLSec      int      `json:"ttl_sec"`
	RetrySec    int      `json:"retry_sec"`
	ExpireSec   int      `json:"expire_sec"`
	RefreshSec  int      `json:"refresh_sec"`
	Errors      string   `json:"errors"`
	Created     string   `json:"created"`
	Updated     string   `json:"updated"`
}

// domain is a zone with its records.
type domain struct {
	domainView

	Records []*record `json:"records"`
}

func (a *API) domainRoutes() routes {
	all := collection[*domain]{
		path:   "/domains",
		items:  func(c *call) ([]*domain, error) { return c.state.Domains, nil },
		id:     func(d *domain) string { return strconv.Itoa(d.ID) },
		show:   func(_ *call, d *domain) any { return d.domainView },
		create: createDomain,
		update: updateDomain,
		delete: func(c *call, d *domain) error {
			c.state.Domains = without(c.state.Domains, d)
			return nil
		},
	}.routes()
	all["GET /domains/{domain}/zone-file"] = getZoneFile
	return all
}

// getZoneFile writes a zone as its name servers read it: https://techdocs.akamai.com/linode-api/reference/get-domain-zone
func getZoneFile(c *call) (any, error) {
	d, err := c.domain()
	if err != nil {
		return nil, err
	}
	soa := d.file().soa
	lines := []string{
		fmt.Sprintf("; %s [%d]", d.Domain, d.ID),
		fmt.Sprintf("$TTL %d", soa.Hdr.Ttl),
		"@\tIN\tSOA\t" + strings.TrimPrefix(soa.String(), soa.Hdr.String()),
	}
	for _, server := range nameServers {
		lines = append(lines, "@\t\tNS\t"+server)
	}
	for _, r := range d.Records {
		target := r.Target
		if r.Type == "MX" {
			target = fmt.Sprintf("%d\t%s", r.Priority, target)
		}
		lines = append(lines, fmt.Sprintf("%s\t\t%s\t%s", cmp.Or(r.Name, "@"), r.Type, target))
	}
	return map[string]any{"zone_file": lines}, nil
}

// domain is the one in the path. With an error it is an empty one.
func (c *call) domain() (*domain, error) {
	return through(c, "domain", c.state.Domains, func(d *domain) int { return d.ID })
}

// domainRequest creates or updates a domain; what is nil stays as it is.
type domainRequest struct {
	Type        *string   `json:"type"`
	Domain      *string   `json:"domain"`
	Status      *string   `json:"status"`
	Description *string   `json:"description"`
	Group       *string   `json:"group"`
	Tags        *[]string `json:"tags"`
	SOAEmail    *string   `json:"soa_email"`
	MasterIPs   *[]string `json:"master_ips"`
	AXFRIPs     *[]string `json:"axfr_ips"`
	TTLSec      *int      `json:"ttl_sec"`
	RetrySec    *int      `json:"retry_sec"`
	ExpireSec   *int      `json:"expire_sec"`
	RefreshSec  *int      `json:"refresh_sec"`
}

func createDomain(c *call) (any, error) {
	d := &domain{domainView: domainView{
		Type: "master", Status: "active", Created: now(), Tags: []string{}, MasterIPs: []string{}, AXFRIPs: []string{},
	}}
	if err := d.change(c); err != nil {
		return nil, err
	}
	d.ID = c.state.newID()
	c.state.Domains = append(c.state.Domains, d)
	return d.domainView, nil
}

func updateDomain(c *call, d *domain) error {
	changed := *d
	if err := changed.change(c); err != nil {
		return err
	}
	*d = changed
	return nil
}

// change makes of a domain what the request says and checks the outcome.
func (d *domain) change(c *call) error {
	var in domainRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	set(&d.Type, in.Type)
	set(&d.Domain, in.Domain)
	set(&d.Status, in.Status)
	set(&d.Description, in.Description)
	set(&d.Group, in.Group)
	set(&d.Tags, in.Tags)
	set(&d.SOAEmail, in.SOAEmail)
	set(&d.MasterIPs, in.MasterIPs)
	set(&d.AXFRIPs, in.AXFRIPs)
	set(&d.TTLSec, in.TTLSec)
	set(&d.RetrySec, in.RetrySec)
	set(&d.ExpireSec, in.ExpireSec)
	set(&d.RefreshSec, in.RefreshSec)
	for _, seconds := range []*int{&d.TTLSec, &d.RetrySec, &d.ExpireSec, &d.RefreshSec} {
		*seconds = storedSeconds(*seconds)
	}
	d.Updated = now()
	return d.check(c.state)
}

var domainPattern = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$`)

func (d *domain) check(s *state) error {
	var check checks
	check.that(len(d.Domain) <= 253 && domainPattern.MatchString(d.Domain), "domain", "Domain is not valid.")
	namesake := find(s.Domains, func(other *domain) bool { return other.ID != d.ID && strings.EqualFold(other.Domain, d.Domain) })
	check.that(namesake == nil, "domain", "DNS zone already exists.")
	check.that(slices.Contains([]string{"active", "disabled"}, d.Status), "status", "Must be one of active, disabled")
	check.that(len(d.Description) <= 253, "description", "Must be 1-253 characters")
	switch d.Type {
	case "master":
		_, err := mail.ParseAddress(d.SOAEmail)
		check.that(d.SOAEmail != "", "soa_email", "soa_email required when type=master")
		check.that(d.SOAEmail == "" || err == nil, "soa_email", "soa_email is not valid")
	case "slave":
		check.that(len(d.MasterIPs) > 0, "master_ips", "master_ips required when type=slave")
	default:
		check.that(false, "type", "Must be one of master, slave")
	}
	return check.err()
}

// storedSeconds is the next number of seconds that Linode can store; 0 stands for its default.
func storedSeconds(seconds int) int {
	stored := []int{0, 30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200}
	i, _ := slices.BinarySearch(stored, seconds)
	return stored[min(i, len(stored)-1)]
}
