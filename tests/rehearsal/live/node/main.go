//go:build linux

// Command node is what runs on a machine of a live rehearsal: containerd, a kubelet and kube-proxy, and what they lack here. It
// is started as `node init <file>`, the first process of its namespaces, and its end is that of all processes in them. The file
// says which machine it is, see spec.Machine.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"lke-platform/tests/rehearsal/live/spec"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("wanted: node init <file>")
	}
	content, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	var machine spec.Machine
	if err := json.Unmarshal(content, &machine); err != nil {
		return fmt.Errorf("reading %s: %w", arguments[1], err)
	}
	if arguments[0] == "init" {
		return begin(machine, arguments[1])
	}
	return work(machine)
}
