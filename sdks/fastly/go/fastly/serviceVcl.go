package fastly

import (
	"errors"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ServiceVcl is a Fastly service configured by VCL objects: public names, origins and what happens between them.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/servicevcl/
type ServiceVcl struct {
	pulumi.CustomResourceState

	// ActiveVersion is the version that answers visitors.
	ActiveVersion pulumi.IntOutput `pulumi:"activeVersion"`
	// Name is the service's name, unique in the Fastly account.
	Name pulumi.StringOutput `pulumi:"name"`
}

// ServiceVclArgs is what a ServiceVcl can be given here.
type ServiceVclArgs struct {
	// Activate makes each new version the active one. Default true.
	Activate pulumi.BoolPtrInput
	// Backends are the origins.
	Backends ServiceVclBackendArrayInput
	// Conditions say when objects that name them apply.
	Conditions ServiceVclConditionArrayInput
	// Domains are the public names. Required.
	Domains ServiceVclDomainArrayInput
	// ForceDestroy lets an active service be destroyed. Default false.
	ForceDestroy pulumi.BoolPtrInput
	// Gzips say what is compressed.
	Gzips ServiceVclGzipArrayInput
	// Healthchecks are the probes that backends refer to by name.
	Healthchecks ServiceVclHealthcheckArrayInput
	// Http3 offers HTTP/3 to visitors. Default false.
	Http3 pulumi.BoolPtrInput
	// LoggingHttps are the HTTPS endpoints that requests are logged to.
	LoggingHttps ServiceVclLoggingHttpArrayInput
	// LoggingS3s are the S3 buckets that requests are logged to.
	LoggingS3s ServiceVclLoggingS3ArrayInput
	// Name is the service's name, unique in the Fastly account.
	Name pulumi.StringPtrInput
	// ProductEnablement says which products the service uses.
	ProductEnablement ServiceVclProductEnablementPtrInput
	// RequestSettings change how requests are handled.
	RequestSettings ServiceVclRequestSettingArrayInput
	// Snippets are VCL at places of what Fastly generates.
	Snippets ServiceVclSnippetArrayInput
	// Vcls are files of VCL.
	Vcls ServiceVclVclArrayInput
	// VersionComment is shown beside the version in Fastly's history.
	VersionComment pulumi.StringPtrInput
}

type serviceVclArgs struct {
	Activate          *bool                        `pulumi:"activate"`
	Backends          []ServiceVclBackend          `pulumi:"backends"`
	Conditions        []ServiceVclCondition        `pulumi:"conditions"`
	Domains           []ServiceVclDomain           `pulumi:"domains"`
	ForceDestroy      *bool                        `pulumi:"forceDestroy"`
	Gzips             []ServiceVclGzip             `pulumi:"gzips"`
	Healthchecks      []ServiceVclHealthcheck      `pulumi:"healthchecks"`
	Http3             *bool                        `pulumi:"http3"`
	LoggingHttps      []ServiceVclLoggingHttp      `pulumi:"loggingHttps"`
	LoggingS3s        []ServiceVclLoggingS3        `pulumi:"loggingS3s"`
	Name              *string                      `pulumi:"name"`
	ProductEnablement *ServiceVclProductEnablement `pulumi:"productEnablement"`
	RequestSettings   []ServiceVclRequestSetting   `pulumi:"requestSettings"`
	Snippets          []ServiceVclSnippet          `pulumi:"snippets"`
	Vcls              []ServiceVclVcl              `pulumi:"vcls"`
	VersionComment    *string                      `pulumi:"versionComment"`
}

func (ServiceVclArgs) ElementType() reflect.Type { return reflect.TypeFor[serviceVclArgs]() }

// NewServiceVcl registers a service; without domains it is refused.
func NewServiceVcl(
	ctx *pulumi.Context, name string, args *ServiceVclArgs, opts ...pulumi.ResourceOption,
) (*ServiceVcl, error) {
	if args == nil || args.Domains == nil {
		return nil, errors.New("invalid value for required argument 'Domains'")
	}
	var resource ServiceVcl
	err := ctx.RegisterResource("fastly:index/serviceVcl:ServiceVcl", name, args, &resource, withVersion(opts)...)
	if err != nil {
		return nil, err
	}
	return &resource, nil
}
