package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"lke-platform/tests/rehearsal/edge/program"
)

// backend is a server behind the edge, and the connections to it.
type backend struct {
	program.Backend
	health    *health // nil where nobody asks
	slots     chan struct{}
	transport *http.Transport
}

// newBackend connects nothing yet.
func newBackend(declared program.Backend, options *Options) (*backend, error) {
	b := &backend{Backend: declared, slots: make(chan struct{}, declared.MaxConnections)}
	configuration, err := b.tlsConfiguration(options.Roots)
	if err != nil {
		return nil, fmt.Errorf("backend %s: %w", declared.Name, err)
	}
	b.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(ctx, options, network, address)
		},
		TLSClientConfig:     configuration,
		TLSHandshakeTimeout: b.FirstByte,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // Fastly asks in HTTP/1.1
		DisableCompression:  true,
		MaxIdleConnsPerHost: declared.MaxConnections,
		IdleConnTimeout:     time.Minute,
	}
	if declared.Health != nil {
		b.health = newHealth(declared.Health)
	}
	return b, nil
}

// connecting carries how long a request waits for its connection.
type connecting struct{}

var errConnect = errors.New("connection timed out")

// dial tries the addresses of a host in turn.
func dial(ctx context.Context, options *Options, network, address string) (net.Conn, error) {
	if length, ok := ctx.Value(connecting{}).(time.Duration); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, length, errConnect)
		defer cancel()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		addresses = append(addresses, literal)
	} else if addresses, err = options.Resolve(ctx, host); err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for _, found := range addresses {
		var conn net.Conn
		if conn, err = options.Dial(ctx, network, net.JoinHostPort(found.String(), port)); err == nil {
			return conn, nil
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return nil, err
}

var tlsVersions = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// tlsConfiguration checks the certificate against a name of its own: Fastly asks for it by another.
func (b *backend) tlsConfiguration(roots *x509.CertPool) (*tls.Config, error) {
	if b.Authority != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(b.Authority)) {
			return nil, errors.New("ssl_ca_cert holds no certificate")
		}
	}
	configuration := &tls.Config{
		ServerName: b.ServerName, InsecureSkipVerify: true, // VerifyConnection does it
		MinVersion: tlsVersions[b.MinTLS], MaxVersion: tlsVersions[b.MaxTLS],
	}
	if b.CheckCertificate {
		configuration.VerifyConnection = func(state tls.ConnectionState) error {
			options := x509.VerifyOptions{Roots: roots, DNSName: b.CertificateName, Intermediates: x509.NewCertPool()}
			for _, certificate := range state.PeerCertificates[1:] {
				options.Intermediates.AddCert(certificate)
			}
			_, err := state.PeerCertificates[0].Verify(options)
			return err
		}
	}
	if b.ClientKey != "" {
		pair, err := tls.X509KeyPair([]byte(b.ClientCertificate), []byte(b.ClientKey))
		if err != nil {
			return nil, fmt.Errorf("ssl_client_cert: %w", err)
		}
		configuration.Certificates = []tls.Certificate{pair}
	}
	return configuration, nil
}

// timeouts are how long a request waits.
type timeouts struct{ connect, firstByte, betweenBytes time.Duration }

// unavailable is why a backend did not answer, in Fastly's words.
// Upstream: https://www.fastly.com/documentation/guides/debugging/common-errors/
type unavailable struct{ reason string }

func (u *unavailable) Error() string { return u.reason }

var (
	errFirstByte    = &unavailable{"first byte timeout"}
	errBetweenBytes = &unavailable{"between bytes timeout"}
	errMaxConn      = &unavailable{"Backend.max_conn reached"}
	errSick         = &unavailable{"Backend is unhealthy"}
)

// forever is longer than an upload takes.
const forever = 24 * time.Hour

// ask sends a request. What it returns has to be closed.
func (b *backend) ask(r *http.Request, limits timeouts) (*http.Response, error) {
	if !b.healthy() {
		return nil, errSick
	}
	return b.send(r, limits)
}

func (b *backend) send(r *http.Request, limits timeouts) (*http.Response, error) {
	select {
	case b.slots <- struct{}{}:
	default:
		return nil, errMaxConn
	}
	release := sync.OnceFunc(func() { <-b.slots })
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), connecting{}, limits.connect))
	request := r.WithContext(ctx)
	request.URL.Scheme, request.URL.Host = "http", net.JoinHostPort(b.Address, strconv.Itoa(b.Port))
	if b.TLS {
		request.URL.Scheme = "https"
	}
	if b.OverrideHost != "" {
		request.Host = b.OverrideHost
	}
	timer := time.AfterFunc(forever, func() { cancel(errFirstByte) })
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { timer.Reset(limits.firstByte) },
	}))
	response, err := b.transport.RoundTrip(request)
	timer.Stop()
	if err != nil {
		release()
		err = reasonOf(ctx, err)
		cancel(err)
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols { // where both sides talk as they like
		response.Body = &timedBody{
			ReadCloser: response.Body, ctx: ctx, cancel: cancel, betweenBytes: limits.betweenBytes, release: release,
		}
	}
	return response, nil
}

// reasonOf says why there is no answer.
func reasonOf(ctx context.Context, err error) error {
	var known *unavailable
	if errors.As(context.Cause(ctx), &known) {
		return known
	}
	var (
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		timeout   net.Error
	)
	switch {
	case errors.Is(err, errConnect), errors.As(err, &timeout) && timeout.Timeout():
		return &unavailable{"Backend unavailable, connection timeout"}
	case errors.As(err, &name):
		return &unavailable{"hostname doesn't match against certificate"}
	case errors.As(err, &invalid):
		return &unavailable{"certificate has expired"}
	case errors.As(err, &authority):
		return &unavailable{"unable to get local issuer certificate"}
	default:
		return &unavailable{"backend read error"}
	}
}

// timedBody ends with an error when nothing comes for too long, and gives the connection back.
type timedBody struct {
	io.ReadCloser
	ctx          context.Context
	cancel       context.CancelCauseFunc
	betweenBytes time.Duration
	release      func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.betweenBytes, func() { b.cancel(errBetweenBytes) })
	defer timer.Stop()
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = reasonOf(b.ctx, err)
	}
	return n, err
}

func (b *timedBody) Close() error {
	defer b.release()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

func (b *backend) healthy() bool { return b.health == nil || b.health.well.Load() }

func (b *backend) close() {
	if b.health != nil {
		b.health.stop()
	}
	b.transport.CloseIdleConnections()
}
