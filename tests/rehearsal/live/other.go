//go:build !linux

// Package live runs the nodes of simulated clusters for real, on Linux.
package live

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"lke-platform/tests/rehearsal/kubernetes"
)

// Options say where things are.
type Options struct {
	Bin, Dir     string
	Images, Apps []string
	Programs     map[string]string
	Nodes        int
}

// Machines are none here.
type Machines struct{ kubernetes.Machines }

// New says that this needs Linux.
func New(Options) (*Machines, error) {
	return nil, errors.New("a live rehearsal takes the namespaces and control groups of Linux: run it in a virtual machine")
}

// Clean removes nothing, as nothing is there.
func Clean() error { return nil }

// SetEnvironment, ServePublic, Trust, ForwardNames, Plug, Unplug, Destroy, Dial, StandIns, AtHand, Played and Close are never
// called.
func (*Machines) SetEnvironment(map[string]string) error                     { return nil }
func (*Machines) ServePublic(string, map[int]int) error                      { return nil }
func (*Machines) Trust([]byte) error                                         { return nil }
func (*Machines) ForwardNames(string)                                        {}
func (*Machines) Plug(int, int) error                                        { return nil }
func (*Machines) Unplug(int, int) error                                      { return nil }
func (*Machines) Destroy(int) error                                          { return nil }
func (*Machines) Dial(context.Context, netip.Addr, string) (net.Conn, error) { return nil, nil }
func (*Machines) StandIns() []string                                         { return nil }
func (*Machines) AtHand(string) string                                       { return "" }
func (*Machines) Played() []string                                           { return nil }
func (*Machines) Close() error                                               { return nil }
