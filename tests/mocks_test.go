// Package tests proves what the whole program promises, without a process or a network.
package tests

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"

	"lke-platform/stacks"
)

const projectName = "lke-platform"

// secret is what every secret of a tested stack holds.
const secret = "the-secret-value"

// graph is everything that a run of the program declared, by "type name".
type graph struct {
	mu        sync.Mutex
	resources map[string]*node
}

// node is a resource as the program declared it.
type node struct {
	inputs  resource.PropertyMap
	request *pulumirpc.RegisterResourceRequest
}

// NewResource notes a resource and answers as its provider would.
func (g *graph) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resources[args.TypeToken+" "+args.Name] = &node{inputs: args.Inputs, request: args.RegisterRPC}
	if read := args.ReadRPC; read != nil {
		g.resources[args.TypeToken+" "+args.Name].request = &pulumirpc.RegisterResourceRequest{
			Type: read.GetType(), Name: read.GetName(), Parent: read.GetParent(), Provider: read.GetProvider(),
			Dependencies: read.GetDependencies(), AdditionalSecretOutputs: read.GetAdditionalSecretOutputs(),
		}
	}
	outputs := args.Inputs.Copy()
	switch args.TypeToken {
	case "linode:index/lkeCluster:LkeCluster":
		outputs["kubeconfig"] = resource.MakeSecret(resource.NewProperty(base64.StdEncoding.EncodeToString([]byte(kubeconfig()))))
		return "4711", outputs, nil
	case "linode:index/domain:Domain":
		return "4712", outputs, nil
	case "linode:index/objectStorageBucket:ObjectStorageBucket":
		outputs["s3Endpoint"] = resource.NewProperty("us-east-1.linodeobjects.com")
	case "linode:index/objectStorageKey:ObjectStorageKey":
		outputs["accessKey"] = resource.NewProperty("access-key")
		outputs["secretKey"] = resource.MakeSecret(resource.NewProperty(secret))
	case "linode:index/token:Token":
		outputs["token"] = resource.MakeSecret(resource.NewProperty(secret))
	case "fastly:index/tlsSubscription:TlsSubscription":
		name := args.Inputs["domains"].ArrayValue()[0].StringValue()
		outputs["managedDnsChallenges"] = resource.NewPropertyValue([]any{map[string]any{
			"recordName": "_acme-challenge." + name, "recordType": "CNAME", "recordValue": name + ".fastly-validations.com",
		}})
	case "kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap":
		outputs["metadata"] = resource.NewProperty(resource.PropertyMap{"name": resource.NewProperty(args.Name + "-1a2b3c4d")})
	}
	return args.Name + "-id", outputs, nil
}

// Call answers the look-ups of what Linode offers, and of Fastly's networks.
func (g *graph) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return map[string]resource.PropertyMap{
		"linode:index/getRegions:getRegions": list("regions",
			offer("us-east", "capabilities", []any{"Linodes", "Kubernetes"}), offer("se-far", "capabilities", []any{"Linodes"}),
			offer("us-ord", "capabilities", []any{"Linodes", "Kubernetes", "Premium Plans"})),
		"linode:index/getInstanceTypes:getInstanceTypes": list("types",
			nodeType("g6-nanode-1", "nanode", 1), nodeType("g6-standard-1", "standard", 2), nodeType("g6-standard-2", "standard", 4),
			nodeType("g6-standard-4", "standard", 8), nodeType("g6-dedicated-4", "dedicated", 8),
			nodeType("g6-dedicated-8", "dedicated", 16), nodeType("g7-premium-4", "premium", 8)),
		"linode:index/getLkeVersions:getLkeVersions": list("versions", offer("1.36", "", nil), offer("1.35", "", nil)),
		"linode:index/getObjectStorageEndpoints:getObjectStorageEndpoints": list("endpoints",
			endpoint("us-east", "E0"), endpoint("us-ord", "E3"), endpoint("us-ord", "E1"), endpoint("gb-lon", "E3")),
		"linode:index/getNodebalancers:getNodebalancers": list("nodebalancers",
			map[string]any{"ipv4": "192.0.2.7", "ipv6": "2001:db8::7"}),
		"fastly:index/getDatacenters:getDatacenters": list("pops",
			map[string]any{"code": "LGA", "group": "US", "name": "New York", "shield": "lga-ny-us"},
			map[string]any{"code": "IAD", "group": "US", "name": "Ashburn", "shield": "iad-va-us"}),
		"fastly:index/getTlsConfiguration:getTlsConfiguration": resource.NewPropertyMapFromMap(map[string]any{
			"id": "configuration", "dnsRecords": []any{
				map[string]any{"recordType": "AAAA", "recordValue": "2a04:4e42::132", "region": "global"},
				map[string]any{"recordType": "A", "recordValue": "151.101.66.132", "region": "global"},
				map[string]any{"recordType": "A", "recordValue": "151.101.2.132", "region": "global"},
				map[string]any{"recordType": "A", "recordValue": "151.101.3.132", "region": "us-eu"},
				map[string]any{"recordType": "CNAME", "recordValue": "t.sni.global.fastly.net", "region": "global"},
			},
		}),
		"fastly:index/getFastlyIpRanges:getFastlyIpRanges": resource.NewPropertyMapFromMap(map[string]any{
			"id": "ranges", "cidrBlocks": []any{"151.101.0.0/16"}, "ipv6CidrBlocks": []any{"2a04:4e40::/32"},
		}),
	}[args.Token], nil
}

func list(name string, offers ...any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(map[string]any{"id": name, name: offers})
}

func offer(id, property string, value any) map[string]any {
	return map[string]any{"id": id, property: value}
}

func endpoint(region, kind string) map[string]any {
	return map[string]any{"region": region, "endpointType": kind, "s3Endpoint": region + ".linodeobjects.com"}
}

func nodeType(id, class string, gibibytes int) map[string]any {
	price := float64(6 * gibibytes)
	return map[string]any{
		"id": id, "class": class, "memory": gibibytes * 1024, "prices": []any{map[string]any{"monthly": price}},
		"regionPrices": []any{map[string]any{"id": "us-ord", "monthly": price * 1.2}},
	}
}

// kubeconfig leads to an API server that holds every Secret that it is asked for.
var kubeconfig = sync.OnceValue(func() string {
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": %q}, "data": {"tls.crt": %q, "tls.key": %[2]q}}`,
			path.Base(r.URL.Path), encoded)
	}))
	return fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: it, contexts: [{name: it, context: {cluster: it, user: it}}],
		clusters: [{name: it, cluster: {server: %q}}], users: [{name: it, user: {}}]}`, server.URL)
})

// find returns the one resource of a type and name.
func (g *graph) find(t *testing.T, typ, name string) *node {
	t.Helper()
	require.Contains(t, g.resources, typ+" "+name)
	return g.resources[typ+" "+name]
}

// waitsFor says whether a resource comes after another: through dependsOn, properties, provider or parents, at any distance.
func (g *graph) waitsFor(from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(key string) bool {
		if key == to {
			return true
		}
		if seen[key] || g.resources[key] == nil {
			return false
		}
		seen[key] = true
		for _, urn := range links(g.resources[key].request) {
			if visit(urn) {
				return true
			}
		}
		return false
	}
	return from != to && visit(from)
}

// links are the resources that a registration names, as "type name".
func links(r *pulumirpc.RegisterResourceRequest) []string {
	urns := append([]string{r.GetParent()}, r.GetDependencies()...)
	for _, property := range r.GetPropertyDependencies() {
		urns = append(urns, property.GetUrns()...)
	}
	if i := strings.LastIndex(r.GetProvider(), "::"); i > 0 {
		urns = append(urns, r.GetProvider()[:i])
	}
	var keys []string
	for _, urn := range urns {
		if urn != "" {
			keys = append(keys, string(resource.URN(urn).Type())+" "+resource.URN(urn).Name())
		}
	}
	return keys
}

// deploy runs the whole program over the stack file in dir.
func deploy(t *testing.T, dir, stack string) (*graph, error) {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	return g, deployTo(t, dir, stack, g)
}

// deployTo runs the whole program over the stack file in dir, with providers of the caller's.
func deployTo(t *testing.T, dir, stack string, providers pulumi.MockResourceMonitor) error {
	t.Helper()
	return pulumi.RunErr(stacks.Deploy, pulumi.WithMocks(projectName, stack, providers), func(info *pulumi.RunInfo) {
		info.RootDirectory = dir
		info.Config, info.ConfigSecretKeys = readConfig(t, dir, stack)
	})
}

// readConfig turns a stack file into what the engine hands to the program.
func readConfig(t *testing.T, dir, stack string) (values map[string]string, secrets []string) {
	t.Helper()
	quiet := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"})
	file, err := workspace.LoadProjectStack(quiet, &workspace.Project{Name: projectName},
		filepath.Join(dir, "Pulumi."+stack+".yaml"))
	require.NoError(t, err)
	values = map[string]string{}
	for key, value := range file.Config {
		text, err := value.Value(config.NewBlindingDecrypter())
		require.NoError(t, err)
		values[key.String()] = text
		if value.Secure() && !value.Object() {
			values[key.String()] = secret
		}
		if value.Secure() {
			secrets = append(secrets, key.String())
		}
	}
	return values, secrets
}

// copyStack copies a stack file of the repository to a folder of its own, with the secrets that it needs and after edit.
func copyStack(t *testing.T, stack string, edit func(text string) string) (dir string) {
	t.Helper()
	return copyStackFrom(t, "..", stack, edit)
}

func copyStackFrom(t *testing.T, folder, stack string, edit func(text string) string) (dir string) {
	t.Helper()
	name := "Pulumi." + stack + ".yaml"
	content, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	values, _ := readConfig(t, folder, stack)
	decoded, faults := stacks.Decode(func(section string) string { return values[projectName+":"+section] })
	require.Empty(t, faults)
	text := string(content)
	for _, key := range decoded.SecretKeys() {
		text += "  " + projectName + ":" + key + ":\n    secure: v1:ciphertext\n"
	}
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(edit(text)), 0o600))
	return dir
}

func unchanged(text string) string { return text }
