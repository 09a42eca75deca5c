package letsencrypt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"lke-platform/tests/rehearsal/letsencrypt"
	"lke-platform/tests/rehearsal/nameserver"
)

// records are what a name server has.
type records struct {
	mu   sync.Mutex
	list []dns.RR
}

// set puts records in place of those of the same name and type.
func (s *records) set(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		record, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		s.list = slices.DeleteFunc(s.list, func(old dns.RR) bool {
			return old.Header().Name == record.Header().Name && old.Header().Rrtype == record.Header().Rrtype
		})
		s.list = append(s.list, record)
	}
}

// ServeDNS answers a question.
func (s *records) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, answer := query.Question[0], new(dns.Msg).SetReply(query)
	if !dns.IsSubDomain("test.", asked.Name) {
		answer.Rcode = dns.RcodeRefused
	}
	for _, record := range s.list {
		kind := record.Header().Rrtype
		if record.Header().Name == asked.Name && (kind == asked.Qtype || kind == dns.TypeCNAME) {
			answer.Answer = append(answer.Answer, record)
		}
	}
	_ = w.WriteMsg(answer)
}

// rig is a server, and somebody with an account there and a zone.
type rig struct {
	*testing.T

	*letsencrypt.Server
	records

	client *acme.Client
}

func newRig(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{T: t}
	nameServer := serve(t, &r.records)
	var err error
	r.Server, err = letsencrypt.Start(letsencrypt.Options{
		Dir: dir, Resolver: serve(t, &nameserver.Resolver{NameServer: nameServer, Forgets: true}),
		Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	r.client = &acme.Client{Key: key, DirectoryURL: r.Directory, HTTPClient: r.Client}
	_, err = r.client.Register(t.Context(), &acme.Account{Contact: []string{"mailto:post@site.test"}}, acme.AcceptTOS)
	require.NoError(t, err)
	return r
}

func serve(t *testing.T, handler dns.Handler) (address string) {
	t.Helper()
	address, stop, err := nameserver.Serve(handler)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return address
}

// order has names proven by TXT records that write sets, and returns the certificate.
func (r *rig) order(write func(name, text string), names ...string) (chain [][]byte, err error) {
	r.Helper()
	ctx := r.Context()
	order, err := r.client.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	require.NoError(r, err)
	for _, url := range order.AuthzURLs {
		authorization, err := r.client.GetAuthorization(ctx, url)
		require.NoError(r, err)
		at := slices.IndexFunc(authorization.Challenges, func(one *acme.Challenge) bool { return one.Type == "dns-01" })
		text, err := r.client.DNS01ChallengeRecord(authorization.Challenges[at].Token)
		require.NoError(r, err)
		write(authorization.Identifier.Value, text)
		_, err = r.client.Accept(ctx, authorization.Challenges[at])
		require.NoError(r, err)
		if _, err := r.client.WaitAuthorization(ctx, url); err != nil {
			return nil, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(r, err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	require.NoError(r, err)
	chain, _, err = r.client.CreateOrderCert(ctx, order.FinalizeURL, request, true)
	require.NoError(r, err)
	return chain, nil
}

// verify holds a chain against the roots, and returns the certificate.
func (r *rig) verify(chain [][]byte, names ...string) *x509.Certificate {
	r.Helper()
	require.Len(r, chain, 2)
	leaf, err := x509.ParseCertificate(chain[0])
	require.NoError(r, err)
	between, err := x509.ParseCertificate(chain[1])
	require.NoError(r, err)
	roots, pool := x509.NewCertPool(), x509.NewCertPool()
	require.True(r, roots.AppendCertsFromPEM(r.Roots))
	pool.AddCert(between)
	for _, name := range names {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, DNSName: name})
		require.NoError(r, err)
	}
	return leaf
}

// proof writes a proof where it belongs.
func (r *rig) proof(name, text string) { r.set("_acme-challenge." + name + ". 60 IN TXT " + text) }

func TestACertificateIsForWhoeverProvesItsNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir())
	chain, err := r.order(r.proof, "site.test", "*.site.test")
	require.NoError(t, err)
	leaf := r.verify(chain, "site.test", "www.site.test")
	require.InDelta(t, 90*24, leaf.NotAfter.Sub(leaf.NotBefore).Hours(), 1)
	r.set("_acme-challenge.moved.test. 60 IN CNAME _acme-challenge.moved.test.site.test.")
	_, err = r.order(func(name, text string) { r.proof(name+".site.test", text) }, "moved.test")
	require.NoError(t, err, "where an alias leads")
	_, err = r.order(func(name, _ string) { r.proof(name, "something-else") }, "site.test")
	require.ErrorContains(t, err, "403 urn:ietf:params:acme:error:unauthorized: Correct value not found for DNS challenge")
	_, err = r.order(func(string, string) {}, "none.test")
	require.ErrorContains(t, err, "No TXT records found")
}

func TestCAARecordsSayWhoMayIssue(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir())
	r.set(`ours.test. 60 IN CAA 0 issue "letsencrypt.org"`, `others.test. 60 IN CAA 0 issue "other.example"`,
		`nobodys.test. 60 IN CAA 0 issue ";"`, `tame.test. 60 IN CAA 0 issuewild ";"`, `wild.test. 60 IN CAA 0 issuewild ";"`,
		`told.test. 60 IN CAA 0 iodef "mailto:post@told.test"`,
		`ours.others.test. 60 IN CAA 0 issue "letsencrypt.org; validationmethods=dns-01"`)
	for name, found := range map[string]string{
		"none.test": "", "ours.test": "", "www.ours.test": "", "tame.test": "", "told.test": "", "ours.others.test": "",
		"others.test": "others.test", "www.others.test": "others.test", "nobodys.test": "nobodys.test", "*.wild.test": "wild.test",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a client waits a second until it looks again
			_, err := r.order(r.proof, name)
			if found == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "403 urn:ietf:params:acme:error:caa: While processing CAA for "+name+
				": CAA record for "+found+" prevents issuance")
		})
	}
}

// A rehearsal that goes on has another server, and the certificates of the one before.
func TestRootsOfEarlierServersStayTrusted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := newRig(t, dir)
	chain, err := before.order(before.proof, "site.test")
	require.NoError(t, err)
	newRig(t, dir).verify(chain, "site.test")
}
