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
		"apps":   c.validateApps,
		"charts": c.validateCharts,
		"monitoring": func(path *field.Path) field.ErrorList {
			faults := c.Monitoring.Validate(path)
			if c.Monitoring.Fastly != nil && c.off.Has("cdn") {
				faults = append(faults, field.Forbidden(path.Child("fastly"), "has nothing to ask, as cdn is off"))
			}
			return append(faults, c.Monitoring.Logs.Validate(path.Child("logs"))...)
		},
		"delivery": c.Delivery.Validate,
		"app": func(path *field.Path) field.ErrorList {
			faults := append(c.App.Validate(path), c.validateDelivery(path)...)
			faults = append(faults, namespace.CheckFree(path.Child("name"), c.App.Name, ownNamespaces...)...)
			return append(faults, postgres.ValidateName(path.Child("name"), c.App.Name)...) // the database bears it too
		},
		"cdn": c.validateCDN,
	} {
		if !hasFault(undecoded, section) && !c.off.Has(section) {
			faults = append(faults, check(field.NewPath(section))...)
		}
	}
	for _, s := range c.services() {
		if !hasFault(undecoded, s.section()) && !c.off.Has("cdn") {
			faults = append(faults, c.validateService(s)...)
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
	faults = append(faults, c.validateWildcards()...)
	for _, s := range c.services() {
		for i, host := range s.args.MediaHosts() {
			check(s.path.Child("media", "hosts").Index(i), host)
		}
		for i, backend := range s.args.Backends {
			for j, host := range backend.Hosts {
				check(s.path.Child("backends").Index(i).Child("hosts").Index(j), host)
			}
		}
		faults = append(faults, s.validateHost()...)
		faults = append(faults, s.validateRoutes()...)
	}
	faults = append(faults, c.validateRedirects()...)
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
	if c.Protect && c.Monitoring.Alerts.Unrouted() {
		warnings = append(warnings, "monitoring.alerts: nobody hears of an alert, or of the end of all alerts; name a receiver "+
			"and a deadManSwitch")
	}
	warnings = append(warnings, c.Monitoring.Logs.Warnings(field.NewPath("monitoring", "logs"))...)
	if c.off.Has("cdn") {
		return warnings
	}
	if c.Monitoring.Objectives.AreThere() && c.Monitoring.Fastly == nil {
		warnings = append(warnings, "monitoring.objectives: what visitors get is known from the platform's probes only; name "+
			"a secret with a token that may read Fastly's statistics in monitoring.fastly.token (docs/components/monitoring.md)")
	}
	warnings = append(warnings, c.CDN.AccountWarnings(field.NewPath("cdn"), c.servedNames())...)
	for _, s := range c.services() {
		warnings = append(warnings, c.serviceWarnings(s)...)
	}
	return warnings
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
