package program

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"lke-platform/tests/rehearsal/fastly"
)

// standard is the program of a service that brings none.
//
//go:embed standard.vcl
var standard string

// subroutines are those that Fastly calls, without the beginning that they have in common.
var subroutines = []string{"recv", "hash", "hit", "miss", "pass", "fetch", "error", "deliver", "log"}

// generator writes the VCL that Fastly makes of a version's objects.
type generator struct {
	deployment *fastly.Deployment
	conditions map[string]string // statements, by name
}

// generate returns the whole program: what was uploaded, with what Fastly generates in the places that it says.
func generate(d *fastly.Deployment) string {
	g := &generator{deployment: d, conditions: map[string]string{}}
	for _, condition := range objects(d, "condition") {
		g.conditions[condition.text("name")] = condition.text("statement")
	}
	program := strings.Replace(standard, "3600s", strconv.Itoa(object(d.Settings).number("general.default_ttl"))+"s", 1)
	for _, o := range objects(d, "vcl") {
		if o.flag("main") {
			program = o.text("content")
		}
	}
	macros := map[string]string{
		"recv": g.receive(), "miss": finishRequest, "pass": finishRequest, "fetch": g.fetch(), "error": g.fail(),
		"deliver": g.deliver(),
	}
	for _, name := range subroutines {
		macro := g.snippets(name) + macros[name]
		place := regexp.MustCompile(`(?m)^[ \t]*#[ \t]*FASTLY[ \t]+` + name + `\b.*$`)
		program = place.ReplaceAllLiteralString(program, macro)
		if !regexp.MustCompile(`\bsub\s+vcl_` + name + `\b`).MatchString(program) {
			program += "\nsub vcl_" + name + " {\n" + macro + "}\n"
		}
	}
	return g.declarations() + program
}

// nowhere is where backends are as far as falco knows.
const nowhere = "nowhere"

// declarations are those of everything that VCL names. What backends are, falco need not know: requests are sent by others.
func (g *generator) declarations() string {
	var vcl strings.Builder
	declared := map[string]bool{}
	declare := func(name string) {
		if !declared[name] {
			fmt.Fprintf(&vcl, "backend %s { .host = %q; }\n", name, nowhere)
		}
		declared[name] = true
	}
	for _, backend := range objects(g.deployment, "backend") {
		declare(BackendName(backend.text("name")))
		if shield := backend.text("shield"); shield != "" {
			declare(ShieldName(shield))
		}
		if backend.flag("auto_loadbalance") {
			declare(directorOf(backend.text("request_condition")))
		}
	}
	for _, director := range objects(g.deployment, "director") {
		declare(identifier(director.text("name")))
	}
	for _, acl := range objects(g.deployment, "acl") {
		fmt.Fprintf(&vcl, "acl %s {\n", identifier(acl.text("name")))
		for _, item := range g.deployment.Items[acl.text("id")] {
			vcl.WriteString(aclEntry(item))
		}
		vcl.WriteString("}\n")
	}
	for _, dictionary := range objects(g.deployment, "dictionary") {
		fmt.Fprintf(&vcl, "table %s {\n", identifier(dictionary.text("name")))
		for _, item := range g.deployment.Items[dictionary.text("id")] {
			fmt.Fprintf(&vcl, "  %s: %s,\n", quoted(object(item).text("item_key")), quoted(object(item).text("item_value")))
		}
		vcl.WriteString("}\n")
	}
	return vcl.String() + g.snippets("init")
}

func aclEntry(entry object) string {
	line := `"` + entry.text("ip") + `"`
	if entry.flag("negated") {
		line = "!" + line
	}
	if subnet := entry.text("subnet"); subnet != "" {
		line += "/" + subnet
	}
	return "  " + line + ";\n"
}

func (g *generator) snippets(place string) string {
	var vcl strings.Builder
	for _, snippet := range objects(g.deployment, "snippet") {
		if snippet.text("type") == place {
			vcl.WriteString(snippet.text("content") + "\n")
		}
	}
	return vcl.String()
}

// when limits statements to what meets a condition; without a name, everything does.
func (g *generator) when(condition, statements string) string {
	if condition == "" || statements == "" {
		return statements
	}
	return fmt.Sprintf("if (%s) {\n%s}\n", g.conditions[condition], statements)
}

func (g *generator) receive() string {
	var vcl strings.Builder
	// What nothing is said of comes first, so that a condition has the last word.
	for _, conditional := range []bool{false, true} {
		for _, backend := range objects(g.deployment, "backend") {
			condition := backend.text("request_condition")
			if (condition != "") == conditional {
				vcl.WriteString(g.when(condition, chooseBackend(backend)))
			}
		}
	}
	for _, setting := range objects(g.deployment, "request_settings") {
		vcl.WriteString(g.when(setting.text("request_condition"), requestSetting(setting)))
	}
	vcl.WriteString(g.headers("request", "req", "request_condition"))
	for i, answer := range objects(g.deployment, "response_object") {
		if answer.text("cache_condition") == "" {
			vcl.WriteString(g.when(answer.text("request_condition"), fmt.Sprintf("error %d;\n", firstAnswer+i)))
		}
	}
	return vcl.String()
}

// firstAnswer is the status by which an error means one of the version's own answers.
const firstAnswer = 900

// chooseBackend leads to the shield first, and past it after a restart and at a shield.
func chooseBackend(backend object) string {
	name := BackendName(backend.text("name"))
	if backend.flag("auto_loadbalance") {
		name = directorOf(backend.text("request_condition"))
	}
	direct := "set req.backend = " + name + ";\n"
	if shield := backend.text("shield"); shield != "" {
		const first = "fastly.ff.visits_this_service == 0 && req.restarts == 0"
		return fmt.Sprintf("if (%s) {\nset req.backend = %s;\n} else {\n%s}\n", first, ShieldName(shield), direct)
	}
	return direct
}

// forwarding is what goes out as X-Forwarded-For, by the setting; Fastly notes it, and sends that when it fetches.
var forwarding = map[string]string{
	"clear": "unset req.http.X-Forwarded-For;\nunset req.http.Fastly-Temp-XFF;\n",
	"leave": "set req.http.Fastly-Temp-XFF = req.http.X-Forwarded-For;\n",
	"append": "if (fastly.ff.visits_this_service == 0 && req.http.X-Forwarded-For) {\n" +
		"set req.http.Fastly-Temp-XFF = req.http.X-Forwarded-For {\", \"} client.ip;\n}\n",
	"append_all": "set req.http.Fastly-Temp-XFF = req.http.X-Forwarded-For {\", \"} client.ip;\n",
	"overwrite":  "set req.http.Fastly-Temp-XFF = client.ip;\n",
}

// finishRequest is the end of what begins there.
const finishRequest = "if (req.http.Fastly-Temp-XFF) {\nset bereq.http.X-Forwarded-For = req.http.Fastly-Temp-XFF;\n}\n" +
	"unset bereq.http.Fastly-Temp-XFF;\n"

func requestSetting(setting object) string {
	vcl := forwarding[setting.text("xff")]
	if host := setting.text("default_host"); host != "" {
		vcl += "set req.http.Host = " + quoted(host) + ";\n"
	}
	if setting.flag("force_miss") {
		vcl += "set req.hash_always_miss = true;\n"
	}
	if setting.flag("bypass_busy_wait") {
		vcl += "set req.hash_ignore_busy = true;\n"
	}
	if age := setting.text("max_stale_age"); age != "" && age != "0" {
		vcl += "set req.max_stale_if_error = " + age + "s;\n"
	}
	if setting.flag("force_ssl") {
		vcl += "if (!req.http.Fastly-SSL) {\nerror 801;\n}\n"
	}
	if action := setting.text("action"); action != "" {
		vcl += "return(" + action + ");\n"
	}
	return vcl
}

func (g *generator) fetch() string {
	var vcl strings.Builder
	if settings := object(g.deployment.Settings); settings.flag("general.stale_if_error") {
		fmt.Fprintf(&vcl, "set beresp.stale_if_error = %ds;\n", settings.number("general.stale_if_error_ttl"))
	}
	vcl.WriteString(g.headers("cache", "beresp", "cache_condition") + g.headers("fetch", "beresp", "cache_condition"))
	for _, compressed := range objects(g.deployment, "gzip") {
		vcl.WriteString(g.when(compressed.text("cache_condition"), compress(compressed)))
	}
	for i, answer := range objects(g.deployment, "response_object") {
		if condition := answer.text("cache_condition"); condition != "" {
			vcl.WriteString(g.when(condition, fmt.Sprintf("error %d;\n", firstAnswer+i)))
		}
	}
	for _, setting := range objects(g.deployment, "cache_settings") {
		vcl.WriteString(g.when(setting.text("cache_condition"), cacheSetting(setting)))
	}
	return vcl.String()
}

// compress has what is kept compressed, and kept once for those who take it and once for those who do not.
func compress(o object) string {
	var types, extensions []string
	for _, name := range strings.Fields(o.text("content_types")) {
		types = append(types, regexp.QuoteMeta(name))
	}
	for _, name := range strings.Fields(o.text("extensions")) {
		extensions = append(extensions, regexp.QuoteMeta(name))
	}
	return fmt.Sprintf(`if ((beresp.status == 200 || beresp.status == 404) && (beresp.http.Content-Type ~ {"(?i)^(%s)\s*(;|$)"} ||
  req.url.ext ~ {"(?i)^(%s)$"})) {
  if (!beresp.http.Vary) {
    set beresp.http.Vary = "Accept-Encoding";
  } else if (beresp.http.Vary !~ "(?i)accept-encoding") {
    set beresp.http.Vary = beresp.http.Vary ", Accept-Encoding";
  }
  if (req.http.Accept-Encoding == "gzip") {
    set beresp.gzip = true;
  }
}
`, strings.Join(types, "|"), strings.Join(extensions, "|"))
}

func cacheSetting(setting object) string {
	var vcl string
	if ttl := setting.text("ttl"); ttl != "" {
		vcl += "set beresp.ttl = " + ttl + "s;\n"
	}
	if stale := setting.text("stale_ttl"); stale != "" {
		vcl += "set beresp.grace = " + stale + "s;\n"
	}
	switch action := setting.text("action"); action {
	case "pass", "deliver":
		vcl += "return(" + action + ");\n"
	case "restart":
		vcl += "restart;\n"
	}
	return vcl
}

func (g *generator) fail() string {
	var vcl strings.Builder
	vcl.WriteString("if (obj.status == 801) {\nset obj.status = 301;\nset obj.response = \"Moved Permanently\";\n" +
		"set obj.http.Location = \"https://\" req.http.Host req.url;\nsynthetic \"\";\nreturn(deliver);\n}\n")
	for i, answer := range objects(g.deployment, "response_object") {
		fmt.Fprintf(&vcl, "if (obj.status == %d) {\nset obj.status = %d;\nset obj.response = %s;\n", firstAnswer+i,
			answer.number("status"), quoted(answer.text("response")))
		if kind := answer.text("content_type"); kind != "" {
			fmt.Fprintf(&vcl, "set obj.http.Content-Type = %s;\n", quoted(kind))
		}
		fmt.Fprintf(&vcl, "synthetic %s;\nreturn(deliver);\n}\n", quoted(answer.text("content")))
	}
	return vcl.String()
}

// deliver tells visitors nothing that is for caches in between.
func (g *generator) deliver() string {
	return "if (fastly.ff.visits_this_service == 0 && !req.http.Fastly-Debug) {\n" +
		"unset resp.http.Surrogate-Key;\nunset resp.http.Surrogate-Control;\n}\n" +
		g.headers("response", "resp", "response_condition")
}

// headers are the version's own rules for headers.
func (g *generator) headers(kind, of, condition string) string {
	var vcl strings.Builder
	for _, header := range objects(g.deployment, "header") {
		if header.text("type") != kind {
			continue
		}
		name := of + "." + header.text("dst")
		statement := headerRule(header, name)
		if header.flag("ignore_if_set") {
			statement = fmt.Sprintf("if (!%s) {\n%s}\n", name, statement)
		}
		vcl.WriteString(g.when(header.text(condition), statement))
	}
	return vcl.String()
}

func headerRule(header object, name string) string {
	source := header.text("src")
	switch header.text("action") {
	case "delete":
		return "unset " + name + ";\n"
	case "append":
		return fmt.Sprintf("set %s = %s %s;\n", name, name, source)
	case "regex", "regex_repeat":
		function := map[string]string{"regex": "regsub", "regex_repeat": "regsuball"}[header.text("action")]
		return fmt.Sprintf("set %s = %s(%s, %s, %s);\n", name, function, source, quoted(header.text("regex")),
			quoted(header.text("substitution")))
	default:
		return fmt.Sprintf("set %s = %s;\n", name, source)
	}
}
