package program

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"lke-platform/tests/rehearsal/fastly"
)

// object is what the API answers for one thing. Numbers come in several types, as Fastly's older objects have them as text.
type object map[string]any

func (o object) text(name string) string {
	if o[name] == nil {
		return ""
	}
	return fmt.Sprint(o[name])
}

func (o object) number(name string) int {
	n, _ := strconv.ParseFloat(o.text(name), 64) // what is not there is 0
	return int(n)
}

func (o object) flag(name string) bool {
	value := o.text(name)
	return value == "1" || value == "true"
}

func (o object) milliseconds(name string) time.Duration {
	return time.Duration(o.number(name)) * time.Millisecond
}

func (o object) list(name string) (texts []string) {
	items, _ := o[name].([]any)
	for _, item := range items {
		texts = append(texts, fmt.Sprint(item))
	}
	return texts
}

// objects are those of a kind, the one with the lowest priority first, as Fastly takes them.
func objects(d *fastly.Deployment, kind string) []object {
	var found []object
	for _, o := range d.Objects[kind] {
		found = append(found, o)
	}
	slices.SortStableFunc(found, func(a, b object) int { return cmp.Compare(a.number("priority"), b.number("priority")) })
	return found
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_]`)

// identifier is a name as VCL can have it.
func identifier(name string) string { return notInNames.ReplaceAllString(name, "_") }

// BackendName is what VCL calls a backend.
func BackendName(name string) string { return "F_" + identifier(name) }

// ShieldName is what VCL calls the site that shields.
func ShieldName(shield string) string { return "ssl_shield_" + identifier(shield) }

// directorOf is what VCL calls the director of all backends that are balanced by themselves and have the same condition.
func directorOf(condition string) string { return "autodirector_" + identifier(condition) }

// quoted is a text as VCL has it. One that holds the end of such a text cannot be said in VCL.
func quoted(text string) string { return `{"` + text + `"}` }
