package fastly

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"

	simulated "lke-platform/tests/rehearsal/fastly"
)

// tlsConfiguration invokes the look-up, and returns why its arguments were refused, if they were.
func (s *stack) tlsConfiguration(args map[string]any) (property.Map, []*pulumirpc.CheckFailure, error) {
	s.t.Helper()
	answer, err := s.server.Invoke(s.t.Context(),
		&pulumirpc.InvokeRequest{Tok: tlsConfigurationToken, Args: encoded(s.t, properties(args))})
	if err != nil {
		return property.Map{}, nil, err
	}
	return decoded(s.t, answer.Return), answer.Failures, nil
}

func TestLookUpOfTLSConfiguration(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	accounts, err := s.client.ListCustomTLSConfigurations(t.Context(), &fastly.ListCustomTLSConfigurationsInput{})
	require.NoError(t, err)
	id := accounts[0].ID
	for name, args := range map[string]map[string]any{
		"the default one": {"default": true},
		"the only one":    {},
		"by ID":           {"id": id},
		"by an empty ID":  {"id": "", "default": true},
		"by what it can":  {"tlsService": "CUSTOM", "httpProtocols": []any{"http/2"}, "tlsProtocols": []any{"1.3", "1.2"}},
		"by name":         {"name": accounts[0].Name},
	} {
		found, failures, err := s.tlsConfiguration(args)
		require.NoError(t, err, name)
		require.Empty(t, failures, name)
		require.Equal(t, id, found.Get("id").AsString(), name)
		require.Equal(t, 9, found.Get("dnsRecords").AsArray().Len(), name)
	}
	found, _, err := s.tlsConfiguration(map[string]any{"default": true})
	require.NoError(t, err)
	require.Equal(t, "151.101.131.52", s.at(found, "dnsRecords", 0, "recordValue").AsString(), "in lexical order")
	require.Equal(t, "A", s.at(found, "dnsRecords", 0, "recordType").AsString())
	require.Equal(t, "CNAME", s.at(found, "dnsRecords", 8, "recordType").AsString())
	require.Equal(t, "global", s.at(found, "dnsRecords", 8, "region").AsString())
	require.Equal(t, "CUSTOM", found.Get("tlsService").AsString())
	require.Equal(t, "2020-01-01T00:00:00Z", found.Get("createdAt").AsString())
	require.True(t, found.Get("default").AsBool())

	for _, none := range []map[string]any{
		{"default": false}, {"tlsService": "PLATFORM"}, {"name": "another"}, {"tlsProtocols": []any{"1.0"}},
	} {
		_, _, err := s.tlsConfiguration(none)
		require.ErrorContains(t, err, "your query returned no results", none)
	}
	_, _, err = s.tlsConfiguration(map[string]any{"id": "none"})
	require.ErrorContains(t, err, "looking up TLS configuration none: 404")
	_, failures, err := s.tlsConfiguration(map[string]any{"id": id, "default": true})
	require.NoError(t, err)
	require.Equal(t, "id", failures[0].Property)
	_, failures, err = s.tlsConfiguration(map[string]any{"region": "global"})
	require.NoError(t, err)
	require.Contains(t, failures[0].Reason, "Unrecognized field 'region'")
}

func TestLookUpOfSeveralTLSConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := `{"tls": {"configurations": [{"id": "one", "default": true}, {"id": "two"}, {"id": "three", "bulk": true}]}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fastly.json"), []byte(state), 0o600))
	api, err := simulated.New(simulated.Options{Dir: dir, Token: token})
	require.NoError(t, err)
	listening := httptest.NewServer(api)
	t.Cleanup(listening.Close)
	s := &stack{t: t, server: configured(t, map[string]any{"apiKey": token, "baseUrl": listening.URL})}
	_, _, err = s.tlsConfiguration(map[string]any{"tlsService": "CUSTOM"})
	require.ErrorContains(t, err, "your query returned more than one result")
	for id, args := range map[string]map[string]any{
		"one": {"default": true}, "two": {"default": false, "tlsService": "CUSTOM"}, "three": {"tlsService": "PLATFORM"},
	} {
		found, _, err := s.tlsConfiguration(args)
		require.NoError(t, err)
		require.Equal(t, id, found.Get("id").AsString())
	}
}
