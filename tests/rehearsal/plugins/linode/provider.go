// Package linode stands in for the Pulumi provider of Linode where the official one cannot be installed. It knows the
// resource types and functions that the program uses, by the tokens and properties of version 4.39.0
// (https://www.pulumi.com/registry/packages/linode/), and refuses all others by name. The work is done by linodego.
package linode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/linode/linodego"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lke-platform/tests/rehearsal/plugins"
)

const (
	// Name is the provider's name, the first part of all its tokens.
	Name = "linode"
	// Version is the version of the official provider that this one stands in for.
	Version = "4.39.0"
)

// New makes a provider that nothing has configured yet.
func New(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
	implementation, err := newProvider()
	if err != nil {
		return nil, err
	}
	return p.RawServer(Name, Version, implementation)(host)
}

// newProvider lists what the stand-in can do. A new resource or function is added here.
func newProvider() (p.Provider, error) {
	implementation, err := infer.NewProviderBuilder().
		WithConfig(infer.Config(&Config{})).
		WithResources(
			infer.Resource(&LkeCluster{}), infer.Resource(&LkeNodePool{}), infer.Resource(&Firewall{}),
			infer.Resource(&Domain{}), infer.Resource(&DomainRecord{}),
			infer.Resource(&ObjectStorageBucket{}), infer.Resource(&ObjectStorageKey{}), infer.Resource(&Token{}),
		).
		WithFunctions(infer.Function(&GetRegions{}), infer.Function(&GetInstanceTypes{}), infer.Function(&GetLkeVersions{}),
			infer.Function(&GetNodebalancers{}), infer.Function(&GetObjectStorageEndpoints{}),
			infer.Function(&GetDomainZonefile{})).
		WithWrapped(unknown).
		Build()
	implementation.Invoke = withID(implementation.Invoke)
	implementation.Diff = ignoring(replacing(implementation.Diff))
	return implementation, err
}

// unknown answers for all types and functions that are not in the list.
var unknown = p.Provider{
	Check: func(_ context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		return p.CheckResponse{}, errUnknown("resource type", string(req.Urn.Type()))
	},
	Read: func(_ context.Context, req p.ReadRequest) (p.ReadResponse, error) {
		return p.ReadResponse{}, errUnknown("resource type", string(req.Urn.Type()))
	},
	Invoke: func(_ context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		return p.InvokeResponse{}, errUnknown("function", string(req.Token))
	},
}

func errUnknown(kind, token string) error {
	return fmt.Errorf("the rehearsal's stand-in for the Linode provider has no %s %s", kind, token)
}

type invoke = func(context.Context, p.InvokeRequest) (p.InvokeResponse, error)

// withID gives the results of functions the id that those of the official provider have and that infer keeps for itself.
func withID(next invoke) invoke {
	return func(ctx context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		resp, err := next(ctx, req)
		resp.Return = resp.Return.Set("id", property.New(string(req.Token)))
		return resp, err
	}
}

type differ = func(context.Context, p.DiffRequest) (p.DiffResponse, error)

// ignoring leaves out what the program ignores. Infer puts the state in its place, and so finds a change where the program says
// nothing of a property that the API fills in, such as the number of nodes of an autoscaled pool.
func ignoring(next differ) differ {
	return func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		var ignored []resource.PropertyPath
		for _, text := range req.IgnoreChanges {
			path, err := resource.ParsePropertyPath(text)
			if err != nil {
				return p.DiffResponse{}, fmt.Errorf("ignoreChanges: %w", err)
			}
			ignored = append(ignored, path)
		}
		req.IgnoreChanges = nil
		resp, err := next(ctx, req)
		for text := range resp.DetailedDiff {
			changed, err := resource.ParsePropertyPath(text)
			contains := func(path resource.PropertyPath) bool { return path.Contains(changed) }
			if err == nil && slices.ContainsFunc(ignored, contains) {
				delete(resp.DetailedDiff, text)
				resp.HasChanges = len(resp.DetailedDiff) > 0
			}
		}
		return resp, err
	}
}

// replacing lets every change inside the grants of a key replace it; infer lets only a change of all of them.
func replacing(next differ) differ {
	replacements := map[p.DiffKind]p.DiffKind{p.Add: p.AddReplace, p.Update: p.UpdateReplace, p.Delete: p.DeleteReplace}
	return func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		resp, err := next(ctx, req)
		for path, change := range resp.DetailedDiff {
			if replacement, ok := replacements[change.Kind]; ok && strings.HasPrefix(path, "bucketAccesses[") {
				change.Kind = replacement
				resp.DetailedDiff[path] = change
			}
		}
		return resp, err
	}
}

// Config is the provider's configuration. What is not set comes from the environment.
type Config struct {
	Token      *string `pulumi:"token,optional"`      // LINODE_TOKEN
	URL        *string `pulumi:"url,optional"`        // LINODE_URL, else the real API
	APIVersion *string `pulumi:"apiVersion,optional"` // LINODE_API_VERSION, else v4

	client *linodego.Client
}

// Check refuses settings that the stand-in does not know. Those of the engine itself are not for us.
func (*Config) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[*Config], error) {
	inputs := map[string]property.Value{}
	for key, value := range req.NewInputs.All {
		if key != "version" && key != "pluginDownloadURL" && !strings.HasPrefix(key, "__") {
			inputs[key] = value
		}
	}
	config, failures, err := infer.DefaultCheck[*Config](ctx, property.NewMap(inputs))
	return infer.CheckResponse[*Config]{Inputs: config, Failures: failures}, err
}

// Configure makes the client, which reads LINODE_URL and LINODE_API_VERSION by itself.
func (c *Config) Configure(context.Context) error {
	token := os.Getenv("LINODE_TOKEN")
	if c.Token != nil {
		token = *c.Token
	}
	if token == "" {
		return errors.New("linode: there is no API token: set linode:token or LINODE_TOKEN")
	}
	client := linodego.NewClient(plugins.HTTPClient())
	client.SetToken(token)
	client.SetPollDelay(pollInterval)
	client.SetRetryWaitTime(pollInterval) // of what Linode does not have yet, or not for so many requests
	if c.URL != nil {
		client.SetBaseURL(*c.URL)
	}
	if c.APIVersion != nil {
		client.SetAPIVersion(*c.APIVersion)
	}
	c.client = &client
	return nil
}

func clientOf(ctx context.Context) *linodego.Client { return infer.GetConfig[*Config](ctx).client }

// The official provider polls every three or four seconds.
const (
	pollInterval = 200 * time.Millisecond
	listInterval = time.Second      // lists are rationed more strictly
	patience     = 15 * time.Minute // with one change of a cluster
)

// wait is for what a change of an LKE cluster brings about in the background.
type wait struct {
	client  *linodego.Client
	cluster int
}

// until polls until done.
func (w wait) until(ctx context.Context, what string, interval time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(interval):
		}
	}
}
