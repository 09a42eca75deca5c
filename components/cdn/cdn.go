// Package cdn declares the Fastly service in front of the platform.
package cdn

import (
	"fmt"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/component"
)

// Args describes the service.
type Args struct {
	// Name is the service's name, unique in the Fastly account.
	Name string `json:"-"`
	// Domains are the public names that Fastly answers for.
	Domains []string `json:"-"`
	// Origin is where Fastly gets what it does not hold.
	Origin Origin `json:"origin"`
	// OriginHost is the name of the origin: it is looked up, and the origin's certificate must be valid for it.
	OriginHost string `json:"-"`
	// Protect refuses to delete the service.
	Protect bool `json:"-"`
}

// Origin is a server that is reached over TLS on port 443.
type Origin struct {
	// Shield is the code of the Fastly site that all others ask before they ask the origin, for instance lga-ny-us.
	// Upstream: https://www.fastly.com/documentation/guides/getting-started/hosts/shielding/
	Shield string `json:"shield"`
	// HealthPath is the path that answers 200 when all is well. Default /health.
	HealthPath string `json:"healthPath"`
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{Origin: Origin{HealthPath: "/health"}}
}

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	origin := path.Child("origin")
	faults := check.Required(origin.Child("shield"), a.Origin.Shield)
	return append(faults, check.URLPath(origin.Child("healthPath"), a.Origin.HealthPath)...)
}

// Service is a Fastly service that is active.
type Service struct {
	pulumi.ResourceState

	// ID is Fastly's identifier of the service.
	ID pulumi.IDOutput `pulumi:"serviceId"`
}

const (
	originName      = "origin"
	healthCheckName = "origin health"
)

// New declares a service.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Service, error) {
	faults := append(args.Validate(nil), check.Domains(field.NewPath("domains"), args.Domains)...)
	faults = append(faults, check.Domain(field.NewPath("originHost"), args.OriginHost)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("cdn: %w", faults.ToAggregate())
	}
	s := &Service{}
	if err := ctx.RegisterComponentResource("lke-platform:cdn:Service", name, s, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	service, err := fastly.NewServiceVcl(ctx, name, &fastly.ServiceVclArgs{
		Name:         pulumi.String(args.Name),
		Domains:      args.domains(),
		Backends:     fastly.ServiceVclBackendArray{args.backend()},
		Healthchecks: fastly.ServiceVclHealthcheckArray{args.healthCheck()},
		Gzips:        fastly.ServiceVclGzipArray{gzip()},
		RequestSettings: fastly.ServiceVclRequestSettingArray{fastly.ServiceVclRequestSettingArgs{
			Name: pulumi.String("force TLS"), ForceSsl: pulumi.Bool(true),
		}},
		// An active service cannot be deleted otherwise; what must not be deleted is protected.
		ForceDestroy: pulumi.Bool(true),
	}, pulumi.Parent(s), pulumi.Protect(args.Protect))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the service: %w", err)
	}
	s.ID = service.ID()
	return s, component.Done(ctx, s, pulumi.Map{"serviceId": s.ID})
}

func (a *Args) domains() fastly.ServiceVclDomainArray {
	var domains fastly.ServiceVclDomainArray
	for _, domain := range a.Domains {
		domains = append(domains, fastly.ServiceVclDomainArgs{Name: pulumi.String(domain)})
	}
	return domains
}

// backend verifies the origin's certificate: Fastly checks it against one name and asks for it by another, so both are set.
// The visitor's Host header goes through, as the origin routes by it. Times are in milliseconds.
func (a *Args) backend() fastly.ServiceVclBackendArgs {
	return fastly.ServiceVclBackendArgs{
		Name:                pulumi.String(originName),
		Address:             pulumi.String(a.OriginHost),
		Port:                pulumi.Int(443),
		UseSsl:              pulumi.Bool(true),
		SslCheckCert:        pulumi.Bool(true),
		SslCertHostname:     pulumi.String(a.OriginHost),
		SslSniHostname:      pulumi.String(a.OriginHost),
		MinTlsVersion:       pulumi.String("1.2"),
		Shield:              pulumi.String(a.Origin.Shield),
		Healthcheck:         pulumi.String(healthCheckName),
		ConnectTimeout:      pulumi.Int(2_000),
		FirstByteTimeout:    pulumi.Int(10_000),
		BetweenBytesTimeout: pulumi.Int(10_000),
		MaxConn:             pulumi.Int(200),
	}
}

// healthCheck asks once a minute: every Fastly site asks for itself, which can cost an origin dozens of requests a second.
// It asks for a public name, since the origin routes by name and its own name belongs to no application.
func (a *Args) healthCheck() fastly.ServiceVclHealthcheckArgs {
	return fastly.ServiceVclHealthcheckArgs{
		Name:          pulumi.String(healthCheckName),
		Host:          pulumi.String(a.Domains[0]),
		Method:        pulumi.String("GET"),
		Path:          pulumi.String(a.Origin.HealthPath),
		CheckInterval: pulumi.Int(60_000),
		Timeout:       pulumi.Int(5_000),
		Window:        pulumi.Int(2),
		Threshold:     pulumi.Int(1),
		Initial:       pulumi.Int(1),
	}
}

// gzip compresses text; images and sound are compressed by their nature.
func gzip() fastly.ServiceVclGzipArgs {
	return fastly.ServiceVclGzipArgs{
		Name: pulumi.String("text"),
		ContentTypes: pulumi.ToStringArray([]string{
			"text/html", "text/css", "text/plain", "text/xml", "text/javascript",
			"application/javascript", "application/json", "application/xml", "application/rss+xml",
			"application/atom+xml", "application/manifest+json", "image/svg+xml", "font/ttf", "font/otf",
		}),
		Extensions: pulumi.ToStringArray([]string{"css", "js", "html", "json", "svg", "xml", "txt", "ttf", "otf"}),
	}
}
