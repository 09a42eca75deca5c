package dns

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Record is a plain record of a zone.
// Upstream: https://techdocs.akamai.com/linode-api/reference/post-domain-record
type Record struct {
	// Name is the whole name, zone included: changelog.com, _dmarc.changelog.com, *.changelog.com. That of an SRV record is
	// _service._protocol.zone.
	Name string `json:"name"`
	// Type is A, AAAA, CAA, CNAME, MX, NS, SRV or TXT.
	Type string `json:"type"`
	// Target is an address (A, AAAA), a whole name (CNAME, MX, NS, SRV), the text without quotes (TXT) or the value (CAA).
	Target string `json:"target"`
	// TTL is for how long the answer may be kept, in seconds. Only numbers that Linode stores as they are: others would be
	// rounded, and read as drift for ever. Default: the zone's.
	TTL int `json:"ttl"`
	// Priority of an MX or SRV record; the lowest is asked first. Default 0.
	Priority int `json:"priority"`
	// Weight of an SRV record among those of one priority. Default 0.
	Weight int `json:"weight"`
	// Port of an SRV record.
	Port int `json:"port"`
	// Tag of a CAA record: issue, issuewild or iodef.
	Tag string `json:"tag"`
	// Adopt is Linode's number of the record where it exists already, in a zone that is adopted. The record outlives the stack.
	Adopt int `json:"adopt"`
}

// ttls are the numbers of seconds that Linode stores as they are.
var ttls = []string{
	"30", "120", "300", "3600", "7200", "14400", "28800", "57600", "86400", "172800", "345600", "604800", "1209600", "2419200",
}

var recordTypes = []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"}

// key tells a record from every other: of a CNAME there can be one for each name.
func (r *Record) key() string {
	if r.Type == "CNAME" {
		return r.Name + " CNAME"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Name, r.Type, r.Target, r.Tag))
}

func (r *Record) validate(path *field.Path, zone *Zone) field.ErrorList {
	faults := check.OneOf(path.Child("type"), r.Type, recordTypes...)
	faults = append(faults, r.validateName(path.Child("name"), zone)...)
	faults = append(faults, r.validateTarget(path.Child("target"))...)
	faults = append(faults, r.validateNumbers(path)...)
	if r.TTL != 0 {
		faults = append(faults, check.OneOf(path.Child("ttl"), strconv.Itoa(r.TTL), ttls...)...)
	}
	switch {
	case r.Type == "CAA":
		faults = append(faults, check.OneOf(path.Child("tag"), r.Tag, "issue", "issuewild", "iodef")...)
	case r.Tag != "":
		faults = append(faults, field.Forbidden(path.Child("tag"), "is for CAA records only"))
	}
	faults = append(faults, validateID(path.Child("adopt"), r.Adopt)...)
	if r.Adopt != 0 && zone.Adopt == 0 {
		faults = append(faults, field.Forbidden(path.Child("adopt"), "is for records of a zone that is adopted itself"))
	}
	return faults
}

// recordName is what may own a record: names with underscores and wildcards too, unlike those of hosts.
var (
	recordName = regexp.MustCompile(`^(\*\.)?` + domainName + `$`)
	targetName = regexp.MustCompile(`^` + domainName + `$`)
	srvName    = regexp.MustCompile(`^_([a-z0-9-]+)\._([a-z0-9-]+)\.([^_].*)$`)
)

const domainName = `([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`

const wholeName = "must be a whole name in lower case, without a dot at its end"

func (r *Record) validateName(path *field.Path, zone *Zone) field.ErrorList {
	switch {
	case !recordName.MatchString(r.Name):
		return field.ErrorList{field.Invalid(path, r.Name, wholeName+", for instance mail.example.com")}
	case !zone.holds(r.Name):
		return field.ErrorList{field.Invalid(path, r.Name, "is outside the zone "+zone.Name)}
	case r.Type == "SRV":
		if parts := srvName.FindStringSubmatch(r.Name); parts == nil || parts[3] != zone.Name {
			return field.ErrorList{field.Invalid(path, r.Name,
				"must be _service._protocol."+zone.Name+": Linode makes the names of SRV records itself, right below their "+
					"zone; for one further down list that domain as a zone of its own")}
		}
	case r.Type == "CNAME" && r.Name == zone.Name:
		return field.ErrorList{field.Invalid(path, r.Name, "a zone itself can have no CNAME, since nothing may stand beside one")}
	case r.Type == "CNAME":
		for _, other := range zone.Records {
			if other.Name == r.Name && other.Type != "CNAME" {
				return field.ErrorList{field.Invalid(path, r.Name,
					fmt.Sprintf("has a record of type %s too, and nothing may stand beside a CNAME", other.Type))}
			}
		}
	}
	return nil
}

func (r *Record) validateTarget(path *field.Path) field.ErrorList {
	switch r.Type {
	case "A":
		if address, err := netip.ParseAddr(r.Target); err != nil || !address.Is4() {
			return field.ErrorList{field.Invalid(path, r.Target, "must be an IPv4 address")}
		}
	case "AAAA":
		if address, err := netip.ParseAddr(r.Target); err != nil || !address.Is6() || address.Zone() != "" {
			return field.ErrorList{field.Invalid(path, r.Target, "must be an IPv6 address")}
		}
	case "CNAME", "MX", "NS", "SRV":
		if !targetName.MatchString(r.Target) {
			return field.ErrorList{field.Invalid(path, r.Target, wholeName)}
		}
	default:
		return check.Required(path, r.Target)
	}
	return nil
}

// validateNumbers checks the numbers that records of some types have.
func (r *Record) validateNumbers(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for _, number := range []struct {
		name        string
		value       int
		least, most int
		types       sets.Set[string]
	}{
		{"priority", r.Priority, 0, 255, sets.New("MX", "SRV")},
		{"weight", r.Weight, 0, 65535, sets.New("SRV")},
		{"port", r.Port, 1, 65535, sets.New("SRV")},
	} {
		switch {
		case number.types.Has(r.Type):
			faults = append(faults, check.Between(path.Child(number.name), number.value, number.least, number.most)...)
		case number.value != 0:
			faults = append(faults, field.Forbidden(path.Child(number.name),
				"is for records of these types only: "+strings.Join(sets.List(number.types), ", ")))
		}
	}
	return faults
}
