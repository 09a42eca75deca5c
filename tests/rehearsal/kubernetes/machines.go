package kubernetes

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"lke-platform/tests/rehearsal/linode"
)

// Machines run nodes: each is a kubelet, and what containers need, that takes up the Node object that is there for it.
type Machines interface {
	// ServeAPI has machines reach an API server, by its port on this computer, and returns its address there, if there are any.
	ServeAPI(port int) (address string, err error)
	// Equip has a cluster run what its nodes and pods rely on.
	Equip(ctx context.Context, kubeconfig []byte) error
	// Proxy is the Unix socket of an HTTP proxy that leads to machines and pods, if there are any.
	Proxy() (socket string, err error)
	// Run has a machine run, or be in the trouble that its Linode is in. One that runs is left alone, unless its Linode was
	// switched off or booted since, or it has ended.
	Run(machine Machine) error
	// Ended tells of a machine that ended by itself.
	Ended() error
	// Stop ends a machine at once, without a goodbye. Run has it come back with what is on its disk.
	Stop(name string) error
	// Remove ends a machine for good.
	Remove(name string) error
}

// Machine is a Linode that is to be a node.
type Machine struct {
	linode.Node

	Kubeconfig                           []byte // leads to the API server from this computer
	PodNetwork, ServiceNetwork           string
	ReservedMilliCPUs, ReservedMemoryMiB int64
}

func newMachine(node linode.Node, kubeconfig []byte) Machine {
	return Machine{
		Node: node, Kubeconfig: kubeconfig, PodNetwork: podNetwork, ServiceNetwork: serviceNetwork,
		ReservedMilliCPUs: reserved(int64(node.Type.VCPUs)*1000, cpuTiers),
		ReservedMemoryMiB: reserved(int64(node.Type.Memory), memoryTiers),
	}
}

// simulated are no machines: kwok plays the kubelets of all nodes.
type simulated struct{}

func (simulated) ServeAPI(int) (string, error)        { return "", nil }
func (simulated) Equip(context.Context, []byte) error { return nil }
func (simulated) Proxy() (string, error)              { return "", nil }
func (simulated) Run(Machine) error                   { return nil }
func (simulated) Ended() error                        { return nil }
func (simulated) Stop(string) error                   { return nil }
func (simulated) Remove(string) error                 { return nil }

// egress returns the flags that have the API server reach kubelets and pods.
func (p *controlPlane) egress() (flags []string, err error) {
	socket, err := p.machines.Proxy()
	if err != nil || socket == "" {
		return nil, err
	}
	path := filepath.Join(p.dir, "egress.yaml")
	return []string{"--egress-selector-config-file=" + path, "--kubelet-preferred-address-types=InternalIP"},
		os.WriteFile(path, fmt.Appendf(nil, egressSelection, socket), 0o600)
}

// egressSelection takes the socket of the proxy.
const egressSelection = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: "%s"}}
`

// publish has the Service of the API server lead to it from machines. The API server itself would publish an address of the
// loopback interface, which is none.
func (p *controlPlane) publish(ctx context.Context) error {
	address, err := p.machines.ServeAPI(p.port)
	if err != nil || address == "" {
		return err
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return err
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("https"), Port: ptr.To(int32(port)), Protocol: ptr.To(corev1.ProtocolTCP)},
		},
	}
	slices := p.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault)
	_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = slices.Update(ctx, slice, metav1.UpdateOptions{})
	}
	return err
}
