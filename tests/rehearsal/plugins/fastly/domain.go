package fastly

import (
	"context"
	"fmt"

	"github.com/fastly/go-fastly/v12/fastly/domainmanagement/v1/domains"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// ManagedDomain is a name in domain management; the plugin of Version has none.
// https://www.pulumi.com/registry/packages/fastly/api-docs/domain/
type ManagedDomain struct{}

// Annotate gives the resource its official token.
func (r *ManagedDomain) Annotate(a infer.Annotator) { a.SetToken("index/domain", "Domain") }

// ManagedDomainArgs is what a program declares of a domain.
type ManagedDomainArgs struct {
	Description *string `pulumi:"description,optional"`
	FQDN        string  `pulumi:"fqdn" provider:"replaceOnChanges"`
	ServiceID   *string `pulumi:"serviceId,optional"`
}

// ManagedDomainState is what the stack knows of a domain.
type ManagedDomainState struct {
	ManagedDomainArgs
	DomainID string `pulumi:"domainId"`
}

// Create creates the domain.
func (ManagedDomain) Create(
	ctx context.Context, req infer.CreateRequest[ManagedDomainArgs],
) (infer.CreateResponse[ManagedDomainState], error) {
	state := ManagedDomainState{ManagedDomainArgs: req.Inputs}
	if req.DryRun {
		return infer.CreateResponse[ManagedDomainState]{Output: state}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.CreateResponse[ManagedDomainState]{}, err
	}
	made, err := domains.Create(ctx, client, &domains.CreateInput{
		FQDN: &req.Inputs.FQDN, ServiceID: req.Inputs.ServiceID, Description: req.Inputs.Description,
	})
	if err != nil {
		return infer.CreateResponse[ManagedDomainState]{}, fmt.Errorf("creating domain %s: %w", req.Inputs.FQDN, err)
	}
	state.DomainID = made.DomainID
	return infer.CreateResponse[ManagedDomainState]{ID: made.DomainID, Output: state}, nil
}

// Read looks at the domain. One that is gone is an error, as with the official provider.
func (ManagedDomain) Read(
	ctx context.Context, req infer.ReadRequest[ManagedDomainArgs, ManagedDomainState],
) (infer.ReadResponse[ManagedDomainArgs, ManagedDomainState], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.ReadResponse[ManagedDomainArgs, ManagedDomainState]{}, err
	}
	found, err := domains.Get(ctx, client, &domains.GetInput{DomainID: &req.ID})
	if err != nil {
		return infer.ReadResponse[ManagedDomainArgs, ManagedDomainState]{}, fmt.Errorf("reading domain %s: %w", req.ID, err)
	}
	args := ManagedDomainArgs{
		FQDN: found.FQDN, ServiceID: found.ServiceID, Description: keepOpen(req.Inputs.Description, found.Description),
	}
	return infer.ReadResponse[ManagedDomainArgs, ManagedDomainState]{
		ID: req.ID, Inputs: args, State: ManagedDomainState{ManagedDomainArgs: args, DomainID: found.DomainID},
	}, nil
}

// Update leads the domain to another service.
func (ManagedDomain) Update(
	ctx context.Context, req infer.UpdateRequest[ManagedDomainArgs, ManagedDomainState],
) (infer.UpdateResponse[ManagedDomainState], error) {
	state := ManagedDomainState{ManagedDomainArgs: req.Inputs, DomainID: req.State.DomainID}
	if req.DryRun {
		return infer.UpdateResponse[ManagedDomainState]{Output: state}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.UpdateResponse[ManagedDomainState]{}, err
	}
	_, err = domains.Update(ctx, client, &domains.UpdateInput{
		DomainID: &req.ID, ServiceID: req.Inputs.ServiceID, Description: req.Inputs.Description,
	})
	if err != nil {
		return infer.UpdateResponse[ManagedDomainState]{}, fmt.Errorf("updating domain %s: %w", req.Inputs.FQDN, err)
	}
	return infer.UpdateResponse[ManagedDomainState]{Output: state}, nil
}

// Delete deletes the domain.
func (ManagedDomain) Delete(ctx context.Context, req infer.DeleteRequest[ManagedDomainState]) (infer.DeleteResponse, error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	if err := domains.Delete(ctx, client, &domains.DeleteInput{DomainID: &req.ID}); err != nil {
		return infer.DeleteResponse{}, fmt.Errorf("deleting domain %s: %w", req.State.FQDN, err)
	}
	return infer.DeleteResponse{}, nil
}
