package kubernetes

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/linode"
)

const (
	poolLabel = "lke.linode.com/pool-id"

	// poolLabelsAnnotation lists the labels that came from the pool, so that one that the pool drops can be told from one
	// that somebody set by hand.
	poolLabelsAnnotation = "lke-platform.rehearsal/pool-labels"

	// attachAnnotation has the controller manager attach and detach volumes, rather than the kubelet.
	attachAnnotation = "volumes.kubernetes.io/controller-managed-attach-detach"

	podsPerNode = 110 // the kubelet's default
)

// newNode returns the Node object of a Linode. Its status is complete from the start, or kwok would make up a capacity.
func newNode(n linode.Node, kubelet string) *corev1.Node {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Annotations: map[string]string{attachAnnotation: "true"}},
		Spec:       corev1.NodeSpec{ProviderID: fmt.Sprintf("linode://%d", n.InstanceID)},
		Status: corev1.NodeStatus{
			Capacity:    capacity(n.Type),
			Allocatable: allocatable(n.Type),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: n.Name},
				{Type: corev1.NodeExternalIP, Address: n.IPv4},
				{Type: corev1.NodeInternalIP, Address: n.PrivateIP},
			},
			NodeInfo: corev1.NodeSystemInfo{Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: kubelet},
		},
	}
	return adjust(node, n)
}

// adjust sets the labels and taints of a Node object as its pool has them now, and leaves alone what others set.
func adjust(node *corev1.Node, n linode.Node) *corev1.Node {
	labels := maps.Clone(node.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, key := range strings.Fields(node.Annotations[poolLabelsAnnotation]) {
		delete(labels, key)
	}
	maps.Copy(labels, n.Labels)
	maps.Copy(labels, systemLabels(n))
	node.Labels = labels
	pool := strings.Join(slices.Sorted(maps.Keys(n.Labels)), " ")
	metav1.SetMetaDataAnnotation(&node.ObjectMeta, poolLabelsAnnotation, pool)

	// A pool's taints cannot have keys of Kubernetes' domain, and taints with such keys are none of the pool's business.
	taints := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool {
		domain, _, _ := strings.Cut(taint.Key, "/")
		return !strings.HasSuffix(domain, "kubernetes.io")
	})
	for _, taint := range n.Taints {
		taints = append(taints, corev1.Taint{Key: taint.Key, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect)})
	}
	node.Spec.Taints = taints
	return node
}

// systemLabels are those that every LKE node has: the kubelet's, the cloud controller manager's
// (https://github.com/linode/linode-cloud-controller-manager/blob/main/docs/configuration/nodes.md) and LKE's own.
func systemLabels(n linode.Node) map[string]string {
	return map[string]string{
		corev1.LabelHostname:                n.Name,
		corev1.LabelArchStable:              "amd64",
		corev1.LabelOSStable:                "linux",
		corev1.LabelInstanceTypeStable:      n.Type.ID,
		corev1.LabelTopologyRegion:          n.Region,
		"beta.kubernetes.io/arch":           "amd64",
		"beta.kubernetes.io/os":             "linux",
		corev1.LabelInstanceType:            n.Type.ID,
		corev1.LabelFailureDomainBetaRegion: n.Region,
		"topology.linode.com/region":        n.Region,
		poolLabel:                           strconv.Itoa(n.PoolID),
	}
}

// capacity is what the Linode type offers: virtual CPUs, memory and disk (both in MiB).
func capacity(t linode.InstanceType) corev1.ResourceList {
	return resources(int64(t.VCPUs)*1000, int64(t.Memory), int64(t.Disk))
}

// allocatable is what is left for pods. LKE does not publish what its kubelets reserve; this is the rule of thumb of
// Linode's own guide to sizing LKE nodes, common to most providers:
// https://www.linode.com/blog/kubernetes/how-to-right-size-a-kubernetes-cluster-for-efficiency/
// The kubelet's default eviction thresholds come on top, 100 MiB of memory and a tenth of the disk:
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#hard-eviction-thresholds
func allocatable(t linode.InstanceType) corev1.ResourceList {
	milliCPUs, memory, disk := int64(t.VCPUs)*1000, int64(t.Memory), int64(t.Disk)
	return resources(milliCPUs-reserved(milliCPUs, cpuTiers), memory-reserved(memory, memoryTiers)-100, disk-disk/10)
}

func resources(milliCPUs, memoryMiB, diskMiB int64) corev1.ResourceList {
	const mebi = 1 << 20
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewMilliQuantity(milliCPUs, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(memoryMiB*mebi, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(diskMiB*mebi, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
}

// tier reserves a share, in units of 0.01 %, of an amount up to a limit.
type tier struct{ upTo, share int64 }

var (
	cpuTiers    = []tier{{1000, 600}, {2000, 100}, {4000, 50}, {math.MaxInt64, 25}}                      // millicores
	memoryTiers = []tier{{4096, 2500}, {8192, 2000}, {16384, 1000}, {131072, 600}, {math.MaxInt64, 200}} // MiB
)

// reserved adds up the shares of the tiers that the amount reaches into.
func reserved(amount int64, tiers []tier) int64 {
	var sum, from int64
	for _, tier := range tiers {
		sum += max(0, min(amount, tier.upTo)-from) * tier.share
		from = tier.upTo
	}
	return sum / 10_000
}
