package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// keep writes the exports that point other programs at the running world, and waits until it is interrupted.
func keep(ctx context.Context, o options, console *console, w *world) error {
	kubeconfig, err := writeKubeconfig(ctx, o, w)
	if err != nil {
		return err
	}
	exports := maps.Clone(w.environment)
	address := strings.TrimPrefix(w.linodeURL, "http://")
	maps.Copy(exports, map[string]string{
		"KUBECONFIG": kubeconfig,
		// linode-cli
		"LINODE_CLI_TOKEN": token, "LINODE_CLI_API_HOST": address, "LINODE_CLI_API_SCHEME": "http", "LINODE_CLI_API_VERSION": "v4",
		// the Fastly CLI
		"FASTLY_API_TOKEN": token, "FASTLY_API_ENDPOINT": w.fastlyURL,
		"PATH": filepath.Join(o.root, ".bin") + ":$PATH",
	})
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		fmt.Fprintf(&lines, "export %s=%q\n", name, exports[name])
	}
	file := filepath.Join(o.root, ".rehearsal", "sandbox.env")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("writing the sandbox's exports: %w", err)
	}
	defer os.Remove(file)
	fmt.Fprintf(console.out, "\nThe sandbox is running. In another shell:\n\n  source .rehearsal/sandbox.env\n\n%s\n"+
		"Then for instance\n\n  kubectl get pods --all-namespaces\n  pulumi preview --stack %s --cwd %s --diff\n\nCtrl-C ends it; "+
		"`make sandbox RESUME=1` goes on from here.\n\n", lines.String(), o.stack, filepath.Join(o.dir(), "project"))
	<-ctx.Done()
	return nil
}

// writeKubeconfig takes the kubeconfig from the stack's outputs.
func writeKubeconfig(ctx context.Context, o options, w *world) (string, error) {
	stack, err := auto.SelectStackInlineSource(ctx, o.stack, "lke-platform", nil,
		auto.WorkDir(filepath.Join(o.dir(), "project")), auto.EnvVars(w.environment))
	if err != nil {
		return "", fmt.Errorf("opening the stack: %w", err)
	}
	outputs, err := stack.Outputs(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the stack's outputs: %w", err)
	}
	kubeconfig, ok := outputs["kubeconfig"].Value.(string)
	if !ok {
		return "", fmt.Errorf("the stack has no output kubeconfig")
	}
	path := filepath.Join(o.dir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return path, nil
}
