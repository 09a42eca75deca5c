package cdn

import "strings"

// hearsay are the request headers in which proxies, CDNs and web servers tell an application who asks, for what and how; an
// asterisk stands for the rest of the name. From a visitor they are claims: an application that believes one answers with a wrong
// link or redirection, and everybody else may get that answer from the cache.
// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/caching/preventing-cache-poisoning/
var hearsay = []string{
	"Forwarded*", "X-Original*", "X-Rewrite*", "X-Host", "X-HTTP-Host*", "X-Real-IP*", "X-Client-IP*", "X-Cluster-Client-IP",
	"X-Proxy*", "X-Scheme", "X-URL-Scheme", "X-SSL*", "X-Remote*", "X-Webauth*", "X-Auth-Request*", "X-Envoy*", "X-Azure*",
	"X-Appengine*", "X-ARR*", "X-NF-*", "Front-End*", "True-Client*", "Client-IP", "Remote-*", "SSL-*", "WL-Proxy*", "Proxy",
	"Proxy-Client*", "Via", "CF-*", "CloudFront*", "Fly-*",
	// These Fastly reads itself: what goes out as X-Forwarded-For, and what is an image to be optimised, which costs.
	"Fastly-Temp*", "X-Fastly-Imageopto*",
}

// spellings returns the names, and those that an application cannot tell from them: to many a server a dash and an underscore
// are the same.
func spellings(names ...string) []string {
	var all []string
	for _, name := range names {
		first, rest, dashed := strings.Cut(name, "-")
		if !dashed {
			all = append(all, name)
			continue
		}
		for _, end := range spellings(rest) {
			all = append(all, first+"-"+end, first+"_"+end)
		}
	}
	return all
}
