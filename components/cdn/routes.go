package cdn

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Forms of a backend's name and of its paths, which stand in VCL as they are.
var (
	backendName = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
	backendPath = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]$`)
)

// BackendHosts are the public names of the backends.
func (s *Site) BackendHosts() (hosts []string) {
	for _, backend := range s.Backends {
		hosts = append(hosts, backend.Hosts...)
	}
	return hosts
}

// Route is a path of a host, with all below it.
type Route struct{ Host, Path string }

// routeOf parts example.com/blog/ into the host and the path, without the slash at its end.
func routeOf(text string) Route {
	host, path, _ := strings.Cut(text, "/")
	return Route{host, "/" + strings.TrimSuffix(path, "/")}
}

// WholeHosts are routes that leave nothing of the hosts to others.
func WholeHosts(hosts []string) (routes []Route) {
	for _, host := range hosts {
		routes = append(routes, Route{host, "/"})
	}
	return routes
}

// Routes are what the backend answers for.
func (b *Backend) Routes() []Route {
	routes := WholeHosts(b.Hosts)
	for _, text := range b.Paths {
		routes = append(routes, routeOf(text))
	}
	return routes
}

// condition is the VCL condition that requests for the route meet. Neither part of it needs quoting.
func (r Route) condition() string {
	host := fmt.Sprintf(`req.http.Host == "%s"`, r.Host)
	if r.Path == "/" {
		return host
	}
	return fmt.Sprintf(`(%s && (req.url.path == "%s" || std.prefixof(req.url.path, "%s/")))`, host, r.Path, r.Path)
}

// meets says whether some requests are for both routes.
func (r Route) meets(other Route) bool {
	inside := func(a, b string) bool { return strings.HasPrefix(a+"/", b+"/") }
	return r.Host == other.Host && (inside(r.Path, other.Path) || inside(other.Path, r.Path))
}

// isFor is the VCL condition that requests for one of the routes meet.
func isFor(routes []Route) string {
	conditions := make([]string, len(routes))
	for i, route := range routes {
		conditions[i] = route.condition()
	}
	return strings.Join(conditions, " || ")
}

// public are the routes to what is the same for all visitors: media, and what is treated as they are.
func (a *Args) public() []Route {
	return a.routes(func(b *Backend) bool { return b.Public })
}

// elsewhere are the routes to all that the origin does not answer.
func (a *Args) elsewhere() []Route {
	return a.routes(func(*Backend) bool { return true })
}

// routes are those to the media and to some of the backends.
func (a *Args) routes(chosen func(*Backend) bool) []Route {
	routes := WholeHosts(a.MediaHosts())
	for i := range a.Backends {
		if chosen(&a.Backends[i]) {
			routes = append(routes, a.Backends[i].Routes()...)
		}
	}
	return routes
}

// timeouts are the usual ones where the backend has none of its own.
func (b *Backend) timeouts() Timeouts {
	usual := Defaults().Origin.Timeouts
	return Timeouts{
		Connect: cmp.Or(b.Timeouts.Connect, usual.Connect), FirstByte: cmp.Or(b.Timeouts.FirstByte, usual.FirstByte),
		BetweenBytes: cmp.Or(b.Timeouts.BetweenBytes, usual.BetweenBytes),
	}
}

// validateBackends refuses backends that cannot be told apart, and requests that two of them would answer.
func (a *Args) validateBackends(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names := sets.New(originName, mediaName)
	hosts := sets.New(a.MediaHosts()...).Insert(a.redirected()...)
	var routes []string
	for i := range a.Backends {
		backend, at := &a.Backends[i], path.Index(i)
		faults = append(faults, backend.validate(at)...)
		if names.Has(backend.Name) {
			faults = append(faults, field.Duplicate(at.Child("name"), backend.Name))
		}
		names.Insert(backend.Name)
		for j, host := range backend.Hosts {
			faults = append(faults, a.checkCovered(at.Child("hosts").Index(j), host)...)
			if hosts.Has(host) {
				faults = append(faults, field.Duplicate(at.Child("hosts").Index(j), host))
			}
			hosts.Insert(host)
		}
		for j, route := range backend.Paths {
			faults = append(faults, a.validateRoute(at.Child("paths").Index(j), route, routes)...)
			routes = append(routes, route)
		}
	}
	return faults
}

func (b *Backend) validate(path *field.Path) field.ErrorList {
	faults := checkForm(path.Child("name"), b.Name, backendName, "must be lower-case letters, digits and dashes")
	faults = append(faults, check.Domain(path.Child("address"), b.Address)...)
	if len(b.Hosts)+len(b.Paths) == 0 {
		faults = append(faults, field.Required(path.Child("hosts"), "must name what the backend answers for, here or in paths"))
	}
	if len(b.Hosts) > 0 {
		faults = append(faults, check.Domains(path.Child("hosts"), b.Hosts)...)
	}
	timeouts, times := path.Child("timeouts"), b.timeouts()
	faults = append(faults, checkTimeout(timeouts.Child("connect"), times.Connect)...)
	faults = append(faults, checkTimeout(timeouts.Child("firstByte"), times.FirstByte)...)
	return append(faults, checkTimeout(timeouts.Child("betweenBytes"), times.BetweenBytes)...)
}

// validateRoute refuses a path that is none, and one that another answers for, too.
func (a *Args) validateRoute(path *field.Path, text string, others []string) field.ErrorList {
	route := routeOf(text)
	if !backendPath.MatchString(route.Path) || strings.Contains(route.Path, "//") {
		return field.ErrorList{field.Invalid(path, text,
			"must be a host and a path, for instance example.com/blog; a whole host is one of hosts")}
	}
	faults := append(check.Domain(path, route.Host), a.checkCovered(path, route.Host)...)
	if _, redirected := a.Redirects[route.Host]; redirected {
		faults = append(faults, field.Invalid(path, text, "redirects leads the whole host to another"))
	}
	for _, other := range others {
		if route.meets(routeOf(other)) {
			faults = append(faults, field.Invalid(path, text, "has requests in common with "+other))
		}
	}
	return faults
}
