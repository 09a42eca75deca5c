package stacks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
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

// sectionText returns a section as Pulumi's configuration API does, but for what is encrypted in it: checkSections refuses that,
// and until then no fault may quote it.
func sectionText(ctx *pulumi.Context, stackFile config.Map, section string) string {
	key := config.MustMakeKey(ctx.Project(), section)
	if !ctx.IsConfigSecret(key.String()) {
		text, _ := ctx.GetConfig(key.String())
		return text
	}
	text, err := stackFile[key].Value(config.NewBlindingDecrypter())
	if err != nil {
		return ""
	}
	return text
}

// checkSections refuses a section without a value, which would pass for one that is left out (and so turn a protection off), and
// encrypted values in sections, which are no secrets to the program: it would keep them in plain text.
func (c *Config) checkSections(ctx *pulumi.Context, stackFile config.Map) field.ErrorList {
	var faults field.ErrorList
	for section := range fieldsByKey(reflect.ValueOf(c).Elem()) {
		key, path := config.MustMakeKey(ctx.Project(), section), field.NewPath(section)
		if text, set := ctx.GetConfig(key.String()); set && text == "" {
			faults = append(faults, noValue(path))
		}
		if !ctx.IsConfigSecret(key.String()) {
			continue
		}
		for _, path := range encryptedIn(path, stackFile[key]) {
			faults = append(faults, field.Forbidden(path, fmt.Sprintf("an encrypted value inside a section would be stored in "+
				"plain text; put the name of a secret there (for the app's environment: under app.secrets) and run: "+
				"pulumi config set --stack %s --secret %s<name>", ctx.Stack(), secretPrefix)))
		}
	}
	return faults
}

// encryptedIn returns where the encrypted values of a section are; the section itself where that is not known.
func encryptedIn(section *field.Path, value config.Value) []*field.Path {
	text, err := value.Value(config.NopDecrypter) // as it stands in the file
	var content any
	if err != nil || !value.Object() || json.Unmarshal([]byte(text), &content) != nil {
		return []*field.Path{section}
	}
	return encryptedAt(section, content)
}

func encryptedAt(path *field.Path, content any) (found []*field.Path) {
	switch content := content.(type) {
	case map[string]any:
		if _, isText := content["secure"].(string); isText && len(content) == 1 {
			return []*field.Path{path}
		}
		for _, key := range slices.Sorted(maps.Keys(content)) {
			found = append(found, encryptedAt(path.Child(key), content[key])...)
		}
	case []any:
		for i, item := range content {
			found = append(found, encryptedAt(path.Index(i), item)...)
		}
	}
	return found
}
