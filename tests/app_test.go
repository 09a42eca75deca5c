package tests

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/app"
	"lke-platform/components/delivery"
	"lke-platform/components/namespace"
)

const cronJobType = "kubernetes:batch/v1:CronJob"

// changelog is an application that uses all that there is.
func changelog() app.Args {
	args := app.Defaults()
	args.Name, args.Image = "changelog", "docker.io/thechangelog/changelog.com:master"
	args.Hosts = []string{"changelog.com", "www.changelog.com", "gotime.fm"}
	args.Registry = &app.Registry{Username: "changelogci", Password: "dockerhub-token"}
	args.Autoscale = &app.Autoscale{Max: 6}
	args.Metrics = &app.Metrics{Port: 9090, Token: "METRICS_TOKEN"}
	args.Env = map[string]string{"URL_HOST": "changelog.com"}
	args.Secrets = map[string]string{"METRICS_TOKEN": "metrics-token"}
	args.Media = map[string]string{
		"AWS_ASSETS_BUCKET": "bucket", "AWS_REGION": "region", "AWS_ENDPOINT": "endpoint",
		"AWS_ACCESS_KEY_ID": "accessKey", "AWS_SECRET_ACCESS_KEY": "secretKey",
	}
	args.Jobs = []app.Job{{Name: "stats", Schedule: "0 4 * * *", TimeZone: "US/Central", Command: []string{"mix", "stats"}}}

	hidden := pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)
	args.Namespace, args.IngressClass = pulumi.String("changelog"), pulumi.String("traefik")
	args.Certificates = pulumi.StringMap{"changelog.com": pulumi.String("changelog-com"), "gotime.fm": pulumi.String("gotime-fm")}
	args.SecretValues = pulumi.StringMap{"METRICS_TOKEN": hidden}
	args.RegistryPassword, args.DatabaseSecret = hidden, pulumi.String("db-pguser-changelog")
	args.DatabaseAuthority = pulumi.String("db-cluster-cert")
	args.Bucket = &app.Bucket{
		Name: pulumi.String("media"), Region: pulumi.String("us-east"), Endpoint: pulumi.String("us-east-1.linodeobjects.com"),
		AccessKey: pulumi.String("key"), SecretKey: hidden,
	}
	return args
}

// declareApp runs the component alone.
func declareApp(t *testing.T, args app.Args) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, runApp(g, args))
	return g
}

func runApp(g *graph, args app.Args) error {
	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := app.New(ctx, "app", &args)
		return err
	}, pulumi.WithMocks(projectName, "prod", g))
}

func podOf(workload resource.PropertyMap) resource.PropertyMap {
	spec := workload["spec"].ObjectValue()
	if job, isCronJob := spec["jobTemplate"]; isCronJob {
		spec = job.ObjectValue()["spec"].ObjectValue()
	}
	return spec["template"].ObjectValue()["spec"].ObjectValue()
}

func TestKeelAndPulumiDoNotUndoEachOther(t *testing.T) {
	t.Parallel()
	way := delivery.Defaults()
	way.Mode = delivery.ModeKeel
	args := changelog()
	args.Autoscale, args.Annotations, args.Leave = nil, way.Annotations(), way.Leave()
	deployment := declareApp(t, args).find(t, deploymentType, "app")
	require.Equal(t, []string{
		`spec.template.metadata.annotations["keel.sh/update-time"]`, `metadata.annotations["kubernetes.io/change-cause"]`,
	}, deployment.request.GetIgnoreChanges(), "what Keel writes, and no more: a new tag in the stack file is rolled out")
	annotations := deployment.inputs["metadata"].ObjectValue()["annotations"].ObjectValue()
	require.Equal(t, "force", annotations["keel.sh/policy"].StringValue())
	container := only(t, podOf(deployment.inputs)["containers"])
	require.Equal(t, "thechangelog/changelog.com:master", container["image"].StringValue(), "as Keel spells it")
	require.Equal(t, "Always", container["imagePullPolicy"].StringValue(), "else a node starts what it pulled before")

	args.Image, args.Annotations, args.Leave = "thechangelog/changelog.com"+digest, nil, nil
	deployment = declareApp(t, args).find(t, deploymentType, "app")
	require.Empty(t, deployment.request.GetIgnoreChanges())
	require.NotContains(t, at(reveal(deployment.inputs["metadata"]), "annotations"), "keel.sh/policy")
	require.Equal(t, "IfNotPresent", only(t, podOf(deployment.inputs)["containers"])["imagePullPolicy"].StringValue())
}

func TestTheAutoscalerDecidesHowManyReplicasRun(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	scaler := g.find(t, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "app").inputs["spec"].ObjectValue()
	require.InDelta(t, 2, scaler["minReplicas"].NumberValue(), 0)
	require.InDelta(t, 6, scaler["maxReplicas"].NumberValue(), 0)
	require.Contains(t, g.find(t, deploymentType, "app").request.GetIgnoreChanges(), "spec.replicas")

	args := changelog()
	args.Autoscale = nil
	g = declareApp(t, args)
	require.NotContains(t, g.resources, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler app")
	require.NotContains(t, g.find(t, deploymentType, "app").request.GetIgnoreChanges(), "spec.replicas")
}

func TestHostsNameTheCertificateThatIsValidForThem(t *testing.T) {
	t.Parallel()
	ingress := declareApp(t, changelog()).find(t, ingressType, "app").inputs
	require.NotContains(t, ingress["metadata"].ObjectValue(), resource.PropertyKey("annotations"),
		"it waits for its address, and any controller serves it")
	tls := ingress["spec"].ObjectValue()["tls"].ArrayValue()
	require.Len(t, tls, 2)
	require.Equal(t, "changelog-com", tls[0].ObjectValue()["secretName"].StringValue())
	require.Equal(t, []string{"changelog.com", "www.changelog.com"}, texts(tls[0].ObjectValue()["hosts"]))
	require.Equal(t, "gotime-fm", tls[1].ObjectValue()["secretName"].StringValue())

	args := changelog()
	args.Hosts = append(args.Hosts, "a.b.changelog.com")
	require.ErrorContains(t, runApp(&graph{resources: map[string]*node{}}, args),
		`hosts[3]: Invalid value: "a.b.changelog.com": no certificate is valid for it`)
}

func TestTheAppLearnsOfDatabaseAndBucket(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	pod := podOf(g.find(t, deploymentType, "app").inputs)
	container := only(t, pod["containers"])
	require.Equal(t, map[string]string{
		"URL_HOST": "changelog.com", "AWS_ASSETS_BUCKET": "media", "AWS_REGION": "us-east",
		"AWS_ENDPOINT": "us-east-1.linodeobjects.com",
	}, environment(container["env"]))
	keys := map[string]string{}
	for _, variable := range container["env"].ArrayValue() {
		if source := variable.ObjectValue()["valueFrom"]; source.IsObject() {
			reference := source.ObjectValue()["secretKeyRef"].ObjectValue()
			require.Equal(t, "db-pguser-changelog", reference["name"].StringValue())
			keys[variable.ObjectValue()["name"].StringValue()] = reference["key"].StringValue()
		}
	}
	require.Equal(t, app.Defaults().Database, keys)
	held := plain(g.find(t, "kubernetes:core/v1:Secret", "app").inputs["stringData"]).ObjectValue()
	require.Len(t, held, 3)
	require.Equal(t, secret, plain(held["AWS_SECRET_ACCESS_KEY"]).StringValue())
}

// A database that takes TLS only can be verified, and the key beside its authority stays with the operator.
func TestTheAppCanVerifyTheDatabase(t *testing.T) {
	t.Parallel()
	args := changelog()
	args.Database = map[string]string{"DATABASE_URL": "uri", "PGSSLROOTCERT": "ca-file", "DATABASE_CA": "ca"}
	require.Empty(t, args.Validate(field.NewPath("app")))
	g := declareApp(t, args)
	for _, workload := range []string{deploymentType + " app", cronJobType + " app-stats"} {
		pod := podOf(g.resources[workload].inputs)
		container := only(t, pod["containers"])
		mount := only(t, container["volumeMounts"])
		volume := only(t, pod["volumes"])
		require.Equal(t, volume["name"], mount["name"])
		require.Equal(t, map[string]any{
			"secretName": "db-cluster-cert", "items": []any{map[string]any{"key": "ca.crt", "path": "ca.crt"}},
		}, reveal(volume["secret"]))
		require.Equal(t, mount["mountPath"].StringValue()+"/ca.crt", environment(container["env"])["PGSSLROOTCERT"])
		require.Contains(t, reveal(container["env"]), map[string]any{"name": "DATABASE_CA", "valueFrom": map[string]any{
			"secretKeyRef": map[string]any{"name": "db-cluster-cert", "key": "ca.crt"},
		}})
	}

	args.Database = map[string]string{}
	pod := podOf(declareApp(t, args).find(t, deploymentType, "app").inputs)
	require.NotContains(t, pod, resource.PropertyKey("volumes"), "it asks for no database")
	args.Database, args.DatabaseAuthority = map[string]string{"DATABASE_CA": "ca"}, nil
	require.ErrorContains(t, runApp(&graph{resources: map[string]*node{}}, args), "database: Required value: the authority")
}

// probesOf are the probes of the application's replicas.
func probesOf(t *testing.T, health app.Health) (startup, readiness, liveness resource.PropertyMap) {
	t.Helper()
	args := changelog()
	args.Health = health
	require.Empty(t, args.Validate(field.NewPath("app")))
	container := only(t, podOf(declareApp(t, args).find(t, deploymentType, "app").inputs)["containers"])
	return container["startupProbe"].ObjectValue(), container["readinessProbe"].ObjectValue(), container["livenessProbe"].ObjectValue()
}

// answers asks an application as the kubelet does: it follows redirects on the same host, and takes all others for an answer.
func answers(t *testing.T, probe resource.PropertyMap, address string) bool {
	t.Helper()
	if _, isTCP := probe["tcpSocket"]; isTCP {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		require.NoError(t, connection.Close())
		return true
	}
	action := probe["httpGet"].ObjectValue()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+action["path"].StringValue(), nil)
	require.NoError(t, err)
	for _, header := range action["httpHeaders"].ArrayValue() {
		request.Header.Set(header.ObjectValue()["name"].StringValue(), header.ObjectValue()["value"].StringValue())
	}
	request.Host = request.Header.Get("Host")
	client := http.Client{CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Hostname() != via[0].URL.Hostname() {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode >= 200 && response.StatusCode < 400
}

func TestAnAppThatForcesTLSBecomesReady(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Forwarded-Proto") != "https":
			http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
		case r.Header.Get("X-Probe") != "kubelet":
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	health := app.Health{Path: "/up", LivenessPath: "/live", Headers: map[string]string{"x-probe": "kubelet"}}
	startup, readiness, liveness := probesOf(t, health)
	require.True(t, answers(t, readiness, address))
	require.True(t, answers(t, startup, address))
	require.True(t, answers(t, liveness, address))

	health.Headers["x-forwarded-proto"] = "http"
	_, readiness, _ = probesOf(t, health)
	require.False(t, answers(t, readiness, address), "what is said wins")
}

// A replica whose database fails over gets no visitors for a while. A restart of all replicas would help nobody.
func TestAFailoverOfTheDatabaseRestartsNoReplica(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	for _, health := range []app.Health{app.Defaults().Health, {Path: "/health", LivenessPath: "/live"}} {
		startup, readiness, liveness := probesOf(t, health)
		require.False(t, answers(t, readiness, address))
		require.True(t, answers(t, startup, address), "nor one that starts meanwhile")
		require.True(t, answers(t, liveness, address))
	}
}

func TestThePasswordOfTheRegistryIsInItsSecretOnly(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	inputs := g.find(t, "kubernetes:core/v1:Secret", "app-registry").inputs
	require.Equal(t, "kubernetes.io/dockerconfigjson", inputs["type"].StringValue())
	require.True(t, inputs["stringData"].ContainsSecrets())
	var file struct{ Auths map[string]map[string]string }
	text := plain(plain(inputs["stringData"]).ObjectValue()[".dockerconfigjson"]).StringValue()
	require.NoError(t, json.Unmarshal([]byte(text), &file))
	require.Equal(t, map[string]map[string]string{
		"https://index.docker.io/v1/": {"username": "changelogci", "password": secret},
	}, file.Auths)
	for _, workload := range []string{deploymentType + " app", cronJobType + " app-stats"} {
		pull := only(t, podOf(g.resources[workload].inputs)["imagePullSecrets"])
		require.Equal(t, "app-registry-1a2b3c4d", pull["name"].StringValue(), workload)
		require.NotContains(t, resource.NewProperty(g.resources[workload].inputs).String(), secret, workload)
	}
	args := changelog()
	require.Equal(t, []string{"dockerhub-token", "metrics-token"}, args.SecretNames())
}

func TestJobsRunOneAtATimeAndServeNoVisitors(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	job := g.find(t, cronJobType, "app-stats").inputs
	spec := job["spec"].ObjectValue()
	require.Equal(t, "changelog-stats", job["metadata"].ObjectValue()["name"].StringValue())
	require.Equal(t, "Forbid", spec["concurrencyPolicy"].StringValue())
	require.Equal(t, "US/Central", spec["timeZone"].StringValue())
	require.Contains(t, spec, resource.PropertyKey("startingDeadlineSeconds"))
	run := spec["jobTemplate"].ObjectValue()["spec"].ObjectValue()
	require.InDelta(t, 3600, run["activeDeadlineSeconds"].NumberValue(), 0)

	container, replica := only(t, podOf(job)["containers"]), only(t, podOf(g.find(t, deploymentType, "app").inputs)["containers"])
	require.Equal(t, []string{"mix", "stats"}, texts(container["command"]))
	for _, same := range []resource.PropertyKey{"image", "env", "envFrom", "securityContext"} {
		require.Equal(t, replica[same], container[same], same)
	}
	labels := run["template"].ObjectValue()["metadata"].ObjectValue()["labels"].ObjectValue()
	selector := g.find(t, "kubernetes:core/v1:Service", "app").inputs["spec"].ObjectValue()["selector"].ObjectValue()
	require.NotEqual(t, selector["app.kubernetes.io/name"], labels["app.kubernetes.io/name"])
}

func TestMetricsHaveAPortAndATokenOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	endpoint := only(t, g.find(t, monitorType, "app").inputs["spec"].ObjectValue()["endpoints"])
	require.Equal(t, "metrics", endpoint["port"].StringValue())
	require.Equal(t, "/metrics", endpoint["path"].StringValue())
	credentials := endpoint["authorization"].ObjectValue()["credentials"].ObjectValue()
	require.Equal(t, "app-1a2b3c4d", credentials["name"].StringValue())
	require.Equal(t, "METRICS_TOKEN", credentials["key"].StringValue())
	rules := g.find(t, ingressType, "app").inputs["spec"].ObjectValue()["rules"]
	require.NotContains(t, rules.String(), "{metrics}", "visitors are not sent there")

	args := changelog()
	args.Metrics = nil
	require.NotContains(t, declareApp(t, args).resources, monitorType+" app")
}

func TestVisitorsComeBeforeTheRestOnAFullCluster(t *testing.T) {
	t.Parallel()
	g := declareApp(t, changelog())
	require.Equal(t, "platform-app", podOf(g.find(t, deploymentType, "app").inputs)["priorityClassName"].StringValue())
	require.NotContains(t, podOf(g.find(t, cronJobType, "app-stats").inputs), resource.PropertyKey("priorityClassName"))
}

// An image that knows no user but root starts too, with all of the hardening that root can have.
func TestRootIsSaidInSoManyWords(t *testing.T) {
	t.Parallel()
	for user, standard := range map[int]namespace.Standard{1000: namespace.Restricted, 0: namespace.Baseline} {
		args := changelog()
		require.Equal(t, 1000, args.User, "by default")
		args.User = user
		require.Equal(t, standard, args.PodSecurity())
		pod := podOf(declareApp(t, args).find(t, deploymentType, "app").inputs)
		context := pod["securityContext"].ObjectValue()
		require.InDelta(t, user, context["runAsUser"].NumberValue(), 0)
		require.Equal(t, user != 0, context["runAsNonRoot"].BoolValue())
		require.Equal(t, "RuntimeDefault", context["seccompProfile"].ObjectValue()["type"].StringValue())
		container := only(t, pod["containers"])["securityContext"].ObjectValue()
		require.False(t, container["allowPrivilegeEscalation"].BoolValue())
		require.Equal(t, []string{"ALL"}, texts(container["capabilities"].ObjectValue()["drop"]))
	}
	for _, stack := range []string{"staging", "prod"} {
		labels := deployed(t, stack).find(t, "kubernetes:core/v1:Namespace", "changelog").inputs["metadata"].ObjectValue()["labels"]
		require.Equal(t, "baseline", labels.ObjectValue()["pod-security.kubernetes.io/enforce"].StringValue(), "it has user: 0")
	}
}

func TestEveryFaultOfAnAppIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*app.Args)
		fault string
	}{
		"max below replicas":     {func(a *app.Args) { a.Autoscale.Max = 1 }, "app.autoscale.max: Invalid value: 1: must not be below replicas"},
		"no max":                 {func(a *app.Args) { a.Autoscale.Max = 0 }, "app.autoscale.max: Invalid value: 0: must be between 1 and 100"},
		"CPU beyond reason":      {func(a *app.Args) { a.Autoscale.CPUPercent = 5 }, "app.autoscale.cpuPercent: Invalid value: 5"},
		"registry without user":  {func(a *app.Args) { a.Registry.Username = "" }, "app.registry.username: Required value"},
		"registry and no secret": {func(a *app.Args) { a.Registry.Password = "" }, "app.registry.password: Required value"},
		"secret without a name":  {func(a *app.Args) { a.Secrets["KEY"] = "" }, "app.secrets[KEY]: Required value: must name a secret"},
		"secret of a colon":      {func(a *app.Args) { a.Secrets["KEY"] = "a:b" }, `app.secrets[KEY]: Invalid value: "a:b"`},
		"health without a slash": {func(a *app.Args) { a.Health.LivenessPath = "live" }, `app.health.livenessPath: Invalid value: "live"`},
		"header that is none":    {func(a *app.Args) { a.Health.Headers = map[string]string{"a b": "c"} }, `app.health.headers[a b]: Invalid value: "a b"`},
		"header of two lines":    {func(a *app.Args) { a.Health.Headers = map[string]string{"A": "b\r\nC: d"} }, "app.health.headers[A]: Invalid value"},
		"host of two lines":      {func(a *app.Args) { a.Health.Host = "a\nb" }, "app.health.host: Invalid value"},
		"host among the headers": {func(a *app.Args) { a.Health.Headers = map[string]string{"host": "a"} }, "app.health.headers[host]: Forbidden: is the same header as health.host"},
		"header twice":           {func(a *app.Args) { a.Health.Headers = map[string]string{"A-B": "1", "a-b": "2"} }, "app.health.headers[a-b]: Forbidden: is the same header as A-B"},
		"metrics path":           {func(a *app.Args) { a.Metrics.Path = "metrics" }, "app.metrics.path: Invalid value"},
		"metrics port":           {func(a *app.Args) { a.Metrics.Port = 70000 }, "app.metrics.port: Invalid value: 70000"},
		"metrics token":          {func(a *app.Args) { a.Metrics.Token = "TOKEN" }, `app.metrics.token: Not found: "TOKEN"`},
		"unknown database key":   {func(a *app.Args) { a.Database = map[string]string{"DB": "name"} }, `app.database[DB]: Unsupported value: "name"`},
		"unknown media property": {func(a *app.Args) { a.Media["X"] = "key" }, `app.media[X]: Unsupported value: "key"`},
		"variable twice":         {func(a *app.Args) { a.Env["DB_HOST"] = "db" }, "app.env[DB_HOST]: Forbidden: stands in database too"},
		"variable thrice":        {func(a *app.Args) { a.Media["METRICS_TOKEN"] = "bucket" }, "app.media[METRICS_TOKEN]: Forbidden: stands in secrets too"},
		"schedule":               {func(a *app.Args) { a.Jobs[0].Schedule = "at noon" }, `app.jobs[0].schedule: Invalid value: "at noon"`},
		"hour 25":                {func(a *app.Args) { a.Jobs[0].Schedule = "0 25 * * *" }, "app.jobs[0].schedule: Invalid value"},
		"zone in the schedule":   {func(a *app.Args) { a.Jobs[0].Schedule = "TZ=UTC 0 4 * * *" }, "app.jobs[0].schedule: Invalid value"},
		"time zone":              {func(a *app.Args) { a.Jobs[0].TimeZone = "US/Chicago" }, `app.jobs[0].timeZone: Invalid value: "US/Chicago"`},
		"time zone of a machine": {func(a *app.Args) { a.Jobs[0].TimeZone = "Local" }, `app.jobs[0].timeZone: Invalid value: "Local"`},
		"no command":             {func(a *app.Args) { a.Jobs[0].Command = nil }, "app.jobs[0].command: Required value"},
		"empty command":          {func(a *app.Args) { a.Jobs[0].Command = []string{""} }, "app.jobs[0].command: Required value"},
		"timeout":                {func(a *app.Args) { a.Jobs[0].Timeout = "soon" }, `app.jobs[0].timeout: Invalid value: "soon"`},
		"two jobs alike":         {func(a *app.Args) { a.Jobs = append(a.Jobs, a.Jobs[0]) }, `app.jobs[1].name: Duplicate value: "stats"`},
		"a long name":            {func(a *app.Args) { a.Jobs[0].Name = "a-job-with-a-name-that-is-much-longer-than-it-should-be" }, "app.jobs[0].name: Too long: may not be more than 42 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := changelog()
			require.Empty(t, args.Validate(field.NewPath("app")))
			test.edit(&args)
			require.ErrorContains(t, args.Validate(field.NewPath("app")).ToAggregate(), test.fault)
		})
	}
}

func TestWhatTheAppIsToldOfHasToBeThere(t *testing.T) {
	t.Parallel()
	args := changelog()
	args.Bucket, args.RegistryPassword = nil, nil
	err := runApp(&graph{resources: map[string]*node{}}, args)
	require.ErrorContains(t, err, "media: Required value: there is no bucket")
	require.ErrorContains(t, err, "registry.password: Required value")
}
