package dashboards

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// The units that most panels have.
const (
	perSecond = units.RequestsPerSecond
	seconds   = units.Seconds
	fraction  = units.PercentUnit // of 1
	bytes     = units.BytesIEC
	yesNo     = "bool_yes_no"
)

// columns are those of Grafana's grid, of which a panel takes a part.
const (
	columns                     = 24
	quarter, third, half, whole = columns / 4, columns / 3, columns / 2, columns
)

// page is a dashboard.
type page struct {
	uid, title string
	// logs selects the logs of what it shows, in Loki's language; empty where Loki has none.
	logs string
	// signals are what the home page shows of it; nil where it is no station of a request.
	signals *signals
	panels  []panel
}

// signals are the three that tell how a station does.
type signals struct{ rate, errors, duration query }

// build makes Grafana's dashboard, in the classic form, which it reads from files. Its panels flow from left to right.
func (p *page) build(of *Platform, stations []*page) (Dashboard, error) {
	made := dashboard.NewDashboard()
	made.Uid, made.Title, made.Tags = &p.uid, &p.title, []string{"platform"}
	made.Editable, made.Refresh = new(false), new("1m")
	made.Time = &dashboard.DashboardDashboardTime{From: "now-6h", To: "now"}
	made.GraphTooltip = new(dashboard.DashboardCursorSyncCrosshair)
	made.Annotations.List = of.events()
	made.Links = p.links(stations)
	var x, y, tallest uint32
	for i := range p.panels {
		panel := &p.panels[i]
		if x+panel.width > columns {
			x, y, tallest = 0, y+tallest, 0
		}
		links, err := of.logLinks(p, panel)
		if err != nil {
			return Dashboard{}, fmt.Errorf("dashboards: %s: %w", panel.title, err)
		}
		built, err := panel.build(uint32(i+1), dashboard.GridPos{X: x, Y: y, W: panel.width, H: panel.height}, links)
		if err != nil {
			return Dashboard{}, fmt.Errorf("dashboards: %s: %w", panel.title, err)
		}
		made.Panels = append(made.Panels, dashboard.PanelOrRowPanel{Panel: &built})
		x, tallest = x+panel.width, max(tallest, panel.height)
	}
	text, err := json.Marshal(made)
	if err != nil {
		return Dashboard{}, fmt.Errorf("dashboards: %s: %w", p.title, err)
	}
	return Dashboard{UID: p.uid, JSON: string(text)}, nil
}

// links lead to all other pages, at the same time.
func (p *page) links(stations []*page) (links []dashboard.DashboardLink) {
	for _, other := range append([]*page{{uid: homeUID, title: "Home"}}, stations...) {
		if other.uid != p.uid {
			to := link(other.title, pageURL(other.uid))
			to.KeepTime = true
			links = append(links, to)
		}
	}
	return links
}

// logLinks leads from a panel to the logs of what it shows, where they are collected.
func (p *Platform) logLinks(of *page, panel *panel) ([]dashboard.DashboardLink, error) {
	selector := panel.logs
	if selector == "" {
		selector = of.logs
	}
	if p.Logs == "" || selector == "" {
		return nil, nil
	}
	address, err := exploreURL(p.Logs, selector)
	return []dashboard.DashboardLink{link("Logs", address)}, err
}

// events are marked in every graph. A new version of a workload, and nothing else, makes a new ReplicaSet, whose age is its own:
// no restart of what tells it makes another. So those of apps are deploys, and those of all else what `up`, or Linode, changed.
func (p *Platform) events() []dashboard.AnnotationQuery {
	created := func(matcher string) string {
		return `max by (namespace, replicaset) (kube_replicaset_created{` + matcher + `}) * 1000`
	}
	return []dashboard.AnnotationQuery{
		event("Deploys", "blue", created(p.inApps()), "{{namespace}}/{{replicaset}}", true),
		event("Changes of the platform", "purple", created(strings.Replace(p.inApps(), "=~", "!~", 1)),
			"{{namespace}}/{{replicaset}}", true),
		event("Incidents", "red", `max by (alertname, namespace, instance) (ALERTS{alertstate="firing", severity="critical"})`,
			"{{alertname}} {{namespace}} {{instance}}", false),
	}
}

// inApps matches what is in the namespaces of the apps, in Prometheus' language and in Loki's.
func (p *Platform) inApps() string { return `namespace=~"` + strings.Join(p.Apps, "|") + `"` }

// event is marked where the query has a value, or at the moment that its value is, in milliseconds.
func event(name, color, expr, text string, valueIsTime bool) dashboard.AnnotationQuery {
	target := prometheus.NewDataquery()
	target.RefId, target.Expr, target.Range, target.Interval = new("Events"), expr, new(true), new("1m")
	return dashboard.AnnotationQuery{
		Name: name, Datasource: &source, Enable: true, IconColor: color, Target: target, TitleFormat: &name, TextFormat: &text,
		UseValueForTime: &valueIsTime,
	}
}
