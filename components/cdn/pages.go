package cdn

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// PageRedirect leads visitors of a page, or of all pages whose path begins alike, elsewhere. The query stays.
type PageRedirect struct {
	// From is a host and a path, which an asterisk at the end opens: example.com/blog/*.
	From string `json:"from"`
	// To is an address with https, or a path of the same host. An asterisk at its end is what stood in the place of that of From.
	To string `json:"to"`
	// Status is 301, 302, 307 or 308. Default 301.
	Status int `json:"status"`
}

// Default fills in what holds where nothing else is said.
func (r *PageRedirect) Default() { r.Status = http.StatusMovedPermanently }

// Headers are what visitors get, or do not get, with the answers for some pages.
type Headers struct {
	// For is a host and a path, which an asterisk at the end opens. Default: everything.
	For string `json:"for"`
	// Set are headers by their names, in the place of the server's.
	Set map[string]string `json:"set"`
	// Remove are the names of headers that visitors do not get.
	Remove []string `json:"remove"`
}

var (
	pagePattern = regexp.MustCompile(`^[a-z0-9.-]+/[A-Za-z0-9._~/-]*\*?$`)
	pageTarget  = regexp.MustCompile(`^(https://[a-z0-9.-]+)?/[A-Za-z0-9._~/-]*\*?$`)
	headerValue = regexp.MustCompile(`^[ -~]{1,1000}$`)
)

// ownHeaders are those that other keys, Fastly or the connection see to.
var ownHeaders = sets.New("strict-transport-security", "set-cookie", "location", "content-length", "content-encoding",
	"transfer-encoding", "connection", "surrogate-control", "surrogate-key", "age", "vary")

// pages are those of a pattern.
type pages struct {
	host, path string
	open       bool // path begins theirs
}

func pagesOf(pattern string) pages {
	host, path, _ := strings.Cut(pattern, "/")
	begin, open := strings.CutSuffix(path, "*")
	return pages{host, "/" + begin, open}
}

// condition is the VCL condition that requests for the pages meet.
func (p pages) condition() string {
	if p.open {
		return fmt.Sprintf(`req.http.Host == "%s" && std.prefixof(req.url.path, "%s")`, p.host, p.path)
	}
	return fmt.Sprintf(`req.http.Host == "%s" && req.url.path == "%s"`, p.host, p.path)
}

// meets says whether a page is among both.
func (p pages) meets(other pages) bool {
	return p.host == other.host && (p.path == other.path || p.open && strings.HasPrefix(other.path, p.path) ||
		other.open && strings.HasPrefix(p.path, other.path))
}

// lead is a redirect as VCL has it: the location is what stands before the rest of the request's URL.
type lead struct {
	Condition, Location, Gone string
	Error                     int
}

// leadError is the error by which VCL says that a redirect applies; those of other statuses follow on it.
const leadError = 630

var leadStatuses = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

func (r *PageRedirect) lead() lead {
	from := pagesOf(r.From)
	to, carries := strings.CutSuffix(r.To, "*")
	l := lead{
		Condition: from.condition(), Location: fmt.Sprintf("%q", to), Gone: "^" + regexp.QuoteMeta(from.path),
		Error: leadError + slices.Index(leadStatuses, r.Status),
	}
	if strings.HasPrefix(to, "/") {
		l.Location = fmt.Sprintf(`"https://" req.http.Host "%s"`, to)
	}
	if from.open && !carries {
		l.Gone = "^[^?]*" // the rest of the path, too
	}
	return l
}

// answer is an error that becomes a redirect.
type answer struct {
	Error, Status int
	Text          string
}

// answers are those of redirects, for the errors that are in use.
func (a *Args) answers() (answers []answer) {
	for i, status := range leadStatuses {
		if slices.ContainsFunc(a.PageRedirects, func(r PageRedirect) bool { return r.Status == status }) {
			answers = append(answers, answer{leadError + i, status, http.StatusText(status)})
		}
	}
	return answers
}

func (a *Args) leads() (leads []lead) {
	for _, redirect := range a.PageRedirects {
		leads = append(leads, redirect.lead())
	}
	return leads
}

// headerRule are headers of the answers that meet a condition.
type headerRule struct {
	Headers

	Condition string // empty where all do
}

func (a *Args) headerRules() (rules []headerRule) {
	for _, headers := range a.Headers {
		rule := headerRule{Headers: headers}
		if headers.For != "" {
			rule.Condition = pagesOf(headers.For).condition()
		}
		rules = append(rules, rule)
	}
	return rules
}

// validatePageRedirects refuses what is no page, and what leads in circles.
func (a *Args) validatePageRedirects(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	seen := sets.New[string]()
	for i, redirect := range a.PageRedirects {
		at := path.Index(i)
		faults = append(faults, a.validatePages(at.Child("from"), redirect.From)...)
		faults = append(faults, check.Unique(seen, at.Child("from"), redirect.From)...)
		if !slices.Contains(leadStatuses, redirect.Status) {
			faults = append(faults, field.Invalid(at.Child("status"), redirect.Status, "must be 301, 302, 307 or 308"))
		}
		target := at.Child("to")
		switch to := strings.TrimSuffix(redirect.To, "*"); {
		case !pageTarget.MatchString(redirect.To):
			faults = append(faults, field.Invalid(target, redirect.To, "must be https://host/path or /path, with an asterisk at "+
				"its end for what stood in the place of that of from"))
		case to != redirect.To && !strings.HasSuffix(redirect.From, "*"):
			faults = append(faults, field.Invalid(target, redirect.To, "has an asterisk, and from has none"))
		case a.isLed(redirect.From, redirect.To):
			faults = append(faults, field.Invalid(target, redirect.To, "leads to what is led on itself; name the last one"))
		}
	}
	return faults
}

// isLed says whether some of what a redirect leads to is led on.
func (a *Args) isLed(from, to string) bool {
	absolute, isAbsolute := strings.CutPrefix(to, "https://")
	if !isAbsolute {
		absolute = pagesOf(from).host + to
	}
	target := pagesOf(absolute)
	_, whole := a.Redirects[target.host]
	return whole || slices.ContainsFunc(a.PageRedirects, func(r PageRedirect) bool { return pagesOf(r.From).meets(target) })
}

func (a *Args) validateHeaders(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, headers := range a.Headers {
		at := path.Index(i)
		if headers.For != "" {
			faults = append(faults, a.validatePages(at.Child("for"), headers.For)...)
		}
		if len(headers.Set)+len(headers.Remove) == 0 {
			faults = append(faults, field.Required(at.Child("set"), "must name headers, here or in remove"))
		}
		for _, name := range slices.Sorted(maps.Keys(headers.Set)) {
			faults = append(faults, validateHeader(at.Child("set").Key(name), name)...)
			if value := headers.Set[name]; !headerValue.MatchString(value) || strings.Contains(value, `"}`) {
				faults = append(faults, field.Invalid(at.Child("set").Key(name), value,
					`must be 1,000 printable characters of ASCII at most, and have no "} in it`))
			}
		}
		for j, name := range headers.Remove {
			faults = append(faults, validateHeader(at.Child("remove").Index(j), name)...)
		}
	}
	return faults
}

func validateHeader(path *field.Path, name string) field.ErrorList {
	faults := checkForm(path, name, headerName, "must be letters, digits and dashes")
	if ownHeaders.Has(strings.ToLower(name)) || strings.HasPrefix(strings.ToLower(name), "fastly") {
		faults = append(faults, field.Forbidden(path, name+" is set by other keys, by the application or by Fastly"))
	}
	return faults
}

func (a *Args) validatePages(path *field.Path, pattern string) field.ErrorList {
	faults := checkForm(path, pattern, pagePattern, "must be a host and a path, for instance example.com/blog/*")
	if len(faults) > 0 {
		return faults
	}
	host := pagesOf(pattern).host
	return append(check.Domain(path, host), a.checkCovered(path, host)...)
}
