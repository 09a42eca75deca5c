package incluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linode/linodego"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/api"
	"k8s.io/cloud-provider/controllers/service"
	controllersmetrics "k8s.io/component-base/metrics/prometheus/controllers"
)

// runLoadBalancers keeps a NodeBalancer for each Service of type LoadBalancer, with Kubernetes' own service controller, as
// Linode's cloud controller manager does: https://github.com/linode/linode-cloud-controller-manager
func (c *cluster) runLoadBalancers(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(c.client, 0)
	core := factory.Core().V1()
	controller, err := service.New(provider{balancers: &loadBalancers{c}}, c.client, core.Services(), core.Nodes(), c.name(), nil)
	if err != nil {
		c.log.Error("the service controller does not start", "error", err)
		return
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	controller.Run(ctx, workers, controllersmetrics.NewControllerManagerMetrics("cloud-controller-manager"))
}

// name is what LKE calls the cluster, and what tags its NodeBalancers.
func (c *cluster) name() string { return fmt.Sprintf("lke%d", c.id) }

// provider is the cloud as the service controller wants it. Nothing else than load balancers is asked of it.
type provider struct {
	cloudprovider.Interface
	balancers cloudprovider.LoadBalancer
}

// LoadBalancer returns what makes load balancers.
func (p provider) LoadBalancer() (cloudprovider.LoadBalancer, bool) { return p.balancers, true }

// ProviderName is the one of Linode's cloud controller manager.
func (provider) ProviderName() string { return "linode" }

// loadBalancers makes NodeBalancers.
type loadBalancers struct{ *cluster }

// GetLoadBalancerName returns the label of a Service's NodeBalancer. (The real one is random; the Service's status then says
// which NodeBalancer it is.)
func (*loadBalancers) GetLoadBalancerName(_ context.Context, _ string, s *corev1.Service) string {
	return "ccm-" + strings.ReplaceAll(string(s.UID), "-", "")[:12]
}

// GetLoadBalancer returns the status of a Service whose NodeBalancer exists.
func (b *loadBalancers) GetLoadBalancer(
	ctx context.Context, clusterName string, s *corev1.Service,
) (*corev1.LoadBalancerStatus, bool, error) {
	found, err := b.find(ctx, clusterName, s)
	if found == nil || err != nil {
		return nil, false, err
	}
	return loadBalancerStatus(s, found), true, nil
}

// EnsureLoadBalancer makes a Service's NodeBalancer, or brings it in line.
func (b *loadBalancers) EnsureLoadBalancer(
	ctx context.Context, clusterName string, s *corev1.Service, nodes []*corev1.Node,
) (*corev1.LoadBalancerStatus, error) {
	b.reviewAnnotations(s)
	if len(nodes) == 0 {
		return nil, api.NewRetryError("no node is ready to serve the NodeBalancer", time.Second)
	}
	found, err := b.find(ctx, clusterName, s)
	switch {
	case err != nil:
		return nil, err
	case found == nil && annotation(s, "nodebalancer-id") != "":
		return nil, fmt.Errorf("there is no NodeBalancer %s", annotation(s, "nodebalancer-id"))
	case found == nil:
		found, err = b.create(ctx, clusterName, s, nodes)
	default:
		err = b.update(ctx, clusterName, s, nodes, found)
	}
	if err != nil {
		return nil, err
	}
	return loadBalancerStatus(s, found), nil
}

// UpdateLoadBalancer gives a Service's NodeBalancer other nodes.
func (b *loadBalancers) UpdateLoadBalancer(
	ctx context.Context, clusterName string, s *corev1.Service, nodes []*corev1.Node,
) error {
	_, err := b.EnsureLoadBalancer(ctx, clusterName, s, nodes)
	return err
}

// EnsureLoadBalancerDeleted deletes a Service's NodeBalancer, and the firewall that was made for it, unless it shall be
// preserved.
func (b *loadBalancers) EnsureLoadBalancerDeleted(ctx context.Context, clusterName string, s *corev1.Service) error {
	found, err := b.find(ctx, clusterName, s)
	if found == nil || err != nil || flag(s, "preserve") {
		return err
	}
	if annotation(s, "firewall-acl") != "" {
		if err := b.deleteFirewall(ctx, found.ID); err != nil {
			return err
		}
	}
	return b.linode.DeleteNodeBalancer(ctx, found.ID)
}

// find returns a Service's NodeBalancer, or nil.
func (b *loadBalancers) find(ctx context.Context, clusterName string, s *corev1.Service) (*linodego.NodeBalancer, error) {
	id, err := number(s, "nodebalancer-id", 0)
	if err != nil {
		return nil, err
	}
	all, err := b.linode.ListNodeBalancers(ctx, nil)
	if err != nil {
		return nil, err
	}
	label := b.GetLoadBalancerName(ctx, clusterName, s)
	i := slices.IndexFunc(all, func(n linodego.NodeBalancer) bool {
		return n.ID == id || id == 0 && n.Label != nil && *n.Label == label
	})
	if i < 0 {
		return nil, nil
	}
	return &all[i], nil
}

func (b *loadBalancers) create(
	ctx context.Context, clusterName string, s *corev1.Service, nodes []*corev1.Node,
) (*linodego.NodeBalancer, error) {
	region, err := b.region(ctx)
	if err != nil {
		return nil, err
	}
	label, throttle := b.GetLoadBalancerName(ctx, clusterName, s), throttle(s)
	options := linodego.NodeBalancerCreateOptions{
		Label: &label, Region: region, ClientConnThrottle: &throttle, Tags: tags(clusterName, s), Type: nodeBalancerType(s),
	}
	for _, port := range s.Spec.Ports {
		config, err := b.config(ctx, s, port)
		if err != nil {
			return nil, err
		}
		created := config.GetCreateOptions()
		if created.Nodes, err = backends(nodes, port, config.Protocol); err != nil {
			return nil, err
		}
		options.Configs = append(options.Configs, &created)
	}
	if options.FirewallID, err = b.firewall(ctx, label, s); err != nil {
		return nil, err
	}
	return b.linode.CreateNodeBalancer(ctx, options)
}

// update brings a NodeBalancer in line. (Its type cannot change, and the real controller does not try.)
func (b *loadBalancers) update(
	ctx context.Context, clusterName string, s *corev1.Service, nodes []*corev1.Node, found *linodego.NodeBalancer,
) error {
	throttle, tags := throttle(s), tags(clusterName, s)
	if found.ClientConnThrottle != throttle || !slices.Equal(found.Tags, tags) {
		options := linodego.NodeBalancerUpdateOptions{ClientConnThrottle: &throttle, Tags: &tags}
		if _, err := b.linode.UpdateNodeBalancer(ctx, found.ID, options); err != nil {
			return err
		}
	}
	if err := b.updateFirewall(ctx, s, found); err != nil {
		return err
	}
	configs, err := b.linode.ListNodeBalancerConfigs(ctx, found.ID, nil)
	if err != nil {
		return err
	}
	for _, port := range s.Spec.Ports {
		if err := b.updatePort(ctx, s, port, nodes, found.ID, configs); err != nil {
			return fmt.Errorf("port %d: %w", port.Port, err)
		}
	}
	for _, config := range configs {
		served := func(port corev1.ServicePort) bool { return int(port.Port) == config.Port }
		if !slices.ContainsFunc(s.Spec.Ports, served) {
			if err := b.linode.DeleteNodeBalancerConfig(ctx, found.ID, config.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// updatePort brings the configuration of one port in line, and makes it where there is none yet.
func (b *loadBalancers) updatePort(
	ctx context.Context, s *corev1.Service, port corev1.ServicePort, nodes []*corev1.Node,
	nodeBalancer int, configs []linodego.NodeBalancerConfig,
) error {
	config, err := b.config(ctx, s, port)
	if err != nil {
		return err
	}
	wanted, err := backends(nodes, port, config.Protocol)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(configs, func(c linodego.NodeBalancerConfig) bool { return c.Port == int(port.Port) })
	if i < 0 {
		options := config.GetCreateOptions()
		options.Nodes = wanted
		_, err := b.linode.CreateNodeBalancerConfig(ctx, nodeBalancer, options)
		return err
	}
	existing, err := b.linode.ListNodeBalancerNodes(ctx, nodeBalancer, configs[i].ID, nil)
	if err != nil {
		return err
	}
	options := config.GetRebuildOptions()
	for _, node := range wanted {
		rebuilt := linodego.NodeBalancerConfigRebuildNodeOptions{NodeBalancerNodeCreateOptions: node}
		for _, old := range existing {
			if old.Address == node.Address {
				rebuilt.ID = old.ID
			}
		}
		options.Nodes = append(options.Nodes, rebuilt)
	}
	_, err = b.linode.RebuildNodeBalancerConfig(ctx, nodeBalancer, configs[i].ID, options)
	return err
}

// backends are the node ports of a Service's port on the nodes' private addresses.
func backends(
	nodes []*corev1.Node, port corev1.ServicePort, protocol linodego.ConfigProtocol,
) ([]linodego.NodeBalancerNodeCreateOptions, error) {
	var options []linodego.NodeBalancerNodeCreateOptions
	for _, node := range nodes {
		i := slices.IndexFunc(node.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Type == corev1.NodeInternalIP })
		if i < 0 {
			return nil, fmt.Errorf("node %s has no internal address", node.Name)
		}
		backend := linodego.NodeBalancerNodeCreateOptions{
			Address: fmt.Sprintf("%s:%d", node.Status.Addresses[i].Address, port.NodePort),
			Label:   node.Name[:min(len(node.Name), 32)], // the longest label that the API takes
			Weight:  100,
		}
		if protocol != linodego.ProtocolUDP {
			backend.Mode = linodego.ModeAccept
		}
		options = append(options, backend)
	}
	return options, nil
}

func loadBalancerStatus(s *corev1.Service, found *linodego.NodeBalancer) *corev1.LoadBalancerStatus {
	address := func(ip *string) corev1.LoadBalancerIngress {
		return corev1.LoadBalancerIngress{Hostname: *found.Hostname, IP: *ip}
	}
	status := &corev1.LoadBalancerStatus{}
	switch {
	case flag(s, "hostname-only-ingress"):
		status.Ingress = []corev1.LoadBalancerIngress{{Hostname: *found.Hostname}}
	case flag(s, "enable-ipv6-ingress") && found.IPv6 != nil:
		status.Ingress = []corev1.LoadBalancerIngress{address(found.IPv4), address(found.IPv6)}
	default:
		status.Ingress = []corev1.LoadBalancerIngress{address(found.IPv4)}
	}
	return status
}
