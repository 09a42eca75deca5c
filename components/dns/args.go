package dns

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Args describes the zones of a stack. The first zone is the platform's own: origin, grafana and keel get their names in it.
type Args struct {
	// Contact is the e-mail address in the zones (SOA).
	Contact string `json:"contact"`
	// Zones are the domains, the platform's own first.
	Zones []Zone `json:"zones"`
	// ExternalDNS is the controller that keeps the record of the origin.
	ExternalDNS ExternalDNSArgs `json:"externalDNS"`

	// Hosts are the names that visitors use, whose records NewHosts declares.
	Hosts []string `json:"-"`
	// Protect refuses to delete the zones.
	Protect bool `json:"-"`
}

// Zone is a domain that Linode's name servers answer for.
type Zone struct {
	// Name is the domain.
	Name string `json:"name"`
	// Adopt is Linode's number of the zone where it exists already: it is taken over as it is, keeps the settings that it has,
	// contact included, and outlives the stack. Its records stay too; those that the stack file lists need an Adopt of their
	// own.
	Adopt int `json:"adopt"`
	// Records are declared exactly as they are written here, and wait for nothing but their zone. What points at the platform
	// does not belong here: the program makes those records itself.
	Records []Record `json:"records"`
}

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Email(path.Child("contact"), a.Contact)
	if len(a.Zones) == 0 {
		faults = append(faults, field.Required(path.Child("zones"), "must list at least one zone"))
	}
	names := sets.New[string]()
	for i, zone := range a.Zones {
		path := path.Child("zones").Index(i)
		if names.Has(zone.Name) {
			faults = append(faults, field.Duplicate(path.Child("name"), zone.Name))
		}
		names.Insert(zone.Name)
		faults = append(faults, zone.validate(path)...)
	}
	return faults
}

func (z *Zone) validate(path *field.Path) field.ErrorList {
	faults := check.Domain(path.Child("name"), z.Name)
	faults = append(faults, validateID(path.Child("adopt"), z.Adopt)...)
	seen := sets.New[string]()
	for i, record := range z.Records {
		path := path.Child("records").Index(i)
		faults = append(faults, record.validate(path, z)...)
		if seen.Has(record.key()) {
			faults = append(faults, field.Duplicate(path, record.key()))
		}
		seen.Insert(record.key())
	}
	return faults
}

func validateID(path *field.Path, id int) field.ErrorList {
	if id < 0 {
		return field.ErrorList{field.Invalid(path, id, "must be the number that Linode gave it")}
	}
	return nil
}

// ZoneOf returns the zone that a host belongs to, the longest that fits; nil where none does.
func (a *Args) ZoneOf(host string) *Zone {
	var found *Zone
	for i := range a.Zones {
		zone := &a.Zones[i]
		if zone.holds(host) && (found == nil || len(zone.Name) > len(found.Name)) {
			found = zone
		}
	}
	return found
}

// CheckHost refuses a public name that the platform could not publish: one outside every zone, one that no certificate covers,
// one that is delegated to other name servers, and one that a plain record publishes already. The platform takes over records of
// addresses that are adopted.
func (a *Args) CheckHost(path *field.Path, host string) field.ErrorList {
	zone := a.ZoneOf(host)
	if zone == nil {
		return field.ErrorList{field.Invalid(path, host,
			"is outside every zone of domains.zones: "+strings.Join(a.Names(), ", "))}
	}
	var faults field.ErrorList
	if labels := strings.TrimSuffix(host, "."+zone.Name); host != zone.Name && strings.Contains(labels, ".") {
		faults = append(faults, field.Invalid(path, host, fmt.Sprintf("stands more than one label below %[1]s: certificates are "+
			"for %[1]s and *.%[1]s; choose a shorter name, or list a zone of its own", zone.Name)))
	}
	for _, record := range zone.Records {
		switch {
		case record.Type == "NS" && record.Name != zone.Name && within(host, record.Name):
			faults = append(faults, field.Invalid(path, host,
				fmt.Sprintf("is delegated: domains.zones has an NS record for %s", record.Name)))
		case record.Name == host && record.Type == "CNAME", record.Name == host && record.isAddress() && record.Adopt == 0:
			faults = append(faults, field.Invalid(path, host,
				fmt.Sprintf("has a plain %s record in domains.zones; the platform publishes the name itself", record.Type)))
		}
	}
	return faults
}

// takesOver says whether a record is of a name that visitors use, so that the platform changes it when the name goes live.
func (a *Args) takesOver(record *Record) bool {
	return record.Adopt != 0 && record.isAddress() && slices.Contains(a.Hosts, record.Name)
}

func (r *Record) isAddress() bool { return r.Type == "A" || r.Type == "AAAA" }

// Names returns the domains.
func (a *Args) Names() []string {
	var names []string
	for _, zone := range a.Zones {
		names = append(names, zone.Name)
	}
	return names
}

func (z *Zone) holds(name string) bool { return within(name, z.Name) }

// relative returns a name as Linode wants it: without its zone, empty for the zone itself.
func (z *Zone) relative(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, z.Name), ".")
}

// within says whether a name is a domain or under it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}
