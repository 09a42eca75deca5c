// Package spec says what a machine of a live rehearsal is. Who starts machines and the program in them have it in common.
package spec

import (
	"strconv"
	"strings"
)

// Machine is a simulated Linode that runs containers: a process with namespaces and a control group of its own.
type Machine struct {
	Name       string
	InstanceID int // of the Linode
	Region     string
	CPUs       int // as many as the Linode has, whatever this computer has
	MemoryMiB  int
	// ReservedMilliCPUs and ReservedMemoryMiB are what the node keeps from its pods.
	ReservedMilliCPUs, ReservedMemoryMiB int64
	// Attachable is how many volumes it takes.
	Attachable int64

	Address  string // the private one
	PodRange string // of which its pods get their addresses
	// PodNetwork and ServiceNetwork are those of the cluster.
	PodNetwork, ServiceNetwork string
	// NameServer is the address of the machine's own, which pods ask by the cluster's.
	NameServer string

	Dir string // keeps all that is the machine's own
	// Bin has the programs, Images what Images of this package lists, and Devices a link for each volume that is attached.
	Bin, Images, Devices string
	Kubeconfig           string
	ControlGroup         string // below that of the computer
	// Environment is laid over that of all containers, to point them at the rehearsal.
	Environment map[string]string
	// Roots is a file with those that containers trust, and no others; empty where each trusts what its image does.
	Roots string
}

// What the first process of a machine is told, on its standard input.
const (
	Begin byte = 'b' // the network is there
	Hang  byte = 'h'
	GoOn  byte = 'g'
)

const (
	// StorageDriver is Linode's driver of volumes: https://github.com/linode/linode-blockstorage-csi-driver
	StorageDriver = "linodebs.csi.linode.com"
	// RegionTopology is the label that says where a volume can be used.
	RegionTopology = "topology.linode.com/region"
)

// VolumeID is the ID in the driver's name for a volume, <ID>-<label>; 0, which no volume has, where it is none.
func VolumeID(handle string) int {
	text, _, _ := strings.Cut(handle, "-")
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return id
}

// Played is the image that is run in the place of one that cannot be had.
const Played = "lke-platform.rehearsal/played:latest"

// App is the test app, which answers in the place of an application's image that is not at hand.
const App = "lke-platform.rehearsal/app:latest"

// TagLeadsTo annotates a namespace in which tags lead to versions whose digests begin so: what they led to has moved.
const TagLeadsTo = "lke-platform.rehearsal/tag-leads-to"

// Postgres is the repository of the image that database servers run.
const Postgres = "lke-platform.rehearsal/postgres"

// Images are archives, as `docker save` writes them, of images that are at hand. They are found by the whole name of an image or
// by that without tag and digest. Each archive holds one image, under the name Imported.
type Images map[string]string

// Imported is the name that images have in their archives.
const Imported = "lke-platform.rehearsal/imported:latest"
