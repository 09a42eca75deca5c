package cdn

import (
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Site is what a service does for its hosts. Times are durations such as 500ms, 30s or 12h.
type Site struct {
	// Origin is the platform's own way in, which answers for every host that no other part of the service does.
	Origin Origin `json:"origin"`
	// Media is the bucket with the media; nil where visitors get none from a bucket.
	Media *Media `json:"media"`
	// Backends are further servers and buckets that Fastly asks, for hosts or paths of their own.
	Backends []Backend `json:"backends"`
	// Redirects are hosts that lead to another host, by name: www.example.com to example.com. The path stays.
	Redirects map[string]string `json:"redirects"`
	// PageRedirects are pages that lead elsewhere.
	PageRedirects []PageRedirect `json:"pageRedirects"`
	// Headers are laid over those of answers. Where two set the same header, the last one holds.
	Headers []Headers `json:"headers"`
	// SessionCookies are the names of the cookies that tell a user of the application from all others; an asterisk stands for
	// any letters: _*_session. Whoever has one gets pages of his own; all other cookies are dropped before the cache. Default:
	// the names that are usual in frameworks, see sessionCookies.
	SessionCookies []string `json:"sessionCookies"`
	// Cache says for how long answers are kept that do not say so themselves.
	Cache Cache `json:"cache"`
	// ErrorPage is a file of HTML that visitors see when the origin fails, and nothing old can be handed out in its place.
	// Default: a few words.
	ErrorPage string `json:"errorPage"`
	// Maintenance has visitors see a page in place of the application. Default: none, and they see the application.
	Maintenance *Maintenance `json:"maintenance"`
	// HSTS is for how long browsers keep to HTTPS on their own, whatever the application says of it. There is no way back to
	// plain HTTP for so long, so that a site that moves begins small; 0s has browsers forget it. Default 24h.
	// Upstream: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Strict-Transport-Security
	HSTS string `json:"hsts"`
	// HTTP3 offers HTTP/3, if the TLS configuration of the domains does too. Default true.
	// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/performance/enabling-http3-for-fastly-services
	HTTP3 bool `json:"http3"`
	// Brotli compresses better than gzip, for browsers that take it. Default true.
	// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/performance/enabling-automatic-compression
	Brotli bool `json:"brotli"`
	// ImageOptimizer serves images in the form that suits the browser (WebP). It is a product that is paid for. Default false:
	// it is not asked for, and whether the account has it switched on stays as it is.
	// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/image-optimization/about-fastly-image-optimizer
	ImageOptimizer bool `json:"imageOptimizer"`
	// WebSockets lets visitors open WebSockets to the application. It is a product that is paid for. Default false.
	// Upstream: https://www.fastly.com/documentation/guides/concepts/real-time-messaging/websockets-tunnel/
	WebSockets bool `json:"websockets"`
	// CrossOrigin are hosts, besides those of Media, whose answers scripts of any other site may read.
	CrossOrigin []string `json:"crossOrigin"`
	// BasicAuth are the users of a site that is not for everybody, by name, each with the name of the stack's secret that holds
	// the password. Fastly asks for one of them before anything else. Default: none, and the site is for everybody.
	BasicAuth map[string]string `json:"basicAuth"`
	// OpenPurge lets anybody who knows a URL have its copy thrown away, without a token of Fastly's. Default false.
	OpenPurge bool `json:"openPurge"`
	// Logs are the places that requests are logged to.
	Logs Logs `json:"logs"`
	// Snippets are files of VCL that are added to the service's own.
	Snippets []Snippet `json:"snippets"`
}

// Args describes a service: its site, and what all services of a stack have in common.
type Args struct {
	Site

	// TLS says whose certificates Fastly serves.
	TLS TLS `json:"tls"`
	// DomainManagement declares the names in Fastly's domain management, beside the service. Accounts that were made since
	// 2025-09-16 have nothing else. Default false: the names are part of the service's versions ("classic domains").
	// Upstream: https://www.fastly.com/documentation/reference/api/domain-management/domains/
	DomainManagement bool `json:"domainManagement"`
	// Account is what the Fastly account has, as far as Fastly does not tell.
	Account Account `json:"account"`
	// Bypass leads all public names past Fastly, straight to the platform's own way in, which is opened for it. It stays open as
	// long as the stack file has a bypass, also one that is false. Default: none.
	Bypass *bool `json:"bypass"`

	// Name is the service's name, unique in the Fastly account. Those of all services of a stack begin with that of its first.
	Name string `json:"-"`
	// Domains are the public names that Fastly answers for, each one that is in use: who claims *.example.com keeps other
	// accounts from every name below, and an account may have few.
	Domains []string `json:"-"`
	// Known are the domains that are in domain management already: they are taken over.
	Known map[string]ManagedDomain `json:"-"`
	// OriginHost is the name of the origin: it is looked up, and the origin's certificate must be valid for it.
	OriginHost string `json:"-"`
	// ClientCertificate and ClientKey, in PEM, are what the origin knows this service by, among all of Fastly's.
	ClientCertificate, ClientKey pulumi.StringInput `json:"-"`
	// HealthHost is the public name that health checks ask for. Default: the first of Domains.
	HealthHost string `json:"-"`
	// Uncached are hosts, among those of Domains, whose answers are for their users only: each request goes to the origin,
	// with all its cookies.
	Uncached []string `json:"-"`
	// MediaHost is the host of the stack's own media bucket, for instance media.us-east-1.linodeobjects.com.
	MediaHost pulumi.StringInput `json:"-"`
	// Folder is the project's folder, which ErrorPage and the files of Snippets are in. Default: the current one.
	Folder string `json:"-"`
	// Protect refuses to delete the service.
	Protect bool `json:"-"`
	// SecretValues holds a value for every secret of SecretNames, by name.
	SecretValues pulumi.StringMapInput `json:"-"`
}

// Origin is the platform's way in, reached over TLS on port 443.
type Origin struct {
	// Shield is the code of the Fastly site that all others ask before they ask the origin, for instance lga-ny-us.
	// Upstream: https://www.fastly.com/documentation/guides/getting-started/hosts/shielding/
	Shield string `json:"shield"`
	// HealthPath is the path that answers 200 when all is well. Default /health.
	HealthPath string `json:"healthPath"`
	// HealthInterval is how often each of Fastly's machines asks for HealthPath: what that costs the origin is limited, see
	// probeBudget. Default 1m.
	HealthInterval string `json:"healthInterval"`
	// MaxConn is how many requests each of Fastly's machines may have under way to the origin. Default 200.
	MaxConn int `json:"maxConn"`
	// Timeouts of a request.
	Timeouts Timeouts `json:"timeouts"`
}

// Timeouts are how long Fastly waits for a server.
type Timeouts struct {
	// Connect is for a connection. Default 2s.
	Connect string `json:"connect"`
	// FirstByte is for the beginning of the answer. Default 15s, as Fastly's own.
	FirstByte string `json:"firstByte"`
	// BetweenBytes is for its next part. Default 10s.
	BetweenBytes string `json:"betweenBytes"`
}

// Media is a bucket whose objects anybody may read. What it answers is the same for all visitors, whatever their cookies, and
// whatever stands behind the question mark.
type Media struct {
	// Hosts are the public names that it answers for.
	Hosts []string `json:"hosts"`
	// Address is the host of a bucket elsewhere, for instance assets.s3.amazonaws.com. Default: the stack's own media bucket.
	Address string `json:"address"`
	// Shield is the code of the Fastly site that all others ask before they ask the bucket. Default: that of Origin.
	Shield string `json:"shield"`
	// TTL is for how long a file is fresh that does not say so, in whole seconds. Default 1h.
	TTL string `json:"ttl"`
}

// Backend is a server or a bucket beside the origin, reached over TLS on port 443: a legacy server, the bucket of another region.
// Its certificate must be valid for its address.
type Backend struct {
	// Name tells the backends apart.
	Name string `json:"name"`
	// Address is its host.
	Address string `json:"address"`
	// Hosts are public names that it answers for, none of them the application's.
	Hosts []string `json:"hosts"`
	// Paths are those of the application's hosts that it answers for, each with all below it, for instance example.com/blog.
	Paths []string `json:"paths"`
	// Public says that what it answers is the same for all visitors, as in a bucket: it is treated as Media are. Default false:
	// it is treated as the origin is, and gets what visitors bring.
	Public bool `json:"public"`
	// KeepHost has it hear the host that the visitor asks for. Default false: it hears its address in the Host header, and the
	// visitor's in X-Forwarded-Host only.
	KeepHost bool `json:"keepHost"`
	// Shield is the code of the Fastly site that all others ask before they ask the backend. Default: that of Origin.
	Shield string `json:"shield"`
	// Timeouts of a request. Defaults: those of Origin's defaults.
	Timeouts Timeouts `json:"timeouts"`
}

// Cache says for how long answers of the origin are kept that do not say so themselves, in whole seconds. An answer that forbids
// it is not kept, or not handed out when it has run out.
// Upstream: https://www.fastly.com/documentation/guides/concepts/edge-state/cache/stale/
type Cache struct {
	// TTL is for how long an answer is fresh. Many an application says nothing of pages that are for one user only, so that this
	// is for those that are known to say private. Default 0s: what says nothing is not kept.
	TTL string `json:"ttl"`
	// StaleWhileRevalidate is for how long after that it is handed out while a new one is fetched. Default 1m.
	StaleWhileRevalidate string `json:"staleWhileRevalidate"`
	// StaleIfError is for how long after that it is handed out while the server fails. Default 12h.
	StaleIfError string `json:"staleIfError"`
}

// Logs are the places that requests are logged to, each request of a visitor once. Two logs cannot have the same name, which for
// an S3 bucket is made of the path and the bucket.
type Logs struct {
	// S3 are accounts of an S3-compatible storage.
	S3 []S3Logs `json:"s3"`
	// HTTPS are endpoints that take every request.
	HTTPS []HTTPSLogs `json:"https"`
}

// S3Logs writes the requests for some paths to buckets, as lines of CSV in a new file every Period.
// Upstream: https://www.fastly.com/documentation/guides/integrations/logging-endpoints/log-streaming-amazon-s3
type S3Logs struct {
	// Buckets are the buckets, each by the beginning of the paths that are logged to it, for instance /uploads/podcast/.
	Buckets map[string]string `json:"buckets"`
	// Endpoint is the host of the S3 API. Default s3.amazonaws.com.
	Endpoint string `json:"endpoint"`
	// AccessKey and SecretKey are the names of the stack's secrets that hold the account's keys.
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	// Period is how long a file is added to before it is written. Default 1h.
	Period string `json:"period"`
}

// HTTPSLogs sends every request to an endpoint, as JSON in lists, in the form that Honeycomb takes.
// Upstream: https://www.fastly.com/documentation/guides/integrations/logging-endpoints/log-streaming-https
type HTTPSLogs struct {
	// Name tells the logs apart.
	Name string `json:"name"`
	// URL of the endpoint.
	URL string `json:"url"`
	// Header is the name of the header that holds the token. Default Authorization.
	Header string `json:"header"`
	// Token is the name of the stack's secret that is the header's value.
	Token string `json:"token"`
}

// Snippet is a file of VCL.
// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/vcl-snippets/about-vcl-snippets
type Snippet struct {
	// Name tells the snippets apart.
	Name string `json:"name"`
	// Type is the subroutine that it becomes part of: recv, fetch, deliver and so on, or init for what is outside of all.
	Type string `json:"type"`
	// File is its path in the project's folder.
	File string `json:"file"`
	// Priority orders those of one type, the lowest first. Default 100.
	Priority int `json:"priority"`
}

// Default fills in what holds where nothing else is said.
func (s *Site) Default() {
	*s = Site{
		Origin: Origin{
			HealthPath: "/health", HealthInterval: "1m", MaxConn: 200,
			Timeouts: Timeouts{Connect: "2s", FirstByte: "15s", BetweenBytes: "10s"},
		},
		SessionCookies: slices.Clone(sessionCookies),
		Cache:          Cache{TTL: "0s", StaleWhileRevalidate: "1m", StaleIfError: "12h"},
		HSTS:           "24h",
		HTTP3:          true,
		Brotli:         true,
	}
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	args := Args{TLS: TLSDefaults()}
	args.Default()
	return args
}

// besideName stands between the name of a stack's first service and that of another. No stack has it in its name.
const besideName = "."

// Beside describes another service of the same stack.
func (a *Args) Beside(name string, site *Site) *Args {
	other := *a
	other.Name, other.Site = a.Name+besideName+name, *site
	return &other
}

// owns says whether a service is the stack's, by its name: this one, or one beside it.
func (a *Args) owns(service string) bool {
	return service == a.Name || strings.HasPrefix(service, a.Name+besideName)
}

// SecretNames are the secrets of the stack that the service and its certificates use, each once and sorted.
func (a *Args) SecretNames() []string {
	return sets.List(sets.New(a.TLS.SecretNames()...).Insert(a.Site.SecretNames()...))
}

// SecretNames are the secrets of the stack that the site uses, each once and sorted.
func (s *Site) SecretNames() []string {
	names := sets.New[string]()
	for _, log := range s.Logs.S3 {
		names.Insert(log.AccessKey, log.SecretKey)
	}
	for _, log := range s.Logs.HTTPS {
		names.Insert(log.Token)
	}
	for _, password := range s.BasicAuth {
		names.Insert(password)
	}
	return sets.List(names)
}

// Files are those in the project's folder that the site is made of.
func (s *Site) Files() (names []string) {
	if s.ErrorPage != "" {
		names = append(names, s.ErrorPage)
	}
	if s.Maintenance != nil {
		names = append(names, s.Maintenance.Page)
	}
	for _, snippet := range s.Snippets {
		names = append(names, snippet.File)
	}
	return names
}

// Bypassed says whether public names lead past Fastly.
func (a *Args) Bypassed() bool { return a.Bypass != nil && *a.Bypass }

// secret is the value of one of the stack's secrets.
func (a *Args) secret(name string) pulumi.StringOutput {
	return pulumi.ToSecret(a.SecretValues.ToStringMapOutput().MapIndex(pulumi.String(name))).(pulumi.StringOutput)
}

// MediaHosts are the public names of the bucket.
func (s *Site) MediaHosts() []string {
	if s.Media == nil {
		return nil
	}
	return s.Media.Hosts
}

// MediaAddress is the host that has the media.
func (a *Args) MediaAddress() pulumi.StringInput {
	if a.Media.Address != "" {
		return pulumi.String(a.Media.Address)
	}
	return a.MediaHost
}

func (a *Args) mediaTTL() string {
	if a.Media == nil || a.Media.TTL == "" {
		return "1h"
	}
	return a.Media.TTL
}

// redirected are the hosts that lead to others, sorted.
func (a *Args) redirected() []string { return slices.Sorted(maps.Keys(a.Redirects)) }
