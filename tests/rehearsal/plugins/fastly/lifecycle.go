package fastly

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Create makes the service, whose version 1 is empty, and deploys to that.
func (ServiceVcl) Create(
	ctx context.Context, req infer.CreateRequest[ServiceVclArgs],
) (infer.CreateResponse[ServiceVclState], error) {
	state := ServiceVclState{ServiceVclArgs: req.Inputs}
	if req.DryRun {
		return infer.CreateResponse[ServiceVclState]{Output: state}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.CreateResponse[ServiceVclState]{}, err
	}
	service, err := client.CreateService(ctx, &fastly.CreateServiceInput{
		Name: req.Inputs.Name, Comment: req.Inputs.Comment, Type: fastly.ToPointer("vcl"),
	})
	if err != nil {
		return infer.CreateResponse[ServiceVclState]{}, fmt.Errorf("creating service %q: %w", value(req.Inputs.Name), err)
	}
	state.ClonedVersion = 1
	v := version{client: client, service: value(service.ServiceID), number: state.ClonedVersion}
	err = v.deploy(ctx, &ServiceVclArgs{}, &state)
	if err != nil { // the service is there, so it must not be lost from the state
		err = errors.Join(err, infer.ResourceInitFailedError{Reasons: []string{err.Error()}})
	}
	return infer.CreateResponse[ServiceVclState]{ID: v.service, Output: state}, err
}

// Update changes what has no version in place. For all else it clones the version that the program last worked on, and
// deploys to the clone.
func (ServiceVcl) Update(
	ctx context.Context, req infer.UpdateRequest[ServiceVclArgs, ServiceVclState],
) (infer.UpdateResponse[ServiceVclState], error) {
	old, state := req.State, req.State
	state.ServiceVclArgs = req.Inputs
	if req.DryRun {
		return infer.UpdateResponse[ServiceVclState]{Output: state}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.UpdateResponse[ServiceVclState]{}, err
	}
	v := version{client: client, service: req.ID, number: old.ClonedVersion}
	if err := v.rename(ctx, &old.ServiceVclArgs, &req.Inputs); err != nil {
		return infer.UpdateResponse[ServiceVclState]{}, err
	}
	unfinished := value(req.Inputs.Activate) && old.ActiveVersion != old.ClonedVersion
	if !unfinished && !differ(&old.ServiceVclArgs, &req.Inputs) {
		if value(old.VersionComment) != value(req.Inputs.VersionComment) {
			err = v.comment(ctx, value(req.Inputs.VersionComment))
		}
		return infer.UpdateResponse[ServiceVclState]{Output: state}, err
	}
	if unfinished {
		old.ProductEnablement = nil // which of them were switched on, nobody knows
	}
	clone, err := client.CloneVersion(ctx, &fastly.CloneVersionInput{ServiceID: v.service, ServiceVersion: v.number})
	if err != nil {
		return infer.UpdateResponse[ServiceVclState]{}, fmt.Errorf("cloning version %d: %w", v.number, err)
	}
	v.number = value(clone.Number)
	state.ClonedVersion = v.number
	err = v.deploy(ctx, &old.ServiceVclArgs, &state)
	return infer.UpdateResponse[ServiceVclState]{Output: state}, err
}

// rename changes the name and the comment of the service.
func (v version) rename(ctx context.Context, old, args *ServiceVclArgs) error {
	same := value(old.Name) == value(args.Name) && value(old.Comment) == value(args.Comment)
	if same || !value(args.Activate) {
		return nil
	}
	_, err := v.client.UpdateService(ctx,
		&fastly.UpdateServiceInput{ServiceID: v.service, Name: args.Name, Comment: args.Comment})
	if err != nil {
		return fmt.Errorf("renaming service: %w", err)
	}
	return nil
}

func (v version) comment(ctx context.Context, comment string) error {
	_, err := v.client.UpdateVersion(ctx, &fastly.UpdateVersionInput{
		ServiceID: v.service, ServiceVersion: v.number, Comment: &comment,
	})
	if err != nil {
		return fmt.Errorf("commenting version %d: %w", v.number, err)
	}
	return nil
}

// deploy makes the version what the state declares, and activates it unless the program does not want that.
func (v version) deploy(ctx context.Context, old *ServiceVclArgs, state *ServiceVclState) error {
	args := &state.ServiceVclArgs
	if comment := value(args.VersionComment); comment != value(old.VersionComment) { // a clone keeps its original's
		if err := v.comment(ctx, comment); err != nil {
			return err
		}
	}
	if err := v.applySettings(ctx, args); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := k.apply(ctx, v, old, args); err != nil {
			return err
		}
	}
	if err := v.applyProducts(ctx, old.ProductEnablement, args.ProductEnablement); err != nil {
		return err
	}
	if !value(args.Activate) {
		return nil
	}
	valid, message, err := v.client.ValidateVersion(ctx, &fastly.ValidateVersionInput{
		ServiceID: v.service, ServiceVersion: v.number,
	})
	if err != nil {
		return fmt.Errorf("validating version %d: %w", v.number, err)
	}
	if !valid {
		return fmt.Errorf("invalid configuration for Fastly Service (%s): %s", v.service, message)
	}
	_, err = v.client.ActivateVersion(ctx, &fastly.ActivateVersionInput{ServiceID: v.service, ServiceVersion: v.number})
	if err != nil {
		return fmt.Errorf("activating version %d: %w", v.number, err)
	}
	state.ActiveVersion = v.number
	return nil
}

// Read looks at the active version, or at the one last worked on where the program activates none.
func (ServiceVcl) Read(
	ctx context.Context, req infer.ReadRequest[ServiceVclArgs, ServiceVclState],
) (infer.ReadResponse[ServiceVclArgs, ServiceVclState], error) {
	gone := infer.ReadResponse[ServiceVclArgs, ServiceVclState]{}
	client, err := connect(ctx)
	if err != nil {
		return gone, err
	}
	service, err := client.GetServiceDetails(ctx, &fastly.GetServiceInput{ServiceID: req.ID})
	var failed *fastly.HTTPError
	if errors.As(err, &failed) && failed.StatusCode == http.StatusNotFound || err == nil && service.DeletedAt != nil {
		return gone, nil
	}
	if err != nil {
		return gone, fmt.Errorf("reading service: %w", err)
	}
	imported := req.State.ClonedVersion == 0
	prior, state := req.Inputs, req.State
	args := prior
	args.Name, args.Comment = service.Name, service.Comment
	if imported {
		args.Activate, state.ClonedVersion = fastly.ToPointer(true), value(service.Version.Number)
	}
	number := state.ClonedVersion
	if service.ActiveVersion != nil {
		state.ActiveVersion = value(service.ActiveVersion.Number)
		if value(args.Activate) {
			number = state.ActiveVersion
		}
		args.VersionComment = keepOpen(prior.VersionComment, value(service.ActiveVersion.Comment))
	}
	reverted := value(args.Activate) && state.ActiveVersion != req.State.ActiveVersion
	state.ClonedVersion = number
	v := version{client: client, service: req.ID, number: number}
	if err := v.read(ctx, &prior, &args, imported || reverted); err != nil {
		return gone, err
	}
	if args.Domains == nil {
		args.Domains = []Domain{} // as of a service whose creation was interrupted; infer takes nil for missing
	}
	state.ServiceVclArgs = args
	return infer.ReadResponse[ServiceVclArgs, ServiceVclState]{ID: req.ID, Inputs: args, State: state}, nil
}

// read puts what the version holds into args. all includes kinds of which the program declares nothing: when the service is
// imported, or another version was activated by hand.
func (v version) read(ctx context.Context, prior, args *ServiceVclArgs, all bool) error {
	if err := v.readSettings(ctx, args); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := k.read(ctx, v, prior, args, all); err != nil {
			return err
		}
	}
	return v.readProducts(ctx, args, all)
}

// keepOpen returns text, or nil when the program sets none and there is none.
func keepOpen(prior *string, text string) *string {
	if prior == nil && text == "" {
		return nil
	}
	return &text
}

// Delete deletes a service without an active version; forceDestroy deactivates that first. With reuse the service stays,
// inactive.
func (ServiceVcl) Delete(ctx context.Context, req infer.DeleteRequest[ServiceVclState]) (infer.DeleteResponse, error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	reuse := value(req.State.Reuse)
	if reuse || value(req.State.ForceDestroy) {
		if err := deactivate(ctx, client, req.ID); err != nil {
			return infer.DeleteResponse{}, err
		}
	}
	if reuse {
		return infer.DeleteResponse{}, nil
	}
	if err := client.DeleteService(ctx, &fastly.DeleteServiceInput{ServiceID: req.ID}); err != nil {
		return infer.DeleteResponse{}, fmt.Errorf("deleting service: %w", err)
	}
	return infer.DeleteResponse{}, nil
}

// deactivate takes a service off the air.
func deactivate(ctx context.Context, client *fastly.Client, id string) error {
	service, err := client.GetServiceDetails(ctx, &fastly.GetServiceInput{ServiceID: id})
	if err != nil {
		return fmt.Errorf("reading service: %w", err)
	}
	if service.ActiveVersion == nil {
		return nil
	}
	_, err = client.DeactivateVersion(ctx, &fastly.DeactivateVersionInput{
		ServiceID: id, ServiceVersion: value(service.ActiveVersion.Number),
	})
	if err != nil {
		return fmt.Errorf("deactivating version %d: %w", value(service.ActiveVersion.Number), err)
	}
	return nil
}
