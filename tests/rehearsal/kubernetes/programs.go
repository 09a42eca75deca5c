package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// stopTime is how long a program may take to end by itself when asked to. The API server needs the most, about a second.
const stopTime = 5 * time.Second

// programs are the processes of one control plane. They form a process group, so that a Ctrl-C in the terminal does not
// reach them before the API server's clients are gone, and so that a guard can end them all at once, see startGuard.
type programs struct {
	bin, dir string
	log      *slog.Logger
	guard    *exec.Cmd
	lifeline io.Closer   // the guard kills the group when this closes
	list     []*program  // in order of start
	watched  atomic.Bool // whether the end of a program is news
}

// program is one running process.
type program struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{} // closed when the process has ended
	err       error         // how it ended; readable after done
}

// startPrograms prepares the process group of the control plane whose data is in dir.
func startPrograms(bin, dir string, log *slog.Logger) (*programs, error) {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, err
	}
	p := &programs{bin: bin, dir: dir, log: log}
	if err := p.startGuard(); err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	return p, nil
}

// startGuard starts the leader of the process group: a shell that waits for the end of a pipe of which only this process
// holds the other end. The kernel closes that end however this process ends, SIGKILL included, and the shell kills the
// group, itself with it. (Linux' Pdeathsig would do the same for one thread's children, and nothing on macOS.)
func (p *programs) startGuard() error {
	p.guard = exec.Command("/bin/sh", "-c", "trap '' HUP INT TERM; read _; kill -KILL 0", p.dir)
	p.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.lifeline, err = p.guard.StdinPipe(); err != nil {
		return err
	}
	return p.guard.Start()
}

// start runs a program of the bin folder in the group, its output in logs/<name>.log.
func (p *programs) start(name string, args ...string) error {
	path := filepath.Join(p.dir, "logs", name+".log")
	output, err := os.Create(path)
	if err != nil {
		return err
	}
	defer output.Close()

	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.guard.Process.Pid}
	if err := cmd.Start(); err != nil {
		return err
	}
	started := &program{name: name, log: path, cmd: cmd, done: make(chan struct{})}
	p.list = append(p.list, started)
	go p.await(started)
	return p.record()
}

func (p *programs) await(program *program) {
	program.err = program.cmd.Wait()
	close(program.done)
	if p.watched.Load() {
		p.log.Error("a program of the rehearsal's Kubernetes ended", "error", program.failure())
	}
}

// ended returns an error about the first program that has ended, nil while all run.
func (p *programs) ended() error {
	for _, program := range p.list {
		select {
		case <-program.done:
			return program.failure()
		default:
		}
	}
	return nil
}

// failure describes the end of a program: which one, how, its last words and where the rest is.
func (p *program) failure() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended (%s), log: %s%s", p.name, how, p.log, lastLines(p.log, 10))
}

// lastLines returns the last lines of a file, each with a line break before it.
func lastLines(path string, count int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "\n" + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.TrimRight("\n"+strings.Join(lines[max(0, len(lines)-count):], "\n"), "\n")
}

// stop ends the programs, the last one started first, so that nobody loses the server it talks to, and then the guard.
func (p *programs) stop() error {
	p.watched.Store(false)
	for _, program := range slices.Backward(p.list) {
		program.stop()
	}
	err := p.lifeline.Close()
	_ = p.guard.Wait() // an error as a rule: the guard kills itself with its group
	return errors.Join(err, os.RemoveAll(p.recordPath()))
}

// signal sends one to the program of a name.
func (p *programs) signal(name string, signal os.Signal) error {
	for _, program := range p.list {
		if program.name == name {
			return program.cmd.Process.Signal(signal)
		}
	}
	return fmt.Errorf("there is no %s", name)
}

func (p *program) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when the process has ended already
	select {
	case <-p.done:
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// pids returns the process IDs of the whole group, the guard's included.
func (p *programs) pids() []int {
	pids := []int{p.guard.Process.Pid}
	for _, program := range p.list {
		pids = append(pids, program.cmd.Process.Pid)
	}
	return pids
}

func (p *programs) recordPath() string { return filepath.Join(p.dir, "pids") }

// record writes down the process IDs for killOrphans.
func (p *programs) record() error {
	return os.WriteFile(p.recordPath(), []byte(joinInts(p.pids(), "\n")), 0o600)
}

// KillOrphans ends what an earlier run left running of the clusters in dir: programs survive when their guard is killed along
// with their parent. Nobody else may run clusters there.
func KillOrphans(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	records, err := fs.Glob(os.DirFS(dir), "*/pids")
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := killOrphans(filepath.Join(dir, filepath.Dir(record))); err != nil {
			return err
		}
	}
	return nil
}

// killOrphans ends what is left of one cluster. A process counts as ours when its ID is on record and its command line names
// dir, because IDs are used again.
func killOrphans(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		return err
	}
	var pids []int
	for _, line := range strings.Fields(string(content)) {
		if pid, err := strconv.Atoi(line); err == nil { // the record may be cut short
			pids = append(pids, pid)
		}
	}
	for range 100 {
		orphans, err := alive(pids, dir)
		if err != nil || len(orphans) == 0 {
			return err
		}
		for _, pid := range orphans {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("processes of an earlier run do not end, see %s", filepath.Join(dir, "pids"))
}

// alive returns those of pids that run with dir in their command line.
func alive(pids []int, dir string) ([]int, error) {
	commands, err := processes("command", pids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !strings.Contains(commands[pid], dir) }), nil
}

// processes returns one column of ps for those of pids that exist.
func processes(column string, pids []int) (map[int]string, error) {
	if len(pids) == 0 {
		return nil, nil
	}
	output, err := exec.Command("ps", "-ww", "-o", "pid=", "-o", column+"=", "-p", joinInts(pids, ",")).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(exit.Stderr) > 0) { // without a complaint, it just found none
		return nil, fmt.Errorf("looking for processes with ps: %w", err)
	}
	found := map[int]string{}
	for line := range strings.Lines(string(output)) {
		pid, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		id, err := strconv.Atoi(pid)
		if err != nil {
			return nil, fmt.Errorf("ps answered %q", line)
		}
		found[id] = strings.TrimSpace(value)
	}
	return found, nil
}

func joinInts(values []int, separator string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = strconv.Itoa(value)
	}
	return strings.Join(texts, separator)
}
