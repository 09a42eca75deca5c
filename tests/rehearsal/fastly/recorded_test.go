package fastly

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire speaks to the API without a client that would correct or complete what is sent.
type wire struct {
	url     string
	service string
}

func newWire(t *testing.T) wire {
	t.Helper()
	_, url := serve(t, t.TempDir())
	return wire{url: url, service: newService(t, connect(t, url, token), "site", "www.example.com")}
}

// send sends a form, or JSON to where that is taken alone, to a path below version 1 and returns the status and the body.
func (w wire) send(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	return w.sendTo(t, method, "/service/"+w.service+"/version/1/"+path, body)
}

func (w wire) sendTo(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Fastly-Key", token)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		request.Header.Set("Content-Type", plainJSON)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
}

// object sends what must succeed, and returns the object of the answer.
func (w wire) object(t *testing.T, method, path, body string) object {
	t.Helper()
	status, content := w.send(t, method, path, body)
	require.Equal(t, http.StatusOK, status, content)
	var o object
	require.NoError(t, json.Unmarshal([]byte(content), &o))
	return o
}

// What Fastly refuses, in the words in which it was recorded or reported; where those are not known, the value is named.
func TestFastlysRefusals(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.object(t, http.MethodPost, "logging/s3", "name=taken")
	status, _ := w.sendTo(t, http.MethodPut, "/enabled-products/v1/image_optimizer/services/"+w.service, "")
	require.Equal(t, http.StatusOK, status)
	const (
		role   = "iam_role=arn:aws:iam::123456789012:role/S3Access"
		images = "image_optimizer_default_settings"
	)
	tests := []struct{ method, path, body, fault string }{
		{"POST", "backend", "name=b&address=address", "Address 'address' is not a valid IPv4, IPv6 or hostname"},
		{"POST", "backend", "name=b&address=origin.example.com.", "is not a valid IPv4, IPv6 or hostname"},
		{"POST", "backend", "name=b&address=https://example.com", "is not a valid IPv4, IPv6 or hostname"},
		{"PUT", "backend/origin", "address=10.0.0.256/8", "is not a valid IPv4, IPv6 or hostname"},
		{"PUT", "backend/origin", "override_host=a b", "'a b' is not a valid Host header"},
		{"PUT", "backend/origin", "port=99999", "'port' is out of range: 99999"},
		{"PUT", "backend/origin", "connect_timeout=-1", "'connect_timeout' is out of range: -1"},
		{"PUT", "backend/origin", "min_tls_version=2", "'min_tls_version' must be one of 1.0, 1.1, 1.2, 1.3, not '2'"},
		{"POST", "logging/s3", "name=s3&compression_codec=zstd&gzip_level=9",
			"'compression_codec' and 'gzip_level' cannot be set simultaneously"},
		{"POST", "logging/s3", "name=taken&access_key=key&" + role,
			"'iam_role' can't be used when 'access_key' or 'secret_key' are provided"},
		{"POST", "logging/s3", "name=s3&iam_role=badarn",
			"invalid IAM Role ARN badarn: ARNs must have six colon-separated components"},
		{"POST", "logging/kinesis", "name=k&secret_key=key&" + role, "'iam_role' can't be used"},
		{"POST", "logging/kinesis", "name=k&iam_role=arn:aws", "invalid IAM Role ARN arn:aws: "},
		{"POST", "logging/newrelic", "name=n&region=abc", "unrecognized region abc"},
		{"POST", "logging/https", "name=h&method=GET", "'method' must be one of POST, PUT, not 'GET'"},
		{"PUT", "logging/s3/taken", "placement=nowhere", "'placement' must be one of none, waf_debug, not 'nowhere'"},
		{"PUT", "logging/s3/taken", "period=soon", "'period' must be a whole number"},
		{"POST", "acl", "", "Name must start with alphabetical and contain only alphanumeric, underscore, and whitespace"},
		{"POST", "condition", "name=c&statement=true&type=FOO", "must be one of REQUEST, RESPONSE, CACHE, PREFETCH, not 'FOO'"},
		{"POST", "snippet", "name=s&content=x&type=foo", "'type' must be one of init, recv, hash, "},
		{"POST", "header", "name=h&dst=http.A&type=request&action=foo", "'action' must be one of set, append, delete, "},
		{"POST", "cache_settings", "name=c&ttl=-1", "'ttl' is out of range: -1"},
		{"POST", "request_settings", "name=r&xff=foo", "'xff' must be one of clear, leave, append, "},
		{"POST", "director", "name=d&type=2", "'type' must be one of 1, 3, 4, not '2'"},
		{"POST", "director", "name=d&quorum=101", "'quorum' is out of range: 101"},
		{"PUT", "settings", "general.default_ttl=-5", "'general.default_ttl' is out of range: -5"},
		{"PATCH", images, `{"webp_quality":105}`, "WebP quality must be less than or equal to 100."},
		{"PATCH", images, `{"resize_filter":"sharp"}`, "'resize_filter' must be one of lanczos3, "},
	}
	for _, test := range tests {
		status, answer := w.send(t, test.method, test.path, test.body)
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", test.body, answer)
		require.Contains(t, answer, test.fault, test.body)
	}
	status, answer := w.send(t, http.MethodPost, "logging/s3", "name=taken&iam_role=badarn")
	require.Equal(t, http.StatusConflict, status, "a name is compared first")
	require.Contains(t, answer, "Duplicate logging_syslog: 'taken'")
	status, answer = w.sendTo(t, http.MethodDelete, "/rate-limiters/none", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer, "Cannot find vclmodule ''")
}

// What Fastly takes, though it looks wrong.
func TestFastlyTakesWhatLooksWrong(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	for _, address := range []string{"10.0.0.1", "2001:db8::1", "a_b.s3.example.com"} {
		w.object(t, http.MethodPut, "backend/origin", "address="+address)
	}
	w.object(t, http.MethodPut, "backend/origin", "port=0&max_use=100&max_lifetime=60000")
	backend := w.object(t, http.MethodPut, "backend/origin", "override_host=&share_key=")
	require.Nil(t, backend["override_host"])
	require.Nil(t, backend["share_key"])
	log := w.object(t, http.MethodPost, "logging/https", "name=log&tls_ca_cert=&tls_hostname=&format=")
	require.Nil(t, log["tls_ca_cert"])
	require.Equal(t, "", log["tls_hostname"], "which is not so everywhere")
	require.Equal(t, "", log["format"])
	syslog := w.object(t, http.MethodPost, "logging/syslog", "name=log&address=192.0.2.1")
	require.Equal(t, "192.0.2.1", syslog["ipv4"])
	require.Nil(t, syslog["hostname"])
	require.EqualValues(t, 100, backend["max_use"])
	require.EqualValues(t, 60000, backend["max_lifetime"])

	w.object(t, http.MethodPost, "director", "name=pair&quorum=50")
	renamed := w.object(t, http.MethodPut, "director/pair", "name=other&quorum=100")
	require.Equal(t, "pair", renamed["name"], "a director keeps its name")
	require.EqualValues(t, 100, renamed["quorum"])
	w.object(t, http.MethodPost, "condition", "name=c&statement=true&type=REQUEST")
	require.Equal(t, "REQUEST", w.object(t, http.MethodPut, "condition/c", "type=CACHE")["type"], "and a condition its type")

	acl := w.object(t, http.MethodPost, "acl", "name=office")
	_, entry := w.sendTo(t, http.MethodPost, "/service/"+w.service+"/acl/"+acl.text("id")+"/entry", "ip=192.0.2.1")
	require.Contains(t, entry, `"subnet":null`, "without a mask none is applied")
	status, entry := w.sendTo(t, http.MethodPost, "/service/"+w.service+"/acl/"+acl.text("id")+"/entry", "ip=desk")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, entry, "'desk' is not an IP address")
}

// A rate limiter has its methods and keys in the order in which they were given. Lists whose order means nothing come sorted.
func TestListsKeepTheirOrderWhereItCounts(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	const lists = "http_methods[]=POST&http_methods[]=DELETE&client_key[]=req.http.User-Agent&client_key[]=client.ip"
	limiter := w.object(t, http.MethodPost, "rate-limiters", "name=limit&action=log_only&"+lists)
	require.Equal(t, []any{"POST", "DELETE"}, limiter["http_methods"])
	require.Equal(t, []any{"req.http.User-Agent", "client.ip"}, limiter["client_key"])
	_, changed := w.sendTo(t, http.MethodPut, "/rate-limiters/"+limiter.text("id"), "http_methods[]=PUT&http_methods[]=GET")
	require.Contains(t, changed, `"http_methods":["PUT","GET"]`)

	check := w.object(t, http.MethodPost, "healthcheck", `name=check&headers=["Foo:Bar","Baz:Qux"]`)
	require.Equal(t, []any{"Baz: Qux", "Foo: Bar"}, check["headers"])
}

// Domain management was once at another path, where older clients still ask for it.
func TestOlderClientsManageDomains(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	status, made := w.sendTo(t, http.MethodPost, "/domains/v1", `{"fqdn":"new.example.com","service_id":null}`)
	require.Equal(t, http.StatusCreated, status, made)
	var domain object
	require.NoError(t, json.Unmarshal([]byte(made), &domain))
	status, again := w.sendTo(t, http.MethodPost, "/domains/v1", `{"fqdn":"new.example.com"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, again, "fqdn has already been taken")
	one := "/domains/v1/" + domain.text("id")
	status, led := w.sendTo(t, http.MethodPatch, one, `{"service_id":"`+w.service+`"}`)
	require.Equal(t, http.StatusOK, status)
	_, same := w.sendTo(t, http.MethodGet, "/domain-management/v1/domains/"+domain.text("id"), "")
	require.JSONEq(t, led, same)
	status, _ = w.sendTo(t, http.MethodDelete, one, "")
	require.Equal(t, http.StatusNoContent, status)
	_, list := w.sendTo(t, http.MethodGet, "/domains/v1?fqdn=new.example.com", "")
	require.Contains(t, list, `"total":0`)
}

// To enable a product again is to configure it.
func TestProductsAreEnabledAgain(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	configuration := func(product string) string {
		_, answer := w.sendTo(t, http.MethodGet, "/enabled-products/v1/"+product+"/services/"+w.service+"/configuration", "")
		return answer
	}
	for _, mode := range []string{"log", "block"} {
		status, _ := w.sendTo(t, http.MethodPut, "/enabled-products/v1/ddos_protection/services/"+w.service,
			`{"mode":"`+mode+`"}`)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, configuration("ddos_protection"), `"configuration":{"mode":"`+mode+`"}`)
	}
	require.Contains(t, configuration("bot_management"), `"title":"no product on service","status":400,"errors":null`)
	status, _ := w.sendTo(t, http.MethodPut, "/enabled-products/v1/bot_management/services/"+w.service, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, configuration("bot_management"), `"configuration":{"contentguard":"off"}`)
}

// One way to compress logs replaces the other, when it comes alone.
func TestCompressionIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	for _, place := range []string{"s3", "azureblob", "ftp", "https"} {
		path := "logging/" + place
		w.object(t, http.MethodPost, path, "name=log&compression_codec=snappy")
		leveled := w.object(t, http.MethodPut, path+"/log", "gzip_level=9")
		require.Nil(t, leveled["compression_codec"], place)
		require.Equal(t, "9", plain(leveled["gzip_level"]), place)
		coded := w.object(t, http.MethodPut, path+"/log", "compression_codec=zstd")
		require.Equal(t, "zstd", coded["compression_codec"], place)
		require.Equal(t, "0", plain(coded["gzip_level"]), place)
		require.Nil(t, w.object(t, http.MethodPut, path+"/log", "compression_codec=gzip")["gzip_level"], place)
		require.Equal(t, "0", plain(w.object(t, http.MethodGet, path+"/log", "")["gzip_level"]), place)
		require.Nil(t, w.object(t, http.MethodPut, path+"/log", "compression_codec=")["compression_codec"], place)
	}
}

// A version without an origin is taken, with a warning; VCL may bring its own.
func TestAVersionWithoutOriginsIsWarnedOf(t *testing.T) {
	t.Parallel()
	const warning = "Warning: No default director found"
	for content, wanted := range map[string]string{
		"sub vcl_recv { error 900; }":                                 warning,
		`backend F_own { .host = "origin.example.com"; }`:             "",
		`director pair random { { .backend = F_own; .weight = 1; } }`: "",
	} {
		w := newWire(t)
		w.object(t, http.MethodDelete, "backend/origin", "")
		require.Equal(t, warning, w.object(t, http.MethodGet, "validate", "")["msg"])
		w.object(t, http.MethodPost, "vcl", `{"name":"main","main":true,"content":`+quoted(content)+`}`)
		validated := w.object(t, http.MethodGet, "validate", "")
		require.Equal(t, "ok", validated["status"], content)
		require.Equal(t, wanted, validated["msg"], content)
		activated := w.object(t, http.MethodPut, "activate", "")
		require.Equal(t, true, activated["active"], content)
		require.Equal(t, wanted, activated.text("msg"), content)
	}
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text) // text always encodes
	return string(encoded)
}
