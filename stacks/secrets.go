package stacks

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	resourceconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// secretPrefix begins the keys of secrets: consumers name the secret "x", the stack file holds it as "secret-x".
const secretPrefix = "secret-"

// providers are the namespaces of keys that the program does not read: the engine's and the provider plugins'.
var providers = []string{"pulumi", "linode", "fastly", "kubernetes"}

// SecretKeys are the keys of the stack file that have to hold the secrets which the configuration names.
func (c *Config) SecretKeys() []string {
	var keys []string
	for _, names := range c.secretNames() {
		for _, name := range names {
			keys = append(keys, secretPrefix+name)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// secretNames are the secrets that each section names. What has no name is optional, or a fault that validation tells of.
func (c *Config) secretNames() map[string][]string {
	sections := map[string][]string{
		"app":        c.App.SecretNames(),
		"apps":       c.appSecrets(),
		"cdn":        c.CDN.SecretNames(),
		"charts":     c.chartSecrets(),
		"delivery":   c.Delivery.SecretNames(),
		"monitoring": c.Monitoring.SecretNames(),
		"postgres":   c.Postgres.SecretNames(),
	}
	for section, names := range sections {
		if c.off.Has(section) {
			names = nil
		}
		sections[section] = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	}
	return sections
}

func (c *Config) appSecrets() (names []string) {
	for i := range c.Apps {
		names = append(names, c.Apps[i].SecretNames()...)
		if site := c.Apps[i].CDN; site != nil {
			names = append(names, site.SecretNames()...)
		}
	}
	return names
}

func (c *Config) chartSecrets() (names []string) {
	for _, own := range c.Charts {
		names = append(names, own.SecretNames()...)
	}
	return names
}

// readSecrets hands every component the secrets that it names.
func (c *Config) readSecrets(ctx *pulumi.Context) field.ErrorList {
	var faults field.ErrorList
	values := pulumi.StringMap{}
	for section, names := range c.secretNames() {
		for _, name := range names {
			value, err := config.TrySecret(ctx, secretPrefix+name)
			if err != nil {
				faults = append(faults, field.Required(field.NewPath(section), fmt.Sprintf("secret %q is not set; run: "+
					"pulumi config set --stack %s --secret %s%s", name, ctx.Stack(), secretPrefix, name)))
				continue
			}
			values[name] = value
		}
	}
	c.Postgres.SecretValues, c.Monitoring.SecretValues, c.CDN.SecretValues = values, values, values
	c.fastlyTLSToken = values.ToStringMapOutput().MapIndex(pulumi.String(c.CDN.TLS.Token))
	for _, args := range c.apps() {
		args.SecretValues, args.FileSecrets = pulumi.StringMap{}, values
		for variable, name := range args.Secrets {
			args.SecretValues[variable] = values[name]
		}
		if args.Registry != nil {
			args.RegistryPassword = values[args.Registry.Password]
		}
	}
	for i := range c.Charts {
		c.Charts[i].SecretValues = values
	}
	if c.Delivery.Keel() {
		c.Delivery.WebhookPassword = values[c.Delivery.Webhook.Password]
	}
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
