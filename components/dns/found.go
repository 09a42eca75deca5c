package dns

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LookUp reads what stands in the zones that are adopted. It is for the time before the platform has made records of its own.
// Upstream: https://techdocs.akamai.com/linode-api/reference/get-domain-zone
func (a *Args) LookUp(ctx *pulumi.Context) error {
	for i := range a.Zones {
		zone := &a.Zones[i]
		if zone.Adopt == 0 {
			continue
		}
		file, err := linode.GetDomainZonefile(ctx, &linode.GetDomainZonefileArgs{DomainId: zone.Adopt})
		if err != nil {
			return fmt.Errorf("zone %s (%d): %w", zone.Name, zone.Adopt, err)
		}
		zone.found = zone.parse(file.ZoneFiles)
	}
	return nil
}

// parse reads the lines of a zone file: a name, perhaps a TTL and a class, a type and what it leads to.
func (z *Zone) parse(lines []string) (found []Record) {
	for _, line := range lines {
		words := strings.Fields(line)
		// The type is the first word behind the name that is neither; the text of a TXT record may have any.
		kind := 1
		for kind < len(words) && (words[kind] == "IN" || strings.Trim(words[kind], "0123456789") == "") {
			kind++
		}
		if kind+1 >= len(words) || !leading(words[kind]) || strings.HasPrefix(words[0], ";") {
			continue
		}
		target := strings.TrimSuffix(words[kind+1], ".")
		found = append(found, Record{Name: z.absolute(words[0]), Type: words[kind], Target: target})
	}
	return found
}

// leading says whether records of a type decide where a name leads.
func leading(kind string) bool { return slices.Contains([]string{"A", "AAAA", "CNAME"}, kind) }

// absolute is the whole name of one in the zone's file.
func (z *Zone) absolute(name string) string {
	switch absolute, is := strings.CutSuffix(name, "."); {
	case is:
		return absolute
	case name == "@":
		return z.Name
	}
	return name + "." + z.Name
}

// CheckFound refuses what stands in an adopted zone and would stand beside the platform's own records, so that visitors would be
// led to both by turns: what is not listed, and what is listed together with its name. Only a record that an earlier run has
// adopted can become the name's own.
func (a *Args) CheckFound(path *field.Path, names []string) field.ErrorList {
	var faults field.ErrorList
	for i := range a.Zones {
		zone := &a.Zones[i]
		for _, found := range zone.found {
			if !slices.ContainsFunc(names, func(name string) bool { return a.ZoneOf(name) == zone && found.leads(name) }) {
				continue
			}
			at := path.Child("zones").Index(i)
			listed := slices.IndexFunc(zone.Records, func(record Record) bool {
				return record.Name == found.Name && record.Type == found.Type
			})
			switch {
			case listed < 0:
				faults = append(faults, field.Forbidden(at.Child("adopt"), fmt.Sprintf("the zone has a record %s %s %s that is "+
					"not listed, and the platform publishes that name; remove it from the zone, or where visitors use it until "+
					"the platform serves them, list it with its number as adopt, and %s", found.Name, found.Type, found.Target,
					publishLater)))
			case a.TakesOver(&zone.Records[listed]):
				faults = append(faults, field.Forbidden(at.Child("records").Index(listed).Child("adopt"), fmt.Sprintf(
					"the platform publishes %s, and would make a second record beside this one; %s", found.Name, publishLater)))
			}
		}
	}
	return faults
}

const publishLater = "leave the name out for the first up, which adopts its record (docs/moving-in.md)"
