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
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/cdn"
	"lke-platform/components/certificates"
	"lke-platform/components/delivery"
	"lke-platform/components/dns"
	"lke-platform/components/ingress"
	"lke-platform/components/lke"
	"lke-platform/components/monitoring"
	"lke-platform/components/objectstorage"
	"lke-platform/components/postgres"
)

// Config is the configuration of a stack. Each key of the stack file is one component's arguments.
type Config struct {
	// Protect marks a stack that serves real visitors: what cannot be made again is not deleted.
	Protect bool `json:"protect"`
	// Cluster is the Kubernetes cluster and its nodes.
	Cluster lke.Args `json:"cluster"`
	// Domains are the zones, the platform's own first.
	Domains dns.Args `json:"domains"`
	// Certificates says who issues them.
	Certificates certificates.Args `json:"certificates"`
	// Ingress is the way into the cluster.
	Ingress ingress.Args `json:"ingress"`
	// Storage is where the buckets are.
	Storage objectstorage.Args `json:"storage"`
	// Postgres is the database.
	Postgres postgres.Args `json:"postgres"`
	// Monitoring is metrics, dashboards and alerts.
	Monitoring monitoring.Args `json:"monitoring"`
	// Delivery says how new versions of the app arrive.
	Delivery delivery.Args `json:"delivery"`
	// App is the web application.
	App app.Args `json:"app"`
	// CDN is the Fastly service.
	CDN cdn.Args `json:"cdn"`

	// edge is where the public names lead.
	edge edge
	// shields are the sites of Fastly's that others can ask first.
	shields cdn.Shields
	// fastlyTLSToken is the value of the secret that CDN.TLS names.
	fastlyTLSToken pulumi.StringOutput
}

// defaults are the configuration where nothing else is said.
func defaults() *Config {
	return &Config{
		Certificates: certificates.Defaults(),
		Ingress:      ingress.Defaults(),
		Postgres:     postgres.Defaults(),
		Monitoring:   monitoring.Defaults(),
		Delivery:     delivery.Defaults(),
		App:          app.Defaults(),
		CDN:          cdn.Defaults(),
	}
}

// The platform's own names are in its first zone.
func (c *Config) grafanaHost() string { return "grafana." + c.Domains.Zones[0].Name }
func (c *Config) originHost() string  { return "origin." + c.Domains.Zones[0].Name }

// publicHosts are the names that visitors use.
func (c *Config) publicHosts() []string {
	hosts := append(slices.Clone(c.App.Hosts), c.grafanaHost())
	if c.Delivery.Keel() {
		hosts = append(hosts, c.Delivery.Host)
	}
	return hosts
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
	c, faults := Decode(func(section string) string { return config.Get(ctx, section) })
	c.CDN.Folder = ctx.RootDirectory()
	catalog, err := c.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	faults = append(faults, c.validate(catalog, faults)...)
	faults = append(faults, c.readSecrets(ctx)...)
	faults = append(faults, c.checkKeys(ctx, stackFile)...)
	if len(faults) > 0 {
		return nil, report(ctx.Stack(), faults)
	}
	c.warn(ctx)
	return c, nil
}

// lookUp asks Linode and Fastly, side by side, for what the program cannot know by itself.
func (c *Config) lookUp(ctx *pulumi.Context) (catalog *lke.Catalog, err error) {
	var lookUps errgroup.Group
	lookUps.Go(func() (err error) {
		if catalog, err = lke.LookUpCatalog(ctx); err != nil {
			return fmt.Errorf("asking Linode what it offers (is LINODE_TOKEN set?): %w", err)
		}
		return nil
	})
	lookUps.Go(func() (err error) {
		if c.edge, err = lookUpEdge(ctx, c.CDN.TLS.Configuration); err != nil {
			return fmt.Errorf("asking Fastly where names have to lead (is FASTLY_API_KEY set?): %w", err)
		}
		return nil
	})
	lookUps.Go(func() (err error) {
		if c.shields, err = cdn.LookUpShields(ctx); err != nil {
			return fmt.Errorf("asking Fastly for its sites (is FASTLY_API_KEY set?): %w", err)
		}
		return nil
	})
	return catalog, lookUps.Wait()
}

// Decode reads the sections of a stack's configuration and returns every fault of form. get returns the text of a section
// as Pulumi's configuration API does: objects as JSON, "" for what is not set.
func Decode(get func(section string) string) (*Config, field.ErrorList) {
	c := defaults()
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
	c.Ingress.Bypass = c.CDN.Bypass
	for _, zone := range c.Domains.Names() {
		c.CDN.Domains = append(c.CDN.Domains, zone, "*."+zone)
	}
	return c, faults
}

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

// secretNames are the secrets that each section names.
func (c *Config) secretNames() map[string][]string {
	return map[string][]string{
		"app":        c.App.SecretNames(),
		"cdn":        c.CDN.SecretNames(),
		"delivery":   c.Delivery.SecretNames(),
		"monitoring": c.Monitoring.SecretNames(),
		"postgres":   c.Postgres.SecretNames(),
	}
}

// validate checks every section that could be decoded: one that could not is reported already, and would be again for all
// that it then lacks.
func (c *Config) validate(catalog *lke.Catalog, undecoded field.ErrorList) field.ErrorList {
	var faults field.ErrorList
	for section, check := range map[string]func(*field.Path) field.ErrorList{
		"cluster": func(path *field.Path) field.ErrorList {
			return append(c.Cluster.Validate(path), catalog.Check(path, &c.Cluster)...)
		},
		"domains":      c.Domains.Validate,
		"certificates": c.Certificates.Validate,
		"ingress":      c.Ingress.Validate,
		"storage":      c.Storage.Validate,
		"postgres":     c.Postgres.Validate,
		"monitoring":   c.Monitoring.Validate,
		"delivery":     c.Delivery.Validate,
		"app": func(path *field.Path) field.ErrorList {
			faults := append(c.App.Validate(path), c.Delivery.ValidateImage(path.Child("image"), c.App.Image)...)
			return append(faults, postgres.ValidateName(path.Child("name"), c.App.Name)...) // the database bears it too
		},
		"cdn": func(path *field.Path) field.ErrorList {
			return append(c.CDN.Validate(path), c.shields.Check(path, &c.CDN)...)
		},
	} {
		if !hasFault(undecoded, section) {
			faults = append(faults, check(field.NewPath(section))...)
		}
	}
	if !hasFault(undecoded, "cluster") && !hasFault(faults, "cluster") {
		faults = append(faults, c.validateInstances()...)
	}
	if c.CDN.Bypassed() && !c.Ingress.IsOpen() {
		faults = append(faults, field.Invalid(field.NewPath("ingress", "open"), false,
			"must not be false while cdn.bypass sends all visitors there"))
	}
	if len(c.Domains.Zones) == 0 || hasFault(undecoded, "domains") {
		return faults // the names cannot be checked against the zones
	}
	return append(faults, c.validateHosts()...)
}

// validateInstances refuses more database servers than there are nodes. With one on each, a node has at most its two volumes
// and the two of monitoring to attach, and the smallest of Linode's can attach seven.
func (c *Config) validateInstances() field.ErrorList {
	if nodes := c.Cluster.MostNodes(); c.Postgres.Instances > nodes {
		return field.ErrorList{field.Invalid(field.NewPath("postgres", "instances"), c.Postgres.Instances, fmt.Sprintf(
			"each server and its volumes need a node of their own, and cluster has %d without taints", nodes))}
	}
	return nil
}

// validateHosts refuses public names outside the zones, and one name for two things.
func (c *Config) validateHosts() field.ErrorList {
	var faults field.ErrorList
	seen := sets.New(c.grafanaHost(), c.originHost())
	hosts := field.NewPath("app", "hosts")
	for i, host := range c.App.Hosts {
		faults = append(faults, c.Domains.CheckHost(hosts.Index(i), host)...)
		if seen.Has(host) {
			faults = append(faults, field.Duplicate(hosts.Index(i), host))
		}
		seen.Insert(host)
	}
	if c.Delivery.Keel() {
		path := field.NewPath("delivery", "host")
		faults = append(faults, c.Domains.CheckHost(path, c.Delivery.Host)...)
		if seen.Has(c.Delivery.Host) {
			faults = append(faults, field.Duplicate(path, c.Delivery.Host))
		}
	}
	return faults
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
	c.App.SecretValues = pulumi.StringMap{}
	for variable, name := range c.App.Secrets {
		c.App.SecretValues[variable] = values[name]
	}
	if c.App.Registry != nil {
		c.App.RegistryPassword = values[c.App.Registry.Password]
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

// warn says what is valid and yet unwise.
func (c *Config) warn(ctx *pulumi.Context) {
	if c.Protect && c.App.MutableImage() {
		_ = ctx.Log.Warn(fmt.Sprintf("app.image: %s can change under the same name, so that a restart may run another "+
			"version; name a tag of its own or a digest", c.App.Image), nil)
	}
	if c.Ingress.IsOpen() && !c.CDN.Bypassed() {
		_ = ctx.Log.Warn("ingress: everybody can connect past Fastly; set ingress.open to false when no name that leads there "+
			"is cached any more", nil)
	}
	if c.Protect && c.Monitoring.Alerts.Unrouted() {
		_ = ctx.Log.Warn("monitoring.alerts: nobody hears of an alert, or of the end of all alerts; name a receiver and a "+
			"deadManSwitch", nil)
	}
}

// report makes one error of all faults, a line each, sorted by path.
func report(stack string, faults field.ErrorList) error {
	lines := make([]string, len(faults))
	for i, fault := range faults {
		lines[i] = "  " + fault.Error()
	}
	slices.Sort(lines)
	return fmt.Errorf("nothing was changed, Pulumi.%s.yaml is not valid:\n%s", stack, strings.Join(slices.Compact(lines), "\n"))
}

func hasFault(faults field.ErrorList, section string) bool {
	return slices.ContainsFunc(faults, func(fault *field.Error) bool {
		return fault.Field == section || strings.HasPrefix(fault.Field, section+".")
	})
}
