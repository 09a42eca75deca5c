package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lke-platform/components/app"
)

// Each case is one edit of the staging stack's file and the fault that it has to be told of.
func TestEveryFaultOfAStackFileIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, new, fault string }{
		"unknown section":        {"lke-platform:cdn:", "lke-platform:cnd:", "cnd: Forbidden: unknown key; known are: app, cdn, cluster"},
		"unknown namespace":      {"lke-platform:cdn:", "platform:cdn:", "platform:cdn: Forbidden: unknown key"},
		"missing section":        {"lke-platform:cdn:", "pulumi:cdn:", "cdn.origin.host: Invalid value"},
		"misspelt key":           {"kubernetesVersion:", "kuberntesVersion:", "cluster.kuberntesVersion: Forbidden: unknown key; known are: highAvailability, kubernetesVersion"},
		"misspelt key in a list": {"count: 2", "cuont: 2", "cluster.nodePools[0].cuont: Forbidden: unknown key; known are: autoscale, count"},
		"text for a number":      {"count: 2", `count: "2"`, `cluster.nodePools[0].count: Invalid value: "2": must be a whole number`},
		"fraction for a number":  {"count: 2", "count: 2.5", "cluster.nodePools[0].count: Invalid value: must be a whole number, not the number 2.5"},
		"number for text":        {`"1.36"`, "1.36", "cluster.kubernetesVersion: Invalid value: must be text; put it in quotes, not the number 1.36"},
		"text for a list":        {"hosts: [staging.changelog.com]", "hosts: staging.changelog.com", `app.hosts: Invalid value: "staging.changelog.com": must be a list`},
		"list for an object":     {"health:\n      host: 127.0.0.1", "health: []", "app.health: Invalid value: []: must be an object"},
		"no value":               {"region: us-east", "region:", "cluster.region: Required value: has no value"},
		"empty value":            {"region: us-east", `region: ""`, "cluster.region: Required value: must not be empty"},
		"unknown region":         {"region: us-east", "region: us-esat", `cluster.region: Unsupported value: "us-esat": supported values: "us-east"`},
		"region without LKE":     {"region: us-east", "region: se-far", `cluster.region: Unsupported value: "se-far"`},
		"unknown node type":      {"type: g6-standard-2", "type: g9-huge", `cluster.nodePools[0].type: Unsupported value: "g9-huge"`},
		"too small a node":       {"type: g6-standard-1", "type: g6-nanode-1", `cluster.systemPool.type: Unsupported value: "g6-nanode-1"`},
		"unknown version":        {`"1.36"`, `"1.12"`, `cluster.kubernetesVersion: Unsupported value: "1.12": supported values: "1.36", "1.35"`},
		"no nodes":               {"count: 2", "count: 0", "cluster.nodePools[0].count: Invalid value: 0: must be between 1 and 100"},
		"no pools":               {"nodePools:\n      - name: app\n        type: g6-standard-2\n        count: 2", "nodePools: []", "cluster.nodePools: Required value"},
		"min above max":          {"count: 2", "autoscale: {min: 3, max: 2}", "cluster.nodePools[0].autoscale.min: Invalid value: 3: must not be above max"},
		"count and autoscale":    {"count: 2", "count: 2\n        autoscale: {min: 1, max: 2}", "cluster.nodePools[0].count: Forbidden"},
		"bad taint":              {"count: 2", "count: 2\n        taints: [{key: db, effect: Never}]", `cluster.nodePools[0].taints[0].effect: Unsupported value: "Never"`},
		"bad label":              {"count: 2", "count: 2\n        labels: {a b: c}", `cluster.nodePools[0].labels: Invalid value: "a b"`},
		"invalid domain":         {"hosts: [staging.changelog.com]", "hosts: [staging_changelog]", `app.hosts[0]: Invalid value: "staging_changelog"`},
		"not a full domain":      {"hosts: [staging.changelog.com]", "hosts: [staging]", `app.hosts[0]: Invalid value: "staging": must be a full domain name`},
		"no hosts":               {"hosts: [staging.changelog.com]", "hosts: []", "app.hosts: Required value"},
		"two hosts alike":        {"hosts: [staging.changelog.com]", "hosts: [a.example.com, a.example.com]", `app.hosts[1]: Duplicate value: "a.example.com"`},
		"no replicas":            {"health:\n", "replicas: 0\n    health:\n", "app.replicas: Invalid value: 0: must be between 1 and 100"},
		"root":                   {"health:\n", "user: 0\n    health:\n", "app.user: Invalid value: 0"},
		"no image":               {"image: thechangelog/changelog.com:master", `image: ""`, "app.image: Required value"},
		"invalid image":          {"thechangelog/changelog.com:master", "The Changelog:master", `app.image: Invalid value: "The Changelog:master"`},
		"invalid memory":         {"health:\n", "resources: {memory: much}\n    health:\n", `app.resources.memory: Invalid value: "much": must be a quantity`},
		"invalid variable":       {"HTTP_PORT:", "HTTP=PORT:", "app.env[HTTP=PORT]: Invalid value"},
		"variable twice":         {"HTTP_PORT:", "SIGNING_SALT:", "app.env[SIGNING_SALT]: Forbidden: stands in secrets too"},
		"no shield":              {"shield: lga-ny-us", `shield: ""`, "cdn.origin.shield: Required value"},
		"invalid origin":         {"host: origin.staging.changelog.com", "host: https://x", `cdn.origin.host: Invalid value: "https://x"`},
		"secret that is missing": {"secret-app-signing-salt:\n    secure: v1:ciphertext", "secret-app-secret-key-base-2: x", "pulumi config set --stack staging --secret secret-app-signing-salt"},
		"secret in plain text":   {"secret-app-signing-salt:\n    secure: v1:ciphertext", "secret-app-signing-salt: abc", "secret-app-signing-salt: Forbidden: stands in plain text"},
		"secret that is unused":  {"secret-app-signing-salt:", "secret-app-signing-pepper:", "secret-app-signing-pepper: Forbidden: unknown key"},
	} {
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

func TestAllFaultsAreReportedInOneGo(t *testing.T) {
	t.Parallel()
	dir := copyStack(t, "staging", func(text string) string {
		return strings.NewReplacer("us-east", "us-esat", "count: 2", "count: 0", "hosts: [", "hosts: [nowhere, ",
			"lke-platform:cdn:", "lke-platform:cnd:", "app-signing-salt:\n    secure", "app-signing-pepper:\n    secure").Replace(text)
	})
	_, err := deploy(t, dir, "staging")
	require.Error(t, err)
	for _, path := range []string{
		"cluster.region:", "cluster.nodePools[0].count:", "app.hosts[0]:", "cnd:", "cdn.origin.host:",
		"app.secrets[SIGNING_SALT]:", "secret-app-signing-pepper:",
	} {
		require.ErrorContains(t, err, "\n  "+path)
	}
}

func TestAnImageThatCanChangeUnderItsNameIsKnown(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("0", 64)
	for image, mutable := range map[string]bool{
		"thechangelog/changelog.com":                   true,
		"thechangelog/changelog.com:latest":            true,
		"ghcr.io:443/thechangelog/changelog.com":       true,
		"thechangelog/changelog.com:2022-03-17":        false,
		"thechangelog/changelog.com" + digest:          false,
		"thechangelog/changelog.com:latest" + digest:   false,
		"localhost:5000/thechangelog/changelog.com:v1": false,
	} {
		args := app.Args{Image: image}
		require.Equal(t, mutable, args.MutableImage(), image)
	}
}
