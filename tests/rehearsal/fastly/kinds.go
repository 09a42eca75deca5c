package fastly

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A kind is one sort of versioned object. All kinds are created, listed, read, updated and deleted by the same code,
// see objects.go; what sets them apart is in the table below.
type kind struct {
	path     string // below the version
	noun     string // in messages
	table    string // in messages about duplicates
	fields   fields // besides name, service_id, version and the times
	required string // fields that a client must give besides the name, separated by spaces
	textual  bool   // the version number comes as text, as in Fastly's older objects
	id       idKind
	nameRule *regexp.Regexp // nil allows any name
	frozen   string         // a field that a change leaves as it is, without a word
	// refuse, if set, says what Fastly refuses of this kind alone.
	refuse func(object) error
	// settle, if set, completes an object after a client has created or changed it.
	settle func(*service, object)
}

type idKind int

const (
	noID idKind = iota
	perService
	perVersion // a clone of the version has objects of its own IDs, which are also their path: /rate-limiters/{id}
)

// version returns a version's number as objects of the kind have it.
func (k *kind) version(number int) any {
	if k.textual {
		return strconv.Itoa(number)
	}
	return number
}

// kinds are all kinds of versioned objects of a VCL service. Types and initial values are those that
// https://www.fastly.com/documentation/reference/api/ documents and that its answers have.
var kinds = append([]*kind{
	{path: "domain", noun: "Domain", fields: fields{"comment": text("")}, nameRule: domainName},
	{path: "healthcheck", noun: "Healthcheck", fields: healthcheckFields, settle: settleHealthcheck},
	{path: "condition", noun: "Condition", fields: merge(texts("statement"), fields{"comment": text(""),
		"priority": priority, "type": oneOf("REQUEST RESPONSE CACHE PREFETCH")}), required: "statement type",
		textual: true, frozen: "type"},
	{path: "backend", noun: "Backend", fields: backendFields, required: "address", refuse: refuseBackend,
		settle: settleAddress},
	{path: "director", noun: "Director", fields: fields{"backends": {is: isSet, initial: []any{}},
		"capacity": number(100), "comment": text(""), "quorum": number(75).upTo(100), "retries": number(5), "shield": {},
		"type": number(1).oneOf("1 3 4")}, frozen: "name"},
	{path: "header", noun: "Header", fields: merge(texts("cache_condition dst regex request_condition response_condition "+
		"src substitution"), fields{"action": oneOf("set append delete regex regex_repeat"), "ignore_if_set": text("0"),
		"priority": priority, "type": oneOf("request fetch cache response")}), required: "action dst type", textual: true},
	{path: "gzip", noun: "Gzip", fields: gzipFields, textual: true},
	{path: "rate-limiters", noun: "RateLimiter", table: "rate_limiter", fields: rateLimiterFields, id: perVersion},
	{path: "response_object", noun: "ResponseObject", fields: fields{"cache_condition": text(""), "content": text(""),
		"content_type": text(""), "request_condition": text(""), "response": text("Ok"),
		"status": digits("200").upTo(999)}, textual: true},
	{path: "request_settings", noun: "RequestSettings", fields: merge(texts("bypass_busy_wait default_host force_miss "+
		"force_ssl geo_headers hash_keys timer_support"), fields{"action": oneOf("lookup pass"), "max_stale_age": anyDigits,
		"request_condition": text(""), "xff": oneOf("clear leave append append_all overwrite")}), textual: true},
	{path: "vcl", noun: "VCL", fields: fields{"content": {}, "main": flag(false)}, required: "content"},
	{path: "snippet", noun: "Snippet", fields: fields{"content": {}, "dynamic": text("0"), "priority": priority,
		"type": oneOf("init recv hash hit miss pass fetch error deliver log none")}, required: "type", textual: true,
		id: perService, settle: settleSnippet},
	{path: "cache_settings", noun: "CacheSettings", fields: fields{"action": oneOf("pass cache deliver restart"),
		"cache_condition": text(""), "stale_ttl": anyDigits, "ttl": anyDigits}, textual: true},
	{path: "acl", noun: "ACL", textual: true, id: perService, nameRule: identifier},
	{path: "dictionary", noun: "Dictionary", fields: fields{"write_only": flag(false)}, id: perService, nameRule: identifier},
}, loggingKinds...)

var (
	domainName = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+$`)
	hostName   = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)+[A-Za-z0-9-]+$`)
	hostHeader = regexp.MustCompile(`^[A-Za-z0-9_.:\[\]-]+$`)
	identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_ ]*$`)
)

const tlsVersions = "1.0 1.1 1.2 1.3"

var backendFields = merge(
	texts("address client_cert healthcheck hostname ipv4 ipv6 shield ssl_ca_cert ssl_cert_hostname ssl_ciphers "+
		"ssl_client_cert ssl_client_key ssl_hostname ssl_sni_hostname"),
	fields{
		"auto_loadbalance": flag(false), "between_bytes_timeout": number(10000), "comment": text(""),
		"connect_timeout": number(1000), "error_threshold": number(0), "first_byte_timeout": number(15000),
		"keepalive_time": anyNumber, "max_conn": number(200), "max_lifetime": anyNumber,
		"max_tls_version": oneOf(tlsVersions), "max_use": anyNumber, "min_tls_version": oneOf(tlsVersions),
		"override_host": emptied, "port": number(80).upTo(65535), "prefer_ipv6": anyFlag, "request_condition": text(""),
		"share_key": emptied, "ssl_check_cert": flag(true), "tcp_keepalive_enable": anyFlag,
		"tcp_keepalive_interval": anyNumber, "tcp_keepalive_probes": anyNumber, "tcp_keepalive_time": anyNumber,
		"use_ssl": flag(false), "weight": number(100),
	})

// refuseBackend refuses names that no origin can have: an address is an IP address, or a host name with a dot in it.
func refuseBackend(o object) error {
	if address := o.text("address"); net.ParseIP(address) == nil && !hostName.MatchString(address) {
		return badRequest("Address '%s' is not a valid IPv4, IPv6 or hostname", address)
	}
	if host := o.text("override_host"); host != "" && !hostHeader.MatchString(host) {
		return badRequest("'%s' is not a valid Host header", host)
	}
	return nil
}

// settleAddress derives the one of hostname, ipv4 and ipv6 that the address is. Places for logs have no ipv6.
func settleAddress(_ *service, o object) {
	address := o.text("address")
	ip := net.ParseIP(address)
	for field, is := range map[string]bool{"hostname": ip == nil, "ipv4": ip.To4() != nil, "ipv6": ip != nil && ip.To4() == nil} {
		if _, has := o[field]; has {
			o[field] = nil
		}
		if is && address != "" {
			o[field] = address
		}
	}
}

var healthcheckFields = fields{
	"check_interval": number(5000), "comment": text(""), "expected_response": number(200),
	"headers": {is: isSet, initial: []any{}}, "host": {}, "http_version": oneOf("1.0 1.1").initially("1.1"),
	"initial": number(2),
	"method":  text("HEAD"), "path": text("/"), "threshold": number(3), "timeout": number(500), "window": number(5),
}

// settleHealthcheck puts back the space after a header's name, which clients leave out.
func settleHealthcheck(_ *service, o object) {
	headers, _ := o["headers"].([]any)
	for i, header := range headers {
		name, value, _ := strings.Cut(plain(header), ":")
		headers[i] = name + ": " + strings.TrimSpace(value)
	}
}

var gzipFields = fields{
	"cache_condition": text(""),
	"content_types": refilled("text/html application/x-javascript text/css application/javascript text/javascript " +
		"application/json application/vnd.ms-fontobject application/x-font-opentype application/x-font-truetype " +
		"application/x-font-ttf application/xml font/eot font/opentype font/otf image/svg+xml image/vnd.microsoft.icon " +
		"text/plain text/xml"),
	"extensions": refilled("css js html eot ico otf ttf json"),
}

var rateLimiterFields = merge(texts("logger_type response_object_name uri_dictionary_name"), fields{
	"action":     oneOf("response response_object log_only"),
	"client_key": {is: isList, initial: []any{}}, "feature_revision": number(1), "feature_update_available": flag(false),
	"http_methods": {is: isList, initial: []any{}}, "penalty_box_duration": anyNumber, "rps_limit": anyNumber,
	"response":    {is: isObject, parts: merge(texts("content content_type"), fields{"status": anyNumber})},
	"window_size": anyNumber,
})

// settleSnippet moves the content of a dynamic snippet to where it has no version.
func settleSnippet(svc *service, o object) {
	if o["dynamic"] != "1" || o["content"] == nil {
		return
	}
	id := o.text("id")
	svc.DynamicSnippets[id] = object{
		"snippet_id": id, "service_id": svc.ID, "content": o["content"], "created_at": now(), "updated_at": now(),
	}
	o["content"] = nil
}

// loggingKinds are the places that logs can be sent to.
var loggingKinds = []*kind{
	logging("azureblob", files, texts("account_name container sas_token"), fields{"file_max_bytes": number(0)}),
	logging("bigquery", texts("account_name dataset project_id secret_key table template_suffix user")),
	logging("cloudfiles", files, texts("access_key bucket_name region user")),
	logging("datadog", texts("token"), fields{"region": text("US")}),
	logging("digitalocean", files, texts("access_key bucket_name domain redundancy secret_key")),
	logging("elasticsearch", batches, tls, texts("index password pipeline url user")),
	logging("ftp", files, texts("address hostname ipv4 password user"), fields{"port": digits("21")}).settling(settleAddress),
	logging("gcs", files, texts("account_name bucket_name project_id secret_key user")),
	logging("grafanacloudlogs", texts("index message_type token url user")),
	logging("heroku", texts("token url")),
	logging("honeycomb", texts("dataset token")),
	logging("https", batches, tls, codec, texts("content_type header_name header_value url"), fields{
		"add_batch_size_header": flag(false), "gzip_level": number(0).upTo(9), "json_format": oneOf("0 1 2").initially("0"),
		"message_type": messageType, "method": oneOf("POST PUT").initially("POST"), "period": number(5)}),
	logging("kafka", tls, texts("auth_method brokers compression_codec password topic user"), fields{
		"parse_log_keyvals": flag(false), "request_max_bytes": number(0), "required_acks": text("1"), "use_tls": text("0")}),
	logging("kinesis", texts("access_key iam_role region secret_key topic")).refusing(badRole),
	logging("logentries", texts("hostname public_key region token"), fields{"port": digits("20000"), "use_tls": text("0")}),
	logging("loggly", texts("public_key token")),
	logging("logshuttle", texts("token url")),
	logging("newrelic", texts("token"), fields{"region": text("US")}).refusing(badRegion),
	logging("newrelicotlp", texts("region token url")).refusing(badRegion),
	logging("openstack", files, texts("access_key bucket_name url user")),
	logging("papertrail", texts("address public_key"), fields{"port": digits("514")}),
	logging("pubsub", texts("account_name project_id secret_key topic user")),
	logging("s3", files, texts("access_key bucket_name iam_role secret_key server_side_encryption_kms_key_id"), fields{
		"acl": oneOf("private public-read public-read-write aws-exec-read authenticated-read bucket-owner-read " +
			"bucket-owner-full-control"),
		"domain": text("s3.amazonaws.com"), "file_max_bytes": number(0),
		"redundancy": oneOf("standard standard_ia onezone_ia intelligent_tiering glacier glacier_ir deep_archive " +
			"reduced_redundancy").initially("standard"),
		"server_side_encryption": oneOf("AES256 aws:kms")}).refusing(badRole),
	logging("scalyr", texts("project_id token"), fields{"region": text("US")}),
	logging("sftp", files, texts("address password secret_key ssh_known_hosts user"), fields{
		"gzip_level": number(0).upTo(9), "port": digits("22")}),
	logging("splunk", batches, tls, texts("token url"), fields{"use_tls": text("0")}),
	logging("sumologic", texts("address url"), fields{"message_type": messageType}),
	logging("syslog", tls, texts("address hostname ipv4 public_key token"), fields{"message_type": messageType,
		"port": digits("514"), "use_tls": text("0")}).settling(settleAddress),
}

// Fields that several places for logs share: those that take files, batches of lines, or a TLS client certificate.
var (
	files = merge(codec, texts("path public_key"), fields{"gzip_level": digits("0").upTo(9), "message_type": messageType,
		"period": digits("3600"), "timestamp_format": text("%Y-%m-%dT%H:%M:%S.000")})
	codec       = fields{"compression_codec": emptied.oneOf("zstd snappy gzip")}
	messageType = oneOf("classic loggly logplex blank").initially("classic")
	batches     = fields{"request_max_bytes": number(0), "request_max_entries": number(0)}
	tls         = fields{"tls_ca_cert": emptied, "tls_client_cert": emptied, "tls_client_key": emptied, "tls_hostname": {}}
)

func logging(place string, sets ...fields) *kind {
	common := fields{"format": text(`%h %l %u %t "%r" %>s %b`), "format_version": oneOf("1 2").initially("2"),
		"log_processing_region": oneOf("none us eu").initially("none"), "placement": oneOf("none waf_debug"),
		"response_condition": text("")}
	return &kind{path: "logging/" + place, noun: "syslog", table: "logging_syslog", textual: true,
		fields: merge(append([]fields{common}, sets...)...)}
}

func (k *kind) refusing(refuse func(object) error) *kind {
	k.refuse = refuse
	return k
}

func (k *kind) settling(settle func(*service, object)) *kind {
	k.settle = settle
	return k
}

func badRole(o object) error {
	if role := o.text("iam_role"); role != "" && strings.Count(role, ":") < 5 {
		return badRequest("invalid IAM Role ARN %s: ARNs must have six colon-separated components", role)
	}
	return nil
}

func badRegion(o object) error {
	if region := o.text("region"); region != "" && !slices.Contains([]string{"us", "eu"}, strings.ToLower(region)) {
		return badRequest("unrecognized region %s", region)
	}
	return nil
}

// contradiction refuses two ways to do one thing in the same request.
func contradiction(sent object) error {
	level := sent["gzip_level"]
	switch {
	case sent.text("compression_codec") != "" && level != nil && plain(level) != "0":
		return badMessage("'compression_codec' and 'gzip_level' cannot be set simultaneously")
	case sent.text("iam_role") != "" && (sent.text("access_key") != "" || sent.text("secret_key") != ""):
		return badMessage("'iam_role' can't be used when 'access_key' or 'secret_key' are provided")
	}
	return nil
}

// check refuses what Fastly refuses of any object, whatever refers to it.
func (k *kind) check(o object) error {
	name := o.text("name")
	switch {
	case k.nameRule == identifier && !identifier.MatchString(name):
		return badRequest("Name must start with alphabetical and contain only alphanumeric, underscore, and whitespace")
	case name == "":
		return badRequest("Name can't be blank")
	case k.nameRule == domainName && !domainName.MatchString(name):
		return badRequest("Domain '%s' is not a valid domain name", name)
	}
	for _, field := range strings.Fields(k.required) {
		if o.text(field) == "" {
			return badRequest("%s can't be blank", field)
		}
	}
	return nil
}
