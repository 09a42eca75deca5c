package fastly

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/lexer"
	"github.com/ysugimoto/falco/parser"
)

// validate says what keeps a version from being activated, in words for the user; nothing when it is valid.
func (s *state) validate(svc *service, v *version) []string {
	faults := []string{}
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if svc.Type == "wasm" {
		add("Version has no package")
	}
	for _, domain := range v.Objects["domain"] {
		if owner := s.ownerOf(domain.text("name"), svc); owner != nil {
			add("Domain '%s' is already taken by service '%s' (%s)", domain.text("name"), owner.ID, owner.Name)
		}
	}
	for _, backend := range v.Objects["backend"] {
		if shield := backend.text("shield"); shield != "" && !isShield(shield) {
			add("Backend '%s' refers to unknown shield '%s'", backend.text("name"), shield)
		}
	}
	for _, director := range v.Objects["director"] {
		members, _ := director["backends"].([]any)
		for _, member := range members {
			if kindAt("backend").named(v, plain(member)) == nil {
				add("Director '%s' refers to unknown backend '%s'", director.text("name"), plain(member))
			}
		}
	}
	faults = append(faults, v.syntaxErrors()...)
	return append(faults, v.danglingReferences()...)
}

// warning is what Fastly says of a version that it takes all the same.
func (svc *service) warning(v *version) string {
	if svc.Type == "wasm" || len(v.Objects["backend"]) > 0 || v.declaresOrigin() {
		return ""
	}
	return "Warning: No default director found"
}

// declaresOrigin says whether the version's VCL brings an origin of its own.
func (v *version) declaresOrigin() bool {
	for _, o := range slices.Concat(v.Objects["vcl"], v.Objects["snippet"]) {
		parsed, err := parser.New(lexer.NewFromString(o.text("content"))).ParseVCL()
		if err != nil {
			continue // a snippet of a subroutine declares nothing
		}
		for _, statement := range parsed.Statements {
			switch statement.(type) {
			case *ast.BackendDeclaration, *ast.DirectorDeclaration:
				return true
			}
		}
	}
	return false
}

// EveryHeader is how Fastly unsets all headers with a beginning, which falco has not learned yet: the object that has the
// headers, and the beginning.
var EveryHeader = regexp.MustCompile(`unset\s+([a-z]+\.http\.)([A-Za-z0-9_-]+)\*\s*;`)

// syntaxErrors are those of the VCL that the version brings along. Whether its names mean something, only Fastly can tell.
func (v *version) syntaxErrors() []string {
	var faults []string
	check := func(noun string, o object, content string, isProgram bool) {
		p := parser.New(lexer.NewFromString(EveryHeader.ReplaceAllString(content, "unset $1$2;")))
		var err error
		if isProgram {
			_, err = p.ParseVCL()
		} else {
			_, err = p.ParseSnippetVCL()
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s '%s': %s (says falco, which reads VCL here)", noun, o.text("name"), err))
		}
	}
	for _, o := range v.Objects["vcl"] {
		check("VCL", o, o.text("content"), true)
	}
	for _, o := range v.Objects["snippet"] {
		check("Snippet", o, o.text("content"), o.text("type") == "init")
	}
	for _, o := range v.Objects["condition"] {
		check("Condition", o, "if ("+o.text("statement")+") {}", false)
	}
	for _, o := range v.Objects["header"] {
		if source := o.text("src"); o.text("action") == "set" && source != "" {
			check("Header", o, "set req.http.Header = "+source+";", false)
		}
	}
	return faults
}

// ownerOf returns the other service whose active version has a domain, nil when none has.
func (s *state) ownerOf(domain string, svc *service) *service {
	at := slices.IndexFunc(s.Services, func(other *service) bool {
		active := other.active()
		return other != svc && active != nil && kindAt("domain").named(active, domain) != nil
	})
	if at < 0 {
		return nil
	}
	return s.Services[at]
}

// A reference is a field, of any kind, that holds the name of another object of the version.
type reference struct {
	field         string
	to            string // the kind's path
	conditionType string // for conditions, the type that fits the field
}

var references = []reference{
	{field: "healthcheck", to: "healthcheck"},
	{field: "request_condition", to: "condition", conditionType: "REQUEST"},
	{field: "cache_condition", to: "condition", conditionType: "CACHE"},
	{field: "response_condition", to: "condition", conditionType: "RESPONSE"},
	{field: "response_object_name", to: "response_object"},
	{field: "uri_dictionary_name", to: "dictionary"},
}

func (v *version) danglingReferences() []string {
	var faults []string
	for _, k := range kinds {
		for _, o := range v.Objects[k.path] {
			for _, reference := range references {
				name := o.text(reference.field)
				if name == "" {
					continue
				}
				target := kindAt(reference.to).named(v, name)
				switch {
				case target == nil:
					faults = append(faults, fmt.Sprintf("%s '%s' refers to unknown %s '%s'",
						k.noun, o.text("name"), reference.to, name))
				case reference.conditionType != "" && target.text("type") != reference.conditionType:
					faults = append(faults, fmt.Sprintf("%s '%s' has '%s' as its %s, which must be of type %s, not %s",
						k.noun, o.text("name"), name, reference.field, reference.conditionType, target.text("type")))
				}
			}
		}
	}
	return faults
}
