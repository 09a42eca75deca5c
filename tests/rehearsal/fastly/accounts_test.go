package fastly

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/fastly/go-fastly/v12/fastly/domainmanagement/v1/domains"
	"github.com/stretchr/testify/require"
)

// An accountTest is an account of some sort, with a service that is active and has no domains.
type accountTest struct {
	*testing.T
	api     *API
	url     string
	c       *fastly.Client
	service string

	mu sync.Mutex
	// records are the aliases that authorities find.
	records map[string]string
}

func newAccountTest(t *testing.T, sort string) *accountTest {
	t.Helper()
	test := &accountTest{T: t, records: map[string]string{}}
	api, err := New(Options{Dir: t.TempDir(), Token: token, Account: sort, Resolve: func(name string) string {
		test.mu.Lock()
		defer test.mu.Unlock()
		return test.records[name]
	}})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	test.api, test.url, test.c = api, server.URL, connect(t, server.URL, token)
	made, err := test.c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: ptr("site"), Type: ptr("vcl")})
	require.NoError(t, err)
	test.service = *made.ServiceID
	_, err = test.c.CreateBackend(t.Context(), &fastly.CreateBackendInput{
		ServiceID: test.service, ServiceVersion: 1, Name: ptr("origin"), Address: ptr("origin.example.com"),
	})
	require.NoError(t, err)
	activate(t, test.c, test.service, 1)
	return test
}

func (t *accountTest) publish(name, target string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records[name] = target
}

func (t *accountTest) newDomain(fqdn string) (*domains.Data, error) {
	return domains.Create(t.Context(), t.c, &domains.CreateInput{FQDN: &fqdn, ServiceID: &t.service})
}

func (t *accountTest) order(authority string, names ...string) (*fastly.TLSSubscription, error) {
	input := &fastly.CreateTLSSubscriptionInput{CertificateAuthority: authority}
	for _, name := range names {
		input.Domains = append(input.Domains, &fastly.TLSDomain{ID: name})
	}
	return t.c.CreateTLSSubscription(t.Context(), input)
}

func (t *accountTest) look(id string) *fastly.TLSSubscription {
	t.Helper()
	found, err := t.c.GetTLSSubscription(t.Context(),
		&fastly.GetTLSSubscriptionInput{ID: id, Include: ptr("tls_authorizations")})
	require.NoError(t, err)
	return found
}

func (t *accountTest) get(path string) (answer map[string]any) {
	t.Helper()
	response, err := t.c.Get(t.Context(), path, fastly.CreateRequestOptions())
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.NoError(t, response.Body.Close())
	return answer
}

func TestNewAccountsHaveNoClassicDomains(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "new")
	_, err := test.c.CloneVersion(t.Context(), &fastly.CloneVersionInput{ServiceID: test.service, ServiceVersion: 1})
	require.NoError(t, err)
	_, err = test.c.CreateDomain(t.Context(), &fastly.CreateDomainInput{
		ServiceID: test.service, ServiceVersion: 2, Name: ptr("www.example.com"),
	})
	requireStatus(t, err, http.StatusBadRequest, "The classic domains APIs are deprecated. Please use the domain management API")
	require.Equal(t, "2026-01-15T00:00:00Z", test.get("/current_customer")["created_at"])
}

func TestDomainManagement(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "new")
	made, err := test.newDomain("www.example.com")
	require.NoError(t, err)
	require.Equal(t, test.service, *made.ServiceID)
	_, err = test.newDomain("www.example.com")
	requireStatus(t, err, http.StatusBadRequest, "fqdn has already been taken")
	_, err = test.newDomain("no domain")
	requireStatus(t, err, http.StatusBadRequest, "Invalid value for fqdn")
	_, err = domains.Create(t.Context(), test.c, &domains.CreateInput{FQDN: ptr("a.example.com"), ServiceID: ptr("none")})
	requireStatus(t, err, http.StatusBadRequest, "Invalid value for service_id")

	loose, err := domains.Update(t.Context(), test.c, &domains.UpdateInput{DomainID: &made.DomainID, Description: ptr("a site")})
	require.NoError(t, err)
	require.Nil(t, loose.ServiceID)
	require.Equal(t, "a site", loose.Description)
	for _, fqdn := range []string{"a.example.com", "b.example.com"} {
		_, err = test.newDomain(fqdn)
		require.NoError(t, err)
	}
	page, err := domains.List(t.Context(), test.c, &domains.ListInput{Limit: ptr(2), ServiceID: &test.service})
	require.NoError(t, err)
	require.Equal(t, []int{2, 2}, []int{len(page.Data), page.Meta.Total})
	all, err := domains.List(t.Context(), test.c, &domains.ListInput{Limit: ptr(2)})
	require.NoError(t, err)
	rest, err := domains.List(t.Context(), test.c, &domains.ListInput{Limit: ptr(2), Cursor: &all.Meta.NextCursor})
	require.NoError(t, err)
	require.Equal(t, []string{"a.example.com", "b.example.com", "www.example.com"},
		[]string{all.Data[0].FQDN, all.Data[1].FQDN, rest.Data[0].FQDN})
	require.Empty(t, rest.Meta.NextCursor)

	require.NoError(t, domains.Delete(t.Context(), test.c, &domains.DeleteInput{DomainID: &made.DomainID}))
	_, err = domains.Get(t.Context(), test.c, &domains.GetInput{DomainID: &made.DomainID})
	requireStatus(t, err, http.StatusNotFound, "Not found")
	for _, letter := range strings.Split("cdefghij", "") {
		_, err = test.newDomain(letter + ".example.com")
		require.NoError(t, err)
	}
	_, err = test.newDomain("k.example.com")
	requireStatus(t, err, http.StatusBadRequest, "Exceeding max number of domains: 10")
}

// A classic domain is in domain management too, so that it is led to its service there, and not made anew.
func TestClassicDomainsMoveToDomainManagement(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t) // a service with example.com and *.example.com
	_, err := domains.Create(t.Context(), test.c, &domains.CreateInput{FQDN: ptr("example.com")})
	requireStatus(t, err, http.StatusBadRequest, "fqdn has already been taken")
	listed, err := domains.List(t.Context(), test.c, &domains.ListInput{FQDN: ptr("example.com")})
	require.NoError(t, err)
	services, err := test.c.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	for _, one := range listed.Data {
		require.Nil(t, one.ServiceID)
		moved, err := domains.Update(t.Context(), test.c, &domains.UpdateInput{
			DomainID: &one.DomainID, ServiceID: services[0].ServiceID,
		})
		require.NoError(t, err)
		require.Equal(t, one.DomainID, moved.DomainID)
	}
}

// A certificate for a wildcard serves the names below it, without the wildcard being on any service.
func TestAWildcardIsActivatedForTheNamesBelow(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "new")
	tls := &tlsTest{t, test.api, test.url, test.c}
	_, certificate := tls.certify("one", "example.com", "*.example.com")
	_, err := tls.enable(certificate.ID, "", "*.example.com")
	requireStatus(t, err, http.StatusBadRequest, "domain *.example.com is on no active service")
	made, err := test.newDomain("www.example.com")
	require.NoError(t, err)
	_, err = tls.enable(certificate.ID, "", "*.example.com")
	require.NoError(t, err)
	_, err = tls.enable(certificate.ID, "", "example.com")
	requireStatus(t, err, http.StatusBadRequest, "domain example.com is on no active service")
	described := test.get("/domain-management/v1/domains/" + made.DomainID)
	require.Equal(t, []any{true, true}, []any{described["activated"], described["verified"]})
}

// The way of a subscription, as recorded in go-fastly's fixtures/tls_subscription, and on to its certificate.
func TestASubscriptionIsIssuedOnceItsNamesAreProven(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "new")
	_, err := test.order("certainly", "www.example.com")
	requireStatus(t, err, http.StatusBadRequest, "Please add www.example.com to an active service to begin TLS enablement")
	_, err = test.newDomain("www.example.com")
	require.NoError(t, err)
	made, err := test.order("certainly", "www.example.com")
	require.NoError(t, err)
	require.Equal(t, "pending", made.State)
	require.Equal(t, "www.example.com", made.CommonName.ID)
	require.Len(t, made.Authorizations, 1)
	challenges := made.Authorizations[0].Challenges
	require.Equal(t, []string{"managed-dns", "managed-http-cname", "managed-http-a"},
		[]string{challenges[0].Type, challenges[1].Type, challenges[2].Type})
	require.Equal(t, "_acme-challenge.www.example.com", challenges[0].RecordName)
	require.Equal(t, "CNAME", challenges[0].RecordType)
	require.True(t, strings.HasSuffix(challenges[0].Values[0], ".fastly-validations.com"))
	require.Equal(t, []string{"t.sni.global.fastly.net"}, challenges[1].Values)

	test.publish(challenges[0].RecordName, "elsewhere.example.net")
	require.Equal(t, "pending", test.look(made.ID).State)
	require.Empty(t, test.api.Activations())
	test.publish(challenges[0].RecordName, challenges[0].Values[0])
	require.Equal(t, "processing", test.look(made.ID).State)
	issued := test.look(made.ID)
	require.Equal(t, "issued", issued.State)
	require.Len(t, issued.Certificates, 1)
	require.Equal(t, "www.example.com", test.api.Activations()[0].Domain, "Fastly has it served")
	_, err = test.order("lets-encrypt", "www.example.com")
	requireStatus(t, err, http.StatusBadRequest, "is on another subscription")

	remove := func(force bool) error {
		return test.c.DeleteTLSSubscription(t.Context(), &fastly.DeleteTLSSubscriptionInput{ID: made.ID, Force: force})
	}
	requireStatus(t, remove(false), http.StatusBadRequest, "force it")
	require.NoError(t, remove(true))
	requireStatus(t, remove(true), http.StatusNotFound, "The subscription you requested was not found")
	require.Empty(t, test.api.Activations())
}

func TestASubscriptionCanGetOtherNames(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "new")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		_, err := test.newDomain(name)
		require.NoError(t, err)
	}
	made, err := test.order("lets-encrypt", "a.example.com")
	require.NoError(t, err)
	changed, err := test.c.UpdateTLSSubscription(t.Context(), &fastly.UpdateTLSSubscriptionInput{
		ID: made.ID, CommonName: &fastly.TLSDomain{ID: "b.example.com"},
		Domains: []*fastly.TLSDomain{{ID: "a.example.com"}, {ID: "b.example.com"}},
	})
	require.NoError(t, err)
	require.Equal(t, "b.example.com", changed.CommonName.ID)
	require.Len(t, changed.Authorizations, 2)
	listed, err := test.c.ListTLSSubscriptions(t.Context(), &fastly.ListTLSSubscriptionsInput{FilterTLSDomainsID: "b.example.com"})
	require.NoError(t, err)
	require.Len(t, listed, 1)
}

func TestATrialHasItsLimits(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "trial")
	_, err := test.c.CreatePrivateKey(t.Context(), &fastly.CreatePrivateKeyInput{Key: pkcs8(t, newKey(t)), Name: "one"})
	requireStatus(t, err, http.StatusBadRequest, "for paid accounts")
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com", "*.example.org"} {
		_, err := test.newDomain(name)
		require.NoError(t, err)
	}
	_, err = test.order("globalsign", "a.example.com")
	requireStatus(t, err, http.StatusBadRequest, "only for paid accounts")
	_, err = test.order("certainly", "*.example.org")
	requireStatus(t, err, http.StatusBadRequest, "only for paid accounts")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		_, err := test.order("certainly", name)
		require.NoError(t, err)
	}
	_, err = test.order("certainly", "c.example.com")
	requireStatus(t, err, http.StatusBadRequest, "You have reached the max number of certificates")
}

func TestProductsThatAreNotBoughtOrEverywhere(t *testing.T) {
	t.Parallel()
	status := func(test *accountTest, method, product string) (int, string) {
		response, err := test.c.Request(t.Context(), method,
			fastly.ToSafeURL("enabled-products", "v1", product, "services", test.service), fastly.CreateRequestOptions())
		if failed := (*fastly.HTTPError)(nil); err != nil {
			require.ErrorAs(t, err, &failed)
			return failed.StatusCode, failed.Error()
		}
		require.NoError(t, response.Body.Close())
		return response.StatusCode, ""
	}
	lacking := newAccountTest(t, "new")
	require.Equal(t, false, lacking.get("/entitled-products/image_optimizer")["has_access"])
	require.Equal(t, true, lacking.get("/entitled-products/brotli_compression")["has_access"])
	code, said := status(lacking, http.MethodPut, "image_optimizer")
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, said, "not entitled to enable")

	everywhere := newAccountTest(t, "products-everywhere")
	code, _ = status(everywhere, http.MethodGet, "origin_inspector")
	require.Equal(t, http.StatusOK, code, "nobody enabled it on this service")
	code, said = status(everywhere, http.MethodDelete, "origin_inspector")
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, said, "product cannot be disabled")
}

func TestAnAccountBeforeTLS(t *testing.T) {
	t.Parallel()
	test := newAccountTest(t, "without-tls")
	list, err := test.c.ListCustomTLSConfigurations(t.Context(), &fastly.ListCustomTLSConfigurationsInput{})
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestSortsOfAccountsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Dir: t.TempDir(), Token: token, Account: "free"})
	require.EqualError(t, err, `fastly: there is no account "free", only new, products-everywhere, trial, usual, without-tls`)
}
