package tests

import (
	"encoding/json"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"lke-platform/components/charts"
)

// renovate is what is asked here of Renovate's configuration.
type renovate struct {
	EnabledManagers, IgnorePaths []string
	CustomDatasources            map[string]struct{ DefaultRegistryURLTemplate string }
	CustomManagers               []customManager
	PackageRules                 []struct {
		MatchPackageNames, MatchDatasources                []string
		DependencyDashboardApproval, SeparateMultipleMinor bool
	}
}

// customManager reads versions with expressions of our own.
type customManager struct {
	ManagerFilePatterns, MatchStrings []string
	DatasourceTemplate                string
}

func readRenovate(t *testing.T) *renovate {
	t.Helper()
	config := &renovate{}
	require.NoError(t, json.Unmarshal([]byte(textOf(t, "../.github/renovate.json")), config))
	return config
}

// blank returns the text of a file without what the managers read in it, and notes that, by file.
func (r *renovate) blank(t *testing.T, file string, seen map[string][]string) string {
	t.Helper()
	text := textOf(t, "../"+file)
	for _, manager := range r.CustomManagers {
		if !slices.ContainsFunc(manager.ManagerFilePatterns, func(pattern string) bool {
			matches, err := path.Match(pattern, file)
			return err == nil && matches
		}) {
			continue
		}
		for _, match := range manager.MatchStrings {
			pattern := regexp.MustCompile(match)
			for _, found := range pattern.FindAllStringSubmatch(text, -1) {
				seen[file] = append(seen[file], found[pattern.SubexpIndex("currentValue")])
			}
			text = pattern.ReplaceAllString(text, "")
		}
	}
	return text
}

var (
	comment = regexp.MustCompile(`(?m)(//|(^|\s)#).*$`)
	used    = regexp.MustCompile(`(?m)^.*uses: .*$`)
	// A version has three numbers, and an address has four. What only has to be reached (>=) pins nothing.
	version = regexp.MustCompile(`(?:^|[^\w.=])v?\d+\.\d+\.\d+(?:$|[^\w./])`)
)

// What nothing proposes to upgrade stays as it is until it hurts: no version is pinned where Renovate does not see it.
func TestRenovateSeesEveryPinnedVersion(t *testing.T) {
	t.Parallel()
	config, seen := readRenovate(t), map[string][]string{}
	pins := regexp.MustCompile(`^((components|stacks|cmd)/.*\.go|\.github/.*\.yml|Pulumi\..*yaml|tests/applications/.*\.yaml|Makefile)$`)
	for file := range repository(t) {
		if !pins.MatchString(file) || strings.HasSuffix(file, "_test.go") {
			continue
		}
		left := config.blank(t, file, seen)
		if strings.HasPrefix(file, ".github/") {
			left = used.ReplaceAllString(left, "") // its own manager reads those
		}
		for _, missed := range version.FindAllString(comment.ReplaceAllString(left, ""), -1) {
			t.Errorf("%s: no manager of .github/renovate.json reads the version %s", file, missed)
		}
	}
	require.Len(t, seen["components/charts/charts.go"], len(charts.All()))
	require.Len(t, seen["components/charts/images.go"], strings.Count(textOf(t, "../components/charts/images.go"), "= Image{"))
	const standIn = "tests/rehearsal/plugins/fastly/provider.go"
	config.blank(t, standIn, seen)
	require.Len(t, seen[standIn], 1)
	require.Equal(t, seen[standIn], seen["components/cdn/newer.go"])
	require.Len(t, seen[".github/workflows/image.yml"], 1)
	for _, stack := range stackFiles(t) {
		require.Contains(t, seen[stack.file], stack.Config.Cluster.KubernetesVersion, stack.file)
	}
}

// stackFile is what versions a stack file pins of the platform's.
type stackFile struct {
	file   string
	Config struct {
		Cluster struct {
			KubernetesVersion string `yaml:"kubernetesVersion"`
		} `yaml:"lke-platform:cluster"`
	}
}

func stackFiles(t *testing.T) (found []stackFile) {
	t.Helper()
	for _, pattern := range []string{"../Pulumi.*.yaml", "applications/Pulumi.*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			stack := stackFile{file: path.Join("tests", name)}
			require.NoError(t, yaml.Unmarshal([]byte(textOf(t, name)), &stack))
			found = append(found, stack)
		}
	}
	return found
}

// The preset that most begin with leaves out all below tests, where the module of the rehearsal is.
func TestRenovateReadsEveryModule(t *testing.T) {
	t.Parallel()
	config := readRenovate(t)
	require.Subset(t, config.EnabledManagers, []string{"gomod", "github-actions", "custom.regex"})
	require.NotNil(t, config.IgnorePaths)
	require.Empty(t, config.IgnorePaths)
	files := repository(t)
	modules := slices.DeleteFunc(slices.Collect(maps.Keys(files)), func(file string) bool { return path.Base(file) != "go.mod" })
	require.Subset(t, modules, []string{"go.mod", "sdks/fastly/go.mod", "tests/rehearsal/go.mod", "tools/pulumi/go.mod"})
	for _, file := range modules {
		_, program := files[path.Join(path.Dir(file), "main.go")]
		text := textOf(t, "../"+file)
		if strings.HasPrefix(file, "tools/") && !program && strings.Contains(text, "require") {
			// Renovate leaves indirect requirements alone, but for those of tools.
			require.Regexp(t, `(?m)^tool `, text, file)
		}
	}
}

// LKE takes one minor version at a time, and what holds data is not upgraded unasked: the operator's CRDs are no part of its chart's
// upgrade.
func TestUpgradesThatNeedAHandWaitForIt(t *testing.T) {
	t.Parallel()
	config := readRenovate(t)
	approved, apart := map[string]bool{}, map[string]bool{}
	for _, rule := range config.PackageRules {
		for _, name := range rule.MatchPackageNames {
			approved[name] = approved[name] || rule.DependencyDashboardApproval
		}
		for _, source := range rule.MatchDatasources {
			apart[source] = apart[source] || rule.SeparateMultipleMinor
		}
	}
	require.True(t, approved[strings.TrimPrefix(charts.PostgresOperator.Name, "oci://")])
	require.True(t, apart["custom.lke"])
	require.Equal(t, "https://api.linode.com/v4/lke/versions", config.CustomDatasources["lke"].DefaultRegistryURLTemplate)
}

// A chart that a stack installs for itself is read as the documentation writes it, in a block and on a line.
func TestRenovateReadsTheChartsOfAStack(t *testing.T) {
	t.Parallel()
	config := readRenovate(t)
	i := slices.IndexFunc(config.CustomManagers, func(manager customManager) bool {
		return slices.Contains(manager.ManagerFilePatterns, "Pulumi.*.yaml") && manager.DatasourceTemplate == "helm"
	})
	pattern := regexp.MustCompile(config.CustomManagers[i].MatchStrings[0])
	const repository, sum = "https://charts.example.com", "0000000000000000000000000000000000000000000000000000000000000000"
	for _, text := range []string{
		"- name: search\n  chart: opensearch\n  repository: " + repository + "\n  version: 3.2.0\n  sha256: \"" + sum + "\" # told\n",
		"- {name: search, chart: opensearch, repository: " + repository + ", version: \"3.2.0\", sha256: " + sum + "}\n",
	} {
		found := pattern.FindStringSubmatch(text)
		require.NotNil(t, found, text)
		for group, value := range map[string]string{
			"depName": "opensearch", "registryUrl": repository, "currentValue": "3.2.0", "currentDigest": sum,
		} {
			require.Equal(t, value, found[pattern.SubexpIndex(group)], text)
		}
	}
	require.Regexp(t, pattern, textOf(t, "../docs/extend.md"))
}
