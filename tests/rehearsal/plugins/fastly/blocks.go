package fastly

import "github.com/pulumi/pulumi-go-provider/infer"

// A nested block of a service is one struct below, whose tags say all that is particular to it:
//
//	pulumi   the property, whether it is optional
//	provider whether it is secret
//	default  the official provider's default, where it has one
//	api      the field of the API, where that is not just the property in snake case; after a comma how a list is sent:
//	         words (separated by spaces, the default) or json
//	values   the only values allowed
//	form     the form that a text must have: trimmed, or https
//	open     the value that leaves the field to Fastly
//
// and one line in the table of kinds. A field without a default that the program leaves out is left to Fastly.

// Domain is a domain that the service answers for.
type Domain struct {
	Name    string  `pulumi:"name"`
	Comment *string `pulumi:"comment,optional"`
}

// Annotate declares the official type and defaults.
func (b *Domain) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclDomain") }

// Backend is an origin.
type Backend struct {
	Name                string  `pulumi:"name"`
	Address             string  `pulumi:"address"`
	AutoLoadbalance     *bool   `pulumi:"autoLoadbalance,optional" default:"false"`
	BetweenBytesTimeout *int    `pulumi:"betweenBytesTimeout,optional" default:"10000"`
	ConnectTimeout      *int    `pulumi:"connectTimeout,optional" default:"1000"`
	ErrorThreshold      *int    `pulumi:"errorThreshold,optional" default:"0"`
	FirstByteTimeout    *int    `pulumi:"firstByteTimeout,optional" default:"15000"`
	Healthcheck         *string `pulumi:"healthcheck,optional" default:""`
	KeepaliveTime       *int    `pulumi:"keepaliveTime,optional"`
	MaxConn             *int    `pulumi:"maxConn,optional" default:"200"`
	MaxTLSVersion       *string `pulumi:"maxTlsVersion,optional" default:""`
	MinTLSVersion       *string `pulumi:"minTlsVersion,optional" default:""`
	OverrideHost        *string `pulumi:"overrideHost,optional" default:""`
	Port                *int    `pulumi:"port,optional" default:"80"`
	RequestCondition    *string `pulumi:"requestCondition,optional" default:""`
	ShareKey            *string `pulumi:"shareKey,optional" default:""`
	Shield              *string `pulumi:"shield,optional" default:""`
	SSLCACert           *string `pulumi:"sslCaCert,optional" default:""`
	SSLCertHostname     *string `pulumi:"sslCertHostname,optional" default:""`
	SSLCheckCert        *bool   `pulumi:"sslCheckCert,optional" default:"true"`
	SSLCiphers          *string `pulumi:"sslCiphers,optional" default:""`
	SSLClientCert       *string `pulumi:"sslClientCert,optional" provider:"secret" default:""`
	SSLClientKey        *string `pulumi:"sslClientKey,optional" provider:"secret" default:""`
	SSLSNIHostname      *string `pulumi:"sslSniHostname,optional" default:""`
	UseSSL              *bool   `pulumi:"useSsl,optional" default:"false"`
	Weight              *int    `pulumi:"weight,optional" default:"100"`
}

// Annotate declares the official type and defaults.
func (b *Backend) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclBackend") }

// Healthcheck is a probe of backends.
type Healthcheck struct {
	Name             string   `pulumi:"name"`
	Host             string   `pulumi:"host"`
	Path             string   `pulumi:"path"`
	CheckInterval    *int     `pulumi:"checkInterval,optional" default:"5000"`
	ExpectedResponse *int     `pulumi:"expectedResponse,optional" default:"200"`
	Headers          []string `pulumi:"headers,optional" api:",json"`
	HTTPVersion      *string  `pulumi:"httpVersion,optional" default:"1.1"`
	Initial          *int     `pulumi:"initial,optional" default:"3"`
	Method           *string  `pulumi:"method,optional" default:"HEAD"`
	Threshold        *int     `pulumi:"threshold,optional" default:"3"`
	Timeout          *int     `pulumi:"timeout,optional" default:"5000"`
	Window           *int     `pulumi:"window,optional" default:"5"`
}

// Annotate declares the official type and defaults.
func (b *Healthcheck) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclHealthcheck") }

// Condition says when objects that name it apply.
type Condition struct {
	Name      string `pulumi:"name"`
	Priority  *int   `pulumi:"priority,optional" default:"10"`
	Statement string `pulumi:"statement"`
	Type      string `pulumi:"type" values:"REQUEST RESPONSE CACHE PREFETCH"`
}

// Annotate declares the official type and defaults.
func (b *Condition) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclCondition") }

// Header changes a header.
type Header struct {
	Name              string  `pulumi:"name"`
	Action            string  `pulumi:"action" values:"set append delete regex regex_repeat"`
	CacheCondition    *string `pulumi:"cacheCondition,optional" default:""`
	Destination       string  `pulumi:"destination" api:"dst"`
	IgnoreIfSet       *bool   `pulumi:"ignoreIfSet,optional" default:"false"`
	Priority          *int    `pulumi:"priority,optional" default:"100"`
	Regex             *string `pulumi:"regex,optional"`
	RequestCondition  *string `pulumi:"requestCondition,optional" default:""`
	ResponseCondition *string `pulumi:"responseCondition,optional" default:""`
	Source            *string `pulumi:"source,optional" api:"src"`
	Substitution      *string `pulumi:"substitution,optional"`
	Type              string  `pulumi:"type" values:"request fetch cache response"`
}

// Annotate declares the official type and defaults.
func (b *Header) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclHeader") }

// Gzip says what is compressed.
type Gzip struct {
	Name           string   `pulumi:"name"`
	CacheCondition *string  `pulumi:"cacheCondition,optional" default:""`
	ContentTypes   []string `pulumi:"contentTypes,optional"`
	Extensions     []string `pulumi:"extensions,optional"`
}

// Annotate declares the official type and defaults.
func (b *Gzip) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclGzip") }

// ResponseObject is an answer made by Fastly.
type ResponseObject struct {
	Name             string  `pulumi:"name"`
	CacheCondition   *string `pulumi:"cacheCondition,optional" default:""`
	Content          *string `pulumi:"content,optional" default:""`
	ContentType      *string `pulumi:"contentType,optional" default:""`
	RequestCondition *string `pulumi:"requestCondition,optional" default:""`
	Response         *string `pulumi:"response,optional" default:"OK"`
	Status           *int    `pulumi:"status,optional" default:"200"`
}

// Annotate declares the official type and defaults.
func (b *ResponseObject) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclResponseObject") }

// RequestSetting says how requests are handled.
type RequestSetting struct {
	Name             string  `pulumi:"name"`
	Action           *string `pulumi:"action,optional"`
	BypassBusyWait   *bool   `pulumi:"bypassBusyWait,optional"`
	DefaultHost      *string `pulumi:"defaultHost,optional"`
	ForceMiss        *bool   `pulumi:"forceMiss,optional"`
	ForceSSL         *bool   `pulumi:"forceSsl,optional"`
	GeoHeaders       *bool   `pulumi:"geoHeaders,optional"`
	HashKeys         *string `pulumi:"hashKeys,optional"`
	MaxStaleAge      *int    `pulumi:"maxStaleAge,optional"`
	RequestCondition *string `pulumi:"requestCondition,optional" default:""`
	TimerSupport     *bool   `pulumi:"timerSupport,optional"`
	XFF              *string `pulumi:"xff,optional" default:"append"`
}

// Annotate declares the official type and defaults.
func (b *RequestSetting) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclRequestSetting") }

// Snippet is VCL at one place of the generated VCL.
type Snippet struct {
	Name     string `pulumi:"name"`
	Content  string `pulumi:"content"`
	Priority *int   `pulumi:"priority,optional" default:"100"`
	Type     string `pulumi:"type" values:"init recv hash hit miss pass fetch error deliver log none"`
}

// Annotate declares the official type and defaults.
func (b *Snippet) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclSnippet") }

// CacheSetting says how answers are cached.
type CacheSetting struct {
	Name           string  `pulumi:"name"`
	Action         *string `pulumi:"action,optional"`
	CacheCondition *string `pulumi:"cacheCondition,optional" default:""`
	StaleTTL       *int    `pulumi:"staleTtl,optional"`
	TTL            *int    `pulumi:"ttl,optional"`
}

// Annotate declares the official type and defaults.
func (b *CacheSetting) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclCacheSetting") }

// kinds are the kinds of blocks, in the order in which the official provider applies them: what is referred to first.
var kinds = []kind{
	blocks[Condition]{property: "conditions", path: "condition", immutable: "type", trimmed: "statement",
		of: func(s *ServiceVclArgs) *[]Condition { return &s.Conditions }},
	blocks[Domain]{property: "domains", path: "domain", of: func(s *ServiceVclArgs) *[]Domain { return &s.Domains }},
	blocks[Healthcheck]{property: "healthchecks", path: "healthcheck",
		of: func(s *ServiceVclArgs) *[]Healthcheck { return &s.Healthchecks }},
	blocks[Backend]{property: "backends", path: "backend", of: func(s *ServiceVclArgs) *[]Backend { return &s.Backends }},
	blocks[Header]{property: "headers", path: "header", of: func(s *ServiceVclArgs) *[]Header { return &s.Headers }},
	blocks[Gzip]{property: "gzips", path: "gzip", of: func(s *ServiceVclArgs) *[]Gzip { return &s.Gzips }},
	blocks[ResponseObject]{property: "responseObjects", path: "response_object",
		of: func(s *ServiceVclArgs) *[]ResponseObject { return &s.ResponseObjects }},
	blocks[RequestSetting]{property: "requestSettings", path: "request_settings",
		of: func(s *ServiceVclArgs) *[]RequestSetting { return &s.RequestSettings }},
	blocks[Snippet]{property: "snippets", path: "snippet", fixed: values{"dynamic": "0"},
		of: func(s *ServiceVclArgs) *[]Snippet { return &s.Snippets }},
	blocks[VCL]{property: "vcls", path: "vcl", of: func(s *ServiceVclArgs) *[]VCL { return &s.VCLs }},
	blocks[LoggingS3]{property: "loggingS3s", path: "logging/s3",
		of: func(s *ServiceVclArgs) *[]LoggingS3 { return &s.LoggingS3s }},
	blocks[LoggingHTTP]{property: "loggingHttps", path: "logging/https",
		of: func(s *ServiceVclArgs) *[]LoggingHTTP { return &s.LoggingHTTPS }},
	blocks[CacheSetting]{property: "cacheSettings", path: "cache_settings",
		of: func(s *ServiceVclArgs) *[]CacheSetting { return &s.CacheSettings }},
}
