package fastly

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// tlsConfiguration is a set of addresses, and of the protocols spoken there.
type tlsConfiguration struct {
	ID            string      `json:"id"`
	Name          string      `json:"name"`
	Default       bool        `json:"default"` // of the account
	Bulk          bool        `json:"bulk"`    // for Platform TLS
	HTTPProtocols []string    `json:"http_protocols"`
	TLSProtocols  []string    `json:"tls_protocols"`
	DNSRecords    []dnsRecord `json:"dns_records"`
	CreatedAt     time.Time   `json:"created_at"`
	UpdatedAt     time.Time   `json:"updated_at"`
}

// dnsRecord is a target for the records of domains.
type dnsRecord struct {
	Type   string `json:"type"`
	Value  string `json:"value"`
	Region string `json:"region"`
}

// newAccountsConfiguration is the one that a new account has. The addresses are those of a pool that Fastly shares among
// many (t.sni, as recorded in go-fastly's fixtures/tls_subscription/create.yaml).
func newAccountsConfiguration() *tlsConfiguration {
	since := time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)
	c := &tlsConfiguration{
		ID: "0simulated0tls0config0", Name: "HTTP/3 & TLS v1.3", Default: true,
		HTTPProtocols: []string{"http/1.1", "http/2", "http/3"}, TLSProtocols: []string{"1.2", "1.3"},
		CreatedAt: since, UpdatedAt: since,
	}
	for _, value := range []string{"151.101.3.52", "151.101.67.52", "151.101.131.52", "151.101.195.52"} {
		c.DNSRecords = append(c.DNSRecords, dnsRecord{"A", value, "global"})
	}
	for _, value := range []string{"2a04:4e42::820", "2a04:4e42:200::820", "2a04:4e42:400::820", "2a04:4e42:600::820"} {
		c.DNSRecords = append(c.DNSRecords, dnsRecord{"AAAA", value, "global"})
	}
	c.DNSRecords = append(c.DNSRecords, dnsRecord{"CNAME", "t.sni.global.fastly.net", "global"})
	return c
}

// Addresses are those of a host of Fastly's that the aliases of domains lead to. Others have none.
func (a *API) Addresses(host string) (addresses []netip.Addr) {
	a.store.View(func(s *state) {
		for _, c := range s.TLS.configurations() {
			if slices.ContainsFunc(c.DNSRecords, func(r dnsRecord) bool { return r.Type == "CNAME" && r.Value == host }) {
				for _, record := range c.DNSRecords {
					if address, err := netip.ParseAddr(record.Value); err == nil {
						addresses = append(addresses, address)
					}
				}
				return
			}
		}
	})
	return addresses
}

func (c *tlsConfiguration) describe() *resource {
	return &resource{ID: c.ID, Type: "tls_configuration", Attributes: object{
		"name": c.Name, "default": c.Default, "bulk": c.Bulk, "http_protocols": c.HTTPProtocols, "tls_protocols": c.TLSProtocols,
		"created_at": stamp(c.CreatedAt), "updated_at": stamp(c.UpdatedAt),
	}}
}

// withIncluded is describe with what a request wants to have along. The ID of a DNS record is its value.
func (c *tlsConfiguration) withIncluded(chosen selection) described {
	d := described{resource: c.describe()}
	if !chosen.includes("dns_records") {
		return d
	}
	values := make([]string, len(c.DNSRecords))
	for i, record := range c.DNSRecords {
		values[i] = record.Value
		d.included = append(d.included, &resource{ID: record.Value, Type: "dns_record",
			Attributes: object{"record_type": record.Type, "region": record.Region}})
	}
	d.Relationships = map[string]relationship{"dns_records": toMany("dns_record", values)}
	return d
}

func (t *tlsState) configurations() []*tlsConfiguration {
	if len(t.Configurations) == 0 {
		return []*tlsConfiguration{newAccountsConfiguration()}
	}
	return t.Configurations
}

// configuration returns the one of an ID, the default one when that is empty.
func (t *tlsState) configuration(id string) (*tlsConfiguration, error) {
	all := t.configurations()
	at := slices.IndexFunc(all, func(c *tlsConfiguration) bool { return c.ID == id || id == "" && c.Default })
	if at < 0 {
		return nil, unknown("configuration")
	}
	return all[at], nil
}

func listConfigurations(s *state, r request) (any, error) {
	chosen, err := selectionOf(r, []string{"filter[bulk]"}, []string{"dns_records"})
	if err != nil {
		return nil, err
	}
	var list []described
	for _, c := range s.TLS.configurations() {
		if r.account.WithoutTLS {
			break
		}
		if chosen.passes("filter[bulk]", strconv.FormatBool(c.Bulk)) {
			list = append(list, c.withIncluded(chosen))
		}
	}
	return pageOf(list, r)
}

func getConfiguration(s *state, r request) (any, error) {
	c, err := s.TLS.configuration(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	chosen, err := selectionOf(r, nil, []string{"dns_records"})
	if err != nil {
		return nil, err
	}
	d := c.withIncluded(chosen)
	return found(d.resource, d.included...), nil
}

// updateConfiguration renames: nothing else of a configuration can be changed.
func updateConfiguration(s *state, r request) (any, error) {
	all, name := s.TLS.configurations(), r.attribute("name")
	at := slices.IndexFunc(all, func(c *tlsConfiguration) bool { return c.ID == r.PathValue("id") })
	if at < 0 {
		return nil, unknown("configuration")
	}
	if name == "" {
		return nil, absent("name")
	}
	all[at].Name, all[at].UpdatedAt = name, time.Now().UTC()
	s.TLS.Configurations = all
	return found(all[at].describe()), nil
}
