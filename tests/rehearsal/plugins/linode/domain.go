package linode

import (
	"context"
	"fmt"
	"strconv"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Domain is a DNS zone: https://www.pulumi.com/registry/packages/linode/api-docs/domain/
type Domain struct{}

// DomainArgs are the inputs.
type DomainArgs struct {
	AxfrIPs     []string `pulumi:"axfrIps,optional"`
	Description *string  `pulumi:"description,optional"`
	Domain      string   `pulumi:"domain"`
	ExpireSec   *int     `pulumi:"expireSec,optional"`
	MasterIPs   []string `pulumi:"masterIps,optional"`
	RefreshSec  *int     `pulumi:"refreshSec,optional"`
	RetrySec    *int     `pulumi:"retrySec,optional"`
	SoaEmail    *string  `pulumi:"soaEmail,optional"`
	Status      *string  `pulumi:"status,optional"`
	Tags        []string `pulumi:"tags,optional"`
	TTLSec      *int     `pulumi:"ttlSec,optional"`
	Type        string   `pulumi:"type"                 provider:"replaceOnChanges"`
}

// DomainState is what the zone is like.
type DomainState struct {
	DomainArgs
}

// Annotate sets the token.
func (r *Domain) Annotate(a infer.Annotator) { a.SetToken("index/domain", "Domain") }

// Create creates the zone.
func (*Domain) Create(
	ctx context.Context, req infer.CreateRequest[DomainArgs],
) (resp infer.CreateResponse[DomainState], err error) {
	resp.Output.DomainArgs = req.Inputs
	if req.DryRun {
		return resp, nil
	}
	domain, err := clientOf(ctx).CreateDomain(ctx, linodego.DomainCreateOptions(req.Inputs.options()))
	if err != nil {
		return resp, fmt.Errorf("creating domain %s: %w", req.Inputs.Domain, err)
	}
	resp.ID, resp.Output = strconv.Itoa(domain.ID), domainOf(domain)
	return resp, nil
}

// options are the same for a new zone and for a change.
func (in DomainArgs) options() linodego.DomainUpdateOptions {
	return linodego.DomainUpdateOptions{
		Domain: in.Domain, Type: linodego.DomainType(in.Type),
		Status: linodego.DomainStatus(value(in.Status)), Description: value(in.Description), SOAEmail: value(in.SoaEmail),
		RetrySec: value(in.RetrySec), MasterIPs: in.MasterIPs, AXfrIPs: in.AxfrIPs, Tags: in.Tags, ExpireSec: value(in.ExpireSec),
		RefreshSec: value(in.RefreshSec), TTLSec: value(in.TTLSec),
	}
}

func domainOf(d *linodego.Domain) DomainState {
	return DomainState{DomainArgs{
		AxfrIPs: filled(d.AXfrIPs), Description: some(d.Description), Domain: d.Domain, ExpireSec: some(d.ExpireSec),
		MasterIPs: filled(d.MasterIPs), RefreshSec: some(d.RefreshSec), RetrySec: some(d.RetrySec), SoaEmail: some(d.SOAEmail),
		Status: new(string(d.Status)), Tags: filled(d.Tags), TTLSec: some(d.TTLSec), Type: string(d.Type),
	}}
}

// Read gives the zone as it is. An ID is all that an import needs.
func (*Domain) Read(
	ctx context.Context, req infer.ReadRequest[DomainArgs, DomainState],
) (resp infer.ReadResponse[DomainArgs, DomainState], err error) {
	id, err := number(req.ID, "a domain")
	if err != nil {
		return resp, err
	}
	domain, err := clientOf(ctx).GetDomain(ctx, id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, fmt.Errorf("reading domain %d: %w", id, err)
	}
	resp.ID, resp.State = req.ID, domainOf(domain)
	resp.Inputs = drifted(req.Inputs, req.State.DomainArgs, resp.State.DomainArgs)
	return resp, nil
}

// Update changes the zone.
func (*Domain) Update(
	ctx context.Context, req infer.UpdateRequest[DomainArgs, DomainState],
) (resp infer.UpdateResponse[DomainState], err error) {
	if req.DryRun {
		resp.Output.DomainArgs = foreseen(req.Inputs, req.State.DomainArgs)
		return resp, nil
	}
	id, err := number(req.ID, "a domain")
	if err != nil {
		return resp, err
	}
	domain, err := clientOf(ctx).UpdateDomain(ctx, id, req.Inputs.options())
	if err != nil {
		return resp, fmt.Errorf("changing domain %s: %w", req.Inputs.Domain, err)
	}
	resp.Output = domainOf(domain)
	return resp, nil
}

// Delete deletes the zone with all its records. What is gone already is an error, as it is for the official provider.
func (*Domain) Delete(ctx context.Context, req infer.DeleteRequest[DomainState]) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "a domain")
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteDomain(ctx, id); err != nil {
		return resp, fmt.Errorf("deleting domain %s: %w", req.State.Domain, err)
	}
	return resp, nil
}
