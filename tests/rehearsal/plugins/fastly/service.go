package fastly

import (
	"context"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// ServiceVcl is a VCL service with one version after another.
// https://www.pulumi.com/registry/packages/fastly/api-docs/servicevcl/
type ServiceVcl struct{}

// Annotate gives the resource its official token.
func (r *ServiceVcl) Annotate(a infer.Annotator) { a.SetToken("index/serviceVcl", "ServiceVcl") }

// ServiceVclArgs is what a program declares of a service.
type ServiceVclArgs struct {
	Name              *string            `pulumi:"name,optional"` // made from the resource's name where it is missing
	Comment           *string            `pulumi:"comment,optional" default:"Managed by Terraform"`
	VersionComment    *string            `pulumi:"versionComment,optional"`
	Activate          *bool              `pulumi:"activate,optional" default:"true"`
	ForceDestroy      *bool              `pulumi:"forceDestroy,optional"`
	Reuse             *bool              `pulumi:"reuse,optional"`
	DefaultHost       *string            `pulumi:"defaultHost,optional"`
	DefaultTTL        *int               `pulumi:"defaultTtl,optional" default:"3600"`
	StaleIfError      *bool              `pulumi:"staleIfError,optional" default:"false"`
	StaleIfErrorTTL   *int               `pulumi:"staleIfErrorTtl,optional" default:"43200"`
	HTTP3             *bool              `pulumi:"http3,optional" default:"false"`
	ProductEnablement *ProductEnablement `pulumi:"productEnablement,optional"`
	Domains           []Domain           `pulumi:"domains"`
	Backends          []Backend          `pulumi:"backends,optional"`
	Healthchecks      []Healthcheck      `pulumi:"healthchecks,optional"`
	Conditions        []Condition        `pulumi:"conditions,optional"`
	Headers           []Header           `pulumi:"headers,optional"`
	Gzips             []Gzip             `pulumi:"gzips,optional"`
	ResponseObjects   []ResponseObject   `pulumi:"responseObjects,optional"`
	RequestSettings   []RequestSetting   `pulumi:"requestSettings,optional"`
	Snippets          []Snippet          `pulumi:"snippets,optional"`
	CacheSettings     []CacheSetting     `pulumi:"cacheSettings,optional"`
	LoggingS3s        []LoggingS3        `pulumi:"loggingS3s,optional"`
	LoggingHTTPS      []LoggingHTTP      `pulumi:"loggingHttps,optional"`
	VCLs              []VCL              `pulumi:"vcls,optional"`
}

// Annotate declares the official defaults.
func (s *ServiceVclArgs) Annotate(a infer.Annotator) { annotateDefaults(a, s) }

// ServiceVclState is what the stack knows of a service.
type ServiceVclState struct {
	ServiceVclArgs
	ActiveVersion int `pulumi:"activeVersion"` // 0 as long as none was activated
	ClonedVersion int `pulumi:"clonedVersion"` // the version that the program last worked on
	// Imported and ForceRefresh are set by the official provider only while it works.
	Imported     bool `pulumi:"imported"`
	ForceRefresh bool `pulumi:"forceRefresh"`
}

// Check refuses what the official provider refuses before it calls the API.
func (ServiceVcl) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[ServiceVclArgs], error) {
	args, failures, err := infer.DefaultCheck[ServiceVclArgs](ctx, req.NewInputs)
	if err != nil || len(failures) > 0 {
		return infer.CheckResponse[ServiceVclArgs]{Inputs: args, Failures: failures}, err
	}
	for _, k := range kinds {
		failures = append(failures, k.check(&args)...)
	}
	if value(args.ForceDestroy) && value(args.Reuse) {
		failures = append(failures, p.CheckFailure{Property: "reuse", Reason: "conflicts with forceDestroy"})
	}
	return infer.CheckResponse[ServiceVclArgs]{Inputs: args, Failures: failures}, nil
}

// differ says whether two declarations need different versions. The names and comments of services have no version.
func differ(a, b *ServiceVclArgs) bool {
	if settingsOf(a) != settingsOf(b) || !sameProducts(a.ProductEnablement, b.ProductEnablement) {
		return true
	}
	for _, k := range kinds {
		if k.differ(a, b) {
			return true
		}
	}
	return false
}
