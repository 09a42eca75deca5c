// Package plugins serves stand-ins for Pulumi's provider plugins to the engine, in the process of the rehearsal.
package plugins

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Constructor makes a provider that nothing has configured yet and that shares no configuration with those made before: with
// pulumi-go-provider, build the Provider inside and pass it to RawServer. The host is nil: the engine attaches itself later.
type Constructor = func(*provider.HostClient) (pulumirpc.ResourceProviderServer, error)

// maxMessage is the engine's own limit for one message, in bytes: the state of a large custom resource definition passes.
const maxMessage = 400 << 20

// Serve serves the providers, by plugin name, on free ports of the loopback interface. It returns the value that
// PULUMI_DEBUG_PROVIDERS needs for the engine to attach to them, and the function that ends them.
//
// The engine opens one connection for each provider resource of a program, the default one included, and configures each.
// So every connection gets a provider of its own from the constructor, as it would get a process of its own with a plugin.
func Serve(constructors map[string]Constructor) (debugProviders string, stop func(), err error) {
	var listeners []net.Listener
	stop = func() {
		for _, listener := range listeners {
			_ = listener.Close()
		}
	}
	var addresses []string
	for _, name := range slices.Sorted(maps.Keys(constructors)) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			stop()
			return "", nil, fmt.Errorf("serving provider %s: %w", name, err)
		}
		served := &connections{Listener: listener}
		listeners = append(listeners, served)
		addresses = append(addresses, fmt.Sprintf("%s:%d", name, listener.Addr().(*net.TCPAddr).Port))
		go served.serve(constructors[name])
	}
	return strings.Join(addresses, ","), stop, nil
}

// connections listens for the engine's connections and ends the servers of those it accepted when it is closed.
type connections struct {
	net.Listener
	mu      sync.Mutex
	closed  bool
	servers []*grpc.Server
}

func (c *connections) serve(construct Constructor) {
	for {
		conn, err := c.Accept()
		if err != nil {
			return // closed
		}
		implementation, err := construct(nil)
		if err != nil {
			implementation = broken{err: err}
		}
		server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
		pulumirpc.RegisterResourceProviderServer(server, implementation)
		if !c.add(server) {
			_ = conn.Close()
			return
		}
		go func() { _ = server.Serve(&single{conn: conn, address: c.Addr()}) }()
	}
}

// add notes a server to be ended later; it refuses when that has come to pass already.
func (c *connections) add(server *grpc.Server) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.servers = append(c.servers, server)
	}
	return !c.closed
}

// Close ends the listener and, with it, every provider that it gave rise to.
func (c *connections) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	err := c.Listener.Close()
	for _, server := range c.servers {
		server.Stop()
	}
	return err
}

// broken tells the engine, as soon as it attaches, why there is no provider.
type broken struct {
	pulumirpc.UnimplementedResourceProviderServer
	err error
}

func (b broken) Handshake(
	context.Context, *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return nil, b.err
}

// single is a listener that accepts one connection, which is there already.
type single struct {
	conn    net.Conn
	address net.Addr
}

func (s *single) Accept() (net.Conn, error) {
	if s.conn == nil {
		return nil, io.EOF
	}
	conn := s.conn
	s.conn = nil
	return conn, nil
}

func (s *single) Addr() net.Addr { return s.address }
func (s *single) Close() error   { return nil }
