package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Difference is that of a property before and after. Before or After is nil where the property is not there; both are nil where
// only a secret in it differs, or what they are is not told.
type Difference struct {
	Path          string
	Before, After any
}

// What the engine writes in place of values.
const (
	// secret stands for one, also in the middle of text.
	secret = "[secret]"
	// unknown is one that is known when the operation has run.
	unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
	// signature is the key of what is no plain value, such as a file.
	signature = "4dabf18193072939515e22adb298388d"
)

// Text of values that are not plain.
const (
	laterKnown = "(known afterwards)"
	Hidden     = "(secret)"
	fileOrSo   = "(a file)"
)

// differences are those between the inputs, as the program has them: what a provider adds to them nobody has asked for. What only
// the provider sees, such as another secret behind the same mask, or what somebody changed by hand, comes from its own list.
func (r *Resource) differences() []Difference {
	if r.Change == None || r.Change == Create || r.Change == Delete || r.Before == nil || r.After == nil {
		return nil
	}
	c := &comparison{}
	c.compare("", r.Before.Inputs, r.After.Inputs)
	for _, path := range r.touched {
		c.addTouched(r, path)
	}
	return c.found
}

// addTouched notes a difference that a provider names, unless it is known. A provider names positions in lists, and where the
// entries have names this program does not.
func (c *comparison) addTouched(r *Resource, path string) {
	own := r.ownPath(path)
	if c.has(own) || internal(own) {
		return
	}
	_, is, exists := follow(r.After.Inputs, own)
	_, before, _ := follow(r.Before.Inputs, own)
	if own != path && reflect.DeepEqual(before, is) && !masked(is) {
		return // it has only moved
	}
	_, was, existed := follow(r.Before.Outputs, own)
	switch {
	case !existed || !exists || masked(was) || masked(is) || !isScalar(was) || !isScalar(is):
		c.found = append(c.found, Difference{Path: own})
	case !reflect.DeepEqual(was, is): // somebody else has changed it
		c.add(own, was, is)
	default: // only the provider knows what of it differs
		c.found = append(c.found, Difference{Path: own})
	}
}

// ownPath is a path with names in place of positions, as far as they are known.
func (r *Resource) ownPath(path string) string {
	for _, state := range []*State{r.After, r.Before} {
		if state == nil {
			continue
		}
		if own, _, exists := follow(state.Inputs, path); exists {
			return own
		}
	}
	return path
}

// masked says whether there is a secret in a value, at any depth.
func masked(value any) bool { return strings.Contains(fmt.Sprint(value), secret) }

// Drift are the differences between what the state knew and what a refresh found.
func (r *Resource) Drift() []Difference {
	if r.drift.before == nil || r.drift.after == nil {
		return nil
	}
	c := &comparison{}
	for _, path := range r.drift.touched {
		own, after, exists := follow(r.drift.after.Outputs, path)
		if !exists {
			own = path
		}
		_, before, _ := follow(r.drift.before.Outputs, own)
		c.compare(own, before, after)
		if !c.has(own) && !internal(own) {
			c.found = append(c.found, Difference{Path: own})
		}
	}
	if len(r.drift.touched) == 0 {
		c.compare("", r.drift.before.Outputs, r.drift.after.Outputs)
	}
	return c.found
}

type comparison struct{ found []Difference }

// has says whether a difference at a path, in it or around it is known.
func (c *comparison) has(path string) bool {
	return slices.ContainsFunc(c.found, func(d Difference) bool {
		return path == d.Path || inside(path, d.Path) || inside(d.Path, path)
	})
}

func inside(path, of string) bool {
	rest, found := strings.CutPrefix(path, of)
	return found && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// internal says whether a property is a provider's own business.
func internal(path string) bool {
	const ofKubectl = "kubectl.kubernetes.io/last-applied"
	return strings.HasPrefix(path, "__") || strings.Contains(path, ".__") || strings.Contains(path, ofKubectl)
}

func (c *comparison) compare(path string, before, after any) {
	if internal(path) || reflect.DeepEqual(before, after) {
		return
	}
	beforeMap, wasMap := before.(map[string]any)
	afterMap, isMap := after.(map[string]any)
	beforeList, wasList := before.([]any)
	afterList, isList := after.([]any)
	switch {
	case wasMap && isMap && beforeMap[signature] == nil && afterMap[signature] == nil:
		for _, key := range mergeSorted(slices.Collect(maps.Keys(beforeMap)), slices.Collect(maps.Keys(afterMap))) {
			c.compare(child(path, key), beforeMap[key], afterMap[key])
		}
	case wasList && isList:
		c.compareLists(path, beforeList, afterList)
	default:
		c.add(path, before, after)
	}
}

// add notes a difference. What stands under the key of a secret is one, also where nobody marked it.
func (c *comparison) add(path string, before, after any) {
	d := Difference{path, readable(before), readable(after)}
	if namesSecret.MatchString(path) {
		d.Before, d.After = hide(before), hide(after)
	}
	c.found = append(c.found, d)
}

func hide(value any) any {
	if text, isText := value.(string); isText && text != "" {
		return Hidden
	}
	return readable(value)
}

// compareLists matches entries by their names where all have one, so that one more at the beginning does not look as if all were
// others. In lists of plain values it tells which came and which went.
func (c *comparison) compareLists(path string, before, after []any) {
	beforeByName, named := byName(before)
	afterByName, alsoNamed := byName(after)
	if named && alsoNamed {
		for _, name := range mergeSorted(slices.Collect(maps.Keys(beforeByName)), slices.Collect(maps.Keys(afterByName))) {
			c.compare(fmt.Sprintf("%s[%s]", path, name), beforeByName[name], afterByName[name])
		}
		return
	}
	if all(before, isScalar) && all(after, isScalar) {
		c.compareScalars(path, before, after)
		return
	}
	for i := range max(len(before), len(after)) {
		c.compare(fmt.Sprintf("%s[%d]", path, i), at(before, i), at(after, i))
	}
}

func (c *comparison) compareScalars(path string, before, after []any) {
	count := len(c.found)
	for _, value := range before {
		if !slices.Contains(after, value) {
			c.add(path+"[]", value, nil)
		}
	}
	for _, value := range after {
		if !slices.Contains(before, value) {
			c.add(path+"[]", nil, value)
		}
	}
	if count == len(c.found) { // only the order, or how often
		c.add(path, before, after)
	}
}

// identities are the keys by which entries of lists are told apart, in Kubernetes and at Fastly.
var identities = []string{"name", "host", "secretName"}

// byName are the entries of a list by what tells them apart, if something does.
func byName(list []any) (entries map[string]any, named bool) {
	for _, key := range identities {
		entries = map[string]any{}
		for _, entry := range list {
			if name := nameOf(entry, key); name != "" {
				entries[name] = entry
			}
		}
		if len(entries) == len(list) && len(list) > 0 {
			return entries, true
		}
	}
	return nil, false
}

func nameOf(entry any, key string) string {
	fields, _ := entry.(map[string]any)
	name, _ := fields[key].(string)
	return name
}

func isScalar(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func all(list []any, is func(any) bool) bool {
	return !slices.ContainsFunc(list, func(entry any) bool { return !is(entry) })
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// child is the path of a key, in the form of the engine's own.
func child(path, key string) string {
	switch {
	case strings.ContainsAny(key, `.[]"`):
		return path + "[" + fmt.Sprintf("%q", key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

var pathSegment = regexp.MustCompile(`\["((?:[^"\\]|\\.)*)"\]|\[([^\]]*)\]|([^.\[\]]+)`)

// follow goes along a path, and returns it with names in place of positions where the entries of a list have names.
func follow(value any, path string) (own string, found any, exists bool) {
	for _, segment := range pathSegment.FindAllStringSubmatch(path, -1) {
		switch inside := value.(type) {
		case map[string]any:
			key := segment[1] + segment[2] + segment[3]
			own = child(own, key)
			if value, exists = inside[key]; !exists {
				return own, nil, false
			}
		case []any:
			name, entry, exists := entryOf(inside, segment[2])
			if !exists {
				return own, nil, false
			}
			own, value = own+"["+name+"]", entry
		default:
			return own, nil, false
		}
	}
	return own, value, true
}

// entryOf is an entry of a list, by its position or by its name, and what it is called.
func entryOf(list []any, called string) (name string, entry any, exists bool) {
	entries, named := byName(list)
	position, err := strconv.Atoi(called)
	switch {
	case err != nil:
		entry, exists = entries[called]
		return called, entry, exists
	case position < 0 || position >= len(list):
		return "", nil, false
	case named:
		for name, entry := range entries {
			if reflect.DeepEqual(entry, list[position]) {
				return name, entry, true
			}
		}
	case all(list, isScalar):
		return "", list[position], true
	}
	return called, list[position], true
}

// readable is a value as it is shown. Whole sections are JSON, of one line.
func readable(value any) any {
	switch value := value.(type) {
	case nil, bool, float64:
		return value
	case string:
		return Plain(strings.ReplaceAll(strings.ReplaceAll(value, unknown, laterKnown), secret, Hidden))
	case map[string]any:
		if value[signature] != nil {
			return fileOrSo
		}
	}
	text, err := json.Marshal(value)
	if err != nil { // what came from JSON goes back to it
		return fmt.Sprint(value)
	}
	return readable(string(text))
}
