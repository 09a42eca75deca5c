//go:build linux

// Package live runs the nodes of simulated clusters for real: each simulated Linode is a machine with namespaces, a control
// group, a containerd and a kubelet of its own, on a network that this computer's knows nothing of. All of it ends with the
// process.
package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"

	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live/spec"
)

// Options say where things are.
type Options struct {
	// Bin has the programs that machines run, Dir takes all that they keep.
	Bin, Dir string
	// Images are folders of images that are at hand, as OCI layouts or archives. What a later one has takes precedence.
	Images []string
	// Apps are images of applications, in whose place the test app answers where they are not at hand and it is.
	Apps []string
	// Programs are those that run in pods, by the name of their image, of which tag and digest do not count.
	Programs map[string]string
	// Nodes is how many machines are expected, for which there has to be memory.
	Nodes int
}

// Machines are the machines of a rehearsal. They implement kubernetes.Machines.
type Machines struct {
	options Options
	network *network
	images  *packing
	names   forwarder
	alone   net.Listener
	proxy   net.Listener // nil until somebody asks for it

	mu          sync.Mutex
	environment map[string]string
	roots       string // a file, of those that containers trust
	running     map[string]*machine
	ranges      map[string]int // numbers of pod ranges, by machine
	played      []string       // images, of machines that are gone
}

var _ kubernetes.Machines = (*Machines)(nil)

// machine is one that runs.
type machine struct {
	spec.Machine

	boots    int
	trouble  linode.Trouble
	first    *exec.Cmd      // its first process
	lifeline io.WriteCloser // takes commands, and it dies when this closes
	done     chan struct{}
	err      error // readable after done
}

// New checks that this computer can do it, and prepares the network and the images. What an earlier rehearsal left is removed.
func New(o Options) (*Machines, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	m := &Machines{options: o, environment: map[string]string{}, running: map[string]*machine{}, ranges: map[string]int{}}
	var err error
	if m.alone, err = claim(); err != nil {
		return nil, err
	}
	if err := removeGroups(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if m.network, err = newNetwork(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.network.serveNames(&m.names); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if m.images, err = pack(o); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// errAnother says that a live rehearsal runs already.
var errAnother = errors.New("another live rehearsal runs on this computer: end that first, with Ctrl-C where it runs")

// claim keeps other live rehearsals off this computer: they would have the same names. The claim ends with the process.
func claim() (net.Listener, error) {
	alone, err := net.Listen("unix", "@lke-platform-live-rehearsal")
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errAnother
	}
	return alone, err
}

// SetEnvironment lays variables over those of all containers. A URL in them that leads to this computer's loopback interface is
// changed to one that leads there from a pod.
func (m *Machines) SetEnvironment(variables map[string]string) error {
	for name, text := range variables {
		address, err := url.Parse(text)
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		port, err := strconv.Atoi(address.Port())
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		if address.Host, err = m.network.serve(port); err != nil {
			return err
		}
		m.environment[name] = address.String()
	}
	return nil
}

// ServePublic has machines and pods reach ports of this computer's loopback interface at an address outside, by the ports there.
func (m *Machines) ServePublic(address string, ports map[int]int) error {
	return m.network.servePublic(address, ports)
}

// Trust has programs in containers trust who is signed by some roots, and nobody else: a variable tells the usual libraries.
func (m *Machines) Trust(roots []byte) error {
	m.roots = filepath.Join(m.options.Dir, "roots.pem")
	return os.WriteFile(m.roots, roots, 0o644)
}

// ServeAPI implements kubernetes.Machines.
func (m *Machines) ServeAPI(port int) (address string, err error) { return m.network.serveAPI(port) }

// Dial connects to a machine or a pod, from an address of a NodeBalancer.
func (m *Machines) Dial(ctx context.Context, from netip.Addr, address string) (net.Conn, error) {
	return m.network.dialFrom(ctx, from, address)
}

// Run implements kubernetes.Machines.
func (m *Machines) Run(wanted kubernetes.Machine) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	running, off := m.running[wanted.Name], wanted.Off || wanted.Trouble == linode.Lost
	if running != nil && (running.boots != wanted.Boots || off || running.hasEnded()) {
		if err := m.halt(running); err != nil {
			return err
		}
		running = nil
	}
	if off {
		return nil
	}
	if running == nil {
		var err error
		if running, err = m.start(wanted); err != nil {
			return err
		}
	}
	return m.trouble(running, wanted.Trouble)
}

func (m *Machines) start(wanted kubernetes.Machine) (*machine, error) {
	described, err := m.describe(wanted)
	if err != nil {
		return nil, fmt.Errorf("preparing machine %s: %w", wanted.Name, err)
	}
	started := &machine{Machine: described, boots: wanted.Boots, done: make(chan struct{})}
	if err := m.boot(started, wanted.IPv4); err != nil {
		return nil, errors.Join(fmt.Errorf("booting machine %s: %w", wanted.Name, err), m.halt(started))
	}
	m.running[wanted.Name] = started
	return started, nil
}

// trouble brings a machine that runs into trouble, or out of it.
func (m *Machines) trouble(running *machine, trouble linode.Trouble) error {
	if running.trouble == trouble {
		return nil
	}
	command := spec.GoOn
	if trouble == linode.Hung {
		command = spec.Hang
	}
	_, err := running.lifeline.Write([]byte{command})
	err = errors.Join(err, m.network.plug(running.first.Process.Pid, trouble != linode.CutOff))
	if err != nil {
		return fmt.Errorf("bringing machine %s into trouble, or out of it: %w", running.Name, err)
	}
	running.trouble = trouble
	return nil
}

// Ended implements kubernetes.Machines.
func (m *Machines) Ended() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.running)) {
		if running := m.running[name]; running.hasEnded() {
			return fmt.Errorf("machine %s ended (%w), logs in %s", name, running.err, filepath.Join(running.Dir, "logs"))
		}
	}
	return nil
}

func (m *machine) hasEnded() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// describe gives a machine its place and its range of addresses, which it keeps.
func (m *Machines) describe(wanted kubernetes.Machine) (spec.Machine, error) {
	dir := filepath.Join(m.options.Dir, "machines", wanted.Name)
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return spec.Machine{}, err
	}
	kubeconfig, err := m.kubeconfig(wanted.Kubeconfig, dir)
	if err != nil {
		return spec.Machine{}, err
	}
	if m.ranges[wanted.Name] == 0 {
		m.ranges[wanted.Name] = m.freeRange()
	}
	described := spec.Machine{
		Name: wanted.Name, InstanceID: wanted.InstanceID, Region: wanted.Region,
		CPUs: wanted.Type.VCPUs, MemoryMiB: wanted.Type.Memory,
		ReservedMilliCPUs: wanted.ReservedMilliCPUs, ReservedMemoryMiB: wanted.ReservedMemoryMiB,
		Attachable: int64(linode.Attachable(wanted.Type.Memory)),
		Address:    wanted.PrivateIP, PodRange: fmt.Sprintf("10.2.%d.0/24", m.ranges[wanted.Name]),
		PodNetwork: wanted.PodNetwork, ServiceNetwork: wanted.ServiceNetwork, NameServer: gateway,
		Dir: dir, Bin: m.options.Bin, Images: m.images.list(), Devices: m.devices(wanted.InstanceID),
		Kubeconfig:   kubeconfig,
		ControlGroup: "/" + filepath.Join(groupName, wanted.Name), Environment: m.environment, Roots: m.roots,
	}
	content, err := json.Marshal(described)
	if err != nil {
		return spec.Machine{}, err
	}
	return described, os.WriteFile(filepath.Join(dir, "machine.json"), content, 0o600)
}

// freeRange is the lowest number of a pod range that no machine has.
func (m *Machines) freeRange() int {
	used := slices.Collect(maps.Values(m.ranges))
	for number := 1; ; number++ {
		if !slices.Contains(used, number) {
			return number
		}
	}
}

// kubeconfig writes one that leads to the API server from a machine.
func (m *Machines) kubeconfig(content []byte, dir string) (path string, err error) {
	config, err := clientcmd.Load(content)
	if err != nil {
		return "", err
	}
	for _, cluster := range config.Clusters {
		server, err := url.Parse(cluster.Server)
		if err != nil {
			return "", err
		}
		port, err := strconv.Atoi(server.Port())
		if err != nil {
			return "", err
		}
		if server.Host, err = m.ServeAPI(port); err != nil {
			return "", err
		}
		cluster.Server, cluster.TLSServerName = server.String(), "kubernetes"
	}
	path = filepath.Join(dir, "kubeconfig.yaml")
	return path, clientcmd.WriteToFile(*config, path)
}

// boot starts the first process of a machine and connects it.
func (m *Machines) boot(started *machine, public string) error {
	if err := makeGroup(started.Machine); err != nil {
		return err
	}
	output, err := os.OpenFile(filepath.Join(started.Dir, "logs", "node.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	started.first = exec.Command(filepath.Join(started.Bin, "node"), "init", filepath.Join(started.Dir, "machine.json"))
	started.first.Stdout, started.first.Stderr = output, output
	started.first.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, // Ctrl-C in the terminal is not for it
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC,
	}
	lifeline, err := started.first.StdinPipe()
	if err != nil {
		return err
	}
	started.lifeline = lifeline
	if err := started.first.Start(); err != nil {
		return err
	}
	go func() {
		started.err = started.first.Wait()
		close(started.done)
	}()
	if err := m.network.connect(started.first.Process.Pid, started.Address, public, started.PodRange); err != nil {
		return fmt.Errorf("connecting it: %w", err)
	}
	_, err = lifeline.Write([]byte{spec.Begin})
	return err
}

// halt ends a machine as a loss of power does.
func (m *Machines) halt(running *machine) error {
	if running.first != nil && running.first.Process != nil {
		_ = running.first.Process.Kill() // and with it, by the kernel, all of its processes
		<-running.done
		_ = running.lifeline.Close()
	}
	m.notePlayed(running.Dir)
	delete(m.running, running.Name)
	return removeGroup(running.ControlGroup)
}

// Stop implements kubernetes.Machines.
func (m *Machines) Stop(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	running := m.running[name]
	if running == nil {
		return nil
	}
	return m.halt(running)
}

// Remove implements kubernetes.Machines.
func (m *Machines) Remove(name string) error {
	if err := m.Stop(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ranges, name)
	return os.RemoveAll(filepath.Join(m.options.Dir, "machines", name))
}

// StandIns lists the images in whose place the test app answers.
func (m *Machines) StandIns() []string { return m.images.standIns }

// AtHand returns the whole name of an image of a repository that is at hand, "" where none is.
func (m *Machines) AtHand(repository string) string {
	for _, name := range slices.Sorted(maps.Keys(m.images.archives)) {
		if strings.HasPrefix(name, repository+":") {
			return name
		}
	}
	return ""
}

// Played lists the images that could not be had.
func (m *Machines) Played() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, running := range m.running {
		m.notePlayed(running.Dir)
	}
	return m.played
}

func (m *Machines) notePlayed(dir string) {
	list, err := os.Open(filepath.Join(dir, "played"))
	if err != nil {
		return // none was
	}
	defer list.Close()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if at, found := slices.BinarySearch(m.played, lines.Text()); !found && lines.Text() != spec.Played {
			m.played = slices.Insert(m.played, at, lines.Text())
		}
	}
}

// Close ends all machines, and the network with them.
func (m *Machines) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var faults []error
	for _, running := range m.running {
		faults = append(faults, m.halt(running))
	}
	if m.network != nil {
		faults = append(faults, m.network.close())
	}
	if m.proxy != nil {
		faults = append(faults, m.proxy.Close())
	}
	faults = append(faults, removeGroups(), m.alone.Close())
	return errors.Join(faults...)
}
