package fastly

import (
	"net"
	"net/http"
	"regexp"
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
	{path: "condition", noun: "Condition", fields: merge(texts("statement type"), fields{"comment": text(""),
		"priority": text("100")}), required: "statement type", textual: true},
	{path: "backend", noun: "Backend", fields: backendFields, required: "address", settle: settleBackend},
	{path: "director", noun: "Director", fields: fields{"backends": {is: isList, initial: []any{}},
		"capacity": number(100), "comment": text(""), "quorum": number(75), "retries": number(5), "shield": {},
		"type": number(1)}},
	{path: "header", noun: "Header", fields: merge(texts("action cache_condition dst regex request_condition "+
		"response_condition src substitution type"), fields{"ignore_if_set": text("0"), "priority": text("100")}),
		required: "action dst type", textual: true},
	{path: "gzip", noun: "Gzip", fields: gzipFields, textual: true},
	{path: "rate-limiters", noun: "RateLimiter", table: "rate_limiter", fields: rateLimiterFields, id: perVersion},
	{path: "response_object", noun: "ResponseObject", fields: fields{"cache_condition": text(""), "content": text(""),
		"content_type": text(""), "request_condition": text(""), "response": text("Ok"), "status": text("200")}, textual: true},
	{path: "request_settings", noun: "RequestSettings", fields: merge(texts("action bypass_busy_wait default_host force_miss "+
		"force_ssl geo_headers hash_keys max_stale_age timer_support xff"), fields{"request_condition": text("")}),
		textual: true},
	{path: "vcl", noun: "VCL", fields: fields{"content": {}, "main": flag(false)}, required: "content"},
	{path: "snippet", noun: "Snippet", fields: merge(texts("content type"), fields{"dynamic": text("0"),
		"priority": text("100")}), required: "type", textual: true, id: perService, settle: settleSnippet},
	{path: "cache_settings", noun: "CacheSettings", fields: merge(texts("action stale_ttl ttl"),
		fields{"cache_condition": text("")}), textual: true},
	{path: "acl", noun: "ACL", textual: true, id: perService, nameRule: identifier},
	{path: "dictionary", noun: "Dictionary", fields: fields{"write_only": flag(false)}, id: perService, nameRule: identifier},
}, loggingKinds...)

var (
	domainName = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+$`)
	identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_ ]*$`)
)

var backendFields = merge(
	texts("address client_cert healthcheck hostname ipv4 ipv6 max_tls_version min_tls_version override_host share_key shield "+
		"ssl_ca_cert ssl_cert_hostname ssl_ciphers ssl_client_cert ssl_client_key ssl_hostname ssl_sni_hostname"),
	fields{
		"auto_loadbalance": flag(false), "between_bytes_timeout": number(10000), "comment": text(""),
		"connect_timeout": number(1000), "error_threshold": number(0), "first_byte_timeout": number(15000),
		"keepalive_time": anyNumber, "max_conn": number(200), "port": number(80), "prefer_ipv6": anyFlag,
		"request_condition": text(""), "ssl_check_cert": flag(true), "tcp_keepalive_enable": anyFlag,
		"tcp_keepalive_interval": anyNumber, "tcp_keepalive_probes": anyNumber, "tcp_keepalive_time": anyNumber,
		"use_ssl": flag(false), "weight": number(100),
	})

// settleBackend derives the one of hostname, ipv4 and ipv6 that the address is.
func settleBackend(_ *service, o object) {
	o["hostname"], o["ipv4"], o["ipv6"] = nil, nil, nil
	address := o.text("address")
	switch ip := net.ParseIP(address); {
	case ip == nil:
		o["hostname"] = address
	case ip.To4() != nil:
		o["ipv4"] = address
	default:
		o["ipv6"] = address
	}
}

var healthcheckFields = fields{
	"check_interval": number(5000), "comment": text(""), "expected_response": number(200),
	"headers": {is: isList, initial: []any{}}, "host": {}, "http_version": text("1.1"), "initial": number(2),
	"method": text("HEAD"), "path": text("/"), "threshold": number(3), "timeout": number(500), "window": number(5),
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

var rateLimiterFields = merge(texts("action logger_type response_object_name uri_dictionary_name"), fields{
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
	logging("ftp", files, texts("address hostname ipv4 password user"), fields{"port": text("21")}),
	logging("gcs", files, texts("account_name bucket_name project_id secret_key user")),
	logging("grafanacloudlogs", texts("index message_type token url user")),
	logging("heroku", texts("token url")),
	logging("honeycomb", texts("dataset token")),
	logging("https", batches, tls, texts("compression_codec content_type header_name header_value url"), fields{
		"add_batch_size_header": flag(false), "gzip_level": number(0), "json_format": text("0"), "message_type": text("classic"),
		"method": text("POST"), "period": number(5)}),
	logging("kafka", tls, texts("auth_method brokers compression_codec password topic user"), fields{
		"parse_log_keyvals": flag(false), "request_max_bytes": number(0), "required_acks": text("1"), "use_tls": text("0")}),
	logging("kinesis", texts("access_key iam_role region secret_key topic")),
	logging("logentries", texts("hostname public_key region token"), fields{"port": text("20000"), "use_tls": text("0")}),
	logging("loggly", texts("public_key token")),
	logging("logshuttle", texts("token url")),
	logging("newrelic", texts("token"), fields{"region": text("US")}),
	logging("newrelicotlp", texts("region token url")),
	logging("openstack", files, texts("access_key bucket_name url user")),
	logging("papertrail", texts("address public_key"), fields{"port": text("514")}),
	logging("pubsub", texts("account_name project_id secret_key topic user")),
	logging("s3", files, texts("access_key acl bucket_name iam_role secret_key server_side_encryption "+
		"server_side_encryption_kms_key_id"), fields{"domain": text("s3.amazonaws.com"), "file_max_bytes": number(0),
		"redundancy": text("standard")}),
	logging("scalyr", texts("token"), fields{"project_id": text("logplex"), "region": text("US")}),
	logging("sftp", files, texts("address password secret_key ssh_known_hosts user"), fields{"gzip_level": number(0),
		"port": text("22")}),
	logging("splunk", batches, tls, texts("token url"), fields{"use_tls": text("0")}),
	logging("sumologic", texts("address url"), fields{"message_type": text("classic")}),
	logging("syslog", tls, texts("address hostname ipv4 public_key token"), fields{"message_type": text("classic"),
		"port": text("514"), "use_tls": text("0")}),
}

// Fields that several places for logs share: those that take files, batches of lines, or a TLS client certificate.
var (
	files = merge(texts("compression_codec path public_key"), fields{"gzip_level": text("0"), "message_type": text("classic"),
		"period": text("3600"), "timestamp_format": text("%Y-%m-%dT%H:%M:%S.000")})
	batches = fields{"request_max_bytes": number(0), "request_max_entries": number(0)}
	tls     = texts("tls_ca_cert tls_client_cert tls_client_key tls_hostname")
)

func logging(place string, sets ...fields) *kind {
	common := merge(texts("placement"), fields{"format": text(`%h %l %u %t "%r" %>s %b`), "format_version": text("2"),
		"log_processing_region": text("none"), "response_condition": text("")})
	return &kind{path: "logging/" + place, noun: "syslog", table: "logging_syslog", textual: true,
		fields: merge(append([]fields{common}, sets...)...)}
}

// check refuses what Fastly refuses of any object, whatever refers to it.
func (k *kind) check(o object) error {
	name := o.text("name")
	switch {
	case name == "":
		return badRequest("Name can't be blank")
	case k.nameRule == domainName && !domainName.MatchString(name):
		return badRequest("Domain '%s' is not a valid domain name", name)
	case k.nameRule == identifier && !identifier.MatchString(name):
		return badRequest("Name must start with alphabetical and contain only alphanumeric, underscore, and whitespace")
	}
	for _, field := range strings.Fields(k.required) {
		if o.text(field) == "" {
			return badRequest("%s can't be blank", field)
		}
	}
	if level := o["gzip_level"]; o.text("compression_codec") != "" && level != nil && plain(level) != "0" {
		return &refusal{http.StatusBadRequest, failure{Msg: "'compression_codec' and 'gzip_level' cannot be set simultaneously"}}
	}
	return nil
}
