package linode

import "strings"

// Zone is a DNS zone that was in the account before anybody rehearsed.
type Zone struct {
	ID            int
	Name, Contact string
	Records       []Record
}

// Record is a record of a Zone. Name is the whole name.
type Record struct {
	ID                             int
	Name, Type, Target, Tag        string
	TTL, Priority, Weight, SRVPort int
}

// Seed puts zones into the account as they are, unless they are there already.
func (a *API) Seed(zones []Zone) error {
	return a.store.Update(func(s *state) error {
		for _, zone := range zones {
			if find(s.Domains, func(d *domain) bool { return d.ID == zone.ID }) == nil {
				s.Domains = append(s.Domains, zone.domain())
			}
		}
		a.publish(s.publication())
		return nil
	})
}

func (z *Zone) domain() *domain {
	d := &domain{domainView: domainView{
		ID: z.ID, Type: "master", Domain: z.Name, Status: "active", SOAEmail: z.Contact,
		Tags: []string{}, MasterIPs: []string{}, AXFRIPs: []string{}, Created: now(), Updated: now(),
	}}
	for _, r := range z.Records {
		d.Records = append(d.Records, r.record(z.Name))
	}
	return d
}

func (r *Record) record(zone string) *record {
	made := &record{
		ID: r.ID, Type: r.Type, Name: r.Name, Target: r.Target, TTLSec: r.TTL,
		Priority: r.Priority, Weight: r.Weight, Port: r.SRVPort, Created: now(), Updated: now(),
	}
	if r.Tag != "" {
		made.Tag = &r.Tag
	}
	if r.Type == "SRV" { // _service._protocol.zone
		labels := strings.SplitN(r.Name, ".", 3)
		made.Service, made.Protocol = &labels[0], &labels[1]
	}
	made.normalize(zone)
	return made
}
