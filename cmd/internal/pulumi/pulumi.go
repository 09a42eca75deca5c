// Package pulumi runs Pulumi's CLI.
package pulumi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Run runs the CLI for what it prints. Its error says why it failed.
func Run(ctx context.Context, in []byte, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "pulumi", arguments...)
	command.Stdin = bytes.NewReader(in)
	text, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("pulumi %s: %w: %s", arguments[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	return text, err
}
