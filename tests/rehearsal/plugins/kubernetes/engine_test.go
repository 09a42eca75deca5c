package kubernetes_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/plugins"
	stand "lke-platform/tests/rehearsal/plugins/kubernetes"
)

// engine does with a provider what Pulumi's engine does: it keeps a state, previews before it acts, and turns differences
// into updates and replacements.
type engine struct {
	testing.TB
	provider pulumirpc.ResourceProviderClient
	states   map[resource.URN]*state
	// skipPreview has updates done without a preview, as `pulumi up --skip-preview` does.
	skipPreview bool
}

type state struct {
	id              string
	inputs, outputs resource.PropertyMap
	unready         []string
}

// dial starts the provider and attaches an engine to it, as PULUMI_DEBUG_PROVIDERS makes the engine do.
func dial(t testing.TB, options stand.Options) *engine {
	t.Helper()
	addresses, stop, err := plugins.Serve(map[string]plugins.Constructor{"kubernetes": stand.New(options)})
	require.NoError(t, err)
	t.Cleanup(stop)
	return attach(t, addresses)
}

func attach(t testing.TB, addresses string) *engine {
	t.Helper()
	_, port, found := strings.Cut(addresses, ":")
	require.True(t, found)
	conn, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	e := &engine{TB: t, provider: pulumirpc.NewResourceProviderClient(conn), states: map[resource.URN]*state{}}
	handshake, err := e.provider.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{})
	require.NoError(t, err)
	require.True(t, handshake.GetAcceptSecrets())
	return e
}

func (e *engine) configure(settings props) *engine {
	e.Helper()
	_, err := e.provider.Configure(e.Context(), &pulumirpc.ConfigureRequest{
		Args: e.encode(resource.NewPropertyMapFromMap(settings)), AcceptSecrets: true,
	})
	require.NoError(e, err)
	return e
}

// props is a resource as a program writes it.
type props = map[string]any

func urnOf(token, name string) resource.URN {
	return resource.NewURN("test", "test", "", tokens.Type(token), name)
}

func (e *engine) encode(properties resource.PropertyMap) *structpb.Struct {
	e.Helper()
	encoded, err := plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	require.NoError(e, err)
	return encoded
}

func (e *engine) decode(encoded *structpb.Struct) resource.PropertyMap {
	e.Helper()
	decoded, err := plugin.UnmarshalProperties(encoded, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	require.NoError(e, err)
	return decoded
}

// check asks for the inputs of a resource. Failures are an error that names their properties.
func (e *engine) check(urn resource.URN, olds, news resource.PropertyMap) (resource.PropertyMap, error) {
	e.Helper()
	response, err := e.provider.Check(e.Context(), &pulumirpc.CheckRequest{
		Urn: string(urn), Olds: e.encode(olds), News: e.encode(news), RandomSeed: []byte(urn),
	})
	if err != nil {
		return nil, err
	}
	var failures []string
	for _, failure := range response.GetFailures() {
		failures = append(failures, failure.GetProperty()+": "+failure.GetReason())
	}
	if len(failures) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(failures, "\n"))
	}
	return e.decode(response.GetInputs()), nil
}

// up brings one resource in line with the program: it returns what it did (create, same, update, replace) and, for the latter two,
// the paths that differ.
func (e *engine) up(token, name string, program props, ignored ...string) (string, []string, error) {
	e.Helper()
	urn := urnOf(token, name)
	old := e.states[urn]
	news := resource.NewPropertyMapFromMap(program)
	if old == nil {
		return "create", nil, e.create(urn, news)
	}
	for _, text := range ignored {
		path, err := resource.ParsePropertyPath(text)
		require.NoError(e, err)
		if value, found := path.Get(resource.NewProperty(old.inputs)); found {
			path.Set(resource.NewProperty(news), value)
		}
	}
	inputs, err := e.check(urn, old.inputs, news)
	if err != nil {
		return "", nil, err
	}
	diff, err := e.provider.Diff(e.Context(), &pulumirpc.DiffRequest{
		Id: old.id, Urn: string(urn), Olds: e.encode(old.outputs), OldInputs: e.encode(old.inputs), News: e.encode(inputs),
		IgnoreChanges: ignored,
	})
	if err != nil {
		return "", nil, err
	}
	var changed []string
	for path := range diff.GetDetailedDiff() {
		changed = append(changed, path)
	}
	switch {
	case len(diff.GetReplaces()) > 0 && diff.GetDeleteBeforeReplace():
		require.NoError(e, e.destroy(token, name))
		return "replace", changed, e.create(urn, news)
	case len(diff.GetReplaces()) > 0:
		if err := e.create(urn, news); err != nil {
			return "replace", changed, err
		}
		return "replace", changed, e.delete(urn, old)
	case diff.GetChanges() == pulumirpc.DiffResponse_DIFF_NONE && len(old.unready) == 0:
		old.inputs = inputs
		return "same", nil, nil
	}
	return "update", changed, e.update(urn, old, inputs, ignored)
}

func (e *engine) create(urn resource.URN, news resource.PropertyMap) error {
	e.Helper()
	inputs, err := e.check(urn, nil, news)
	if err != nil {
		return err
	}
	request := &pulumirpc.CreateRequest{Urn: string(urn), Properties: e.encode(inputs), Preview: true}
	if _, err := e.provider.Create(e.Context(), request); err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	request.Preview = false
	response, err := e.provider.Create(e.Context(), request)
	if failed := initFailed(err); failed != nil {
		e.states[urn] = &state{failed.GetId(), inputs, e.decode(failed.GetProperties()), failed.GetReasons()}
	} else if err == nil {
		e.states[urn] = &state{id: response.GetId(), inputs: inputs, outputs: e.decode(response.GetProperties())}
	}
	return err
}

func (e *engine) update(urn resource.URN, old *state, inputs resource.PropertyMap, ignored []string) error {
	e.Helper()
	request := &pulumirpc.UpdateRequest{
		Id: old.id, Urn: string(urn), Olds: e.encode(old.outputs), OldInputs: e.encode(old.inputs), News: e.encode(inputs),
		IgnoreChanges: ignored, Preview: true,
	}
	if !e.skipPreview {
		if _, err := e.provider.Update(e.Context(), request); err != nil {
			return fmt.Errorf("preview: %w", err)
		}
	}
	request.Preview = false
	response, err := e.provider.Update(e.Context(), request)
	if failed := initFailed(err); failed != nil {
		old.inputs, old.outputs, old.unready = inputs, e.decode(failed.GetProperties()), failed.GetReasons()
	} else if err == nil {
		old.inputs, old.outputs, old.unready = inputs, e.decode(response.GetProperties()), nil
	}
	return err
}

// initFailed returns what an error says of a resource that exists but is not ready.
func initFailed(err error) *pulumirpc.ErrorResourceInitFailed {
	if converted, ok := rpcerror.FromError(err); ok && err != nil {
		for _, detail := range converted.Details() {
			if failed, ok := detail.(*pulumirpc.ErrorResourceInitFailed); ok {
				return failed
			}
		}
	}
	return nil
}

// refresh returns the paths that differ between what the program said and what is live.
func (e *engine) refresh(token, name string) []string {
	e.Helper()
	urn := urnOf(token, name)
	old := e.states[urn]
	response, err := e.provider.Read(e.Context(), &pulumirpc.ReadRequest{
		Id: old.id, Urn: string(urn), Properties: e.encode(old.outputs), Inputs: e.encode(old.inputs),
	})
	fresh := &state{}
	if failed := initFailed(err); failed != nil {
		fresh = &state{failed.GetId(), e.decode(failed.GetInputs()), e.decode(failed.GetProperties()), failed.GetReasons()}
	} else {
		require.NoError(e, err)
		fresh = &state{id: response.GetId(), inputs: e.decode(response.GetInputs()), outputs: e.decode(response.GetProperties())}
	}
	if fresh.id == "" {
		delete(e.states, urn)
		return []string{"gone"}
	}
	e.states[urn] = fresh
	diff, err := e.provider.Diff(e.Context(), &pulumirpc.DiffRequest{
		Id: fresh.id, Urn: string(urn), Olds: e.encode(fresh.outputs), OldInputs: e.encode(fresh.inputs), News: e.encode(old.inputs),
	})
	require.NoError(e, err)
	var changed []string
	for path := range diff.GetDetailedDiff() {
		changed = append(changed, path)
	}
	return changed
}

func (e *engine) destroy(token, name string) error {
	e.Helper()
	urn := urnOf(token, name)
	old := e.states[urn]
	delete(e.states, urn)
	return e.delete(urn, old)
}

func (e *engine) delete(urn resource.URN, old *state) error {
	_, err := e.provider.Delete(e.Context(), &pulumirpc.DeleteRequest{
		Id: old.id, Urn: string(urn), Properties: e.encode(old.outputs), OldInputs: e.encode(old.inputs),
	})
	return err
}

// must fails the test unless an operation did what it should.
func (e *engine) must(want string, did string, _ []string, err error) {
	e.Helper()
	require.NoError(e, err)
	require.Equal(e, want, did)
}

// succeed fails the test unless an operation did well, whatever it did.
func (e *engine) succeed(_ string, _ []string, err error) {
	e.Helper()
	require.NoError(e, err)
}

// output returns a property of a resource, as a plain value.
func (e *engine) output(token, name, path string) any {
	e.Helper()
	parsed, err := resource.ParsePropertyPath(path)
	require.NoError(e, err)
	value, _ := parsed.Get(resource.NewProperty(e.states[urnOf(token, name)].outputs))
	return value.MapRepl(nil, nil)
}

// cluster is one control plane with two nodes for all tests of the package.
var cluster struct {
	once       sync.Once
	clusters   *kubernetes.Clusters
	folder     string
	kubeconfig string
	client     dynamic.Interface
	err        error
}

func TestMain(m *testing.M) {
	if cluster.folder, cluster.err = os.MkdirTemp("", "provider"); cluster.err != nil {
		log.Fatal(cluster.err)
	}
	code := m.Run()
	if cluster.clusters != nil {
		_ = cluster.clusters.Close()
	}
	_ = os.RemoveAll(cluster.folder)
	os.Exit(code)
}

// onCluster returns an engine whose provider is configured for the cluster, and a client for changes by hand.
func onCluster(t testing.TB, options stand.Options, settings props) *engine {
	t.Helper()
	startCluster(t)
	all := props{"kubeconfig": cluster.kubeconfig}
	maps.Copy(all, settings)
	return dial(t, options).configure(all)
}

func startCluster(t testing.TB) {
	t.Helper()
	bin := programs(t)
	cluster.once.Do(func() {
		ctx := context.Background()
		cluster.clusters = kubernetes.New(kubernetes.Options{Bin: bin, Dir: cluster.folder})
		var access linode.Access
		if access, cluster.err = cluster.clusters.Start(ctx, 1, "1.36"); cluster.err != nil {
			return
		}
		cluster.kubeconfig = string(access.Kubeconfig)
		var nodes []linode.Node
		for i := range 2 {
			nodes = append(nodes, linode.Node{
				Name: "lke1-2-" + strconv.Itoa(i), PoolID: 2, InstanceID: 10 + i, Region: "us-ord", IPv4: "192.0.2." + strconv.Itoa(10+i),
				PrivateIP: "192.168.128." + strconv.Itoa(10+i),
				Type:      linode.InstanceType{ID: "g6-standard-4", VCPUs: 4, Memory: 8192, Disk: 163840},
			})
		}
		if cluster.err = cluster.clusters.Sync(ctx, 1, nodes); cluster.err != nil {
			return
		}
		config, err := clientcmd.RESTConfigFromKubeConfig(access.Kubeconfig)
		if cluster.err = err; err == nil {
			cluster.client, cluster.err = dynamic.NewForConfig(config)
		}
	})
	require.NoError(t, cluster.err)
}

func programs(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, ".bin", "kwok")); err == nil {
			return filepath.Join(folder, ".bin")
		}
	}
	t.Skip("kube-apiserver, etcd, kwok and the rest are in no .bin above this folder: build them with make")
	return ""
}

func objects(resource, namespace string) dynamic.ResourceInterface {
	known := map[string]schema.GroupVersionResource{
		"deployments":     {Group: "apps", Version: "v1", Resource: "deployments"},
		"configmaps":      {Version: "v1", Resource: "configmaps"},
		"secrets":         {Version: "v1", Resource: "secrets"},
		"services":        {Version: "v1", Resource: "services"},
		"serviceaccounts": {Version: "v1", Resource: "serviceaccounts"},
		"namespaces":      {Version: "v1", Resource: "namespaces"},
		"ingresses":       {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		"widgets":         {Group: "shop.example", Version: "v1", Resource: "widgets"},
		"crds":            {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	}[resource]
	if namespace == "" {
		return cluster.client.Resource(known)
	}
	return cluster.client.Resource(known).Namespace(namespace)
}

// byHand changes an object with a merge patch, as the manager of that name.
func (e *engine) byHand(manager, resource, namespace, name, patch string, subresources ...string) {
	e.Helper()
	_, err := objects(resource, namespace).Patch(e.Context(), name, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: manager}, subresources...)
	require.NoError(e, err)
}

func (e *engine) live(resource, namespace, name string) *unstructured.Unstructured {
	e.Helper()
	live, err := objects(resource, namespace).Get(e.Context(), name, metav1.GetOptions{})
	require.NoError(e, err)
	return live
}
