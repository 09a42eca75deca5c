package certificates

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// groupName is the API group under which cert-manager finds the solver; it is part of the solver's image.
const groupName = "acme.slicen.me"

// newManager installs cert-manager.
// Upstream: https://cert-manager.io/docs/installation/helm/
func (i *Issuers) newManager(
	ctx *pulumi.Context, name string, args *Args, namespace pulumi.StringInput,
) (*charts.Release, error) {
	return charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart:     charts.CertManager,
		Name:      "cert-manager",
		Namespace: namespace,
		Values: pulumi.Map{
			// Kept, since the cluster's certificates would go with their definitions.
			"crds": pulumi.Map{"enabled": pulumi.Bool(true), "keep": pulumi.Bool(true)},
			// These say which name servers a zone has; whether a record is there, those are asked themselves. Resolvers would be
			// asked before Linode has published it, and remember that it is not there.
			"dns01RecursiveNameservers": pulumi.String("1.1.1.1:53,8.8.8.8:53"),
			"prometheus":                pulumi.Map{"servicemonitor": pulumi.Map{"enabled": pulumi.Bool(true)}},
			"resources":                 kube.Requests("20m", "192Mi"),
			"tolerations":               kube.TolerationValues(),
			"webhook":                   webhook(),
			"cainjector": pulumi.Map{
				"resources":   kube.Requests("10m", "192Mi"),
				"tolerations": kube.TolerationValues(),
			},
			"startupapicheck": pulumi.Map{"resources": kube.Requests("10m", "64Mi")},
		},
		Overrides: args.Values,
	}, pulumi.Parent(i))
}

// webhook is the admission webhook: without it no certificate can be written, so there are two, on different nodes.
func webhook() pulumi.Map {
	labels := pulumi.StringMap{
		"app.kubernetes.io/instance":  pulumi.String("cert-manager"),
		"app.kubernetes.io/component": pulumi.String("webhook"),
	}
	return pulumi.Map{
		"replicaCount": pulumi.Int(2),
		"podDisruptionBudget": pulumi.Map{
			"enabled":                    pulumi.Bool(true),
			"maxUnavailable":             pulumi.Int(1),
			"unhealthyPodEvictionPolicy": pulumi.String("AlwaysAllow"),
		},
		"resources":   kube.Requests("10m", "64Mi"),
		"tolerations": kube.TolerationValues(),
		"topologySpreadConstraints": pulumi.Array{pulumi.Map{
			"maxSkew":           pulumi.Int(1),
			"topologyKey":       pulumi.String("kubernetes.io/hostname"),
			"whenUnsatisfiable": pulumi.String("ScheduleAnyway"),
			"labelSelector":     pulumi.Map{"matchLabels": labels},
			"matchLabelKeys":    pulumi.ToStringArray([]string{"pod-template-hash"}),
		}},
	}
}

// newSolver installs the webhook that answers DNS-01 challenges in Linode's zones. Its own serving certificate is
// cert-manager's to issue, so that it comes after it.
// Upstream: https://github.com/linode/cert-manager-webhook-linode
func (i *Issuers) newSolver(
	ctx *pulumi.Context, name string, namespace pulumi.StringInput, token *corev1.Secret, manager *charts.Release,
) (*charts.Release, error) {
	return charts.NewRelease(ctx, name+"-solver", &charts.ReleaseArgs{
		Chart:     charts.LinodeWebhook,
		Name:      solverName,
		Namespace: namespace,
		Values: pulumi.Map{
			"api": pulumi.Map{"groupName": pulumi.String(groupName)},
			"certManager": pulumi.Map{
				"namespace": namespace, "serviceAccountName": pulumi.String("cert-manager"),
			},
			"deployment": pulumi.Map{
				"secretName": token.Metadata.Name().Elem(), "secretKey": pulumi.String(tokenKey), "logLevel": pulumi.Int(2),
			},
			// The chart's own value is latest; its versions and those of the image are the same.
			"image":       pulumi.Map{"tag": pulumi.String(charts.LinodeWebhook.Version)},
			"resources":   kube.Requests("10m", "128Mi"),
			"tolerations": kube.TolerationValues(),
		},
	}, pulumi.Parent(i), pulumi.DependsOn([]pulumi.Resource{manager}))
}
