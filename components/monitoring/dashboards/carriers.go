package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/units"

// What is used up of a node, by its name. The exporter knows nodes by their addresses, and tells their names beside.
const (
	nodeCPU    = `(1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))` + nodeName
	nodeMemory = `(1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)` + nodeName
	nodeDisk   = `(1 - node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"})` + nodeName
	nodeName   = ` * on (instance) group_left (nodename) node_uname_info`

	volumeUsed = `max by (namespace, persistentvolumeclaim) (` +
		`1 - kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes)`
)

// crowded is how much of a node may be used, full how much of a volume: the alerts' own limits.
var (
	crowded = limits{0.8, 0.95}
	full    = limits{0.85, 0.95}
)

// nodes carry everything, and volumes what is kept.
func (p *Platform) nodes() *page {
	return &page{
		uid: nodesUID, title: "Nodes and volumes", logs: `{source="events"}`,
		panels: []panel{
			chart("CPU that is used", fraction, query{name: "{{nodename}}", expr: nodeCPU}),
			chart("Memory that is used", fraction, query{name: "{{nodename}}", expr: nodeMemory}),
			chart("CPU that is reserved", fraction, query{name: "{{node}}", expr: reserved("cpu")}),
			chart("Memory that is reserved", fraction, query{name: "{{node}}", expr: reserved("memory")}),
			chart("Disk of the node", fraction, query{name: "{{nodename}}", expr: nodeDisk}),
			chart("Network, in and out", units.BytesPerSecondIEC, query{name: "{{nodename}}",
				expr: `sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}[5m])` +
					` + rate(node_network_transmit_bytes_total{device!="lo"}[5m]))` + nodeName}),
			{
				title: "Volumes", shape: bars, unit: fraction, limits: full, width: half, height: 10,
				queries: []query{{name: "{{namespace}}/{{persistentvolumeclaim}}", expr: `sort_desc(` + volumeUsed + `)`}},
			},
			{
				title: "Volumes over time", shape: graph, unit: fraction, width: half, height: 10,
				queries: []query{{name: "{{namespace}}/{{persistentvolumeclaim}}", expr: volumeUsed}},
			},
			chart("Nodes that are not ready", units.Short, query{name: "{{node}}",
				expr: `1 - kube_node_status_condition{condition="Ready", status="true"}`}),
			chart("Pods that wait for a node", units.Short, query{name: "{{namespace}}",
				expr: `sum by (namespace) (kube_pod_status_phase{phase="Pending"})`}),
		},
	}
}

// reserved is the part of a node that its pods have asked for. The scheduler goes by that.
func reserved(resource string) string {
	return `sum by (node) (kube_pod_container_resource_requests{resource="` + resource + `"})` +
		` / sum by (node) (kube_node_status_allocatable{resource="` + resource + `"})`
}

const (
	// certificateEnd is none of what has not been issued yet, which counts from 1970.
	certificateEnd = `(certmanager_certificate_expiration_timestamp_seconds > 0)`

	// charts are those that what runs says it comes from; some say so in a label of their own.
	charts = `count by (namespace, chart) (` +
		`label_replace(kube_deployment_labels{label_helm_sh_chart!=""}, "chart", "$1", "label_helm_sh_chart", "(.+)")` +
		` or label_replace(kube_daemonset_labels{label_helm_sh_chart!=""}, "chart", "$1", "label_helm_sh_chart", "(.+)")` +
		` or label_replace(kube_deployment_labels{label_chart!=""}, "chart", "$1", "label_chart", "(.+)"))`

	// nodesMonth are the nodes that there are at the prices that the program found.
	nodesMonth = `sum(count by (type) (` +
		`label_replace(kube_node_labels, "type", "$1", "label_node_kubernetes_io_instance_type", "(.+)"))` +
		` * on (type) platform:node_month:usd)`
)

// images are those that the containers of pods run.
func images(pods string) string {
	return `count by (namespace, container, image) (kube_pod_container_info` + pods + `)`
}

// delivery is what brings versions and certificates.
func (p *Platform) delivery() *page {
	made := &page{
		uid: deliveryUID, title: "Certificates and delivery", logs: `{namespace="cert-manager"}`,
		panels: []panel{
			{
				title: "Certificates in the cluster", shape: bars, unit: units.Days, limits: limits{10, 7},
				width: half, height: 8,
				about:   "Days until each ends. It is renewed when a third of its life is left.",
				queries: []query{{name: "{{name}}", expr: daysLeft("min by (name) " + certificateEnd)}},
			},
			{
				title: "Certificates that are not ready", shape: list, unit: units.Short, width: half, height: 8,
				queries: []query{{name: "Not ready",
					expr: `max by (name) (certmanager_certificate_ready_status{condition!="True"}) == 1`}},
			},
			{
				title: "New versions of workloads", shape: list, unit: units.DateTimeFromNow, width: whole, height: 10,
				about: "The twenty last times that a Deployment began to run something else: another image, or other settings.",
				queries: []query{{name: "Began",
					expr: `topk(20, max by (namespace, replicaset) (kube_replicaset_created)) * 1000`}},
			},
			chart("Replicas of the new version that are missing", units.Short, query{name: "{{namespace}}/{{deployment}}",
				expr: `(kube_deployment_spec_replicas - kube_deployment_status_replicas_updated) > 0`}),
			chart("Jobs that failed", units.Short, query{name: "{{namespace}}/{{job_name}}",
				expr: `sum by (namespace, job_name) (kube_job_status_failed) > 0`}),
			{
				title: "Charts that run", shape: list, unit: units.Short, width: half, height: 10,
				queries: []query{{name: "Workloads", expr: charts}},
			},
			{
				title: "Images that run", shape: list, unit: units.Short, width: half, height: 10,
				queries: []query{{name: "Pods", expr: images("")}},
			},
		},
	}
	if p.Certsync {
		made.panels = append(made.panels, chart("Since certificates were last copied to Fastly", seconds, query{
			name: "{{cronjob}}",
			expr: `time() - max by (cronjob) (kube_cronjob_status_last_successful_time{cronjob=~"certsync.*"})`,
		}))
	}
	return made
}
