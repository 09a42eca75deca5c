package tests

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
)

const (
	serviceType = "kubernetes:core/v1:Service"
	claimType   = "kubernetes:core/v1:PersistentVolumeClaim"
	jobType     = "kubernetes:batch/v1:Job"
)

// mastodon is an application of three processes, with a release command, a job and files.
func mastodon() app.Args {
	process := func(name string, edit func(*app.NamedProcess)) app.NamedProcess {
		named := app.NamedProcess{Name: name}
		named.Default()
		edit(&named)
		return named
	}
	args := app.Defaults()
	args.Name, args.Image, args.Hosts = "mastodon", "ghcr.io/mastodon/mastodon"+digest, []string{"mastodon.example"}
	args.Command, args.Port = []string{"bundle", "exec", "puma"}, 3000
	args.Processes = []app.NamedProcess{
		process("sidekiq", func(p *app.NamedProcess) {
			p.Command, p.Arguments, p.GracePeriod = []string{"bundle", "exec", "sidekiq"}, []string{"-c", "10"}, "5m"
			p.Autoscale, p.DatabaseConnections = &app.Autoscale{Max: 8}, 12
			p.Health.Command = []string{"pgrep", "sidekiq"}
			p.Metrics = &app.Metrics{Port: 9394}
		}),
		process("streaming", func(p *app.NamedProcess) {
			p.Image, p.Port, p.Path = "ghcr.io/mastodon/mastodon-streaming"+digest, 4000, "/api/v1/streaming"
			p.Health.Path = "/api/v1/streaming/health"
		}),
		process("search", func(p *app.NamedProcess) {
			p.Image, p.Port, p.Replicas = "elasticsearch"+digest, 9200, 1
			p.Health.TCP, p.Health.StartLimit = true, "20m"
			p.Volumes = []app.Volume{{Name: "data", Path: "/usr/share/elasticsearch/data", Size: "20Gi"}}
		}),
	}
	args.Release = &app.Release{Command: []string{"bundle", "exec", "rails", "db:migrate"}, Timeout: "15m"}
	args.Files = []app.File{
		{Path: "/opt/mastodon/config/robots.txt", Content: "User-agent: *"}, {Path: "/opt/mastodon/vapid.pem", Secret: "vapid"},
	}
	args.Jobs = []app.Job{{Name: "media-remove", Schedule: "0 3 * * *", Command: []string{"tootctl", "media", "remove"}}}
	args.DatabaseConnections = 5
	args.Namespace, args.IngressClass = pulumi.String("mastodon"), pulumi.String("traefik")
	args.Certificates = pulumi.StringMap{"mastodon.example": pulumi.String("tls")}
	args.DatabaseSecret, args.DatabaseAuthority = pulumi.String("mastodon-pguser-app"), pulumi.String("mastodon-cluster-cert")
	args.FileSecrets = pulumi.StringMap{"vapid": pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)}
	args.StorageClass = pulumi.String("platform-retain")
	return args
}

// specOf is the spec of an object that a process has.
func (g *graph) specOf(t *testing.T, typ, name string) resource.PropertyMap {
	t.Helper()
	return g.find(t, typ, name).inputs["spec"].ObjectValue()
}

func TestAWorkerHasAllThatWebHasButVisitors(t *testing.T) {
	t.Parallel()
	g := declareApp(t, mastodon())
	require.NotContains(t, g.resources, serviceType+" app-sidekiq")
	pod := podOf(g.find(t, deploymentType, "app-sidekiq").inputs)
	container := only(t, pod["containers"])
	require.Equal(t, []any{"bundle", "exec", "sidekiq"}, reveal(container["command"]))
	require.Equal(t, []any{"-c", "10"}, reveal(container["args"]))
	require.InDelta(t, 300, pod["terminationGracePeriodSeconds"].NumberValue(), 0)
	require.NotContains(t, container, resource.PropertyKey("lifecycle"), "no proxy has to forget it: it begins to finish at once")
	for _, probe := range []resource.PropertyKey{"startupProbe", "readinessProbe", "livenessProbe"} {
		require.Equal(t, map[string]any{"command": []any{"pgrep", "sidekiq"}}, reveal(container[probe].ObjectValue()["exec"]), probe)
	}

	web := podOf(g.find(t, deploymentType, "app").inputs)
	require.Equal(t, []any{"bundle", "exec", "puma"}, reveal(only(t, web["containers"])["command"]))
	for _, same := range []resource.PropertyKey{"tolerations", "priorityClassName", "securityContext", "volumes"} {
		require.Equal(t, web[same], pod[same], same)
	}
	for _, same := range []resource.PropertyKey{"image", "env", "envFrom", "securityContext", "volumeMounts"} {
		require.Equal(t, only(t, web["containers"])[same], container[same], same)
	}

	labels := reveal(g.specOf(t, deploymentType, "app-sidekiq")["selector"])
	require.NotEqual(t, reveal(g.specOf(t, deploymentType, "app")["selector"]), labels, "web's Service finds web only")
	require.Equal(t, labels, reveal(only(t, pod["topologySpreadConstraints"])["labelSelector"]))
	require.Equal(t, labels, reveal(g.specOf(t, "kubernetes:policy/v1:PodDisruptionBudget", "app-sidekiq")["selector"]))
	scaler := g.specOf(t, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "app-sidekiq")
	require.Equal(t, "mastodon-sidekiq", scaler["scaleTargetRef"].ObjectValue()["name"].StringValue())
	monitor := g.specOf(t, "kubernetes:monitoring.coreos.com/v1:PodMonitor", "app-sidekiq")
	require.Equal(t, labels, reveal(monitor["selector"]), "it has no Service that Prometheus could find it by")
	require.Equal(t, "metrics", only(t, monitor["podMetricsEndpoints"])["port"].StringValue())
	require.Equal(t, "metrics", only(t, container["ports"])["name"].StringValue())
}

// routes are the Services that requests go to, by host and path.
func routes(t *testing.T, args app.Args) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, rule := range declareApp(t, args).specOf(t, ingressType, "app")["rules"].ArrayValue() {
		host := rule.ObjectValue()["host"].StringValue()
		for _, path := range rule.ObjectValue()["http"].ObjectValue()["paths"].ArrayValue() {
			service := path.ObjectValue()["backend"].ObjectValue()["service"].ObjectValue()
			found[host+path.ObjectValue()["path"].StringValue()] = service["name"].StringValue()
		}
	}
	return found
}

func TestProcessesHavePathsAndHostsOfTheirOwn(t *testing.T) {
	t.Parallel()
	args := mastodon()
	require.Equal(t, map[string]string{
		"mastodon.example/": "mastodon", "mastodon.example/api/v1/streaming": "mastodon-streaming",
	}, routes(t, args), "what has neither is for the namespace only")

	args.Processes[1].Hosts, args.Processes[1].Path = []string{"streaming.mastodon.example"}, ""
	require.Equal(t, map[string]string{
		"mastodon.example/": "mastodon", "streaming.mastodon.example/": "mastodon-streaming",
	}, routes(t, args))
	tls := only(t, declareApp(t, args).specOf(t, ingressType, "app")["tls"])
	require.Equal(t, []string{"mastodon.example", "streaming.mastodon.example"}, texts(tls["hosts"]))
}

// A process may be another program, which has what it says and is not touched by what delivers the application.
func TestAProcessMayHaveAnImageOfItsOwn(t *testing.T) {
	t.Parallel()
	args := mastodon()
	args.Annotations, args.Leave = map[string]string{"keel.sh/policy": "force"}, []string{"spec.template"}
	args.Env = map[string]string{"MODE": "web", "DOMAIN": "mastodon.example"}
	user := 999
	args.Processes[2].User, args.Processes[2].Env = &user, map[string]string{"MODE": "search"}
	g := declareApp(t, args)
	search := podOf(g.find(t, deploymentType, "app-search").inputs)
	require.InDelta(t, 999, search["securityContext"].ObjectValue()["runAsUser"].NumberValue(), 0)
	require.Equal(t, map[string]string{"MODE": "search", "DOMAIN": "mastodon.example"}, environment(only(t, search["containers"])["env"]))
	require.InDelta(t, 9200, only(t, g.specOf(t, serviceType, "app-search")["ports"])["port"].NumberValue(), 0, "as its clients know it")
	streaming := g.find(t, deploymentType, "app-streaming")
	require.Contains(t, reveal(only(t, podOf(streaming.inputs)["containers"])["image"]), "mastodon-streaming@sha256:")
	require.Empty(t, streaming.request.GetIgnoreChanges())
	require.NotContains(t, at(reveal(streaming.inputs["metadata"]), "annotations"), "keel.sh/policy")
	sidekiq := g.find(t, deploymentType, "app-sidekiq")
	require.Equal(t, []string{"spec.replicas", "spec.template"}, sidekiq.request.GetIgnoreChanges())
	require.Contains(t, at(reveal(sidekiq.inputs["metadata"]), "annotations"), "keel.sh/policy")
}

func TestARelease(t *testing.T) {
	t.Parallel()
	g := declareApp(t, mastodon())
	release := g.find(t, jobType, "app-release")
	pod := podOf(release.inputs)
	container, web := only(t, pod["containers"]), only(t, podOf(g.find(t, deploymentType, "app").inputs)["containers"])
	require.Equal(t, []any{"bundle", "exec", "rails", "db:migrate"}, reveal(container["command"]))
	for _, same := range []resource.PropertyKey{"image", "env", "envFrom"} {
		require.Equal(t, web[same], container[same], same)
	}
	require.Equal(t, "FallbackToLogsOnError", container["terminationMessagePolicy"].StringValue(), "its last words")
	require.InDelta(t, 0, g.specOf(t, jobType, "app-release")["backoffLimit"].NumberValue(), 0)
	require.InDelta(t, 900, g.specOf(t, jobType, "app-release")["activeDeadlineSeconds"].NumberValue(), 0)
	require.True(t, release.request.GetDeleteBeforeReplace(), "two never run")
	require.Equal(t, "mastodon-release", release.inputs["metadata"].ObjectValue()["name"].StringValue())
	for _, workload := range []string{"app", "app-sidekiq", "app-streaming", "app-search"} {
		require.True(t, g.waitsFor(deploymentType+" "+workload, jobType+" app-release"), workload)
	}
	require.True(t, g.waitsFor(cronJobType+" app-media-remove", jobType+" app-release"))
	require.False(t, g.waitsFor(jobType+" app-release", deploymentType+" app"))
}

func TestFilesAreInEveryContainer(t *testing.T) {
	t.Parallel()
	g := declareApp(t, mastodon())
	plainly, secretly := g.find(t, "kubernetes:core/v1:ConfigMap", "app-files"), g.find(t, "kubernetes:core/v1:Secret", "app-files")
	require.Equal(t, map[string]any{"file-0": "User-agent: *"}, reveal(plainly.inputs["data"]))
	require.True(t, secretly.inputs["stringData"].ContainsSecrets())
	for _, held := range []*node{plainly, secretly} {
		require.True(t, held.inputs["immutable"].BoolValue(), "a change is another object, which rolls what reads it")
		require.NotContains(t, held.inputs["metadata"].ObjectValue(), resource.PropertyKey("name"))
	}
	for _, workload := range []string{
		deploymentType + " app", deploymentType + " app-sidekiq", cronJobType + " app-media-remove", jobType + " app-release",
	} {
		mounts := reveal(only(t, podOf(g.resources[workload].inputs)["containers"])["volumeMounts"])
		require.Contains(t, mounts, map[string]any{
			"name": "files", "mountPath": "/opt/mastodon/config/robots.txt", "subPath": "file-0", "readOnly": true,
		}, workload)
		require.Contains(t, mounts, map[string]any{
			"name": "secret-files", "mountPath": "/opt/mastodon/vapid.pem", "subPath": "file-1", "readOnly": true,
		}, workload)
	}
	args := mastodon()
	require.Equal(t, []string{"vapid"}, args.SecretNames())
}

func TestADiskHasOneReplicaAtATime(t *testing.T) {
	t.Parallel()
	args := mastodon()
	args.Protect = true
	g := declareApp(t, args)
	spec := g.specOf(t, deploymentType, "app-search")
	require.Equal(t, map[string]any{"type": "Recreate"}, reveal(spec["strategy"]), "the next one waits for the disk")
	claim := g.find(t, claimType, "app-search-data")
	require.Equal(t, "platform-retain", claim.inputs["spec"].ObjectValue()["storageClassName"].StringValue())
	require.True(t, claim.request.GetProtect())
	require.Contains(t, reveal(podOf(g.find(t, deploymentType, "app-search").inputs)["volumes"]), map[string]any{
		"name": "disk-data", "persistentVolumeClaim": map[string]any{"claimName": "mastodon-search-data"},
	})
	warnings := args.Warnings(field.NewPath("app"))
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "app.processes[2].volumes: a disk is attached to one node")
	require.Equal(t, "RollingUpdate", g.specOf(t, deploymentType, "app")["strategy"].ObjectValue()["type"].StringValue())
}

// Neither Kubernetes nor Pulumi gives a rollout up before its replicas had the time that they were granted.
func TestASlowStarterIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := declareApp(t, mastodon())
	timeout := func(deployment string) any {
		return at(reveal(g.find(t, deploymentType, deployment).inputs["metadata"]), "annotations", "pulumi.com/timeoutSeconds")
	}
	require.Equal(t, "1500", timeout("app"), "2 replicas and the one more of a rollout, for 5 minutes each, and 10 by itself")
	require.Equal(t, "3300", timeout("app-sidekiq"), "8 of them when the autoscaler has added all")
	require.Equal(t, "1800", timeout("app-search"), "one that takes 20 minutes")
	search := g.find(t, deploymentType, "app-search").inputs
	container := only(t, podOf(search)["containers"])
	startup := container["startupProbe"].ObjectValue()
	require.InDelta(t, 1200, startup["failureThreshold"].NumberValue()*startup["periodSeconds"].NumberValue(), 0)
	require.Greater(t, search["spec"].ObjectValue()["progressDeadlineSeconds"].NumberValue(), 1200.0)
	require.Contains(t, container["readinessProbe"].ObjectValue(), resource.PropertyKey("tcpSocket"))
}

func TestConnectionsOfAllProcessesAreCounted(t *testing.T) {
	t.Parallel()
	args := mastodon()
	// web (2+1)×5, sidekiq (8+1)×12, streaming (2+1)×5, search 1×5, the job and the release command 5 each.
	require.Equal(t, 15+108+15+5+5+5, args.MostConnections())
}

func TestEveryFaultOfAProcessIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*app.Args)
		fault string
	}{
		"two of one name":       {func(a *app.Args) { a.Processes[1].Name = "sidekiq" }, `app.processes[1].name: Duplicate value: "sidekiq"`},
		"one name with a job":   {func(a *app.Args) { a.Jobs[0].Name = "sidekiq" }, `app.jobs[0].name: Duplicate value: "sidekiq"`},
		"web twice":             {func(a *app.Args) { a.Processes[0].Name = "web" }, "app.processes[0].name: Forbidden: mastodon-web is the name of what belongs to the platform"},
		"the database's name":   {func(a *app.Args) { a.Processes[0].Name = "pgbouncer" }, "app.processes[0].name: Forbidden: mastodon-pgbouncer"},
		"a backup's name":       {func(a *app.Args) { a.Jobs[0].Name = "repo1-full" }, "app.jobs[0].name: Forbidden: mastodon-repo1-full"},
		"a long name":           {func(a *app.Args) { a.Processes[0].Name = strings.Repeat("a", 60) }, "app.processes[0].name: Too long"},
		"two of one port":       {func(a *app.Args) { a.Processes[1].Image, a.Processes[1].Port = "", 3000 }, "app.processes[1].port: Duplicate value: 3000"},
		"two of one path":       {func(a *app.Args) { a.Processes[2].Path = "/api/v1/streaming" }, `app.processes[2].path: Duplicate value: "/api/v1/streaming"`},
		"web's path":            {func(a *app.Args) { a.Processes[1].Path = "/" }, `app.processes[1].path: Duplicate value: "/"`},
		"a path and no port":    {func(a *app.Args) { a.Processes[0].Path = "/jobs" }, "app.processes[0].port: Required value: a process with hosts or a path listens somewhere"},
		"hosts that are none":   {func(a *app.Args) { a.Processes[1].Hosts = []string{"x_y"} }, `app.processes[1].hosts[0]: Invalid value: "x_y"`},
		"no health":             {func(a *app.Args) { a.Processes[1].Health = app.Health{} }, "app.processes[1].health: Required value: a process with a port"},
		"health twice":          {func(a *app.Args) { a.Processes[1].Health.TCP = true }, "app.processes[1].health.tcp: Forbidden: is a second way"},
		"health of no port":     {func(a *app.Args) { a.Processes[0].Health = app.Health{TCP: true} }, "app.processes[0].health.tcp: Forbidden: there is no port"},
		"health of no command":  {func(a *app.Args) { a.Processes[0].Health.Command = []string{""} }, "app.processes[0].health.command: Required value"},
		"a start of no time":    {func(a *app.Args) { a.Processes[0].Health.StartLimit = "1s" }, `app.processes[0].health.startLimit: Invalid value: "1s": must be a duration from 10s to 1h0m0s`},
		"metrics of no port":    {func(a *app.Args) { a.Processes[0].Metrics.Port = 0 }, "app.processes[0].metrics.port: Required value"},
		"no time to drain":      {func(a *app.Args) { a.Processes[1].GracePeriod = "10s" }, `app.processes[1].gracePeriod: Invalid value: "10s": must be a duration from 11s`},
		"an image of no digest": {func(a *app.Args) { a.Processes[1].Image = "mastodon/streaming:v4" }, `app.processes[1].image: Invalid value: "mastodon/streaming:v4": must have a digest`},
		"an image that is none": {func(a *app.Args) { a.Processes[1].Image = "Mastodon" }, `app.processes[1].image: Invalid value: "Mastodon"`},
		"a variable of no name": {func(a *app.Args) { a.Processes[0].Env = map[string]string{"A=B": ""} }, "app.processes[0].env[A=B]: Invalid value"},
		"a disk for two":        {func(a *app.Args) { a.Processes[2].Replicas = 2 }, "app.processes[2].replicas: Invalid value: 2: must be 1 with volumes"},
		"a disk that is scaled": {func(a *app.Args) { a.Processes[2].Autoscale = &app.Autoscale{Max: 3} }, "app.processes[2].autoscale: Forbidden: a process with volumes"},
		"a disk too small":      {func(a *app.Args) { a.Processes[2].Volumes[0].Size = "1Gi" }, `app.processes[2].volumes[0].size: Invalid value: "1Gi": must be at least 10Gi`},
		"a disk of two": {func(a *app.Args) {
			a.Replicas, a.Volumes = 1, []app.Volume{{Name: "search-data", Path: "/a", Size: "10Gi"}}
		}, `app.processes[2].volumes[0].name: Duplicate value: "mastodon-search-data"`},
		"a disk of a long name":  {func(a *app.Args) { a.Processes[2].Volumes[0].Name = strings.Repeat("a", 59) }, "app.processes[2].volumes[0].name: Too long: may not be more than 58"},
		"a root beside the app":  {func(a *app.Args) { a.Processes[2].User = new(int) }, "app.processes[2].user: Invalid value: 0: must be between 1 and 65535"},
		"a disk over everything": {func(a *app.Args) { a.Processes[2].Volumes[0].Path = "/" }, `app.processes[2].volumes[0].path: Invalid value: "/"`},
		"web's disk for two":     {func(a *app.Args) { a.Volumes = []app.Volume{{Name: "a", Path: "/a", Size: "10Gi"}} }, "app.replicas: Invalid value: 2: must be 1 with volumes"},
		"a release of nothing":   {func(a *app.Args) { a.Release.Command = nil }, "app.release.command: Required value"},
		"a release of no time":   {func(a *app.Args) { a.Release.Timeout = "soon" }, `app.release.timeout: Invalid value: "soon"`},
		"a file of no path":      {func(a *app.Args) { a.Files[0].Path = "robots.txt" }, `app.files[0].path: Invalid value: "robots.txt"`},
		"two files at a path":    {func(a *app.Args) { a.Files[1].Path = a.Files[0].Path }, "app.files[1].path: Duplicate value"},
		"a file of both":         {func(a *app.Args) { a.Files[1].Content = "x" }, "app.files[1].secret: Forbidden: stands beside content"},
		"a file of two MB":       {func(a *app.Args) { a.Files[0].Content = strings.Repeat("a", 2<<20) }, "app.files: Too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := mastodon()
			require.Empty(t, args.Validate(field.NewPath("app")))
			test.edit(&args)
			require.ErrorContains(t, args.Validate(field.NewPath("app")).ToAggregate(), test.fault)
		})
	}
}

// What is left out of an entry of a list is its default, and what is said is not.
func TestAProcessInTheStackFileHasDefaults(t *testing.T) {
	t.Parallel()
	const at = "    health:\n"
	g, err := deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(text, at, "    processes: [{name: worker, command: [work], databaseConnections: 0}]\n"+at, 1)
	}), "staging")
	require.ErrorContains(t, err, "postgres.pooler.size: Invalid value: 123: must be 246 or more in session mode")
	require.Empty(t, g.resources)

	_, err = deploy(t, copyStack(t, "staging", func(text string) string {
		return strings.Replace(text, at, "    processes: [{name: worker, replicas: 0, image: x}]\n    release: {command: [x]}\n"+at, 1)
	}), "staging")
	for _, fault := range []string{
		"app.processes[0].replicas: Invalid value: 0: must be between 1 and 100",
		`app.processes[0].image: Invalid value: "x": must have a digest`,
		"app.release: Forbidden: Keel starts new versions by itself",
	} {
		require.ErrorContains(t, err, fault)
	}
}

// Names of a process' own are public names like all others.
func TestHostsOfProcessesArePublic(t *testing.T) {
	t.Parallel()
	const process = "    processes: [{name: live, port: 4001, hosts: [%s], health: {tcp: true}}]\n    health:\n"
	stack := func(host string) (*graph, error) {
		return deploy(t, copyStack(t, "staging", func(text string) string {
			return strings.NewReplacer("    health:\n", strings.ReplaceAll(process, "%s", host), "size: 123", "size: 246").Replace(text)
		}), "staging")
	}
	g, err := stack("live.staging.changelog.com")
	require.NoError(t, err)
	require.Contains(t, g.resources, recordType+" hosts-live.staging.changelog.com-A-0")
	_, err = stack("staging.changelog.com")
	require.ErrorContains(t, err, `app.processes[0].hosts[0]: Duplicate value: "staging.changelog.com"`)
	_, err = stack("live.example.com")
	require.ErrorContains(t, err, `app.processes[0].hosts[0]: Invalid value: "live.example.com": is outside every zone`)
}
