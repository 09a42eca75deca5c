// Package command runs other programs.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Output runs a program for what it prints. Its error says why it failed.
func Output(ctx context.Context, in []byte, name string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Stdin = bytes.NewReader(in)
	text, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s %s: %w: %s", name, arguments[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	return text, err
}
