package dns

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ByHand is a record that has to be set by hand, since its zone is at another provider.
type ByHand struct {
	// Zone is the zone as the stack file names it.
	Zone string `json:"zone"`
	// Name is the whole name.
	Name string `json:"name"`
	// Type is A, AAAA or CNAME.
	Type string `json:"type"`
	// Values are addresses, or the one whole name that an alias leads to.
	Values []string `json:"values"`
	// Why says what it is for.
	Why string `json:"why"`
}

// Output is the record as an output of the stack, whose values may be known later.
func (b *ByHand) Output(values ...pulumi.StringInput) pulumi.Map {
	if values == nil {
		for _, value := range b.Values {
			values = append(values, pulumi.String(value))
		}
	}
	return pulumi.Map{
		"zone": pulumi.String(b.Zone), "name": pulumi.String(b.Name), "type": pulumi.String(b.Type),
		"values": pulumi.StringArray(values), "why": pulumi.String(b.Why),
	}
}

// HasExternal says whether a zone is at another provider.
func (a *Args) HasExternal() bool {
	return slices.ContainsFunc(a.Zones, func(zone Zone) bool { return zone.External })
}

// Split tells names in the zones at Linode from those in zones at other providers.
func (a *Args) Split(names []string) (atLinode, external []string) {
	for _, name := range names {
		if zone := a.ZoneOf(name); zone != nil && zone.External {
			external = append(external, name)
		} else {
			atLinode = append(atLinode, name)
		}
	}
	return atLinode, external
}

// ExternalZones are those at other providers.
func (a *Args) ExternalZones() (names []string) {
	_, names = a.Split(a.Names())
	return names
}

// Host is the record of a name that visitors use.
func (a *Args) Host(name, recordType string) ByHand {
	return ByHand{Zone: a.ZoneOf(name).Name, Name: name, Type: recordType, Why: "leads visitors here"}
}

// Challenge is the record by which an authority finds out that a name belongs to whom it issues a certificate.
func (a *Args) Challenge(name, why string) ByHand {
	return ByHand{Zone: a.ZoneOf(name).Name, Name: challengePrefix + name, Type: "CNAME", Why: why}
}

// Delegation is the record that lets the cluster prove a name: it leads into the platform's own zone, where cert-manager may
// write. Each name has a place of its own there, since one certificate's proof would replace another's.
// Upstream: https://cert-manager.io/docs/configuration/acme/dns01/#delegated-domains-for-dns01
func (a *Args) Delegation(name string) ByHand {
	record := a.Challenge(name, "proves "+name+" to Let's Encrypt, at each renewal too")
	record.Values = []string{challengePrefix + a.delegate(name)}
	return record
}

// delegate is the name in the first zone that is proven in place of one in a zone at another provider.
func (a *Args) delegate(name string) string { return name + "." + a.Zones[0].Name }
