package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Handshake tells the engine what the provider can do.
func (s *server) Handshake(
	context.Context, *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{AcceptSecrets: true, SupportsAutonamingConfiguration: true}, nil
}

// Attach takes the address of the engine, for messages.
func (s *server) Attach(_ context.Context, r *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	host, err := provider.NewHostClient(r.GetAddress())
	if err != nil {
		return nil, fmt.Errorf("attaching to the engine at %s: %w", r.GetAddress(), err)
	}
	s.journal.attach(host)
	return &emptypb.Empty{}, nil
}

// GetPluginInfo tells the version.
func (s *server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetSchema returns a schema without types: the types are those of the API server.
func (s *server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]string{"name": "kubernetes", "version": Version})
	return &pulumirpc.GetSchemaResponse{Schema: string(schema)}, err
}

// Cancel ends all waits.
func (s *server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.cancel()
	return &emptypb.Empty{}, nil
}

// Invoke refuses all functions.
func (s *server) Invoke(_ context.Context, r *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, fmt.Errorf("the rehearsal's Kubernetes provider has no function %s", r.GetTok())
}

// Call refuses all methods.
func (s *server) Call(_ context.Context, r *pulumirpc.CallRequest) (*pulumirpc.CallResponse, error) {
	return nil, fmt.Errorf("the rehearsal's Kubernetes provider has no method %s", r.GetTok())
}

// Construct refuses all components.
func (s *server) Construct(_ context.Context, r *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, fmt.Errorf("the rehearsal's Kubernetes provider has no component %s", r.GetType())
}
