//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"lke-platform/tests/rehearsal/live/spec"
)

// Where the parts of a machine find each other.
const (
	containerdSocket = "/run/containerd/containerd.sock"
	runtimeSocket    = "/run/runtime.sock" // what the kubelet takes for containerd
	storageSocket    = kubeletRoot + "/plugins/" + spec.StorageDriver + "/csi.sock"
	configuration    = "/run/configuration"
	clusterDNS       = ".0.10" // the last two parts of the address of the cluster's name server
)

// machine is a machine as its programs are started on it.
type machine struct {
	spec.Machine

	ended chan error // takes why the machine cannot go on
}

// work runs the programs of a machine until one of them ends.
func work(m spec.Machine) error {
	machine := &machine{Machine: m, ended: make(chan error, 8)}
	if err := machine.start(); err != nil {
		return err
	}
	return <-machine.ended
}

func (m *machine) start() error {
	if err := m.configure(); err != nil {
		return err
	}
	if err := m.run("containerd", "--config", configuration+"/containerd.toml"); err != nil {
		return err
	}
	if err := m.serveRuntime(); err != nil {
		return fmt.Errorf("serving containers: %w", err)
	}
	if err := m.serveStorage(); err != nil {
		return fmt.Errorf("serving volumes: %w", err)
	}
	if err := m.run("kube-proxy", "--config="+configuration+"/kube-proxy.json"); err != nil {
		return err
	}
	return m.run("kubelet", "--config="+configuration+"/kubelet.json", "--kubeconfig="+m.Kubeconfig,
		"--hostname-override="+m.Name, "--node-ip="+m.Address, "--cloud-provider=external")
}

// run starts a program of the bin folder, its output in logs/<name>.log.
func (m *machine) run(name string, arguments ...string) error {
	output, err := os.OpenFile(filepath.Join(m.Dir, "logs", name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	cmd := exec.Command(filepath.Join(m.Bin, name), arguments...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), "PATH="+m.Bin+":"+os.Getenv("PATH")) // containerd looks for its shim there
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { m.ended <- fmt.Errorf("%s ended: %w", name, errors.Join(cmd.Wait(), errEnd)) }()
	return nil
}

// errEnd stands for an end without an error.
var errEnd = errors.New("see its log")

// configure writes what the programs read.
func (m *machine) configure() error {
	network := map[string]any{
		"cniVersion": "1.0.0", "name": "pods", "plugins": []any{
			map[string]any{
				"type": "ptp", // so that what pods of one machine say to each other passes its rules, too
				"ipam": map[string]any{
					"type": "host-local", "dataDir": "/run/cni/addresses",
					"ranges": []any{[]any{map[string]any{"subnet": m.PodRange}}},
					"routes": []any{map[string]any{"dst": "0.0.0.0/0"}},
				},
			},
			map[string]any{"type": "portmap", "backend": "nftables", "capabilities": map[string]any{"portMappings": true}},
		},
	}
	for name, content := range map[string]any{
		"cni/pods.conflist": network, "kubelet.json": m.kubelet(), "kube-proxy.json": m.kubeProxy(),
	} {
		text, err := json.Marshal(content)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(configuration, name), string(text)); err != nil {
			return err
		}
	}
	if err := write(configuration+"/resolv.conf", "nameserver "+m.NameServer); err != nil {
		return err
	}
	return write(configuration+"/containerd.toml", fmt.Sprintf(containerdConfiguration,
		containerdRoot, containerdSocket, spec.Played, m.Bin, configuration+"/cni"))
}

// containerdConfiguration takes the root, the socket, the image of sandboxes and the folders of the network's plugins and
// configuration. A computer that is itself a container may not let go of what protects processes when memory is short.
const containerdConfiguration = `version = 3
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = %q
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
disable_apparmor = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [%q]
conf_dir = %q
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
`

// kubelet is the kubelet's configuration. It leaves the node's object to who made it, and how full the disk is to who owns it.
func (m *machine) kubelet() map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"registerNode": false, "containerRuntimeEndpoint": "unix://" + runtimeSocket,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": true}, "webhook": map[string]any{"enabled": false},
		},
		"authorization": map[string]any{"mode": "AlwaysAllow"},
		"cgroupDriver":  "cgroupfs", "cgroupRoot": m.ControlGroup, "failCgroupV1": false, "failSwapOn": false, "oomScoreAdj": 0,
		"clusterDomain": "cluster.local", "clusterDNS": []string{m.nameServer()}, "resolvConf": configuration + "/resolv.conf",
		"volumePluginDir": kubeletRoot + "/volume-plugins", "readOnlyPort": 0, "serializeImagePulls": false,
		"kubeReserved": map[string]string{
			"cpu": fmt.Sprintf("%dm", m.ReservedMilliCPUs), "memory": fmt.Sprintf("%dMi", m.ReservedMemoryMiB),
		},
		// Instead of the threshold of eviction, which would be held against what the computer has in use.
		"systemReserved": map[string]string{"memory": "100Mi"},
		"evictionHard": map[string]string{
			"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%",
			"imagefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
	}
}

func (m *machine) nameServer() string {
	base, _, _ := strings.Cut(m.ServiceNetwork, ".0.0/")
	return base + clusterDNS
}

// kubeProxy is kube-proxy's configuration, which changes nothing beyond the machine's own network.
func (m *machine) kubeProxy() map[string]any {
	return map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": "nftables", "clusterCIDR": m.PodNetwork, "hostnameOverride": m.Name, "oomScoreAdj": 0,
		"clientConnection": map[string]any{"kubeconfig": m.Kubeconfig},
		"conntrack":        map[string]any{"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

// importImage gives an archived image a name.
func (m *machine) importImage(ctx context.Context, archive, name string) error {
	for _, arguments := range [][]string{
		{"images", "import", "--local", archive}, {"images", "tag", "--force", "--local", spec.Imported, name},
	} {
		if err := m.ctr(ctx, arguments...); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) ctr(ctx context.Context, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(m.Bin, "ctr"),
		append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, arguments...)...)
	var complaint strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(complaint.String()))
	}
	return nil
}
