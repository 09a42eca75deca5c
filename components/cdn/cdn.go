// Package cdn declares the Fastly service in front of the platform, and what keeps its certificates in step.
package cdn

import (
	"fmt"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
)

// Service is a Fastly service that is active.
type Service struct {
	pulumi.ResourceState

	// ID is Fastly's identifier of the service.
	ID pulumi.IDOutput `pulumi:"serviceId"`
	// Ready is what to wait for: behind it, an active service has every domain.
	Ready []pulumi.Resource
}

// New declares a service.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Service, error) {
	if faults := append(args.ValidateSite(nil), args.checkInputs()...); len(faults) > 0 {
		return nil, fmt.Errorf("cdn: %w", faults.ToAggregate())
	}
	declaration, err := args.service()
	if err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	s := &Service{}
	if err := ctx.RegisterComponentResource("lke-platform:cdn:Service", name, s, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	// The provider knows that the keys of S3 are secret, and not that headers and passwords may be.
	secrets := []string{"loggingHttps"}
	if len(args.BasicAuth) > 0 {
		secrets = append(secrets, "snippets")
	}
	options := []pulumi.ResourceOption{
		pulumi.Parent(s), pulumi.Protect(args.Protect), pulumi.AdditionalSecretOutputs(secrets),
		pulumi.IgnoreChanges(args.undeclaredProducts()),
	}
	if args.DomainManagement {
		options = append(options, newerPlugin())
	}
	service, err := fastly.NewServiceVcl(ctx, name, declaration, options...)
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the service: %w", err)
	}
	s.ID, s.Ready = service.ID(), []pulumi.Resource{service}
	if args.DomainManagement {
		if err := s.newDomains(ctx, args); err != nil {
			return nil, err
		}
	}
	return s, component.Done(ctx, s, pulumi.Map{"serviceId": s.ID})
}

// domainPrefix begins the names of domains in the graph, whatever service they lead to: one that moves to another is then the
// same resource, and changed in place. Its URN has the type of its parent, and not the parent's name.
const domainPrefix = "cdn-"

// newDomains leads domains to the service.
func (s *Service) newDomains(ctx *pulumi.Context, args *Args) error {
	for _, fqdn := range args.Domains {
		options := []pulumi.ResourceOption{pulumi.Parent(s)}
		if known, exists := args.Known[fqdn]; exists {
			options = append(options, pulumi.Import(pulumi.ID(known.ID)))
		}
		domain, err := newDomain(ctx, domainPrefix+fqdn, domainInputs{FQDN: pulumi.String(fqdn), ServiceID: s.ID}, options...)
		if err != nil {
			return fmt.Errorf("cdn: declaring domain %s: %w", fqdn, err)
		}
		s.Ready = append(s.Ready, domain)
	}
	return nil
}

func (a *Args) service() (*fastly.ServiceVclArgs, error) {
	program, err := a.program()
	if err != nil {
		return nil, err
	}
	snippets, err := a.snippets()
	if err != nil {
		return nil, err
	}
	conditions, s3Logs := a.s3Logs()
	return &fastly.ServiceVclArgs{
		Name:         pulumi.String(a.Name),
		Domains:      a.domains(),
		Backends:     a.backends(),
		Healthchecks: fastly.ServiceVclHealthcheckArray{a.healthCheck()},
		Conditions:   append(conditions, a.conditions()...),
		Gzips:        fastly.ServiceVclGzipArray{compressed()},
		RequestSettings: fastly.ServiceVclRequestSettingArray{fastly.ServiceVclRequestSettingArgs{
			// The VCL says who the visitor is; Fastly would add its own sites.
			Name: pulumi.String("force TLS"), ForceSsl: pulumi.Bool(true), Xff: pulumi.String("leave"),
		}},
		Http3:             pulumi.Bool(a.HTTP3),
		ProductEnablement: a.productEnablement(),
		LoggingS3s:        s3Logs,
		LoggingHttps:      a.httpsLogs(),
		Vcls: fastly.ServiceVclVclArray{fastly.ServiceVclVclArgs{
			Name: pulumi.String("main"), Main: pulumi.Bool(true), Content: pulumi.String(program),
		}},
		Snippets: append(snippets, a.passwords()...),
		// An active service cannot be deleted otherwise; what must not be deleted is protected.
		ForceDestroy: pulumi.Bool(true),
	}, nil
}

// productEnablement says no more of products than the stack file does: what is switched off here is switched off at Fastly, which
// some accounts may not do.
func (a *Args) productEnablement() fastly.ServiceVclProductEnablementArgs {
	products := fastly.ServiceVclProductEnablementArgs{BrotliCompression: pulumi.Bool(a.Brotli)}
	if a.ImageOptimizer {
		products.ImageOptimizer = pulumi.Bool(true)
	}
	if a.WebSockets {
		products.Websockets = pulumi.Bool(true)
	}
	return products
}

// undeclaredProducts are those that may be switched on for the whole account, which would look as if somebody had changed the
// service.
func (a *Args) undeclaredProducts() []string {
	undeclared := []string{"botManagement", "domainInspector", "logExplorerInsights", "originInspector"}
	if !a.ImageOptimizer {
		undeclared = append(undeclared, "imageOptimizer")
	}
	if !a.WebSockets {
		undeclared = append(undeclared, "websockets")
	}
	for i, product := range undeclared {
		undeclared[i] = "productEnablement." + product
	}
	return undeclared
}

// domains are the classic domains, which are part of each version; the SDK wants a list also where there are none.
func (a *Args) domains() fastly.ServiceVclDomainArray {
	domains := fastly.ServiceVclDomainArray{}
	if a.DomainManagement {
		return domains
	}
	for _, domain := range a.Domains {
		domains = append(domains, fastly.ServiceVclDomainArgs{Name: pulumi.String(domain)})
	}
	return domains
}

// compressedTypes are text; images and sound are compressed by their nature.
var compressedTypes = []string{
	"text/html", "text/css", "text/plain", "text/xml", "text/javascript",
	"application/javascript", "application/json", "application/xml", "application/rss+xml",
	"application/atom+xml", "application/manifest+json", "image/svg+xml", "font/ttf", "font/otf",
}

// compressed is what Fastly compresses before it keeps it. Brotli, where it is on, compresses the same.
func compressed() fastly.ServiceVclGzipArgs {
	return fastly.ServiceVclGzipArgs{
		Name:         pulumi.String("text"),
		ContentTypes: pulumi.ToStringArray(compressedTypes),
		Extensions:   pulumi.ToStringArray([]string{"css", "js", "html", "json", "svg", "xml", "txt", "ttf", "otf"}),
	}
}
