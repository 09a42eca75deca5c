package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"gopkg.in/yaml.v3"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/engine"
)

// planned is work on the platform: its stack file is changed, and `up` does the rest. What fails leaves the file as it was.
func planned(change step, options ...optup.Option) step {
	return func(p *platform, ctx context.Context) (err error) {
		if p.before, err = os.ReadFile(p.stackFile); err != nil {
			return fmt.Errorf("reading the sandbox's stack file: %w", err)
		}
		if err = change(p, ctx); err == nil {
			err = p.up(ctx, options...)
		}
		if err != nil {
			return errors.Join(err, p.restore())
		}
		return nil
	}
}

// takenBack is `up` with the stack file from before a change, if there was one.
func (p *platform) takenBack(ctx context.Context) error {
	if p.before == nil {
		return nil
	}
	if err := p.restore(); err != nil {
		return err
	}
	return p.upAsUsual(ctx)
}

// restore has the stack file say what it said before.
func (p *platform) restore() error {
	if err := os.WriteFile(p.stackFile, p.before, 0o600); err != nil {
		return fmt.Errorf("putting the stack file back: %w", err)
	}
	return nil
}

// lookedAt has `up` look at the clouds first, as `make up` does.
var lookedAt = []optup.Option{optup.Refresh(), optup.RunProgram(true)}

func (p *platform) upAsUsual(ctx context.Context) error { return p.up(ctx, lookedAt...) }

// up brings the platform to what its stack file says.
func (p *platform) up(ctx context.Context, options ...optup.Option) error {
	p.upping.Lock() // one that is broken off comes to its end
	defer p.upping.Unlock()
	stack, err := p.stack(ctx)
	if err != nil {
		return fmt.Errorf("opening the sandbox's stack: %w", err)
	}
	_, err = stack.Up(ctx, append(options, optup.SuppressProgress())...)
	return err
}

func (p *platform) stack(ctx context.Context) (auto.Stack, error) {
	folder, file := filepath.Split(p.stackFile)
	if err := os.Chdir(folder); err != nil { // the program reads what lies beside its stack file
		return auto.Stack{}, err
	}
	command, err := engine.New()
	if err != nil {
		return auto.Stack{}, err
	}
	name := strings.TrimSuffix(strings.TrimPrefix(file, "Pulumi."), ".yaml")
	return auto.SelectStackInlineSource(ctx, name, "lke-platform", stacks.Deploy, auto.WorkDir(folder), auto.Pulumi(command))
}

// edited gives a key of the stack file another value, which to makes of the present one.
func edited(to func(present string) (string, error), path ...string) step {
	return func(p *platform, _ context.Context) error {
		document, err := p.document()
		if err != nil {
			return err
		}
		value := at(document, path...)
		if value == nil {
			return fmt.Errorf("%s has no place for %s", filepath.Base(p.stackFile), strings.Join(path, "."))
		}
		if value.Value, err = to(value.Value); err != nil {
			return err
		}
		after, err := yaml.Marshal(document)
		if err != nil {
			return fmt.Errorf("changing %s: %w", p.stackFile, err)
		}
		return os.WriteFile(p.stackFile, after, 0o600)
	}
}

// document is what the stack file said before it was changed.
func (p *platform) document() (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(p.before, &document); err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.stackFile, err)
	}
	return &document, nil
}

// at is what the configuration has at a path, nil where it ends before. A key that is new is at the end of its section.
func at(document *yaml.Node, path ...string) *yaml.Node {
	node := document.Content[0]
	for _, key := range append([]string{"config"}, path...) {
		if node = child(node, key); node == nil {
			return nil
		}
	}
	return node
}

func child(node *yaml.Node, key string) *yaml.Node {
	switch node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i < len(node.Content) {
			return node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i+1]
			}
		}
		added := &yaml.Node{Kind: yaml.ScalarNode}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, added)
		return added
	}
	return nil
}

// anotherType is a type of nodes with room for what one of two such is for.
func anotherType(present string) (string, error) {
	const usual, larger = "g6-standard-6", "g6-standard-8"
	if present == usual {
		return larger, nil
	}
	return usual, nil
}

// nextMinor is the version of Kubernetes after one.
func nextMinor(present string) (string, error) {
	major, minor, _ := strings.Cut(present, ".")
	number, err := strconv.Atoi(minor)
	if err != nil {
		return "", fmt.Errorf("kubernetesVersion: %w", err)
	}
	return fmt.Sprintf("%s.%d", major, number+1), nil
}

// always makes the same of every value.
func always(value string) func(string) (string, error) {
	return func(string) (string, error) { return value, nil }
}

// rotateSecret gives the first secret of the app another value.
func (p *platform) rotateSecret(ctx context.Context) error {
	document, err := p.document()
	if err != nil {
		return err
	}
	secrets := at(document, "lke-platform:app", "secrets")
	if secrets == nil || secrets.Kind != yaml.MappingNode || len(secrets.Content) == 0 {
		return errors.New("the app has no secrets")
	}
	stack, err := p.stack(ctx)
	if err != nil {
		return fmt.Errorf("opening the sandbox's stack: %w", err)
	}
	name := "lke-platform:secret-" + secrets.Content[1].Value
	return stack.SetConfig(ctx, name, auto.ConfigValue{Value: rand.Text(), Secret: true})
}
