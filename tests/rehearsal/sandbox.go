package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
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
	delete(exports, "TMPDIR") // which goes with the sandbox, and a shell stays
	maps.Copy(exports, map[string]string{
		"KUBECONFIG": kubeconfig,
		// The copy of the stack file, which is the one to edit for Pulumi.
		"REHEARSAL_STACK_FILE": filepath.Join(o.dir(), "project", filepath.Base(o.stackFile())),
		// linode-cli
		"LINODE_CLI_API_HOST":    strings.TrimPrefix(w.linodeURL, "http://"),
		"LINODE_CLI_API_SCHEME":  "http",
		"LINODE_CLI_API_VERSION": "v4",
		"LINODE_CLI_TOKEN":       token,
		// the Fastly CLI
		"FASTLY_API_ENDPOINT": w.fastlyURL,
		"FASTLY_API_TOKEN":    token,
		// Behind what is installed, the Pulumi CLI above all: the one that was built here has no language plug-in.
		"PATH": "$PATH:" + filepath.Join(o.root, ".bin"),
	})
	if w.internet != nil {
		maps.Copy(exports, map[string]string{
			"REHEARSAL_PROXY": "http://" + w.internet.Address(), "REHEARSAL_HOST": w.host(), "REHEARSAL_ROOTS": o.rootsFile(),
			"REHEARSAL_EDGE": "http://" + w.edge.PlainAddress(),
		})
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		fmt.Fprintf(&lines, "export %s=\"%s\"\n", name, exports[name])
	}
	file := filepath.Join(o.root, ".rehearsal", "sandbox.env")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("writing the sandbox's exports: %w", err)
	}
	defer os.Remove(file)
	fmt.Fprintf(console.out, sandboxHelp, lines.String(), o.stack)
	if w.edge != nil {
		fmt.Fprintf(console.out, visitHelp, w.host(), w.internet.Address(), o.rootsFile())
	}
	w.tellBalancers(console)
	fmt.Fprint(console.out, w.outsideHelp(o))
	<-ctx.Done()
	return nil
}

// tellBalancers says where NodeBalancers can be reached.
func (w *world) tellBalancers(console *console) {
	if w.balancers == nil {
		return
	}
	listening := w.balancers.Listening()
	for _, public := range slices.SortedFunc(maps.Keys(listening), netip.AddrPort.Compare) {
		fmt.Fprintf(console.out, "NodeBalancer %s is at %s (docs/live.md)\n", public, listening[public])
	}
}

const sandboxHelp = `
The sandbox is running. In another shell, at the top of the repository:

  source .rehearsal/sandbox.env

which says

%[1]s
Then for instance

  kubectl get pods --all-namespaces
  pulumi preview --cwd .rehearsal/%[2]s/project --stack %[2]s

The folder project has a copy of the stack file, in which placeholders stand for secrets: that is the one to edit for Pulumi.
Ctrl-C ends it; make sandbox RESUME=1 goes on from there.
`

// host is a public name that the edge has a certificate for.
func (w *world) host() string {
	host := "example.com"
	for _, activation := range w.fastly.Activations() {
		if host = activation.Domain; !strings.HasPrefix(host, "*.") {
			break
		}
	}
	return strings.Replace(host, "*.", "www.", 1)
}

// visitHelp is what can be asked of a live sandbox.
const visitHelp = `
Public names are reached through a proxy:

  curl --include --cacert %[3]s --proxy http://%[2]s https://%[1]s/
  make visit
`

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
