// Package engine runs the real Pulumi engine, for who calls it through the Automation API.
package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// Engine runs the Pulumi CLI for the Automation API, in a process group of its own. The API itself leaves the CLI in that of the
// rehearsal, where a Ctrl-C reaches it twice: from the terminal, and from the API because the context ends. The CLI takes the
// second one for the wish to end at once, and what is being made then gets lost from its state. And ten seconds later the API
// kills it.
type Engine struct{ auto.PulumiCommand }

// New finds the CLI on PATH.
func New() (Engine, error) {
	command, err := auto.NewPulumiCommand(nil)
	if err != nil {
		return Engine{}, fmt.Errorf("looking for the Pulumi CLI: %w", err)
	}
	return Engine{command}, nil
}

// Endings are the signals that end a rehearsal: Ctrl-C, a supervisor's wish, and the end of the terminal.
var Endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// Run is that of auto.PulumiCommand.
func (Engine) Run(
	ctx context.Context, folder string, stdin io.Reader, stdout, stderr []io.Writer, environment []string, arguments ...string,
) (out, errors string, code int, err error) {
	const unknown = -1
	if err := ctx.Err(); err != nil {
		return "", "", unknown, err
	}
	var toStdout, toStderr bytes.Buffer
	command := exec.Command("pulumi", append([]string{"--non-interactive"}, arguments...)...)
	command.Dir, command.Stdin = folder, stdin
	command.Stdout = io.MultiWriter(append(stdout, &toStdout)...)
	command.Stderr = io.MultiWriter(append(stderr, &toStderr)...)
	command.Env = append(append(os.Environ(), environment...), "PULUMI_AUTOMATION_API=true")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return "", "", unknown, err
	}
	ended := make(chan struct{})
	go interrupt(ctx, command.Process, ended)
	err = command.Wait()
	close(ended)
	return toStdout.String(), toStderr.String(), command.ProcessState.ExitCode(), err
}

// interrupt has the CLI cancel what it does when the context ends, and end at once when another signal arrives after that.
func interrupt(ctx context.Context, process *os.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, Endings...)
	defer signal.Stop(again)
	for {
		_ = process.Signal(os.Interrupt) // fails when the process has ended already
		select {
		case <-ended:
			return
		case <-again:
		}
	}
}
