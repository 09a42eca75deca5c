package fastly

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	simulated "lke-platform/tests/rehearsal/fastly"
	"lke-platform/tests/rehearsal/simulation"
)

const token = "the-token"

// A stack is one service, driven through the provider as the engine does it, against the simulated API.
type stack struct {
	t      *testing.T
	api    *simulated.API
	client *fastly.Client // to look and to change things by hand
	server pulumirpc.ResourceProviderServer
	id     string
	inputs property.Map
	state  property.Map
}

const urn = "urn:pulumi:stack::project::fastly:index/serviceVcl:ServiceVcl::site"

func newStack(t *testing.T) *stack {
	t.Helper()
	api, err := simulated.New(simulated.Options{Dir: t.TempDir(), Token: token})
	require.NoError(t, err)
	listening := httptest.NewServer(api)
	t.Cleanup(listening.Close)
	client, err := fastly.NewClientForEndpoint(token, listening.URL)
	require.NoError(t, err)
	server := configured(t, map[string]any{"apiKey": token, "baseUrl": listening.URL})
	return &stack{t: t, api: api, client: client, server: server}
}

func configured(t *testing.T, config map[string]any) pulumirpc.ResourceProviderServer {
	t.Helper()
	server, err := New(nil)
	require.NoError(t, err)
	_, err = server.Configure(t.Context(), &pulumirpc.ConfigureRequest{
		Args: encoded(t, properties(config)), AcceptSecrets: true, SendsOldInputs: true, SendsOldInputsToDelete: true,
	})
	require.NoError(t, err)
	return server
}

// properties makes properties of plain values.
func properties(plain map[string]any) property.Map {
	return resource.FromResourcePropertyMap(resource.NewPropertyMapFromMap(plain))
}

var wire = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

func encoded(t *testing.T, m property.Map) *structpb.Struct {
	t.Helper()
	s, err := plugin.MarshalProperties(resource.ToResourcePropertyMap(m), wire)
	require.NoError(t, err)
	return s
}

func decoded(t *testing.T, s *structpb.Struct) property.Map {
	t.Helper()
	m, err := plugin.UnmarshalProperties(s, wire)
	require.NoError(t, err)
	return resource.FromResourcePropertyMap(m)
}

// check returns checked inputs, which must not fail.
func (s *stack) check(program map[string]any) property.Map {
	s.t.Helper()
	checked := s.tryCheck(program)
	require.Empty(s.t, checked.Failures)
	return decoded(s.t, checked.Inputs)
}

func (s *stack) tryCheck(program map[string]any) *pulumirpc.CheckResponse {
	s.t.Helper()
	checked, err := s.server.Check(s.t.Context(), &pulumirpc.CheckRequest{
		Urn: urn, Olds: encoded(s.t, s.inputs), News: encoded(s.t, properties(program)), RandomSeed: []byte("seed"),
	})
	require.NoError(s.t, err)
	return checked
}

// up brings the service to what the program declares, and returns the paths of what had to change.
func (s *stack) up(program map[string]any) ([]string, error) {
	s.t.Helper()
	inputs := s.check(program)
	if s.id == "" {
		return nil, s.create(inputs)
	}
	diff := s.diff(inputs)
	if diff.Changes != pulumirpc.DiffResponse_DIFF_SOME {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(diff.DetailedDiff)), s.update(inputs)
}

func (s *stack) create(inputs property.Map) error {
	s.t.Helper()
	created, err := s.server.Create(s.t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: encoded(s.t, inputs)})
	if err == nil {
		s.id, s.inputs, s.state = created.Id, inputs, decoded(s.t, created.Properties)
		return nil
	}
	for _, detail := range status.Convert(err).Details() { // what a failed creation leaves behind
		if failed, ok := detail.(*pulumirpc.ErrorResourceInitFailed); ok {
			s.id, s.inputs, s.state = failed.Id, inputs, decoded(s.t, failed.Properties)
		}
	}
	return err
}

func (s *stack) update(inputs property.Map) error {
	s.t.Helper()
	updated, err := s.server.Update(s.t.Context(), &pulumirpc.UpdateRequest{
		Id: s.id, Urn: urn, Olds: encoded(s.t, s.state), News: encoded(s.t, inputs), OldInputs: encoded(s.t, s.inputs),
	})
	if err == nil {
		s.inputs, s.state = inputs, decoded(s.t, updated.Properties)
	}
	return err
}

func (s *stack) diff(inputs property.Map) *pulumirpc.DiffResponse {
	s.t.Helper()
	diff, err := s.server.Diff(s.t.Context(), &pulumirpc.DiffRequest{
		Id: s.id, Urn: urn, Olds: encoded(s.t, s.state), News: encoded(s.t, inputs), OldInputs: encoded(s.t, s.inputs),
	})
	require.NoError(s.t, err)
	return diff
}

// refresh takes over what the API has.
func (s *stack) refresh() {
	s.t.Helper()
	read, err := s.server.Read(s.t.Context(), &pulumirpc.ReadRequest{
		Id: s.id, Urn: urn, Properties: encoded(s.t, s.state), Inputs: encoded(s.t, s.inputs),
	})
	require.NoError(s.t, err)
	s.id, s.inputs, s.state = read.Id, decoded(s.t, read.Inputs), decoded(s.t, read.Properties)
}

func (s *stack) delete() error {
	_, err := s.server.Delete(s.t.Context(), &pulumirpc.DeleteRequest{Id: s.id, Urn: urn, Properties: encoded(s.t, s.state)})
	return err
}

func (s *stack) invoke(token string) (property.Map, error) {
	s.t.Helper()
	answer, err := s.server.Invoke(s.t.Context(), &pulumirpc.InvokeRequest{Tok: token, Args: encoded(s.t, property.Map{})})
	if err != nil {
		return property.Map{}, err
	}
	return decoded(s.t, answer.Return), nil
}

func (s *stack) requireNoChange(program map[string]any) {
	s.t.Helper()
	diff := s.diff(s.check(program))
	require.Equal(s.t, pulumirpc.DiffResponse_DIFF_NONE, diff.Changes, "%v", diff.DetailedDiff)
}

func (s *stack) requireVersions(active, cloned int) {
	s.t.Helper()
	require.Equal(s.t, property.New(float64(active)), s.state.Get("activeVersion"))
	require.Equal(s.t, property.New(float64(cloned)), s.state.Get("clonedVersion"))
}

// at returns a property by its path.
func (s *stack) at(in property.Map, path ...any) property.Value {
	s.t.Helper()
	v := property.New(in)
	for _, step := range path {
		if name, ok := step.(string); ok {
			v = v.AsMap().Get(name)
		} else {
			v = v.AsArray().Get(step.(int))
		}
	}
	return v
}

type block = map[string]any

// everything declares at least one block of every kind.
func everything() map[string]any {
	return map[string]any{
		"name": "site", "comment": "the site", "versionComment": "by the platform", "forceDestroy": true, "http3": true,
		"defaultTtl": 0, "defaultHost": "example.com", "staleIfError": true, "staleIfErrorTtl": 60,
		"domains": []any{block{"name": "www.example.com", "comment": "main"}, block{"name": "example.com"}},
		"backends": []any{
			block{"name": "origin", "address": "origin.example.com", "port": 443, "useSsl": true, "sslCertHostname": "origin.example.com",
				"sslSniHostname": "origin.example.com", "sslCheckCert": true, "overrideHost": "example.com", "shield": "lga-ny-us",
				"healthcheck": "health", "minTlsVersion": "1.2", "maxConn": 100, "keepaliveTime": 30, "requestCondition": "is-get",
				"sslClientKey": "a key", "sslClientCert": "a certificate"},
			block{"name": "assets", "address": "192.0.2.1", "weight": 50, "autoLoadbalance": true},
		},
		"healthchecks": []any{block{"name": "health", "host": "example.com", "path": "/health", "headers": []any{"X-B: b", "X-A: a"}}},
		"conditions": []any{
			block{"name": "is-get", "type": "REQUEST", "statement": `req.method == "GET"`},
			block{"name": "is-error", "type": "CACHE", "statement": "beresp.status >= 500", "priority": 5},
		},
		"headers": []any{block{"name": "hsts", "action": "set", "type": "response", "destination": "http.Strict-Transport-Security",
			"source": `"max-age=31536000"`, "ignoreIfSet": true}},
		"gzips": []any{block{"name": "text", "contentTypes": []any{"text/html", "text/css"}}, block{"name": "all"}},
		"responseObjects": []any{block{"name": "sorry", "status": 503, "content": "<p>Sorry</p>", "contentType": "text/html",
			"cacheCondition": "is-error"}},
		"requestSettings":   []any{block{"name": "tls", "forceSsl": true, "xff": "leave", "maxStaleAge": 60}},
		"snippets":          []any{block{"name": "recv/first", "type": "recv", "content": "# first\n"}},
		"cacheSettings":     []any{block{"name": "errors", "action": "pass", "ttl": 0, "cacheCondition": "is-error"}},
		"productEnablement": block{"brotliCompression": true, "websockets": true},
		"vcls":              []any{block{"name": "main", "main": true, "content": "sub vcl_recv {\n#FASTLY recv\n}\n"}},
		"loggingS3s": []any{block{"name": "downloads/podcast", "bucketName": "logs", "s3AccessKey": "an access key",
			"s3SecretKey": "a secret key", "format": "%h", "compressionCodec": "gzip", "period": 60}},
		"loggingHttps": []any{block{"name": "requests", "url": "https://logs.example.com", "headerName": "X-Key", "headerValue": "a value",
			"jsonFormat": "1", "tlsClientKey": "a key"}},
	}
}

func TestServiceOfEveryKindOfBlock(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)
	s.requireVersions(1, 1)
	s.requireNoChange(everything())
	before := s.state
	s.refresh()
	s.requireNoChange(everything())
	require.Equal(t, before, s.state, "what was read is what was made")

	backend, err := s.client.GetBackend(t.Context(), &fastly.GetBackendInput{ServiceID: s.id, ServiceVersion: 1, Name: "origin"})
	require.NoError(t, err)
	require.Equal(t, "lga-ny-us", *backend.Shield)
	require.Equal(t, 443, *backend.Port)
	require.True(t, *backend.UseSSL)
	require.Equal(t, "is-get", *backend.RequestCondition)
	require.True(t, s.at(s.state, "backends", 0, "sslClientKey").Secret())
	require.True(t, s.at(s.inputs, "backends", 0, "sslClientCert").Secret())
	require.True(t, s.at(s.state, "loggingS3s", 0, "s3SecretKey").Secret())
	require.True(t, s.at(s.state, "loggingHttps", 0, "tlsClientKey").Secret())
	log, err := s.client.GetS3(t.Context(), &fastly.GetS3Input{ServiceID: s.id, ServiceVersion: 1, Name: "downloads/podcast"})
	require.NoError(t, err)
	require.Equal(t, "an access key, a secret key, gzip, 60", fmt.Sprintf("%s, %s, %s, %d",
		*log.AccessKey, *log.SecretKey, *log.CompressionCodec, *log.Period))
	program, err := s.client.GetVCL(t.Context(), &fastly.GetVCLInput{ServiceID: s.id, ServiceVersion: 1, Name: "main"})
	require.NoError(t, err)
	require.True(t, *program.Main)
	require.False(t, s.state.Get("imported").AsBool())
	require.False(t, s.state.Get("forceRefresh").AsBool())
	_, err = s.client.GetHTTP3(t.Context(), &fastly.GetHTTP3Input{ServiceID: s.id, ServiceVersion: 1})
	require.NoError(t, err)
}

func TestUpdateAppliesTheDifferences(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)

	program := everything()
	program["backends"] = []any{
		block{"name": "origin", "address": "new.example.com", "healthcheck": "health"},
		block{"name": "third", "address": "third.example.com"},
	}
	program["gzips"] = []any{block{"name": "text"}, block{"name": "all"}} // back to Fastly's own types
	program["conditions"].([]any)[0].(block)["type"] = "RESPONSE"
	program["productEnablement"] = block{"brotliCompression": true}
	program["http3"] = false
	delete(program, "versionComment")
	changed, err := s.up(program)
	require.NoError(t, err)
	require.Contains(t, changed, "backends[0].address")
	require.Contains(t, changed, "productEnablement.websockets")
	s.requireVersions(2, 2)
	s.requireNoChange(program)
	s.refresh()
	s.requireNoChange(program)

	backends, err := s.client.ListBackends(t.Context(), &fastly.ListBackendsInput{ServiceID: s.id, ServiceVersion: 2})
	require.NoError(t, err)
	require.Len(t, backends, 2)
	require.Equal(t, "new.example.com 80", *backends[0].Address+" "+strconv.Itoa(*backends[0].Port))
	require.Nil(t, backends[0].KeepAliveTime, "what the program no longer sets is what Fastly makes it")
	gzip, err := s.client.GetGzip(t.Context(), &fastly.GetGzipInput{ServiceID: s.id, ServiceVersion: 2, Name: "text"})
	require.NoError(t, err)
	require.Contains(t, *gzip.ContentTypes, "application/json")
	condition, err := s.client.GetCondition(t.Context(),
		&fastly.GetConditionInput{ServiceID: s.id, ServiceVersion: 2, Name: "is-get"})
	require.NoError(t, err)
	require.Equal(t, "RESPONSE", *condition.Type)
	old, err := s.client.ListBackends(t.Context(), &fastly.ListBackendsInput{ServiceID: s.id, ServiceVersion: 1})
	require.NoError(t, err)
	require.Equal(t, "origin.example.com", *old[0].Address, "version 1 stays as it was")
}

func TestNamesAndOrderNeedNoVersion(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)

	program := everything()
	for _, kind := range []string{"domains", "backends", "conditions", "gzips"} {
		blocks := program[kind].([]any)
		blocks[0], blocks[1] = blocks[1], blocks[0]
	}
	s.requireNoChange(program)

	program["name"], program["comment"], program["versionComment"] = "renamed", "another", "commented"
	_, err = s.up(program)
	require.NoError(t, err)
	s.requireVersions(1, 1)
	s.refresh()
	s.requireNoChange(program)
	service, err := s.client.GetService(t.Context(), &fastly.GetServiceInput{ServiceID: s.id})
	require.NoError(t, err)
	require.Equal(t, "renamed", *service.Name)
	require.Equal(t, "commented", *service.Versions[0].Comment)
}

func TestRefreshSeesChangesMadeByHand(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)

	clone, err := s.client.CloneVersion(t.Context(), &fastly.CloneVersionInput{ServiceID: s.id, ServiceVersion: 1})
	require.NoError(t, err)
	v := *clone.Number
	_, err = s.client.UpdateBackend(t.Context(), &fastly.UpdateBackendInput{ServiceID: s.id, ServiceVersion: v, Name: "assets",
		Weight: fastly.ToPointer(1), SSLClientKey: fastly.ToPointer("another key")})
	require.NoError(t, err)
	require.NoError(t, s.client.DeleteBackend(t.Context(),
		&fastly.DeleteBackendInput{ServiceID: s.id, ServiceVersion: v, Name: "origin"}))
	_, err = s.client.CreateDomain(t.Context(), &fastly.CreateDomainInput{ServiceID: s.id, ServiceVersion: v,
		Name: fastly.ToPointer("extra.example.com")})
	require.NoError(t, err)
	_, err = s.client.UpdateSettings(t.Context(),
		&fastly.UpdateSettingsInput{ServiceID: s.id, ServiceVersion: v, DefaultTTL: fastly.ToPointer(uint(9))})
	require.NoError(t, err)
	_, err = s.client.ActivateVersion(t.Context(), &fastly.ActivateVersionInput{ServiceID: s.id, ServiceVersion: v})
	require.NoError(t, err)

	s.refresh()
	s.requireVersions(2, 2)
	require.True(t, s.at(s.inputs, "backends", 0, "sslClientKey").Secret(), "a secret stays one though its place has changed")
	require.True(t, s.at(s.state, "backends", 0, "sslClientKey").Secret())
	changed, err := s.up(everything())
	require.NoError(t, err)
	require.Contains(t, changed, "domains[2]")
	require.Contains(t, changed, "defaultTtl")
	require.Contains(t, changed, "backends[1]")
	s.requireVersions(3, 3)
	s.refresh()
	s.requireNoChange(everything())
}

func TestRefreshOfAServiceThatIsGone(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)
	_, err = s.client.DeactivateVersion(t.Context(), &fastly.DeactivateVersionInput{ServiceID: s.id, ServiceVersion: 1})
	require.NoError(t, err)
	require.NoError(t, s.client.DeleteService(t.Context(), &fastly.DeleteServiceInput{ServiceID: s.id}))
	s.refresh()
	require.Empty(t, s.id)

	s.id = "never-was"
	s.refresh()
	require.Empty(t, s.id)
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.up(everything())
	require.NoError(t, err)
	made := s.inputs
	s.inputs, s.state = property.Map{}, property.Map{}
	s.refresh()
	for _, key := range []string{"name", "domains", "headers", "snippets", "conditions", "cacheSettings", "defaultTtl", "http3"} {
		require.Equal(t, made.Get(key), aligned(s.inputs, made).Get(key), key)
	}
	require.True(t, s.at(s.inputs, "productEnablement", "websockets").AsBool())
	s.requireVersions(1, 1)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := everything()
	delete(program, "forceDestroy")
	_, err := s.up(program)
	require.NoError(t, err)
	require.ErrorContains(t, s.delete(), "Cannot delete service with active version")

	program["reuse"] = true
	_, err = s.up(program)
	require.NoError(t, err)
	require.NoError(t, s.delete())
	details, err := s.client.GetServiceDetails(t.Context(), &fastly.GetServiceInput{ServiceID: s.id})
	require.NoError(t, err)
	require.Nil(t, details.DeletedAt, "it can be used again")
	require.Nil(t, details.ActiveVersion)

	_, err = s.up(everything())
	require.NoError(t, err)
	require.NoError(t, s.delete())
	details, err = s.client.GetServiceDetails(t.Context(), &fastly.GetServiceInput{ServiceID: s.id})
	require.NoError(t, err)
	require.NotNil(t, details.DeletedAt)
}

func TestServiceThatIsNotActivated(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := map[string]any{"name": "draft", "activate": false, "domains": []any{block{"name": "www.example.com"}}}
	_, err := s.up(program)
	require.NoError(t, err, "a version that would not be valid")
	s.requireVersions(0, 1)
	program["backends"] = []any{block{"name": "origin", "address": "origin.example.com"}}
	_, err = s.up(program)
	require.NoError(t, err)
	s.requireVersions(0, 2)
	s.refresh()
	s.requireNoChange(program)
	program["activate"] = true
	_, err = s.up(program)
	require.NoError(t, err)
	s.requireVersions(3, 3)
}

func TestFailedDeploymentIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	require.NoError(t, s.api.Faults().Add(simulation.Fault{Method: "POST", Path: "/backend$", Status: 503, Times: 1}))
	_, err := s.up(everything())
	require.ErrorContains(t, err, "failed to initialize")
	require.ErrorContains(t, err, `POST backend "origin": 503`)
	require.NotEmpty(t, s.id, "the service that was created is in the state")
	s.requireVersions(0, 1)

	inputs := s.check(everything())
	require.NoError(t, s.update(inputs), "the engine updates what failed to initialize")
	s.requireVersions(2, 2)
	s.refresh()
	s.requireNoChange(everything())
}

func TestFailedDeploymentIsFinishedAfterARefresh(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	require.NoError(t, s.api.Faults().Add(simulation.Fault{Method: "POST", Path: "/domain$", Status: 503, Times: 1}))
	_, err := s.up(everything())
	require.ErrorContains(t, err, `POST domain "www.example.com": 503`)
	s.refresh()

	inputs := s.check(everything())
	require.Equal(t, pulumirpc.DiffResponse_DIFF_SOME, s.diff(inputs).GetChanges())
	require.NoError(t, s.update(inputs))
	s.requireVersions(2, 2)
	s.requireNoChange(everything())
}

func TestInvalidConfigurationIsReported(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := everything()
	program["backends"].([]any)[0].(block)["shield"] = "moon"
	_, err := s.up(program)
	require.ErrorContains(t, err, "Backend 'origin' refers to unknown shield 'moon'")
}

func TestWhatTheOfficialProviderLeavesOpen(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := everything()
	log := program["loggingS3s"].([]any)[0].(block)
	_, err := s.up(program)
	require.NoError(t, err)
	require.Equal(t, property.New(-1.0), s.at(s.inputs, "loggingS3s", 0, "gzipLevel"), "no level beside a codec")
	s.refresh()
	s.requireNoChange(program)

	delete(log, "compressionCodec")
	log["gzipLevel"] = 5
	_, err = s.up(program)
	require.NoError(t, err)
	made, err := s.client.GetS3(t.Context(), &fastly.GetS3Input{ServiceID: s.id, ServiceVersion: 2, Name: "downloads/podcast"})
	require.NoError(t, err)
	require.Equal(t, 5, *made.GzipLevel)
	require.Nil(t, made.CompressionCodec)
}

func TestStatementOfANewConditionIsTrimmed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := everything()
	program["conditions"].([]any)[0].(block)["statement"] = "req.method == \"GET\"\n"
	_, err := s.up(program)
	require.NoError(t, err)
	s.refresh()
	require.Equal(t, property.New(`req.method == "GET"`), s.at(s.inputs, "conditions", 0, "statement"))
}

func TestBadProgramsAreRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	domains := []any{block{"name": "www.example.com"}}
	origin := block{"name": "origin", "address": "origin.example.com"}
	tests := map[string]struct {
		program          map[string]any
		property, reason string
	}{
		"unknown property":   {block{"domains": domains, "backend": []any{}}, "backend", "Unrecognized field 'backend'"},
		"unknown block":      {block{"domains": domains, "loggingSftps": []any{}}, "loggingSftps", "Unrecognized field 'loggingSftps'"},
		"unknown in a block": {block{"domains": []any{block{"name": "a.b", "ttl": 60}}}, "domains[0]", "Unrecognized field 'ttl'"},
		"no domains":         {block{}, "domains", "Missing required field 'domains'"},
		"backend without name": {block{"domains": domains, "backends": []any{block{"address": "a.b"}}}, "backends[0]",
			"Missing required field"},
		"same name twice": {block{"domains": domains, "backends": []any{origin, origin}}, "backends[1].name",
			`"origin" is the name of another`},
		"bad value": {block{"domains": domains, "conditions": []any{block{"name": "a", "statement": "s", "type": "request"}}},
			"conditions[0].type", `expected one of REQUEST, RESPONSE, CACHE, PREFETCH, not "request"`},
		"space around a value": {block{"domains": domains, "loggingHttps": []any{block{"name": "log", "headerValue": "key\n",
			"url": "https://logs.example.com"}}}, "loggingHttps[0].headerValue", "must not contain trailing space characters"},
		"log in the clear": {block{"domains": domains, "loggingHttps": []any{block{"name": "log", "url": "http://example.com"}}},
			"loggingHttps[0].url", `expected a URL with https, not "http://example.com"`},
		"bad place for a log": {block{"domains": domains, "loggingS3s": []any{block{"name": "log", "bucketName": "logs",
			"placement": "deliver"}}}, "loggingS3s[0].placement", `expected one of none, waf_debug, not "deliver"`},
		"destroy and reuse": {block{"domains": domains, "forceDestroy": true, "reuse": true}, "reuse", "conflicts with forceDestroy"},
	}
	for name, test := range tests {
		checked := s.tryCheck(test.program)
		require.Len(t, checked.Failures, 1, name)
		require.Contains(t, checked.Failures[0].Property+" "+checked.Failures[0].Reason, test.reason, name)
		require.Equal(t, test.property, checked.Failures[0].Property, name)
	}
	const store = "urn:pulumi:stack::project::fastly:index/kvStore:KVStore::store"
	_, err := s.server.Create(t.Context(), &pulumirpc.CreateRequest{Urn: store})
	require.ErrorContains(t, err, "index/kvStore:KVStore")
	_, err = s.invoke("fastly:index/getTlsDomain:getTlsDomain")
	require.ErrorContains(t, err, "index/getTlsDomain:getTlsDomain")
}

func TestNameIsMadeUpOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	program := everything()
	delete(program, "name")
	_, err := s.up(program)
	require.NoError(t, err)
	require.Regexp(t, `^site-[0-9a-f]{7}$`, s.state.Get("name").AsString())
	s.requireNoChange(program)
}

func TestPreviewCallsNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	require.NoError(t, s.api.Faults().Add(simulation.Fault{Status: 500}))
	program := everything()
	unknown := resource.Computed{Element: resource.NewProperty("")}
	program["backends"].([]any)[1].(block)["address"] = unknown
	program["headers"].([]any)[0].(block)["action"] = unknown
	inputs := s.check(program)
	created, err := s.server.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: encoded(t, inputs), Preview: true})
	require.NoError(t, err)
	shown := decoded(t, created.Properties)
	require.True(t, shown.Get("activeVersion").IsComputed())
	require.True(t, s.at(shown, "backends", 1, "address").IsComputed())
	require.Equal(t, "origin.example.com", s.at(shown, "backends", 0, "address").AsString())

	s.api.Faults().Clear()
	_, err = s.up(everything())
	require.NoError(t, err)
	require.NoError(t, s.api.Faults().Add(simulation.Fault{Status: 500}))
	require.Contains(t, s.diff(s.check(program)).DetailedDiff, "backends[1].address")
	updated, err := s.server.Update(t.Context(), &pulumirpc.UpdateRequest{Id: s.id, Urn: urn, Olds: encoded(t, s.state),
		News: encoded(t, inputs), OldInputs: encoded(t, s.inputs), Preview: true})
	require.NoError(t, err)
	require.True(t, s.at(decoded(t, updated.Properties), "activeVersion").IsComputed())
}

func TestLookUps(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ranges, err := s.invoke("fastly:index/getFastlyIpRanges:getFastlyIpRanges")
	require.NoError(t, err)
	require.Equal(t, "103.244.50.0/24", s.at(ranges, "cidrBlocks", 0).AsString(), "in lexical order")
	require.Equal(t, 2, ranges.Get("ipv6CidrBlocks").AsArray().Len())
	require.NotEmpty(t, ranges.Get("id").AsString())
	datacenters, err := s.invoke("fastly:index/getDatacenters:getDatacenters")
	require.NoError(t, err)
	require.Equal(t, "amsterdam-nl", s.at(datacenters, "pops", 0, "shield").AsString())
}

// Not parallel: it sets the environment.
func TestConfigurationFromTheEnvironment(t *testing.T) {
	s := newStack(t)
	t.Setenv("FASTLY_API_KEY", "")
	s.server = configured(t, nil)
	_, err := s.invoke("fastly:index/getFastlyIpRanges:getFastlyIpRanges")
	require.ErrorContains(t, err, "no API key")

	t.Setenv("FASTLY_API_KEY", token)
	t.Setenv("FASTLY_API_URL", s.client.Address)
	checked, err := s.server.CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: encoded(t, property.Map{})})
	require.NoError(t, err)
	require.NotContains(t, checked.Inputs.Fields, "apiKey", "the environment's token does not get into the stack's state")
	s.server = configured(t, nil)
	_, err = s.invoke("fastly:index/getFastlyIpRanges:getFastlyIpRanges")
	require.NoError(t, err)
}
