package tests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/app"
	"lke-platform/stacks"
)

// Each is one edit of the staging stack's file and the fault that it has to be told of.
var faults = map[string]struct{ old, new, fault string }{
	// Form.
	"unknown section":        {"lke-platform:cdn:", "lke-platform:cnd:", "cnd: Forbidden: unknown key; known are: app, apps, caches, canary, cdn, certificates, charts, cluster"},
	"unknown namespace":      {"lke-platform:cdn:", "platform:cdn:", "platform:cdn: Forbidden: unknown key"},
	"missing section":        {"lke-platform:cdn:", "pulumi:cdn:", "cdn.origin.shield: Required value"},
	"what cannot be off":     {"lke-platform:storage:\n    region: us-east", "lke-platform:storage: off", `storage: Invalid value: "off": must be an object`},
	"misspelt key":           {"kubernetesVersion:", "kuberntesVersion:", "cluster.kuberntesVersion: Forbidden: unknown key; known are: apiAccess, highAvailability"},
	"misspelt key in a list": {"count: 2", "cuont: 2", "cluster.nodePools[0].cuont: Forbidden: unknown key; known are: autoscale, count"},
	"text for a number":      {"count: 2", `count: "2"`, `cluster.nodePools[0].count: Invalid value: "2": must be a whole number`},
	"fraction for a number":  {"count: 2", "count: 2.5", "cluster.nodePools[0].count: Invalid value: must be a whole number, not the number 2.5"},
	"number for text":        {`"1.36"`, "1.36", "cluster.kubernetesVersion: Invalid value: must be text; put it in quotes, not the number 1.36"},
	"text for a list":        {"hosts: [staging.changelog.com]", "hosts: staging.changelog.com", `app.hosts: Invalid value: "staging.changelog.com": must be a list`},
	"list for an object":     {"health:\n      host: 127.0.0.1", "health: []", "app.health: Invalid value: []: must be an object"},
	"no value":               {"region: us-east", "region:", "cluster.region: Required value: has no value"},
	"section without value":  {"config:\n", "config:\n  lke-platform:protect:\n", "protect: Required value: has no value"},
	"section of empty text":  {"config:\n", "config:\n  lke-platform:protect: \"\"\n", "protect: Required value: has no value"},
	"text after a value":     {"config:\n", "config:\n  lke-platform:protect: true, except on Sundays\n", `protect: Invalid value: "true, except on Sundays": must be true or false`},
	"text for a section":     {"storage:\n    region: us-east", "storage: us-east", `storage: Invalid value: "us-east": must be an object`},
	"null for a chart":       {"retention: 7d", "retention: 7d\n    values: {grafana: {sidecar: null}}", "monitoring.values[grafana][sidecar]: Required value: null does not reach the chart"},
	"empty value":            {"region: us-east", `region: ""`, "cluster.region: Required value: must not be empty"},

	// cluster
	"unknown region":      {"region: us-east", "region: us-esat", `cluster.region: Unsupported value: "us-esat": supported values: "us-east", "us-ord"`},
	"region without LKE":  {"region: us-east", "region: se-far", `cluster.region: Unsupported value: "se-far"`},
	"unknown node type":   {"type: g6-standard-4", "type: g9-huge", `cluster.nodePools[0].type: Unsupported value: "g9-huge"`},
	"a node elsewhere":    {"type: g6-standard-4", "type: g7-premium-4", `cluster.nodePools[0].type: Invalid value: "g7-premium-4": us-east has no`},
	"too small a node":    {"type: g6-standard-2", "type: g6-nanode-1", `cluster.systemPool.type: Unsupported value: "g6-nanode-1"`},
	"version too old":     {`"1.36"`, `"1.33"`, `cluster.kubernetesVersion: Invalid value: "1.33": must be 1.34 or newer`},
	"unknown version":     {`"1.36"`, `"1.12"`, `cluster.kubernetesVersion: Unsupported value: "1.12": supported values: "1.36", "1.35"`},
	"no nodes":            {"count: 2", "count: 0", "cluster.nodePools[0].count: Invalid value: 0: must be between 1 and 100"},
	"no pools":            {"nodePools:\n      - name: app\n        type: g6-standard-4\n        count: 2", "nodePools: []", "cluster.nodePools: Required value"},
	"min above max":       {"count: 2", "autoscale: {min: 3, max: 2}", "cluster.nodePools[0].autoscale.min: Invalid value: 3: must not be above max"},
	"count and autoscale": {"count: 2", "count: 2\n        autoscale: {min: 1, max: 2}", "cluster.nodePools[0].count: Forbidden"},
	"bad taint":           {"count: 2", "count: 2\n        taints: [{key: db, effect: Never}]", `cluster.nodePools[0].taints[0].effect: Unsupported value: "Never"`},
	"bad label":           {"count: 2", "count: 2\n        labels: {a b: c}", `cluster.nodePools[0].labels: Invalid value: "a b"`},
	"label of LKE's":      {"count: 2", "count: 2\n        labels: {node.kubernetes.io/role: app}", `cluster.nodePools[0].labels: Invalid value: "node.kubernetes.io/role": LKE has the domain kubernetes.io for itself`},
	"taint of LKE's":      {"count: 2", "count: 2\n        taints: [{key: linode.com/app, effect: NoSchedule}]", `cluster.nodePools[0].taints[0].key: Invalid value: "linode.com/app"`},
	"access from a host":  {"region: us-east\n    kube", "region: us-east\n    apiAccess: [203.0.113.7]\n    kube", `cluster.apiAccess[0]: Invalid value: "203.0.113.7"`},

	// domains
	"no contact":             {"contact: services@changelog.com", "contact: services", `domains.contact: Invalid value: "services"`},
	"no zones":               {"zones:\n      - name: staging.changelog.com", "zones: []", "domains.zones: Required value: must list at least one zone"},
	"two zones alike":        {"- name: staging.changelog.com", "- name: staging.changelog.com\n      - name: staging.changelog.com", `domains.zones[1].name: Duplicate value: "staging.changelog.com"`},
	"record of another zone": {"- name: staging.changelog.com", "- name: staging.changelog.com\n        records: [{name: example.com, type: A, target: 192.0.2.1}]", `domains.zones[0].records[0].name: Invalid value: "example.com"`},
	"time that Linode rounds": {"- name: staging.changelog.com", "- name: staging.changelog.com\n        records: [{name: a.staging.changelog.com, type: A, target: 192.0.2.1, ttl: 60}]",
		"domains.zones[0].records[0].ttl: Unsupported value: \"60\""},

	"all zones elsewhere":      {"- name: staging.changelog.com", "- {name: staging.changelog.com, external: true}", "domains.zones[0].external: Invalid value: true: must not be set for the first zone"},
	"records elsewhere":        {"- name: staging.changelog.com", "- name: staging.changelog.com\n      - {name: example.org, external: true, records: [{name: example.org, type: A, target: 192.0.2.1}]}", "domains.zones[1].records: Forbidden: are for zones at Linode only; set them at the provider of example.org"},
	"a zone elsewhere adopted": {"- name: staging.changelog.com", "- name: staging.changelog.com\n      - {name: example.org, external: true, adopt: 7}", "domains.zones[1].adopt: Forbidden: is for zones at Linode only"},
	"a record where names elsewhere are proven": {"- name: staging.changelog.com", "- name: staging.changelog.com\n        records: [{name: _acme-challenge.example.org.staging.changelog.com, type: TXT, target: x}]\n      - {name: example.org, external: true}",
		"domains.zones[0].records[0].name: Invalid value: \"_acme-challenge.example.org.staging.changelog.com\": stands where certificates for"},

	// certificates, ingress, storage
	"nobody to write to":   {"certificates:\n    email: services@changelog.com", "certificates:\n    email: services", `certificates.email: Invalid value: "services"`},
	"issuer nobody trusts": {"certificates:\n    email: services@changelog.com", "certificates:\n    email: services@changelog.com\n    issuer: staging", `certificates.issuer: Invalid value: "staging": neither browsers nor Fastly trust its certificates`},
	"how many ways in":     {"lke-platform:storage:", "lke-platform:ingress: {replicas: 3}\n  lke-platform:storage:", "ingress.replicas: Forbidden: unknown key"},
	"another controller":   {"lke-platform:storage:", "lke-platform:ingress: {controller: haproxy}\n  lke-platform:storage:", `ingress.controller: Unsupported value: "haproxy"`},
	"open, with a list":    {"lke-platform:storage:", "lke-platform:ingress: {open: true, allow: [192.0.2.0/24]}\n  lke-platform:storage:", "ingress.allow: Forbidden: has no effect"},
	"no place to store":    {"storage:\n    region: us-east", "storage: {}", "storage.region: Required value"},

	"no Object Storage": {"storage:\n    region: us-east", "storage:\n    region: us-west", `storage.region: Unsupported value: "us-west": supported values: "gb-lon", "us-east", "us-ord"`},

	// postgres
	"disk that is too small":       {"storage: 10Gi\n    memory: 2Gi", "storage: 9Gi\n    memory: 2Gi", `postgres.storage: Invalid value: "9Gi": must be at least 10Gi`},
	"schedule that is none":        {"retentionDays: 7}", `retentionDays: 7, full: "at night"}`, `postgres.backups.full: Invalid value: "at night"`},
	"schedule that never comes":    {"retentionDays: 7}", `retentionDays: 7, full: "0 0 31 2 *"}`, `postgres.backups.full: Invalid value: "0 0 31 2 *": never comes`},
	"retention of nothing":         {"retentionDays: 7}", "retentionDays: 0}", "postgres.backups.retentionDays: Invalid value: 0: must be between 1 and 3650"},
	"restore of the future":        {"database: changelog", "database: changelog\n    restore: {time: \"2999-01-01T00:00:00Z\"}", `postgres.restore.time: Invalid value: "2999-01-01T00:00:00Z": must not be in the future`},
	"restore at no time":           {"database: changelog", "database: changelog\n    restore: {time: yesterday}", `postgres.restore.time: Invalid value: "yesterday": must be a time in RFC 3339`},
	"timeout that is none":         {"database: changelog", "database: changelog\n    timeout: 30", "postgres.timeout: Invalid value: must be text"},
	"connections that run out":     {"size: 123", "size: 122", "postgres.pooler.size: Invalid value: 122: must be 123 or more in session mode"},
	"connections of more replicas": {"databaseConnections: 41", "databaseConnections: 41\n    autoscale: {max: 6}", "postgres.pooler.size: Invalid value: 123: must be 287 or more"},
	"connections of a job":         {"databaseConnections: 41", "databaseConnections: 41\n    replicas: 3\n    jobs: [{name: a, schedule: 0 4 * * *, command: [a]}]", "postgres.pooler.size: Invalid value: 123: must be 205 or more"},
	"connections nobody counted":   {"    databaseConnections: 41\n", "", "app.databaseConnections: Required value: must say how many connections each replica holds"},
	"connections for the pooler":   {"requireTLS: false", "requireTLS: false\n    parameters: {max_connections: \"200\"}", `postgres.parameters[max_connections]: Invalid value: "200": must be a number from 266`},
	"more volumes than can attach": {"database: changelog", "database: changelog\n    instances: 4", "postgres.instances: Invalid value: 4: each server needs a node of its own, and cluster has 3"},
	"more than nodes can hold":     {"memory: 2Gi\n    cpu", "memory: 4Gi\n    instances: 3\n    cpu", "postgres.instances: Invalid value: 3: each server needs a node of its own, and cluster has 2 without taints that have more memory"},

	// monitoring, delivery
	"duration that is none":      {"retention: 7d", "retention: a week", `monitoring.retention: Invalid value: "a week"`},
	"history above the disk":     {"retention: 7d", "retention: 7d\n    retentionSize: 10Gi", `monitoring.retentionSize: Invalid value: "10Gi"`},
	"objectives that are none":   {"retention: 7d", "retention: 7d\n    objectives: {window: 1h, edge: 100, origin: 50}", "monitoring.objectives.window: Invalid value: \"1h\": must be a day or more"},
	"an objective of text":       {"retention: 7d", "retention: 7d\n    objectives: {window: 7d, edge: high}", `monitoring.objectives.edge: Invalid value: "high": must be a number`},
	"objectives of a word":       {"retention: 7d", "retention: 7d\n    objectives: none", `monitoring.objectives: Invalid value: "none": must be an object`},
	"dashboard that is missing":  {"retention: 7d", "retention: 7d\n    dashboards: [orders.json]", `monitoring.dashboards[0]: Invalid value: "orders.json": there is no such file`},
	"receiver without a way":     {"retention: 7d", "retention: 7d\n    alerts: {receivers: [{name: team}]}", "monitoring.alerts.receivers[0]: Invalid value"},
	"Keel and a digest":          {"changelog.com:master", "changelog.com@sha256:" + strings.Repeat("0", 64), "app.image: Invalid value"},
	"pinned and no digest":       {"mode: keel", "mode: pinned", `app.image: Invalid value: "thechangelog/changelog.com:master": must have a digest`},
	"Keel without a name":        {"host: keel.staging.changelog.com", `host: ""`, "delivery.host: Invalid value"},
	"Keel outside every zone":    {"host: keel.staging.changelog.com", "host: keel.example.com", `delivery.host: Invalid value: "keel.example.com": is outside every zone of domains.zones: staging.changelog.com`},
	"Keel with a visitor's name": {"host: keel.staging.changelog.com", "host: staging.changelog.com", `delivery.host: Duplicate value: "staging.changelog.com"`},

	// app
	"invalid domain":             {"hosts: [staging.changelog.com]", "hosts: [staging_changelog]", `app.hosts[0]: Invalid value: "staging_changelog"`},
	"not a full domain":          {"hosts: [staging.changelog.com]", "hosts: [staging]", `app.hosts[0]: Invalid value: "staging": must be a full domain name`},
	"host outside of zones":      {"hosts: [staging.changelog.com]", "hosts: [www.example.com]", `app.hosts[0]: Invalid value: "www.example.com": is outside every zone of domains.zones: staging.changelog.com`},
	"names that share a Secret":  {"hosts: [staging.changelog.com]", "hosts: [staging.changelog.com, a-b.c.staging.changelog.com, a.b.c.staging.changelog.com]", `certificates.hosts[1]: Duplicate value: "a.b.c.staging.changelog.com"`},
	"hosts of others only":       {"shield: lga-ny-us", "shield: lga-ny-us\n    redirects: {staging.changelog.com: keel.staging.changelog.com}", "app.hosts: Invalid value: [\"staging.changelog.com\"]: must have a host that cdn.redirects does not lead to another"},
	"no hosts":                   {"hosts: [staging.changelog.com]", "hosts: []", "app.hosts: Required value"},
	"two hosts alike":            {"hosts: [staging.changelog.com]", "hosts: [a.staging.changelog.com, a.staging.changelog.com]", `app.hosts[1]: Duplicate value: "a.staging.changelog.com"`},
	"the platform's name":        {"hosts: [staging.changelog.com]", "hosts: [grafana.staging.changelog.com]", `app.hosts[0]: Duplicate value: "grafana.staging.changelog.com"`},
	"no replicas":                {"health:\n", "replicas: 0\n    health:\n", "app.replicas: Invalid value: 0: must be between 1 and 100"},
	"user of no number":          {"user: 0", "user: root", `app.user: Invalid value: "root": must be a whole number`},
	"user that is none":          {"user: 0", "user: -1", "app.user: Invalid value: -1"},
	"no image":                   {"image: thechangelog/changelog.com:master", `image: ""`, "app.image: Required value"},
	"invalid image":              {"thechangelog/changelog.com:master", "The Changelog:master", `app.image: Invalid value: "The Changelog:master"`},
	"invalid memory":             {"resources: {cpu: 250m, memory: 768Mi}\n    health", "resources: {memory: much}\n    health", `app.resources.memory: Invalid value: "much": must be a quantity`},
	"invalid variable":           {"HTTP_PORT:", "HTTP=PORT:", "app.env[HTTP=PORT]: Invalid value"},
	"database that is none":      {"health:\n", "database: {URL: uri, OTHER: reports/uri}\n    health:\n", `app.database[OTHER]: Unsupported value: "reports": supported values: "changelog"`},
	"key of a database":          {"health:\n", "database: {URL: changelog/url}\n    health:\n", `app.database[URL]: Unsupported value: "url"`},
	"variable twice":             {"HTTP_PORT:", "SIGNING_SALT:", "app.env[SIGNING_SALT]: Forbidden: stands in secrets too"},
	"an app named as a part":     {"name: changelog\n", "name: monitoring\n", "app.name: Forbidden: the namespace of this name is the platform's"},
	"an app named as the canary": {"name: changelog\n", "name: canary\n", "app.name: Forbidden: the namespace of this name is the platform's"},
	"job without a time":         {"health:\n", "jobs: [{name: clean, schedule: daily, command: [x]}]\n    health:\n", `app.jobs[0].schedule: Invalid value: "daily"`},

	// cdn and secrets
	"media where the app is":     {"shield: lga-ny-us", "shield: lga-ny-us\n    media: {hosts: [staging.changelog.com]}", `cdn.media.hosts[0]: Duplicate value: "staging.changelog.com"`},
	"a backend where the app is": {"shield: lga-ny-us", "shield: lga-ny-us\n    backends: [{name: a, address: a.example.net, hosts: [staging.changelog.com]}]", `cdn.backends[0].hosts[0]: Duplicate value: "staging.changelog.com"`},
	"a backend of no zone":       {"shield: lga-ny-us", "shield: lga-ny-us\n    backends: [{name: a, address: a.example.net, hosts: [a.example.com]}]", `cdn.backends[0].hosts[0]: Invalid value: "a.example.com": is outside every zone`},
	"a path of no app":           {"shield: lga-ny-us", "shield: lga-ny-us\n    backends: [{name: a, address: a.example.net, paths: [grafana.staging.changelog.com/a]}]", `cdn.backends[0].paths[0]: Invalid value: "grafana.staging.changelog.com/a": grafana.staging.changelog.com is no host of an app behind this service`},
	"no shield":                  {"shield: lga-ny-us", `shield: ""`, "cdn.origin.shield: Required value"},
	"invalid health check":       {"shield: lga-ny-us", "shield: lga-ny-us\n      healthPath: health", `cdn.origin.healthPath: Invalid value: "health"`},
	"secret without a name":      {"SIGNING_SALT: app-signing-salt", `SIGNING_SALT: ""`, "app.secrets[SIGNING_SALT]: Required value: must name a secret"},
	"token without a name":       {"tls: {", `tls: {token: "", `, "cdn.tls.token: Required value: must name a secret"},
	"log without a name":         {"shield: lga-ny-us", "shield: lga-ny-us\n    logs: {https: [{name: a, url: \"https://example.com\", token: \"a b\"}]}", `cdn.logs.https[0].token: Invalid value: "a b"`},
	"keys without a name":        {"shield: lga-ny-us", "shield: lga-ny-us\n    logs: {s3: [{accessKey: \"\", secretKey: b, buckets: {/: c}}]}", "cdn.logs.s3[0].accessKey: Required value: must name a secret"},
	"alert without a name":       {"retention: 7d", "retention: 7d\n    alerts: {deadManSwitch: {url: \"\"}}", "monitoring.alerts.deadManSwitch.url: Required value: must name a secret"},
	"password of no name":        {"retention: 7d", "retention: 7d\n    grafana: {password: \"\"}", "monitoring.grafana.password: Required value: must name a secret"},
	"webhook of no name":         {"mode: keel", "mode: keel\n    webhook: {password: \"\"}", "delivery.webhook.password: Required value: must name a secret"},
	"registry of no name":        {"health:\n", "registry: {username: ci, password: \"\"}\n    health:\n", "app.registry.password: Required value: must name a secret"},
	"backups of no name":         {"encryption: backups-passphrase", `encryption: ""`, "postgres.backups.encryption: Required value: must name a secret"},
	"secret that is missing":     {"secret-app-signing-salt:\n    secure: v1:ciphertext", "secret-app-secret-key-base-2: x", "pulumi config set --stack staging --secret secret-app-signing-salt"},
	"secret in plain text":       {"secret-app-signing-salt:\n    secure: v1:ciphertext", "secret-app-signing-salt: abc", "secret-app-signing-salt: Forbidden: stands in plain text"},
	"secret in a section":        {"HTTP_PORT: \"4000\"", "HTTP_PORT: {secure: v1:ciphertext}", "app.env.HTTP_PORT: Forbidden: an encrypted value inside a section would be stored in plain text"},
	"secret in a list":           {"hosts: [staging.changelog.com]", "hosts: [{secure: v1:ciphertext}]", "app.hosts[0]: Forbidden: an encrypted value"},
	"secret for a section":       {"config:\n", "config:\n  lke-platform:protect: {secure: v1:ciphertext}\n", "protect: Forbidden: an encrypted value"},
	"secret that is unused":      {"secret-app-signing-salt:", "secret-app-signing-pepper:", "secret-app-signing-pepper: Forbidden: unknown key"},
}

func TestEveryFaultOfAStackFileIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyStack(t, "staging", func(text string) string {
				require.Contains(t, text, test.old)
				return strings.Replace(text, test.old, test.new, 1)
			})
			g, err := deploy(t, dir, "staging")
			require.ErrorContains(t, err, test.fault)
			require.NotContains(t, err.Error(), secret)
			require.Empty(t, g.resources, "nothing may be declared")
		})
	}
}

// What an entry of a list lacks because it could not be decoded is not said once more.
func TestAListThatIsNotDecodedIsReportedOnce(t *testing.T) {
	t.Parallel()
	_, err := deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(text, "config:\n", "config:\n  lke-platform:caches: [{name: 5}]\n  lke-platform:charts: [5]\n", 1)
	}), "staging")
	for _, section := range []string{"caches[0].name", "charts[0]"} {
		require.ErrorContains(t, err, section+": Invalid value")
	}
	require.Equal(t, 1, strings.Count(err.Error(), "caches"))
	require.Equal(t, 1, strings.Count(err.Error(), "charts"))
}

func TestAllFaultsAreReportedInOneGo(t *testing.T) {
	t.Parallel()
	dir := copyStack(t, "staging", func(text string) string {
		return strings.NewReplacer("us-east", "us-esat", "count: 2", "count: 0", "hosts: [", "hosts: [nowhere, ",
			"lke-platform:cdn:", "lke-platform:cnd:", "app-signing-salt:\n    secure", "app-signing-pepper:\n    secure").Replace(text)
	})
	_, err := deploy(t, dir, "staging")
	require.Error(t, err)
	for _, path := range []string{
		"cluster.region:", "cluster.nodePools[0].count:", "app.hosts[0]:", "cnd:", "cdn.origin.shield:",
		"app:", "secret-app-signing-pepper:",
	} {
		require.ErrorContains(t, err, "\n  "+path)
	}
}

// The stack's name stands in those of the cluster and the buckets.
func TestAStackWhoseNameLinodeRefusesIsRefused(t *testing.T) {
	t.Parallel()
	for name, fits := range map[string]bool{
		"staging": true, "eu-2": true, "a-stack-of-nineteen": true,
		"my_stack": false, "Prod": false, "a--b": false, "dev.eu": false, "dev-": false, "a-stack-of-twentyone": false,
	} {
		dir := copyStack(t, "staging", unchanged)
		require.NoError(t, os.Rename(filepath.Join(dir, "Pulumi.staging.yaml"), filepath.Join(dir, "Pulumi."+name+".yaml")))
		_, err := deploy(t, dir, name)
		if fits {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, `stack: Invalid value: "`+name+`": the stack's name stands in those of its cluster`)
	}
}

// deaf are providers whose look-ups fail, those whose token contains one of the keys.
type deaf struct {
	*graph
	failures map[string]string
}

func (d *deaf) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	for token, failure := range d.failures {
		if strings.Contains(args.Token, token) {
			return nil, errors.New(failure)
		}
	}
	return d.graph.Call(args)
}

// A person who mends one thing shall not then learn of the next.
func TestALookUpThatFailsHidesNoFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failures map[string]string
		told     []string
	}{
		"no such configuration": {map[string]string{"getTlsConfiguration": "404 - Not Found:\n    Title: no such thing"},
			[]string{`cdn.tls.configuration: Invalid value: "of-no-one": the Fastly account has no TLS configuration of that ID`}},
		"no access": {map[string]string{"getTlsConfiguration": "401 - Unauthorized", "getRegions": "[401] Invalid Token"},
			[]string{"is FASTLY_API_KEY set, and may it read?): ", "is LINODE_TOKEN set, and may it read?): "}},
		"Fastly is down": {map[string]string{"fastly": "503 - Service Unavailable"},
			[]string{"asking Fastly where names have to lead", "asking Fastly for its sites"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyStack(t, "staging", func(text string) string {
				return strings.NewReplacer("tls: {", "tls: {configuration: of-no-one, ", "count: 2", "count: 0").Replace(text)
			})
			providers := &deaf{&graph{resources: map[string]*node{}}, test.failures}
			err := deployTo(t, dir, "staging", providers)
			for _, told := range append(test.told, "cluster.nodePools[0].count: Invalid value: 0") {
				require.ErrorContains(t, err, told)
			}
			require.Empty(t, providers.resources)
		})
	}
}

// A bypass is for the day when Fastly does not answer.
func TestABypassNeedsNoAnswerOfFastly(t *testing.T) {
	t.Parallel()
	dir := copyStack(t, "staging", func(text string) string {
		return strings.Replace(text, "lke-platform:cdn:\n", "lke-platform:cdn:\n    bypass: true\n", 1)
	})
	providers := &deaf{&graph{resources: map[string]*node{}}, map[string]string{
		"getTlsConfiguration": "503 - Service Unavailable", "getDatacenters": "503 - Service Unavailable",
	}}
	require.NoError(t, deployTo(t, dir, "staging", providers))
}

func TestAnImageThatCanChangeUnderItsNameIsKnown(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("0", 64)
	for image, mutable := range map[string]bool{
		"thechangelog/changelog.com":                                    true,
		"thechangelog/changelog.com:latest":                             true,
		"ghcr.io:443/thechangelog/changelog.com":                        true,
		"thechangelog/changelog.com:master":                             true,
		"thechangelog/changelog.com:v1":                                 true,
		"thechangelog/changelog.com:17":                                 true,
		"thechangelog/changelog.com:20220317":                           false,
		"thechangelog/changelog.com:860c190":                            false,
		"thechangelog/changelog.com:sha-860c190":                        false,
		"thechangelog/changelog.com:2022-03-17":                         false,
		"thechangelog/changelog.com:1.12.0-alpine":                      false,
		"thechangelog/changelog.com:" + strings.Repeat("0af", 13) + "1": false,
		"thechangelog/changelog.com" + digest:                           false,
		"thechangelog/changelog.com:latest" + digest:                    false,
		"localhost:5000/thechangelog/changelog.com:v1.2":                false,
	} {
		args := app.Args{Image: image}
		require.Equal(t, mutable, args.MutableImage(), image)
	}
}

// What is valid and yet unwise is said at every run.
func TestAStackIsWarnedOfWhatIsUnwise(t *testing.T) {
	t.Parallel()
	warnings := func(stack string, edit ...string) string {
		values, _ := readConfig(t, copyStack(t, stack, strings.NewReplacer(edit...).Replace), stack)
		config, faults := stacks.Decode(func(section string) string { return values[projectName+":"+section] })
		require.Empty(t, faults)
		return strings.Join(config.Warnings(), "\n")
	}
	const moving, root = "app.image: thechangelog/changelog.com:master can change under the same name", "app.user: the app runs as root"
	require.Contains(t, warnings("prod"), moving, "Keel follows a tag")
	require.NotContains(t, warnings("prod", "mode: keel", "mode: pinned", "changelog.com:master", "changelog.com"+digest), moving)
	require.NotContains(t, warnings("staging"), moving, "it is not protected")
	require.Contains(t, warnings("staging"), root)
	require.NotContains(t, warnings("staging", "user: 0", "user: 1000"), root)
	require.Contains(t, warnings("prod", "cdn:\n", "cdn:\n    bypass: false\n"), "ingress: everybody can connect past Fastly")
	const orders = "certificates: a rebuild (destroy and up) orders 3 certificates anew"
	require.Contains(t, warnings("staging"), orders, "the zone's, and Grafana's and Keel's")
	require.NotContains(t, warnings("staging", "certificates:\n", "certificates:\n    issuer: staging\n"), orders)
	require.NotContains(t, warnings("prod"), "certificates: a rebuild", "it is protected")
	const hsts = "cdn.hsts: a zone is adopted, which may have a site to go back to"
	require.NotContains(t, warnings("prod"), hsts)
	require.Contains(t, warnings("prod", "- name: gotime.fm", "- {name: gotime.fm, adopt: 7}"), hsts)
	require.NotContains(t, warnings("prod", "- name: gotime.fm", "- {name: gotime.fm, adopt: 7}", "hsts: 8766h", "hsts: 0s"), hsts)
	const pooled = "app.database: all connections go through the pooler"
	require.NotContains(t, warnings("staging"), pooled, "in session mode a client keeps its connection")
	require.Contains(t, warnings("staging", "mode: session", "mode: transaction"), pooled)
	require.NotContains(t, warnings("staging", "mode: session", "mode: transaction", "health:\n",
		"database: {DATABASE_URL: pgbouncer-uri, DIRECT_URL: uri}\n    health:\n"), pooled)
	require.Contains(t, warnings("staging", "changelog.com:master", "changelog.com:v1.2"), "app.image: Keel follows the tag of")
	require.NotContains(t, warnings("staging"), "Keel")
	require.Contains(t, warnings("prod", "imageOptimizer: true", "websockets: true"), "cdn.websockets: Fastly opens WebSockets without")
	require.NotContains(t, warnings("prod"), "openPurge")
	require.Contains(t, warnings("prod", "imageOptimizer: true", "openPurge: true"), "cdn.openPurge: anybody who knows a URL")
	require.Contains(t, warnings("prod", "lke-platform:monitoring:", "pulumi:monitoring:"), "monitoring.alerts: nobody hears")
	const counted = "monitoring.objectives: what visitors get is known from the platform's probes only"
	const statistics = "    fastly: {token: fastly-read-token}\n"
	require.NotContains(t, warnings("prod"), counted)
	require.Contains(t, warnings("prod", statistics, ""), counted)
	require.NotContains(t, warnings("prod", statistics, "    objectives: off\n"), counted)
	require.NotContains(t, warnings("staging"), counted)
	const kept = "retention: 7d\n    logs: {retention: %s}"
	require.Contains(t, warnings("staging", "retention: 7d", fmt.Sprintf(kept, "5y")),
		"monitoring.logs.retention: 5y of logs come to 1825 GB at 1 GB a day, 32 USD a month beside the 5 that Object Storage costs anyway")
	require.NotContains(t, warnings("staging", "retention: 7d", fmt.Sprintf(kept, "1y")), "monitoring.logs")
	require.Contains(t, warnings("staging", "    account: {plan: paid}\n", ""), "cdn.account.plan: say trial or paid")
	require.Contains(t, warnings("prod", "imageOptimizer: true", "maintenance: {page: README.md}"), "cdn.maintenance: visitors see a page")
	const password = "imageOptimizer: true\n    basicAuth: {alice: fastly-tls-token}"
	require.Contains(t, warnings("prod", "imageOptimizer: true", password+"\n    bypass: false"), "cdn.basicAuth: Fastly asks for the password")
	require.NotContains(t, warnings("prod", "imageOptimizer: true", password), "cdn.basicAuth")
	const backend = "{name: %[1]s, address: %[1]s.example.net, paths: [changelog.com/%[1]s]}, "
	var four string
	for _, name := range []string{"a", "b", "c", "d"} {
		four += fmt.Sprintf(backend, name)
	}
	require.Contains(t, warnings("prod", "imageOptimizer: true", "backends: ["+four+"]"), "cdn.backends: the service has 6 backends, the origin's and")
	require.Contains(t, warnings("prod", ", domains: 20", ""), "cdn.account.domains: the stack has 11 domains, and an account may have 10")
	for _, stack := range []string{"staging", "prod"} {
		require.NotContains(t, warnings(stack), "cdn.account")
	}
}
