package dashboards

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// The pages below the home page.
const (
	edgeUID     = "platform-edge"
	originUID   = "platform-origin"
	appUID      = "platform-app"
	dataUID     = "platform-data"
	nodesUID    = "platform-nodes"
	deliveryUID = "platform-delivery"
)

// uids are those of all pages that there may be.
var uids = []string{homeUID, edgeUID, originUID, appUID, dataUID, nodesUID, deliveryUID}

// chart is a graph of half a page's width.
func chart(title, unit string, queries ...query) panel {
	return panel{title: title, shape: graph, unit: unit, width: half, height: 8, queries: queries}
}

// edge is what visitors see: as the probes ask for it, and as Fastly counts it where its statistics are collected.
func (p *Platform) edge() *page {
	made := &page{uid: edgeUID, title: "Edge", signals: p.edgeSignals()}
	if p.Statistics {
		made.panels = statisticsPanels(made.signals)
	}
	made.panels = append(made.panels,
		panel{
			title: "Names that answer", shape: bars, unit: yesNo, limits: limits{1, 0.5}, width: half, height: 8,
			about:   "Asked for once a minute from the cluster, by way of Fastly. An answer may be a copy.",
			queries: []query{{name: "{{instance}}", expr: `probe_success{job="site"}`}},
		},
		panel{
			title: "The origin, past all copies", shape: graph, unit: yesNo, width: half, height: 8,
			about:   "What Fastly passes on and answers with nothing stale. No while the origin, or Fastly's way to it, is down.",
			queries: []query{{name: "{{instance}}", expr: `probe_success{job="origin"}`}},
		},
		chart("Time to an answer", seconds, query{name: "{{instance}}", expr: `probe_duration_seconds{job="site"}`}),
		chart("Where the time goes", seconds,
			query{name: "{{phase}}", expr: `max by (phase) (probe_http_duration_seconds{job="site"})`}),
		chart("Status", units.NoUnit, query{name: "{{instance}}", expr: `probe_http_status_code{job="site"}`}),
		panel{
			title: "Certificates that visitors see", shape: bars, unit: units.Days, limits: limits{10, 7}, width: half, height: 8,
			queries: []query{{name: "{{instance}}", expr: daysLeft(`probe_ssl_earliest_cert_expiry{job="site"}`)}},
		},
	)
	return made
}

// edgeSignals are Fastly's own count where there is one. How long it takes to answer, it does not say: the probes do.
func (p *Platform) edgeSignals() *signals {
	made := &signals{
		errors: query{name: "Names without an answer", unit: fraction, limits: failing,
			expr: `1 - avg(probe_success{job="site"})`},
		duration: query{name: "Slowest answer", unit: seconds, limits: slow,
			expr: `max(probe_duration_seconds{job="site"})`},
	}
	if p.Statistics {
		const all = `sum(rate(fastly_rt_status_group_total[5m]))`
		made.rate = query{name: "Requests", unit: perSecond, expr: all}
		made.errors = query{name: "Errors", unit: fraction, limits: failing, expr: `(sum(rate(fastly_rt_status_group_total` +
			`{status_group="5xx"}[5m])) or ` + all + ` * 0) / (` + all + ` > 0)`}
	}
	return made
}

func statisticsPanels(s *signals) []panel {
	return []panel{
		chart("Requests by status", perSecond,
			query{name: "{{status_group}}", expr: `sum by (status_group) (rate(fastly_rt_status_group_total[5m]))`}),
		chart("Errors", fraction, query{name: "of all requests", expr: s.errors.expr}),
		chart("Answered with a copy", fraction, query{name: "{{service_name}}",
			expr: partOf("fastly_rt_hits_total", "fastly_rt_miss_total", "service_name")}),
		chart("Sent to visitors", units.BytesPerSecondIEC,
			query{name: "{{service_name}}", expr: `sum by (service_name) (rate(fastly_rt_resp_body_bytes_total[5m]))`}),
	}
}

// daysLeft are those until a moment.
func daysLeft(end string) string { return "(" + end + " - time()) / 86400" }

// origin is the ingress controller, which all requests past Fastly come by.
func (p *Platform) origin() *page {
	r := p.entering()
	return &page{
		uid: originUID, title: "Origin", logs: `{namespace="ingress"}`, signals: r.signals(),
		panels: []panel{
			chart("Requests by status", perSecond, query{name: "{{" + r.code + "}}", expr: r.rate(r.code)}),
			chart("Errors", fraction, query{name: "of all requests", expr: r.share("")}),
			chart("Time to the whole answer", seconds,
				query{name: "half within", expr: r.within(0.5, "")}, query{name: "95 % within", expr: r.within(0.95, "")},
				query{name: "99 % within", expr: r.within(0.99, "")}),
			chart("Replicas", units.Short,
				query{name: "available", expr: `sum(kube_daemonset_status_number_available{namespace="ingress"})`},
				query{name: "wanted", expr: `sum(kube_daemonset_status_desired_number_scheduled{namespace="ingress"})`}),
			chart("CPU, in cores", units.Short, podCPU(`namespace="ingress"`)),
			chart("Memory", bytes, podMemory(`namespace="ingress"`)),
		},
	}
}

func podCPU(matcher string) query {
	used := `container_cpu_usage_seconds_total{` + matcher + `, container!=""}`
	return query{name: "{{pod}}", expr: `sum by (pod) (rate(` + used + `[5m]))`}
}

func podMemory(matcher string) query {
	return query{name: "{{pod}}", expr: `sum by (pod) (container_memory_working_set_bytes{` + matcher + `, container!=""})`}
}

// app is the applications, by what the ingress controller sees of them and what their pods take.
func (p *Platform) app() *page {
	r, pods := p.answered(), p.inApps()
	return &page{
		uid: appUID, title: "App", logs: "{" + pods + "}", signals: r.signals(),
		panels: []panel{
			chart("Requests by Service", perSecond, query{name: "{{" + service + "}}", expr: r.rate(service)}),
			chart("Errors by Service", fraction, query{name: "{{" + service + "}}", expr: r.share(service)}),
			chart("95 % of requests within", seconds, query{name: "{{" + service + "}}", expr: r.within(0.95, service)}),
			chart("Replicas that are missing", units.Short, query{name: "{{namespace}}/{{deployment}}",
				expr: `kube_deployment_spec_replicas{` + pods + `} - kube_deployment_status_replicas_available{` + pods + `}`}),
			chart("CPU, in cores", units.Short, podCPU(pods)),
			chart("Memory, of the limit", fraction, query{name: "{{pod}}/{{container}}",
				expr: `max by (pod, container) (container_memory_working_set_bytes{` + pods + `, container!=""})` +
					` / max by (pod, container) (kube_pod_container_resource_limits{` + pods + `, resource="memory"})`}),
			chart("Restarts in the last hour", units.Short, query{name: "{{pod}}/{{container}}",
				expr: `max by (pod, container) (increase(kube_pod_container_status_restarts_total{` + pods + `}[1h])) > 0`}),
		},
	}
}

// data is the database and the caches.
func (p *Platform) data() *page {
	made := &page{uid: dataUID, title: "Caches", logs: p.beside("redis|sentinel")}
	if p.Caches {
		made.panels = cachePanels(made.logs)
	}
	if p.Database {
		made.title, made.logs, made.signals = "Database", p.beside("database"), databaseSignals()
		made.panels = slices.Concat(databasePanels(), backupPanels(), made.panels)
	}
	return made
}

// beside selects the logs of containers beside the first app.
func (p *Platform) beside(containers string) string {
	return `{namespace="` + p.Apps[0] + `", container=~"` + containers + `"}`
}

// databaseSignals count transactions, where a roll-back is an error or what an app asked for: a change of it tells, and not that
// there are some.
func databaseSignals() *signals {
	const committed, rolledBack = "ccp_stat_database_xact_commit", "ccp_stat_database_xact_rollback"
	return &signals{
		rate: query{name: "Transactions", unit: units.OpsPerSecond,
			expr: "sum(rate(" + committed + "[5m])) + sum(rate(" + rolledBack + "[5m]))"},
		errors: query{name: "Rolled back", unit: fraction, expr: partOf(rolledBack, committed, "")},
		duration: query{name: "Statement on average", unit: seconds, limits: limits{0.1, 0.5},
			expr: `sum(rate(ccp_pg_stat_statements_total_exec_time_ms[5m]))` +
				` / (sum(rate(ccp_pg_stat_statements_total_calls_count[5m])) > 0) / 1000`},
	}
}

func databasePanels() []panel {
	s := databaseSignals()
	return []panel{
		chart("Transactions", units.OpsPerSecond,
			query{name: "{{dbname}}", expr: `sum by (dbname) (rate(ccp_stat_database_xact_commit[5m]))`}),
		chart("Rolled back", fraction, query{name: "of all transactions", expr: s.errors.expr}),
		chart("Statement on average", seconds, query{name: "time", expr: s.duration.expr}),
		chart("Longest now", seconds,
			query{name: "statement", expr: `max(ccp_connection_stats_max_query_time)`},
			query{name: "waiting for a lock", expr: `max(ccp_connection_stats_max_blocked_query_time)`},
			query{name: "idle in a transaction", expr: `max(ccp_connection_stats_max_idle_in_txn_time)`}),
		chart("Connections", units.Short,
			query{name: "active on {{pod}}", expr: `max by (pod) (ccp_connection_stats_active)`},
			query{name: "open on {{pod}}", expr: `max by (pod) (ccp_connection_stats_total)`},
			query{name: "allowed", expr: `min(ccp_connection_stats_max_connections)`}),
		chart("Read from memory", fraction, query{name: "of all blocks",
			expr: partOf("ccp_stat_database_blks_hit", "ccp_stat_database_blks_read", "")}),
		chart("Replicas lag behind by", seconds, query{name: "{{pod}}", expr: `max by (pod) (ccp_replication_lag_replay_time)`}),
		chart("Size", bytes, query{name: "{{dbname}}", expr: `max by (dbname) (ccp_database_size_bytes)`},
			query{name: "log of changes on {{pod}}", expr: `max by (pod) (ccp_wal_activity_total_size_bytes)`}),
	}
}

const (
	lastBackup = `min(ccp_backrest_last_incr_backup_time_since_completion_seconds)`
	lastFull   = `min(ccp_backrest_last_full_backup_time_since_completion_seconds)`
	// lastRestore is when one was last tried well, beside the database.
	lastRestore = `time() - max(kube_cronjob_status_last_successful_time{cronjob=~".+-restore-test"})`
)

func backupPanels() []panel {
	return []panel{
		chart("Age of the last backup", seconds, query{name: "any", expr: lastBackup}, query{name: "full", expr: lastFull},
			query{name: "restored, as a test", expr: lastRestore}),
		chart("Changes that could not be archived", units.Short, query{name: "{{pod}}, in an hour",
			expr: `max by (pod) (increase(ccp_archive_command_status_failed_count[1h]))`}),
	}
}

func cachePanels(logs string) []panel {
	panels := []panel{
		chart("Caches: commands", units.OpsPerSecond,
			query{name: "{{service}}", expr: `sum by (service) (rate(redis_commands_processed_total[5m]))`}),
		chart("Caches: memory, of what they may take", fraction, query{name: "{{service}}",
			expr: `max by (service) (redis_memory_used_bytes / (redis_memory_max_bytes > 0))`}),
		chart("Caches: found", fraction, query{name: "{{service}}",
			expr: partOf("redis_keyspace_hits_total", "redis_keyspace_misses_total", "service")}),
		chart("Caches: evicted", units.OpsPerSecond,
			query{name: "{{service}}", expr: `sum by (service) (rate(redis_evicted_keys_total[5m]))`}),
	}
	for i := range panels {
		panels[i].logs = logs
	}
	return panels
}
