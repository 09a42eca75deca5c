package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	kubesets "k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/monitoring/dashboards"
	"lke-platform/stacks"
)

// platforms are the dashboards of what stacks declare, most of it and least of it.
var platforms = map[string]dashboards.Platform{
	"everything": {
		Controller: "traefik", Apps: []string{"changelog", "news"}, CDN: true, Database: true, Caches: true, Certsync: true,
		Statistics: true, Objectives: true, Logs: "loki", AlertPages: "https://example.com/docs/alerts/README.md",
	},
	"nginx":               {Controller: "nginx", Apps: []string{"changelog"}, CDN: true, Database: true, Objectives: true},
	"nothing but the app": {Controller: "traefik", Apps: []string{"changelog"}},
	"caches only":         {Controller: "traefik", Apps: []string{"changelog"}, Caches: true, Logs: "loki"},
}

// dashboardJSON is what the tests read of a dashboard.
type dashboardJSON struct {
	UID, Title  string
	Panels      []panelJSON
	Annotations struct {
		List []struct{ Target struct{ Expr string } }
	}
	Templating struct{ List []any }
}

type panelJSON struct {
	ID          int
	Title, Type string
	GridPos     struct{ X, Y, W, H int }
	Datasource  struct{ UID string }
	Links       []struct{ URL string }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct{ Defaults struct{ Unit string } }
}

// shown are all dashboards of a platform, the home page first.
func shown(t *testing.T, platform dashboards.Platform) (texts []string, pages []dashboardJSON) {
	t.Helper()
	home, stations, err := platform.Make()
	require.NoError(t, err)
	for _, made := range append([]dashboards.Dashboard{home}, stations...) {
		var page dashboardJSON
		require.NoError(t, json.Unmarshal([]byte(made.JSON), &page))
		require.Equal(t, made.UID, page.UID)
		texts, pages = append(texts, made.JSON), append(pages, page)
	}
	return texts, pages
}

// queries are all of a dashboard's, with the names that their results are shown by.
func (d *dashboardJSON) queries() map[string]string {
	queries := map[string]string{}
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			queries[target.Expr] = target.LegendFormat
		}
	}
	for _, event := range d.Annotations.List {
		queries[event.Target.Expr] = ""
	}
	return queries
}

func TestEveryPanelSaysWhatItShowsAndFitsAPhone(t *testing.T) {
	t.Parallel()
	for name, platform := range platforms {
		_, pages := shown(t, platform)
		uids := kubesets.New[string]()
		for _, page := range pages {
			require.False(t, uids.Has(page.UID), "%s: %s is there twice", name, page.UID)
			uids.Insert(page.UID)
			require.NotEmpty(t, page.Title)
			ids, taken := kubesets.New[int](), map[[2]int]string{}
			for _, panel := range page.Panels {
				where := fmt.Sprintf("%s: %s: %s", name, page.UID, panel.Title)
				require.NotEmpty(t, panel.Title, where)
				require.NotEmpty(t, panel.FieldConfig.Defaults.Unit, where)
				require.NotEmpty(t, panel.Targets, where)
				require.Equal(t, "prometheus", panel.Datasource.UID, where)
				require.False(t, ids.Has(panel.ID), where)
				ids.Insert(panel.ID)
				require.GreaterOrEqual(t, panel.GridPos.W, 6, "%s: four in a row at most", where)
				require.LessOrEqual(t, panel.GridPos.X+panel.GridPos.W, 24, where)
				for x := range panel.GridPos.W {
					for y := range panel.GridPos.H {
						place := [2]int{panel.GridPos.X + x, panel.GridPos.Y + y}
						require.Empty(t, taken[place], where)
						taken[place] = panel.Title
					}
				}
			}
		}
	}
}

var (
	pageLink = regexp.MustCompile(`/d/([a-z-]+)`)
	// dashboardVariable is one of Grafana's, in text. $1 is label_replace's, and Grafana leaves what it does not know.
	dashboardVariable = regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`)
)

func TestLinksOfDashboardsLeadSomewhere(t *testing.T) {
	t.Parallel()
	for name, platform := range platforms {
		texts, pages := shown(t, platform)
		uids := kubesets.New[string]()
		for _, page := range pages {
			uids.Insert(page.UID)
			require.Empty(t, page.Templating.List, "a variable of its own would have to be resolved")
		}
		for i, text := range texts {
			for _, link := range pageLink.FindAllStringSubmatch(text, -1) {
				require.True(t, uids.Has(link[1]), "%s: %s leads to %s", name, pages[i].UID, link[1])
			}
			for _, found := range dashboardVariable.FindAllStringSubmatch(text, -1) {
				require.Contains(t, []string{"__from", "__to", "__url_time_range"}, found[1], pages[i].UID)
			}
			require.Equal(t, platform.Logs != "" && !slices.Contains([]string{"platform-edge"}, pages[i].UID),
				strings.Contains(text, "/explore?"), "%s: %s", name, pages[i].UID)
		}
	}
}

// Whoever looks at a panel is one click from the logs of the same time.
func TestAPanelLeadsToItsLogs(t *testing.T) {
	t.Parallel()
	_, pages := shown(t, platforms["everything"])
	for uid, selector := range map[string]string{
		"platform-origin": `{namespace="ingress"}`, "platform-app": `{namespace=~"changelog|news"}`,
		"platform-data": `{namespace="changelog", container=~"database"}`,
	} {
		i := slices.IndexFunc(pages, func(page dashboardJSON) bool { return page.UID == uid })
		for _, panel := range pages[i].Panels {
			require.Len(t, panel.Links, 1)
			panes := exploredPanes(t, panel.Links[0].URL)
			require.Equal(t, "loki", panes.Logs.Datasource)
			if !strings.HasPrefix(panel.Title, "Caches") { // which have theirs
				require.Equal(t, selector, panes.Logs.Queries[0].Expr)
			}
			require.Equal(t, [2]string{"${__from}", "${__to}"}, [2]string{panes.Logs.Range.From, panes.Logs.Range.To})
		}
	}
}

// Whoever sees an alert on the home page is one click from what it means.
func TestWhatIsFiringLeadsToWhatItMeans(t *testing.T) {
	t.Parallel()
	for name, platform := range platforms {
		_, pages := shown(t, platform)
		i := slices.IndexFunc(pages[0].Panels, func(panel panelJSON) bool { return panel.Title == "What is firing" })
		var leads []string
		for _, link := range pages[0].Panels[i].Links {
			leads = append(leads, link.URL)
		}
		require.Equal(t, platform.AlertPages != "", slices.Contains(leads, "https://example.com/docs/alerts/README.md"), name)
	}
}

type panesJSON struct {
	Logs struct {
		Datasource string
		Queries    []struct{ Expr string }
		Range      struct{ From, To string }
	}
}

// exploredPanes are what a link to Grafana's Explore asks for.
func exploredPanes(t *testing.T, link string) (panes panesJSON) {
	t.Helper()
	parsed, err := url.Parse(link)
	require.NoError(t, err)
	require.Equal(t, "/explore", parsed.Path)
	require.NoError(t, json.Unmarshal([]byte(parsed.Query().Get("panes")), &panes))
	return panes
}

func TestDashboardsShowOnlyWhatTheStackDeclares(t *testing.T) {
	t.Parallel()
	for name, absent := range map[string][]string{
		"nginx":               {"traefik_", "fastly_", "redis_", "certsync", "loki"},
		"nothing but the app": {"nginx_", "fastly_", "ccp_", "redis_", "certsync", "platform:budget", "loki", "platform-edge", "platform-data"},
		"caches only":         {"ccp_", "platform-edge"},
	} {
		texts, _ := shown(t, platforms[name])
		for _, metric := range absent {
			require.NotContains(t, strings.Join(texts, "\n"), metric, name)
		}
	}
}

// program is what has metrics, as testdata/metrics.yaml tells.
type program struct {
	Of, Source string
	Series     []struct{ Series, Values string }
}

func readMetrics(t *testing.T) (programs []program) {
	t.Helper()
	readRuleFile(t, filepath.Join("testdata", "metrics.yaml"), &programs)
	return programs
}

var (
	seriesForm  = regexp.MustCompile(`^([\w:]+)\{(.*)\}$`)
	matcherForm = regexp.MustCompile(`(\w+) *(?:=~|!~|!=|=) *"[^"]*"`)
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
	metricForm  = regexp.MustCompile(`\b([a-zA-Z_:][\w:]*)(\{[^}]*\})?( *\()?`)
	notMetrics  = regexp.MustCompile(`\b(?:by|on|ignoring|group_left) *\([^)]*\)|\[[^\]]*\]|(?:, *"[^"]*")+\)`) // and ranges, and texts
)

// labels are those of each metric of the programs.
func labelsOf(t *testing.T, programs []program) map[string]kubesets.Set[string] {
	t.Helper()
	labels := map[string]kubesets.Set[string]{}
	for _, program := range programs {
		require.NotEmpty(t, program.Source, program.Of)
		for _, s := range program.Series {
			found := seriesForm.FindStringSubmatch(s.Series)
			require.NotNil(t, found, s.Series)
			if labels[found[1]] == nil {
				labels[found[1]] = kubesets.New[string]()
			}
			for _, label := range matcherForm.FindAllStringSubmatch(found[2], -1) {
				labels[found[1]].Insert(label[1])
			}
		}
	}
	return labels
}

// A query that names what is not there shows nothing, and nobody misses it.
func TestDashboardsNameMetricsAndLabelsThatExist(t *testing.T) {
	t.Parallel()
	labels := labelsOf(t, readMetrics(t))
	asked := kubesets.New[string]()
	for _, platform := range platforms {
		_, pages := shown(t, platform)
		for _, page := range pages {
			for query, legend := range page.queries() {
				metrics := namedMetrics(query)
				require.NotEmpty(t, metrics, query)
				known := kubesets.New[string]()
				for metric, matched := range metrics {
					require.NotNil(t, labels[metric], "%s: %s: there is no %s", page.UID, query, metric)
					require.True(t, labels[metric].HasAll(matched...), "%s: %s has no label of %v", query, metric, matched)
					known = known.Union(labels[metric])
					asked.Insert(metric)
				}
				for _, shown := range legendLabel.FindAllStringSubmatch(legend, -1) {
					require.True(t, known.Has(shown[1]), "%s: has no label %s", query, shown[1])
				}
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(labels)), kubesets.List(asked), "the list holds nothing that nobody asks for")
}

// operators are the words of Prometheus' language that stand between metrics.
var operators = kubesets.New("and", "or", "unless", "bool")

// namedMetrics are the metrics of a query, with the labels that it selects by.
func namedMetrics(query string) map[string][]string {
	metrics := map[string][]string{}
	for _, found := range metricForm.FindAllStringSubmatch(notMetrics.ReplaceAllString(query, " "), -1) {
		if name, matchers, call := found[1], found[2], found[3]; call == "" && !operators.Has(name) {
			metrics[name] = nil
			for _, matcher := range matcherForm.FindAllStringSubmatch(matchers, -1) {
				metrics[name] = append(metrics[name], matcher[1])
			}
		}
	}
	return metrics
}

// Every query is asked of Prometheus itself, of the metrics that the programs have.
func TestEveryQueryOfADashboardHasAResult(t *testing.T) {
	t.Parallel()
	type expectation struct {
		Expr    string           `yaml:"expr"`
		Time    string           `yaml:"eval_time"`
		Samples []map[string]any `yaml:"exp_samples"`
	}
	queries := kubesets.New[string]()
	for _, platform := range platforms {
		_, pages := shown(t, platform)
		for _, page := range pages {
			queries.Insert(slices.Collect(maps.Keys(page.queries()))...)
		}
	}
	var expectations []expectation
	for _, query := range kubesets.List(queries) {
		expectations = append(expectations, expectation{
			Expr: "count(" + query + ") > bool 0", Time: "90m", Samples: []map[string]any{{"labels": "{}", "value": 1}},
		})
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	content, err := yaml.Marshal(map[string]any{"tests": []any{map[string]any{
		"interval": "1m", "input_series": inputSeries(t), "promql_expr_test": expectations,
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	promtool(t, "test", "rules", file)
}

func inputSeries(t *testing.T) (all []map[string]string) {
	t.Helper()
	for _, program := range readMetrics(t) {
		for _, s := range program.Series {
			all = append(all, map[string]string{"series": s.Series, "values": s.Values})
		}
	}
	return all
}

const ownDashboard = `{"title": "Orders", "uid": "orders", "panels": []}`

func TestDashboardsOfOnesOwnAreShownBesideThePlatforms(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Platform, args.Folder = platforms["everything"], t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(args.Folder, "orders.json"), []byte(ownDashboard), 0o600))
	args.Dashboards = []string{"orders.json"}
	g := monitor(t, args)
	own := g.find(t, "kubernetes:core/v1:ConfigMap", "monitoring-own-orders").inputs
	require.Equal(t, ownDashboard, at(reveal(own["data"]), "own-orders.json"))
	for name, folder := range map[string]string{"monitoring-own-orders": "Own", "monitoring-platform-origin": "Platform"} {
		metadata := reveal(g.find(t, "kubernetes:core/v1:ConfigMap", name).inputs["metadata"])
		require.Equal(t, "1", at(metadata, "labels", "grafana_dashboard"), "the sidecar knows it by that")
		require.Equal(t, folder, at(metadata, "annotations", "grafana_folder"))
		require.Equal(t, "monitoring", at(metadata, "namespace"), "Grafana may read no other")
	}

	home := g.find(t, "kubernetes:core/v1:ConfigMap", "monitoring-home").inputs
	require.True(t, home["immutable"].BoolValue(), "another one has to roll Grafana, which reads it when it starts")
	require.NotContains(t, reveal(home["metadata"]).(map[string]any)["labels"], "grafana_dashboard", "it would be there twice")
	grafana := inside(t, chartValues(t, g, "monitoring"), "grafana")
	mount := inside(t, grafana, "extraConfigmapMounts").([]any)[0]
	require.Equal(t, "monitoring-home-1a2b3c4d", inside(t, mount, "configMap"))
	require.Contains(t, at(reveal(home["data"]), "home.json"), `"uid":"platform-home"`)
	require.Equal(t, inside(t, mount, "mountPath").(string)+"/home.json",
		inside(t, grafana, "env", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"))
	sidecar := inside(t, grafana, "sidecar", "dashboards")
	require.Equal(t, "grafana_folder", inside(t, sidecar, "folderAnnotation"))
	require.Equal(t, true, inside(t, sidecar, "provider", "foldersFromFilesStructure"))
}

func TestADashboardThatGrafanaWouldNotShowIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, text, want string }{
		"none":         {"orders.json", "", "monitoring.dashboards[0]: Invalid value: \"orders.json\": there is no such file"},
		"no JSON":      {"orders.json", "{\n\"title\": Orders}", "is no JSON: line 2: invalid character 'O'"},
		"cut off":      {"orders.json", "{\"title\": \"Orders\"", "is no JSON: line 1: unexpected end of JSON input"},
		"a list":       {"orders.json", "[]", "must be an object with a title"},
		"no title":     {"orders.json", "{}", "must be an object with a title"},
		"a taken uid":  {"orders.json", `{"title": "Origin", "uid": "platform-origin"}`, "has the uid platform-origin, which one of the"},
		"another name": {"Orders.yaml", ownDashboard, "must be called by lower-case letters, digits and dashes, and .json"},
		"too large":    {"orders.json", `{"title": "` + strings.Repeat("x", 1_000_000) + `"}`, "what fits into a ConfigMap"},
		"elsewhere":    {"../orders.json", ownDashboard, "must be the path of a file in the project's folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := monitored()
			args.Folder, args.Dashboards = t.TempDir(), []string{test.file}
			if test.text != "" {
				require.NoError(t, os.WriteFile(filepath.Join(args.Folder, filepath.Base(test.file)), []byte(test.text), 0o600))
			}
			faults := args.Validate(field.NewPath("monitoring"))
			require.Len(t, faults, 1)
			require.Contains(t, faults[0].Error(), "monitoring.dashboards[0]: Invalid value")
			require.Contains(t, faults[0].Error(), test.want)
		})
	}
	decoded, _ := stacks.Decode(func(section string) string {
		return map[string]string{"monitoring": `{"dashboards": ["orders.json"]}`}[section]
	})
	require.Contains(t, decoded.Files(), "orders.json", "a rehearsal has a copy of it")

	args := monitored()
	args.Folder, args.Dashboards = t.TempDir(), []string{"orders.json", "shop.json"}
	for _, name := range args.Dashboards {
		require.NoError(t, os.WriteFile(filepath.Join(args.Folder, name), []byte(ownDashboard), 0o600))
	}
	require.Contains(t, args.Validate(nil).ToAggregate().Error(), `dashboards[1]: Duplicate value: "orders"`)
}

// dashboardsOf are the names of the dashboards that a stack declares beside the home page, and all their text.
func dashboardsOf(g *graph) (names []string, text string) {
	for key, node := range g.resources {
		if name, is := strings.CutPrefix(key, "kubernetes:core/v1:ConfigMap monitoring-platform-"); is {
			names = append(names, name)
			text += at(reveal(node.inputs["data"]), "platform-"+name+".json").(string)
		}
	}
	return names, text
}

func TestAStackIsShownByWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	names, text := dashboardsOf(deployed(t, "staging"))
	require.ElementsMatch(t, []string{"edge", "origin", "app", "data", "nodes", "delivery"}, names)
	require.Contains(t, text, "certsync")
	require.Contains(t, text, "changelog-changelog-.+")

	names, text = dashboardsOf(without(t, "cdn", "fastly-tls-token"))
	require.ElementsMatch(t, []string{"origin", "app", "data", "nodes", "delivery"}, names)
	require.NotContains(t, text, "certsync")
	names, _ = dashboardsOf(without(t, "postgres", "backups-passphrase"))
	require.NotContains(t, names, "data")
}

// What the nodes cost is asked of Linode, which has other prices in some regions.
func TestNodesArePricedAsInTheirRegion(t *testing.T) {
	t.Parallel()
	for region, factor := range map[string]float64{"us-east": 1, "us-ord": 1.2} {
		g, err := deploy(t, copyStack(t, "staging", func(text string) string {
			return strings.Replace(text, "cluster:\n    region: us-east", "cluster:\n    region: "+region, 1)
		}), "staging")
		require.NoError(t, err)
		prices := map[string]string{}
		for _, group := range at(reveal(g.find(t, alertRulesType, "monitoring-rules").inputs["spec"]), "groups").([]any) {
			for _, rule := range at(group, "rules").([]any) {
				if at(rule, "record") == "platform:node_month:usd" {
					prices[at(rule, "labels", "type").(string)] = at(rule, "expr").(string)
				}
			}
		}
		require.Equal(t, map[string]string{
			"g6-standard-2": fmt.Sprintf("vector(%g)", 24*factor), "g6-standard-4": fmt.Sprintf("vector(%g)", 48*factor),
		}, prices, region)
	}
}
