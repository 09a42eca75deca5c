package tests

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/monitoring"
)

const (
	chartReleaseType = "kubernetes:helm.sh/v3:Release"
	alertRulesType   = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
	probeType        = "kubernetes:monitoring.coreos.com/v1:Probe"
)

// monitored are arguments with every kind of receiver.
func monitored() monitoring.Args {
	args := monitoring.Defaults()
	args.GrafanaHost, args.StorageClass = "grafana.example.com", pulumi.String("platform-delete")
	args.Alerts.Receivers = []monitoring.Receiver{
		{Name: "ops", Slack: &monitoring.Slack{Channel: "#ops", URL: "slack-url"}},
		{Name: "pager", Severity: "critical", Webhook: &monitoring.Webhook{URL: "pager-url"}},
		{Name: "owners", Severity: "critical", Email: &monitoring.Email{
			To: "owners@example.com", From: "platform@example.com", Server: "smtp.example.com:587", User: "platform",
			Password: "smtp-password",
		}},
	}
	args.Alerts.DeadManSwitch = &monitoring.DeadManSwitch{URL: "heartbeat-url"}
	args.Objectives, args.Fastly = &monitoring.Objectives{}, &monitoring.Fastly{Token: "fastly-read-token"}
	args.Objectives.Default()
	values := pulumi.StringMap{}
	for _, name := range args.SecretNames() {
		values[name] = pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)
	}
	args.SecretValues = values
	return args
}

// monitor declares the stack of the arguments, with an Ingress for Grafana and the probes of two public names.
func monitor(t *testing.T, args monitoring.Args) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		stack, err := monitoring.New(ctx, "monitoring", &args)
		if err != nil {
			return err
		}
		_, err = stack.NewIngress(ctx, "grafana", &monitoring.IngressArgs{
			Host: args.GrafanaHost, Class: pulumi.String("traefik"), TLSSecret: pulumi.String("grafana-tls"),
		})
		if err != nil {
			return err
		}
		err = stack.NewProbes(ctx, "probes", &monitoring.ProbesArgs{
			Hosts: []string{"example.com", args.GrafanaHost}, Origin: "https://example.com/health",
		})
		if err != nil || args.Fastly == nil {
			return err
		}
		return stack.NewFastlyStatistics(ctx, "fastly-statistics", &args, pulumi.ToStringArray([]string{"service1", "service2"}))
	}, pulumi.WithMocks(projectName, "test", g)))
	return g
}

// chartValues are the values of a release, without marks of secrets.
func chartValues(t *testing.T, g *graph, name string) map[string]any {
	t.Helper()
	return g.find(t, chartReleaseType, name).inputs["values"].Mappable().(map[string]any)
}

// inside walks down maps.
func inside(t *testing.T, value any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		require.Contains(t, value, key)
		value = value.(map[string]any)[key]
	}
	return value
}

func TestMonitoringLeavesTheManagedControlPlaneAlone(t *testing.T) {
	t.Parallel()
	values := chartValues(t, monitor(t, monitored()), "monitoring")
	for _, part := range []string{"kubeEtcd", "kubeControllerManager", "kubeScheduler", "kubeProxy"} {
		require.Equal(t, false, inside(t, values, part, "enabled"), part)
	}
	for _, group := range []string{
		"etcd", "kubeControllerManager", "kubeSchedulerAlerting", "kubeSchedulerRecording", "kubeProxy",
	} {
		require.Equal(t, false, inside(t, values, "defaultRules", "rules", group), "its alerts would fire forever")
	}
}

func TestPrometheusSelectsTheMonitorsOfAllComponents(t *testing.T) {
	t.Parallel()
	spec := inside(t, chartValues(t, monitor(t, monitored()), "monitoring"), "prometheus", "prometheusSpec")
	for _, kind := range []string{"serviceMonitor", "podMonitor", "probe", "scrapeConfig", "rule"} {
		require.Equal(t, false, inside(t, spec, kind+"SelectorNilUsesHelmValues"))
	}
}

func TestTheHistoryFitsItsVolume(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Storage = "20Gi"
	spec := inside(t, chartValues(t, monitor(t, args), "monitoring"), "prometheus", "prometheusSpec")
	require.Equal(t, "30d", inside(t, spec, "retention"))
	require.Equal(t, "15360MiB", inside(t, spec, "retentionSize"), "three quarters of the volume")
	claim := inside(t, spec, "storageSpec", "volumeClaimTemplate", "spec")
	require.Equal(t, "platform-delete", inside(t, claim, "storageClassName"))
	require.Equal(t, "20Gi", inside(t, claim, "resources", "requests", "storage"))
}

// The operator makes a StatefulSet anew where a field of it cannot change, and is not to take the history along.
func TestTheHistoryOutlivesItsStatefulSet(t *testing.T) {
	t.Parallel()
	names := map[any]bool{}
	for _, size := range []string{"20Gi", "1.5Ti", "21Gi"} {
		args := monitored()
		args.Storage = size
		values := chartValues(t, monitor(t, args), "monitoring")
		for _, spec := range []any{
			inside(t, values, "prometheus", "prometheusSpec"), inside(t, values, "alertmanager", "alertmanagerSpec"),
		} {
			require.Equal(t, "Retain", inside(t, spec, "persistentVolumeClaimRetentionPolicy", "whenDeleted"))
		}
		name := inside(t, values, "prometheus", "prometheusSpec", "storageSpec", "volumeClaimTemplate", "metadata", "name")
		require.Empty(t, validation.IsDNS1123Label(name.(string)), "it names a volume of the pod too")
		names[name] = true
	}
	require.Len(t, names, 3, "a claim of the same name would be taken as it is, however small")
}

// A pod of a StatefulSet is not replaced while its node may still run it: leaving in haste only makes a hiccup an outage.
func TestWhatHasAVolumeDoesNotLeaveInHaste(t *testing.T) {
	t.Parallel()
	values := chartValues(t, monitor(t, monitored()), "monitoring")
	require.NotContains(t, inside(t, values, "prometheus", "prometheusSpec"), "tolerations")
	require.NotContains(t, inside(t, values, "alertmanager", "alertmanagerSpec"), "tolerations")
	require.Len(t, inside(t, values, "grafana", "tolerations"), 2, "what has none leaves soon")
}

func TestNothingOfMonitoringReadsTheSecretsOfTheCluster(t *testing.T) {
	t.Parallel()
	values := chartValues(t, monitor(t, monitored()), "monitoring")
	require.Equal(t, []any{"secrets"}, inside(t, values, "kube-state-metrics", "collectorsExclude"))
	require.Equal(t, true, inside(t, values, "grafana", "rbac", "namespaced"))
}

func TestGrafanaIsBehindALoginOfItsOwn(t *testing.T) {
	t.Parallel()
	g := monitor(t, monitored())
	login := g.find(t, "kubernetes:core/v1:Secret", "monitoring-grafana").inputs
	require.True(t, login["immutable"].BoolValue(), "a new password has to be a new Secret, so that Grafana restarts with it")
	require.Equal(t, secret, plain(plain(login["stringData"]).ObjectValue()["admin-password"]).StringValue())
	grafana := inside(t, chartValues(t, g, "monitoring"), "grafana")
	require.Equal(t, "monitoring-grafana-1a2b3c4d", inside(t, grafana, "admin", "existingSecret"))

	ingress := g.find(t, "kubernetes:networking.k8s.io/v1:Ingress", "grafana").inputs["spec"].ObjectValue()
	require.Equal(t, "traefik", ingress["ingressClassName"].StringValue())
	require.Equal(t, "grafana-tls", ingress["tls"].ArrayValue()[0].ObjectValue()["secretName"].StringValue())
}

func TestNoSecretStandsInTheMonitoringsValues(t *testing.T) {
	t.Parallel()
	g := monitor(t, monitored())
	for key, node := range g.resources {
		if !strings.HasPrefix(key, "kubernetes:core/v1:Secret ") {
			require.NotContains(t, resource.NewProperty(node.inputs).String(), secret, key)
		}
	}
	receivers := g.find(t, "kubernetes:core/v1:Secret", "monitoring-receivers").inputs
	require.ElementsMatch(t, []resource.PropertyKey{"slack-url", "pager-url", "smtp-password", "heartbeat-url"},
		plain(receivers["stringData"]).ObjectValue().StableKeys())
	require.True(t, g.waitsFor(chartReleaseType+" monitoring", "kubernetes:core/v1:Secret monitoring-receivers"))
}

func TestAlertsReachTheirReceivers(t *testing.T) {
	t.Parallel()
	alertmanager := inside(t, chartValues(t, monitor(t, monitored()), "monitoring"), "alertmanager")
	require.Equal(t, []any{"alertmanager-receivers"}, inside(t, alertmanager, "alertmanagerSpec", "secrets"))
	require.Equal(t, "null", inside(t, alertmanager, "config", "route", "receiver"))

	matchers := map[string]any{}
	for _, route := range inside(t, alertmanager, "config", "route", "routes").([]any) {
		matchers[inside(t, route, "receiver").(string)] = inside(t, route, "matchers").([]any)[0]
	}
	require.Equal(t, map[string]any{
		"dead-man-switch": `alertname = "Watchdog"`,
		"ops":             `severity =~ "critical|warning"`,
		"pager":           `severity =~ "critical"`,
		"owners":          `severity =~ "critical"`,
	}, matchers)

	const folder = "/etc/alertmanager/secrets/alertmanager-receivers/"
	receivers := map[string]map[string]any{}
	for _, receiver := range inside(t, alertmanager, "config", "receivers").([]any) {
		receivers[inside(t, receiver, "name").(string)] = receiver.(map[string]any)
	}
	for name, want := range map[string][3]string{
		"dead-man-switch": {"webhook_configs", "url_file", "heartbeat-url"},
		"ops":             {"slack_configs", "api_url_file", "slack-url"},
		"pager":           {"webhook_configs", "url_file", "pager-url"},
		"owners":          {"email_configs", "auth_password_file", "smtp-password"},
	} {
		way := inside(t, receivers[name], want[0]).([]any)[0]
		require.Equal(t, folder+want[2], inside(t, way, want[1]), name)
		require.Equal(t, name != "dead-man-switch", inside(t, way, "send_resolved"), name)
	}
}

func TestTheDeadManSwitchIsCalledAsOftenAsConfigured(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Alerts.DeadManSwitch.Interval = "10m"
	route := inside(t, chartValues(t, monitor(t, args), "monitoring"), "alertmanager", "config", "route", "routes").([]any)[0]
	require.Equal(t, "10m", inside(t, route, "repeat_interval"))
}

func TestWithoutReceiversNothingIsMounted(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Alerts.Receivers, args.Alerts.DeadManSwitch = nil, nil
	require.True(t, args.Alerts.Unrouted())
	g := monitor(t, args)
	require.NotContains(t, g.resources, "kubernetes:core/v1:Secret monitoring-receivers")
	require.NotContains(t, inside(t, chartValues(t, g, "monitoring"), "alertmanager", "alertmanagerSpec"), "secrets")
}

func TestRulesComeAfterTheirCRDAndCarryTheLimits(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Alerts.BackupAge = "2d"
	g := monitor(t, args)
	require.True(t, g.waitsFor(alertRulesType+" monitoring-rules", chartReleaseType+" monitoring"))
	require.True(t, g.waitsFor(chartReleaseType+" monitoring", "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-default-deny"))

	limits := map[string]string{}
	names := []string{}
	for _, group := range g.find(t, alertRulesType, "monitoring-rules").inputs["spec"].ObjectValue()["groups"].ArrayValue() {
		names = append(names, group.ObjectValue()["name"].StringValue())
		if names[len(names)-1] != "limits" {
			continue
		}
		for _, rule := range group.ObjectValue()["rules"].ArrayValue() {
			if labels := rule.ObjectValue()["labels"].ObjectValue(); rule.ObjectValue()["record"].HasValue() {
				limits[labels["backup"].StringValue()] = rule.ObjectValue()["expr"].StringValue()
			}
		}
	}
	require.Equal(t, map[string]string{"any": "vector(172800)", "full": "vector(691200)"}, limits)
	require.ElementsMatch(t, []string{
		"backups", "blind", "caches", "certificates", "certsync", "delivery", "edge", "limits", "logs", "nodes", "objectives", "origin", "postgres", "site", "volumes", "workloads",
	}, names)
}

func TestOnlyTheIngressControllerReachesGrafana(t *testing.T) {
	t.Parallel()
	policy := policySpec(t, monitor(t, monitored()), "monitoring-grafana")
	require.Contains(t, policy, `kubernetes.io/metadata.name":"ingress"`)
	require.Contains(t, policy, `3000`)
}

func policySpec(t *testing.T, g *graph, name string) string {
	t.Helper()
	text, err := json.Marshal(g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name).inputs["spec"].Mappable())
	require.NoError(t, err)
	return string(text)
}

func TestEveryPublicNameIsAskedForAndTheOriginPastTheCopiesOfTheCDN(t *testing.T) {
	t.Parallel()
	g := monitor(t, monitored())
	var config struct {
		Modules map[string]struct {
			HTTP struct {
				IPProtocol string `yaml:"preferred_ip_protocol"`
				TLS        bool   `yaml:"fail_if_not_ssl"`
				Codes      []int  `yaml:"valid_status_codes"`
			}
		}
	}
	data := reveal(g.find(t, "kubernetes:core/v1:ConfigMap", "monitoring-blackbox-exporter").inputs["data"])
	require.NoError(t, yaml.Unmarshal([]byte(at(data, "blackbox.yaml").(string)), &config))
	for job, urls := range map[string][]any{
		"site":   {"https://example.com/", "https://grafana.example.com/"},
		"origin": {"https://example.com/health"},
	} {
		key := probeType + " probes-" + job
		spec := reveal(g.find(t, probeType, "probes-"+job).inputs["spec"])
		require.Equal(t, job, at(spec, "jobName"), "the rules know it by that")
		require.Equal(t, urls, at(spec, "targets", "staticConfig", "static"))
		require.Equal(t, "blackbox-exporter.monitoring.svc:9115", at(spec, "prober", "url"))
		require.True(t, g.waitsFor(key, chartReleaseType+" monitoring"), "its kind comes with the chart")

		module := config.Modules[at(spec, "module").(string)].HTTP
		require.True(t, module.TLS)
		require.Equal(t, "ip4", module.IPProtocol, "pods have no other")
		require.Equal(t, job == "origin", module.Codes == nil, "which is 2xx")
		for _, code := range module.Codes {
			require.Less(t, code, 500)
		}
	}
}

func TestTheExporterOfProbesHasNoRights(t *testing.T) {
	t.Parallel()
	g := monitor(t, monitored())
	pod := at(reveal(g.find(t, deploymentType, "monitoring-blackbox-exporter").inputs["spec"]), "template", "spec")
	require.Equal(t, true, at(pod, "securityContext", "runAsNonRoot"))
	require.Equal(t, false, at(pod, "automountServiceAccountToken"))
	container := at(pod, "containers").([]any)[0]
	require.Equal(t, []any{"ALL"}, at(container, "securityContext", "capabilities", "drop"))
	require.NotEmpty(t, at(container, "resources", "requests", "memory"))
	const config = "kubernetes:core/v1:ConfigMap monitoring-blackbox-exporter"
	require.True(t, g.waitsFor(deploymentType+" monitoring-blackbox-exporter", config))
	require.True(t, g.resources[config].inputs["immutable"].BoolValue(), "another configuration is another one, and rolls the exporter")
}

func TestFastlysStatisticsAreReadWithATokenOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := monitor(t, monitored())
	token := g.find(t, "kubernetes:core/v1:Secret", "fastly-statistics").inputs
	require.True(t, token["immutable"].BoolValue(), "another token is another Secret, and rolls the exporter")
	require.Equal(t, secret, plain(plain(token["stringData"]).ObjectValue()["token"]).StringValue())
	pod := at(reveal(g.find(t, deploymentType, "fastly-statistics").inputs["spec"]), "template", "spec")
	require.Equal(t, true, at(pod, "securityContext", "runAsNonRoot"))
	metadata := reveal(g.find(t, deploymentType, "fastly-statistics").inputs["metadata"])
	require.Equal(t, "true", at(metadata, "annotations", "pulumi.com/skipAwait"), "Fastly may not answer")
	container := at(pod, "containers").([]any)[0]
	require.Contains(t, at(container, "args"), "-service=service1")
	require.Contains(t, at(container, "args"), "-service=service2", "and of no other service that the token may see")
	require.True(t, g.waitsFor("kubernetes:monitoring.coreos.com/v1:ServiceMonitor fastly-statistics", chartReleaseType+" monitoring"))
	policy := policySpec(t, g, "monitoring-fastly-bound")
	require.Contains(t, policy, `"app.kubernetes.io/name":"fastly-exporter"`)
	require.Contains(t, policy, `443`)

	args := monitored()
	args.Fastly = nil
	g = monitor(t, args)
	require.NotContains(t, g.resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-fastly-bound")
	require.NotContains(t, rulesText(t, g), "realtime_api_requests", "what nobody counts is no objective that is not known")
}

// rulesText is all that Prometheus gets of rules.
func rulesText(t *testing.T, g *graph) string {
	t.Helper()
	text, err := json.Marshal(reveal(g.find(t, alertRulesType, "monitoring-rules").inputs["spec"]))
	require.NoError(t, err)
	return string(text)
}

// Only where visitors are real somebody is woken when the platform falls short of what it means to be.
func TestObjectivesAreThoseOfAProtectedStack(t *testing.T) {
	t.Parallel()
	with := func(stack, objectives string) string {
		g, err := deploy(t, copyStack(t, stack, func(text string) string {
			return strings.Replace(text, "monitoring:\n", "monitoring:\n"+objectives, 1)
		}), stack)
		require.NoError(t, err)
		buckets := resource.NewProperty(g.find(t, chartReleaseType, "ingress-traefik").inputs).String()
		rules := rulesText(t, g)
		require.Equal(t, strings.Contains(rules, "BudgetBurns"), strings.Contains(buckets, "0.1,0.25,0.5,1,2.5,5"))
		return rules
	}
	require.Contains(t, with("prod", ""), "vector(99.99)")
	require.NotContains(t, with("prod", "    objectives: off\n"), "BudgetBurns")
	require.Contains(t, with("prod", "    retention: 2w\n"), "platform:failures:rate5m[2w]", "no more is known")
	require.NotContains(t, with("prod", "    retention: 12h\n"), "BudgetBurns")
	require.NotContains(t, with("staging", ""), "BudgetBurns")
	own := with("staging", "    objectives: {window: 7d, origin: 99.5, latency: {within: 250ms}}\n")
	require.Contains(t, own, "vector(99.99)", "what is not said is as ever")
	require.Contains(t, own, "vector(99.5)")
	require.Contains(t, own, `0.25([.]0)?`)
	require.Contains(t, own, "platform:failures:rate5m[7d]")
}

// The exporter asks for the services of this stack, and the objectives count what it says.
func TestFastlysStatisticsAreThoseOfTheStacksServices(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "prod", func(text string) string { return text }), "prod")
	require.NoError(t, err)
	require.True(t, g.waitsFor(deploymentType+" fastly-statistics", "fastly:index/serviceVcl:ServiceVcl cdn"))
	require.True(t, g.waitsFor(deploymentType+" fastly-statistics", "kubernetes:core/v1:Namespace monitoring"))
	require.Contains(t, rulesText(t, g), "fastly_rt_realtime_api_requests_total")
}

// However short the time is that an objective holds for, who keeps it hears nothing, and nothing is asked of before that time.
func TestAShortWindowWarnsOfNothingThatIsKept(t *testing.T) {
	t.Parallel()
	objectives := monitoring.Objectives{}
	objectives.Default()
	objectives.Window = "1d"
	rules, err := objectives.Rules(false)
	require.NoError(t, err)
	require.Contains(t, string(rules), "ratio1h > 1 *")
	require.NotContains(t, string(rules), "ratio3d")
}

func TestOverridesOfTheUserAreMergedIntoTheMonitoringsValues(t *testing.T) {
	t.Parallel()
	args := monitored()
	args.Values = map[string]any{"grafana": map[string]any{"replicas": 2}}
	grafana := inside(t, chartValues(t, monitor(t, args), "monitoring"), "grafana")
	require.InDelta(t, 2, inside(t, grafana, "replicas"), 0)
	require.Contains(t, grafana, "admin")
}

func TestMetricsServerTrustsTheKubelets(t *testing.T) {
	t.Parallel()
	values := chartValues(t, monitor(t, monitored()), "monitoring-metrics-server")
	require.Equal(t, []any{"--kubelet-insecure-tls"}, inside(t, values, "args"))
}

func TestFaultsOfMonitoring(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(*monitoring.Args)
		want string
	}{
		"no retention": {func(a *monitoring.Args) { a.Retention = "0" },
			`monitoring.retention: Invalid value: "0": must be a number of m, h, d, w or y`},
		"retention of parts of a day": {func(a *monitoring.Args) { a.Retention = "1.5d" }, `monitoring.retention: Invalid value: "1.5d"`},
		"volume too small": {func(a *monitoring.Args) { a.Storage = "5Gi" },
			`monitoring.storage: Invalid value: "5Gi": must be 10Gi or more`},
		"size without a unit that exists": {func(a *monitoring.Args) { a.Storage = "50GB" },
			`monitoring.storage: Invalid value: "50GB": must be a quantity`},
		"history larger than its volume": {func(a *monitoring.Args) { a.RetentionSize = "60Gi" },
			`monitoring.retentionSize: Invalid value: "60Gi": must be`},
		"history that leaves no room": {func(a *monitoring.Args) { a.RetentionSize = "49Gi" },
			`90 % of storage`},
		"no memory":   {func(a *monitoring.Args) { a.Resources.Memory = "0" }, `monitoring.resources.memory: Invalid value: "0"`},
		"no login":    {func(a *monitoring.Args) { a.Grafana.User = "" }, `monitoring.grafana.user: Required value`},
		"no password": {func(a *monitoring.Args) { a.Grafana.Password = "" }, `monitoring.grafana.password: Required value`},
		"a secret that is no name": {func(a *monitoring.Args) { a.Alerts.Receivers[0].Slack.URL = "https://hooks.slack.com/x" },
			`monitoring.alerts.receivers[0].slack.url: Invalid value`},
		"a receiver with two ways": {func(a *monitoring.Args) { a.Alerts.Receivers[0].Webhook = &monitoring.Webhook{URL: "x"} },
			`monitoring.alerts.receivers[0]: Invalid value: "ops": must have one of slack, webhook and email`},
		"a receiver without a way": {func(a *monitoring.Args) { a.Alerts.Receivers[1].Webhook = nil },
			`monitoring.alerts.receivers[1]: Invalid value: "pager": must have one of`},
		"two receivers alike": {func(a *monitoring.Args) { a.Alerts.Receivers[1].Name = "ops" },
			`monitoring.alerts.receivers[1].name: Duplicate value: "ops"`},
		"a reserved name": {func(a *monitoring.Args) { a.Alerts.Receivers[0].Name = "null" },
			`monitoring.alerts.receivers[0].name: Duplicate value: "null"`},
		"an unknown severity": {func(a *monitoring.Args) { a.Alerts.Receivers[0].Severity = "info" },
			`monitoring.alerts.receivers[0].severity: Unsupported value: "info": supported values: "warning", "critical"`},
		"a mail server without a port": {func(a *monitoring.Args) { a.Alerts.Receivers[2].Email.Server = "smtp.example.com" },
			`monitoring.alerts.receivers[2].email.server: Invalid value: "smtp.example.com": must be a host and a port`},
		"a heartbeat without an address": {func(a *monitoring.Args) { a.Alerts.DeadManSwitch.URL = "" },
			`monitoring.alerts.deadManSwitch.url: Required value`},
		"a heartbeat every second": {func(a *monitoring.Args) { a.Alerts.DeadManSwitch.Interval = "1s" },
			`monitoring.alerts.deadManSwitch.interval: Invalid value: "1s"`},
		"nothing may fail": {func(a *monitoring.Args) { a.Objectives.Edge = 100 },
			`monitoring.objectives.edge: Invalid value: 100: must be less than 100`},
		"a tenth may fail": {func(a *monitoring.Args) { a.Objectives.Origin = 89.9 },
			`monitoring.objectives.origin: Invalid value: 89.9: must be 90 or more, in percent`},
		"a share and no percent": {func(a *monitoring.Args) { a.Objectives.Latency.Percent = 0.95 },
			`monitoring.objectives.latency.percent: Invalid value: 0.95: must be 90 or more`},
		"a time that nobody counts by": {func(a *monitoring.Args) { a.Objectives.Latency.Within = "300ms" },
			`monitoring.objectives.latency.within: Unsupported value: "300ms": supported values: "100ms", "250ms", "500ms", "1s"`},
		"a window of hours": {func(a *monitoring.Args) { a.Objectives.Window = "23h" },
			`monitoring.objectives.window: Invalid value: "23h": must be a day or more`},
		"a window of no unit": {func(a *monitoring.Args) { a.Objectives.Window = "28" },
			`monitoring.objectives.window: Invalid value: "28": must be a number of m, h, d, w or y`},
		"a window beyond the history": {func(a *monitoring.Args) { a.Objectives.Window = "5w" },
			`monitoring.objectives.window: Invalid value: "5w": must be no more than monitoring.retention, which is 30d`},
		"a token that is no name": {func(a *monitoring.Args) { a.Fastly.Token = "" },
			`monitoring.fastly.token: Required value: must name a secret`},
		"pages on no server": {func(a *monitoring.Args) { a.Alerts.Pages = "docs" },
			`monitoring.alerts.pages: Invalid value: "docs": must be an address that begins with https://`},
		"an age that does not parse": {func(a *monitoring.Args) { a.Alerts.BackupAge = "a day" },
			`monitoring.alerts.backupAge: Invalid value: "a day"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := monitored()
			test.edit(&args)
			faults := args.Validate(field.NewPath("monitoring"))
			require.Len(t, faults, 1)
			require.Contains(t, faults[0].Error(), test.want)
		})
	}
	args := monitored()
	require.Empty(t, args.Validate(nil))
	require.Equal(t, []string{"fastly-read-token", "grafana-password", "heartbeat-url", "pager-url", "slack-url", "smtp-password"}, args.SecretNames())
}

const rulesDir = "../components/monitoring/rules"

// promtool runs Prometheus' own tool over files.
func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	tool, err := filepath.Abs("../.bin/promtool")
	require.NoError(t, err)
	if _, err := os.Stat(tool); err != nil {
		t.Skip("alert rules are not tested: .bin/promtool is not there; run: make .bin/promtool")
	}
	out, err := exec.Command(tool, arguments...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func globRules(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(rulesDir, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// ruleFiles are those of all rules, the objectives' as they are by default.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	return append(globRules(t, "*.yaml"), globRules(t, "tests/rendered/*.yaml")...)
}

func TestAlertRulesFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	promtool(t, append([]string{"check", "rules", "--lint-fatal"}, ruleFiles(t)...)...)
	promtool(t, append([]string{"test", "rules"}, globRules(t, "tests/*.yaml")...)...)
}

// The tests of the rules need a file of those that the program writes.
func TestTheRulesOfTheObjectivesAreThoseThatAreTested(t *testing.T) {
	t.Parallel()
	var objectives monitoring.Objectives
	objectives.Default()
	rules, err := objectives.Rules(true)
	require.NoError(t, err)
	path := filepath.Join(rulesDir, "tests/rendered/objectives.yaml")
	if *update {
		require.NoError(t, os.WriteFile(path, rules, 0o644))
	}
	tested, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(tested), string(rules), "run: go test ./tests -run TheRulesOfTheObjectives -update")
}

// firing finds the alert that an expectation of a test file is about.
var firing = regexp.MustCompile(`ALERTS\{alertname="(\w+)", alertstate="firing"[,}]`)

func TestEveryAlertIsTestedBothWaysAndExplainsItself(t *testing.T) {
	t.Parallel()
	fires, staysQuiet := map[string]bool{}, map[string]bool{}
	for _, name := range globRules(t, "tests/*.yaml") {
		var file struct {
			Tests []struct {
				Expectations []struct {
					Expr    string
					Samples []any `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		readRuleFile(t, name, &file)
		for _, test := range file.Tests {
			for _, expectation := range test.Expectations {
				found := firing.FindStringSubmatch(expectation.Expr)
				if found == nil {
					continue // a number that is recorded, or whatever fires first
				}
				if len(expectation.Samples) > 0 {
					fires[found[1]] = true
				} else {
					staysQuiet[found[1]] = true
				}
			}
		}
	}
	for _, name := range ruleFiles(t) {
		var file struct {
			Groups []struct {
				Rules []struct {
					Alert               string
					For                 string
					Labels, Annotations map[string]string
				}
			}
		}
		readRuleFile(t, name, &file)
		require.Len(t, file.Groups, 1, name)
		for _, rule := range file.Groups[0].Rules {
			if rule.Alert == "" {
				continue
			}
			require.True(t, fires[rule.Alert], "%s: %s has no test in which it fires", name, rule.Alert)
			require.True(t, staysQuiet[rule.Alert], "%s: %s has no test in which it stays quiet", name, rule.Alert)
			require.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.For, "%s: one bad moment is no reason to wake somebody", rule.Alert)
			for _, annotation := range []string{"summary", "description", "impact", "command"} {
				require.NotEmpty(t, rule.Annotations[annotation], "%s: %s", rule.Alert, annotation)
			}
		}
	}
}

// ofLabel is a label in an annotation; the pages have its name in brackets.
var ofLabel = regexp.MustCompile(`\{\{ \$(?:labels|externalLabels)\.(\w+) \}\}`)

// Whoever is woken finds what the message says, and more, at the place that it leads to, and nothing there is about an alert of
// old.
func TestEveryAlertHasItsPlaceOnAPageAndEveryPlaceItsAlert(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("../docs/alerts/README.md")
	require.NoError(t, err)
	known := map[string]bool{"README.md": true}
	for _, name := range ruleFiles(t) {
		var file struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert               string
					Labels, Annotations map[string]string
				}
			}
		}
		readRuleFile(t, name, &file)
		group := file.Groups[0]
		known[group.Name+".md"] = true
		page, err := os.ReadFile(filepath.Join("../docs/alerts", group.Name+".md"))
		require.NoError(t, err)
		places := map[string]string{}
		for _, place := range strings.Split("\n"+string(page), "\n## ")[1:] {
			heading, text, _ := strings.Cut(place, "\n")
			places[heading] = strings.Join(strings.Fields(text), " ")
		}
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			require.Contains(t, places, rule.Alert, group.Name)
			require.Contains(t, places[rule.Alert], "*"+rule.Labels["severity"]+"*", rule.Alert)
			for _, text := range []string{rule.Annotations["impact"], rule.Annotations["command"]} {
				if !strings.Contains(text, "{{ if") { // one of several
					require.Contains(t, places[rule.Alert], ofLabel.ReplaceAllString(text, "<$1>"), rule.Alert)
				}
			}
			require.Contains(t, string(index), "[`"+rule.Alert+"`]("+group.Name+".md#"+strings.ToLower(rule.Alert)+")")
			delete(places, rule.Alert)
		}
		require.Empty(t, places, "%s: no alert leads there", group.Name)
	}
	pages, err := os.ReadDir("../docs/alerts")
	require.NoError(t, err)
	for _, page := range pages {
		require.True(t, known[page.Name()], page.Name())
	}
}

// replayed is a row of the table of incidents: which, the alert, and the hours and minutes that it takes.
var replayed = regexp.MustCompile(`(?m)^\| (I\d+) \| [^|]+ \| \[.(\w+).\]\(alerts/\S+\) \| (?:(\d+) h ?)?(?:(\d+) min)? \|$`)

func TestTheFirstAlertOfEachIncidentIsTheOneThatIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/incidents.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, row := range replayed.FindAllStringSubmatch(string(page), -1) {
		took, err := time.ParseDuration(cmp.Or(row[3], "0") + "h" + cmp.Or(row[4], "0") + "m")
		require.NoError(t, err)
		documented[row[1]] = row[2] + " " + took.String()
	}
	require.Len(t, documented, 13)
	tested := map[string]string{}
	for name, begin := range map[string]time.Duration{"incidents.yaml": time.Hour, "incidents-slow.yaml": 192 * time.Hour} {
		var file struct {
			Interval time.Duration `yaml:"evaluation_interval"`
			Tests    []struct {
				Name         string
				Expectations []struct {
					At      time.Duration             `yaml:"eval_time"`
					Samples []struct{ Labels string } `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		readRuleFile(t, filepath.Join(rulesDir, "tests", name), &file)
		for _, test := range file.Tests {
			incident, _, _ := strings.Cut(test.Name, ":")
			quiet, fires := test.Expectations[0], test.Expectations[1]
			require.Empty(t, quiet.Samples, incident)
			require.Equal(t, file.Interval, fires.At-quiet.At, "%s: it may fire before", incident)
			require.Len(t, fires.Samples, 1, incident)
			alert := strings.TrimSuffix(strings.TrimPrefix(fires.Samples[0].Labels, `{alertname="`), `"}`)
			tested[incident] = alert + " " + (fires.At - begin).String()
		}
	}
	require.Equal(t, tested, documented)
}

func TestMessagesLeadToThePagesAboutAlerts(t *testing.T) {
	t.Parallel()
	args := monitored()
	require.Contains(t, rulesText(t, monitor(t, args)), `"docs/alerts/site.md#sitedown"`)
	args.Alerts.Pages = "https://github.com/example/platform/blob/main/docs/alerts/"
	rules := rulesText(t, monitor(t, args))
	require.Contains(t, rules, `"https://github.com/example/platform/blob/main/docs/alerts/site.md#sitedown"`)
	require.Contains(t, rules, `/docs/alerts/objectives.md#budgetburnsfast"`)
}

func readRuleFile(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into), name)
}
