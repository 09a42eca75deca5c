//go:build linux

package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/relay"
)

const (
	// gateway is the address under which machines reach what the rehearsal serves. It is of Linode's private range, like theirs.
	gateway       = "192.168.128.1"
	privateMask   = 17
	apiPort       = "6443"
	bridgeName    = "machines"
	interfaceName = "eth0"
)

// network is what connects the machines of a rehearsal: a network namespace of its own, which has nothing to do with the
// computer's and ends with the process.
type network struct {
	namespace netns.NsHandle
	links     *netlink.Handle
	bridge    netlink.Link

	mu        sync.Mutex
	listeners map[string]net.Listener // by address
	apis      []int                   // ports of API servers on this computer, in the order of their addresses there
	servers   []*dns.Server           // of names
}

func newNetwork() (*network, error) {
	n := &network{namespace: netns.None(), listeners: map[string]net.Listener{}}
	err := apart(func() error {
		var err error
		if n.namespace, err = netns.New(); err != nil {
			return err
		}
		n.links, err = netlink.NewHandleAt(n.namespace)
		if err != nil {
			return err
		}
		// Pods of two machines meet here.
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	})
	if err == nil {
		err = n.addBridge()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the machines' network: %w", err), n.close())
	}
	return n, nil
}

// apart calls f on a thread that ends with it, so that f may move to another network.
func apart(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- f()
	}()
	return <-done
}

// inside calls f in the network.
func (n *network) inside(f func() error) error {
	return apart(func() error {
		if err := netns.Set(n.namespace); err != nil {
			return err
		}
		return f()
	})
}

func (n *network) addBridge() error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridgeName
	n.bridge = &netlink.Bridge{LinkAttrs: attributes}
	if err := n.links.LinkAdd(n.bridge); err != nil {
		return fmt.Errorf("adding a bridge: %w", err)
	}
	if err := setUp(n.links, bridgeName, gateway); err != nil {
		return err
	}
	return n.addBalancers()
}

// addBalancers has the network itself be under all addresses of NodeBalancers.
func (n *network) addBalancers() error {
	_, all, err := net.ParseCIDR(linode.BalancerRange)
	if err != nil {
		return err
	}
	loopback, err := n.links.LinkByName("lo")
	if err != nil {
		return err
	}
	return n.links.RouteAdd(&netlink.Route{
		LinkIndex: loopback.Attrs().Index, Dst: all, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
	})
}

// setUp gives a link its address in the private range, and sets it up, as well as the one that leads back.
func setUp(links *netlink.Handle, name, address string) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return err
	}
	private := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(privateMask, 32)}}
	if err := links.AddrAdd(link, private); err != nil {
		return err
	}
	loopback, err := links.LinkByName("lo")
	if err != nil {
		return err
	}
	return errors.Join(links.LinkSetUp(loopback), links.LinkSetUp(link))
}

// connect gives a machine, by the ID of its first process, its addresses, and leads its pods' there.
func (n *network) connect(pid int, private, public, pods string) error {
	namespace, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer namespace.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MasterIndex = cableName(pid), n.bridge.Attrs().Index
	cable := &netlink.Veth{LinkAttrs: attributes, PeerName: interfaceName, PeerNamespace: netlink.NsFd(namespace)}
	if err := n.links.LinkAdd(cable); err != nil {
		return err
	}
	if err := n.links.LinkSetUp(cable); err != nil {
		return err
	}
	own, err := netlink.NewHandleAt(namespace)
	if err != nil {
		return err
	}
	defer own.Close()
	if err := setUp(own, interfaceName, private); err != nil {
		return err
	}
	link, err := own.LinkByName(interfaceName)
	if err != nil {
		return err
	}
	if err := own.AddrAdd(link, &netlink.Addr{IPNet: host(public)}); err != nil {
		return err
	}
	if err := own.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(gateway)}); err != nil {
		return err
	}
	_, podRange, err := net.ParseCIDR(pods)
	if err != nil {
		return err
	}
	for _, destination := range []*net.IPNet{podRange, host(public)} {
		route := &netlink.Route{LinkIndex: n.bridge.Attrs().Index, Dst: destination, Gw: net.ParseIP(private)}
		if err := n.links.RouteReplace(route); err != nil {
			return err
		}
	}
	return nil
}

// cableName is what the network has for the cable of a machine.
func cableName(pid int) string { return fmt.Sprintf("m%d", pid) }

// plug connects the cable of a machine, or pulls it.
func (n *network) plug(pid int, in bool) error {
	cable, err := n.links.LinkByName(cableName(pid))
	if err != nil {
		return err
	}
	if in {
		return n.links.LinkSetUp(cable)
	}
	return n.links.LinkSetDown(cable)
}

func host(address string) *net.IPNet {
	return &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(32, 32)}
}

// serve has machines reach a port of this computer's loopback interface, under the same number at the gateway.
func (n *network) serve(port int) (address string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	address = net.JoinHostPort(gateway, strconv.Itoa(port))
	return address, n.listen(address, port)
}

// servePublic has machines reach ports of this computer's loopback interface at an address of its own.
func (n *network) servePublic(address string, ports map[int]int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.links.AddrAdd(n.bridge, &netlink.Addr{IPNet: host(address)}); err != nil {
		return fmt.Errorf("serving %s to the machines: %w", address, err)
	}
	for known, port := range ports {
		if err := n.listen(net.JoinHostPort(address, strconv.Itoa(known)), port); err != nil {
			return err
		}
	}
	return nil
}

// serveAPI has machines reach an API server, under the number that it has on LKE, which policies name, at an address of its own.
func (n *network) serveAPI(port int) (address string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.Index(n.apis, port)
	if at < 0 {
		at = len(n.apis)
		if err := n.links.AddrAdd(n.bridge, &netlink.Addr{IPNet: host(apiAddress(at))}); err != nil {
			return "", fmt.Errorf("serving an API server to the machines: %w", err)
		}
		n.apis = append(n.apis, port)
	}
	address = net.JoinHostPort(apiAddress(at), apiPort)
	return address, n.listen(address, port)
}

// apiAddress is that of the first API server, counted from 0, or of another.
func apiAddress(number int) string { return fmt.Sprintf("192.168.128.%d", 2+number) }

// listen relays connections to an address of the network to a port of this computer's loopback interface.
func (n *network) listen(address string, port int) error {
	if n.listeners[address] != nil {
		return nil
	}
	var listener net.Listener
	err := n.inside(func() (err error) {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		return fmt.Errorf("serving port %d to the machines: %w", port, err)
	}
	n.listeners[address] = listener
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go lead(from, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}()
	return nil
}

// dial connects to a machine or a pod.
func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	return n.dialFrom(ctx, netip.Addr{}, address)
}

// dialFrom connects from an address of the network's own.
func (n *network) dialFrom(ctx context.Context, from netip.Addr, address string) (connection net.Conn, err error) {
	dialer := &net.Dialer{}
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	err = n.inside(func() (err error) {
		connection, err = dialer.DialContext(ctx, "tcp4", address)
		return err
	})
	return connection, err
}

func lead(from net.Conn, address string) {
	to, err := net.Dial("tcp4", address)
	if err != nil {
		_ = from.Close()
		return
	}
	relay.Join(from, to)
}

func (n *network) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var faults []error
	for _, listener := range n.listeners {
		faults = append(faults, listener.Close())
	}
	for _, server := range n.servers {
		faults = append(faults, server.Shutdown())
	}
	if n.links != nil {
		n.links.Close()
	}
	if n.namespace.IsOpen() {
		faults = append(faults, n.namespace.Close())
	}
	return errors.Join(faults...)
}
