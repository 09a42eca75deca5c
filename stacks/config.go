package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	resourceconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/cdn"
	"lke-platform/components/lke"
)

// Config is the configuration of a stack. Each key of the stack file is one component's arguments.
type Config struct {
	// Protect marks a stack that serves real visitors: what cannot be made again is not deleted.
	Protect bool `json:"protect"`
	// Cluster is the Kubernetes cluster and its nodes.
	Cluster lke.Args `json:"cluster"`
	// App is the web application.
	App app.Args `json:"app"`
	// CDN is the Fastly service.
	CDN cdn.Args `json:"cdn"`
}

// secretPrefix begins the keys of secrets: consumers name the secret "x", the stack file holds it as "secret-x".
const secretPrefix = "secret-"

// providers are the namespaces of keys that the program does not read: the engine's and the provider plugins'.
var providers = []string{"pulumi", "linode", "fastly", "kubernetes"}

// Load reads and checks the whole configuration of the stack. The error lists every fault that it has.
func Load(ctx *pulumi.Context) (*Config, error) {
	stackFile, err := readStackFile(ctx)
	if err != nil {
		return nil, err
	}
	catalog, err := lke.LookUpCatalog(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Linode what it offers (is LINODE_TOKEN set?): %w", err)
	}
	c, faults := Decode(func(section string) string { return config.Get(ctx, section) })
	faults = append(faults, c.validate(catalog, faults)...)
	faults = append(faults, c.readSecrets(ctx)...)
	faults = append(faults, c.checkKeys(ctx, stackFile)...)
	if len(faults) > 0 {
		return nil, report(ctx.Stack(), faults)
	}
	c.warn(ctx)
	return c, nil
}

// Decode reads the sections of a stack's configuration and returns every fault of form. get returns the text of a section
// as Pulumi's configuration API does: objects as JSON, "" for what is not set.
func Decode(get func(section string) string) (*Config, field.ErrorList) {
	c := &Config{App: app.Defaults(), CDN: cdn.Defaults()}
	var faults field.ErrorList
	for section, target := range fieldsByKey(reflect.ValueOf(c).Elem()) {
		text := get(section)
		if text == "" {
			continue // validate says what is missing
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber() // a float would lose that 1.0 is not a whole number
		var value any
		if err := decoder.Decode(&value); err != nil {
			value = text // Pulumi hands out plain text as it is
		}
		faults = append(faults, decode(field.NewPath(section), value, target)...)
	}
	return c, faults
}

// SecretKeys are the keys of the stack file that have to hold the secrets which the configuration names.
func (c *Config) SecretKeys() []string {
	var keys []string
	for _, name := range c.App.SecretNames() {
		keys = append(keys, secretPrefix+name)
	}
	return keys
}

// validate checks every section that could be decoded: one that could not is reported already, and would be again for all
// that it then lacks.
func (c *Config) validate(catalog *lke.Catalog, undecoded field.ErrorList) field.ErrorList {
	var faults field.ErrorList
	for section, check := range map[string]func(*field.Path) field.ErrorList{
		"cluster": func(path *field.Path) field.ErrorList {
			return append(c.Cluster.Validate(path), catalog.Check(path, &c.Cluster)...)
		},
		"app": c.App.Validate,
		"cdn": c.CDN.Validate,
	} {
		if !hasFault(undecoded, section) {
			faults = append(faults, check(field.NewPath(section))...)
		}
	}
	return faults
}

// readSecrets hands every consumer the secrets that it names.
func (c *Config) readSecrets(ctx *pulumi.Context) field.ErrorList {
	var faults field.ErrorList
	values := pulumi.StringMap{}
	for variable, name := range c.App.Secrets {
		value, err := config.TrySecret(ctx, secretPrefix+name)
		if err != nil {
			faults = append(faults, field.Required(field.NewPath("app", "secrets").Key(variable), fmt.Sprintf(
				"secret %q is not set; run: pulumi config set --stack %s --secret %s%s", name, ctx.Stack(), secretPrefix, name)))
			continue
		}
		values[variable] = value
	}
	c.App.SecretValues = values
	return faults
}

// checkKeys refuses keys that nothing reads, and secrets that stand in the stack file in plain text.
func (c *Config) checkKeys(ctx *pulumi.Context, stackFile resourceconfig.Map) field.ErrorList {
	known := slices.AppendSeq(c.SecretKeys(), maps.Keys(fieldsByKey(reflect.ValueOf(c).Elem())))
	var faults field.ErrorList
	for key, value := range stackFile {
		name := key.Name()
		if key.Namespace() != ctx.Project() {
			name = key.String()
		}
		switch {
		case slices.Contains(providers, key.Namespace()):
		case !slices.Contains(known, name):
			faults = append(faults, unknownKey(field.NewPath(name), known))
		case strings.HasPrefix(name, secretPrefix) && !value.Secure():
			faults = append(faults, field.Forbidden(field.NewPath(name), fmt.Sprintf(
				"stands in plain text; run: pulumi config set --stack %s --secret %s", ctx.Stack(), name)))
		}
	}
	return faults
}

// warn says what is valid and yet unwise.
func (c *Config) warn(ctx *pulumi.Context) {
	if c.Protect && c.App.MutableImage() {
		_ = ctx.Log.Warn(fmt.Sprintf("app.image: %s can change under the same name, so that a restart may run another "+
			"version; name a tag of its own or a digest", c.App.Image), nil)
	}
}

// report makes one error of all faults, a line each, sorted by path.
func report(stack string, faults field.ErrorList) error {
	lines := make([]string, len(faults))
	for i, fault := range faults {
		lines[i] = "  " + fault.Error()
	}
	slices.Sort(lines)
	return fmt.Errorf("Pulumi.%s.yaml is not valid, nothing was changed:\n%s", stack, strings.Join(slices.Compact(lines), "\n"))
}

func hasFault(faults field.ErrorList, section string) bool {
	return slices.ContainsFunc(faults, func(fault *field.Error) bool {
		return fault.Field == section || strings.HasPrefix(fault.Field, section+".")
	})
}
