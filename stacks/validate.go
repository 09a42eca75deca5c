package stacks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/lke"
	"lke-platform/components/postgres"
)

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
