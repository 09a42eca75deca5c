package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Records of names that lead to the platform are called <group>-<name>-<type>-<number>: see components/dns. The origin's is for
// Fastly only.
const (
	groupType   = "lke-platform:dns:Hosts"
	originGroup = "origin"
)

var recordEnd = regexp.MustCompile(`-(A|AAAA)-\d+$`)

// Names are the public names that lead to the platform afterwards and did not before, and those that do not any more.
func (p *Plan) Names() (public, gone []string) {
	before, after := map[string]bool{}, map[string]bool{}
	for _, r := range p.Resources {
		name := hostOf(r)
		if name == "" {
			continue
		}
		if r.Before != nil && r.Change != Create {
			before[name] = true
		}
		if r.After != nil && r.Change != Delete {
			after[name] = true
		}
	}
	return missing(after, before), missing(before, after)
}

// hostOf is the public name that a record is of; "" for any other resource.
func hostOf(r *Resource) string {
	kind, group := split(r.parent())
	name, _ := strings.CutPrefix(r.Name, group+"-")
	end := recordEnd.FindStringIndex(name)
	if kind != groupType || group == originGroup || end == nil {
		return ""
	}
	return name[:end[0]]
}

// missing are the keys of one map that another lacks.
func missing(keys, in map[string]bool) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for key := range maps.Keys(keys) {
			if !in[key] && !yield(key) {
				return
			}
		}
	})
}
