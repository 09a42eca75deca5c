package incluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// What of a container's output is noted as its last words.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
const (
	lastWordsSize  = 2048 // bytes
	lastWordsLines = 80
)

// container is the container of a pod that is not simulated: a process.
type container struct {
	spec   corev1.Container
	root   string // a folder that takes the place of the container's file system
	env    map[string]string
	cmd    *exec.Cmd
	output *os.File
}

// prepare gets all that the container of a pod needs. What is missing may come later.
func (k *kubelet) prepare(ctx context.Context, pod *corev1.Pod) (*container, error) {
	spec := pod.Spec
	if len(spec.Containers) != 1 || len(spec.InitContainers) > 0 || spec.RestartPolicy != corev1.RestartPolicyNever {
		return nil, errors.New("the rehearsal runs pods of one container that is never restarted, and no others")
	}
	c := &container{spec: spec.Containers[0]}
	var err error
	if c.env, err = k.environment(ctx, pod.Namespace, c.spec.Env); err != nil {
		return nil, err
	}
	maps.Copy(c.env, k.pods.Environment)
	// Beside its log, where a rehearsal that crashes leaves nothing that the next one does not remove; nobody else can read it.
	if err := os.MkdirAll(k.pods.Logs, 0o755); err != nil {
		return nil, err
	}
	if c.root, err = os.MkdirTemp(k.pods.Logs, "pod-"); err != nil {
		return nil, err
	}
	if err := k.mount(ctx, pod, c); err != nil {
		return nil, errors.Join(err, c.cleanUp())
	}
	return c, nil
}

// start runs a program in the place of the container's, until it ends or its lifetime does.
func (c *container) start(lifetime context.Context, pod *corev1.Pod, program, logs string) (err error) {
	c.output, err = os.OpenFile(filepath.Join(logs, pod.Namespace+"_"+pod.Name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	c.cmd = exec.CommandContext(lifetime, program)
	for _, argument := range c.spec.Args {
		c.cmd.Args = append(c.cmd.Args, c.relocate(argument))
	}
	c.cmd.Env = []string{} // nil would be the environment of this process
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		c.cmd.Env = append(c.cmd.Env, name+"="+c.relocate(c.env[name]))
	}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = c.root, c.output, c.output
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in the terminal is not for it
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = gracePeriod(pod)
	return c.cmd.Start()
}

// relocate replaces the path of a mounted volume, which a text may be, or give to a flag, by that of the folder in its place.
func (c *container) relocate(text string) string {
	for _, mount := range c.spec.VolumeMounts {
		if text == mount.MountPath || strings.HasSuffix(text, "="+mount.MountPath) {
			return strings.TrimSuffix(text, mount.MountPath) + filepath.Join(c.root, mount.MountPath)
		}
	}
	return text
}

// wait returns how the container ended, when it has.
func (c *container) wait() corev1.ContainerStateTerminated {
	_ = c.cmd.Wait()                                      // the state says it better
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // a container ends with its first process
	end := corev1.ContainerStateTerminated{ExitCode: int32(c.cmd.ProcessState.ExitCode()), Reason: "Completed"}
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end.ExitCode, end.Signal = int32(128+status.Signal()), int32(status.Signal())
	}
	if end.ExitCode != 0 {
		end.Reason = "Error"
		if c.spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
			end.Message = c.lastWords()
		}
	}
	return end
}

// lastWords are the last lines of the output.
func (c *container) lastWords() string {
	size, err := c.output.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	tail := make([]byte, min(size, lastWordsSize))
	if _, err := c.output.ReadAt(tail, size-int64(len(tail))); err != nil {
		return ""
	}
	lines := slices.Collect(bytes.Lines(tail))
	return strings.ToValidUTF8(string(bytes.Join(lines[max(0, len(lines)-lastWordsLines):], nil)), "")
}

// cleanUp leaves nothing behind but the log.
func (c *container) cleanUp() error {
	err := os.RemoveAll(c.root)
	if c.output != nil {
		err = errors.Join(err, c.output.Close())
	}
	return err
}
