package chartdata

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// unlisted are values that a chart's templates or its documentation ask for, and its values.yaml does not have.
var unlisted = map[string][]string{
	"keel":    {"ingress.ingressClassName"},
	"traefik": {"service.spec.externalTrafficPolicy", "service.spec.trafficDistribution"}, // service.spec is handed through
}

// chart is what a chart says of its values.
type chart struct {
	name    string
	version string
	known   *known
	values  map[string]any     // the defaults
	schema  *jsonschema.Schema // nil where the chart has none
}

// loadChart reads the chart in a folder of an archive.
func loadChart(files fs.FS, dir string) (*chart, error) {
	text, err := fs.ReadFile(files, path.Join(dir, "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	var description struct {
		Name, Version string
		Dependencies  []struct{ Name, Alias string }
	}
	if err := yaml.Unmarshal(text, &description); err != nil {
		return nil, err
	}
	c := &chart{name: description.Name, version: description.Version}
	if err := c.loadValues(files, dir); err != nil {
		return nil, err
	}
	for _, dependency := range description.Dependencies {
		sub, err := loadChart(files, path.Join(dir, "charts", dependency.Name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // then no value of it is known
		}
		if err != nil {
			return nil, err
		}
		name := max(dependency.Alias, dependency.Name)
		own, _ := c.values[name].(map[string]any)
		c.values[name] = coalesce(sub.values, own)
		c.known.keys[name] = sub.known.merge(c.known.keys[name])
	}
	schema, err := readOptional(files, path.Join(dir, "values.schema.json"))
	if err == nil && schema != nil {
		c.schema, err = compile(schema, jsonschema.Draft7)
	}
	return c, err
}

func (c *chart) loadValues(files fs.FS, dir string) error {
	text, err := readOptional(files, path.Join(dir, "values.yaml"))
	if err != nil {
		return err
	}
	document := yaml.Node{Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	c.known = learn(document.Content[0], strings.Split(string(text), "\n"))
	c.values = map[string]any{}
	return document.Content[0].Decode(&c.values)
}

// check returns what is wrong with values that are set for the chart.
func (c *chart) check(values map[string]any, pods podFields) []string {
	own := maps.Clone(values)
	delete(own, "global") // Helm's own
	faults := slices.DeleteFunc(c.known.check("", own, pods), func(fault string) bool {
		place, _, _ := strings.Cut(fault, ":")
		return slices.Contains(unlisted[c.name], place)
	})
	if c.schema != nil {
		faults = append(faults, violations(c.schema, coalesce(c.values, values))...)
	}
	return faults
}

// coalesce lays values over a chart's own as Helm does.
func coalesce(base, over map[string]any) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, base)
	for key, value := range over {
		below, isMap := merged[key].(map[string]any)
		above, goesDeeper := value.(map[string]any)
		switch {
		case value == nil:
			delete(merged, key)
		case isMap && goesDeeper:
			merged[key] = coalesce(below, above)
		default:
			merged[key] = value
		}
	}
	return merged
}

// known is what a chart knows at some place of its values.
type known struct {
	kind      yaml.Kind
	tag       string // of a scalar
	keys      map[string]*known
	commented map[string]bool // keys that stand there as a comment: values without a default
}

// learn reads a node of values.yaml, whose lines are given.
func learn(node *yaml.Node, lines []string) *known {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	k := &known{kind: node.Kind, tag: node.ShortTag(), keys: map[string]*known{}, commented: map[string]bool{}}
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		return k
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k.keys[node.Content[i].Value] = learn(node.Content[i+1], lines)
	}
	indent := node.Content[0].Column - 1
	for _, line := range extent(node, lines) {
		match := commentedKey.FindStringSubmatch(line)
		if match != nil && (len(match[1]) == indent || len(match[1])+len(match[2]) == indent) {
			k.commented[match[3]] = true
		}
	}
	return k
}

var commentedKey = regexp.MustCompile(`^( *)(# {0,3})([A-Za-z][\w.-]*):`)

// extent returns the lines of a mapping, with the comments above its first key and below its last.
func extent(mapping *yaml.Node, lines []string) []string {
	isComment := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }
	first := mapping.Content[0].Line - 1
	last := first + 1
	for first > 0 && isComment(lines[first-1]) {
		first--
	}
	for last < len(lines) {
		text := strings.TrimLeft(lines[last], " ")
		if text != "" && !isComment(text) && len(lines[last])-len(text) < mapping.Content[0].Column-1 {
			break
		}
		last++
	}
	return lines[first:last]
}

// merge returns what either knows. over may be nil.
func (k *known) merge(over *known) *known {
	if over == nil || over.kind != yaml.MappingNode {
		return k
	}
	merged := &known{kind: k.kind, tag: k.tag, keys: maps.Clone(k.keys), commented: maps.Clone(k.commented)}
	for key, value := range over.keys {
		if below := merged.keys[key]; below != nil {
			value = below.merge(value)
		}
		merged.keys[key] = value
	}
	maps.Copy(merged.commented, over.commented)
	return merged
}

// empty says that the chart holds nothing there, so that it may be anything.
func (k *known) empty() bool {
	return k.tag == "!!null" || k.kind == yaml.MappingNode && len(k.keys)+len(k.commented) == 0
}

// check returns what is wrong with a map of values at some path.
func (k *known) check(path string, values map[string]any, pods podFields) []string {
	var faults []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		place := strings.TrimPrefix(path+"."+key, ".")
		if below, ok := k.keys[key]; ok {
			faults = append(faults, below.checkValue(place, key, values[key], pods)...)
		} else if k.commented[key] {
			faults = append(faults, pods.check(place, key, values[key])...)
		} else {
			faults = append(faults, fmt.Sprintf("%s: the chart has no such value; it knows %s", place,
				strings.Join(slices.Sorted(maps.Keys(k.keys)), ", ")))
		}
	}
	return faults
}

func (k *known) checkValue(place, key string, value any, pods podFields) []string {
	kind := kindOf(value)
	_, isBool := value.(bool)
	switch {
	case value == nil, ownKeys.MatchString(key): // null takes the chart's own value away
		return nil
	case k.kind != kind && !k.empty():
		return []string{fmt.Sprintf("%s: is a %s in the chart", place, kinds[k.kind])}
	case kind == yaml.ScalarNode && k.tag == "!!bool" && !isBool:
		return []string{fmt.Sprintf("%s: is true or false in the chart; any text would count as true", place)}
	}
	faults := pods.check(place, key, value)
	// Where the chart has keys of its own, as in one map of resources for each of several containers, they count.
	if kind == yaml.MappingNode && !k.empty() && (len(faults) > 0 || !pods.has(key)) {
		return k.check(place, value.(map[string]any), pods)
	}
	return faults
}

// ownKeys are maps whose keys are the user's, even where the chart has some in them.
var ownKeys = regexp.MustCompile(`(?i)(annotations|labels|nodeSelector)$`)

var kinds = map[yaml.Kind]string{yaml.MappingNode: "map", yaml.SequenceNode: "list", yaml.ScalarNode: "single value"}

func kindOf(value any) yaml.Kind {
	switch value.(type) {
	case map[string]any:
		return yaml.MappingNode
	case []any:
		return yaml.SequenceNode
	default:
		return yaml.ScalarNode
	}
}
