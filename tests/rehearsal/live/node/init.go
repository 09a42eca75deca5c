//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"lke-platform/tests/rehearsal/live/spec"
)

// begin is the first process of a machine: it makes the machine, has the programs run by another process, and buries orphans. It
// ends with that process, or when standard input is closed, which the kernel does however the rehearsal ends.
func begin(m spec.Machine, file string) error {
	// The rehearsal says that the network is there.
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("the rehearsal ended: %w", err)
	}
	go obey()
	if err := syscall.Sethostname([]byte(m.Name)); err != nil {
		return fmt.Errorf("naming the machine: %w", err)
	}
	if err := furnish(m); err != nil {
		return err
	}
	worker, err := syscall.ForkExec("/proc/self/exe", []string{"node", "run", file}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return fmt.Errorf("starting the machine's programs: %w", err)
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case ended == worker:
			return fmt.Errorf("the machine's programs ended: exit status %d", status.ExitStatus())
		}
	}
}

// obey stops all processes of the machine but this one, and has them go on, as the rehearsal says. Frozen by their control group
// they could not even be killed, on some kernels.
func obey() {
	for command := make([]byte, 1); ; {
		if _, err := os.Stdin.Read(command); err != nil {
			os.Exit(0)
		}
		switch command[0] {
		case spec.Hang:
			_ = syscall.Kill(-1, syscall.SIGSTOP)
		case spec.GoOn:
			_ = syscall.Kill(-1, syscall.SIGCONT)
		}
	}
}
