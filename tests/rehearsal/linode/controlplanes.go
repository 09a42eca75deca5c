package linode

import "context"

// ControlPlanes runs the Kubernetes behind the simulated LKE clusters. Package kubernetes implements it.
type ControlPlanes interface {
	// Start brings up the control plane of a cluster, or brings it up again where the cluster's data is already on disk,
	// and returns how to reach it. It returns when the API server answers.
	Start(ctx context.Context, clusterID int, version string) (Access, error)
	// Sync makes the cluster's nodes those listed: missing ones join, others leave, and labels and taints follow. It returns
	// when all listed nodes are Ready that are neither off nor in trouble. A node that somebody deletes in Kubernetes comes
	// back by itself.
	Sync(ctx context.Context, clusterID int, nodes []Node) error
	// Hang has the API server of a running control plane answer nobody, until it is not to hang any more.
	Hang(clusterID int, hung bool) error
	// Delete stops the control plane and removes its data.
	Delete(ctx context.Context, clusterID int) error
}

// Disks are those of volumes, where Linodes are machines that run. Package live implements it.
type Disks interface {
	// Plug has a Linode find the disk of a volume.
	Plug(linode, volume int) error
	// Unplug takes the disk from a Linode, whatever state that is in, and from programs that still use it.
	Unplug(linode, volume int) error
	// Destroy deletes what is on a disk that is plugged in nowhere.
	Destroy(volume int) error
}

// noDisks are the disks of Linodes that do not run.
type noDisks struct{}

func (noDisks) Plug(int, int) error   { return nil }
func (noDisks) Unplug(int, int) error { return nil }
func (noDisks) Destroy(int) error     { return nil }

// Access is how a client reaches a control plane.
type Access struct {
	Kubeconfig []byte // YAML, as the LKE API hands it out (there in base64)
	Endpoint   string // for instance https://127.0.0.1:41234
}

// Node is one worker of a cluster: a Linode of a node pool.
type Node struct {
	Name       string // the Kubernetes name, lke<cluster>-<pool>-<suffix>
	PoolID     int
	InstanceID int
	Region     string
	Type       InstanceType
	IPv4       string // public
	PrivateIP  string // 192.168.128.0/17
	Labels     map[string]string
	Taints     []Taint
	Boots      int  // how often somebody booted the Linode
	Off        bool // whether somebody shut it down
	Trouble    Trouble
}

// Attachable is how many volumes a Linode can take besides its own two disks, by its memory in MiB: one for each GiB, at least 8,
// at most 64. https://github.com/linode/linode-blockstorage-csi-driver/blob/main/internal/driver/limits.go
func Attachable(memory int) int { return min(max(memory>>10, 8), 64) - 2 }

// Taint is a taint of a node pool, with the effects of Kubernetes.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Effect string `json:"effect"`
}
