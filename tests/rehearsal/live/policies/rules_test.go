//go:build linux

package policies

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/knftables"
	"sigs.k8s.io/yaml"
)

// hosts are all who talk to each other: pods of this machine and of another, and others.
var hosts = map[string]string{
	"app": "10.2.1.2", "other": "10.2.1.3", "pg": "10.2.1.4", "far": "10.2.2.2", "outside": "203.0.113.5", "barred": "203.0.113.77",
}

// ports are those that all listen on.
var ports = []int{53, 5432, 8080, 8085, 9090}

func newPod(namespace, name, node, address string, declared ...corev1.ContainerPort) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": strings.TrimRight(name, "0123456789")}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: declared}}},
		Status:     corev1.PodStatus{PodIP: address},
	}
}

func newCluster(policies ...*networkingv1.NetworkPolicy) Cluster {
	http := corev1.ContainerPort{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}
	namespace := func(name, team string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
	}
	ended := newPod("web", "app1", "here", hosts["outside"])
	ended.Status.Phase = corev1.PodSucceeded // its address is somebody else's now
	atHost := newPod("db", "pg1", "here", hosts["barred"])
	atHost.Spec.HostNetwork = true
	return Cluster{
		Node: "here", Policies: policies,
		Namespaces: []*corev1.Namespace{namespace("web", "front"), namespace("db", "back")},
		Pods: []*corev1.Pod{
			newPod("web", "app", "here", hosts["app"], http), newPod("web", "other", "here", hosts["other"]),
			newPod("db", "pg", "here", hosts["pg"], corev1.ContainerPort{Name: "sql", ContainerPort: 5432}),
			newPod("web", "app2", "there", hosts["far"], http), ended, atHost,
		},
	}
}

func TestPolicies(t *testing.T) {
	m := newTestMachine(t)
	for name, test := range map[string]struct {
		policies         string // without kind, and with the name of the namespace beside the spec
		through, stopped []string
	}{
		"without a policy all is open": {
			through: []string{"app>pg:5432", "far>app:8080", "outside>pg:53/udp", "app>outside:8080", "machine>app:8080"},
		},
		"nothing gets in": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress]}]`,
			through:  []string{"app>pg:5432", "app>outside:8080", "machine>app:8080", "app>app:8080", "other>far:8080"},
			stopped:  []string{"other>app:8080", "far>app:8080", "outside>app:8080", "pg>other:53/udp"},
		},
		"nothing gets out": {
			policies: `[{in: web, podSelector: {matchLabels: {app: app}}, policyTypes: [Egress]}]`,
			through:  []string{"other>app:8080", "far>app:8080", "machine>app:8080", "app>app:8080", "other>pg:5432"},
			stopped:  []string{"app>pg:5432", "app>outside:8080", "app>pg:53/udp", "app>machine:8080", "app>far:8080"},
		},
		"an empty rule allows everything": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}]`,
			through:  []string{"pg>app:8080", "outside>app:53/udp", "app>outside:8080", "app>pg:5432"},
		},
		"pods of the namespace": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: app}}}]}]}]`,
			through:  []string{"app>other:8080", "far>other:53/udp"},
			stopped:  []string{"other>app:8080", "pg>other:8080", "outside>other:8080"},
		},
		"namespaces": {
			policies: `[{in: db, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {team: front}}}]}]}]`,
			through:  []string{"app>pg:5432", "other>pg:5432", "far>pg:8080"},
			stopped:  []string{"outside>pg:5432"},
		},
		"pods of namespaces": {
			policies: `[{in: db, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [
				{namespaceSelector: {matchLabels: {team: front}}, podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [other]}]}}]}]}]`,
			through: []string{"app>pg:5432", "far>pg:5432"},
			stopped: []string{"other>pg:5432"},
		},
		"peers that nobody is": {
			policies: `[{in: db, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]}]`,
			stopped:  []string{"app>pg:5432", "outside>pg:5432"},
		},
		"a block of addresses but for some": {
			policies: `[{in: db, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [
				{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.64/26, 203.0.113.77/32]}}, {ipBlock: {cidr: "2001:db8::/32"}}]}]}]`,
			through: []string{"outside>pg:5432"},
			stopped: []string{"barred>pg:5432", "app>pg:5432"},
		},
		"all addresses": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.2.0.0/16]}}]}]}]`,
			through:  []string{"app>outside:8080"},
			stopped:  []string{"app>pg:5432", "app>far:8080"},
		},
		"ports and ranges": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [
				{port: 5432}, {port: 8080, endPort: 8090}, {port: 53, protocol: UDP}]}]}]`,
			through: []string{"pg>app:5432", "pg>app:8080", "outside>app:8085", "pg>app:53/udp"},
			stopped: []string{"pg>app:9090", "pg>app:53", "pg>app:8080/udp"},
		},
		"all of a protocol": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{protocol: UDP}]}]}]`,
			through:  []string{"pg>app:53/udp", "outside>app:9090/udp"},
			stopped:  []string{"pg>app:53"},
		},
		"names of ports are those of who is reached": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: http}]}]}]`,
			through:  []string{"pg>app:8080"},
			stopped:  []string{"pg>app:9090", "pg>other:8080"},
		},
		"names of ports on the way out": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: sql}]},
				{to: [{podSelector: {}}], ports: [{port: http}]}]}]`,
			through: []string{"other>pg:5432", "other>app:8080", "other>far:8080"},
			stopped: []string{"app>other:8080", "other>app:5432", "other>pg:8080", "other>outside:5432"},
		},
		"policies add up": {
			policies: `[{in: db, podSelector: {}, policyTypes: [Ingress]},
				{in: db, podSelector: {matchLabels: {app: pg}}, policyTypes: [Ingress], ingress: [{ports: [{port: 5432}]}]},
				{in: db, podSelector: {matchLabels: {app: pg}}, policyTypes: [Ingress], ingress: [
					{from: [{namespaceSelector: {}}], ports: [{port: 9090}]}]}]`,
			through: []string{"app>pg:5432", "outside>pg:5432", "app>pg:9090"},
			stopped: []string{"outside>pg:9090", "app>pg:8080"},
		},
		"both sides have to allow it": {
			policies: `[{in: web, podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: back}}}]}]},
				{in: db, podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: app}}}]}]}]`,
			through: []string{"app>pg:5432", "far>pg:5432"},
			stopped: []string{"other>pg:5432", "app>other:8080"},
		},
		"pods of the network of their machine": {
			policies: `[{in: db, podSelector: {matchLabels: {app: pg}}, policyTypes: [Ingress, Egress]}]`,
			through:  []string{"app>barred:5432", "barred>app:8080"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m.apply(t, newCluster(parse(t, test.policies)...))
			m.try(t, test.through, test.stopped)
		})
	}
}

// A policy stops what begins after it, and what is open stays open.
func TestWhatIsOpenStaysOpen(t *testing.T) {
	m := newTestMachine(t)
	m.apply(t, newCluster())
	var open net.Conn
	m.in("app", func() {
		var err error
		open, err = net.DialTimeout("tcp", hosts["pg"]+":5432", soon)
		require.NoError(t, err)
	})
	defer open.Close()
	m.apply(t, newCluster(parse(t, `[{in: db, podSelector: {}, policyTypes: [Ingress, Egress]}]`)...))
	m.try(t, nil, []string{"app>pg:5432"})
	require.NoError(t, open.SetDeadline(time.Now().Add(soon)))
	_, err := open.Write([]byte("x"))
	require.NoError(t, err)
	_, err = open.Read(make([]byte, 1))
	require.NoError(t, err)
	m.apply(t, newCluster())
	m.try(t, []string{"app>pg:5432"}, nil)
}

func parse(t *testing.T, text string) (policies []*networkingv1.NetworkPolicy) {
	t.Helper()
	var specs []struct {
		networkingv1.NetworkPolicySpec
		In string `json:"in"`
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &specs))
	for i, spec := range specs {
		policies = append(policies, &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: spec.In, Name: fmt.Sprint(i)}, Spec: spec.NetworkPolicySpec,
		})
	}
	return policies
}

const (
	soon = 10 * time.Second
	// little is for how long is tried what is to be stopped. (What gets through at once gets through earlier.)
	little = 200 * time.Millisecond
)

// testMachine is a network with rules, and networks of hosts around it.
type testMachine map[string]netns.NsHandle

// newTestMachine connects all hosts to one network, each of which answers on all ports.
func newTestMachine(t *testing.T) testMachine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("networks are made by root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not on PATH: install nftables from your distribution")
	}
	m := testMachine{}
	m.add(t, "machine")
	m.in("machine", func() {
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644))
	})
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		m.add(t, name)
		m.connect(t, name)
	}
	return m
}

func (m testMachine) add(t *testing.T, name string) {
	t.Helper()
	apart(func() {
		namespace, err := netns.New()
		require.NoError(t, err)
		m[name] = namespace
		t.Cleanup(func() { _ = namespace.Close() })
		loopback, err := netlink.LinkByName("lo")
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetUp(loopback))
		for _, port := range ports {
			m.answer(t, port)
		}
	})
}

// answer echoes what comes to a port.
func (m testMachine) answer(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
	require.NoError(t, err)
	socket, err := net.ListenPacket("udp4", fmt.Sprintf(":%d", port))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close(); _ = socket.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				content := make([]byte, 1)
				for {
					if _, err := connection.Read(content); err != nil {
						return
					}
					_, _ = connection.Write(content)
				}
			}()
		}
	}()
	go func() {
		content := make([]byte, 1)
		for {
			_, from, err := socket.ReadFrom(content)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(content, from)
		}
	}()
}

const machineAddress = "10.2.1.1"

// connect lays a cable between a host and the machine.
func (m testMachine) connect(t *testing.T, name string) {
	t.Helper()
	there, err := netlink.NewHandleAt(m[name])
	require.NoError(t, err)
	defer there.Close()
	here, err := netlink.NewHandleAt(m["machine"])
	require.NoError(t, err)
	defer here.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	require.NoError(t, here.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsFd(m[name])}))
	whole := func(address string) *net.IPNet {
		return &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(32, 32)}
	}
	for _, end := range []struct {
		links        *netlink.Handle
		link         string
		own, reached *net.IPNet
	}{
		{here, name, whole(machineAddress), whole(hosts[name])},
		{there, "eth0", whole(hosts[name]), whole(machineAddress)},
	} {
		link, err := end.links.LinkByName(end.link)
		require.NoError(t, err)
		require.NoError(t, end.links.AddrAdd(link, &netlink.Addr{IPNet: end.own}))
		require.NoError(t, end.links.LinkSetUp(link))
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: end.reached, Scope: netlink.SCOPE_LINK, Src: end.own.IP}
		require.NoError(t, end.links.RouteAdd(route))
	}
	link, err := there.LinkByName("eth0")
	require.NoError(t, err)
	require.NoError(t, there.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(machineAddress)}))
}

// apart calls f on a thread that ends with it, so that f may move to another network.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		f()
	}()
	<-done
}

// in calls f in the network of a host.
func (m testMachine) in(name string, f func()) {
	apart(func() {
		if err := netns.Set(m[name]); err != nil {
			panic(err)
		}
		f()
	})
}

// apply puts the rules in force.
func (m testMachine) apply(t *testing.T, cluster Cluster) {
	t.Helper()
	m.in("machine", func() {
		nft, err := knftables.New(knftables.IPv4Family, Table)
		require.NoError(t, err)
		tx := nft.NewTransaction()
		cluster.Write(tx)
		require.NoError(t, nft.Run(context.Background(), tx), tx.String())
	})
}

// try has hosts talk to each other: "app>pg:5432", or "app>pg:53/udp".
func (m testMachine) try(t *testing.T, through, stopped []string) {
	t.Helper()
	var all sync.WaitGroup
	for _, connection := range through {
		all.Go(func() {
			if err := m.talk(connection, soon); err != nil {
				t.Errorf("%s does not get through: %v", connection, err)
			}
		})
	}
	for _, connection := range stopped {
		all.Go(func() {
			if m.talk(connection, little) == nil {
				t.Errorf("%s gets through", connection)
			}
		})
	}
	all.Wait()
}

func (m testMachine) talk(connection string, patience time.Duration) (err error) {
	from, rest, _ := strings.Cut(connection, ">")
	to, rest, _ := strings.Cut(rest, ":")
	port, protocol, given := strings.Cut(rest, "/")
	if !given {
		protocol = "tcp"
	}
	address := hosts[to]
	if to == "machine" {
		address = machineAddress
	}
	m.in(from, func() {
		var opened net.Conn
		if opened, err = net.DialTimeout(protocol, net.JoinHostPort(address, port), patience); err != nil {
			return
		}
		defer opened.Close()
		if err = opened.SetDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		if _, err = opened.Write([]byte("x")); err == nil {
			_, err = opened.Read(make([]byte, 1))
		}
	})
	return err
}
