package dashboards

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// home is one screen that says what visitors notice, since when, and where.
func (p *Platform) home(stations []*page) *page {
	return &page{uid: homeUID, title: "Platform", panels: slices.Concat(
		alertPanels(), p.objectivePanels(), p.firingPanels(), along(stations), saturation(), p.deadlines(), p.versions(),
	)}
}

func alertPanels() []panel {
	count := func(severity string) string {
		return `count(ALERTS{alertstate="firing", severity="` + severity + `"}) or vector(0)`
	}
	return []panel{{
		title: "Alerts that fire", shape: tile, unit: units.Short, width: quarter, height: 5,
		queries: []query{
			{name: "Critical", limits: limits{1, 1}, expr: count("critical")},
			{name: "Warnings", limits: limits{1, 1e6}, expr: count("warning")}, // of which no number is critical
		},
	}}
}

// objectivePanels are empty for as long as nothing was asked for.
func (p *Platform) objectivePanels() []panel {
	if !p.Objectives {
		return nil
	}
	const kept = `(1 - (1 - platform:budget_left:ratio) * (100 - platform:objective:percent) / 100)`
	return []panel{
		{
			title: "Kept, of all requests", shape: tile, unit: fraction, decimals: 3, width: quarter, height: 5,
			about:   "Over the window of monitoring.objectives.",
			queries: []query{{name: "{{objective}}", expr: kept}},
		},
		{
			title: "Budget of errors that is left", shape: tile, unit: fraction, limits: limits{0.5, 0.1}, width: half, height: 5,
			about:   "All of it, and nothing has failed; none, and no more may; below none, and the objective is not kept.",
			queries: []query{{name: "{{objective}}", expr: `platform:budget_left:ratio`}},
		},
	}
}

func (p *Platform) firingPanels() []panel {
	return []panel{{
		title: "What is firing", shape: list, unit: units.DateTimeFromNow, width: whole, height: 6,
		about: "Since when, and of what.", manual: p.AlertPages,
		queries: []query{{name: "Since", expr: `min by (alertname, severity, namespace, instance, persistentvolumeclaim) (` +
			`ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{alertstate="firing", severity=~"critical|warning"}) * 1000`}},
	}}
}

// along is what a request comes by, from left to right: a tile for each station, and then since when.
func along(stations []*page) []panel {
	var tiles []panel
	errors := panel{title: "Errors, along the way", shape: graph, unit: fraction, width: half, height: 8}
	durations := panel{title: "Time to an answer, along the way", shape: graph, unit: seconds, width: half, height: 8}
	for _, station := range stations {
		if s := station.signals; s != nil {
			tiles = append(tiles, panel{
				title: station.title, shape: tile, unit: units.Short, height: 8, leads: station.uid, logs: station.logs,
				queries: slices.DeleteFunc([]query{s.rate, s.errors, s.duration}, func(q query) bool { return q.expr == "" }),
			})
			errors.queries = append(errors.queries, query{name: station.title, expr: s.errors.expr})
			durations.queries = append(durations.queries, query{name: station.title, expr: s.duration.expr})
		}
	}
	for i := range tiles {
		tiles[i].width = uint32(columns / len(tiles))
	}
	return append(tiles, errors, durations)
}

func saturation() []panel {
	return []panel{
		{
			title: "The fullest node", shape: bars, unit: fraction, limits: crowded, width: half, height: 6, leads: nodesUID,
			queries: []query{
				{name: "CPU", expr: "max(" + nodeCPU + ")"},
				{name: "Memory", expr: "max(" + nodeMemory + ")"},
				{name: "Memory that is reserved", expr: "max(" + reserved("memory") + ")"},
				{name: "Disk", expr: "max(" + nodeDisk + ")"},
			},
		},
		{
			title: "The fullest volumes", shape: bars, unit: fraction, limits: full, width: half, height: 6, leads: nodesUID,
			queries: []query{{name: "{{namespace}}/{{persistentvolumeclaim}}", expr: `topk(5, ` + volumeUsed + `)`}},
		},
	}
}

// deadlines are what comes to an end by itself.
func (p *Platform) deadlines() []panel {
	ends := []query{
		{name: "In the cluster", expr: daysLeft("min" + certificateEnd)},
		{name: "Shown to visitors", expr: daysLeft(`min(probe_ssl_earliest_cert_expiry{job="site"})`)},
	}
	panels := []panel{{
		title: "Days until a certificate ends", shape: tile, unit: units.Days, limits: limits{10, 7}, width: third, height: 5,
		leads: deliveryUID, queries: ends,
	}}
	if p.Database {
		panels = append(panels, panel{
			title: "Age of the last backup", shape: tile, unit: seconds, width: third, height: 5, leads: dataUID,
			queries: []query{
				{name: "Any", expr: lastBackup}, {name: "Full", expr: lastFull}, {name: "Restored, as a test", expr: lastRestore},
			},
		})
	}
	return append(panels, panel{
		title: "Nodes, a month", shape: tile, unit: units.Dollars, width: third, height: 5,
		about:   "Those that run, at Linode's price at the last `up`. Comments on pull requests have the whole bill.",
		queries: []query{{name: "USD", expr: nodesMonth}},
	})
}

func (p *Platform) versions() []panel {
	return []panel{
		{
			title: "Kubernetes, on so many nodes", shape: tile, unit: units.Short, width: third, height: 8,
			queries: []query{{name: "{{kubelet_version}}", expr: `count by (kubelet_version) (kube_node_info)`}},
		},
		{
			title: "Apps", shape: list, unit: units.Short, width: third, height: 8, leads: appUID,
			queries: []query{{name: "Pods", expr: images("{" + p.inApps() + "}")}},
		},
		{title: "Charts", shape: list, unit: units.Short, width: third, height: 8, leads: deliveryUID, queries: []query{
			{name: "Workloads", expr: charts},
		}},
	}
}
