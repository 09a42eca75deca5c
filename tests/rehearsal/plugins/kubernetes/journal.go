package kubernetes

import (
	"context"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
)

// journal tells the user, by way of the engine, about the resource that a context is about.
type journal struct {
	mu   sync.Mutex
	host *provider.HostClient // nil without an engine
}

type aboutKey struct{}

// about returns a context whose messages belong to a resource.
func about(ctx context.Context, urn resource.URN) context.Context {
	return context.WithValue(ctx, aboutKey{}, urn)
}

func (j *journal) attach(host *provider.HostClient) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.host = host
}

// warn leaves a warning with the resource.
func (j *journal) warn(ctx context.Context, message string) {
	if host, urn := j.to(ctx); host != nil {
		_ = host.Log(ctx, diag.Warning, urn, message)
	}
}

// status shows, while the operation lasts, what it waits for.
func (j *journal) status(ctx context.Context, message string) {
	if host, urn := j.to(ctx); host != nil {
		_ = host.LogStatus(ctx, diag.Info, urn, message)
	}
}

func (j *journal) to(ctx context.Context) (*provider.HostClient, resource.URN) {
	j.mu.Lock()
	defer j.mu.Unlock()
	urn, _ := ctx.Value(aboutKey{}).(resource.URN)
	return j.host, urn
}

// HandleWarningHeaderWithContext passes a warning of the API server on, for instance that a version is deprecated.
func (j *journal) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, message string) {
	if code == 299 && message != "" {
		j.warn(ctx, message)
	}
}
