package vcl

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"lke-platform/tests/rehearsal/fastly"
)

// Service is what decides of a request: some of the objects of a service's version.
type Service struct {
	// Program is the main VCL.
	Program string
	// Backends are the statements of the backends' request conditions, by name; the one without gets what no other does.
	Backends map[string]string
	// Snippets are VCL, by subroutine.
	Snippets map[string]string
	// Logs are by name.
	Logs map[string]Log
}

// Log is a log and its condition.
type Log struct{ Statement, Format string }

// hostHeader carries the Host from site to site: the Go client sets its own.
const hostHeader = "Played-Host"

// program is what a site runs: what was uploaded, with what Fastly generates, in words that falco has.
func (s *Service) program(addresses map[string]string, isShield bool) string {
	var program strings.Builder
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		program.WriteString(declareBackend(name, addresses[name]))
	}
	program.WriteString(s.Snippets["init"])
	content := s.Program
	for subroutine, generated := range s.generated(isShield) {
		content = strings.Replace(content, "#FASTLY "+subroutine+"\n", "#FASTLY "+subroutine+"\n"+generated, 1)
	}
	program.WriteString(simulable(content, isShield))
	return program.String()
}

// generated is what Fastly generates for each subroutine, as far as it matters here.
func (s *Service) generated(isShield bool) map[string]string {
	generated := maps.Clone(s.Snippets)
	if generated == nil {
		generated = map[string]string{}
	}
	generated["recv"] += "unset req.http." + passed + ";\n" + s.chooseBackend(isShield) +
		"if (!req.http.Fastly-SSL) { error 801; }\n" +
		// A request setting may say what goes out; Fastly notes it in a header, and sends that when it fetches.
		"if (req.http.Fastly-Temp-XFF) { set req.http.X-Forwarded-For = req.http.Fastly-Temp-XFF; }\n" +
		"set req.http." + hostHeader + " = req.http.Host;\n"
	generated["error"] += "if (obj.status == 801) { set obj.status = 301; set obj.response = \"Moved Permanently\";\n" +
		"set obj.http.Location = \"https://\" req.http.Host req.url; synthetic \"\"; return(deliver); }\n"
	generated["fetch"] = readAges + generated["fetch"]
	if !isShield {
		generated["deliver"] += "unset resp.http.Surrogate-Key;\nunset resp.http.Surrogate-Control;\n"
	}
	for _, name := range slices.Sorted(maps.Keys(s.Logs)) {
		log := s.Logs[name]
		generated["log"] += fmt.Sprintf("if (%s) { log \"%s: \" %s; }\n", log.Statement, name, logExpression(log.Format))
	}
	return generated
}

// chooseBackend leads to the shield first, and past it after a restart.
func (s *Service) chooseBackend(isShield bool) string {
	backend := func(name string) string {
		direct := fmt.Sprintf("set req.backend = F_%s; unset req.http.%s;", name, viaShield)
		if isShield {
			return direct
		}
		return fmt.Sprintf("if (req.restarts == 0) { set req.backend = shield_%s; set req.http.%s = \"1\"; } else { %s }",
			name, viaShield, direct)
	}
	var chosen, choice string
	for _, name := range slices.Sorted(maps.Keys(s.Backends)) {
		if statement := s.Backends[name]; statement == "" {
			chosen = backend(name) + "\n"
		} else {
			choice += fmt.Sprintf("if (%s) { %s }\n", statement, backend(name))
		}
	}
	return chosen + choice
}

// readAges is what Fastly does with an answer before vcl_fetch. Whether it minds the case of a directive, it does not say: here
// it does, so that a program must not rely on it.
// Upstream: https://www.fastly.com/documentation/guides/concepts/edge-state/cache/cache-freshness/
const readAges = `
set beresp.stale_while_revalidate = 0s;
set beresp.stale_if_error = 0s;
if (beresp.http.Surrogate-Control ~ "max-age=([0-9]+)") {
  set beresp.ttl = std.atoi(re.group.1);
} else if (beresp.http.Cache-Control ~ "s-maxage=([0-9]+)") {
  set beresp.ttl = std.atoi(re.group.1);
} else if (beresp.http.Cache-Control ~ "max-age=([0-9]+)") {
  set beresp.ttl = std.atoi(re.group.1);
} else if (!beresp.http.Expires) {
  set beresp.ttl = 120s;
}
set beresp.ttl -= std.atoi(beresp.http.Age);
if (beresp.http.Surrogate-Control ~ "stale-while-revalidate=([0-9]+)") {
  set beresp.stale_while_revalidate = std.atoi(re.group.1);
} else if (beresp.http.Cache-Control ~ "stale-while-revalidate=([0-9]+)") {
  set beresp.stale_while_revalidate = std.atoi(re.group.1);
}
if (beresp.http.Surrogate-Control ~ "stale-if-error=([0-9]+)") {
  set beresp.stale_if_error = std.atoi(re.group.1);
} else if (beresp.http.Cache-Control ~ "stale-if-error=([0-9]+)") {
  set beresp.stale_if_error = std.atoi(re.group.1);
}
`

const (
	// passed marks a request that is not looked up: falco would keep the answer all the same.
	passed = "Played-Pass"
	// viaShield marks one that goes to the shield.
	viaShield = "Played-Shield"
)

// seconds are a length of time in VCL.
var seconds = regexp.MustCompile(`= ([0-9]+)s;`)

// simulable says in other words what this version of falco refuses and Fastly does not, and has it note what is decided.
func simulable(program string, isShield bool) string {
	visits := "0"
	if isShield {
		visits = "1"
	}
	var simulable strings.Builder
	for _, subroutine := range strings.SplitAfter(program, "\n}\n") {
		_, named, _ := strings.Cut(subroutine, "\nsub ")
		name, _, _ := strings.Cut(named, " ")
		replacement, ok := replacements[name]
		if !ok && fetching.MatchString(subroutine) {
			replacement, ok = replacements[""], true
		}
		if ok {
			subroutine = replacement.Replace(subroutine)
		}
		simulable.WriteString(subroutine)
	}
	words := strings.NewReplacer("fastly.ff.visits_this_service", `std.atoi("`+visits+`")`,
		"req.backend.is_shield", "req.http."+viaShield)
	return seconds.ReplaceAllString(words.Replace(simulable.String()), `= std.atoi("$1");`)
}

// fetching is what subroutines of vcl_fetch have in common.
var fetching = regexp.MustCompile(`\bberesp\.`)

// replacements are by subroutine; of others there are those that vcl_fetch calls.
var replacements = map[string]*strings.Replacer{
	"vcl_recv": strings.NewReplacer(
		"return(pass);", `log "note: passes"; set req.http.`+passed+` = "1"; return(pass);`,
		"return(upgrade);", `log "note: upgrades"; set req.http.`+passed+` = "1"; return(pass);`,
		"set req.enable_segmented_caching = true;", `set req.enable_segmented_caching = true; log "note: in parts";`,
		"return(lookup);", `log "note: looks up"; return(lookup);`),
	"vcl_error": strings.NewReplacer(
		"return(deliver_stale);", `log "note: hands out what is stale"; return(deliver);`,
		"synthetic.base64", `log "note: answers itself"; synthetic.base64`),
	"": strings.NewReplacer(
		"return(pass);", `log "note: keeps nothing"; set beresp.ttl = 0s; return(deliver);`,
		"return(deliver_stale);", `log "note: hands out what is stale"; set beresp.ttl = 0s; return(deliver);`,
		"restart;", `log "note: tries again"; restart;`,
		"return(deliver);", `if (req.http.`+passed+`) { set beresp.ttl = 0s; } else { `+
			`log "note: keeps " beresp.ttl " + " beresp.stale_while_revalidate " / " beresp.stale_if_error; } return(deliver);`),
}

// collect joins what came in several headers, as falco does by itself.
var collect = regexp.MustCompile(`(?m)^\s*std\.collect\(.*\);$`)

// expand names the headers, of those that are under way, that an asterisk stands for.
func expand(program string, underWay http.Header) string {
	return fastly.EveryHeader.ReplaceAllStringFunc(collect.ReplaceAllString(program, ""), func(statement string) string {
		parts := fastly.EveryHeader.FindStringSubmatch(statement)
		var unset strings.Builder
		for name := range underWay {
			if strings.HasPrefix(strings.ToLower(name), strings.ToLower(parts[2])) {
				fmt.Fprintf(&unset, "unset %s%s;\n", parts[1], name)
			}
		}
		return unset.String()
	})
}

// directive is a part of a log's format that is not text.
var directive = regexp.MustCompile(`%\{([^}]*)\}i|%\{(.*?)\}V|%>?[a-zA-Z]`)

// directives are the short ones in VCL.
var directives = map[string]string{
	"%h": "req.http.Fastly-Client-IP", "%t": `"[" now "]"`, "%U": "req.url.path", "%b": "resp.body_bytes_written",
	"%>s": "resp.status",
}

// expressions undoes a format's quoting, and names a backend as falco wants it.
var expressions = strings.NewReplacer(`\{`, "{", `\}`, "}", "req.backend", "req.backend.name")

// logExpression is the VCL that Fastly makes of a log's format.
func logExpression(format string) string {
	var expression strings.Builder
	text := func(part string) {
		if part != "" {
			expression.WriteString(` {"` + part + `"}`)
		}
	}
	at := 0
	for _, found := range directive.FindAllStringSubmatchIndex(format, -1) {
		text(format[at:found[0]])
		whole := format[found[0]:found[1]]
		switch {
		case found[2] >= 0:
			expression.WriteString(" req.http." + format[found[2]:found[3]])
		case found[4] >= 0:
			expression.WriteString(" " + expressions.Replace(format[found[4]:found[5]]))
		default:
			expression.WriteString(" " + directives[whole])
		}
		at = found[1]
	}
	text(format[at:])
	return expression.String()
}
