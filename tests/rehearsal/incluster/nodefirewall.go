package incluster

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/linode/linodego"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	firewallFinalizer = "cloudfirewalls.networking.linode.com/finalizer"
	// firewallController is the controller's Deployment, and the chart's name.
	firewallController = "cloud-firewall-controller"
	// defaultFirewall is the CloudFirewall that the controller makes where it finds none.
	defaultFirewall = "primary"
)

var cloudFirewalls = schema.GroupVersionResource{
	Group: "networking.linode.com", Version: "alpha1v1", Resource: "cloudfirewalls",
}

// cloudFirewall is a CloudFirewall of Linode's controller: https://github.com/linode/cloud-firewall-controller
type cloudFirewall struct {
	Spec struct {
		DefaultRules *bool                    `json:"defaultRules"`
		Ruleset      linodego.FirewallRuleSet `json:"ruleset"`
	} `json:"spec"`
}

// defaultRules are what LKE itself needs of its nodes: by label, protocol, ports and source.
var defaultRules = []struct {
	label    string
	protocol linodego.NetworkProtocol
	ports    string
	source   string
}{
	{"allow-all-icmp", linodego.ICMP, "", "0.0.0.0/0"},
	{"allow-kubelet-health-checks", linodego.TCP, "10250,10256", nodeNetwork},
	{"allow-lke-wireguard", linodego.UDP, "51820", nodeNetwork},
	{"allow-cluster-dns-tcp", linodego.TCP, "53", nodeNetwork},
	{"allow-cluster-dns-udp", linodego.UDP, "53", nodeNetwork},
	{"allow-calico-bgp", linodego.TCP, "179", nodeNetwork},
	{"allow-calico-typha", linodego.TCP, "5473", nodeNetwork},
	{"allow-cluster-nodeports-tcp", linodego.TCP, "30000-32767", nodeBalancerNetwork},
	{"allow-cluster-nodeports-udp", linodego.UDP, "30000-32767", nodeBalancerNetwork},
	{"allow-cluster-ipencap", linodego.IPENCAP, "", nodeNetwork},
}

const (
	nodeNetwork         = "192.168.128.0/17"
	nodeBalancerNetwork = "192.168.255.0/24"
)

// rules returns the rules of a firewall, LKE's own first.
func (f *cloudFirewall) rules() linodego.FirewallRuleSet {
	rules := f.Spec.Ruleset
	rules.Inbound, rules.InboundPolicy, rules.OutboundPolicy = nil, "DROP", "ACCEPT"
	if f.Spec.DefaultRules == nil || *f.Spec.DefaultRules {
		for _, rule := range defaultRules {
			source := linodego.NetworkAddresses{IPv4: &[]string{rule.source}}
			if rule.protocol == linodego.ICMP {
				source.IPv6 = &[]string{"::/0"}
			}
			rules.Inbound = append(rules.Inbound, linodego.FirewallRule{
				Action: "ACCEPT", Label: rule.label, Protocol: rule.protocol, Ports: rule.ports, Addresses: source,
			})
		}
	}
	rules.Inbound = append(rules.Inbound, f.Spec.Ruleset.Inbound...)
	return rules
}

// installFirewallController stands in for the controller's chart, and waits for the controller as Helm does: what the controller
// makes at its start is there by then.
func (c *cluster) installFirewallController(ctx context.Context) error {
	labels := map[string]string{"app.kubernetes.io/name": firewallController}
	_, err := c.client.AppsV1().Deployments(metav1.NamespaceSystem).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: firewallController, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       scheduling{}.pod(corev1.Container{Name: firewallController}),
			},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		if controller, err := c.firewallController(ctx); controller == nil || err != nil {
			return false, err
		}
		found, err := c.dynamic.Resource(cloudFirewalls).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) { // the kind is not defined
			return false, nil
		}
		return err == nil && len(found.Items) > 0, err
	})
}

func (c *cluster) removeFirewallController(ctx context.Context) error {
	err := c.client.AppsV1().Deployments(metav1.NamespaceSystem).Delete(ctx, firewallController, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// firewallController returns the controller's Deployment; nil where none of its pods is ready, and nobody keeps firewalls.
func (c *cluster) firewallController(ctx context.Context) (*appsv1.Deployment, error) {
	found, err := c.client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, firewallController, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && (found.DeletionTimestamp != nil || found.Status.ReadyReplicas == 0) {
		return nil, nil
	}
	return found, err
}

// startFirewallController plays the controller's start: where it finds no CloudFirewall, it makes one with the rules of LKE.
func (c *cluster) startFirewallController(ctx context.Context, deployment *appsv1.Deployment) error {
	if deployment.Namespace != metav1.NamespaceSystem || deployment.Name != firewallController ||
		deployment.DeletionTimestamp != nil || deployment.Status.ReadyReplicas == 0 {
		return nil
	}
	found, err := c.dynamic.Resource(cloudFirewalls).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err): // the kind is not defined
		return errNotYet
	case err != nil || len(found.Items) > 0:
		return err
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	object.SetGroupVersionKind(cloudFirewalls.GroupVersion().WithKind("CloudFirewall"))
	object.SetName(defaultFirewall)
	_, err = c.dynamic.Resource(cloudFirewalls).Namespace(metav1.NamespaceSystem).Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// protectNodes has all firewalls follow a change of the nodes.
func (c *cluster) protectNodes(ctx context.Context, _ *unstructured.Unstructured) error {
	found, err := c.dynamic.Resource(cloudFirewalls).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) { // the kind is not defined
		return nil
	}
	if err != nil {
		return err
	}
	for _, object := range found.Items {
		if err := c.runFirewall(ctx, cloudFirewalls, &object); err != nil {
			return err
		}
	}
	return nil
}

// runFirewall keeps a firewall of Linode around all nodes, as long as its controller runs. The object belongs to the
// controller's Deployment, and goes with it.
func (c *cluster) runFirewall(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	controller, err := c.firewallController(ctx)
	if err != nil {
		return err
	}
	if controller == nil {
		return errNotYet
	}
	if object.GetDeletionTimestamp() != nil {
		return c.removeFirewall(ctx, resource, object)
	}
	if !slices.Contains(object.GetFinalizers(), firewallFinalizer) {
		object.SetFinalizers(append(object.GetFinalizers(), firewallFinalizer))
		if object.GetNamespace() == controller.Namespace {
			object.SetOwnerReferences([]metav1.OwnerReference{
				*metav1.NewControllerRef(controller, appsv1.SchemeGroupVersion.WithKind("Deployment")),
			})
		}
		_, err := c.dynamic.Resource(resource).Namespace(object.GetNamespace()).Update(ctx, object, metav1.UpdateOptions{})
		return err // the update brings the object here again
	}
	var wanted cloudFirewall
	if err := decode(object, &wanted); err != nil {
		return err
	}
	nodes, err := c.linodes(ctx)
	if err != nil {
		return err
	}
	firewall, err := c.keepFirewall(ctx, wanted.rules())
	if err != nil {
		return err
	}
	if err := c.protect(ctx, firewall, nodes); err != nil {
		return err
	}
	list := make([]any, len(nodes))
	for i, node := range nodes {
		list[i] = int64(node)
	}
	return c.setStatus(ctx, resource, object, map[string]any{"firewall-id": strconv.Itoa(firewall), "nodes": list})
}

// keepFirewall makes the cluster's firewall, or gives it other rules, and returns its ID.
func (c *cluster) keepFirewall(ctx context.Context, rules linodego.FirewallRuleSet) (int, error) {
	existing, err := c.nodeFirewall(ctx)
	if err != nil {
		return 0, err
	}
	if existing == nil {
		options := linodego.FirewallCreateOptions{Label: c.nodeFirewallLabel(), Rules: rules}
		created, err := c.linode.CreateFirewall(ctx, options)
		if err != nil {
			return 0, err
		}
		return created.ID, nil
	}
	if !reflect.DeepEqual(existing.Rules.Inbound, rules.Inbound) {
		_, err = c.linode.UpdateFirewallRules(ctx, existing.ID, rules)
	}
	return existing.ID, err
}

func (c *cluster) nodeFirewallLabel() string { return fmt.Sprintf("lke-%d", c.id) }

// nodeFirewall finds the cluster's firewall; nil where there is none.
func (c *cluster) nodeFirewall(ctx context.Context) (*linodego.Firewall, error) {
	all, err := c.linode.ListFirewalls(ctx, nil)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(f linodego.Firewall) bool { return f.Label == c.nodeFirewallLabel() })
	if i < 0 {
		return nil, nil
	}
	return &all[i], nil
}

// linodes returns the IDs of the Linodes that the nodes are.
func (c *cluster) linodes(ctx context.Context) ([]int, error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, node := range nodes.Items {
		if id, err := strconv.Atoi(instanceID(&node)); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// protect puts Linodes behind a firewall. One that is deleted leaves it by itself.
func (c *cluster) protect(ctx context.Context, firewall int, linodes []int) error {
	devices, err := c.linode.ListFirewallDevices(ctx, firewall, nil)
	if err != nil {
		return err
	}
	for _, id := range linodes {
		if slices.ContainsFunc(devices, func(d linodego.FirewallDevice) bool { return d.Entity.ID == id }) {
			continue
		}
		device := linodego.FirewallDeviceCreateOptions{ID: id, Type: linodego.FirewallDeviceLinode}
		if _, err := c.linode.CreateFirewallDevice(ctx, firewall, device); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) removeFirewall(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	existing, err := c.nodeFirewall(ctx)
	if err != nil {
		return err
	}
	if existing != nil {
		if err := c.linode.DeleteFirewall(ctx, existing.ID); err != nil {
			return err
		}
	}
	object.SetFinalizers(slices.DeleteFunc(object.GetFinalizers(), func(f string) bool { return f == firewallFinalizer }))
	_, err = c.dynamic.Resource(resource).Namespace(object.GetNamespace()).Update(ctx, object, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
