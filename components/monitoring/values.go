package monitoring

import (
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// alertmanagerStorage holds silences and what was sent already; no volume is smaller.
const alertmanagerStorage = "10Gi"

// stackLabel tells alerts which stack they are of.
const stackLabel = "stack"

// values are those of the chart kube-prometheus-stack.
// Upstream: https://github.com/prometheus-community/helm-charts/tree/main/charts/kube-prometheus-stack
func (a *Args) values(stack string, login, home pulumi.StringInput) pulumi.Map {
	values := managedControlPlane()
	maps.Copy(values, pulumi.Map{
		"crds":                     crds(),
		"prometheusOperator":       operator(),
		"prometheus":               pulumi.Map{"prometheusSpec": a.prometheus(stack)},
		"alertmanager":             a.alertmanager(),
		"grafana":                  a.grafana(login, home),
		"kube-state-metrics":       stateMetrics(),
		"prometheus-node-exporter": pulumi.Map{"resources": kube.Requests("25m", "64Mi")},
	})
	return values
}

// managedControlPlane turns off what cannot be reached, as Linode runs it, and the alerts about it, which would fire forever.
// The alerts that those of this package take the place of are off too.
func managedControlPlane() pulumi.Map {
	off := func() pulumi.Map { return pulumi.Map{"enabled": pulumi.Bool(false)} }
	return pulumi.Map{
		"kubeEtcd":              off(),
		"kubeControllerManager": off(),
		"kubeScheduler":         off(),
		"kubeProxy":             off(),
		"defaultRules": pulumi.Map{
			"rules": pulumi.ToBoolMap(map[string]bool{
				"etcd": false, "kubeControllerManager": false, "kubeProxy": false,
				"kubeSchedulerAlerting": false, "kubeSchedulerRecording": false,
			}),
			"disabled": pulumi.ToBoolMap(map[string]bool{
				"KubeDeploymentReplicasMismatch": true, "KubeStatefulSetReplicasMismatch": true,
				"KubeNodeNotReady": true, "KubePersistentVolumeFillingUp": true,
			}),
		},
	}
}

// crds go up with the chart: Helm itself installs CRDs and never upgrades them.
func crds() pulumi.Map {
	return pulumi.Map{"upgradeJob": pulumi.Map{
		"enabled":   pulumi.Bool(true),
		"resources": kube.Requests("10m", "128Mi"),
		"image":     pulumi.Map{"busybox": pulumi.Map{"tag": pulumi.String(charts.Busybox.Tag)}},
	}}
}

func operator() pulumi.Map {
	return pulumi.Map{
		"resources":                kube.Requests("25m", "192Mi"),
		"tolerations":              kube.TolerationValues(),
		"prometheusConfigReloader": pulumi.Map{"resources": kube.Requests("10m", "50Mi")},
		"admissionWebhooks":        pulumi.Map{"patch": pulumi.Map{"resources": kube.Requests("10m", "64Mi")}},
	}
}

// prometheus, like Alertmanager, keeps Kubernetes' own delay before it leaves a node that is not reached: see kube.Tolerations.
func (a *Args) prometheus(stack string) pulumi.Map {
	spec := pulumi.Map{
		// Alerts of two stacks may come to one channel.
		"externalLabels": pulumi.StringMap{stackLabel: pulumi.String(stack)},

		"retention":     pulumi.String(a.Retention),
		"retentionSize": pulumi.String(strconv.FormatInt(a.historyBytes()>>20, 10) + "MiB"),
		"resources":     kube.Requests(a.Resources.CPU, a.Resources.Memory),
		"storageSpec":   a.volume(a.Storage),

		"persistentVolumeClaimRetentionPolicy": keepClaims(),
	}
	// Otherwise only monitors and rules of this one release are taken.
	for _, kind := range []string{"serviceMonitor", "podMonitor", "probe", "scrapeConfig", "rule"} {
		spec[kind+"SelectorNilUsesHelmValues"] = pulumi.Bool(false)
	}
	return spec
}

func (a *Args) alertmanager() pulumi.Map {
	spec := pulumi.Map{
		"resources":                            kube.Requests("10m", "100Mi"),
		"storage":                              a.volume(alertmanagerStorage),
		"persistentVolumeClaimRetentionPolicy": keepClaims(),
	}
	if len(a.Alerts.secretNames()) > 0 {
		spec["secrets"] = pulumi.ToStringArray([]string{receiversSecret})
	}
	return pulumi.Map{
		"alertmanagerSpec": spec, "config": a.Alerts.config(a.grafanaURL()),
		// What each receiver answered, which cmd/alerts reads.
		"enableFeatures": pulumi.ToStringArray([]string{"receiver-name-in-metrics"}),
	}
}

func (a *Args) grafanaURL() string { return "https://" + a.GrafanaHost }

// grafana has no volume, and reads dashboards from its own namespace only: the role for all namespaces that the chart would
// give it reads every Secret of the cluster.
func (a *Args) grafana(login, home pulumi.StringInput) pulumi.Map {
	values := pulumi.Map{
		"admin": pulumi.Map{
			"existingSecret": login, "userKey": pulumi.String(userKey), "passwordKey": pulumi.String(passwordKey),
		},
		"resources":     kube.Requests("50m", "512Mi"),
		"tolerations":   kube.TolerationValues(),
		"persistence":   pulumi.Map{"enabled": pulumi.Bool(false)},
		"initChownData": pulumi.Map{"enabled": pulumi.Bool(false)},
		"testFramework": pulumi.Map{"enabled": pulumi.Bool(false)},
		"rbac":          pulumi.Map{"namespaced": pulumi.Bool(true)},
		"sidecar": pulumi.Map{
			"resources": kube.Requests("10m", "128Mi"),
			"dashboards": pulumi.Map{
				"searchNamespace":  pulumi.String(namespace.Monitoring),
				"folderAnnotation": pulumi.String(folderAnnotation),
				"provider":         pulumi.Map{"foldersFromFilesStructure": pulumi.Bool(true)},
			},
			"datasources": pulumi.Map{"searchNamespace": pulumi.String(namespace.Monitoring)},
		},
		// Not by the sidecar, which brings its files when Grafana runs already, and may have looked for this one.
		"extraConfigmapMounts": pulumi.Array{pulumi.Map{
			"name": pulumi.String("home"), "configMap": home, "mountPath": pulumi.String(homeDir), "readOnly": pulumi.Bool(true),
		}},
		"env": pulumi.StringMap{
			"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": pulumi.String(homeDir + "/" + homeFile),

			"GF_SERVER_ROOT_URL": pulumi.String(a.grafanaURL()),
			// The login's cookie goes over TLS only.
			"GF_SECURITY_COOKIE_SECURE":      pulumi.String("true"),
			"GF_ANALYTICS_REPORTING_ENABLED": pulumi.String("false"),
			"GF_ANALYTICS_CHECK_FOR_UPDATES": pulumi.String("false"),
		},
	}
	if a.LogsURL != "" {
		values["additionalDataSources"] = pulumi.Array{pulumi.Map{
			"name": pulumi.String("Loki"), "uid": pulumi.String(logsUID), "type": pulumi.String("loki"),
			"url": pulumi.String(a.LogsURL), "access": pulumi.String("proxy"),
		}}
	}
	return values
}

// stateMetrics tells nothing of Secrets, and so may not read those of the whole cluster. Of labels it tells those that the
// dashboards show: which chart something comes from, and which type a node is of.
func stateMetrics() pulumi.Map {
	return pulumi.Map{
		"resources":         kube.Requests("25m", "128Mi"),
		"tolerations":       kube.TolerationValues(),
		"collectorsExclude": pulumi.ToStringArray([]string{"secrets"}),
		"metricLabelsAllowlist": pulumi.ToStringArray([]string{
			"deployments=[helm.sh/chart,chart]", "daemonsets=[helm.sh/chart,chart]", "nodes=[node.kubernetes.io/instance-type]",
		}),
	}
}

// volume is a claim whose name tells its size in GiB, which Linode's volumes are whole numbers of: the operator makes the pod's
// StatefulSet anew where the size changes, and the new one would take an old claim by its name, however small.
func (a *Args) volume(size string) pulumi.Map {
	quantity := resource.MustParse(size)
	gibibytes := (quantity.Value() + 1<<30 - 1) >> 30
	return pulumi.Map{"volumeClaimTemplate": pulumi.Map{
		"metadata": pulumi.Map{"name": pulumi.Sprintf("data-%dgi", gibibytes)},
		"spec": pulumi.Map{
			"storageClassName": a.StorageClass,
			"accessModes":      pulumi.ToStringArray([]string{"ReadWriteOnce"}),
			"resources":        pulumi.Map{"requests": pulumi.StringMap{"storage": pulumi.String(size)}},
		},
	}}
}

// keepClaims keeps the volumes where the operator makes a StatefulSet anew, which it does whenever one of its fields that cannot
// change is to change. At the end of a stack they go with their namespace.
func keepClaims() pulumi.StringMap {
	return pulumi.StringMap{"whenDeleted": pulumi.String("Retain"), "whenScaled": pulumi.String("Delete")}
}
