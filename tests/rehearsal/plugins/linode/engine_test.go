package linode_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	api "lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/plugins/linode"
)

const token = "the-only-token"

// planes is a ControlPlanes in which everything is ready at once, unless it is to fail.
type planes struct {
	mu   sync.Mutex
	fail error
}

func (p *planes) Start(context.Context, int, string) (api.Access, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return api.Access{Kubeconfig: []byte("apiVersion: v1"), Endpoint: "https://127.0.0.1:6443"}, p.fail
}

func (p *planes) Sync(context.Context, int, []api.Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fail
}

func (p *planes) Hang(int, bool) error { return nil }

func (p *planes) Delete(context.Context, int) error { return nil }

func (p *planes) set(fail error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

// engine talks to the provider as Pulumi's does, and to the simulated API behind the provider's back.
type engine struct {
	*linodego.Client
	t      *testing.T
	server pulumirpc.ResourceProviderServer
	planes *planes
	url    string // of the API
}

// object is a resource in the engine's state.
type object struct {
	urn, id       string
	inputs, state resource.PropertyMap
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	planes := &planes{}
	simulated, err := api.New(api.Options{Dir: t.TempDir(), Token: token, ControlPlanes: planes})
	require.NoError(t, err)
	server := httptest.NewServer(simulated)
	t.Cleanup(func() { server.Close(); simulated.Close() })
	client := linodego.NewClient(nil)
	client.SetBaseURL(server.URL)
	client.SetToken(token)
	e := &engine{&client, t, newServer(t), planes, server.URL}
	require.NoError(t, e.configure(map[string]any{"url": server.URL, "token": token}))
	return e
}

func newServer(t *testing.T) pulumirpc.ResourceProviderServer {
	t.Helper()
	server, err := linode.New(nil)
	require.NoError(t, err)
	return server
}

func (e *engine) configure(config map[string]any) error {
	inputs := e.marshal(resource.NewPropertyMapFromMap(config))
	check, err := e.server.CheckConfig(e.t.Context(), &pulumirpc.CheckRequest{Urn: urn("pulumi:providers:linode"), News: inputs})
	if err := failed(check, err); err != nil {
		return err
	}
	_, err = e.server.Configure(e.t.Context(), &pulumirpc.ConfigureRequest{
		Args: check.GetInputs(), AcceptSecrets: true, SendsOldInputs: true, SendsOldInputsToDelete: true,
	})
	return err
}

func urn(kind string) string { return "urn:pulumi:test::test::" + kind + "::it" }

func failed(check *pulumirpc.CheckResponse, err error) error {
	if failures := check.GetFailures(); err == nil && len(failures) > 0 {
		err = fmt.Errorf("%s: %s", failures[0].GetProperty(), failures[0].GetReason())
	}
	return err
}

func (e *engine) check(kind string, inputs map[string]any) (resource.PropertyMap, error) {
	news := e.marshal(resource.NewPropertyMapFromMap(inputs))
	check, err := e.server.Check(e.t.Context(), &pulumirpc.CheckRequest{Urn: urn(kind), News: news})
	if err := failed(check, err); err != nil {
		return nil, err
	}
	return e.unmarshal(check.GetInputs()), nil
}

// create checks and creates. With an error there may still be an object, which is not ready.
func (e *engine) create(kind string, inputs map[string]any) (*object, error) {
	checked, err := e.check(kind, inputs)
	if err != nil {
		return nil, err
	}
	request := &pulumirpc.CreateRequest{Urn: urn(kind), Properties: e.marshal(checked)}
	created, err := e.server.Create(e.t.Context(), request)
	if partial := partialOf(err); partial != nil {
		o := &object{urn(kind), partial.GetId(), checked, e.unmarshal(partial.GetProperties())}
		return o, fmt.Errorf("%w: %s", err, partial.GetReasons())
	}
	if err != nil {
		return nil, err
	}
	return &object{urn(kind), created.GetId(), checked, e.unmarshal(created.GetProperties())}, nil
}

func (e *engine) previewCreate(kind string, inputs resource.PropertyMap) resource.PropertyMap {
	e.t.Helper()
	request := &pulumirpc.CreateRequest{Urn: urn(kind), Properties: e.marshal(inputs), Preview: true}
	created, err := e.server.Create(e.t.Context(), request)
	require.NoError(e.t, err)
	return e.unmarshal(created.GetProperties())
}

// diff gives the properties that differ, with the kind of their change.
func (e *engine) diff(o *object, inputs map[string]any, ignored ...string) map[string]string {
	e.t.Helper()
	news := e.marshal(resource.NewPropertyMapFromMap(inputs))
	diff, err := e.server.Diff(e.t.Context(), &pulumirpc.DiffRequest{
		Urn: o.urn, Id: o.id, Olds: e.marshal(o.state), News: news, OldInputs: e.marshal(o.inputs), IgnoreChanges: ignored,
	})
	require.NoError(e.t, err)
	require.Equal(e.t, len(diff.GetDetailedDiff()) > 0, diff.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME)
	result := map[string]string{}
	for name, change := range diff.GetDetailedDiff() {
		result[name] = change.GetKind().String()
	}
	return result
}

func (e *engine) update(o *object, inputs map[string]any) error {
	updated, err := e.server.Update(e.t.Context(), e.updateRequest(o, inputs))
	if err != nil {
		return err
	}
	o.inputs, o.state = resource.NewPropertyMapFromMap(inputs), e.unmarshal(updated.GetProperties())
	return nil
}

func (e *engine) previewUpdate(o *object, inputs map[string]any) resource.PropertyMap {
	e.t.Helper()
	request := e.updateRequest(o, inputs)
	request.Preview = true
	updated, err := e.server.Update(e.t.Context(), request)
	require.NoError(e.t, err)
	return e.unmarshal(updated.GetProperties())
}

func (e *engine) updateRequest(o *object, inputs map[string]any) *pulumirpc.UpdateRequest {
	news := e.marshal(resource.NewPropertyMapFromMap(inputs))
	return &pulumirpc.UpdateRequest{Urn: o.urn, Id: o.id, Olds: e.marshal(o.state), News: news, OldInputs: e.marshal(o.inputs)}
}

// refresh reads the object; its ID is empty when it is gone.
func (e *engine) refresh(o *object) {
	e.t.Helper()
	read, err := e.server.Read(e.t.Context(), &pulumirpc.ReadRequest{
		Urn: o.urn, Id: o.id, Properties: e.marshal(o.state), Inputs: e.marshal(o.inputs),
	})
	require.NoError(e.t, err)
	o.id, o.inputs, o.state = read.GetId(), e.unmarshal(read.GetInputs()), e.unmarshal(read.GetProperties())
}

// adopt imports an object, of which nothing but the ID is known.
func (e *engine) adopt(kind, id string) *object {
	e.t.Helper()
	o := &object{urn(kind), id, resource.PropertyMap{}, resource.PropertyMap{}}
	e.refresh(o)
	return o
}

func (e *engine) delete(o *object) error {
	_, err := e.server.Delete(e.t.Context(), &pulumirpc.DeleteRequest{Urn: o.urn, Id: o.id, Properties: e.marshal(o.state)})
	return err
}

func (e *engine) invoke(function string, args map[string]any) (map[string]any, error) {
	request := &pulumirpc.InvokeRequest{Tok: function, Args: e.marshal(resource.NewPropertyMapFromMap(args))}
	result, err := e.server.Invoke(e.t.Context(), request)
	if err != nil {
		return nil, err
	}
	if failures := result.GetFailures(); len(failures) > 0 {
		return nil, fmt.Errorf("%s: %s", failures[0].GetProperty(), failures[0].GetReason())
	}
	return e.unmarshal(result.GetReturn()).Mappable(), nil
}

var wire = plugin.MarshalOptions{KeepSecrets: true, KeepUnknowns: true, KeepResources: true}

func (e *engine) marshal(m resource.PropertyMap) *structpb.Struct {
	marshalled, err := plugin.MarshalProperties(m, wire)
	require.NoError(e.t, err)
	return marshalled
}

func (e *engine) unmarshal(s *structpb.Struct) resource.PropertyMap {
	m, err := plugin.UnmarshalProperties(s, wire)
	require.NoError(e.t, err)
	return m
}

// partialOf is what an error tells of a resource that was created but is not ready.
func partialOf(err error) *pulumirpc.ErrorResourceInitFailed {
	for _, detail := range status.Convert(err).Details() {
		if partial, ok := detail.(*pulumirpc.ErrorResourceInitFailed); ok {
			return partial
		}
	}
	return nil
}
