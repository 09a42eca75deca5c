//go:build linux

package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// What memory and what disk a live rehearsal needs: for itself and the control plane, and for each machine with its pods.
const (
	ownMiB         = 1536
	machineMiB     = 640
	ownDiskMiB     = 1024
	machineDiskMiB = 512
)

// check says all that keeps a live rehearsal from running here, before anything is begun.
func check(o Options) error {
	if os.Geteuid() != 0 {
		return errors.New(`a live rehearsal takes root, for its namespaces: sudo env PATH="$PATH" make rehearse LIVE=1`)
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return fmt.Errorf("a live rehearsal runs on amd64 and arm64, not on %s", runtime.GOARCH)
	}
	faults := []error{checkMemory(o.Nodes), checkDisk(o.Dir, o.Nodes), checkControllers(), checkGroups()}
	for program, installed := range map[string]string{"runc": "runc", "nft": "nftables"} {
		if _, err := exec.LookPath(program); err != nil {
			faults = append(faults, fmt.Errorf("%s is not on PATH: install %s from your distribution", program, installed))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("a live rehearsal cannot run here:\n%w", err)
	}
	if err := errors.Join(checkOverlay(o.Dir), checkRules()); err != nil {
		return fmt.Errorf("a live rehearsal cannot run on this kernel:\n%w", err)
	}
	return nil
}

var available = regexp.MustCompile(`MemAvailable: +(\d+) kB`)

func checkMemory(nodes int) error {
	content, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	match := available.FindSubmatch(content)
	if match == nil {
		return nil // of a kernel that does not tell
	}
	kibibytes, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return err
	}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	if wanted, available := ownMiB+nodes*machineMiB, min(kibibytes>>10, memoryLimit(all)>>20); available < wanted {
		return fmt.Errorf("%d nodes need %d MiB of memory, and %d MiB are available", nodes, wanted, available)
	}
	return nil
}

// checkDisk looks at what is free where machines keep what is theirs.
func checkDisk(dir string, nodes int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return err
	}
	free := int(disk.Bavail * uint64(disk.Bsize) >> 20)
	if wanted := ownDiskMiB + nodes*machineDiskMiB; free < wanted {
		return fmt.Errorf("%d nodes need %d MiB of disk, and %d MiB are free in %s", nodes, wanted, free, dir)
	}
	return nil
}

// checkGroups makes a control group and removes it again. A container may see control groups, and not be allowed any.
func checkGroups() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		group := filepath.Join(h.path, groupName+"-check")
		if err := errors.Join(os.MkdirAll(group, 0o755), os.Remove(group)); err != nil {
			return fmt.Errorf("control groups cannot be made (is this a container? give it --privileged): %w", err)
		}
	}
	return nil
}

func checkControllers() error {
	missing, err := missingControllers()
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no control groups are mounted that control %s", strings.Join(missing, ", "))
	}
	return err
}

// checkOverlay mounts what containers and machines are made of, in a namespace that ends at once.
func checkOverlay(dir string) error {
	parts := map[string]string{}
	for _, part := range []string{"lower", "upper", "work", "merged"} {
		parts[part] = filepath.Join(dir, "check", part)
		if err := os.MkdirAll(parts[part], 0o755); err != nil {
			return err
		}
	}
	err := apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			return fmt.Errorf("a mount namespace cannot be made (is this a container without CAP_SYS_ADMIN?): %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", parts["lower"], parts["upper"], parts["work"])
		if err := unix.Mount("overlay", parts["merged"], "overlay", 0, data); err != nil {
			return fmt.Errorf("overlayfs cannot be mounted in %s (is that itself on one, or on a network?): %w", dir, err)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(filepath.Join(dir, "check")))
}

// rules are of the kinds that kube-proxy makes.
const rules = `table ip check {
  map targets { type ipv4_addr . inet_proto . inet_service : verdict; }
  chain one { }
  chain two { meta l4proto tcp dnat to 10.0.0.1:80; }
  chain before {
    type nat hook prerouting priority dstnat;
    fib daddr type local counter
    ip daddr . meta l4proto . th dport vmap @targets
    ct state new numgen random mod 2 vmap { 0 : goto one, 1 : goto two }
  }
  chain after {
    type nat hook postrouting priority srcnat;
    masquerade fully-random
  }
}`

// checkRules sets rules in a network that ends at once.
func checkRules() error {
	return apart(func() error {
		namespace, err := netns.New()
		if err != nil {
			return fmt.Errorf("a network namespace cannot be made (is this a container without CAP_NET_ADMIN?): %w", err)
		}
		defer namespace.Close()
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(rules)
		var complaint bytes.Buffer
		nft.Stderr = &complaint
		if err := nft.Run(); err != nil {
			return fmt.Errorf("nftables cannot do what kube-proxy asks (CONFIG_NF_TABLES, CONFIG_NFT_NAT, …): %w\n%s",
				err, bytes.TrimSpace(complaint.Bytes()))
		}
		return nil
	})
}
