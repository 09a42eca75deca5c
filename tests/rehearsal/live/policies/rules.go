// Package policies enforces a cluster's network policies on one machine, by rules of nftables, as Calico does on LKE's nodes: for
// pods in the machine's network, never for the machine itself, from where kubelets probe.
package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/knftables"
)

// Table is the name of the table that has all rules, of IPv4, which pods speak here.
const Table = "network-policies"

// Cluster is what the rules of a machine depend on.
type Cluster struct {
	Policies   []*networkingv1.NetworkPolicy
	Namespaces []*corev1.Namespace
	Pods       []*corev1.Pod // of all machines
	Node       string        // the machine's
}

// side is one of the two that a policy is about.
type side struct {
	kind      networkingv1.PolicyType
	own, peer string // how packets name the pod and who it talks to
}

var (
	ingress = side{networkingv1.PolicyTypeIngress, "ip daddr", "ip saddr"}
	egress  = side{networkingv1.PolicyTypeEgress, "ip saddr", "ip daddr"}
)

// Write replaces all rules of the table in one step. What a connection has begun with stays allowed. A packet first has to be let
// out by the pod that it comes from, and then in by the one that it is for. Addresses of Services are translated before.
func (c Cluster) Write(tx *knftables.Transaction) {
	pods := slices.DeleteFunc(slices.Clone(c.Pods), func(pod *corev1.Pod) bool { return !hasNetwork(pod) })
	slices.SortFunc(pods, func(one, other *corev1.Pod) int {
		return cmp.Or(cmp.Compare(one.Namespace, other.Namespace), cmp.Compare(one.Name, other.Name))
	})
	c.Pods = pods
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{})
	for _, hook := range []knftables.BaseChainHook{knftables.ForwardHook, knftables.InputHook} {
		tx.Add(&knftables.Chain{
			Name: string(hook), Hook: &hook,
			Type: knftables.PtrTo(knftables.FilterType), Priority: knftables.PtrTo(knftables.FilterPriority),
		})
		tx.Add(&knftables.Rule{Chain: string(hook), Rule: "ct state established,related accept"})
	}
	c.isolate(tx, egress, knftables.ForwardHook, knftables.InputHook)
	c.isolate(tx, ingress, knftables.ForwardHook)
}

// hasNetwork tells whether a pod has an address that is its own.
func hasNetwork(pod *corev1.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork &&
		pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// isolate has each pod of the machine that a policy selects do no more than policies allow.
func (c Cluster) isolate(tx *knftables.Transaction, s side, hooks ...knftables.BaseChainHook) {
	for _, pod := range c.Pods {
		policies := slices.DeleteFunc(slices.Clone(c.Policies), func(policy *networkingv1.NetworkPolicy) bool {
			return policy.Namespace != pod.Namespace || !slices.Contains(policy.Spec.PolicyTypes, s.kind) ||
				!selects(&policy.Spec.PodSelector, pod.Labels)
		})
		if pod.Spec.NodeName != c.Node || len(policies) == 0 {
			continue
		}
		chain := strings.ToLower(string(s.kind)) + "-" + pod.Status.PodIP
		tx.Add(&knftables.Chain{Name: chain})
		allow := func(match string) { tx.Add(&knftables.Rule{Chain: chain, Rule: knftables.Concat(match, "return")}) }
		allow(s.peer + " " + pod.Status.PodIP) // nothing keeps a pod from itself
		for _, policy := range policies {
			for _, match := range c.allowed(s, pod, policy) {
				allow(match)
			}
		}
		tx.Add(&knftables.Rule{Chain: chain, Rule: "drop"})
		for _, hook := range hooks {
			tx.Add(&knftables.Rule{Chain: string(hook), Rule: knftables.Concat(s.own, pod.Status.PodIP, "jump", chain)})
		}
	}
}

// allowed lists what a policy lets a pod do.
func (c Cluster) allowed(s side, pod *corev1.Pod, policy *networkingv1.NetworkPolicy) (matches []string) {
	if s == ingress {
		for _, rule := range policy.Spec.Ingress {
			matches = append(matches, c.matches(s, pod, rule.From, rule.Ports)...)
		}
		return matches
	}
	for _, rule := range policy.Spec.Egress {
		matches = append(matches, c.matches(s, pod, rule.To, rule.Ports)...)
	}
	return matches
}

// matches lists what of packets one of the peers and one of the ports has. No peers are all, and so are no ports.
func (c Cluster) matches(
	s side, pod *corev1.Pod, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort,
) (matches []string) {
	selected := c.selected(pod.Namespace, peers)
	addresses := addresses(s, peers, selected)
	if len(ports) == 0 {
		return addresses
	}
	for _, port := range ports {
		switch {
		case !isNamed(port):
			matches = append(matches, join(addresses, portMatch(port))...)
		case s == ingress:
			matches = append(matches, join(addresses, namedMatches(port, pod)...)...)
		default: // the name is that of who is talked to
			for _, peer := range selected {
				matches = append(matches, join([]string{s.peer + " " + peer.Status.PodIP}, namedMatches(port, peer)...)...)
			}
		}
	}
	return matches
}

func join(addresses []string, ports ...string) (matches []string) {
	for _, address := range addresses {
		for _, port := range ports {
			matches = append(matches, knftables.Concat(address, port))
		}
	}
	return matches
}

// selected are the pods of peers; all where there are no peers.
func (c Cluster) selected(namespace string, peers []networkingv1.NetworkPolicyPeer) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(c.Pods), func(pod *corev1.Pod) bool {
		return len(peers) > 0 && !slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
			return peer.IPBlock == nil && c.selectsNamespace(peer.NamespaceSelector, namespace, pod.Namespace) &&
				(peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels))
		})
	})
}

// selectsNamespace tells whether a peer is in a namespace: without a selector, in that of the policy.
func (c Cluster) selectsNamespace(selector *metav1.LabelSelector, own, name string) bool {
	if selector == nil {
		return name == own
	}
	return slices.ContainsFunc(c.Namespaces, func(namespace *corev1.Namespace) bool {
		return namespace.Name == name && selects(selector, namespace.Labels)
	})
}

// selects tells whether a selector selects. One that the API server would not have taken selects nothing.
func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

// addresses are those of peers: the one of each block, and those of the pods that are selected. No peers are all.
func addresses(s side, peers []networkingv1.NetworkPolicyPeer, selected []*corev1.Pod) (matches []string) {
	if len(peers) == 0 {
		return []string{""}
	}
	for _, peer := range peers {
		if peer.IPBlock == nil || strings.Contains(peer.IPBlock.CIDR, ":") {
			continue
		}
		match := s.peer + " " + peer.IPBlock.CIDR
		for _, except := range peer.IPBlock.Except {
			match += " " + s.peer + " != " + except
		}
		matches = append(matches, match)
	}
	if len(selected) > 0 {
		list := make([]string, len(selected))
		for i, pod := range selected {
			list[i] = pod.Status.PodIP
		}
		matches = append(matches, fmt.Sprintf("%s { %s }", s.peer, strings.Join(list, ", ")))
	}
	return matches
}

func isNamed(port networkingv1.NetworkPolicyPort) bool {
	return port.Port != nil && port.Port.StrVal != ""
}

// portMatch is what packets to a port have, or to a range of them; without one, all of its protocol.
func portMatch(port networkingv1.NetworkPolicyPort) string {
	protocol := protocolOf(port)
	switch {
	case port.Port == nil:
		return "meta l4proto " + protocol
	case port.EndPort != nil:
		return fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort)
	default:
		return fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal)
	}
}

func protocolOf(port networkingv1.NetworkPolicyPort) string {
	if port.Protocol == nil {
		return "tcp"
	}
	return strings.ToLower(string(*port.Protocol))
}

// namedMatches is what packets to those ports of a pod have that have the name.
func namedMatches(port networkingv1.NetworkPolicyPort, pod *corev1.Pod) (matches []string) {
	protocol := protocolOf(port)
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, declared := range container.Ports {
			if declared.Name == port.Port.StrVal && strings.EqualFold(cmp.Or(string(declared.Protocol), "tcp"), protocol) {
				matches = append(matches, protocol+" dport "+strconv.Itoa(int(declared.ContainerPort)))
			}
		}
	}
	return matches
}
