package tests

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/components/cdn"
	"lke-platform/components/charts"
	"lke-platform/components/delivery"
	"lke-platform/components/monitoring"
)

var (
	fencedYAML = regexp.MustCompile("(?s)```yaml\n(config:\n.*?)```")
	secretSet  = regexp.MustCompile(`pulumi config set --stack prod --secret (secret-[a-z-]+)`)
)

// Whoever moves a site in begins with the stack file of that page, and the secrets that it says to set.
func TestTheStackFileForMovingInIsValid(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-in.md")
	require.NoError(t, err)
	examples := fencedYAML.FindStringSubmatch(string(page))
	require.Len(t, examples, 2)
	g, err := deploy(t, copyStack(t, "prod", func(string) string {
		text := strings.Replace(examples[1], "sha256:…", strings.TrimPrefix(digest, "@"), 1)
		for _, secret := range secretSet.FindAllStringSubmatch(string(page), -1) {
			if line := "  lke-platform:" + secret[1] + ":\n    secure: v1:ciphertext\n"; !strings.Contains(text, line) {
				text += line
			}
		}
		return text
	}), "prod")
	require.NoError(t, err)
	require.Contains(t, g.resources, deploymentType+" app")
}

// Nobody goes on with a move before commands have answered as they must, and each step that visitors could notice has a way back
// that works without the cluster.
func TestEveryStepOfAMoveHasItsGate(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-in.md")
	require.NoError(t, err)
	steps := regexp.MustCompile(`(?m)^## \d\. `).Split(string(page), -1)[1:]
	require.Len(t, steps, 8)
	for i, step := range steps {
		require.Regexp(t, "(?s)\\*\\*Gate[^\n]*\\*\\*:?.*`", step, "step %d", i+1)
	}
	_, back, found := strings.Cut(steps[6], "Lead the names back")
	require.True(t, found)
	require.Contains(t, back, "linode-cli domains records-update")
	before, _, found := strings.Cut(back, "Run no `make up`")
	require.True(t, found)
	require.NotContains(t, before, "make up")
}

// Whoever looks for a chart, or for how its values are changed, finds it on one page.
func TestThePageOfTheChartsNamesAll(t *testing.T) {
	t.Parallel()
	page := textOf(t, "../docs/components/charts.md")
	table, _, found := strings.Cut(page, "## At hand")
	require.True(t, found)
	for _, chart := range charts.All() {
		require.Contains(t, table, path.Base(chart.Name))
	}
	require.Contains(t, page, "| `caches[].values` | redis-ha |")
	// What asks the real cloud needs them all.
	callers := regexp.MustCompile("`make preview`[^.]* call it").FindString(page)
	for _, target := range regexp.MustCompile(`(?m)^(\w+): pulumi-cli charts `).FindAllStringSubmatch(textOf(t, "../Makefile"), -1) {
		require.Regexp(t, "`(make )?"+target[1]+"`", callers)
	}
}

// Each incident of the platform before has a test that keeps it from happening again.
func TestEveryIncidentHasItsTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/incidents.md")
	require.NoError(t, err)
	answers, _, _ := strings.Cut(string(page), "\n## ")
	incidents := regexp.MustCompile(`(?m)^\| I\d+ \|.*$`).FindAllString(answers, -1)
	require.Len(t, incidents, 12)
	there := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, function := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			there[function[1]] = true
		}
		return err
	}))
	for _, incident := range incidents {
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(incident, -1)
		require.NotEmpty(t, named, incident)
		for _, test := range named {
			require.True(t, there[test[1]], test[1])
		}
	}
}

// Whoever has to change a secret finds it on one page: those of the program, of the workflows, and those that a stack file need not
// name.
func TestThePageOfSecretsNamesAll(t *testing.T) {
	t.Parallel()
	page := textOf(t, "../docs/secrets.md")
	for _, workflow := range workflows(t) {
		for _, used := range regexp.MustCompile(`secrets\.(\w+)`).FindAllStringSubmatch(
			textOf(t, "../.github/workflows/"+workflow.Name+".yml"), -1) {
			require.Contains(t, page, "`"+used[1]+"`", workflow.Name)
		}
	}
	grafana, keel, edge := monitoring.Defaults(), delivery.Defaults(), cdn.Defaults()
	keel.Mode = delivery.ModeKeel
	for _, name := range slices.Concat(grafana.SecretNames(), keel.SecretNames(), edge.SecretNames()) {
		require.Contains(t, page, "(`"+name+"`)")
	}
	made := 0
	for key, node := range deployed(t, "prod").resources {
		typ, name, _ := strings.Cut(key, " ")
		kind := typ[strings.LastIndex(typ, ":")+1:]
		switch typ {
		case "linode:index/token:Token", "linode:index/objectStorageKey:ObjectStorageKey":
			require.Contains(t, page, fmt.Sprintf("`--replace '**%s::%s'`", kind, name))
			made++
		case secretType:
			if called := node.inputs["metadata"].ObjectValue()["name"]; called.IsString() { // or the engine names it
				require.Contains(t, page, "`"+strings.Replace(called.StringValue(), "changelog-", "<cluster>-", 1)+"`")
				made++
			}
		}
	}
	require.Equal(t, 8, made)
}

// Each decision is in the index, by its number, and says why, what follows and what was rejected.
func TestEveryDecisionIsWhole(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../docs/decisions/0*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	index := textOf(t, "../docs/decisions/README.md")
	for i, file := range files {
		number, page := i+1, textOf(t, file)
		require.Regexp(t, fmt.Sprintf(`/%04d-[a-z0-9-]+\.md$`, number), file)
		title, _, _ := strings.Cut(page, "\n")
		name, numbered := strings.CutPrefix(title, fmt.Sprintf("# %d. ", number))
		require.True(t, numbered, title)
		require.Contains(t, index, fmt.Sprintf("| %d | [%s](%s) |", number, name, filepath.Base(file)))
		require.Regexp(t, `(?s)\nStatus: \w.*\n## Context\n.*\n## Decision\n.*\n## Consequences\n.*\n## Rejected alternatives\n`, page)
	}
}

// page is a page of Markdown, taken apart into what is read and what is typed.
type page struct {
	whole, prose string   // the text, and what is left of it without code
	spans        []string // code in a line
	commands     []string // lines of code
}

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```+$")
	codeSpan  = regexp.MustCompile("`[^`]+`")
	indented  = regexp.MustCompile(`(?m)^ {4}.*$`)
)

// repository lists the files and folders of the repository, but for those that are made and not kept.
func repository(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case name == ".." || name == ".github" || !strings.HasPrefix(name, "."):
		case entry.IsDir():
			return filepath.SkipDir
		case !entry.Type().IsRegular(): // one of those folders that lies elsewhere
			return nil
		}
		found[strings.TrimPrefix(filepath.ToSlash(file), "../")] = true
		return nil
	}))
	return found
}

// pages are all those of the repository, by their paths.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	found := map[string]*page{}
	for file := range repository(t) {
		if path.Ext(file) == ".md" {
			found[file] = read(textOf(t, "../"+file))
		}
	}
	return found
}

func read(text string) *page {
	p := &page{whole: text}
	text = codeBlock.ReplaceAllStringFunc(text, func(block string) string {
		p.commands = append(p.commands, strings.Split(block, "\n")...)
		return ""
	})
	p.commands = append(p.commands, indented.FindAllString(text, -1)...)
	p.prose = codeSpan.ReplaceAllStringFunc(text, func(span string) string {
		p.spans = append(p.spans, strings.Trim(span, "`"))
		return "code"
	})
	return p
}

var (
	linked     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	referred   = regexp.MustCompile(`\[(\^?[^\[\]]+)\]\[\]|\[[^\[\]]+\]\[([^\[\]]+)\]|\[(\^\w+)\]`)
	definition = regexp.MustCompile(`(?m)^\[([^\[\]]+)\]: (\S+)`)
)

// links are the targets of all links. What is referred to and defined nowhere leads to nothing.
func (p *page) links() (targets []string) {
	defined := map[string]bool{}
	for _, match := range definition.FindAllStringSubmatch(p.prose, -1) {
		defined[match[1]] = true
		if !strings.HasPrefix(match[1], "^") { // of footnotes it is the text
			targets = append(targets, match[2])
		}
	}
	for _, match := range linked.FindAllStringSubmatch(p.prose, -1) {
		targets = append(targets, match[1])
	}
	for _, match := range referred.FindAllStringSubmatch(p.prose, -1) {
		if name := match[1] + match[2] + match[3]; !defined[name] {
			targets = append(targets, name)
		}
	}
	return targets
}

var (
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	ownAnchor = regexp.MustCompile(`<a id="([^"]+)">`)
	linkText  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	noAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are those that GitHub gives a page's headings, and its own.
func (p *page) anchors() map[string]bool {
	found := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(p.whole, ""), -1) {
		text := strings.ToLower(linkText.ReplaceAllString(match[1], "$1"))
		slug := strings.ReplaceAll(noAnchors.ReplaceAllString(text, ""), " ", "-")
		name := slug
		for n := 1; found[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		found[name] = true
	}
	for _, match := range ownAnchor.FindAllStringSubmatch(p.prose, -1) {
		found[match[1]] = true
	}
	return found
}

// Nobody who follows a link of the documentation ends at nothing.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	files, all := repository(t), pages(t)
	for file, page := range all {
		for _, target := range page.links() {
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to, anchor, hasAnchor := strings.Cut(target, "#")
			to = path.Join(path.Dir(file), to)
			if strings.HasPrefix(target, "#") {
				to = file
			}
			if !files[to] {
				t.Errorf("%s: %s leads nowhere", file, target)
			} else if hasAnchor && (all[to] == nil || !all[to].anchors()[anchor]) {
				t.Errorf("%s: %s: there is no such part of %s", file, target, to)
			}
		}
	}
}

var (
	makeCall = regexp.MustCompile(`(?:^|[;&(] *)((?:[A-Z_]+=\S+ +)*)make\s+([a-z-]+)((?:\s+[A-Z_]+=\S+)*)`)
	given    = regexp.MustCompile(`([A-Z_]+)=`)
	rule     = regexp.MustCompile(`(?m)^([a-z-]+): (.*\n(?:\t.*\n)*)`)
	variable = regexp.MustCompile(`(?m)^([A-Z_]+) (?:[?:]?=) (.*(?:\\\n.*)*)`)
)

// makefile is what stands behind each target and each variable of the Makefile.
func makefile(t *testing.T) (targets, variables map[string]string) {
	t.Helper()
	text := textOf(t, "../Makefile")
	targets, variables = map[string]string{}, map[string]string{}
	for _, match := range rule.FindAllStringSubmatch(text, -1) {
		targets[match[1]] = match[2]
	}
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		variables[match[1]] = match[2]
	}
	return targets, variables
}

// Whoever types a command of the documentation finds its target, and each variable is one that the target looks at.
func TestEveryCommandOfMakeIsThere(t *testing.T) {
	t.Parallel()
	targets, variables := makefile(t)
	looksAt := func(target string) map[string]bool {
		seen := map[string]bool{}
		var visit func(text string)
		visit = func(text string) {
			for _, match := range regexp.MustCompile(`\$\$?\(?([A-Z_]+)\b`).FindAllStringSubmatch(text, -1) {
				if !seen[match[1]] {
					seen[match[1]] = true
					visit(variables[match[1]])
				}
			}
			needs, _, _ := strings.Cut(text, "\n")
			needs, _, _ = strings.Cut(needs, "##")
			for _, need := range strings.Fields(needs) {
				if text, is := targets[need]; is && !seen[need] {
					seen[need] = true
					visit(text)
				}
			}
		}
		visit(targets[target])
		return seen
	}
	found := 0
	for file, page := range pages(t) {
		for _, code := range slices.Concat(page.spans, page.commands) {
			for _, call := range makeCall.FindAllStringSubmatch(strings.TrimLeft(code, " "), -1) {
				found++
				if targets[call[2]] == "" {
					t.Errorf("%s: %q: the Makefile has no target %s", file, code, call[2])
					continue
				}
				for _, variable := range given.FindAllStringSubmatch(call[1]+call[3], -1) {
					if !looksAt(call[2])[variable[1]] {
						t.Errorf("%s: %q: make %s does not look at %s", file, code, call[2], variable[1])
					}
				}
			}
		}
	}
	require.Greater(t, found, 50)
}

// placeholder is what a reader puts a name of his own in the place of.
var placeholder = regexp.MustCompile(`<[^<>/]+>|…|\*+`)

// A path that begins in a folder of the repository, the name of a source file or of a stack file: each is there.
func TestEveryPathThatIsNamedIsThere(t *testing.T) {
	t.Parallel()
	files := repository(t)
	one := regexp.MustCompile(`^[\w<>.*…-]+$|^[\w<>.*…-]+(/[\w<>.*…-]*)+$`)
	ours := regexp.MustCompile(`^([\w-]+\.go|Pulumi\..+\.yaml)$`)
	exists := func(pattern string, name func(string) string) bool {
		pattern = placeholder.ReplaceAllString(pattern, "*")
		for file := range files {
			if matched, err := path.Match(pattern, name(file)); err == nil && matched {
				return true
			}
		}
		return false
	}
	whole := func(file string) string { return file }
	for file, page := range pages(t) {
		for _, span := range page.spans {
			if !one.MatchString(span) {
				continue
			}
			first, _, isPath := strings.Cut(span, "/")
			there := true
			switch {
			case isPath && first != "" && files[first]:
				there = exists(strings.TrimSuffix(span, "/"), whole)
			case !isPath && ours.MatchString(span):
				there = exists(span, path.Base)
			}
			if !there {
				t.Errorf("%s: %s is not in the repository", file, span)
			}
		}
	}
}

// What the program says when something is wrong, and what its comments say, names pages that are there.
func TestEveryPageThatTheProgramNamesIsThere(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?:^|[^/\w])(docs/[\w/-]+\.md)\b`) // not of somebody else's
	files, found := repository(t), 0
	for file := range files {
		info, err := os.Stat(filepath.Join("..", file))
		require.NoError(t, err)
		if info.IsDir() || path.Ext(file) == ".md" {
			continue
		}
		for _, match := range named.FindAllStringSubmatch(textOf(t, "../"+file), -1) {
			found++
			if !files[match[1]] {
				t.Errorf("%s: there is no %s", file, match[1])
			}
		}
	}
	require.Greater(t, found, 20)
}
