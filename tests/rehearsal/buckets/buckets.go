// Package buckets serves the buckets of the simulated Linode over S3, as Object Storage does: versitygw keeps what is in them,
// and verifies who signs a request; a server in front of it says who may do what, as the account has it.
// Upstream: https://techdocs.akamai.com/cloud-computing/docs/object-storage
package buckets

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/util/cert"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/simulation"
)

// Options say where things are.
type Options struct {
	// Gateway is the program versitygw, Dir takes what is in the buckets.
	Gateway, Dir string
	// Account knows the buckets and the keys for them.
	Account *linode.API
	// Log takes what goes wrong.
	Log *slog.Logger
}

// Server serves the buckets of all endpoints.
type Server struct {
	// URL is its address on the loopback interface, for clients that name the bucket in the path.
	URL string
	// Roots are what the certificate of the endpoints and buckets goes back to, in PEM.
	Roots []byte

	options   Options
	faults    simulation.Faults // taken over HTTP, see simulation.FaultsPath
	endpoints []string
	plain     net.Listener
	encrypted net.Listener
	server    *http.Server

	mu       sync.Mutex
	gateways map[string]*gateway // by endpoint
}

// Start serves the buckets on the loopback interface. What is in them stays.
func Start(options Options) (*Server, error) {
	s := &Server{options: options, endpoints: options.Account.StorageEndpoints(), gateways: map[string]*gateway{}}
	certificate, err := s.certify()
	if err != nil {
		return nil, fmt.Errorf("buckets: making a certificate: %w", err)
	}
	if s.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("buckets: finding a free port: %w", err)
	}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if s.encrypted, err = tls.Listen("tcp", "127.0.0.1:0", settings); err != nil {
		return nil, errors.Join(fmt.Errorf("buckets: finding a free port: %w", err), s.plain.Close())
	}
	s.URL = "http://" + s.plain.Addr().String()
	s.server = &http.Server{
		Handler:           s.faults.Wrap(s, func(w http.ResponseWriter, status int) { refuse(w, status, "ServiceUnavailable") }),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(options.Log.Handler(), slog.LevelWarn),
	}
	for _, listener := range []net.Listener{s.plain, s.encrypted} {
		go func() { _ = s.server.Serve(listener) }()
	}
	return s, nil
}

// certify makes a certificate for all endpoints and their buckets, and what it goes back to.
func (s *Server) certify() (tls.Certificate, error) {
	var names []string
	for _, endpoint := range s.endpoints {
		names = append(names, endpoint, "*."+endpoint)
	}
	chain, key, err := cert.GenerateSelfSignedCertKey(names[0], nil, names)
	if err != nil {
		return tls.Certificate{}, err
	}
	s.Roots = chain
	return tls.X509KeyPair(chain, key)
}

// Dial connects to the address that all endpoints and buckets have.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	known, err := strconv.Atoi(port)
	own := s.Ports()[known]
	if err != nil || own == 0 || host != linode.StorageAddress.String() {
		return nil, fmt.Errorf("buckets: nobody listens at %s", address)
	}
	return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", own))
}

// Ports are those on the loopback interface, by the ones that all endpoints and buckets have.
func (s *Server) Ports() map[int]int {
	return map[int]int{80: s.plain.Addr().(*net.TCPAddr).Port, 443: s.encrypted.Addr().(*net.TCPAddr).Port}
}

// Close ends the server, and the gateways behind it.
func (s *Server) Close() error {
	faults := []error{s.server.Close()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.gateways {
		faults = append(faults, g.close())
	}
	return errors.Join(faults...)
}

// Contents counts what is in a bucket, parts of uploads and older versions too, and its bytes.
func (s *Server) Contents(endpoint, label string) (objects, size int) {
	for _, folder := range []string{contents, versions} {
		kept := filepath.Join(s.options.Dir, endpoint, folder, label)
		_ = filepath.WalkDir(kept, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil // it has just gone, if it was there
			}
			if info, err := e.Info(); err == nil {
				objects, size = objects+1, size+int(info.Size())
			}
			return nil
		})
	}
	return objects, size
}

// gateway returns the one of an endpoint, which it starts when there is none yet.
func (s *Server) gateway(endpoint string) (*gateway, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gateways[endpoint]; g != nil {
		return g, nil
	}
	g, err := startGateway(s.options.Gateway, filepath.Join(s.options.Dir, endpoint), endpoint)
	if err != nil {
		return nil, fmt.Errorf("starting the gateway of %s: %w", endpoint, err)
	}
	s.gateways[endpoint] = g
	return g, nil
}

// endpointOf returns the endpoint of a region as requests are signed for it, or of a host, with what stands before it.
func (s *Server) endpointOf(host string) (endpoint, before string) {
	for _, endpoint := range s.endpoints {
		if host == endpoint || strings.HasPrefix(endpoint, host+".") {
			return endpoint, ""
		}
		if label, found := strings.CutSuffix(host, "."+endpoint); found {
			return endpoint, label
		}
	}
	return "", ""
}
