// Package letsencrypt runs Pebble, the small ACME server of those who make Let's Encrypt's, in its place: it proves names by
// their records (DNS-01), and issues certificates that nobody but a rehearsal trusts.
package letsencrypt

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"k8s.io/client-go/util/cert"
)

// Options say what a server asks, and where it leaves what stays.
type Options struct {
	// Dir takes the roots of all servers that were there: certificates outlive the server that issued them.
	Dir string
	// Resolver is the address of the resolver that is asked for proofs, and for who may issue (CAA).
	Resolver string
	// Log takes what the server tells of its work.
	Log *slog.Logger
}

// Server is an ACME server.
type Server struct {
	// Directory is its address, as clients know it, and Client one that trusts it.
	Directory string
	Client    *http.Client
	// Roots are those that its certificates go back to, and those of the servers before it, in PEM.
	Roots []byte

	options Options
	store   *db.MemoryStore
	pebble  http.Handler
	server  *http.Server
}

// settings are those that Pebble takes from its environment only: no pauses, no good requests that are refused, and a proof for
// each order, as an authorization is not kept until the next renewal.
var settings = map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}

// lifetime is that of certificates, in seconds.
const lifetime = 90 * 24 * 60 * 60

// identity is how CAA records name the authority.
const identity = "letsencrypt.org"

// Start runs a server on the loopback interface. Its accounts and orders end with it.
func Start(options Options) (*Server, error) {
	for name, value := range settings {
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("letsencrypt: setting %s: %w", name, err)
		}
	}
	said := slog.NewLogLogger(options.Log.Handler(), slog.LevelInfo)
	s := &Server{options: options, store: db.NewMemoryStore()}
	authority := ca.New(said, s.store, "", "ecdsa", 0, 1, map[string]ca.Profile{
		"classic": {Description: "The usual one", PromoteCommonName: true, ValidityPeriod: lifetime},
	})
	if err := s.keepRoot(authority.GetRootCert(0).Cert); err != nil {
		return nil, fmt.Errorf("letsencrypt: keeping the root: %w", err)
	}
	const none = 0 // ports of the other ways to prove a name
	validator := va.New(said, none, none, true, options.Resolver, s.store)
	front := wfe.New(said, s.store, validator, authority, []string{identity}, true, false, 0, 0)
	s.pebble = front.Handler()
	return s, s.listen(said)
}

// keepRoot adds a root to those of earlier servers.
func (s *Server) keepRoot(root *x509.Certificate) error {
	if err := os.MkdirAll(s.options.Dir, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.options.Dir, "roots.pem"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), file.Close())
	if err != nil {
		return err
	}
	s.Roots, err = os.ReadFile(file.Name())
	return err
}

// listen serves HTTPS, without which Pebble takes no request, by a certificate that only Client trusts.
func (s *Server) listen(said *log.Logger) error {
	const host = "127.0.0.1"
	chain, key, err := cert.GenerateSelfSignedCertKey(host, []net.IP{net.ParseIP(host)}, nil)
	if err != nil {
		return fmt.Errorf("letsencrypt: making a certificate: %w", err)
	}
	certificate, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("letsencrypt: making a certificate: %w", err)
	}
	own := x509.NewCertPool()
	own.AppendCertsFromPEM(chain)
	s.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}}}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener, err := tls.Listen("tcp", host+":0", settings)
	if err != nil {
		return fmt.Errorf("letsencrypt: finding a free port: %w", err)
	}
	s.Directory = "https://" + listener.Addr().String() + wfe.DirectoryPath
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: said}
	go func() { _ = s.server.Serve(listener) }()
	return nil
}

// Close ends the server.
func (s *Server) Close() error { return s.server.Close() }
