package cdn

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// mainVCL is the service's program, around what Fastly generates from its objects.
//
//go:embed vcl/main.vcl
var mainVCL string

var mainTemplate = template.Must(template.New("main.vcl").Parse(mainVCL))

// redirect leads visitors of one host to another.
type redirect struct{ From, To string }

// program returns the service's VCL.
func (a *Args) program() (string, error) {
	values := struct {
		IsMedia, IsCrossOrigin                        string // conditions; empty where nothing can meet them
		Redirects                                     []redirect
		TTL, StaleWhileRevalidate, StaleIfError, HSTS int // in seconds
		ImageOptimizer, OpenPurge                     bool
	}{
		IsMedia: isHost(a.MediaHosts()), IsCrossOrigin: isHost(slices.Concat(a.MediaHosts(), a.CrossOrigin)),
		TTL: seconds(a.Cache.TTL), StaleWhileRevalidate: seconds(a.Cache.StaleWhileRevalidate),
		StaleIfError: seconds(a.Cache.StaleIfError), HSTS: seconds(a.HSTS),
		ImageOptimizer: a.ImageOptimizer, OpenPurge: a.OpenPurge,
	}
	for _, host := range a.redirected() {
		values.Redirects = append(values.Redirects, redirect{host, a.Redirects[host]})
	}
	var program strings.Builder
	if err := mainTemplate.Execute(&program, values); err != nil {
		return "", fmt.Errorf("writing VCL: %w", err)
	}
	return program.String(), nil
}

// isHost is the VCL condition that a request for one of the hosts meets. Hosts are domain names, which need no quoting.
func isHost(hosts []string) string {
	conditions := make([]string, len(hosts))
	for i, host := range hosts {
		conditions[i] = fmt.Sprintf(`req.http.Host == "%s"`, host)
	}
	return strings.Join(conditions, " || ")
}

func seconds(value string) int { return int(duration(value).Seconds()) }
