package fastly

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/fastly/go-fastly/v12/fastly/products/brotlicompression"
	"github.com/fastly/go-fastly/v12/fastly/products/fanout"
	"github.com/fastly/go-fastly/v12/fastly/products/ngwaf"
	"github.com/fastly/go-fastly/v12/fastly/products/websockets"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/simulation"
)

const token = "the-token"

// serve serves the API with the state in a folder, and returns its URL.
func serve(t *testing.T, dir string) (*API, string) {
	t.Helper()
	api, err := New(Options{Dir: dir, Token: token})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, server.URL
}

func connect(t *testing.T, url, token string) *fastly.Client {
	t.Helper()
	c, err := fastly.NewClientForEndpoint(token, url)
	require.NoError(t, err)
	return c
}

func newClient(t *testing.T) *fastly.Client {
	t.Helper()
	_, url := serve(t, t.TempDir())
	return connect(t, url, token)
}

// newService creates a service whose version 1 is valid but not active yet.
func newService(t *testing.T, c *fastly.Client, name, domain string) string {
	t.Helper()
	svc, err := c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: &name, Comment: ptr("a comment")})
	require.NoError(t, err)
	_, err = c.CreateDomain(t.Context(), &fastly.CreateDomainInput{ServiceID: *svc.ServiceID, ServiceVersion: 1, Name: &domain})
	require.NoError(t, err)
	_, err = c.CreateBackend(t.Context(), &fastly.CreateBackendInput{ServiceID: *svc.ServiceID, ServiceVersion: 1,
		Name: ptr("origin"), Address: ptr("origin.example.com")})
	require.NoError(t, err)
	return *svc.ServiceID
}

func activate(t *testing.T, c *fastly.Client, id string, version int) {
	t.Helper()
	_, err := c.ActivateVersion(t.Context(), &fastly.ActivateVersionInput{ServiceID: id, ServiceVersion: version})
	require.NoError(t, err)
}

// requireStatus requires an error of the API, of a status and with a text.
func requireStatus(t *testing.T, err error, status int, text string) {
	t.Helper()
	var httpError *fastly.HTTPError
	require.ErrorAs(t, err, &httpError)
	require.Equal(t, status, httpError.StatusCode, httpError.Error())
	require.ErrorContains(t, err, text)
}

func TestServiceLifecycle(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")

	_, err := c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: ptr("site")})
	requireStatus(t, err, http.StatusConflict, "Duplicate service: 'site'")
	found, err := c.SearchService(t.Context(), &fastly.SearchServiceInput{Name: "site"})
	require.NoError(t, err)
	require.Equal(t, id, *found.ServiceID)
	updated, err := c.UpdateService(t.Context(), &fastly.UpdateServiceInput{ServiceID: id, Name: ptr("new-site")})
	require.NoError(t, err)
	require.Equal(t, "new-site", *updated.Name)
	require.Equal(t, "a comment", *updated.Comment)

	activate(t, c, id, 1)
	details, err := c.GetServiceDetails(t.Context(), &fastly.GetServiceInput{ServiceID: id})
	require.NoError(t, err)
	require.Equal(t, 1, *details.ActiveVersion.Number)
	require.Equal(t, "vcl", *details.Type)
	require.Nil(t, details.DeletedAt)
	domains, err := c.ListServiceDomains(t.Context(), &fastly.ListServiceDomainInput{ServiceID: id})
	require.NoError(t, err)
	require.Equal(t, "www.example.com", *domains[0].Name)

	remove := &fastly.DeleteServiceInput{ServiceID: id}
	requireStatus(t, c.DeleteService(t.Context(), remove), http.StatusBadRequest, "Cannot delete service with active version")
	_, err = c.DeactivateVersion(t.Context(), &fastly.DeactivateVersionInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	require.NoError(t, c.DeleteService(t.Context(), remove))
	_, err = c.GetService(t.Context(), &fastly.GetServiceInput{ServiceID: id})
	requireStatus(t, err, http.StatusNotFound, "Cannot find service '"+id+"'")
	requireStatus(t, c.DeleteService(t.Context(), remove), http.StatusBadRequest, "Service '"+id+"' is deleted")
	domains, err = c.ListServiceDomains(t.Context(), &fastly.ListServiceDomainInput{ServiceID: id})
	require.NoError(t, err)
	require.Empty(t, domains)
	backends, err := c.ListBackends(t.Context(), &fastly.ListBackendsInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	require.Empty(t, backends)
	gone, err := c.GetServiceDetails(t.Context(), &fastly.GetServiceInput{ServiceID: id})
	require.NoError(t, err)
	require.NotNil(t, gone.DeletedAt, "a deleted service still has details, which say so")
}

func TestServicesComeInPages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for i := range 5 {
		_, err := c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: ptr(fmt.Sprintf("site-%d", i))})
		require.NoError(t, err)
	}
	pages := c.GetServices(t.Context(), &fastly.GetServicesInput{PerPage: ptr(2), Direction: ptr("descend"), Sort: ptr("name")})
	var names []string
	for pages.HasNext() {
		page, err := pages.GetNext()
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), 2)
		for _, svc := range page {
			names = append(names, *svc.Name)
		}
	}
	require.Equal(t, []string{"site-4", "site-3", "site-2", "site-1", "site-0"}, names)
}

func TestVersionsAreEditedAsClones(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	erl, err := c.CreateERL(t.Context(),
		&fastly.CreateERLInput{ServiceID: id, ServiceVersion: 1, Name: ptr("limit"), RpsLimit: ptr(10)})
	require.NoError(t, err)
	activate(t, c, id, 1)

	edit := &fastly.UpdateBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin", Port: ptr(443)}
	_, err = c.UpdateBackend(t.Context(), edit)
	requireStatus(t, err, http.StatusUnprocessableEntity, "Version '1' for service '"+id+"' is locked")
	_, err = c.UpdateSettings(t.Context(), &fastly.UpdateSettingsInput{ServiceID: id, ServiceVersion: 1, DefaultTTL: ptr(uint(1))})
	requireStatus(t, err, http.StatusUnprocessableEntity, "Version locked")
	_, err = c.UpdateERL(t.Context(), &fastly.UpdateERLInput{ERLID: *erl.RateLimiterID, RpsLimit: ptr(11)})
	requireStatus(t, err, http.StatusUnprocessableEntity, "Version locked")
	_, err = c.UpdateVersion(t.Context(), &fastly.UpdateVersionInput{ServiceID: id, ServiceVersion: 1, Comment: ptr("live")})
	require.NoError(t, err, "the comment of a locked version can be changed")

	clone, err := c.CloneVersion(t.Context(), &fastly.CloneVersionInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	require.Equal(t, 2, *clone.Number)
	require.False(t, *clone.Locked)
	edit.ServiceVersion = 2
	backend, err := c.UpdateBackend(t.Context(), edit)
	require.NoError(t, err)
	require.Equal(t, 2, *backend.ServiceVersion)
	limits, err := c.ListERLs(t.Context(), &fastly.ListERLsInput{ServiceID: id, ServiceVersion: 2})
	require.NoError(t, err)
	require.NotEqual(t, erl.RateLimiterID, limits[0].RateLimiterID, "a clone has rate limiters of its own")
	activate(t, c, id, 2)

	versions, err := c.ListVersions(t.Context(), &fastly.ListVersionsInput{ServiceID: id})
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, []bool{false, true}, []bool{*versions[0].Active, *versions[1].Active})
	old, err := c.GetBackend(t.Context(), &fastly.GetBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin"})
	require.NoError(t, err)
	require.Equal(t, 80, *old.Port, "the clone shares nothing with its original")
	activate(t, c, id, 1) // a roll-back

	draft, err := c.CreateVersion(t.Context(), &fastly.CreateVersionInput{ServiceID: id, Comment: ptr("empty")})
	require.NoError(t, err)
	_, err = c.LockVersion(t.Context(), &fastly.LockVersionInput{ServiceID: id, ServiceVersion: *draft.Number})
	require.NoError(t, err)
	_, err = c.CreateGzip(t.Context(), &fastly.CreateGzipInput{ServiceID: id, ServiceVersion: *draft.Number, Name: ptr("gzip")})
	requireStatus(t, err, http.StatusUnprocessableEntity, "is locked")
}

func TestInvalidVersionIsNotActivated(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, c *fastly.Client, id string){
		"Backend 'origin' refers to unknown healthcheck 'none'": func(t *testing.T, c *fastly.Client, id string) {
			changeBackend(t, c, fastly.UpdateBackendInput{ServiceID: id, HealthCheck: ptr("none")})
		},
		"Backend 'origin' refers to unknown shield 'moon'": func(t *testing.T, c *fastly.Client, id string) {
			changeBackend(t, c, fastly.UpdateBackendInput{ServiceID: id, Shield: ptr("moon")})
		},
		"Snippet 'header': ": func(t *testing.T, c *fastly.Client, id string) {
			_, err := c.CreateSnippet(t.Context(), &fastly.CreateSnippetInput{ServiceID: id, ServiceVersion: 1, Name: ptr("header"),
				Type: ptr(fastly.SnippetTypeDeliver), Content: ptr("set resp.http.X = \"1\"")})
			require.NoError(t, err)
		},
		"Condition 'broken': ": func(t *testing.T, c *fastly.Client, id string) {
			_, err := c.CreateCondition(t.Context(), &fastly.CreateConditionInput{ServiceID: id, ServiceVersion: 1,
				Name: ptr("broken"), Type: ptr("REQUEST"), Statement: ptr("req.url ~")})
			require.NoError(t, err)
		},
		"Header 'broken': ": func(t *testing.T, c *fastly.Client, id string) {
			_, err := c.CreateHeader(t.Context(), &fastly.CreateHeaderInput{ServiceID: id, ServiceVersion: 1, Name: ptr("broken"),
				Action: ptr(fastly.HeaderActionSet), Type: ptr(fastly.HeaderTypeResponse), Destination: ptr("http.A"),
				Source: ptr("\"open")})
			require.NoError(t, err)
		},
		"Backend 'origin' refers to unknown condition 'none'": func(t *testing.T, c *fastly.Client, id string) {
			changeBackend(t, c, fastly.UpdateBackendInput{ServiceID: id, RequestCondition: ptr("none")})
		},
		"'request' as its cache_condition, which must be of type CACHE": func(t *testing.T, c *fastly.Client, id string) {
			_, err := c.CreateCondition(t.Context(), &fastly.CreateConditionInput{ServiceID: id, ServiceVersion: 1,
				Name: ptr("request"), Type: ptr("REQUEST"), Statement: ptr("req.url")})
			require.NoError(t, err)
			_, err = c.CreateGzip(t.Context(), &fastly.CreateGzipInput{ServiceID: id, ServiceVersion: 1, Name: ptr("gzip"),
				CacheCondition: ptr("request")})
			require.NoError(t, err)
		},
		"Domain 'taken.example.com' is already taken by service": func(t *testing.T, c *fastly.Client, id string) {
			activate(t, c, newService(t, c, "other", "taken.example.com"), 1)
			_, err := c.CreateDomain(t.Context(),
				&fastly.CreateDomainInput{ServiceID: id, ServiceVersion: 1, Name: ptr("taken.example.com")})
			require.NoError(t, err)
		},
	}
	for fault, arrange := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			id := newService(t, c, "site", "www.example.com")
			arrange(t, c, id)
			valid, message, err := c.ValidateVersion(t.Context(), &fastly.ValidateVersionInput{ServiceID: id, ServiceVersion: 1})
			require.NoError(t, err)
			require.False(t, valid)
			require.Contains(t, message, fault)
			_, err = c.ActivateVersion(t.Context(), &fastly.ActivateVersionInput{ServiceID: id, ServiceVersion: 1})
			requireStatus(t, err, http.StatusBadRequest, fault)
		})
	}
}

func changeBackend(t *testing.T, c *fastly.Client, change fastly.UpdateBackendInput) {
	t.Helper()
	change.ServiceVersion, change.Name = 1, "origin"
	_, err := c.UpdateBackend(t.Context(), &change)
	require.NoError(t, err)
}

func TestBadObjectsAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	tests := map[string]struct {
		create func() error
		status int
	}{
		"Duplicate backend: 'origin'": {func() error {
			_, err := c.CreateBackend(t.Context(), &fastly.CreateBackendInput{ServiceID: id, ServiceVersion: 1,
				Name: ptr("origin"), Address: ptr("192.0.2.1")})
			return err
		}, http.StatusConflict},
		"address can't be blank": {func() error {
			_, err := c.CreateBackend(t.Context(), &fastly.CreateBackendInput{ServiceID: id, ServiceVersion: 1, Name: ptr("x")})
			return err
		}, http.StatusBadRequest},
		"Name can't be blank": {func() error {
			_, err := c.CreateGzip(t.Context(), &fastly.CreateGzipInput{ServiceID: id, ServiceVersion: 1})
			return err
		}, http.StatusBadRequest},
		"'not a domain' is not a valid domain name": {func() error {
			_, err := c.CreateDomain(t.Context(),
				&fastly.CreateDomainInput{ServiceID: id, ServiceVersion: 1, Name: ptr("not a domain")})
			return err
		}, http.StatusBadRequest},
		"Name must start with alphabetical": {func() error {
			_, err := c.CreateDictionary(t.Context(),
				&fastly.CreateDictionaryInput{ServiceID: id, ServiceVersion: 1, Name: ptr("a-b")})
			return err
		}, http.StatusBadRequest},
		"Couldn't find Version": {func() error {
			_, err := c.GetVersion(t.Context(), &fastly.GetVersionInput{ServiceID: id, ServiceVersion: 9})
			return err
		}, http.StatusNotFound},
		"GET /service/" + id + "/diff/from/1/to/2 is not simulated": {func() error {
			_, err := c.GetDiff(t.Context(), &fastly.GetDiffInput{ServiceID: id, From: 1, To: 2})
			return err
		}, http.StatusNotFound},
	}
	for fault, test := range tests {
		requireStatus(t, test.create(), test.status, fault)
	}
}

func TestEmptyText(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	backend, err := c.UpdateBackend(t.Context(), &fastly.UpdateBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin",
		OverrideHost: ptr(""), ShareKey: ptr("")})
	require.NoError(t, err)
	require.Nil(t, backend.OverrideHost)
	require.Nil(t, backend.ShareKey)
	log, err := c.CreateHTTPS(t.Context(),
		&fastly.CreateHTTPSInput{ServiceID: id, ServiceVersion: 1, Name: ptr("log"), Format: ptr("")})
	require.NoError(t, err)
	require.Empty(t, *log.Format, "is kept where there would be a default")
	gzip, err := c.CreateGzip(t.Context(), &fastly.CreateGzipInput{ServiceID: id, ServiceVersion: 1, Name: ptr("gzip"),
		Extensions: ptr("")})
	require.NoError(t, err)
	require.Contains(t, *gzip.Extensions, "html", "is the default of what is compressed")
	require.Contains(t, *gzip.ContentTypes, "text/html")
}

func TestVersionlessContent(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	acl, err := c.CreateACL(t.Context(), &fastly.CreateACLInput{ServiceID: id, ServiceVersion: 1, Name: ptr("office")})
	require.NoError(t, err)
	dictionary, err := c.CreateDictionary(t.Context(),
		&fastly.CreateDictionaryInput{ServiceID: id, ServiceVersion: 1, Name: ptr("flags")})
	require.NoError(t, err)
	snippet, err := c.CreateSnippet(t.Context(), &fastly.CreateSnippetInput{ServiceID: id, ServiceVersion: 1, Name: ptr("dynamic"),
		Type: ptr(fastly.SnippetTypeRecv), Dynamic: ptr(1), Content: ptr("set req.http.A = 1;")})
	require.NoError(t, err)
	require.Nil(t, snippet.Content)
	activate(t, c, id, 1) // and all of it can still be changed

	entry, err := c.CreateACLEntry(t.Context(), &fastly.CreateACLEntryInput{ServiceID: id, ACLID: *acl.ACLID, IP: ptr("192.0.2.0"),
		Subnet: ptr(24), Negated: ptr(fastly.Compatibool(true))})
	require.NoError(t, err)
	entry, err = c.UpdateACLEntry(t.Context(), &fastly.UpdateACLEntryInput{ServiceID: id, ACLID: *acl.ACLID, EntryID: *entry.EntryID,
		Comment: ptr("desks")})
	require.NoError(t, err)
	require.Equal(t, "192.0.2.0/24 true desks", fmt.Sprintf("%s/%d %t %s", *entry.IP, *entry.Subnet, *entry.Negated, *entry.Comment))
	require.NoError(t, c.BatchModifyACLEntries(t.Context(), &fastly.BatchModifyACLEntriesInput{ServiceID: id, ACLID: *acl.ACLID,
		Entries: []*fastly.BatchACLEntry{
			{Operation: ptr(fastly.CreateBatchOperation), IP: ptr("198.51.100.1")},
			{Operation: ptr(fastly.DeleteBatchOperation), EntryID: entry.EntryID},
		}}))
	entries, err := c.ListACLEntries(t.Context(), &fastly.ListACLEntriesInput{ServiceID: id, ACLID: *acl.ACLID})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "198.51.100.1", *entries[0].IP)

	require.NoError(t, c.BatchModifyDictionaryItems(t.Context(), &fastly.BatchModifyDictionaryItemsInput{ServiceID: id,
		DictionaryID: *dictionary.DictionaryID, Items: []*fastly.BatchDictionaryItem{
			{Operation: ptr(fastly.CreateBatchOperation), ItemKey: ptr("a"), ItemValue: ptr("1")},
			{Operation: ptr(fastly.UpsertBatchOperation), ItemKey: ptr("b"), ItemValue: ptr("2")},
			{Operation: ptr(fastly.UpsertBatchOperation), ItemKey: ptr("a"), ItemValue: ptr("3")},
		}}))
	item, err := c.GetDictionaryItem(t.Context(),
		&fastly.GetDictionaryItemInput{ServiceID: id, DictionaryID: *dictionary.DictionaryID, ItemKey: "a"})
	require.NoError(t, err)
	require.Equal(t, "3", *item.ItemValue)
	info, err := c.GetDictionaryInfo(t.Context(), &fastly.GetDictionaryInfoInput{ServiceID: id, ServiceVersion: 1,
		DictionaryID: *dictionary.DictionaryID})
	require.NoError(t, err)
	require.Equal(t, 2, *info.ItemCount)

	_, err = c.UpdateDynamicSnippet(t.Context(), &fastly.UpdateDynamicSnippetInput{ServiceID: id, SnippetID: *snippet.SnippetID,
		Content: ptr("set req.http.A = 2;")})
	require.NoError(t, err)
	content, err := c.GetDynamicSnippet(t.Context(), &fastly.GetDynamicSnippetInput{ServiceID: id, SnippetID: *snippet.SnippetID})
	require.NoError(t, err)
	require.Equal(t, "set req.http.A = 2;", *content.Content)
}

func TestSettingsOfAVersion(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	settings, err := c.GetSettings(t.Context(), &fastly.GetSettingsInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	require.EqualValues(t, 3600, *settings.DefaultTTL)
	require.EqualValues(t, 43200, *settings.StaleIfErrorTTL)
	_, err = c.UpdateSettings(t.Context(), &fastly.UpdateSettingsInput{ServiceID: id, ServiceVersion: 1, DefaultTTL: ptr(uint(0)),
		DefaultHost: ptr("example.com"), StaleIfError: ptr(true)})
	require.NoError(t, err)

	http3 := &fastly.GetHTTP3Input{ServiceID: id, ServiceVersion: 1}
	_, err = c.GetHTTP3(t.Context(), http3)
	requireStatus(t, err, http.StatusNotFound, "Not found")
	require.NoError(t, c.DisableHTTP3(t.Context(), &fastly.DisableHTTP3Input{ServiceID: id, ServiceVersion: 1}))
	enable := &fastly.EnableHTTP3Input{ServiceID: id, ServiceVersion: 1, FeatureRevision: ptr(1)}
	_, err = c.EnableHTTP3(t.Context(), enable)
	require.NoError(t, err)
	_, err = c.EnableHTTP3(t.Context(), enable)
	requireStatus(t, err, http.StatusBadRequest, "already enabled")

	_, err = c.CloneVersion(t.Context(), &fastly.CloneVersionInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	settings, err = c.GetSettings(t.Context(), &fastly.GetSettingsInput{ServiceID: id, ServiceVersion: 2})
	require.NoError(t, err)
	require.Zero(t, *settings.DefaultTTL)
	require.Equal(t, "example.com", *settings.DefaultHost)
	require.True(t, *settings.StaleIfError)
	http3.ServiceVersion = 2
	_, err = c.GetHTTP3(t.Context(), http3)
	require.NoError(t, err)
}

func TestDirectorsAndMainVCL(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	_, err := c.CreateDirector(t.Context(), &fastly.CreateDirectorInput{ServiceID: id, ServiceVersion: 1, Name: ptr("pair")})
	require.NoError(t, err)
	member := &fastly.CreateDirectorBackendInput{ServiceID: id, ServiceVersion: 1, Director: "pair", Backend: "none"}
	_, err = c.CreateDirectorBackend(t.Context(), member)
	requireStatus(t, err, http.StatusNotFound, "Couldn't find Backend")
	member.Backend = "origin"
	_, err = c.CreateDirectorBackend(t.Context(), member)
	require.NoError(t, err)
	director, err := c.GetDirector(t.Context(), &fastly.GetDirectorInput{ServiceID: id, ServiceVersion: 1, Name: "pair"})
	require.NoError(t, err)
	require.Equal(t, []string{"origin"}, director.Backends)
	require.NoError(t, c.DeleteDirectorBackend(t.Context(),
		&fastly.DeleteDirectorBackendInput{ServiceID: id, ServiceVersion: 1, Director: "pair", Backend: "origin"}))

	for _, name := range []string{"first", "second"} {
		_, err = c.CreateVCL(t.Context(), &fastly.CreateVCLInput{ServiceID: id, ServiceVersion: 1, Name: &name, Content: ptr("sub {}"),
			Main: ptr(name == "first")})
		require.NoError(t, err)
	}
	_, err = c.ActivateVCL(t.Context(), &fastly.ActivateVCLInput{ServiceID: id, ServiceVersion: 1, Name: "second"})
	require.NoError(t, err)
	files, err := c.ListVCLs(t.Context(), &fastly.ListVCLsInput{ServiceID: id, ServiceVersion: 1})
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, []bool{*files[0].Main, *files[1].Main})
}

func TestProducts(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	id := newService(t, c, "site", "www.example.com")
	_, err := websockets.Get(t.Context(), c, id)
	requireStatus(t, err, http.StatusBadRequest, "no product on service")
	_, err = websockets.Enable(t.Context(), c, id)
	require.NoError(t, err)
	enabled, err := websockets.Get(t.Context(), c, id)
	require.NoError(t, err)
	require.Equal(t, "websockets", *enabled.Product.ID)
	require.NoError(t, websockets.Disable(t.Context(), c, id))
	require.NoError(t, brotlicompression.Disable(t.Context(), c, id), "what is not enabled can be disabled")
	_, err = fanout.Enable(t.Context(), c, id)
	requireStatus(t, err, http.StatusBadRequest, "fanout is for Compute services")

	_, err = ngwaf.Enable(t.Context(), c, id, ngwaf.EnableInput{WorkspaceID: "workspace"})
	require.NoError(t, err)
	_, err = ngwaf.UpdateConfiguration(t.Context(), c, id, ngwaf.ConfigureInput{TrafficRamp: "45"})
	require.NoError(t, err)
	configured, err := ngwaf.GetConfiguration(t.Context(), c, id)
	require.NoError(t, err)
	require.Equal(t, "workspace 45", *configured.Configuration.WorkspaceID+" "+*configured.Configuration.TrafficRamp)

	options := fastly.CreateRequestOptions()
	old, err := c.PutJSON(t.Context(), "/enabled-products/brotli_compression/services/"+id, struct{}{}, options)
	require.NoError(t, err, "the path of clients before go-fastly 10")
	require.NoError(t, old.Body.Close())
	_, err = brotlicompression.Get(t.Context(), c, id)
	require.NoError(t, err)
}

func TestLookUps(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ipv4, ipv6, err := c.AllIPs(t.Context())
	require.NoError(t, err)
	require.Contains(t, ipv4, "151.101.0.0/16")
	require.Len(t, ipv6, 2)
	datacenters, err := c.AllDatacenters(t.Context())
	require.NoError(t, err)
	var shields []string
	for _, d := range datacenters {
		shields = append(shields, *d.Shield)
	}
	require.Subset(t, shields, []string{"lga-ny-us", "iad-va-us", "ewr-nj-us", "frankfurt-de"})
	user, err := c.GetCurrentUser(t.Context())
	require.NoError(t, err)
	self, err := c.GetTokenSelf(t.Context())
	require.NoError(t, err)
	require.Equal(t, *user.UserID, *self.UserID)
}

func TestTokenIsRequired(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Dir: t.TempDir()})
	require.ErrorContains(t, err, "a token is required")
	_, url := serve(t, t.TempDir())
	for _, wrong := range []string{"", "another"} {
		c := connect(t, url, wrong)
		_, err := c.GetCurrentUser(t.Context())
		requireStatus(t, err, http.StatusUnauthorized, "Provided credentials are missing or invalid")
		_, _, err = c.AllIPs(t.Context())
		require.NoError(t, err, "the IP list is public")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	api, url := serve(t, t.TempDir())
	c := connect(t, url, token)
	require.NoError(t, api.Faults().Add(simulation.Fault{Path: "^/datacenters$", Status: http.StatusTooManyRequests, Times: 1}))
	_, err := c.AllDatacenters(t.Context())
	requireStatus(t, err, http.StatusTooManyRequests, "Too Many Requests")
	_, err = c.AllDatacenters(t.Context())
	require.NoError(t, err, "the fault is spent")

	list := bytes.NewBufferString(`[{"method":"POST","path":"^/service$","status":503}]`)
	posted, err := http.Post(url+simulation.FaultsPath, "application/json", list)
	require.NoError(t, err)
	require.NoError(t, posted.Body.Close())
	_, err = c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: ptr("site")})
	requireStatus(t, err, http.StatusServiceUnavailable, "a simulated fault")
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := serve(t, dir)
	c := connect(t, url, token)
	id := newService(t, c, "site", "www.example.com")
	activate(t, c, id, 1)
	_, err := websockets.Enable(t.Context(), c, id)
	require.NoError(t, err)
	_, err = c.PurgeKeys(t.Context(), &fastly.PurgeKeysInput{ServiceID: id, Keys: []string{"a", "b"}, Soft: true})
	require.NoError(t, err)
	_, err = c.PurgeKey(t.Context(), &fastly.PurgeKeyInput{ServiceID: id, Key: "c"})
	require.NoError(t, err)
	_, err = c.PurgeAll(t.Context(), &fastly.PurgeAllInput{ServiceID: id})
	require.NoError(t, err)
	before, err := c.GetBackend(t.Context(), &fastly.GetBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin"})
	require.NoError(t, err)

	api, url := serve(t, dir)
	c = connect(t, url, token)
	after, err := c.GetBackend(t.Context(), &fastly.GetBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin"})
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = websockets.Get(t.Context(), c, id)
	require.NoError(t, err)
	_, err = c.UpdateBackend(t.Context(), &fastly.UpdateBackendInput{ServiceID: id, ServiceVersion: 1, Name: "origin", Port: ptr(1)})
	requireStatus(t, err, http.StatusUnprocessableEntity, "Version locked")
	api.store.View(func(s *state) {
		require.Len(t, s.Purges, 3)
		require.Equal(t, []string{"a", "b"}, s.Purges[0].Keys)
		require.True(t, s.Purges[0].Soft)
	})
}
