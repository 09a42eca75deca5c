//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lke-platform/tests/rehearsal/linode"
)

var _ linode.Disks = (*Machines)(nil)

// devices is the folder in which a Linode finds the disks of its volumes.
func (m *Machines) devices(instance int) string {
	return filepath.Join(m.options.Dir, "devices", strconv.Itoa(instance))
}

func (m *Machines) volume(volume int) string {
	return filepath.Join(m.options.Dir, "volumes", strconv.Itoa(volume))
}

// Plug implements linode.Disks.
func (m *Machines) Plug(instance, volume int) error {
	for _, folder := range []string{m.devices(instance), m.volume(volume)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	err := os.Symlink(m.volume(volume), filepath.Join(m.devices(instance), strconv.Itoa(volume)))
	if errors.Is(err, os.ErrExist) { // from an attempt that failed later
		return nil
	}
	return err
}

// Destroy implements linode.Disks.
func (m *Machines) Destroy(volume int) error { return os.RemoveAll(m.volume(volume)) }

// Unplug implements linode.Disks. A node that is well has let go of the volume before. On one that is not, what uses it is
// killed: an open file would otherwise lead there still, when another node has the volume.
func (m *Machines) Unplug(instance, volume int) error {
	err := os.Remove(filepath.Join(m.devices(instance), strconv.Itoa(volume)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, running := range m.running {
		if running.InstanceID != instance || running.hasEnded() {
			continue
		}
		if err := running.pull(m.volume(volume)); err != nil {
			return fmt.Errorf("taking volume %d from machine %s: %w", volume, running.Name, err)
		}
	}
	return nil
}

// pull has a machine lose a volume.
func (m *machine) pull(folder string) error {
	if err := cover(m.first.Process.Pid, folder); err != nil {
		return err
	}
	const often = 500
	for range often { // what was about to fork or to start comes to light now
		users, err := m.users(folder)
		if err != nil || len(users) == 0 {
			return err
		}
		for _, user := range users {
			_ = unix.Kill(user, unix.SIGKILL) // it may have ended
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("programs that use it do not end")
}

// cover puts a folder in which nothing can be written in all places where a machine has mounted a volume.
func cover(first int, folder string) error {
	places, err := mounts(first, folder)
	if err != nil || len(places) == 0 {
		return err
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", first))
	if err != nil {
		return err
	}
	defer namespace.Close()
	return apart(func() error {
		if err := unix.Unshare(unix.CLONE_FS); err != nil { // else no thread may change its namespace alone
			return err
		}
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS); err != nil {
			return err
		}
		for _, place := range places {
			err := errors.Join(unix.Unmount(place, unix.MNT_DETACH), unix.Mount("gone", place, "tmpfs", unix.MS_RDONLY, ""))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// mounts lists where a process sees a folder mounted.
func mounts(process int, folder string) (places []string, err error) {
	wanted, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	list, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", process))
	if err != nil {
		return nil, err
	}
	defer list.Close()
	all, err := mountinfo.GetMountsFromReader(list, nil)
	if err != nil {
		return nil, err
	}
	for _, mount := range all {
		found, err := os.Stat(fmt.Sprintf("/proc/%d/root%s", process, mount.Mountpoint))
		if err == nil && os.SameFile(found, wanted) {
			places = append(places, mount.Mountpoint)
		}
	}
	return places, nil
}

// users lists the processes of a machine's containers that have a folder mounted.
func (m *machine) users(folder string) (users []int, err error) {
	all, err := processes(m.ControlGroup)
	for _, process := range all {
		if places, err := mounts(process, folder); err == nil && len(places) > 0 { // else it has ended
			users = append(users, process)
		}
	}
	return users, err
}
