package fastly

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/simulation"
)

// tlsTest is an account whose service answers for example.com and *.example.com.
type tlsTest struct {
	*testing.T
	api *API
	url string
	c   *fastly.Client
}

func newTLSTest(t *testing.T) *tlsTest {
	t.Helper()
	api, url := serve(t, t.TempDir())
	c := connect(t, url, token)
	id := newService(t, c, "site", "example.com")
	_, err := c.CreateDomain(t.Context(), &fastly.CreateDomainInput{ServiceID: id, ServiceVersion: 1, Name: ptr("*.example.com")})
	require.NoError(t, err)
	activate(t, c, id, 1)
	return &tlsTest{t, api, url, c}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func encode(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

func pkcs8(t *testing.T, key crypto.Signer) string {
	t.Helper()
	content, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return encode("PRIVATE KEY", content)
}

// issue makes a self-signed certificate for some names, valid for some days from yesterday on.
func issue(t *testing.T, key crypto.Signer, days int, names ...string) string {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, DNSNames: names, Subject: pkix.Name{CommonName: "issued.example.com"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Duration(days) * 24 * time.Hour),
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return encode("CERTIFICATE", content)
}

func (t *tlsTest) upload(key crypto.Signer, name string) *fastly.PrivateKey {
	t.Helper()
	made, err := t.c.CreatePrivateKey(t.Context(), &fastly.CreatePrivateKeyInput{Key: pkcs8(t.T, key), Name: name})
	require.NoError(t, err)
	return made
}

func (t *tlsTest) create(blob, name string) (*fastly.CustomTLSCertificate, error) {
	return t.c.CreateCustomTLSCertificate(t.Context(), &fastly.CreateCustomTLSCertificateInput{CertBlob: blob, Name: name})
}

func (t *tlsTest) update(id, blob string) (*fastly.CustomTLSCertificate, error) {
	return t.c.UpdateCustomTLSCertificate(t.Context(), &fastly.UpdateCustomTLSCertificateInput{ID: id, CertBlob: blob})
}

// certify uploads a new key and a certificate of it.
func (t *tlsTest) certify(name string, domains ...string) (*ecdsa.PrivateKey, *fastly.CustomTLSCertificate) {
	t.Helper()
	key := newKey(t.T)
	t.upload(key, name)
	made, err := t.create(issue(t.T, key, 90, domains...), name)
	require.NoError(t, err)
	return key, made
}

func (t *tlsTest) enable(certificate, configuration, domain string) (*fastly.TLSActivation, error) {
	input := &fastly.CreateTLSActivationInput{
		Certificate: &fastly.CustomTLSCertificate{ID: certificate}, Domain: &fastly.TLSDomain{ID: domain},
	}
	if configuration != "" {
		input.Configuration = &fastly.TLSConfiguration{ID: configuration}
	}
	return t.c.CreateTLSActivation(t.Context(), input)
}

func (t *tlsTest) activations(input fastly.ListTLSActivationsInput) (domains []string) {
	t.Helper()
	list, err := t.c.ListTLSActivations(t.Context(), &input)
	require.NoError(t, err)
	for _, a := range list {
		domains = append(domains, a.Domain.ID)
	}
	return domains
}

// The way of a domain to TLS and back, as a client goes it.
func TestCustomTLS(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	begin := time.Now().Add(-time.Second)
	key, certificate := test.certify("site example.com", "example.com", "*.example.com")
	require.Equal(t, "issued.example.com", certificate.IssuedTo)
	require.Equal(t, "ECDSA-SHA256", certificate.SignatureAlgorithm)
	require.WithinDuration(t, time.Now().Add(90*24*time.Hour), *certificate.NotAfter, time.Minute)
	require.Equal(t, "*.example.com", certificate.Domains[1].ID)

	for _, domain := range []string{"example.com", "*.example.com"} {
		made, err := test.enable(certificate.ID, "", domain)
		require.NoError(t, err)
		got, err := test.c.GetTLSActivation(t.Context(), &fastly.GetTLSActivationInput{ID: made.ID,
			Include: ptr("tls_certificate,tls_configuration,tls_domain")})
		require.NoError(t, err)
		require.Equal(t, "site example.com", got.Certificate.Name, "included")
		require.Equal(t, newAccountsConfiguration().ID, got.Configuration.ID, "the default one")
		require.Equal(t, domain, got.Domain.ID)
	}

	next := newKey(t)
	test.upload(next, "site example.com")
	replaced, err := test.update(certificate.ID, issue(t, next, 180, "example.com", "*.example.com", "more.example.com"))
	require.NoError(t, err)
	require.Equal(t, "site example.com", replaced.Name, "as it was")
	require.NotEqual(t, certificate.SerialNumber, replaced.SerialNumber)
	served := test.api.Activations()
	require.Len(t, served, 2, "a replacement leaves the activations alone")
	require.Equal(t, "example.com", served[0].Domain, "in the order of activation")
	require.Equal(t, "site example.com", served[0].Certificate)
	require.WithinDuration(t, *replaced.NotAfter, served[0].NotAfter, 0)
	require.WithinRange(t, served[0].Since, begin, time.Now())

	unused, err := test.c.ListPrivateKeys(t.Context(), &fastly.ListPrivateKeysInput{FilterInUse: "false"})
	require.NoError(t, err)
	require.Len(t, unused, 1)
	sum, err := publicKeySHA1(key.Public())
	require.NoError(t, err)
	require.Equal(t, sum, unused[0].PublicKeySHA1, "the replaced one is free")
	require.NoError(t, test.c.DeletePrivateKey(t.Context(), &fastly.DeletePrivateKeyInput{ID: unused[0].ID}))

	list, err := test.c.ListTLSActivations(t.Context(), &fastly.ListTLSActivationsInput{})
	require.NoError(t, err)
	for _, a := range list {
		require.NoError(t, test.c.DeleteTLSActivation(t.Context(), &fastly.DeleteTLSActivationInput{ID: a.ID}))
	}
	require.NoError(t, test.c.DeleteCustomTLSCertificate(t.Context(),
		&fastly.DeleteCustomTLSCertificateInput{ID: certificate.ID}))
	require.Empty(t, test.api.Activations())
}

func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	key := newKey(t)
	made := test.upload(key, "one")
	require.Nil(t, made.CreatedAt, "Fastly says that later")
	got, err := test.c.GetPrivateKey(t.Context(), &fastly.GetPrivateKeyInput{ID: made.ID})
	require.NoError(t, err)
	require.NotNil(t, got.CreatedAt)
	require.Equal(t, []any{"one", "ECDSA", 256}, []any{got.Name, got.KeyType, got.KeyLength})

	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	require.Equal(t, 2048, test.upload(weak, "rsa").KeyLength)
	strong, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	const format = "key must be an unencrypted private key in PEM and PKCS#8"
	for name, refused := range map[string]struct{ key, detail string }{
		"again":       {pkcs8(t, key), "public_key_sha1 has already been taken"},
		"no PEM":      {"secret", format},
		"no key":      {issue(t, key, 1, "example.com"), format},
		"PKCS#1":      {encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)), format},
		"SEC 1":       {encode("EC PRIVATE KEY", sec1), format},
		"wrong label": {encode("PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)), format},
		"too long":    {pkcs8(t, strong), "key must have 2048 bits"},
		"Ed25519":     {pkcs8(t, edwards), "key must be of type RSA or ECDSA"},
	} {
		_, err := test.c.CreatePrivateKey(t.Context(), &fastly.CreatePrivateKeyInput{Key: refused.key, Name: name})
		requireStatus(t, err, http.StatusBadRequest, refused.detail)
		require.NotContains(t, err.Error(), "secret", "the key is not repeated")
	}
	_, err = test.create(issue(t, key, 90, "example.com"), "one")
	require.NoError(t, err)
	requireStatus(t, test.c.DeletePrivateKey(t.Context(), &fastly.DeletePrivateKeyInput{ID: made.ID}),
		http.StatusBadRequest, "the key is matched to a certificate")
	requireStatus(t, test.c.DeletePrivateKey(t.Context(), &fastly.DeletePrivateKeyInput{ID: "none"}),
		http.StatusNotFound, "The private key you requested was not found")
	_, err = test.c.GetPrivateKey(t.Context(), &fastly.GetPrivateKeyInput{ID: "none"})
	requireStatus(t, err, http.StatusNotFound, "Not found")
}

func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	key, certificate := test.certify("one", "example.com", "*.example.com")
	const format = "cert_blob must be certificates in PEM, and nothing else"
	for name, refused := range map[string]struct{ blob, detail string }{
		"another key":   {issue(t, newKey(t), 90, "example.com", "*.example.com"), "no private key matches the certificate"},
		"expired":       {issue(t, key, -1, "example.com", "*.example.com"), "certificate expired at"},
		"without names": {issue(t, key, 90), "need at least one DNS name, got none"},
		"no PEM":        {"certificate", format},
		"broken":        {encode("CERTIFICATE", []byte("certificate")), format},
		"with its key":  {issue(t, key, 90, "example.com", "*.example.com") + pkcs8(t, key), format},
		"cut off":       {strings.TrimSuffix(issue(t, key, 90, "example.com"), "-----END CERTIFICATE-----\n"), format},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.create(refused.blob, "two")
			requireStatus(t, err, http.StatusBadRequest, "Can't create certificate")
			require.ErrorContains(t, err, refused.detail)
			_, err = test.update(certificate.ID, refused.blob)
			requireStatus(t, err, http.StatusBadRequest, "Can't update certificate")
			require.ErrorContains(t, err, refused.detail)
		})
	}
	_, err := test.update(certificate.ID, issue(t, key, 90, "example.com", "www.example.com"))
	requireStatus(t, err, http.StatusBadRequest, "must contain all SAN entries of the current certificate, lacks *.example.com")
	_, err = test.update("none", issue(t, key, 90, "example.com"))
	requireStatus(t, err, http.StatusNotFound, "The certificate you requested was not found")
	got, err := test.c.GetCustomTLSCertificate(t.Context(), &fastly.GetCustomTLSCertificateInput{ID: certificate.ID})
	require.NoError(t, err)
	require.Equal(t, certificate, got, "what is refused changes nothing")

	issuer := newKey(t)
	chain := issue(t, key, 90, "example.com") + issue(t, issuer, 90)
	made, err := test.create(chain, "")
	require.NoError(t, err, "an intermediate certificate needs no key and no names")
	require.Equal(t, "issued.example.com", made.Name, "the common name where none is given")
}

func TestActivationsThatAreRefused(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	key, certificate := test.certify("one", "example.com", "elsewhere.org")
	_, other := test.certify("two", "*.example.com", "example.com")
	activation, err := test.enable(certificate.ID, "", "Example.com")
	require.NoError(t, err)

	_, err = test.enable(other.ID, newAccountsConfiguration().ID, "example.com")
	requireStatus(t, err, http.StatusBadRequest, "domain_id has already been taken")
	_, err = test.enable(certificate.ID, "", "*.example.com")
	requireStatus(t, err, http.StatusBadRequest, "domain *.example.com is not among the SAN entries of the certificate")
	_, err = test.enable(certificate.ID, "", "elsewhere.org")
	requireStatus(t, err, http.StatusBadRequest, "domain elsewhere.org is on no active service")
	_, err = test.enable(certificate.ID, "none", "example.com")
	requireStatus(t, err, http.StatusNotFound, "The configuration you requested was not found")
	_, err = test.enable("none", "", "example.com")
	requireStatus(t, err, http.StatusNotFound, "The certificate you requested was not found")
	_, err = test.enable("", "", "example.com")
	requireStatus(t, err, http.StatusBadRequest, "param is missing or the value is empty: tls_certificate_id")
	_, err = test.enable(certificate.ID, "", "")
	requireStatus(t, err, http.StatusBadRequest, "param is missing or the value is empty: tls_domain_id")
	requireStatus(t, test.c.DeleteCustomTLSCertificate(t.Context(),
		&fastly.DeleteCustomTLSCertificateInput{ID: certificate.ID}), http.StatusBadRequest, "enabled for a domain")

	move := func(certificate string) error {
		_, err := test.c.UpdateTLSActivation(t.Context(), &fastly.UpdateTLSActivationInput{
			ID: activation.ID, Certificate: &fastly.CustomTLSCertificate{ID: certificate}})
		return err
	}
	require.NoError(t, move(other.ID))
	require.Equal(t, "two", test.api.Activations()[0].Certificate)
	foreign, err := test.create(issue(t, key, 90, "elsewhere.org"), "three")
	require.NoError(t, err)
	requireStatus(t, move(foreign.ID), http.StatusBadRequest, "not among the SAN entries")

	test.expire(other.ID)
	requireStatus(t, move(other.ID), http.StatusBadRequest, "certificate expired at")
	require.Equal(t, -1, test.api.Activations()[0].NotAfter.Compare(time.Now()), "Fastly goes on serving it")
	requireStatus(t, test.c.DeleteTLSActivation(t.Context(), &fastly.DeleteTLSActivationInput{ID: "none"}),
		http.StatusNotFound, "The activation you requested was not found")
}

// expire lets time pass until a certificate has expired.
func (t *tlsTest) expire(id string) {
	t.Helper()
	require.NoError(t, t.api.store.Update(func(s *state) error {
		c, err := s.TLS.certificate(id)
		if err == nil {
			c.NotAfter = time.Now().Add(-time.Hour)
		}
		return err
	}))
}

func TestTLSListsAreFiltered(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	key, one := test.certify("one", "example.com", "*.example.com")
	two, err := test.create(issue(t, key, 30, "example.com", "other.org"), "two")
	require.NoError(t, err)
	_, err = test.enable(one.ID, "", "*.example.com")
	require.NoError(t, err)
	_, err = test.enable(two.ID, "", "example.com")
	require.NoError(t, err)
	_, err = test.create(issue(t, key, 60, "unused.org"), "three")
	require.NoError(t, err)

	for _, list := range []struct {
		input fastly.ListCustomTLSCertificatesInput
		names []string
	}{
		{fastly.ListCustomTLSCertificatesInput{}, []string{"three", "two", "one"}},
		{fastly.ListCustomTLSCertificatesInput{FilterInUse: ptr(true)}, []string{"two", "one"}},
		{fastly.ListCustomTLSCertificatesInput{FilterInUse: ptr(false)}, []string{"three"}},
		{fastly.ListCustomTLSCertificatesInput{FilterTLSDomainsID: "other.org"}, []string{"two"}},
		{fastly.ListCustomTLSCertificatesInput{FilterNotAfter: time.Now().AddDate(0, 0, 61).Format(time.DateOnly),
			Include: "tls_activations"}, []string{"three", "two"}},
		{fastly.ListCustomTLSCertificatesInput{Sort: "created_at"}, []string{"one", "two", "three"}},
		{fastly.ListCustomTLSCertificatesInput{Sort: "not_after"}, []string{"two", "three", "one"}},
		{fastly.ListCustomTLSCertificatesInput{Sort: "-not_after", PageSize: 2}, []string{"one", "three"}},
		{fastly.ListCustomTLSCertificatesInput{Sort: "-not_after", PageSize: 2, PageNumber: 2}, []string{"two"}},
		{fastly.ListCustomTLSCertificatesInput{PageNumber: 2}, nil},
	} {
		found, err := test.c.ListCustomTLSCertificates(t.Context(), &list.input)
		require.NoError(t, err)
		var names []string
		for _, c := range found {
			names = append(names, c.Name)
		}
		require.Equal(t, list.names, names, "%+v", list.input)
	}
	require.Equal(t, []string{"example.com", "*.example.com"}, test.activations(fastly.ListTLSActivationsInput{}))
	require.Equal(t, []string{"*.example.com"}, test.activations(fastly.ListTLSActivationsInput{FilterTLSCertificateID: one.ID}))
	require.Equal(t, []string{"example.com"}, test.activations(fastly.ListTLSActivationsInput{FilterTLSDomainID: "example.com"}))
	require.Empty(t, test.activations(fastly.ListTLSActivationsInput{FilterTLSConfigurationID: "none"}))
	require.Len(t, test.activations(fastly.ListTLSActivationsInput{Include: "tls_certificate,tls_configuration,tls_domain"}), 2)

	for _, list := range []struct {
		input   fastly.ListTLSDomainsInput
		domains []string
	}{
		{fastly.ListTLSDomainsInput{}, []string{"*.example.com", "example.com", "other.org", "unused.org"}},
		{fastly.ListTLSDomainsInput{Sort: "-created_at"}, []string{"unused.org", "other.org", "*.example.com", "example.com"}},
		{fastly.ListTLSDomainsInput{FilterInUse: ptr(true)}, []string{"*.example.com", "example.com"}},
		{fastly.ListTLSDomainsInput{FilterTLSCertificateID: two.ID}, []string{"example.com", "other.org"}},
		{fastly.ListTLSDomainsInput{FilterTLSSubscriptionID: "none"}, nil},
	} {
		found, err := test.c.ListTLSDomains(t.Context(), &list.input)
		require.NoError(t, err)
		var domains []string
		for _, d := range found {
			domains = append(domains, d.ID)
		}
		require.Equal(t, list.domains, domains, "%+v", list.input)
	}
	all, err := test.c.ListTLSDomains(t.Context(), &fastly.ListTLSDomainsInput{Include: "tls_activations,tls_certificates"})
	require.NoError(t, err)
	require.Len(t, all[1].Certificates, 2)
	require.Equal(t, two.ID, all[1].Activations[0].Certificate.ID)

	_, err = test.c.ListCustomTLSCertificates(t.Context(), &fastly.ListCustomTLSCertificatesInput{Sort: "name"})
	requireStatus(t, err, http.StatusBadRequest, "sort cannot be name")
	_, err = test.c.ListTLSDomains(t.Context(), &fastly.ListTLSDomainsInput{Include: "everything"})
	requireStatus(t, err, http.StatusBadRequest, "include cannot be everything")
}

func TestTLSConfiguration(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	bare, err := test.c.ListCustomTLSConfigurations(t.Context(), &fastly.ListCustomTLSConfigurationsInput{})
	require.NoError(t, err)
	require.Len(t, bare, 1)
	require.Empty(t, bare[0].DNSRecords, "only when asked for")
	require.True(t, bare[0].Default)
	require.False(t, bare[0].Bulk)

	_, err = test.c.UpdateCustomTLSConfiguration(t.Context(),
		&fastly.UpdateCustomTLSConfigurationInput{ID: bare[0].ID, Name: "ours"})
	require.NoError(t, err)
	full, err := test.c.GetCustomTLSConfiguration(t.Context(),
		&fastly.GetCustomTLSConfigurationInput{ID: bare[0].ID, Include: "dns_records"})
	require.NoError(t, err)
	require.Equal(t, "ours", full.Name)
	types := map[string]int{}
	for _, record := range full.DNSRecords {
		require.Equal(t, "global", record.Region)
		types[record.RecordType]++
	}
	require.Equal(t, map[string]int{"A": 4, "AAAA": 4, "CNAME": 1}, types)
	require.Equal(t, "151.101.3.52", full.DNSRecords[0].ID)
	_, err = test.c.GetCustomTLSConfiguration(t.Context(), &fastly.GetCustomTLSConfigurationInput{ID: "none"})
	requireStatus(t, err, http.StatusNotFound, "The configuration you requested was not found")
}

func TestTokenWithoutTLS(t *testing.T) {
	t.Parallel()
	api, err := New(Options{Dir: t.TempDir(), Token: token, TokenWithoutTLS: "limited"})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	c := connect(t, server.URL, "limited")
	newService(t, c, "site", "example.com")
	_, err = c.ListPrivateKeys(t.Context(), &fastly.ListPrivateKeysInput{})
	requireStatus(t, err, http.StatusForbidden, "You are not authorized to perform this action")
	_, err = c.CreatePrivateKey(t.Context(), &fastly.CreatePrivateKeyInput{Key: pkcs8(t, newKey(t)), Name: "one"})
	requireStatus(t, err, http.StatusForbidden, "You are not authorized")
	_, err = connect(t, server.URL, token).ListPrivateKeys(t.Context(), &fastly.ListPrivateKeysInput{})
	require.NoError(t, err)
}

func TestFaultsOfTLS(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	for _, status := range []int{http.StatusTooManyRequests, http.StatusBadGateway} {
		require.NoError(t, test.api.Faults().Add(
			simulation.Fault{Method: http.MethodPost, Path: "^/tls/private_keys$", Status: status, Times: 1}))
		key := newKey(t)
		_, err := test.c.CreatePrivateKey(t.Context(), &fastly.CreatePrivateKeyInput{Key: pkcs8(t, key), Name: "one"})
		requireStatus(t, err, status, http.StatusText(status))
		test.upload(key, "one")
	}
}

// A client that speaks no JSON:API gets lists unfiltered, as from Fastly; what the parts are called is as recorded there.
func TestTLSDocuments(t *testing.T) {
	t.Parallel()
	test := newTLSTest(t)
	test.certify("one", "example.com")
	get := func(path, accept string) (string, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url+path, nil)
		require.NoError(t, err)
		request.Header.Set("Fastly-Key", token)
		request.Header.Set("Accept", accept)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		content, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return string(content), answer.Header.Get("Content-Type")
	}
	content, mediaType := get("/tls/private_keys?filter[in_use]=false", jsonAPI)
	require.Equal(t, "application/vnd.api+json", mediaType)
	require.Contains(t, content, `"data":[]`)
	content, _ = get("/tls/private_keys?filter[in_use]=false", plainJSON)
	require.Contains(t, content, `"type":"tls_private_key"`)
	content, _ = get("/tls/certificates?page[size]=1", jsonAPI)
	require.Contains(t, content, `"relationships":{"tls_domains":{"data":[{"id":"example.com","type":"tls_domain"}]}}`)
	require.Contains(t, content, `"meta":{"current_page":1,"per_page":1,"record_count":1,"total_pages":1}`)
	require.Contains(t, content, `"next":null`)
	require.Regexp(t, regexp.MustCompile(`"not_after":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z"`), content)
	content, mediaType = get("/tls/certificates?page[number]=0", jsonAPI)
	require.Equal(t, "application/vnd.api+json", mediaType)
	require.Contains(t, content, `{"errors":[{"title":"Invalid parameter"`)
	content, _ = get("/tls/certificates?filter[name]=one", jsonAPI)
	require.Contains(t, content, "filter[name] is not known here")
}

func TestTLSSurvivesARestartWithoutKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	api, url := serve(t, dir)
	test := &tlsTest{t, api, url, connect(t, url, token)}
	activate(t, test.c, newService(t, test.c, "site", "example.com"), 1)
	key, certificate := test.certify("one", "example.com")
	_, err := test.enable(certificate.ID, "", "example.com")
	require.NoError(t, err)

	again, _ := serve(t, dir)
	require.Equal(t, fmt.Sprint(api.Activations()), fmt.Sprint(again.Activations()))
	saved, err := os.ReadFile(filepath.Join(dir, "fastly.json"))
	require.NoError(t, err)
	require.NotContains(t, string(saved), "PRIVATE KEY")
	secret := strings.Split(pkcs8(t, key), "\n")
	require.NotContains(t, string(saved), secret[1])
}
