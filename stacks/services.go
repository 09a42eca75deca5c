package stacks

import (
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/cdn"
)

// service is one of the stack's Fastly services. The first has all that no other has: the apps that share it, and the platform's
// own tools. Each other belongs to one app.
type service struct {
	prefix string      // of the names of its parts in the graph
	path   *field.Path // where it stands in the stack file
	// apps are those behind it, the one first whose media and health it asks for; appPath is where that one stands.
	apps    []*app.Args
	appPath *field.Path
	args    *cdn.Args
}

func (s *service) app() *app.Args { return s.apps[0] }

func (s *service) isFirst() bool { return s.prefix == "" }

// section is the key of the stack file that it is part of.
func (s *service) section() string {
	if s.isFirst() {
		return "cdn"
	}
	return "apps"
}

// services are those of the stack, the first one first, as far as the stack file tells and the bucket of an app is there.
func (c *Config) services() []*service {
	args := c.CDN
	first := &service{path: field.NewPath("cdn"), apps: []*app.Args{&c.App}, appPath: appPath(0), args: &args}
	all := []*service{first}
	for i := range c.Apps {
		further := &c.Apps[i]
		if further.CDN == nil {
			first.apps = append(first.apps, &further.Args)
			continue
		}
		path := appPath(i + 1)
		all = append(all, &service{
			prefix: further.Name + ".", path: path.Child("cdn"), apps: []*app.Args{&further.Args}, appPath: path,
			args: c.CDN.Beside(further.Name, further.CDN),
		})
	}
	for _, s := range all {
		c.complete(s)
	}
	return all
}

// complete fills in what the rest of the stack file says of a service.
func (c *Config) complete(s *service) {
	if bucket := s.app().Bucket; bucket != nil {
		s.args.MediaHost = pulumi.Sprintf("%s.%s", bucket.Name, bucket.Endpoint)
	}
	if len(c.Domains.Zones) == 0 {
		return // there are no names
	}
	s.args.OriginHost, s.args.HealthHost = c.originHost(), siteHost(s.app(), &s.args.Site)
	names := s.hosts()
	if s.isFirst() {
		names = append(names, c.toolHosts()...)
		s.args.Uncached = c.toolHosts()
	}
	s.args.Uncached = append(s.args.Uncached, candidateHosts(s.apps)...)
	names = append(names, s.args.MediaHosts()...)
	names = append(names, s.args.BackendHosts()...)
	for host := range s.args.Redirects {
		if len(c.Domains.CheckHost(nil, host)) == 0 {
			names = append(names, host)
		}
	}
	slices.Sort(names)
	s.args.Domains = slices.Compact(names)
}

// hosts are the names of the apps.
func (s *service) hosts() (hosts []string) {
	for _, args := range s.apps {
		hosts = append(hosts, args.AllHosts()...)
	}
	return hosts
}

// servedNames are the names that Fastly answers for: those that visitors use, and those that only lead on to others.
func (c *Config) servedNames() (names []string) {
	for _, s := range c.services() {
		names = append(names, s.args.Domains...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Files are those in the project's folder that the stack file names.
func (c *Config) Files() (names []string) {
	names = append(names, c.Monitoring.Dashboards...)
	for _, s := range c.services() {
		names = append(names, s.args.Files()...)
	}
	return names
}

// haveWebSockets says whether visitors may open some.
func (c *Config) haveWebSockets() bool {
	return slices.ContainsFunc(c.services(), func(s *service) bool { return s.args.WebSockets })
}

// validateCDN checks what all services have in common.
func (c *Config) validateCDN(path *field.Path) field.ErrorList {
	names := c.servedNames()
	faults := append(c.CDN.ValidateShared(path), c.CDN.CheckNames(path, names)...)
	if c.fastly != nil {
		faults = append(faults, c.fastly.Check(path, &c.CDN, names)...)
	}
	return faults
}

// validateService checks a service by itself.
func (c *Config) validateService(s *service) field.ErrorList {
	site := &s.args.Site
	faults := s.args.ValidateSite(s.path)
	if c.shields != nil {
		faults = append(faults, c.shields.Check(s.path, site)...)
	}
	if c.fastly != nil {
		faults = append(faults, c.fastly.CheckSite(s.path, site)...)
	}
	if !s.isFirst() && site.Media != nil && site.Media.Address == "" && len(s.app().Media) == 0 {
		faults = append(faults, field.Required(s.path.Child("media", "address"),
			"the app has no bucket; name one here, or give the app one by "+s.appPath.Child("media").String()))
	}
	return faults
}

// validateHost refuses an app without a host that health checks can ask for.
func (s *service) validateHost() field.ErrorList {
	if len(s.app().Hosts) == 0 || s.args.HealthHost != "" {
		return nil
	}
	return field.ErrorList{field.Invalid(s.appPath.Child("hosts"), s.app().Hosts, "must have a host that "+
		s.path.Child("redirects").String()+" does not lead to another, and that is no wildcard")}
}

// validateRoutes refuses paths of backends that no app behind the service could have answered for, and those of an app's own
// process.
func (s *service) validateRoutes() field.ErrorList {
	var faults field.ErrorList
	hosts, taken := sets.New(s.hosts()...), sets.New[cdn.Route]()
	for _, args := range s.apps {
		for _, process := range args.Processes {
			for _, host := range slices.Concat(args.Hosts, process.Hosts) {
				taken.Insert(cdn.Route{Host: host, Path: strings.TrimSuffix(process.Path, "/")})
			}
		}
	}
	for i, backend := range s.args.Backends {
		for j, route := range backend.Routes()[len(backend.Hosts):] {
			path := s.path.Child("backends").Index(i).Child("paths").Index(j)
			if !hosts.Has(route.Host) {
				faults = append(faults, field.Invalid(path, backend.Paths[j],
					route.Host+" is no host of an app behind this service"))
			}
			if taken.Has(route) {
				faults = append(faults, field.Invalid(path, backend.Paths[j], "a process of the app answers for it"))
			}
		}
	}
	return faults
}

// validateRedirects refuses hosts that lead on, and that another service answers for or leads back to. Within one service the
// hosts of apps may lead on, and circles are found already.
func (c *Config) validateRedirects() field.ErrorList {
	var faults field.ErrorList
	services := c.services()
	for _, s := range services {
		for _, host := range slices.Sorted(maps.Keys(s.args.Redirects)) {
			at, target := s.path.Child("redirects").Key(host), s.args.Redirects[host]
			for _, other := range services {
				if other == s {
					continue
				}
				if slices.Contains(other.args.Domains, host) {
					faults = append(faults, field.Duplicate(at, host))
				}
				if _, leads := other.args.Redirects[target]; leads {
					faults = append(faults, field.Invalid(at, target, "leads on to another host; name the last one"))
				}
			}
		}
	}
	return faults
}

// serviceWarnings say what of a service is valid and yet unwise.
func (c *Config) serviceWarnings(s *service) (warnings []string) {
	if c.Domains.Adopts() && s.args.HSTS != "0s" {
		hsts := s.path.Child("hsts").String()
		warnings = append(warnings, hsts+": a zone is adopted, which may have a site to go back to, and browsers that saw "+
			"this one would keep to HTTPS there too; set "+hsts+" to 0s until the move is over (docs/moving-in.md)")
	}
	if len(s.args.BasicAuth) > 0 && c.CDN.Bypass != nil {
		warnings = append(warnings, s.path.Child("basicAuth").String()+": Fastly asks for the password, and as long as there is "+
			"a bypass everybody can come past it: the site is open to all")
	}
	return append(warnings, s.args.Warnings(s.path)...)
}
