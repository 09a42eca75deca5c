package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"lke-platform/components/cdn"
	"lke-platform/stacks"
	"sigs.k8s.io/yaml"
)

// cdnSection is the section of a stack file that uses all there is.
const cdnSection = `
origin:
  shield: lga-ny-us
  healthPath: /health
  timeouts: {connect: 2s, firstByte: 20s, betweenBytes: 10s}
media:
  hosts: [cdn.example.com]
  shield: iad-va-us
redirects:
  www.example.com: example.com
cache: {ttl: 30m, staleWhileRevalidate: 2m, staleIfError: 24h}
crossOrigin: [example.com]
logs:
  s3:
    - accessKey: logs-access-key
      secretKey: logs-secret-key
      buckets:
        /uploads/podcast/: logs-podcast
        /uploads/gotime/: logs-gotime
  https:
    - name: honeycomb
      url: https://api.honeycomb.io/1/batch/site
      header: X-Honeycomb-Team
      token: honeycomb-token
snippets:
  - {name: robots, type: deliver, file: vcl/robots.vcl, priority: 20}
`

const (
	mediaBucketHost = "site-media.us-east-1.linodeobjects.com"
	robotsVCL       = "set resp.http.X-Robots-Tag = \"noindex\";\n"
	secretKeyOfLogs = "a-key-that-nobody-may-see"
)

// A service is one that the engine brought up.
type service struct {
	client *fastly.Client
	id     string
	// version is the active one.
	version int
}

// bringUpService declares nothing but the service, of a stack file's section, and runs the program in the real engine.
func bringUpService(t *testing.T, section string) (*service, auto.Stack) {
	t.Helper()
	o := options{root: repository(t, asItIs), stack: "staging"}
	w, err := startWorld(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	require.NoError(t, os.MkdirAll(filepath.Join(o.root, "vcl"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(o.root, "vcl", "robots.vcl"), []byte(robotsVCL), 0o600))

	stack, err := auto.UpsertStackInlineSource(t.Context(), o.stack, "lke-platform", func(ctx *pulumi.Context) error {
		args, err := decodeCDN(section)
		if err != nil {
			return err
		}
		args.Name, args.Folder, args.OriginHost = "site", o.root, "origin.example.com"
		args.Domains = []string{"example.com", "*.example.com"}
		args.MediaHost = pulumi.String(mediaBucketHost)
		values := pulumi.StringMap{}
		for _, name := range args.SecretNames() {
			values[name] = pulumi.ToSecret(pulumi.String(secretKeyOfLogs + " " + name)).(pulumi.StringOutput)
		}
		args.SecretValues = values
		_, err = cdn.New(ctx, "cdn", args)
		return err
	}, auto.WorkDir(o.root), auto.EnvVars(w.environment))
	require.NoError(t, err)
	shown, err := stack.Preview(t.Context())
	require.NoError(t, err)
	require.NotContains(t, shown.StdOut, secretKeyOfLogs)
	result, err := stack.Up(t.Context())
	require.NoError(t, err)
	require.NotContains(t, result.StdOut, secretKeyOfLogs)

	client, err := fastly.NewClientForEndpoint(token, w.fastlyURL)
	require.NoError(t, err)
	services, err := client.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	require.Len(t, services, 1)
	return &service{client, *services[0].ServiceID, *services[0].ActiveVersion}, stack
}

func decodeCDN(section string) (*cdn.Args, error) {
	text, err := yaml.YAMLToJSON([]byte(section))
	if err != nil {
		return nil, err
	}
	config, faults := stacks.Decode(func(name string) string {
		if name == "cdn" {
			return string(text)
		}
		return ""
	})
	return &config.CDN, faults.ToAggregate()
}

// get reads one path below the version.
func (s *service) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := s.client.Get(t.Context(), fmt.Sprintf("/service/%s/version/%d/%s", s.id, s.version, path), fastly.CreateRequestOptions())
	require.NoError(t, err, path)
	defer func() { _ = response.Body.Close() }()
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}

type fields = map[string]any

// objects returns all objects of a kind by their names: what they hold, and not who made them when.
func (s *service) objects(t *testing.T, kind string) map[string]fields {
	t.Helper()
	var list []fields
	s.get(t, kind, &list)
	named := map[string]fields{}
	for _, object := range list {
		name := object["name"].(string)
		for _, note := range []string{"name", "id", "service_id", "version", "created_at", "updated_at", "deleted_at"} {
			delete(object, note)
		}
		maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil || value == "" })
		named[name] = object
	}
	return named
}

// unusedKinds are the kinds of objects that a service has none of.
var unusedKinds = []string{
	"director", "header", "rate-limiters", "response_object", "cache_settings", "acl", "dictionary", "logging/azureblob",
	"logging/bigquery", "logging/cloudfiles", "logging/datadog", "logging/digitalocean", "logging/elasticsearch", "logging/ftp",
	"logging/gcs", "logging/grafanacloudlogs", "logging/heroku", "logging/honeycomb", "logging/kafka", "logging/kinesis",
	"logging/logentries", "logging/loggly", "logging/logshuttle", "logging/newrelic", "logging/newrelicotlp", "logging/openstack",
	"logging/papertrail", "logging/pubsub", "logging/scalyr", "logging/sftp", "logging/splunk", "logging/sumologic", "logging/syslog",
}

// Every object that Fastly then has is read back and compared with what the stack file says.
func TestTheServiceIsWhatTheStackFileSays(t *testing.T) {
	s, stack := bringUpService(t, cdnSection)
	for _, kind := range unusedKinds {
		require.Empty(t, s.objects(t, kind), kind)
	}
	require.Equal(t, []string{"*.example.com", "example.com"}, slices.Sorted(maps.Keys(s.objects(t, "domain"))))
	s.requireBackends(t)
	s.requireLogs(t)
	require.Equal(t, map[string]fields{"force TLS": {"force_ssl": "1", "xff": "leave"}}, s.objects(t, "request_settings"))
	require.Equal(t, map[string]fields{"robots": {"type": "deliver", "dynamic": "0", "priority": "20", "content": robotsVCL}},
		s.objects(t, "snippet"))
	gzip := s.objects(t, "gzip")
	require.Len(t, gzip, 1)
	require.Contains(t, strings.Fields(gzip["text"]["content_types"].(string)), "text/html")

	programs := s.objects(t, "vcl")
	require.Len(t, programs, 1)
	require.Equal(t, true, programs["main"]["main"])
	for _, text := range []string{`"www.example.com": "example.com",`, "beresp.ttl = 1800s;", "stale_while_revalidate = 120s;",
		"stale_if_error = 86400s;", "max-age=86400"} {
		require.Contains(t, programs["main"]["content"], text)
	}
	var http3 fields
	s.get(t, "http3", &http3)
	require.InDelta(t, 1, http3["feature_revision"], 0)
	s.requireProducts(t, "brotli_compression")

	requireNotInState(t, stack, secretKeyOfLogs)
	again, err := stack.Up(t.Context())
	require.NoError(t, err)
	require.NotContains(t, *again.Summary.ResourceChanges, "update", "what was made is what was declared")
}

// requireNotInState requires that the state is encrypted where it has a secret.
func requireNotInState(t *testing.T, stack auto.Stack, secret string) {
	t.Helper()
	states, err := filepath.Glob(filepath.Join(stack.Workspace().WorkDir(), ".rehearsal", "*", "state", ".pulumi", "stacks", "*", "*.json"))
	require.NoError(t, err)
	require.Len(t, states, 1)
	require.False(t, strings.Contains(readFile(t, states[0]), secret), "the state is not encrypted")
}

// backend is what all backends have in common.
func backend(address, shield string, connect, firstByte float64) fields {
	return fields{
		"address": address, "hostname": address, "port": 443.0, "use_ssl": true, "ssl_check_cert": true,
		"ssl_cert_hostname": address, "ssl_sni_hostname": address, "min_tls_version": "1.2", "shield": shield,
		"connect_timeout": connect, "first_byte_timeout": firstByte, "between_bytes_timeout": 10_000.0, "max_conn": 200.0,
		"auto_loadbalance": false, "error_threshold": 0.0, "weight": 100.0,
	}
}

func (s *service) requireBackends(t *testing.T) {
	t.Helper()
	origin := backend("origin.example.com", "lga-ny-us", 2_000, 20_000)
	origin["healthcheck"] = "origin health"
	media := backend(mediaBucketHost, "iad-va-us", 1_000, 15_000)
	media["override_host"], media["request_condition"] = mediaBucketHost, "is media"
	require.Equal(t, map[string]fields{"origin": origin, "media": media}, s.objects(t, "backend"))
	require.Equal(t, map[string]fields{"origin health": {
		"host": "example.com", "path": "/health", "method": "GET", "http_version": "1.1", "expected_response": 200.0, "headers": []any{},
		"check_interval": 60_000.0, "timeout": 5_000.0, "window": 2.0, "threshold": 1.0, "initial": 1.0,
	}}, s.objects(t, "healthcheck"))
}

func (s *service) requireLogs(t *testing.T) {
	t.Helper()
	const fromVisitor = "fastly.ff.visits_this_service == 0 && !segmented_caching.is_inner_req"
	condition := func(kind, statement string) fields {
		return fields{"type": kind, "statement": statement, "priority": "10"}
	}
	conditions := map[string]fields{
		"is media":       condition("REQUEST", `req.http.Host == "cdn.example.com"`),
		"from a visitor": condition("RESPONSE", fromVisitor),
	}
	buckets := s.objects(t, "logging/s3")
	require.Len(t, buckets, 2)
	for _, show := range []string{"podcast", "gotime"} {
		name := "uploads-" + show + " to logs-" + show
		conditions[name] = condition("RESPONSE", fromVisitor+` && std.prefixof(req.url, "/uploads/`+show+`/")`)
		require.True(t, strings.HasPrefix(buckets[name]["format"].(string), "%h,%t,%U,%b,%>s,"))
		delete(buckets[name], "format")
		require.Equal(t, fields{
			"bucket_name": "logs-" + show, "access_key": secretKeyOfLogs + " logs-access-key", "secret_key": secretKeyOfLogs + " logs-secret-key",
			"domain": "s3.amazonaws.com", "period": "3600", "response_condition": name, "message_type": "blank", "format_version": "2",
			"timestamp_format": "%Y-%m-%dT%H:%M:%S.000", "gzip_level": "0", "file_max_bytes": 0.0, "redundancy": "standard",
			"log_processing_region": "none",
		}, buckets[name])
	}
	require.Equal(t, conditions, s.objects(t, "condition"))
	endpoints := s.objects(t, "logging/https")
	require.Len(t, endpoints, 1)
	require.Contains(t, endpoints["honeycomb"]["format"], `"request_user_agent":"%{json.escape(req.http.User-Agent)}V"`)
	for field, value := range map[string]any{
		"url": "https://api.honeycomb.io/1/batch/site", "header_name": "X-Honeycomb-Team", "header_value": secretKeyOfLogs + " honeycomb-token",
		"json_format": "1", "content_type": "application/json", "method": "POST", "response_condition": "from a visitor",
	} {
		require.Equal(t, value, endpoints["honeycomb"][field], field)
	}
}

// requireProducts compares the products that the service uses.
func (s *service) requireProducts(t *testing.T, wanted ...string) {
	t.Helper()
	var found []string
	for _, product := range []string{"brotli_compression", "image_optimizer", "websockets", "domain_inspector", "origin_inspector",
		"bot_management", "log_explorer_insights"} {
		response, err := s.client.Get(t.Context(), "/enabled-products/v1/"+product+"/services/"+s.id, fastly.CreateRequestOptions())
		if err != nil {
			continue
		}
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, response.Body.Close())
		found = append(found, product)
	}
	require.Equal(t, wanted, found)
}
