package dns

import (
	"fmt"

	"github.com/pulumi/pulumi-linode/sdk/v4/go/linode"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
)

// ChallengesArgs says what proves whose names are.
type ChallengesArgs struct {
	// Zones are those that the names are in.
	Zones *Zones
	// Names are to be proven.
	Names []string
	// Targets are where the record of each name leads, to an authority that proves it elsewhere. Nil while something in the
	// cluster proves the names: it writes records of its own there, which cannot stand beside an alias.
	Targets map[string]pulumi.StringOutput
}

// Challenges are the records by which an authority finds out that names belong to whom it issues certificates.
// Upstream: https://datatracker.ietf.org/doc/html/rfc8555#section-8.4
type Challenges struct {
	pulumi.ResourceState

	// Ready is what to wait for.
	Ready []pulumi.Resource
}

const (
	challengePrefix = "_acme-challenge."
	// challengeTTL is for how long an answer may be kept, in seconds; one of ttls.
	challengeTTL = 120
)

// NewChallenges declares the records. One that changes from an alias to a text, or back, is gone before the new one is there, and
// what depends on it comes after.
func NewChallenges(
	ctx *pulumi.Context, name string, args *ChallengesArgs, opts ...pulumi.ResourceOption,
) (*Challenges, error) {
	c := &Challenges{}
	if err := ctx.RegisterComponentResource("lke-platform:dns:Challenges", name, c, opts...); err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	for _, host := range args.Names {
		zoneID, relative, err := args.Zones.Locate(challengePrefix + host)
		if err != nil {
			return nil, err
		}
		record := &linode.DomainRecordArgs{
			DomainId: zoneID, Name: pulumi.String(relative), TtlSec: pulumi.Int(challengeTTL),
			RecordType: pulumi.String("TXT"), Target: pulumi.String("free for challenges"),
		}
		if args.Targets != nil {
			record.RecordType, record.Target = pulumi.String("CNAME"), args.Targets[host]
		}
		declared, err := linode.NewDomainRecord(ctx, name+"-"+host, record, pulumi.Parent(c), pulumi.DeleteBeforeReplace(true))
		if err != nil {
			return nil, fmt.Errorf("dns: declaring the challenge of %s: %w", host, err)
		}
		c.Ready = append(c.Ready, declared)
	}
	return c, component.Done(ctx, c, pulumi.Map{})
}
