//go:build linux

package live

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lke-platform/tests/rehearsal/live/spec"
)

// groupName is the control group that has all machines in it.
const groupName = "lke-platform-rehearsal"

// needed are the controllers that a kubelet asks for.
var needed = []string{"cpu", "cpuset", "memory", "pids"}

// hierarchy is a mounted hierarchy of control groups: the unified one, or the one of some controllers.
type hierarchy struct {
	path        string
	unified     bool
	controllers []string
}

// hierarchies lists those that have controllers, or a name.
func hierarchies() ([]hierarchy, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	return hierarchiesIn(mounts)
}

func hierarchiesIn(mounts io.Reader) (all []hierarchy, err error) {
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		path, kind := strings.Fields(before)[4], strings.Fields(after)
		switch kind[0] {
		case "cgroup":
			all = append(all, hierarchy{path: path, controllers: strings.Split(kind[2], ",")})
		case "cgroup2":
			controllers, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
			if err != nil {
				return nil, err
			}
			all = append(all, hierarchy{path: path, unified: true, controllers: strings.Fields(string(controllers))})
		}
	}
	return all, nil
}

// missingControllers are those that no hierarchy has.
func missingControllers() ([]string, error) {
	all, err := hierarchies()
	return slices.DeleteFunc(slices.Clone(needed), func(controller string) bool {
		return slices.ContainsFunc(all, func(h hierarchy) bool { return slices.Contains(h.controllers, controller) })
	}), err
}

// memoryLimit is the least that a hierarchy lets all of its groups have, in bytes: a computer that is a container may have less
// than it tells.
func memoryLimit(all []hierarchy) int {
	limit := math.MaxInt
	for _, h := range all {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			content, err := os.ReadFile(filepath.Join(h.path, name)) // the root of all groups has none
			if err != nil {
				continue
			}
			if bytes, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil { // else it is "max"
				limit = min(limit, bytes)
			}
		}
	}
	return limit
}

// makeGroup makes the control group of a machine, which gets no more than its Linode has.
func makeGroup(m spec.Machine) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := h.makeGroup(m); err != nil {
			return err
		}
	}
	return nil
}

func (h hierarchy) makeGroup(m spec.Machine) error {
	const period = 100_000 // microseconds
	bytes, quota := strconv.Itoa(m.MemoryMiB<<20), strconv.Itoa(m.CPUs*period)
	if h.unified {
		if err := h.delegate(); err != nil {
			return err
		}
	}
	group := filepath.Join(h.path, m.ControlGroup)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return fmt.Errorf("making a control group: %w", err)
	}
	limits := map[string]string{}
	if slices.Contains(h.controllers, "memory") {
		limits["memory.limit_in_bytes"] = bytes
	}
	if slices.Contains(h.controllers, "cpu") {
		limits["cpu.cfs_period_us"], limits["cpu.cfs_quota_us"] = strconv.Itoa(period), quota
	}
	if h.unified && len(limits) > 0 { // else others have the controllers
		limits = map[string]string{"memory.max": bytes, "cpu.max": quota + " " + strconv.Itoa(period)}
	}
	for name, value := range limits {
		if err := os.WriteFile(filepath.Join(group, name), []byte(value), 0o644); err != nil {
			return fmt.Errorf("limiting a control group: %w", err)
		}
	}
	return nil
}

// delegate lets the groups of machines have the controllers of the unified hierarchy.
func (h hierarchy) delegate() error {
	parent := filepath.Join(h.path, groupName)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	return errors.Join(h.handDown(h.path), h.handDown(parent))
}

// handDown lets the groups in a group have the controllers of the hierarchy.
func (h hierarchy) handDown(group string) error {
	for _, controller := range h.controllers {
		err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		switch {
		case err == nil || !slices.Contains(needed, controller):
		case errors.Is(err, syscall.EBUSY):
			return fmt.Errorf("processes are in the control group %s, so that none in it is limited "+
				"(is this a container? start it with --cgroupns=host): %w", group, err)
		default:
			return fmt.Errorf("handing controller %s to machines: %w", controller, err)
		}
	}
	return nil
}

// removeGroups removes the groups of all machines, also those that a rehearsal left that was killed.
func removeGroups() error { return removeGroup(groupName) }

// removeGroup removes a group and those in it. The kernel may need a moment to take note that nobody is in them.
func removeGroup(name string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		for attempt := 0; ; attempt++ {
			err := removeTree(filepath.Join(h.path, name))
			if err == nil {
				break
			}
			if attempt == 100 {
				return fmt.Errorf("removing a control group: %w", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// removeTree removes folders from the innermost outwards. Files in them cannot be removed, and need not.
func removeTree(path string) error {
	var folders []string
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, folder := range slices.Backward(folders) {
		err = errors.Join(err, os.Remove(folder))
	}
	return err
}

// processes lists those in a group, and in groups in it.
func processes(name string) (all []int, err error) {
	found, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, h := range found {
		if !h.unified && !slices.Contains(h.controllers, "memory") { // one hierarchy has all of them
			continue
		}
		_ = filepath.WalkDir(filepath.Join(h.path, name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil // a group that went meanwhile
			}
			content, _ := os.ReadFile(path)
			for _, line := range strings.Fields(string(content)) {
				if process, err := strconv.Atoi(line); err == nil && process > 0 {
					all = append(all, process)
				}
			}
			return nil
		})
	}
	return all, nil
}
