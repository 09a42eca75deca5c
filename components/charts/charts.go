// Package charts is the one list of the upstream charts that the platform installs, and the resource that installs them.
// Nothing else pins a chart.
package charts

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts/archive"
)

// Chart is a Helm chart at one version. Its archive is at hand, in a folder that `make charts` fills: a chart repository that is
// down, or served by what is, keeps nobody from changing the platform.
type Chart struct {
	// Name is the chart's name, or its whole reference where Repository is an OCI registry.
	Name string
	// Repository is the URL of the chart's repository; empty for a chart in an OCI registry.
	Repository string
	// Version is the chart's version. Changing it upgrades the release.
	Version string
	// SHA256 is the digest of the chart's archive. Where it is empty `make charts` records that of the first download here.
	SHA256 string
}

// The charts, in the order of the graph. Renovate and `make charts` read this file: see .github/renovate.json and cmd/charts.
var (
	CloudFirewallCRDs = Chart{"cloud-firewall-crd", "https://linode.github.io/cloud-firewall-controller", "0.2.0",
		"4aca430718c6b8d7490bd89e6fd778dbb81f369212fb940e9e5f017940a76f19"}
	CloudFirewall = Chart{"cloud-firewall-controller", "https://linode.github.io/cloud-firewall-controller", "0.2.1",
		"775712f2ae4593d7422fc267f3ed9e86cd37d1917db47f29cedd287e6fce78f0"}

	CertManager = Chart{"cert-manager", "https://charts.jetstack.io", "v1.21.1",
		"c27101f3f3e2349fb4a9e704316105bf7b52ad73b8c8257d3498ef7f2f6a4adc"}
	// LinodeWebhook solves DNS-01 challenges. Version v0.4.0 is withdrawn upstream.
	LinodeWebhook = Chart{"oci://ghcr.io/linode/cert-manager-webhook-linode/charts/webhook", "", "v0.4.1",
		""}

	Traefik = Chart{"traefik", "https://traefik.github.io/charts", "41.3.0",
		""}
	IngressNGINX = Chart{"ingress-nginx", "https://kubernetes.github.io/ingress-nginx", "4.15.1",
		"3eff0bd18151d6e6b1c441463410571443dda1ac78292cb189346628de784f0c"}

	PostgresOperator = Chart{"oci://registry.developers.crunchydata.com/crunchydata/pgo", "", "6.0.3",
		""}

	RedisHA = Chart{"redis-ha", "https://dandydeveloper.github.io/charts", "4.39.0",
		"c55181ee72f0c4aef829e8737771f22679518816999d1b2b61816a0c54360ad0"}

	KubePrometheusStack = Chart{"kube-prometheus-stack", "https://prometheus-community.github.io/helm-charts", "88.5.3",
		""}
	MetricsServer = Chart{"metrics-server", "https://kubernetes-sigs.github.io/metrics-server", "3.13.1",
		"084e6edb680cf4e2acc30bd496568c53fdf663cbacf6e17876b25785c35b7a13"}

	Loki = Chart{"loki", "https://grafana-community.github.io/helm-charts", "18.11.0",
		""}
	Alloy = Chart{"alloy", "https://grafana.github.io/helm-charts", "1.11.1",
		""}

	Keel = Chart{"keel", "https://keel-hq.github.io/keel/", "1.2.0",
		"d95da0610ac1920f833b7ee2173a5554f7457a21f99157839d32d1ce134a95f8"}
)

// All are the charts of the list.
func All() []Chart {
	return []Chart{
		CloudFirewallCRDs, CloudFirewall, CertManager, LinodeWebhook, Traefik, IngressNGINX, PostgresOperator,
		RedisHA, KubePrometheusStack, MetricsServer, Loki, Alloy, Keel,
	}
}

// Path is the path of the chart's archive, seen from the top of the repository.
func (c Chart) Path() string { return archive.Path(c.Name, c.Version) }

// Check says what is wrong with the archive of the chart below a folder. The error is fs.ErrNotExist where there is none.
func (c Chart) Check(root string) error {
	digest, err := archive.Digest(filepath.Join(root, c.Path()))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
	case c.SHA256 == "":
		return fmt.Errorf("%s %s: no digest is pinned; the archive has sha256 %s", c.Name, c.Version, digest)
	case digest != c.SHA256:
		return fmt.Errorf("%s %s: %s has sha256 %s, and the pinned one is %s", c.Name, c.Version, c.Path(), digest, c.SHA256)
	}
	return nil
}

// AtHand has a program begin only where its charts are at hand as they were reviewed, whichever way Pulumi is called.
func AtHand(program pulumi.RunFunc, pinned func(*pulumi.Context) []Chart) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		var faults []error
		for _, chart := range pinned(ctx) {
			if err := chart.Check("."); err != nil {
				faults = append(faults, err)
			}
		}
		if len(faults) > 0 {
			return fmt.Errorf("nothing was changed, charts are not at hand as they are pinned; run `make charts`\n%w",
				errors.Join(faults...))
		}
		return program(ctx)
	}
}
