package dns

import (
	"fmt"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
)

// HostsArgs says where names lead.
type HostsArgs struct {
	// Zones are those that the hosts are in.
	Zones *Zones
	// Hosts are the names.
	Hosts []string
	// IPv4 and IPv6 are the addresses that all of them lead to.
	IPv4, IPv6 []pulumi.StringInput
}

// Hosts are the records of names that lead to the platform. All of them are addresses, also where an alias (CNAME) would do:
// where they lead is changed in place, for all names alike, and no name is without a record meanwhile.
type Hosts struct {
	pulumi.ResourceState

	// Ready are the records.
	Ready []pulumi.Resource
}

// hostTTL is for how long an answer may be kept, in seconds; one of ttls. It is short because a switch has to take hold soon.
const hostTTL = 120

// NewHosts declares the records of hosts. The caller has it depend on all that whoever asks for them needs.
func NewHosts(ctx *pulumi.Context, name string, args *HostsArgs, opts ...pulumi.ResourceOption) (*Hosts, error) {
	h := &Hosts{}
	if err := ctx.RegisterComponentResource("lke-platform:dns:Hosts", name, h, opts...); err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	for _, host := range args.Hosts {
		for _, family := range []struct {
			recordType string
			addresses  []pulumi.StringInput
		}{{"A", args.IPv4}, {"AAAA", args.IPv6}} {
			earlier := args.Zones.takenOver(host, family.recordType)
			for i, address := range family.addresses {
				opts := []pulumi.ResourceOption{pulumi.Parent(h)}
				if i < len(earlier) {
					opts = append(opts, earlier[i])
				}
				logicalName := fmt.Sprintf("%s-%s-%s-%d", name, host, family.recordType, i)
				if err := h.newRecord(ctx, logicalName, args.Zones, host, family.recordType, address, opts); err != nil {
					return nil, fmt.Errorf("dns: declaring record %s: %w", logicalName, err)
				}
			}
		}
	}
	return h, component.Done(ctx, h, pulumi.Map{})
}

func (h *Hosts) newRecord(
	ctx *pulumi.Context, name string, zones *Zones, host, recordType string, address pulumi.StringInput,
	opts []pulumi.ResourceOption,
) error {
	zoneID, relative, err := zones.Locate(host)
	if err != nil {
		return err
	}
	record, err := linode.NewDomainRecord(ctx, name, &linode.DomainRecordArgs{
		DomainId:   zoneID,
		RecordType: pulumi.String(recordType),
		Name:       pulumi.String(relative),
		Target:     address,
		TtlSec:     pulumi.Int(hostTTL),
	}, opts...)
	h.Ready = append(h.Ready, record)
	return err
}

// takenOver returns, for each adopted record that a host has had so far, what makes it the host's from now on: it is changed in
// place, rather than standing beside the new one.
func (z *Zones) takenOver(host, recordType string) []pulumi.ResourceOption {
	var options []pulumi.ResourceOption
	for _, record := range z.args.ZoneOf(host).Records {
		if record.Name == host && record.Type == recordType && record.Adopt != 0 {
			options = append(options, pulumi.Aliases([]pulumi.Alias{{
				Name: pulumi.String(z.name + "-" + record.logicalName()), ParentURN: z.URN(),
			}}))
		}
	}
	return options
}
