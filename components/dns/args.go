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

	// Hosts are the names that visitors use, whose records NewHosts declares.
	Hosts []string `json:"-"`
	// Protect refuses to delete the zones.
	Protect bool `json:"-"`
}

// Zone is a domain that Linode's name servers answer for, unless it is external.
type Zone struct {
	// Name is the domain.
	Name string `json:"name"`
	// External leaves the zone at another DNS provider, where its records are set by hand: the stack's output dnsRecords says
	// which. Default false.
	External bool `json:"external"`
	// Adopt is Linode's number of the zone where it exists already: it is taken over as it is, keeps the settings that it has,
	// contact included, and outlives the stack. Its records stay too; those that the stack file lists need an Adopt of their
	// own.
	Adopt int `json:"adopt"`
	// Records are declared exactly as they are written here, and wait for nothing but their zone. What points at the platform
	// does not belong here: the program makes those records itself.
	Records []Record `json:"records"`

	// found are the records that stand in an adopted zone, from LookUp.
	found []Record
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
		faults = append(faults, check.Unique(names, path.Child("name"), zone.Name)...)
		faults = append(faults, zone.validate(path)...)
		if i == 0 && zone.External {
			faults = append(faults, field.Invalid(path.Child("external"), true, "must not be set for the first zone, which is "+
				"the platform's own: it makes records there itself; list a zone at Linode before it"))
		}
	}
	return faults
}

func (z *Zone) validate(path *field.Path) field.ErrorList {
	faults := check.Domain(path.Child("name"), z.Name)
	faults = append(faults, validateID(path.Child("adopt"), z.Adopt)...)
	if z.External && z.Adopt != 0 {
		faults = append(faults, field.Forbidden(path.Child("adopt"), "is for zones at Linode only"))
	}
	if z.External && len(z.Records) > 0 {
		faults = append(faults, field.Forbidden(path.Child("records"),
			"are for zones at Linode only; set them at the provider of "+z.Name))
	}
	seen := sets.New[string]()
	for i, record := range z.Records {
		path := path.Child("records").Index(i)
		faults = append(faults, record.validate(path, z)...)
		faults = append(faults, check.Unique(seen, path, record.key())...)
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

// Deep returns the hosts that stand more than one label below their zone, where no certificate of a zone is valid.
func (a *Args) Deep(hosts []string) (deep []string) {
	for _, host := range hosts {
		if zone := a.ZoneOf(host); zone != nil && strings.Contains(zone.relative(host), ".") {
			deep = append(deep, host)
		}
	}
	return deep
}

// CheckHost refuses a public name that the platform could not publish: one outside every zone, one that is delegated to other
// name servers, and one that a plain record publishes already. The platform takes over records of addresses that are adopted.
func (a *Args) CheckHost(path *field.Path, host string) field.ErrorList {
	zone := a.ZoneOf(host)
	if zone == nil {
		return field.ErrorList{field.Invalid(path, host,
			"is outside every zone of domains.zones: "+strings.Join(a.Names(), ", "))}
	}
	var faults field.ErrorList
	for _, record := range zone.Records {
		switch {
		case zone.delegates(&record, host):
			faults = append(faults, field.Invalid(path, host,
				fmt.Sprintf("is delegated: domains.zones has an NS record for %s", record.Name)))
		case record.Name == host && record.Type == "CNAME":
			faults = append(faults, field.Invalid(path, host, "has a plain CNAME record in domains.zones, which cannot be "+
				"changed into addresses in place; replace it by A and AAAA records days before (docs/moving-in.md)"))
		case record.Name == host && record.isAddress() && record.Adopt == 0:
			faults = append(faults, field.Invalid(path, host,
				fmt.Sprintf("has a plain %s record in domains.zones; the platform publishes the name itself", record.Type)))
		}
	}
	return faults
}

// CheckRecords refuses records, adopted or not, that take a name from the platform: one of its own, which has no history that
// could be taken over, or one through which certificates are proven. What proves a name in a zone at another provider is in the
// first zone.
func (a *Args) CheckRecords(path *field.Path, own, proven []string) field.ErrorList {
	proven, external := a.Split(proven)
	for _, name := range external {
		proven = append(proven, a.delegate(name))
	}
	var faults field.ErrorList
	for i := range a.Zones {
		zone := &a.Zones[i]
		for j := range zone.Records {
			record, path := &zone.Records[j], path.Child("zones").Index(i).Child("records").Index(j).Child("name")
			for _, name := range own {
				if a.ZoneOf(name) == zone && (record.leads(name) || zone.delegates(record, name)) {
					faults = append(faults, field.Invalid(path, record.Name, "takes "+name+", which is the platform's own: "+
						"it makes the records of that name itself; "+remove))
				}
			}
			for _, name := range proven {
				if a.ZoneOf(name) == zone {
					faults = append(faults, zone.checkProof(path, record, name)...)
				}
			}
		}
	}
	return faults
}

const remove = "remove this one from the stack file, and from the zone if it is there already"

// checkProof refuses a record that is in the way of the one by which a certificate for a name is proven.
func (z *Zone) checkProof(path *field.Path, record *Record, name string) field.ErrorList {
	proof := challengePrefix + name
	switch {
	case record.Name == proof, z.delegates(record, proof):
		return field.ErrorList{field.Invalid(path, record.Name, "stands where certificates for "+name+" are proven: "+
			"the platform, or cert-manager, writes that record; "+remove)}
	case record.Type == "CNAME" && strings.HasPrefix(record.Name, "*.") && within(name, record.Name[len("*."):]):
		return field.ErrorList{field.Invalid(path, record.Name, "leads "+proof+" away, so that no certificate for "+name+
			" can be proven; write A and AAAA records, or the names that are meant")}
	}
	return nil
}

// leads says whether a record decides where a name leads.
func (r *Record) leads(name string) bool {
	return r.Name == name && leading(r.Type)
}

// delegates says whether other name servers answer for a name because of a record.
func (z *Zone) delegates(record *Record, name string) bool {
	return record.Type == "NS" && record.Name != z.Name && within(name, record.Name)
}

// TakesOver says whether a record is of a name that visitors use, so that the platform changes it when the name goes live.
func (a *Args) TakesOver(record *Record) bool {
	return record.Adopt != 0 && record.isAddress() && slices.Contains(a.Hosts, record.Name)
}

func (r *Record) isAddress() bool { return r.Type == "A" || r.Type == "AAAA" }

// Adopts says whether a zone was there before the platform.
func (a *Args) Adopts() bool {
	return slices.ContainsFunc(a.Zones, func(zone Zone) bool { return zone.Adopt != 0 })
}

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
