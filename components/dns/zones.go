// Package dns declares the zones of a stack at Linode, their plain records, and the records of the names that lead to the
// platform.
package dns

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
)

// Zones are the zones of a stack, with their plain records.
// Upstream: https://techdocs.akamai.com/linode-api/reference/post-domain
type Zones struct {
	pulumi.ResourceState

	// IDs is Linode's number of each zone by its name; external ones have none.
	IDs map[string]pulumi.IntOutput
	// Ready are the zones, without their records.
	Ready []pulumi.Resource

	name string
	args *Args
}

// New declares zones.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Zones, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("dns: %w", faults.ToAggregate())
	}
	z := &Zones{IDs: map[string]pulumi.IntOutput{}, name: name, args: args}
	if err := ctx.RegisterComponentResource("lke-platform:dns:Zones", name, z, opts...); err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	ids := pulumi.IntMap{}
	for i := range args.Zones {
		zone := &args.Zones[i]
		if zone.External {
			continue
		}
		if err := z.newZone(ctx, name, zone); err != nil {
			return nil, fmt.Errorf("dns: declaring zone %s: %w", zone.Name, err)
		}
		ids[zone.Name] = z.IDs[zone.Name]
		for j := range zone.Records {
			if args.TakesOver(&zone.Records[j]) {
				continue // NewHosts declares it
			}
			if err := z.newRecord(ctx, name, zone, &zone.Records[j]); err != nil {
				return nil, fmt.Errorf("dns: declaring record %s: %w", zone.Records[j].key(), err)
			}
		}
	}
	return z, component.Done(ctx, z, pulumi.Map{"zoneIds": ids})
}

// Locate returns where a record for a host belongs: Linode's number of the zone, and the host's name within it, which is empty
// for the zone itself.
func (z *Zones) Locate(host string) (zoneID pulumi.IntOutput, relative string, err error) {
	zone := z.args.ZoneOf(host)
	if zone == nil {
		return zoneID, "", fmt.Errorf("dns: %s is outside every zone", host)
	}
	if zone.External {
		return zoneID, "", fmt.Errorf("dns: %s is in a zone at another provider", host)
	}
	return z.IDs[zone.Name], zone.relative(host), nil
}

// adopt takes over what was there before the platform, and leaves it there when the platform goes. Its other properties are
// kept: the engine imports only what looks as it is declared.
func adopt(id string, kept []string) []pulumi.ResourceOption {
	return []pulumi.ResourceOption{
		pulumi.Import(pulumi.ID(id)), pulumi.IgnoreChanges(kept), pulumi.RetainOnDelete(true),
	}
}

// zoneTTL is for how long an answer may be kept that does not say so itself, in seconds; one of ttls. It is also for how long
// resolvers remember that a name is not there (the SOA's minimum): a name that was asked for a moment too early stays unknown to
// them for so long. Linode's own default is a day.
const zoneTTL = 300

// settings are what an adopted zone keeps.
var settings = []string{
	"axfrIps", "description", "expireSec", "group", "masterIps", "refreshSec", "retrySec", "soaEmail", "status", "tags", "ttlSec",
}

func (z *Zones) newZone(ctx *pulumi.Context, name string, zone *Zone) error {
	options := []pulumi.ResourceOption{pulumi.Parent(z), pulumi.Protect(z.args.Protect)}
	if zone.Adopt != 0 {
		options = append(options, adopt(strconv.Itoa(zone.Adopt), settings)...)
	}
	domain, err := linode.NewDomain(ctx, name+"-"+zone.Name, &linode.DomainArgs{
		Domain:   pulumi.String(zone.Name),
		Type:     pulumi.String("master"),
		SoaEmail: pulumi.String(z.args.Contact),
		TtlSec:   pulumi.Int(zoneTTL),
	}, options...)
	if err != nil {
		return err
	}
	z.IDs[zone.Name] = domain.ID().ToStringOutput().ApplyT(strconv.Atoi).(pulumi.IntOutput)
	z.Ready = append(z.Ready, domain)
	return nil
}

func (z *Zones) newRecord(ctx *pulumi.Context, name string, zone *Zone, record *Record) error {
	args := &linode.DomainRecordArgs{
		DomainId:   z.IDs[zone.Name],
		RecordType: pulumi.String(record.Type),
		Target:     pulumi.String(record.Target),
		Name:       pulumi.String(zone.relative(record.Name)),
	}
	if record.TTL != 0 {
		args.TtlSec = pulumi.Int(record.TTL)
	}
	switch record.Type {
	case "MX":
		args.Priority = pulumi.Int(record.Priority)
	case "CAA":
		args.Tag = pulumi.String(record.Tag)
	case "SRV":
		// Linode makes the name of these two.
		parts := srvName.FindStringSubmatch(record.Name)
		args.Name, args.Service, args.Protocol = nil, pulumi.String(parts[1]), pulumi.String(parts[2])
		args.Priority, args.Weight, args.Port = pulumi.Int(record.Priority), pulumi.Int(record.Weight), pulumi.Int(record.Port)
	}
	options := []pulumi.ResourceOption{pulumi.Parent(z)}
	if record.Adopt != 0 {
		options = append(options, adopt(fmt.Sprintf("%d,%d", zone.Adopt, record.Adopt), undeclared(args))...)
	}
	_, err := linode.NewDomainRecord(ctx, name+"-"+record.logicalName(), args, options...)
	return err
}

// undeclared are the properties that the stack file says nothing of; an adopted record keeps them.
func undeclared(args *linode.DomainRecordArgs) []string {
	var names []string
	for _, property := range []struct {
		name     string
		declared bool
	}{
		{"port", args.Port != nil},
		{"priority", args.Priority != nil},
		{"protocol", args.Protocol != nil},
		{"service", args.Service != nil},
		{"tag", args.Tag != nil},
		{"ttlSec", args.TtlSec != nil},
		{"weight", args.Weight != nil},
	} {
		if !property.declared {
			names = append(names, property.name)
		}
	}
	return names
}

// logicalName is made of what tells the record from others, not of its place in the list, so that the list can be sorted anew.
// Another target is another record: the new one is there before the old one goes.
func (r *Record) logicalName() string {
	name := r.Name + "-" + r.Type
	if r.Type == "CNAME" {
		return name
	}
	// Not the target as it is: texts are long.
	sum := sha256.Sum256([]byte(r.Tag + " " + r.Target))
	return fmt.Sprintf("%s-%x", name, sum[:4])
}
