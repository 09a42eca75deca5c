package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/addon"
	"lke-platform/components/app"
	"lke-platform/components/cache"
	"lke-platform/components/cdn"
	"lke-platform/components/certificates"
	"lke-platform/components/delivery"
	"lke-platform/components/dns"
	"lke-platform/components/ingress"
	"lke-platform/components/lke"
	"lke-platform/components/logs"
	"lke-platform/components/monitoring"
	"lke-platform/components/objectstorage"
	"lke-platform/components/postgres"
)

// Config is the configuration of a stack. Each key of the stack file is one component's arguments.
type Config struct {
	// Protect marks a stack that serves real visitors: what cannot be made again is not deleted.
	Protect bool `json:"protect"`
	// Canary serves a page that never changes at canary.<first zone>, by which the platform's faults are told from the app's.
	Canary bool `json:"canary"`
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
	// Postgres is the database; "off" does without.
	Postgres postgres.Args `json:"postgres"`
	// Caches are those that the app uses.
	Caches []cache.Args `json:"caches"`
	// Charts are those of the stack's own, beside the platform's.
	Charts []addon.Args `json:"charts"`
	// Monitoring is metrics, dashboards and alerts.
	Monitoring Monitoring `json:"monitoring"`
	// Delivery says how new versions of the app arrive.
	Delivery delivery.Args `json:"delivery"`
	// App is the web application.
	App app.Args `json:"app"`
	// Apps are further applications.
	Apps []FurtherApp `json:"apps"`
	// CDN is the first Fastly service, and what all have in common; "off" does without, so that names lead to the platform
	// itself.
	CDN cdn.Args `json:"cdn"`

	// off are the sections that say so: parts that the stack does without.
	off sets.Set[string]
	// edge is where the public names lead.
	edge edge
	// shields are the sites of Fastly's that others can ask first.
	shields cdn.Shields
	// endpoints are those of Object Storage.
	endpoints objectstorage.Endpoints
	// fastly is what Fastly tells of the account.
	fastly *cdn.AccountFacts
	// undelegated are records that have to be set at other DNS providers, and are not. stands says whether the platform does,
	// where there are any.
	undelegated []*undelegated
	stands      bool
	// fastlyTLSToken is the value of the secret that CDN.TLS names.
	fastlyTLSToken pulumi.StringOutput
}

// Monitoring is what watches the platform: what it measures, and what it notes.
type Monitoring struct {
	monitoring.Args
	// Logs are what containers, Kubernetes and the ingress controller write; "off" keeps none.
	Logs logs.Args `json:"logs"`
}

// defaults are the configuration where nothing else is said.
func defaults() *Config {
	return &Config{
		off:          sets.Set[string]{},
		Certificates: certificates.Defaults(),
		Ingress:      ingress.Defaults(),
		Postgres:     postgres.Defaults(),
		Monitoring:   Monitoring{Args: monitoring.Defaults(), Logs: logs.Defaults()},
		Delivery:     delivery.Defaults(),
		App:          app.Defaults(),
		CDN:          cdn.Defaults(),
	}
}

// off is the text of a section that the stack does without, which only some can be.
const off = "off"

var optional = sets.New("cdn", "postgres")

// switchOff leaves nothing of a section that is off for the others to see. Without a CDN all names lead to the platform itself,
// as they do during a bypass that does not end.
func (c *Config) switchOff() {
	if c.off.Has("cdn") {
		c.CDN = cdn.Defaults()
		c.CDN.Bypass = new(true)
	}
	if c.off.Has("postgres") && maps.Equal(c.App.Database, app.Defaults().Database) {
		c.App.Database = nil
	}
}

// The platform's own names are in its first zone.
func (c *Config) grafanaHost() string { return "grafana." + c.Domains.Zones[0].Name }
func (c *Config) originHost() string  { return "origin." + c.Domains.Zones[0].Name }

// toolHosts are the names of the platform's own tools.
func (c *Config) toolHosts() []string {
	hosts := []string{c.grafanaHost()}
	if c.Delivery.Keel() {
		hosts = append(hosts, c.Delivery.Host)
	}
	if c.Canary {
		hosts = append(hosts, c.canaryHost())
	}
	return hosts
}

// candidateHosts are the names at which versions of apps are tried. Most of the time nothing answers there.
func candidateHosts(apps []*app.Args) (hosts []string) {
	for _, args := range apps {
		if host := args.CandidateHost(); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// isWildcard says whether a host stands for all names right below one.
func isWildcard(host string) bool { return strings.HasPrefix(host, "*.") }

// siteHost is the first name that the app answers for itself.
func (c *Config) siteHost() string { return siteHost(&c.App, &c.CDN.Site) }

// siteHost is the first name that an app answers for itself; "" where all are redirected to others.
func siteHost(args *app.Args, site *cdn.Site) string {
	for _, host := range args.Hosts {
		if _, redirected := site.Redirects[host]; !redirected && !isWildcard(host) {
			return host
		}
	}
	return ""
}

// firstHosts are the names of the first app, of what is beside it, and of the platform.
func (c *Config) firstHosts() []string {
	return slices.Concat(c.App.AllHosts(), c.CDN.MediaHosts(), c.CDN.BackendHosts(), c.toolHosts())
}

// publicHosts are the names that visitors use.
func (c *Config) publicHosts() []string {
	hosts := c.firstHosts()
	for i := range c.Apps {
		hosts = append(hosts, c.Apps[i].publicHosts()...)
	}
	return hosts
}

// siteCertificates are those in the first app's namespace, from where they get to Fastly, too. A host that stands too deep for
// that of its zone has one of its own.
func (c *Config) siteCertificates() *certificates.Request {
	request := &certificates.Request{}
	if c.CDN.TLS.IsManaged() {
		request.Hosts = []string{c.originHost()} // what Fastly proves has other names, so that the two never meet
	}
	if c.showsCertificates() {
		request.Domains = c.Domains.Names()
		request.Cover(c.Domains.Deep(c.servedNames()))
	}
	return request
}

// ordered are the names that the cluster has a certificate each for, those of zones with all names right below them.
func (c *Config) ordered() []string {
	site := c.siteCertificates()
	names := slices.Concat(site.Hosts, site.Domains)
	if c.showsCertificates() {
		names = append(names, c.toolHosts()...)
		for i := range c.Apps {
			own := c.Apps[i].certificates()
			names = slices.Concat(names, own.Hosts, own.Domains)
		}
	}
	return names
}

// proven are the names that certificates are proven through: the cluster's, and those that Fastly gets.
func (c *Config) proven() []string {
	if !c.CDN.TLS.IsManaged() {
		return c.ordered()
	}
	return slices.Concat(c.ordered(), c.servedNames())
}

// showsCertificates says whether visitors can come to the cluster itself, which needs certificates of their names then. Where
// Fastly gets its own they cannot, but for a bypass, and the time in which its names are cached.
func (c *Config) showsCertificates() bool { return !c.CDN.TLS.IsManaged() || c.CDN.Bypass != nil }

// Load reads and checks the whole configuration of the stack. The error lists every fault that it has, and every look-up that
// failed.
func Load(ctx *pulumi.Context) (*Config, error) {
	stackFile, err := readStackFile(ctx)
	if err != nil {
		return nil, err
	}
	c, faults := Decode(func(section string) string { return sectionText(ctx, stackFile, section) })
	faults = append(faults, c.checkSections(ctx, stackFile)...)
	c.CDN.Name, c.CDN.Folder = accountName(ctx), ctx.RootDirectory()
	c.Monitoring.Folder = ctx.RootDirectory()
	catalog, missing, failed := c.lookUp(ctx)
	faults = append(faults, c.validate(catalog, faults)...)
	faults = append(faults, missing...)
	faults = append(faults, validateAccount(ctx)...)
	faults = append(faults, c.readSecrets(ctx)...)
	faults = append(faults, c.checkKeys(ctx, stackFile)...)
	if len(faults) > 0 {
		return nil, errors.Join(report(ctx.Stack(), faults), failed)
	}
	if failed != nil {
		return nil, failed
	}
	c.Monitoring.NodePrices = catalog.NodePrices(&c.Cluster)
	for _, warning := range c.Warnings() {
		_ = ctx.Log.Warn(warning, nil)
	}
	return c, nil
}

// lookUp asks Linode and Fastly, side by side, for what the program cannot know by itself. What the configuration names and
// they do not have is a fault; a look-up that failed leaves nothing, and nothing is checked against it. A bypass is for the
// day when Fastly does not answer, so that Fastly is not asked then.
func (c *Config) lookUp(ctx *pulumi.Context) (catalog *lke.Catalog, missing field.ErrorList, failed error) {
	c.Ingress.Label = accountName(ctx) // which NodeBalancer is the stack's
	var linode, storage, names, sites, account, zones, delegations error
	var lookUps sync.WaitGroup
	lookUps.Go(func() {
		if catalog, linode = lke.LookUpCatalog(ctx); linode != nil {
			catalog, linode = nil, fmt.Errorf(
				"asking Linode what it offers (is LINODE_TOKEN set, and may it read?): %w", linode)
		}
	})
	lookUps.Go(func() {
		if c.endpoints, storage = objectstorage.LookUpEndpoints(ctx); storage != nil {
			storage = fmt.Errorf("asking Linode where it stores objects (is LINODE_TOKEN set, and may it read?): %w", storage)
		}
	})
	lookUps.Go(func() {
		if zones = c.lookIntoZones(ctx); zones != nil {
			zones = fmt.Errorf("asking Linode what stands in the zones (is LINODE_TOKEN set, and may it read?): %w", zones)
		}
	})
	lookUps.Go(func() {
		if delegations = c.lookForDelegations(ctx); delegations != nil {
			delegations = fmt.Errorf(
				"asking Linode for the NodeBalancer (is LINODE_TOKEN set, and may it read?): %w", delegations)
		}
	})
	if !c.CDN.Bypassed() {
		lookUps.Go(func() {
			var fault *field.Error
			if c.edge, names = lookUpEdge(ctx, c.CDN.TLS.Configuration); errors.As(names, &fault) {
				missing, names = field.ErrorList{fault}, nil
			} else if names != nil {
				names = fmt.Errorf(
					"asking Fastly where names have to lead (is FASTLY_API_KEY set, and may it read?): %w", names)
			}
		})
		lookUps.Go(func() {
			if c.shields, sites = cdn.LookUpShields(ctx); sites != nil {
				sites = fmt.Errorf("asking Fastly for its sites (is FASTLY_API_KEY set, and may it read?): %w", sites)
			}
		})
		var services []*cdn.Args
		for _, s := range c.services() {
			services = append(services, s.args)
		}
		lookUps.Go(func() { c.fastly, account = cdn.LookUpAccount(ctx, services) })
	}
	lookUps.Wait()
	if account != nil && names == nil { // a token may be kept from this, and from nothing that is needed
		_ = ctx.Log.Warn(fmt.Sprintf("what the Fastly account may have is not checked: %v", account), nil)
	}
	return catalog, missing, errors.Join(linode, storage, names, sites, zones, delegations)
}

// lookIntoZones reads what stands in adopted zones before anything of the platform does, which its NodeBalancer tells.
func (c *Config) lookIntoZones(ctx *pulumi.Context) error {
	if !c.Domains.Adopts() {
		return nil
	}
	if began, err := c.Ingress.IsThere(ctx); began || err != nil {
		return err
	}
	return c.Domains.LookUp(ctx)
}

// Decode reads the sections of a stack's configuration and returns every fault of form. get returns the text of a section
// as Pulumi's configuration API does: objects as JSON, "" for what is not set.
func Decode(get func(section string) string) (*Config, field.ErrorList) {
	c := defaults()
	var faults field.ErrorList
	for section, target := range fieldsByKey(reflect.ValueOf(c).Elem()) {
		text := get(section)
		switch {
		case text == off && optional.Has(section):
			c.off.Insert(section)
		case text != "": // validate says what is missing
			faults = append(faults, decode(field.NewPath(section), parse(text), target)...)
		}
	}
	c.switchOff()
	if c.Protect && c.Monitoring.Objectives == nil {
		c.Monitoring.Objectives = monitoring.ObjectivesFor(c.Monitoring.Retention)
	}
	c.Ingress.Bypass = c.CDN.Bypass
	c.Delivery.Image = c.App.Image
	if len(c.Domains.Zones) > 0 {
		c.Domains.Hosts = c.publicHosts()
	}
	return c, faults
}

// parse reads the text of a section. Pulumi hands out plain text as it is, so that what is no JSON from end to end is text.
func parse(text string) (value any) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // a float would lose that 1.0 is not a whole number
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	if _, err := decoder.Token(); err != io.EOF {
		return text
	}
	return value
}
