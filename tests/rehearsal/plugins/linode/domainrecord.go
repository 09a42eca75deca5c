package linode

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// DomainRecord is a record of a DNS zone: https://www.pulumi.com/registry/packages/linode/api-docs/domainrecord/
type DomainRecord struct{}

// DomainRecordArgs are the inputs.
type DomainRecordArgs struct {
	DomainID   int     `pulumi:"domainId"          provider:"replaceOnChanges"`
	Name       *string `pulumi:"name,optional"`
	Port       *int    `pulumi:"port,optional"`
	Priority   *int    `pulumi:"priority,optional"`
	Protocol   *string `pulumi:"protocol,optional"`
	RecordType string  `pulumi:"recordType"        provider:"replaceOnChanges"`
	Service    *string `pulumi:"service,optional"`
	Tag        *string `pulumi:"tag,optional"`
	Target     string  `pulumi:"target"`
	TTLSec     *int    `pulumi:"ttlSec,optional"`
	Weight     *int    `pulumi:"weight,optional"`
}

// DomainRecordState is what the record is like.
type DomainRecordState struct {
	DomainRecordArgs
}

// Annotate sets the token.
func (r *DomainRecord) Annotate(a infer.Annotator) { a.SetToken("index/domainRecord", "DomainRecord") }

// Create creates the record.
func (*DomainRecord) Create(
	ctx context.Context, req infer.CreateRequest[DomainRecordArgs],
) (resp infer.CreateResponse[DomainRecordState], err error) {
	in := req.Inputs
	resp.Output.DomainRecordArgs = in
	if req.DryRun {
		return resp, nil
	}
	record, err := clientOf(ctx).CreateDomainRecord(ctx, in.DomainID, linodego.DomainRecordCreateOptions(in.options()))
	if err != nil {
		return resp, fmt.Errorf("creating a record of type %s for %s: %w", in.RecordType, in.Target, err)
	}
	resp.ID, resp.Output = strconv.Itoa(record.ID), recordOf(in.DomainID, record)
	return resp, nil
}

// options are the same for a new record and for a change.
func (in DomainRecordArgs) options() linodego.DomainRecordUpdateOptions {
	return linodego.DomainRecordUpdateOptions{
		Type: linodego.DomainRecordType(in.RecordType), Name: value(in.Name), Target: in.Target, Priority: in.Priority,
		Weight: in.Weight, Port: in.Port, Service: in.Service, Protocol: in.Protocol, TTLSec: value(in.TTLSec), Tag: in.Tag,
	}
}

func recordOf(domain int, r *linodego.DomainRecord) DomainRecordState {
	return DomainRecordState{DomainRecordArgs{
		DomainID: domain, Name: &r.Name, Port: some(r.Port), Priority: some(r.Priority), Protocol: r.Protocol,
		RecordType: string(r.Type), Service: r.Service, Tag: r.Tag, Target: r.Target, TTLSec: some(r.TTLSec),
		Weight: some(r.Weight),
	}}
}

// Read gives the record as it is. For an import, the ID is that of the zone, a comma and that of the record.
func (*DomainRecord) Read(
	ctx context.Context, req infer.ReadRequest[DomainRecordArgs, DomainRecordState],
) (resp infer.ReadResponse[DomainRecordArgs, DomainRecordState], err error) {
	domain, recordID := req.State.DomainID, req.ID
	if zone, rest, imported := strings.Cut(req.ID, ","); imported {
		if domain, err = number(zone, "a domain"); err != nil {
			return resp, err
		}
		recordID = rest
	}
	id, err := number(recordID, "a record")
	if err != nil {
		return resp, err
	}
	record, err := clientOf(ctx).GetDomainRecord(ctx, domain, id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, fmt.Errorf("reading record %d of domain %d: %w", id, domain, err)
	}
	resp.ID, resp.State = recordID, recordOf(domain, record)
	resp.Inputs = drifted(req.Inputs, req.State.DomainRecordArgs, resp.State.DomainRecordArgs)
	if record.Type == linodego.RecordTypeSRV { // Linode makes the name
		resp.Inputs.Name = req.Inputs.Name
	}
	return resp, nil
}

// Update changes the record.
func (*DomainRecord) Update(
	ctx context.Context, req infer.UpdateRequest[DomainRecordArgs, DomainRecordState],
) (resp infer.UpdateResponse[DomainRecordState], err error) {
	in := req.Inputs
	if req.DryRun {
		resp.Output.DomainRecordArgs = foreseen(in, req.State.DomainRecordArgs)
		return resp, nil
	}
	id, err := number(req.ID, "a record")
	if err != nil {
		return resp, err
	}
	record, err := clientOf(ctx).UpdateDomainRecord(ctx, in.DomainID, id, in.options())
	if err != nil {
		return resp, fmt.Errorf("changing record %d of domain %d: %w", id, in.DomainID, err)
	}
	resp.Output = recordOf(in.DomainID, record)
	return resp, nil
}

// Delete deletes the record. What is gone already is an error, as it is for the official provider.
func (*DomainRecord) Delete(
	ctx context.Context, req infer.DeleteRequest[DomainRecordState],
) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "a record")
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteDomainRecord(ctx, req.State.DomainID, id); err != nil {
		return resp, fmt.Errorf("deleting record %d of domain %d: %w", id, req.State.DomainID, err)
	}
	return resp, nil
}
