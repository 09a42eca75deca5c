// Package charts is the one list of the upstream charts that the platform installs, and the resource that installs them.
// Nothing else pins a chart.
package charts

// Chart is a Helm chart at one version.
type Chart struct {
	// Name is the chart's name, or its whole reference where Repository is an OCI registry.
	Name string
	// Repository is the URL of the chart's repository; empty for a chart in an OCI registry.
	Repository string
	// Version is the chart's version. Changing it upgrades the release.
	Version string
}

// The charts, in the order of the graph. Renovate reads this file: see .github/renovate.json.
var (
	CloudFirewallCRDs = Chart{"cloud-firewall-crd", "https://linode.github.io/cloud-firewall-controller", "0.2.0"}
	CloudFirewall     = Chart{"cloud-firewall-controller", "https://linode.github.io/cloud-firewall-controller", "0.2.1"}

	CertManager = Chart{"cert-manager", "https://charts.jetstack.io", "v1.21.1"}
	// LinodeWebhook solves DNS-01 challenges. Version v0.4.0 is withdrawn upstream.
	LinodeWebhook = Chart{"oci://ghcr.io/linode/cert-manager-webhook-linode/charts/webhook", "", "v0.4.1"}

	Traefik      = Chart{"traefik", "https://traefik.github.io/charts", "41.3.0"}
	IngressNGINX = Chart{"ingress-nginx", "https://kubernetes.github.io/ingress-nginx", "4.15.1"}

	PostgresOperator = Chart{"oci://registry.developers.crunchydata.com/crunchydata/pgo", "", "6.0.3"}

	KubePrometheusStack = Chart{"kube-prometheus-stack", "https://prometheus-community.github.io/helm-charts", "88.5.3"}
	MetricsServer       = Chart{"metrics-server", "https://kubernetes-sigs.github.io/metrics-server", "3.13.1"}

	Keel = Chart{"keel", "https://keel-hq.github.io/keel/", "1.2.0"}
)
