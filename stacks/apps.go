package stacks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/cache"
	"lke-platform/components/cdn"
	"lke-platform/components/certificates"
	"lke-platform/components/namespace"
	"lke-platform/components/postgres"
)

// FurtherApp is an application beside the first, with the same keys, in a namespace of its own. It shares the first one's
// database cluster and caches.
type FurtherApp struct {
	app.Args

	// CDN is a Fastly service of its own; nil where it shares the first one's.
	CDN *cdn.Site `json:"cdn"`
}

// Default fills in what holds where nothing else is said. Which databases it uses is for the app to say.
func (f *FurtherApp) Default() {
	f.Args = app.Defaults()
	f.Database = nil
}

// apps are those of the stack, the first one first.
func (c *Config) apps() []*app.Args {
	all := []*app.Args{&c.App}
	for i := range c.Apps {
		all = append(all, &c.Apps[i].Args)
	}
	return all
}

// appPath is where an app stands in the stack file.
func appPath(i int) *field.Path {
	if i == 0 {
		return field.NewPath("app")
	}
	return field.NewPath("apps").Index(i - 1)
}

// longestBucket is how long the name of a bucket may be, and mediaPurpose begins the end of those of further apps.
const (
	longestBucket = 63
	mediaPurpose  = "media"
)

// validateApps checks the further apps by themselves, and against the first one and the platform.
func (c *Config) validateApps(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names := sets.New(c.App.Name)
	longest := longestBucket - len("-"+mediaPurpose+"-") - cmp.Or(len(c.Storage.Prefix), longestLabel)
	for i := range c.Apps {
		args, at := &c.Apps[i].Args, path.Index(i)
		faults = append(faults, args.Validate(at)...)
		faults = append(faults, namespace.CheckFree(at.Child("name"), args.Name, ownNamespaces...)...)
		if names.Has(args.Name) {
			faults = append(faults, field.Duplicate(at.Child("name"), args.Name))
		}
		names.Insert(args.Name)
		if len(args.Media) > 0 && len(args.Name) > longest {
			faults = append(faults, field.TooLong(at.Child("name"), args.Name, longest))
		}
		if args.Tagged() {
			faults = append(faults, field.Invalid(at.Child("image"), args.Image,
				"must have a digest (name@sha256:…): only the image of app can be followed by its tag"))
		}
		if c.Apps[i].CDN != nil && c.off.Has("cdn") {
			faults = append(faults, field.Forbidden(at.Child("cdn"), "describes a Fastly service, and cdn is off"))
		}
		for _, variable := range slices.Sorted(maps.Keys(args.Database)) {
			if args.Databases()[variable] == "" {
				faults = append(faults, field.Invalid(at.Child("database").Key(variable), args.Database[variable],
					"must name one of postgres.databases before the key, for instance shop/uri"))
			}
		}
	}
	return faults
}

// appWarnings say what of an app is valid and yet unwise.
func (c *Config) appWarnings(path *field.Path, args *app.Args) (warnings []string) {
	if c.Postgres.Pooler.Mode == "transaction" && args.Pooled() && !args.Direct() {
		warnings = append(warnings, path.Child("database").String()+": all connections go through the pooler, which is in "+
			"transaction mode: LISTEN, temporary tables and the advisory locks with which Rails, Prisma, Flyway and others "+
			"guard their migrations do not outlive a transaction there; give migrations the primary's own address too (the "+
			"key host or uri, docs/components/app.md), or set postgres.pooler.mode to session")
	}
	if args.Root() {
		warnings = append(warnings, path.Child("user").String()+": the app runs as root, and its namespace, with all that is "+
			"in it, is held to the baseline standard only; build the image for an ordinary user (USER 1000) and leave user out")
	}
	return append(warnings, args.Warnings(path)...)
}

// newAppNamespaces declares the namespaces of the apps. What all apps share is in the first one's, which opens it to the others.
func (p *platform) newAppNamespaces() (err error) {
	config := p.config
	p.appNamespace, err = p.newAppNamespace(&config.App, p.besideMetrics(),
		namespace.Args{Open: config.sharing(), Bound: p.bounds()})
	p.furtherNamespaces = map[string]*namespace.Namespace{}
	for _, args := range config.apps()[1:] {
		if err != nil {
			return err
		}
		p.furtherNamespaces[args.Name], err = p.newAppNamespace(args, nil, namespace.Args{})
	}
	return err
}

// newAppNamespace declares the namespace of an app, and of what is beside it, which has metrics at ports of its own.
func (p *platform) newAppNamespace(args *app.Args, metrics []any, beside namespace.Args) (*namespace.Namespace, error) {
	beside.Name, beside.Standard = args.Name, args.PodSecurity()
	beside.Open = append([]namespace.Opening{
		{Name: "web", Namespaces: []string{namespace.Ingress}, Ports: []any{"http"}},
		{Name: "metrics", Namespaces: []string{namespace.Monitoring}, Ports: append([]any{"http", "metrics"}, metrics...)},
	}, beside.Open...)
	return namespace.New(p.Context, args.Name, &beside, p.cluster.Inside())
}

// sharing opens what is beside the first app to the others that use it.
func (c *Config) sharing() (openings []namespace.Opening) {
	var databases, caches []string
	for _, args := range c.apps()[1:] {
		if len(args.Database) > 0 {
			databases = append(databases, args.Name)
		}
		if len(args.Caches) > 0 {
			caches = append(caches, args.Name)
		}
	}
	if len(databases) > 0 {
		openings = append(openings, postgres.Opening(databases))
	}
	if len(caches) > 0 {
		openings = append(openings, cache.Opening(caches))
	}
	return openings
}

// declareApps declares the further apps.
func (p *platform) declareApps() error {
	for i := range p.config.Apps {
		further := &p.config.Apps[i]
		// No name of an app has a dot, so that the parts of one are never named like another.
		if err := p.declareFurtherApp(further.Name+".app", further); err != nil {
			return fmt.Errorf("app %s: %w", further.Name, err)
		}
	}
	return nil
}

func (p *platform) declareFurtherApp(name string, further *FurtherApp) (err error) {
	args := &further.Args
	args.Namespace = p.furtherNamespaces[args.Name].Name
	if p.config.showsCertificates() {
		request := further.certificates()
		request.Namespace = args.Namespace
		tls, err := p.newCertificates(name, request)
		if err != nil {
			return err
		}
		args.Certificates = tls.SecretNames
	}
	if len(args.Media) > 0 {
		if args.Bucket, err = p.newMedia(mediaPurpose + "-" + args.Name); err != nil {
			return err
		}
	}
	if err := p.giveCredentials(name, args); err != nil {
		return err
	}
	args.CacheHosts = pulumi.StringMap{}
	for cache, host := range p.caches {
		args.CacheHosts[cache] = pulumi.Sprintf("%s.%s.svc", host, p.appNamespace.Name)
	}
	made, err := p.newApp(name, args)
	if err != nil {
		return err
	}
	p.names = append(p.names, hostGroup{name, further.publicHosts(), made.Ready})
	return nil
}

// publicHosts are the names that visitors use of a further app, and of what its own Fastly service has beside it.
func (f *FurtherApp) publicHosts() []string {
	if f.CDN == nil {
		return f.AllHosts()
	}
	return slices.Concat(f.AllHosts(), f.CDN.MediaHosts(), f.CDN.BackendHosts())
}

// certificates are those of a further app, in its own namespace.
func (f *FurtherApp) certificates() *certificates.Request {
	request := &certificates.Request{}
	request.Cover(f.publicHosts())
	return request
}

// giveCredentials brings the credentials of the databases that an app uses into its namespace.
func (p *platform) giveCredentials(name string, args *app.Args) (err error) {
	databases := slices.Compact(slices.Sorted(maps.Values(args.Databases())))
	if len(databases) == 0 {
		return nil
	}
	args.DatabaseSecrets, err = p.database.NewCredentials(p.Context, name, databases, args.Namespace, p.cluster.Kubeconfig)
	args.DatabaseSecret = args.DatabaseSecrets[databases[0]]
	args.DatabaseAuthority = args.DatabaseSecret // each holds the authority, too
	return err
}
