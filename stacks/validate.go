package stacks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/cache"
	"lke-platform/components/cdn"
	"lke-platform/components/certificates"
	"lke-platform/components/lke"
	"lke-platform/components/namespace"
	"lke-platform/components/postgres"
)

// validate checks every section that could be decoded: one that could not is reported already, and would be again for all
// that it then lacks. Nothing is checked against what could not be looked up, which is nil.
func (c *Config) validate(catalog *lke.Catalog, undecoded field.ErrorList) field.ErrorList {
	var faults field.ErrorList
	for section, check := range map[string]func(*field.Path) field.ErrorList{
		"cluster": func(path *field.Path) field.ErrorList {
			faults := c.Cluster.Validate(path)
			if catalog != nil {
				faults = append(faults, catalog.Check(path, &c.Cluster)...)
			}
			return faults
		},
		"domains":      c.Domains.Validate,
		"certificates": c.Certificates.Validate,
		"ingress":      c.Ingress.Validate,
		"storage": func(path *field.Path) field.ErrorList {
			faults := c.Storage.Validate(path)
			if c.endpoints != nil {
				faults = append(faults, c.endpoints.Check(path, &c.Storage)...)
			}
			return faults
		},
		"postgres": c.Postgres.Validate,
		"caches": func(path *field.Path) field.ErrorList {
			return append(cache.ValidateAll(path, c.Caches), c.validateCaches()...)
		},
		"apps":       c.validateApps,
		"charts":     c.validateCharts,
		"monitoring": c.Monitoring.Validate,
		"delivery":   c.Delivery.Validate,
		"app": func(path *field.Path) field.ErrorList {
			faults := append(c.App.Validate(path), c.validateDelivery(path)...)
			faults = append(faults, namespace.CheckFree(path.Child("name"), c.App.Name, ownNamespaces...)...)
			return append(faults, postgres.ValidateName(path.Child("name"), c.App.Name)...) // the database bears it too
		},
		"cdn": func(path *field.Path) field.ErrorList {
			faults := c.CDN.Validate(path)
			if c.shields != nil {
				faults = append(faults, c.shields.Check(path, &c.CDN)...)
			}
			if c.fastly != nil {
				faults = append(faults, c.fastly.Check(path, &c.CDN)...)
			}
			return faults
		},
	} {
		if !hasFault(undecoded, section) && !c.off.Has(section) {
			faults = append(faults, check(field.NewPath(section))...)
		}
	}
	found := slices.Concat(undecoded, faults)
	if catalog != nil && !hasFault(found, "cluster") && !hasFault(found, "postgres") && !c.off.Has("postgres") {
		faults = append(faults, c.validateInstances(catalog)...)
	}
	if !slices.ContainsFunc([]string{"app", "apps", "postgres"}, func(s string) bool { return hasFault(undecoded, s) }) {
		faults = append(faults, c.validateConnections()...)
		faults = append(faults, c.validateDatabases()...)
	}
	if c.CDN.Bypassed() && !c.Ingress.IsOpen() {
		faults = append(faults, field.Invalid(field.NewPath("ingress", "open"), false,
			"must not be false while cdn.bypass sends all visitors there"))
	}
	if c.Certificates.Issuer == certificates.Staging && !c.CDN.Bypassed() {
		faults = append(faults, field.Invalid(field.NewPath("certificates", "issuer"), c.Certificates.Issuer,
			"neither browsers nor Fastly trust its certificates, and Fastly would neither serve them nor believe the origin; "+
				"set cdn.bypass to true too, so that names lead straight to the platform, or leave issuer out"))
	}
	if len(c.Domains.Zones) == 0 || hasFault(undecoded, "domains") {
		return faults // the names cannot be checked against the zones
	}
	faults = append(faults, c.validateDelegations()...)
	faults = append(faults, c.validateHosts()...)
	if len(faults)+len(undecoded) == 0 { // two valid names can still share a Secret
		return c.siteCertificates().Validate(field.NewPath("certificates"))
	}
	return faults
}

// validateDelivery refuses an image, a candidate and a release command that the way of delivery does not go with.
func (c *Config) validateDelivery(path *field.Path) field.ErrorList {
	faults := c.Delivery.ValidateImage(path.Child("image"), c.App.Image)
	if c.App.Candidate != nil && c.Delivery.Keel() {
		faults = append(faults, field.Forbidden(path.Child("candidate"), "Keel rolls new versions out by itself, and would "+
			"try none before; set delivery.mode to pinned"))
	}
	if c.App.Release != nil && c.Delivery.Keel() {
		faults = append(faults, field.Forbidden(path.Child("release"), "Keel starts new versions by itself, and would run no "+
			"command before them; set delivery.mode to pinned"))
	}
	return faults
}

// validateInstances refuses more database servers than there are nodes that can carry one. With one on each, a node has at most
// its two volumes and the two of monitoring to attach, and Linode attaches seven to the smallest.
func (c *Config) validateInstances(catalog *lke.Catalog) field.ErrorList {
	memory := resource.MustParse(c.Postgres.Memory)
	if nodes := catalog.MostNodes(&c.Cluster, memory.Value()); c.Postgres.Instances > nodes {
		return field.ErrorList{field.Invalid(field.NewPath("postgres", "instances"), c.Postgres.Instances, fmt.Sprintf(
			"each server needs a node of its own, and cluster has %d without taints that have more memory than postgres.memory",
			nodes))}
	}
	return nil
}

// stackName is what Linode takes as the label of a cluster, in the lower case that names of buckets have to be in.
var stackName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// longestLabel is Linode's limit for the label of a cluster.
const longestLabel = 32

// accountName names a stack in the Linode and Fastly accounts, which all stacks share: the cluster, the buckets, the service.
func accountName(ctx *pulumi.Context) string { return ctx.Project() + "-" + ctx.Stack() }

// validateAccount refuses a stack whose name Linode would refuse in the names of its resources.
func validateAccount(ctx *pulumi.Context) field.ErrorList {
	if stackName.MatchString(ctx.Stack()) && len(accountName(ctx)) <= longestLabel {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("stack"), ctx.Stack(), fmt.Sprintf("the stack's name stands in those of "+
		"its cluster and buckets: it must be lower-case letters, digits and single dashes between them, %d characters at most; "+
		"run: pulumi stack rename --stack %s <name>, and rename the file", longestLabel-len(ctx.Project())-1, ctx.Stack()))}
}

// validateHosts refuses public names outside the zones, and one name for two things.
func (c *Config) validateHosts() field.ErrorList {
	var faults field.ErrorList
	seen := sets.New(c.grafanaHost(), c.originHost())
	if c.Canary {
		seen.Insert(c.canaryHost())
	}
	check := func(path *field.Path, host string) {
		faults = append(faults, c.Domains.CheckHost(path, host)...)
		if seen.Has(host) {
			faults = append(faults, field.Duplicate(path, host))
		}
		seen.Insert(host)
	}
	for i, args := range c.apps() {
		for j, host := range args.Hosts {
			check(appPath(i).Child("hosts").Index(j), host)
		}
		if host := args.CandidateHost(); host != "" {
			check(appPath(i).Child("candidate", "host"), host)
		}
		for j, process := range args.Processes {
			for k, host := range process.Hosts {
				check(appPath(i).Child("processes").Index(j).Child("hosts").Index(k), host)
			}
		}
	}
	if len(c.App.Hosts) > 0 && c.siteHost() == "" {
		faults = append(faults, field.Invalid(field.NewPath("app", "hosts"), c.App.Hosts,
			"must have a host that cdn.redirects does not lead to another, and that is no wildcard"))
	}
	faults = append(faults, c.validateWildcards()...)
	for i, host := range c.CDN.MediaHosts() {
		check(field.NewPath("cdn", "media", "hosts").Index(i), host)
	}
	for i, backend := range c.CDN.Backends {
		for j, host := range backend.Hosts {
			check(field.NewPath("cdn", "backends").Index(i).Child("hosts").Index(j), host)
		}
	}
	faults = append(faults, c.validateRoutes()...)
	if c.Delivery.Keel() {
		check(field.NewPath("delivery", "host"), c.Delivery.Host)
	}
	taken := append(c.publicHosts(), c.originHost())
	faults = append(faults, c.Domains.CheckFound(field.NewPath("domains"), taken)...)
	return append(faults, c.Domains.CheckRecords(field.NewPath("domains"), append(c.toolHosts(), c.originHost()), c.proven())...)
}

// validateWildcards refuses names that stand for others where Fastly could not serve them.
func (c *Config) validateWildcards() field.ErrorList {
	if !c.CDN.TLS.IsManaged() {
		return nil
	}
	var faults field.ErrorList
	for i, args := range c.apps() {
		for _, host := range slices.DeleteFunc(args.AllHosts(), func(host string) bool { return !isWildcard(host) }) {
			faults = append(faults, field.Invalid(appPath(i).Child("hosts"), host, "cannot have a certificate of Fastly's own, "+
				"as a name and all below it are proven at one place; set cdn.tls.mode to uploaded"))
		}
	}
	return faults
}

// validateRoutes refuses paths of backends that no app could have answered for, and those of an app's own process.
func (c *Config) validateRoutes() field.ErrorList {
	var faults field.ErrorList
	hosts, taken := sets.New[string](), sets.New[cdn.Route]()
	for _, args := range c.apps() {
		hosts.Insert(args.AllHosts()...)
		for _, process := range args.Processes {
			for _, host := range slices.Concat(args.Hosts, process.Hosts) {
				taken.Insert(cdn.Route{Host: host, Path: strings.TrimSuffix(process.Path, "/")})
			}
		}
	}
	for i, backend := range c.CDN.Backends {
		for j, route := range backend.Routes()[len(backend.Hosts):] {
			path := field.NewPath("cdn", "backends").Index(i).Child("paths").Index(j)
			if !hosts.Has(route.Host) {
				faults = append(faults, field.Invalid(path, backend.Paths[j], route.Host+" is no host of app or apps"))
			}
			if taken.Has(route) {
				faults = append(faults, field.Invalid(path, backend.Paths[j], "a process of the app answers for it"))
			}
		}
	}
	return faults
}

// Warnings say what is valid and yet unwise.
func (c *Config) Warnings() (warnings []string) {
	if c.Protect && c.App.MutableImage() {
		warnings = append(warnings, fmt.Sprintf("app.image: %s can change under the same name: every restart and every lost "+
			"node runs whatever was pushed last, tested or not; set delivery.mode to pinned and name a digest", c.App.Image))
	}
	warnings = append(warnings, c.Delivery.Warnings(c.App.SteadyImage())...)
	warnings = append(warnings, c.delegationWarnings()...)
	hasMedia := func(args *app.Args) bool { return len(args.Media) > 0 }
	if c.endpoints != nil && slices.ContainsFunc(c.apps(), hasMedia) {
		warnings = append(warnings, c.endpoints.Warnings(c.Storage.Region)...)
	}
	for i, args := range c.apps() {
		warnings = append(warnings, c.appWarnings(appPath(i), args)...)
	}
	if c.Ingress.IsOpen() && !c.CDN.Bypassed() {
		warnings = append(warnings, "ingress: everybody can connect past Fastly; set ingress.open to false when no name that "+
			"leads there is cached any more")
	}
	if !c.Protect && c.Certificates.Trusted() {
		warnings = append(warnings, fmt.Sprintf("certificates: a rebuild (destroy and up) orders %d certificates anew, and "+
			"Let's Encrypt issues each of them 5 times in 7 days, then once in 34 hours: keep their Secrets over a rebuild "+
			"(docs/components/certificates.md), or set certificates.issuer to staging", len(c.ordered())))
	}
	if c.Domains.Adopts() && c.CDN.HSTS != "0s" && !c.off.Has("cdn") {
		warnings = append(warnings, "cdn.hsts: a zone is adopted, which may have a site to go back to, and browsers that saw "+
			"this one would keep to HTTPS there too; set cdn.hsts to 0s until the move is over (docs/moving-in.md)")
	}
	if c.CDN.WebSockets {
		warnings = append(warnings, "cdn.websockets: Fastly opens WebSockets without the certificate that the origin knows this "+
			"service by, so the origin asks nobody for one: whoever else is a customer of Fastly's can reach it, too")
	}
	if c.CDN.OpenPurge {
		warnings = append(warnings, "cdn.openPurge: anybody who knows a URL can have its copy thrown away, as often as he "+
			"likes, and have the origin do the work; give the application a token that may purge, and leave openPurge out")
	}
	if c.CDN.Maintenance != nil {
		warnings = append(warnings, "cdn.maintenance: visitors see a page in place of the app, with status 503, until the key "+
			"is taken out")
	}
	if len(c.CDN.BasicAuth) > 0 && c.CDN.Bypass != nil {
		warnings = append(warnings, "cdn.basicAuth: Fastly asks for the password, and as long as there is a bypass everybody "+
			"can come past it: the site is open to all")
	}
	if c.Protect && c.Monitoring.Alerts.Unrouted() {
		warnings = append(warnings, "monitoring.alerts: nobody hears of an alert, or of the end of all alerts; name a receiver "+
			"and a deadManSwitch")
	}
	if c.off.Has("cdn") {
		return warnings
	}
	return append(warnings, c.CDN.Warnings()...)
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
		after, inside := strings.CutPrefix(fault.Field, section)
		return inside && (after == "" || after[0] == '.' || after[0] == '[')
	})
}
