package cdn

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// longest is how long anything here may take or last.
const longest = 10 * 365 * 24 * time.Hour

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	return append(a.ValidateSite(path), a.ValidateShared(path)...)
}

// ValidateShared returns the faults of what all services of a stack have in common.
func (a *Args) ValidateShared(path *field.Path) field.ErrorList {
	return append(a.TLS.Validate(path.Child("tls")), a.validateAccount(path)...)
}

// ValidateSite returns the faults of what is the service's own. It reads ErrorPage and the files of Snippets. Where Domains are
// known, it refuses hosts that no domain covers.
func (a *Args) ValidateSite(path *field.Path) field.ErrorList {
	faults := a.Origin.validate(path.Child("origin"))
	faults = append(faults, a.validateHosts(path)...)
	faults = append(faults, a.validateBackends(path.Child("backends"))...)
	if a.Media != nil && a.Media.Address != "" {
		faults = append(faults, check.Domain(path.Child("media", "address"), a.Media.Address)...)
	}
	if a.Media != nil && a.Media.TTL != "" {
		faults = append(faults, checkSeconds(path.Child("media", "ttl"), a.Media.TTL)...)
	}
	faults = append(faults, validateSessions(path.Child("sessionCookies"), a.SessionCookies)...)
	cache := path.Child("cache")
	faults = append(faults, checkSeconds(cache.Child("ttl"), a.Cache.TTL)...)
	faults = append(faults, checkSeconds(cache.Child("staleWhileRevalidate"), a.Cache.StaleWhileRevalidate)...)
	faults = append(faults, checkSeconds(cache.Child("staleIfError"), a.Cache.StaleIfError)...)
	faults = append(faults, checkSeconds(path.Child("hsts"), a.HSTS)...)
	if _, err := a.errorPage(); err != nil {
		faults = append(faults, field.Invalid(path.Child("errorPage"), a.ErrorPage, err.Error()))
	}
	faults = append(faults, a.validateMaintenance(path.Child("maintenance"))...)
	faults = append(faults, a.validatePageRedirects(path.Child("pageRedirects"))...)
	faults = append(faults, a.validateHeaders(path.Child("headers"))...)
	faults = append(faults, a.Logs.validate(path.Child("logs"))...)
	faults = append(faults, a.validateBasicAuth(path.Child("basicAuth"))...)
	return append(faults, a.validateSnippets(path.Child("snippets"))...)
}

func (o *Origin) validate(path *field.Path) field.ErrorList {
	faults := check.Required(path.Child("shield"), o.Shield)
	faults = append(faults, checkForm(path.Child("healthPath"), o.HealthPath, urlPath, "must be a path, for instance /health")...)
	faults = append(faults, checkProbes(path.Child("healthInterval"), o.HealthInterval)...)
	faults = append(faults, check.Between(path.Child("maxConn"), o.MaxConn, 1, 10_000)...)
	timeouts := path.Child("timeouts")
	faults = append(faults, checkTimeout(timeouts.Child("connect"), o.Timeouts.Connect)...)
	faults = append(faults, checkTimeout(timeouts.Child("firstByte"), o.Timeouts.FirstByte)...)
	return append(faults, checkTimeout(timeouts.Child("betweenBytes"), o.Timeouts.BetweenBytes)...)
}

// validateHosts refuses one host for two things, redirects in circles, and hosts that Fastly would never be asked for.
func (a *Args) validateHosts(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if a.Media != nil {
		faults = append(faults, check.Domains(path.Child("media", "hosts"), a.Media.Hosts)...)
	}
	if len(a.CrossOrigin) > 0 {
		faults = append(faults, check.Domains(path.Child("crossOrigin"), a.CrossOrigin)...)
	}
	for _, host := range a.redirected() {
		at := path.Child("redirects").Key(host)
		faults = append(faults, check.Domain(at, host)...)
		faults = append(faults, check.Domain(at, a.Redirects[host])...)
		if _, circle := a.Redirects[a.Redirects[host]]; circle {
			faults = append(faults, field.Invalid(at, a.Redirects[host], "leads on to another host; name the last one"))
		}
		if slices.Contains(a.MediaHosts(), host) {
			faults = append(faults, field.Duplicate(at, host))
		}
		faults = append(faults, a.checkCovered(at, host)...)
	}
	for i, host := range a.MediaHosts() {
		faults = append(faults, a.checkCovered(path.Child("media", "hosts").Index(i), host)...)
	}
	for i, host := range a.CrossOrigin {
		faults = append(faults, a.checkCovered(path.Child("crossOrigin").Index(i), host)...)
	}
	return faults
}

// checkCovered refuses a host that none of Domains is or stands for.
func (a *Args) checkCovered(path *field.Path, host string) field.ErrorList {
	_, parent, _ := strings.Cut(host, ".")
	if len(a.Domains) == 0 || slices.Contains(a.Domains, host) || slices.Contains(a.Domains, "*."+parent) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, host,
		"is none of the names that Fastly answers for: "+strings.Join(a.Domains, ", "))}
}

// checkInputs refuses what the caller has not given.
func (a *Args) checkInputs() field.ErrorList {
	path := field.NewPath("domains")
	names := make([]string, len(a.Domains))
	for i, domain := range a.Domains {
		names[i] = strings.TrimPrefix(domain, "*.")
	}
	var faults field.ErrorList
	if len(names) == 0 {
		faults = append(faults, field.Required(path, "must name at least one domain"))
	}
	seen := sets.New[string]()
	for i, domain := range a.Domains {
		faults = append(faults, check.Domain(path.Index(i), names[i])...)
		faults = append(faults, check.Unique(seen, path.Index(i), domain)...)
	}
	faults = append(faults, check.Domain(field.NewPath("originHost"), a.OriginHost)...)
	if a.Media != nil && a.Media.Address == "" && a.MediaHost == nil {
		faults = append(faults, field.Required(field.NewPath("mediaHost"), "must be the host of the media bucket"))
	}
	if a.SecretValues == nil && len(a.Logs.S3)+len(a.Logs.HTTPS)+len(a.BasicAuth) > 0 {
		faults = append(faults, field.Required(field.NewPath("secretValues"), "must hold the secrets of the logs and passwords"))
	}
	return faults
}

func validateSessions(path *field.Path, names []string) field.ErrorList {
	var faults field.ErrorList
	for i, name := range names {
		faults = append(faults, checkForm(path.Index(i), name, cookieName, "must be a cookie's name, for instance _*_session")...)
		if slices.Contains(names[:i], name) {
			faults = append(faults, field.Duplicate(path.Index(i), name))
		}
	}
	return faults
}

func (l *Logs) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names := sets.New[string]()
	unique := func(at *field.Path, name string) {
		faults = append(faults, check.Unique(names, at, name)...)
	}
	for i, log := range l.S3 {
		at := path.Child("s3").Index(i)
		faults = append(faults, log.validate(at)...)
		for _, prefix := range slices.Sorted(maps.Keys(log.Buckets)) {
			unique(at.Child("buckets").Key(prefix), s3LogName(prefix, log.Buckets[prefix]))
		}
	}
	for i, log := range l.HTTPS {
		at := path.Child("https").Index(i)
		faults = append(faults, log.validate(at)...)
		unique(at.Child("name"), log.Name)
	}
	return faults
}

// Forms that can stand in VCL and in URLs as they are.
var (
	logPath    = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	urlPath    = regexp.MustCompile(`^/[!#-~]*$`)
	cookieName = regexp.MustCompile(`^[A-Za-z0-9!#$&'*+.^_|~-]+$`)
	objectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]*$`)
)

const objectNameForm = "must be letters, digits, spaces and dashes"

func (l *S3Logs) validate(path *field.Path) field.ErrorList {
	faults := check.SecretName(path.Child("accessKey"), l.AccessKey)
	faults = append(faults, check.SecretName(path.Child("secretKey"), l.SecretKey)...)
	if len(l.Buckets) == 0 {
		faults = append(faults, field.Required(path.Child("buckets"), "must name a bucket by the paths that are logged to it"))
	}
	for _, prefix := range slices.Sorted(maps.Keys(l.Buckets)) {
		at := path.Child("buckets").Key(prefix)
		faults = append(faults, checkForm(at, prefix, logPath, "must be the beginning of a path, for instance /uploads/")...)
		faults = append(faults, checkForm(at, l.Buckets[prefix], bucketName, "must be the name of a bucket")...)
	}
	if l.Endpoint != "" {
		faults = append(faults, check.Domain(path.Child("endpoint"), l.Endpoint)...)
	}
	if l.Period != "" {
		faults = append(faults, checkDuration(path.Child("period"), l.Period, time.Minute, 24*time.Hour)...)
	}
	return faults
}

func (l *HTTPSLogs) validate(path *field.Path) field.ErrorList {
	faults := checkForm(path.Child("name"), l.Name, objectName, objectNameForm)
	faults = append(faults, check.SecretName(path.Child("token"), l.Token)...)
	if l.Header != "" {
		faults = append(faults, checkForm(path.Child("header"), l.Header, headerName, "must be the name of a header")...)
	}
	endpoint, err := url.Parse(l.URL)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil {
		faults = append(faults, field.Invalid(path.Child("url"), l.URL, "must be an address that begins with https://"))
	}
	return faults
}

func checkForm(path *field.Path, value string, form *regexp.Regexp, reason string) field.ErrorList {
	if form.MatchString(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, reason)}
}

func checkTimeout(path *field.Path, value string) field.ErrorList {
	return checkDuration(path, value, 100*time.Millisecond, 10*time.Minute)
}

// checkSeconds refuses what is not a number of whole seconds.
func checkSeconds(path *field.Path, value string) field.ErrorList {
	faults := checkDuration(path, value, 0, longest)
	if len(faults) == 0 && duration(value)%time.Second != 0 {
		faults = append(faults, field.Invalid(path, value, "must be whole seconds"))
	}
	return faults
}

func checkDuration(path *field.Path, value string, least, most time.Duration) field.ErrorList {
	length, err := time.ParseDuration(value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, value, "must be a duration, for instance 30s or 12h")}
	}
	if length < least || length > most {
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf("must be between %s and %s", least, most))}
	}
	return nil
}

// duration reads what Validate has found to be one.
func duration(value string) time.Duration {
	length, _ := time.ParseDuration(value)
	return length
}
