package cdn

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// mainVCL is the service's program, around what Fastly generates from its objects.
//
//go:embed vcl/main.vcl
var mainVCL string

var mainTemplate = template.Must(template.New("main.vcl").Parse(mainVCL))

// Endings of files, which VCL compares with req.url.ext.
const (
	// assets are what pages are made of, and mostly the same for all.
	assets = `(?i)^(css|js|mjs|map|ico|svg|png|jpe?g|gif|webp|avif|woff2?|ttf|otf|eot)$`
	// images are what the optimizer takes.
	images = `(?i)^(gif|png|jpe?g|webp)$`
	// small are files of a bucket that are compressed, or optimised, and hardly ever larger than 20 MB.
	small = `(?i)^(css|js|mjs|map|html?|json|svg|xml|txt|ttf|otf|gif|png|jpe?g|webp|avif|ico|woff2?)$`
	// downloads may be larger, also where an application serves them.
	downloads = `(?i)^(mp3|m4[abv]|mp4|mov|mkv|avi|webm|og[agv]|opus|flac|wav|aac|zip|gz|tgz|bz2|xz|zst|7z|rar|tar|iso|img|` +
		`dmg|pkg|exe|msi|deb|rpm|apk|ipa|aab|jar|war|bin|pdf|epub|mobi|pptx?|docx?|xlsx?|odt|csv|psd|tiff?|parquet|sqlite|pt|` +
		`onnx|gguf|wasm)$`
)

// imageParameters are those that the optimizer reads.
// Upstream: https://www.fastly.com/documentation/reference/io/
const imageParameters = `^(auto|bg-color|blur|brightness|bw|canvas|contrast|crop|disable|dpr|enable|fit|format|frame|height|` +
	`level|metadata|optimize|orient|pad|precrop|profile|quality|resize-filter|saturation|sharpen|trim|trim-color|viewbox|width)$`

// mustRevalidate are the directives of Cache-Control that forbid to hand out what has run out.
// Upstream: https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4
const mustRevalidate = `(?i)(must-revalidate|proxy-revalidate|no-cache|no-store)`

// credentials are the headers that bring a key or a token.
var credentials = []string{
	"Authorization", "Proxy-Authorization", "X-Authorization", "Api-Key", "ApiKey", "X-Api-Key", "X-ApiKey", "X-Api-Token",
	"X-Token", "X-Auth-Token", "X-Auth-Key", "X-Access-Token", "X-User-Token", "X-Session-Token", "X-Session-ID", "Private-Token",
	"X-Goog-Api-Key", "X-Amz-Security-Token", "X-CSRF-Token", "X-XSRF-Token",
}

// redirect leads visitors of one host to another.
type redirect struct{ From, To string }

// program returns the service's VCL.
func (a *Args) program() (string, error) {
	page, err := a.errorPage()
	if err != nil {
		return "", err
	}
	maintenancePage, err := a.maintenancePage()
	if err != nil {
		return "", err
	}
	values := struct {
		*Args
		// Conditions; empty where nothing can meet them. Public is what is treated as media are.
		IsPublic, IsElsewhere, IsCrossOrigin, IsUncached, Credentials string
		Redirects                                                     []redirect
		Hearsay, Forwarded, Overrides                                 []string // headers
		// Expressions.
		Sessions, Assets, Images, Small, Downloads, ImageParameters, MustRevalidate, Compressed string
		TTL, MediaTTL, StaleWhileRevalidate, StaleIfError, HSTS                                 int // in seconds
		HealthPath, Origin, ErrorPage                                                           string
		// Of maintenance; empty where there is none.
		MaintenancePage string
		Excepted        []string // networks

		Leads       []lead
		Answers     []answer
		HeaderRules []headerRule
	}{
		Args:     a,
		IsPublic: isFor(a.public()), IsElsewhere: isFor(a.elsewhere()),
		IsCrossOrigin: isFor(slices.Concat(a.public(), WholeHosts(a.CrossOrigin))),
		IsUncached:    isFor(WholeHosts(a.Uncached)), Credentials: "req.http." + strings.Join(credentials, " || req.http."),
		// The identifier of a request is written anew; what only looks like it goes.
		Hearsay:   slices.Concat(spellings(hearsay...), spellings("X-Request-Id")[1:]),
		Forwarded: spellings("X-Forwarded*"), Overrides: spellings("X-HTTP-Method*", "X-Method*"),
		Sessions: sessionsPattern(a.SessionCookies), Assets: assets, Images: images, Small: small, Downloads: downloads,
		ImageParameters: imageParameters, MustRevalidate: mustRevalidate, Compressed: typesPattern(compressedTypes),
		TTL: seconds(a.Cache.TTL), MediaTTL: seconds(a.mediaTTL()), StaleWhileRevalidate: seconds(a.Cache.StaleWhileRevalidate),
		StaleIfError: seconds(a.Cache.StaleIfError), HSTS: seconds(a.HSTS),
		HealthPath: a.Origin.HealthPath, Origin: originName, ErrorPage: base64.StdEncoding.EncodeToString([]byte(page)),
		MaintenancePage: base64.StdEncoding.EncodeToString([]byte(maintenancePage)), Excepted: a.excepted(),
		Leads: a.leads(), Answers: a.answers(), HeaderRules: a.headerRules(),
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

// sessionsPattern is the expression that a Cookie header with a cookie of one of the names matches.
func sessionsPattern(names []string) string {
	if len(names) == 0 {
		return "^$"
	}
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, `[^=;,\s]*`)
	}
	return `(?:^|[;,\s])(?:` + strings.Join(patterns, "|") + `)\s*=`
}

// typesPattern is the expression that a Content-Type header of one of the types matches.
func typesPattern(types []string) string {
	quoted := make([]string, len(types))
	for i, name := range types {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return `(?i)^(` + strings.Join(quoted, "|") + `)\s*(;|$)`
}

func seconds(value string) int { return int(duration(value).Seconds()) }
