package postgres

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// ExporterPort is the name of the port that metrics are read from. A namespace that lets nothing in has to open it to monitoring.
const ExporterPort = "exporter"

// Bounds keep the servers from everything but the bucket of their backups and the API server, which holds the lock of the
// primary, and the poolers from everything but the servers. A namespace that a cluster runs in should have them.
func Bounds() []namespace.Bound {
	return []namespace.Bound{
		// 443 is the bucket's, too.
		{Name: "database-bound", Pods: map[string]string{prefix + "data": "postgres"}, Ports: namespace.APIServer},
		{Name: "restore-test-bound", Pods: map[string]string{"app.kubernetes.io/component": restoreTest}, Ports: []int{443}},
		{Name: "pooler-bound", Pods: map[string]string{prefix + "role": "pgbouncer"}},
	}
}

// newMonitor lets Prometheus read the metrics, under the labels that upstream's dashboards and rules know.
// Upstream: https://github.com/CrunchyData/postgres-operator/tree/main/config/monitoring
func (c *Cluster) newMonitor(ctx *pulumi.Context, name string, args *Args) error {
	const label = "__meta_kubernetes_pod_label_postgres_operator_crunchydata_com_"
	metadata := args.metadata(args.Name, nil)
	return kube.NewPodMonitor(ctx, name+"-monitor", &metadata, pulumi.StringMap{
		prefix + "cluster": pulumi.String(args.Name), prefix + "crunchy-postgres-exporter": pulumi.String("true"),
	}, pulumi.Map{
		"port": pulumi.String(ExporterPort),
		"relabelings": pulumi.Array{
			relabel("pg_cluster", "__meta_kubernetes_namespace", label+"cluster"),
			relabel("deployment", label+"instance"),
			relabel("role", label+"role"),
			relabel("ip", "__meta_kubernetes_pod_ip"),
		},
	}, pulumi.Parent(c))
}

// relabel makes a label of others, with a colon between them.
func relabel(label string, sources ...string) pulumi.Map {
	return pulumi.Map{
		"sourceLabels": pulumi.ToStringArray(sources),
		"separator":    pulumi.String(":"),
		"targetLabel":  pulumi.String(label),
	}
}
