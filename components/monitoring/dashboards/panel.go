package dashboards

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panel is one, in terms that a reviewer reads. Grafana puts panels below each other on a phone, in their order.
type panel struct {
	title string
	// about says how to read it, and what to do.
	about string
	shape shape
	// unit is that of the queries that have none of their own; one of Grafana's.
	unit    string
	limits  limits
	queries []query
	// decimals are how many are shown; 0 leaves it to Grafana.
	decimals float64
	// width is in columns of 24, height in rows of 30 pixels.
	width, height uint32
	// leads is the uid of the page that a click leads to.
	leads string
	// logs selects the logs that belong to it, where they are others than its page's.
	logs string
	// manual is the address of what to read about it.
	manual string
}

// query is a value or a line of a panel, in Prometheus' language; or several, told apart by the {{label}}s of its name.
type query struct {
	name, expr string
	unit       string
	limits     limits
}

// limits are where a value turns orange and red. What is bad when it is low has the warning above the critical one.
type limits struct{ warning, critical float64 }

// shape is how a panel looks: the name of Grafana's panel.
type shape string

const (
	tile  shape = "stat"       // the last value, with its course behind it
	graph shape = "timeseries" // over time, with what happened marked
	bars  shape = "bargauge"   // side by side
	list  shape = "table"      // a row for each set of labels
)

// source is where the metrics are, under the uid that kube-prometheus-stack gives it.
var source = common.DataSourceRef{Type: new("prometheus"), Uid: new("prometheus")}

// shapes have what is particular to each.
var shapes = map[shape]func() cog.Builder[dashboard.Panel]{
	tile: func() cog.Builder[dashboard.Panel] {
		return stat.NewPanelBuilder().GraphMode(common.BigValueGraphModeArea).ColorMode(common.BigValueColorModeValue).
			TextMode(common.BigValueTextModeAuto).Orientation(common.VizOrientationAuto).ReduceOptions(last())
	},
	graph: func() cog.Builder[dashboard.Panel] {
		return timeseries.NewPanelBuilder().FillOpacity(10).AxisSoftMin(0).ShowPoints(common.VisibilityModeNever).
			Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).
				Placement(common.LegendPlacementBottom)).
			Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	},
	bars: func() cog.Builder[dashboard.Panel] {
		return bargauge.NewPanelBuilder().Orientation(common.VizOrientationHorizontal).
			DisplayMode(common.BarGaugeDisplayModeBasic).ValueMode(common.BarGaugeValueModeColor).ReduceOptions(last())
	},
	list: func() cog.Builder[dashboard.Panel] { return table.NewPanelBuilder().ShowHeader(true) },
}

func last() cog.Builder[common.ReduceDataOptions] {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})
}

// build makes Grafana's panel, at its place.
func (p *panel) build(id uint32, at dashboard.GridPos, links []dashboard.DashboardLink) (dashboard.Panel, error) {
	built, err := shapes[p.shape]().Build()
	if err != nil {
		return built, err
	}
	built.Id, built.Title, built.Description = &id, &p.title, &p.about
	built.Datasource, built.GridPos, built.Links = &source, &at, links
	if p.manual != "" {
		built.Links = append(built.Links, link("What each means, and what to do first", p.manual))
	}
	if built.FieldConfig == nil {
		built.FieldConfig = dashboard.NewFieldConfigSource()
	}
	fields := built.FieldConfig
	fields.Defaults.Unit, fields.Defaults.Thresholds = &p.unit, p.limits.thresholds()
	if p.unit == fraction && p.shape == bars {
		fields.Defaults.Min, fields.Defaults.Max = new(0.0), new(1.0)
	}
	if p.decimals > 0 {
		fields.Defaults.Decimals = &p.decimals
	}
	if p.leads != "" {
		fields.Defaults.Links = []dashboard.DashboardLink{link("More", pageURL(p.leads)+"?${__url_time_range}")}
	}
	for i, q := range p.queries {
		target, err := p.target(i, q)
		if err != nil {
			return built, err
		}
		built.Targets = append(built.Targets, target)
		fields.Overrides = append(fields.Overrides, q.override(refID(i))...)
	}
	if p.shape == list {
		built.Transformations = []dashboard.DataTransformerConfig{{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "renameByName": map[string]string{"Value": p.queries[0].name},
		}}}
	}
	return built, nil
}

// target asks for one moment where the course before it is not shown.
func (p *panel) target(i int, q query) (variants.Dataquery, error) {
	made := prometheus.NewDataqueryBuilder().RefId(refID(i)).Datasource(source).Expr(q.expr).LegendFormat(q.name)
	switch p.shape {
	case list:
		made.Instant().Format(prometheus.PromQueryFormatTable)
	case bars:
		made.Instant()
	case tile, graph:
		made.Range()
	}
	return made.Build()
}

func refID(i int) string { return string(rune('A' + i)) }

// override gives a query a unit and limits of its own.
func (q *query) override(id string) []dashboard.DashboardFieldConfigSourceOverrides {
	var properties []dashboard.DynamicConfigValue
	if q.unit != "" {
		properties = append(properties, dashboard.DynamicConfigValue{Id: "unit", Value: q.unit})
	}
	if q.limits != (limits{}) {
		properties = append(properties, dashboard.DynamicConfigValue{Id: "thresholds", Value: q.limits.thresholds()})
	}
	if properties == nil {
		return nil
	}
	return []dashboard.DashboardFieldConfigSourceOverrides{{
		Matcher: dashboard.MatcherConfig{Id: "byFrameRefID", Options: id}, Properties: properties,
	}}
}

func (l limits) thresholds() *dashboard.ThresholdsConfig {
	made := dashboard.NewThresholdsConfig()
	made.Mode = dashboard.ThresholdsModeAbsolute
	switch {
	case l == limits{}:
		made.Steps = []dashboard.Threshold{{Color: "text"}}
	case l.warning > l.critical:
		made.Steps = []dashboard.Threshold{
			{Color: "red"}, {Color: "orange", Value: &l.critical}, {Color: "green", Value: &l.warning},
		}
	default:
		made.Steps = []dashboard.Threshold{
			{Color: "green"}, {Color: "orange", Value: &l.warning}, {Color: "red", Value: &l.critical},
		}
	}
	return made
}

// link is one that keeps nothing but what its URL says.
func link(title, address string) dashboard.DashboardLink {
	return dashboard.DashboardLink{Title: title, Type: dashboard.DashboardLinkTypeLink, Tags: []string{}, Url: &address}
}

func pageURL(uid string) string {
	if uid == homeUID {
		return "/"
	}
	return "/d/" + uid
}

// timeRange are the variables of Grafana's that hold the time range of a page.
var timeRange = strings.NewReplacer(url.QueryEscape("${__from}"), "${__from}", url.QueryEscape("${__to}"), "${__to}")

// exploreURL leads to logs of the time that the page shows.
func exploreURL(uid, selector string) (string, error) {
	panes, err := json.Marshal(map[string]any{"logs": map[string]any{
		"datasource": uid,
		"queries": []any{map[string]any{
			"refId": "A", "datasource": map[string]string{"type": "loki", "uid": uid}, "expr": selector,
		}},
		"range": map[string]string{"from": "${__from}", "to": "${__to}"},
	}})
	if err != nil {
		return "", err
	}
	return "/explore?schemaVersion=1&panes=" + timeRange.Replace(url.QueryEscape(string(panes))), nil
}
