package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/engine"
	"lke-platform/tests/rehearsal/live"
)

// placeholder is the value of a secret that the stack file does not hold. One of them is the token for Fastly's TLS, which has to
// open the simulated API.
const placeholder = token

// newStack makes the stack in a folder of its own, which holds copies of Pulumi.yaml and of the stack file where
// placeholders stand for secrets. It returns what is to be said of those.
func newStack(ctx context.Context, o options, w *world) (auto.Stack, []string, error) {
	dir := filepath.Join(o.dir(), "project")
	project, madeUp, err := writeProject(ctx, o, w, dir)
	if err != nil {
		return auto.Stack{}, nil, err
	}
	// The program looks for the stack file in the folder that it runs in, as it does under the CLI.
	if err := os.Chdir(dir); err != nil {
		return auto.Stack{}, nil, fmt.Errorf("entering the project's folder: %w", err)
	}
	command, err := engine.New()
	if err != nil {
		return auto.Stack{}, nil, err
	}
	stack, err := auto.UpsertStackInlineSource(ctx, o.stack, project.Name.String(), stacks.Deploy,
		auto.WorkDir(dir), auto.EnvVars(w.environment), auto.Pulumi(command))
	if err != nil {
		return auto.Stack{}, nil, fmt.Errorf("making the stack: %w", err)
	}
	return stack, madeUp, nil
}

// readProject reads the project and a file of a stack of it, which is an empty stack where the file is missing.
func readProject(o options, stackFile string) (*workspace.Project, *workspace.ProjectStack, error) {
	project, err := workspace.LoadProject(filepath.Join(o.root, "Pulumi.yaml"))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the project: %w", err)
	}
	quiet := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"})
	stack, err := workspace.LoadProjectStack(quiet, project, stackFile)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", stackFile, err)
	}
	return project, stack, nil
}

func writeProject(ctx context.Context, o options, w *world, dir string) (*workspace.Project, []string, error) {
	project, stack, err := readProject(o, o.stackFile())
	if err != nil {
		return nil, nil, err
	}
	copied := filepath.Join(dir, filepath.Base(o.stackFile()))
	_, earlier, err := readProject(o, copied)
	if err != nil {
		return nil, nil, err
	}
	madeUp, err := replaceSecrets(ctx, stack, earlier.EncryptionSalt, string(project.Name))
	if err != nil {
		return nil, nil, fmt.Errorf("putting placeholders for secrets: %w", err)
	}
	decoded := decode(stack.Config, string(project.Name))
	if err := w.linode.Seed(adopted(&decoded.Domains)); err != nil {
		return nil, nil, fmt.Errorf("putting adopted zones into the simulated account: %w", err)
	}
	w.setElsewhere(decoded)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("making the project's folder: %w", err)
	}
	if err := linkCharts(o, dir); err != nil {
		return nil, nil, err
	}
	for _, name := range decoded.Files() {
		if err := copyFile(o.root, dir, name); err != nil {
			return nil, nil, err
		}
	}
	// For the official Pulumi CLI, which a sandbox serves too.
	if project.Main, err = filepath.Rel(dir, o.root); err != nil {
		return nil, nil, fmt.Errorf("finding the program: %w", err)
	}
	if err := project.Save(filepath.Join(dir, "Pulumi.yaml")); err != nil {
		return nil, nil, fmt.Errorf("copying the project: %w", err)
	}
	if err := stack.Save(copied); err != nil {
		return nil, nil, fmt.Errorf("copying the stack file: %w", err)
	}
	return project, madeUp, nil
}

// copyFile copies a file that the stack file names. One that is missing, or outside of the folder, is the program's to report.
func copyFile(from, to, name string) error {
	content, err := os.ReadFile(filepath.Join(from, name))
	if err != nil || !filepath.IsLocal(name) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	return nil
}

// replaceSecrets puts a placeholder for every encrypted value, which is never decrypted, and for every secret that the
// program needs and the stack file lacks. What configures the real providers goes: here the environment does.
//
// The salt of an earlier rehearsal is kept, since the engine derives a key, which takes it a while, for each that it meets.
func replaceSecrets(
	ctx context.Context, stack *workspace.ProjectStack, earlierSalt, project string,
) (madeUp []string, err error) {
	salt := []byte("rehearse")
	crypter := config.NewSymmetricCrypterFromPassphrase(token, salt)
	verifier, err := crypter.EncryptValue(ctx, "pulumi")
	if err != nil {
		return nil, err
	}
	// The form in which the engine keeps the passphrase's salt.
	stack.EncryptionSalt = cmp.Or(earlierSalt, "v1:"+base64.StdEncoding.EncodeToString(salt)+":"+verifier)
	stack.SecretsProvider, stack.EncryptedKey = "", ""

	var encrypted, missing []string
	for key, value := range stack.Config {
		switch {
		case key.Namespace() == "linode" || key.Namespace() == "fastly" || key.Namespace() == "kubernetes":
			delete(stack.Config, key)
		case value.Secure():
			encrypted = append(encrypted, key.Name())
		}
	}
	if stack.Config, err = stack.Config.Copy(config.NewBlindingDecrypter(), crypter); err != nil {
		return nil, err
	}
	for _, name := range decode(stack.Config, project).SecretKeys() {
		key := config.MustMakeKey(project, name)
		if _, given := stack.Config[key]; given {
			continue
		}
		ciphertext, err := crypter.EncryptValue(ctx, placeholder)
		if err != nil {
			return nil, err
		}
		stack.Config[key] = config.NewSecureValue(ciphertext)
		missing = append(missing, name)
	}
	return append(standFor("are encrypted", encrypted), standFor("are not set", missing)...), nil
}

// standFor says that placeholders stand for secrets.
func standFor(reason string, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return []string{fmt.Sprintf("secrets that %s, so that placeholders stand for them: %s", reason, strings.Join(names, ", "))}
}

// wantsNewerFastly says whether the stack has resources that the SDK's own Fastly plugin does not know.
func wantsNewerFastly(o options) (bool, error) {
	project, stack, err := readProject(o, o.stackFile())
	if err != nil {
		return false, err
	}
	cdn := decode(stack.Config, string(project.Name)).CDN
	return cdn.DomainManagement || cdn.TLS.IsManaged(), nil
}

// ownPrograms are the programs of this repository that the stack runs in pods, by the name of their image: they run for real.
func ownPrograms(o options) (map[string]string, error) {
	config, err := readConfig(o)
	if err != nil {
		return nil, err
	}
	image := config.CDN.TLS.Image
	if image == "" {
		return nil, nil // the program's to report
	}
	if o.live {
		return map[string]string{image: filepath.Join(o.machinePrograms(), "certsync")}, nil
	}
	return map[string]string{image: filepath.Join(o.root, ".bin", "certsync")}, nil
}

func readConfig(o options) (*stacks.Config, error) {
	project, stack, err := readProject(o, o.stackFile())
	if err != nil {
		return nil, err
	}
	return decode(stack.Config, string(project.Name)), nil
}

// startMachines prepares those that the nodes of the stack will be.
func startMachines(o options, programs map[string]string) (*live.Machines, error) {
	config, err := readConfig(o)
	if err != nil {
		return nil, err
	}
	nodes := config.Cluster.SystemPool.Count
	for _, pool := range config.Cluster.NodePools {
		nodes += pool.Count
		if pool.Autoscale != nil {
			nodes += pool.Autoscale.Min
		}
	}
	return live.New(live.Options{
		Bin: o.machinePrograms(), Dir: filepath.Join(o.dir(), "live"), Images: o.imageFolders(), Programs: programs,
		Apps: appImages(config), Nodes: nodes,
	})
}

// appImages are the images of all applications of a stack.
func appImages(config *stacks.Config) []string {
	images := []string{config.App.Image}
	for _, further := range config.Apps {
		images = append(images, further.Image)
	}
	return images
}

// decode reads the configuration as the program does. What is wrong with it is the program's to say.
func decode(values config.Map, project string) *stacks.Config {
	decoded, _ := stacks.Decode(func(section string) string {
		text, err := values[config.MustMakeKey(project, section)].Value(config.NewBlindingDecrypter())
		if err != nil {
			return ""
		}
		return text
	})
	return decoded
}
