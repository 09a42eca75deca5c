package tests

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/ingress"
	"lke-platform/components/logs"
)

const (
	configMapType = "kubernetes:core/v1:ConfigMap"
	lokiRelease   = "logs-loki"
	alloyRelease  = "logs-alloy"
)

// logged declares a store of logs.
func logged(t *testing.T, edit func(*logs.Args)) *graph {
	t.Helper()
	args := logs.Defaults()
	key := pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)
	args.Bucket = logs.Bucket{
		Name: pulumi.String("platform-logs"), Endpoint: pulumi.String("us-east-1.linodeobjects.com"),
		Region: pulumi.String("us-east-1"), AccessKey: key, SecretKey: key,
	}
	args.StorageClass = pulumi.String("platform-delete")
	if edit != nil {
		edit(&args)
	}
	return declare(t, func(ctx *pulumi.Context) error {
		_, err := logs.New(ctx, "logs", &args)
		return err
	})
}

// pipeline is Alloy's configuration.
func pipeline(t *testing.T, g *graph) string {
	t.Helper()
	return at(reveal(g.find(t, configMapType, alloyRelease).inputs["data"]), "config.alloy").(string)
}

func TestLogsAreKeptForAsLongAsTheStackFileSays(t *testing.T) {
	t.Parallel()
	values := chartValues(t, logged(t, func(a *logs.Args) { a.Retention = "4w" }), lokiRelease)
	require.Equal(t, "4w", inside(t, values, "loki", "structuredConfig", "limits_config", "retention_period"))
	require.Equal(t, true, inside(t, values, "loki", "structuredConfig", "compactor", "retention_enabled"))
	require.Equal(t, "s3", inside(t, values, "loki", "structuredConfig", "compactor", "delete_request_store"), "without it Loki does not start")
}

func TestLokiIsOneProcessWithABucketOfItsOwn(t *testing.T) {
	t.Parallel()
	g := logged(t, nil)
	values := chartValues(t, g, lokiRelease)
	require.InDelta(t, 1, inside(t, values, "singleBinary", "replicas"), 0)
	for _, part := range []string{"write", "read", "backend"} {
		require.InDelta(t, 0, inside(t, values, part, "replicas"), 0, part)
	}
	for _, part := range []string{"gateway", "chunksCache", "resultsCache", "lokiCanary", "test"} {
		require.Equal(t, false, inside(t, values, part, "enabled"), part)
	}
	require.Equal(t, "platform-logs", inside(t, values, "loki", "storage", "bucketNames", "chunks"))
	s3 := inside(t, values, "loki", "storage", "object_store", "s3")
	require.Equal(t, "us-east-1.linodeobjects.com", inside(t, s3, "endpoint"))
	require.Equal(t, true, inside(t, values, "loki", "storage", "use_thanos_objstore"),
		"the other client sends checksums in a way that Object Storage refuses")

	key := g.find(t, secretType, "logs-bucket").inputs
	require.True(t, key["immutable"].BoolValue(), "another key has to be another Secret, so that Loki restarts with it")
	for entry, variable := range map[string]string{"access_key_id": "BUCKET_ACCESS_KEY", "secret_access_key": "BUCKET_SECRET_KEY"} {
		require.Equal(t, "${"+variable+"}", inside(t, s3, entry))
		require.Equal(t, secret, at(reveal(key["stringData"]), variable))
	}
	from := inside(t, values, "singleBinary", "extraEnvFrom").([]any)[0]
	require.Equal(t, "logs-bucket-1a2b3c4d", inside(t, from, "secretRef", "name"))
}

// Loki refuses a line with more labels than it is allowed, and is slow where their values are many.
func TestLinesHaveFewLabelsAndNoOthers(t *testing.T) {
	t.Parallel()
	keeps := regexp.MustCompile(`stage\.label_keep \{\s*values = \[([^\]]*)\]`)
	quoted := regexp.MustCompile(`"(\w+)"`)
	for _, further := range [][]string{nil, {"node", "stream"}} {
		g := logged(t, func(a *logs.Args) { a.Labels = further })
		found := keeps.FindStringSubmatch(pipeline(t, g))
		require.NotNil(t, found)
		var kept []string
		for _, label := range quoted.FindAllStringSubmatch(found[1], -1) {
			kept = append(kept, label[1])
		}
		require.ElementsMatch(t, append([]string{"app", "container", "namespace", "source"}, further...), kept)
		limits := inside(t, chartValues(t, g, lokiRelease), "loki", "structuredConfig", "limits_config")
		most := int(inside(t, limits, "max_label_names_per_series").(float64))
		require.GreaterOrEqual(t, most, len(kept))
		require.Less(t, most, 15, "which is Loki's own limit")
		require.Empty(t, inside(t, limits, "discover_service_name"), "Loki would add one")
		require.Equal(t, false, inside(t, limits, "shard_streams", "enabled"), "and another one to busy streams")
	}
	// What is no label is known of a line all the same.
	for _, name := range []string{"pod", "node", "stream"} {
		require.Contains(t, pipeline(t, logged(t, nil)), "\n      "+name+` = "",`)
	}
}

// hide does what stage.replace of Alloy does: the text of each group is replaced.
func hide(expression *regexp.Regexp, line string) string {
	var hidden strings.Builder
	end := 0
	for _, found := range expression.FindAllStringSubmatchIndex(line, -1) {
		hidden.WriteString(line[end:found[2]] + "***")
		end = found[3]
	}
	return hidden.String() + line[end:]
}

func TestKeysAndPasswordsAreNotStored(t *testing.T) {
	t.Parallel()
	text := pipeline(t, logged(t, func(a *logs.Args) { a.Hidden = []string{"invite.id"} }))
	var expressions []*regexp.Regexp
	for _, found := range regexp.MustCompile("stage.replace {\n    expression = `([^`]+)`").FindAllStringSubmatch(text, -1) {
		expressions = append(expressions, regexp.MustCompile(found[1]))
		require.Equal(t, 1, expressions[len(expressions)-1].NumSubexp(), "every group is replaced")
	}
	require.Len(t, expressions, 2)
	for line, stored := range map[string]string{
		// Of the ingress controllers. Go writes an ampersand in JSON as \u0026.
		`{"RequestPath":"/login?token=abc\u0026next=/a\u0026user[password]=x","DownstreamStatus":200}`: `{"RequestPath":"/login?token=***\u0026next=/a\u0026user[password]=***","DownstreamStatus":200}`,
		`{"RequestPath":"/login?a=1&TOKEN=abc","DownstreamStatus":"200"}`:                              `{"RequestPath":"/login?a=1&TOKEN=***","DownstreamStatus":"200"}`,
		// Of applications.
		`GET /users/reset?reset_password_token=a%2Bb&page=2 200`:           `GET /users/reset?reset_password_token=***&page=2 200`,
		`GET /callback?state=1&code=4/0Adeu HTTP/1.1`:                      `GET /callback?state=1&code=*** HTTP/1.1`,
		`GET /a?user%5Bpassword%5D=secret`:                                 `GET /a?user%5Bpassword%5D=***`,
		`https://bucket.example/a.mp3?X-Amz-Signature=abc&X-Amz-Expires=9`: `https://bucket.example/a.mp3?X-Amz-Signature=***&X-Amz-Expires=9`,
		`GET /join?invite.id=abc`:                                          `GET /join?invite.id=***`,
		`GET /join?invitexid=abc`:                                          `GET /join?invitexid=abc`,
		`GET /search?q=password&monkey=1&encoded=2`:                        `GET /search?q=password&monkey=1&encoded=2`,
		`Authorization: Bearer abc.def`:                                    `Authorization: ***`,
		`headers={"authorization":"Basic YTpi","host":"a.b"}`:              `headers={"authorization":"***","host":"a.b"}`,
		`{"headers":{"Cookie":["a=b; c=d"],"X-Api-Key":"k"}}`:              `{"headers":{"Cookie":["***"],"X-Api-Key":"***"}}`,
		`{"msg":"{\"cookie\":\"a=b\"}"}`:                                   `{"msg":"{\"cookie\":\"***\"}"}`,
		`[{"set-cookie", "_changelog_key=abc; path=/"}]`:                   `[{"set-cookie", "***"}]`,
		`"Set-Cookie" => "a=b", "Vary" => "Cookie"`:                        `"Set-Cookie" => "***", "Vary" => "Cookie"`,
		`a cookie, which nobody sent`:                                      `a cookie, which nobody sent`,
		`{"key":"a","code":42,"token":"of a list"}`:                        `{"key":"a","code":42,"token":"of a list"}`,
	} {
		got := line
		for _, expression := range expressions {
			got = hide(expression, got)
		}
		require.Equal(t, stored, got)
	}
}

// Whichever controller runs, a request is found by the same words, and by its identifier.
func TestBothIngressControllersNoteTheSameOfARequest(t *testing.T) {
	t.Parallel()
	traefik, _ := ingressValues(t, ingress.Traefik, nil)
	headers := inside(t, traefik, "accessLog", "fields", "headers")
	require.Equal(t, "json", inside(t, traefik, "accessLog", "format"))
	require.Equal(t, map[string]any{"defaultMode": "drop", "names": map[string]any{"X-Request-Id": "keep"}}, headers)

	nginx, _ := ingressValues(t, ingress.NGINX, nil)
	config := inside(t, nginx, "controller", "config")
	require.Equal(t, "true", inside(t, config, "log-format-escape-json"))
	line := regexp.MustCompile(`\$\w+`).ReplaceAllString(inside(t, config, "log-format-upstream").(string), "")
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &fields), "also where a variable is empty")

	text := pipeline(t, logged(t, nil))
	require.Contains(t, text, `|= "\"RequestMethod\""`)
	for field, only := range map[string]string{
		"request_X-Request-Id": "", "RequestHost": "", "RequestMethod": "", "RequestPath": "", "DownstreamStatus": "",
		"Seconds": "nginx", "Duration": "traefik",
	} {
		require.Contains(t, text, `"`+field+`"`)
		if only != "traefik" {
			require.Contains(t, fields, field)
		}
	}
	for _, secret := range []string{"$args", "$http_", "$cookie_", "$request "} {
		require.NotContains(t, inside(t, config, "log-format-upstream"), secret)
	}
}

func TestAlloyReadsEveryNodeAndNoSecrets(t *testing.T) {
	t.Parallel()
	g := logged(t, nil)
	values := chartValues(t, g, alloyRelease)
	require.Equal(t, "daemonset", inside(t, values, "controller", "type"))
	require.Equal(t, []any{map[string]any{"operator": "Exists"}}, inside(t, values, "controller", "tolerations"))
	var watched []any
	for _, list := range []string{"rules", "clusterRules"} {
		for _, rule := range inside(t, values, "rbac", list).([]any) {
			watched = append(watched, inside(t, rule, "resources").([]any)...)
			require.Equal(t, []any{"get", "list", "watch"}, inside(t, rule, "verbs"))
		}
	}
	require.ElementsMatch(t, []any{"pods", "events"}, watched)
	container := inside(t, values, "alloy", "securityContext")
	require.Equal(t, []any{"ALL"}, inside(t, container, "capabilities", "drop"))
	require.Equal(t, true, inside(t, container, "readOnlyRootFilesystem"))
	for _, mount := range inside(t, values, "alloy", "mounts", "extra").([]any) {
		name, path := inside(t, mount, "name"), inside(t, mount, "mountPath")
		require.True(t, slices.ContainsFunc(inside(t, values, "controller", "volumes", "extra").([]any), func(volume any) bool {
			return at(volume, "name") == name && at(volume, "hostPath", "path") == path
		}), "%s: what it has read of a node it has to know in its next pod", path)
	}
	require.True(t, g.find(t, configMapType, alloyRelease).inputs["immutable"].BoolValue(), "another pipeline rolls Alloy")
	require.True(t, g.waitsFor(chartReleaseType+" "+alloyRelease, configMapType+" "+alloyRelease))
	require.True(t, g.waitsFor(chartReleaseType+" "+alloyRelease, chartReleaseType+" "+lokiRelease))
}

func TestOnlyMonitoringAsksForLogs(t *testing.T) {
	t.Parallel()
	g := deployed(t, "staging")
	policy := policySpec(t, g, "log-store-loki")
	require.Contains(t, policy, `kubernetes.io/metadata.name":"monitoring"`)
	require.Contains(t, policy, "3100")
	require.Contains(t, policySpec(t, g, "monitoring-grafana-bound"), "3100")
	source := inside(t, chartValues(t, g, "monitoring"), "grafana", "additionalDataSources").([]any)[0]
	require.Equal(t, "loki", inside(t, source, "type"))
	require.Equal(t, "http://loki.logs.svc:3100", inside(t, source, "url"))
	require.Contains(t, pipeline(t, rename(g)), "http://loki.logs.svc:3100/loki/api/v1/push")
	require.True(t, g.waitsFor(chartReleaseType+" log-store-loki", chartReleaseType+" monitoring"), "it brings a ServiceMonitor")
	require.Equal(t, []any{map[string]any{
		"bucketName": "lke-platform-staging-logs", "region": "us-east", "permissions": "read_write",
	}}, reveal(g.find(t, bucketKeyType, "logs").inputs["bucketAccesses"]))
}

// rename has a stack's pipeline where that of a store alone is.
func rename(g *graph) *graph {
	return &graph{resources: map[string]*node{configMapType + " " + alloyRelease: g.resources[configMapType+" log-store-alloy"]}}
}

// What is in the bucket goes by itself, so that a protected stack can do without it again.
func TestTheBucketOfLogsIsNotProtected(t *testing.T) {
	t.Parallel()
	g := deployed(t, "prod")
	require.True(t, g.find(t, bucketType, "backups").request.GetProtect())
	require.False(t, g.find(t, bucketType, "logs").request.GetProtect())
}

func TestAStackDoesWithoutLogs(t *testing.T) {
	t.Parallel()
	g := deployedWith(t, "staging", "    retention: 7d\n", "    retention: 7d\n    logs: off\n")
	for key := range g.resources {
		require.NotContains(t, key, "log-store")
		require.NotContains(t, key, " logs")
	}
	require.NotContains(t, inside(t, chartValues(t, g, "monitoring"), "grafana"), "additionalDataSources")
	require.NotContains(t, policySpec(t, g, "monitoring-grafana-bound"), "3100")
	// All else is as it is with them.
	for key, node := range deployed(t, "staging").resources {
		if !strings.Contains(key, "log-store") && !strings.HasSuffix(key, " logs") {
			require.Contains(t, g.resources, key)
		}
		_ = node
	}
}
