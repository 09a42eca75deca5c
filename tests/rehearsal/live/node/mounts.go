//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"lke-platform/tests/rehearsal/live/spec"
)

// Folders of a machine that last longer than its programs.
const (
	kubeletRoot    = "/var/lib/kubelet"
	containerdRoot = "/var/lib/containerd"
)

// kernelSettings are those that a kubelet would change on this computer if they were others.
var kernelSettings = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// mount is one of the machine's, which nobody outside sees.
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// furnish makes the file system of a machine from that of the computer: what is written below /run, /tmp and /var stays with the
// machine, and it has the processors and the memory of its Linode.
func furnish(m spec.Machine) error {
	root, err := os.Open(m.Dir) // which may be below what is covered
	if err != nil {
		return err
	}
	defer root.Close()
	for _, folder := range []string{"kubelet", "containerd", "var/upper", "var/work"} {
		if err := os.MkdirAll(filepath.Join(m.Dir, folder), 0o755); err != nil {
			return err
		}
	}
	dir := "/proc/self/fd/" + strconv.Itoa(int(root.Fd()))
	own := fmt.Sprintf("lowerdir=/var,upperdir=%s/var/upper,workdir=%s/var/work", m.Dir, m.Dir)
	for _, mount := range []mount{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""}, // nothing gets out
		{"", "/", "", unix.MS_REC | unix.MS_SHARED, ""},  // containers share mounts with their machine
		{"proc", "/proc", "proc", 0, ""},
		{"overlay", "/var", "overlay", 0, own},
		{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
		{dir + "/kubelet", kubeletRoot, "", unix.MS_BIND, ""},
		{dir + "/containerd", containerdRoot, "", unix.MS_BIND, ""},
	} {
		if err := mount.make(); err != nil {
			return err
		}
	}
	return disguise(m)
}

// make makes the mount, and the folder that it is on where the machine may.
func (m mount) make() error {
	if m.flags == unix.MS_BIND {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
		return fmt.Errorf("mounting %s of a machine: %w", m.target, err)
	}
	return nil
}

// disguise has programs see the processors and the memory of the Linode, and kernel settings that they do not want to change.
func disguise(m spec.Machine) error {
	const dir = "/run/disguise"
	if err := disguiseProcessors(m, dir+"/cpu"); err != nil {
		return err
	}
	if err := os.MkdirAll(dir+"/node", 0o755); err != nil {
		return err
	}
	covered := map[string]string{"/sys/devices/system/cpu": dir + "/cpu"}
	if _, err := os.Stat("/sys/devices/system/node"); err == nil {
		covered["/sys/devices/system/node"] = dir + "/node"
	}
	for name, value := range kernelSettings {
		covered["/proc/sys/"+name] = filepath.Join(dir, name)
		if err := write(filepath.Join(dir, name), value); err != nil {
			return err
		}
	}
	kibibytes := m.MemoryMiB << 10
	covered["/proc/meminfo"] = dir + "/meminfo"
	memory := fmt.Sprintf("MemTotal: %d kB\nMemFree: %[1]d kB\nMemAvailable: %[1]d kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
		kibibytes)
	if err := write(dir+"/meminfo", memory); err != nil {
		return err
	}
	for target, source := range covered {
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s of a machine: %w", target, err)
		}
	}
	return nil
}

// disguiseProcessors makes a folder for each processor of the Linode. Those that this computer has, of which machines take
// different ones, tell their place: a kubelet has its pods run on these.
func disguiseProcessors(m spec.Machine, dir string) error {
	there := runtime.NumCPU()
	for n := range m.CPUs {
		number := n
		if n < there {
			number = (m.InstanceID + n) % there
		}
		core := filepath.Join(dir, fmt.Sprintf("cpu%d", number), "topology")
		if err := os.MkdirAll(core, 0o755); err != nil {
			return err
		}
		if n >= there {
			continue
		}
		for name, content := range map[string]string{"core_id": strconv.Itoa(number), "physical_package_id": "0"} {
			if err := write(filepath.Join(core, name), content); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a file in folders that it makes.
func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content+"\n"), 0o644)
}
