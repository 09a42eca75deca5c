// Package fastly is a stand-in for Pulumi's Fastly provider where that plugin cannot be installed: the same tokens,
// properties, defaults and order of API calls, for the resources and look-ups that the platform uses.
// https://www.pulumi.com/registry/packages/fastly/
package fastly

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fastly/go-fastly/v12/fastly"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"lke-platform/tests/rehearsal/plugins"
)

// Name is the provider's package, Version and NewerVersion the releases of the official provider that this one stands in for:
// that of the SDK, and the one that programs ask for by name where they need what the former has not.
const (
	Name         = "fastly"
	Version      = "8.14.0"
	NewerVersion = "12.6.0"
)

// New makes a provider that nothing has configured yet.
func New(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
	return p.RawServer(Name, NewerVersion, newProvider())(host) // the engine warns where it gets less than it asked for
}

func newProvider() p.Provider {
	return withOfficialSemantics(infer.Provider(infer.Options{
		Config: infer.Config(&Config{}),
		Resources: []infer.InferredResource{
			infer.Resource(ServiceVcl{}), infer.Resource(ManagedDomain{}),
			infer.Resource(TLSSubscription{}), infer.Resource(TLSSubscriptionValidation{}),
		},
		Functions: []infer.InferredFunction{
			infer.Function(GetFastlyIPRanges{}), infer.Function(GetDatacenters{}), infer.Function(GetTLSConfiguration{}),
		},
	}))
}

// Config is the configuration of the provider.
type Config struct {
	// APIKey is the API token, FASTLY_API_KEY when empty.
	APIKey *string `pulumi:"apiKey,optional"`
	// BaseURL is where the API is, FASTLY_API_URL when empty, and Fastly's own address when that is empty too.
	BaseURL *string `pulumi:"baseUrl,optional"`

	client *fastly.Client
}

// Configure reads the environment only now, as the official provider does: what it finds is not part of the stack.
func (c *Config) Configure(context.Context) error {
	key := firstOf(value(c.APIKey), os.Getenv(fastly.APIKeyEnvVar))
	client, err := fastly.NewClientForEndpoint(key,
		firstOf(value(c.BaseURL), os.Getenv(fastly.EndpointEnvVar), fastly.DefaultEndpoint))
	if err != nil {
		return fmt.Errorf("fastly: baseUrl: %w", err)
	}
	if key != "" { // where it is missing, the first call that needs it says so
		client.HTTPClient = plugins.HTTPClient()
		c.client = client
	}
	return nil
}

var errNoKey = errors.New("fastly: no API key: set the provider's apiKey, fastly:apiKey or FASTLY_API_KEY")

// connect returns the client of the provider that a call is for.
func connect(ctx context.Context) (*fastly.Client, error) {
	client := infer.GetConfig[*Config](ctx).client
	if client == nil {
		return nil, errNoKey
	}
	return client, nil
}

// firstOf returns the first text that is not empty.
func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// value returns what a pointer points at, the zero value when that is nothing.
func value[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}
