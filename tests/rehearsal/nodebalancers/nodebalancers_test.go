package nodebalancers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/nodebalancers"
)

const (
	token = "rehearsal"
	soon  = 30 * time.Second
	tick  = 5 * time.Millisecond
)

var visitor = netip.MustParseAddr("203.0.113.7")

// fixture is an account with its NodeBalancers, and the nodes that they lead to.
type fixture struct {
	*testing.T

	api       *linode.API
	client    linodego.Client
	balancers *nodebalancers.Balancers

	mu    sync.Mutex
	nodes map[string]string // where they are, by address
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, nodes: map[string]string{}}
	f.balancers = nodebalancers.New(nodebalancers.Options{Dial: f.dial})
	t.Cleanup(func() { require.NoError(t, f.balancers.Close()) })
	var err error
	f.api, err = linode.New(linode.Options{Dir: t.TempDir(), Token: token, BackendHealth: f.balancers.Health})
	require.NoError(t, err)
	server := httptest.NewServer(f.api)
	t.Cleanup(func() { server.Close(); f.api.Close() })
	f.client = linodego.NewClient(nil)
	f.client.SetBaseURL(server.URL)
	f.client.SetToken(token)
	return f
}

// dial is the machines' network.
func (f *fixture) dial(ctx context.Context, from netip.Addr, address string) (net.Conn, error) {
	if !netip.MustParsePrefix("192.168.255.0/24").Contains(from) {
		return nil, fmt.Errorf("nodes do not expect %s", from)
	}
	f.mu.Lock()
	there := f.nodes[address]
	f.mu.Unlock()
	if there == "" {
		return nil, syscall.EHOSTUNREACH
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp4", there)
}

// start adds a node that serves HTTP, behind the PROXY protocol where that is spoken.
func (f *fixture) start(address, name string) {
	f.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(f, err)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s serves %s", name, r.RemoteAddr)
		}),
		ReadHeaderTimeout: soon,
	}
	either := func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.USE, nil }
	go func() { _ = server.Serve(&proxyproto.Listener{Listener: listener, ConnPolicy: either}) }()
	f.Cleanup(func() { _ = server.Close() })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[address] = listener.Addr().String()
}

// lose has a node not answer any more.
func (f *fixture) lose(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nodes, address)
}

const one, two = "192.168.130.1:30080", "192.168.130.2:30080"

// create makes a NodeBalancer with a port 80.
func (f *fixture) create(options linodego.NodeBalancerCreateOptions, config linodego.NodeBalancerConfigCreateOptions) (
	balancer *linodego.NodeBalancer, address string,
) {
	f.Helper()
	config.Port, config.Protocol = 80, linodego.ProtocolTCP
	if config.Nodes == nil {
		config.Nodes = []linodego.NodeBalancerNodeCreateOptions{backend(one), backend(two)}
	}
	options.Region, options.Configs = "us-east", []*linodego.NodeBalancerConfigCreateOptions{&config}
	balancer, err := f.client.CreateNodeBalancer(f.Context(), options)
	require.NoError(f, err)
	f.apply()
	return balancer, *balancer.IPv4 + ":80"
}

func backend(address string) linodego.NodeBalancerNodeCreateOptions {
	return linodego.NodeBalancerNodeCreateOptions{Address: address, Label: "node", Mode: linodego.ModeAccept}
}

func (f *fixture) apply() {
	f.Helper()
	require.NoError(f, f.balancers.Apply(f.api.Balancers()))
}

// ask requests a page as a visitor, by a connection of its own.
func (f *fixture) ask(address string) (string, error) {
	f.Helper()
	connection, err := f.balancers.Dial(visitor)(f.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	return converse(connection)
}

// converse asks for a page.
func converse(connection net.Conn) (string, error) {
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: any\r\n\r\n"); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// served counts which nodes answer.
func (f *fixture) served(address string, times int) map[string]int {
	f.Helper()
	counts := map[string]int{}
	for range times {
		answer, err := f.ask(address)
		require.NoError(f, err)
		name, _, _ := strings.Cut(answer, " ")
		counts[name]++
	}
	return counts
}

func (f *fixture) eventually(what string, holds func() bool) {
	f.Helper()
	require.Eventually(f, holds, soon, tick, what)
}

func TestNodesHearWhoTheClientIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	for version, told := range map[linodego.ConfigProxyProtocol]string{
		linodego.ProxyProtocolNone: "one serves 127.0.0.1:", linodego.ProxyProtocolV1: "one serves 203.0.113.7:",
		linodego.ProxyProtocolV2: "one serves 203.0.113.7:",
	} {
		balancer, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{
			ProxyProtocol: version, Nodes: []linodego.NodeBalancerNodeCreateOptions{backend(one)},
		})
		answer, err := f.ask(address)
		require.NoError(t, err)
		require.Contains(t, answer, told, version)
		answer, err = f.ask(fmt.Sprintf("[%s]:80", *balancer.IPv6))
		require.NoError(t, err)
		require.Contains(t, answer, told, version)
	}
}

func TestPeopleMayConnectFromThisComputer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	closed, err := f.client.CreateFirewall(t.Context(), linodego.FirewallCreateOptions{Label: "closed", Rules: rules("80", "203.0.113.0/24")})
	require.NoError(t, err)
	_, address := f.create(linodego.NodeBalancerCreateOptions{FirewallID: closed.ID}, linodego.NodeBalancerConfigCreateOptions{
		ProxyProtocol: linodego.ProxyProtocolV2, Nodes: []linodego.NodeBalancerNodeCreateOptions{backend(one)},
	})
	local := f.balancers.Listening()[netip.MustParseAddrPort(address)]
	connection, err := net.Dial("tcp4", local)
	require.NoError(t, err)
	defer connection.Close()
	answer, err := converse(connection)
	require.NoError(t, err)
	require.Contains(t, answer, "one serves 127.0.0.1:")
}

func TestConnectionsAreBalanced(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	f.start(two, "two")
	weighty := func(weight int, mode linodego.NodeMode) []linodego.NodeBalancerNodeCreateOptions {
		first, second := backend(one), backend(two)
		first.Weight, second.Weight, second.Mode = 50, weight, mode
		return []linodego.NodeBalancerNodeCreateOptions{first, second}
	}
	for name, test := range map[string]struct {
		config linodego.NodeBalancerConfigCreateOptions
		want   map[string]int
	}{
		"in turn":  {linodego.NodeBalancerConfigCreateOptions{}, map[string]int{"one": 4, "two": 4}},
		"weighted": {linodego.NodeBalancerConfigCreateOptions{Nodes: weighty(150, linodego.ModeAccept)}, map[string]int{"one": 2, "two": 6}},
		"the least busy": {
			linodego.NodeBalancerConfigCreateOptions{Algorithm: linodego.AlgorithmLeastConn}, map[string]int{"one": 4, "two": 4},
		},
		"draining":   {linodego.NodeBalancerConfigCreateOptions{Nodes: weighty(50, linodego.ModeDrain)}, map[string]int{"one": 8}},
		"refusing":   {linodego.NodeBalancerConfigCreateOptions{Nodes: weighty(50, linodego.ModeReject)}, map[string]int{"one": 8}},
		"in reserve": {linodego.NodeBalancerConfigCreateOptions{Nodes: weighty(50, linodego.ModeBackup)}, map[string]int{"one": 8}},
	} {
		_, address := f.create(linodego.NodeBalancerCreateOptions{}, test.config)
		require.Equal(t, test.want, f.served(address, 8), name)
	}
	for _, config := range []linodego.NodeBalancerConfigCreateOptions{
		{Algorithm: linodego.AlgorithmSource}, {Stickiness: linodego.StickinessTable},
	} {
		_, address := f.create(linodego.NodeBalancerCreateOptions{}, config)
		require.Len(t, f.served(address, 8), 1, "a client stays where it was")
	}
}

func TestTheLeastBusyNodeIsTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	f.start(two, "two")
	_, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{
		Algorithm: linodego.AlgorithmLeastConn,
	})
	held, err := f.balancers.Dial(visitor)(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer held.Close()
	answer, err := converse(held)
	require.NoError(t, err)
	f.eventually("all connections but that one have ended", func() bool {
		idle := f.served(address, 1)
		return idle["one"] == 0 == strings.HasPrefix(answer, "one")
	})
}

// A node that is lost takes no connection, and the next one does, before any check has found out.
func TestAConnectionThatANodeDoesNotTakeGoesToTheNext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(two, "two")
	_, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{Check: linodego.CheckNone})
	require.Equal(t, map[string]int{"two": 8}, f.served(address, 8))
	f.lose(two)
	_, err := f.ask(address)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "where none takes it, it is closed")
}

func TestChecksTakeANodeOutAndBringItBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	balancer, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{
		ProxyProtocol: linodego.ProxyProtocolV2, Check: linodego.CheckHTTPBody, CheckPath: "/", CheckBody: "serves",
		CheckInterval: 2, CheckTimeout: 1, CheckAttempts: 3,
	})
	configs, err := f.client.ListNodeBalancerConfigs(t.Context(), balancer.ID, nil)
	require.NoError(t, err)
	shown := func() map[string]string {
		nodes, err := f.client.ListNodeBalancerNodes(t.Context(), balancer.ID, configs[0].ID, nil)
		require.NoError(t, err)
		states := map[string]string{}
		for _, n := range nodes {
			states[n.Address] = n.Status
		}
		return states
	}
	f.eventually("the first check takes a node out that is not there", func() bool {
		return shown()[one] == "UP" && shown()[two] == "DOWN"
	})
	config, err := f.client.GetNodeBalancerConfig(t.Context(), balancer.ID, configs[0].ID)
	require.NoError(t, err)
	require.Equal(t, linodego.NodeBalancerNodeStatus{Up: 1, Down: 1}, *config.NodesStatus)
	f.start(two, "two")
	f.eventually("one that succeeds brings it back", func() bool { return shown()[two] == "UP" })
	require.Equal(t, map[string]int{"one": 2, "two": 2}, f.served(address, 4))
}

func TestPassiveChecksTakeANodeOutAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(two, "two")
	_, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{
		Check: linodego.CheckNone, CheckInterval: 3600, CheckTimeout: 30, CheckPassive: new(true),
	})
	f.eventually("once the first check is over, it stays out until the next", func() bool {
		f.lose(one)
		f.served(address, 2)
		f.start(one, "one")
		return f.served(address, 4)["two"] == 4
	})
}

func TestTheFirewallDropsWhoIsNotOnItsList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	f.start(two, "two")
	firewall, err := f.client.CreateFirewall(t.Context(), linodego.FirewallCreateOptions{Label: "acl", Rules: rules("80", "203.0.113.0/24")})
	require.NoError(t, err)
	balancer, address := f.create(
		linodego.NodeBalancerCreateOptions{FirewallID: firewall.ID}, linodego.NodeBalancerConfigCreateOptions{})
	_, err = f.ask(address)
	require.NoError(t, err)

	stranger := f.balancers.Dial(netip.MustParseAddr("198.51.100.1"))
	ctx, cancel := context.WithTimeout(t.Context(), tick)
	defer cancel()
	_, err = stranger(ctx, "tcp", address)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "the NodeBalancer's firewall drops what comes from 198.51.100.1")
	local, err := net.Dial("tcp4", f.balancers.Listening()[netip.MustParseAddrPort(address)])
	require.NoError(t, err)
	defer local.Close()
	_, err = io.WriteString(local, "PROXY TCP4 198.51.100.1 198.18.0.1 1234 80\r\n")
	require.NoError(t, err)
	_, err = converse(local)
	require.Error(t, err, "nor does it help to come another way")

	for _, change := range []linodego.FirewallRuleSet{rules("80", "203.0.113.0/24", "198.51.100.1/32"), rules("1-1024", "0.0.0.0/0")} {
		_, err = f.client.UpdateFirewallRules(t.Context(), firewall.ID, change)
		require.NoError(t, err)
		f.apply()
		_, err = stranger(t.Context(), "tcp", address)
		require.NoError(t, err)
	}
	require.NoError(t, f.client.DeleteNodeBalancer(t.Context(), balancer.ID))
}

// rules let networks in.
func rules(ports string, networks ...string) linodego.FirewallRuleSet {
	return linodego.FirewallRuleSet{
		InboundPolicy: "DROP", OutboundPolicy: "ACCEPT", Inbound: []linodego.FirewallRule{{
			Action: "ACCEPT", Label: "ACCEPT-web", Protocol: linodego.TCP, Ports: ports,
			Addresses: linodego.NetworkAddresses{IPv4: &networks},
		}},
	}
}

func TestAClientThatConnectsTooOftenIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	f.start(two, "two")
	_, address := f.create(
		linodego.NodeBalancerCreateOptions{ClientConnThrottle: new(1)}, linodego.NodeBalancerConfigCreateOptions{})
	refused := 0
	for range 10 {
		if _, err := f.ask(address); err != nil {
			refused++
		}
	}
	require.Positive(t, refused)
}

func TestWhatGoesIsDrainedOrCut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(one, "one")
	balancer, address := f.create(linodego.NodeBalancerCreateOptions{}, linodego.NodeBalancerConfigCreateOptions{
		Nodes: []linodego.NodeBalancerNodeCreateOptions{backend(one)},
	})
	held, err := f.balancers.Dial(visitor)(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer held.Close()
	_, err = converse(held)
	require.NoError(t, err)

	f.start(two, "two")
	configs, err := f.client.ListNodeBalancerConfigs(t.Context(), balancer.ID, nil)
	require.NoError(t, err)
	options := configs[0].GetRebuildOptions()
	options.Nodes = []linodego.NodeBalancerConfigRebuildNodeOptions{{NodeBalancerNodeCreateOptions: backend(two)}}
	_, err = f.client.RebuildNodeBalancerConfig(t.Context(), balancer.ID, configs[0].ID, options)
	require.NoError(t, err)
	f.apply()
	require.Equal(t, map[string]int{"two": 2}, f.served(address, 2))
	answer, err := converse(held)
	require.NoError(t, err, "a connection outlives its backend's place in the list")
	require.Contains(t, answer, "one serves")

	require.NoError(t, f.client.DeleteNodeBalancerConfig(t.Context(), balancer.ID, configs[0].ID))
	f.apply()
	_, err = converse(held)
	require.Error(t, err)
	_, err = f.ask(address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
