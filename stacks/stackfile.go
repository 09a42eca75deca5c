package stacks

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// readStackFile returns what stands under config in the stack's file. Pulumi's configuration API hands out values by key
// but cannot list the keys, without which a misspelt one would go unnoticed. Where the file is not in the project's folder
// (`pulumi --config-file`) the map is empty.
func readStackFile(ctx *pulumi.Context) (config.Map, error) {
	path := filepath.Join(cmp.Or(ctx.RootDirectory(), "."), "Pulumi."+ctx.Stack()+".yaml")
	project := &workspace.Project{Name: tokens.PackageName(ctx.Project())}
	quiet := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: "never"})
	stack, err := workspace.LoadProjectStack(quiet, project, path)
	if err != nil {
		return nil, fmt.Errorf("stacks: reading %s: %w", path, err)
	}
	return stack.Config, nil
}
