package main

import (
	"lke-platform/components/dns"

	"lke-platform/tests/rehearsal/linode"
)

// adopted are the zones that the stack file takes over, with the records that it takes over too: they have to be there before.
// How they differ from what the stack file says of them, nobody knows here. A record of a name that the platform publishes was
// adopted by an earlier run than the one that publishes it, and is the name's own since.
func adopted(domains *dns.Args) []linode.Zone {
	var zones []linode.Zone
	for _, zone := range domains.Zones {
		if zone.Adopt == 0 {
			continue
		}
		there := linode.Zone{ID: zone.Adopt, Name: zone.Name, Contact: domains.Contact}
		for _, r := range zone.Records {
			if r.Adopt != 0 && !domains.TakesOver(&r) {
				there.Records = append(there.Records, linode.Record{
					ID: r.Adopt, Name: r.Name, Type: r.Type, Target: r.Target, Tag: r.Tag,
					TTL: r.TTL, Priority: r.Priority, Weight: r.Weight, SRVPort: r.Port,
				})
			}
		}
		zones = append(zones, there)
	}
	return zones
}
