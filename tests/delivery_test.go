package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/delivery"
)

const (
	ingressType = "kubernetes:networking.k8s.io/v1:Ingress"
	monitorType = "kubernetes:monitoring.coreos.com/v1:ServiceMonitor"
	digest      = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// declareKeel runs the component alone.
func declareKeel(t *testing.T, edits ...func(*delivery.Args)) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		keelNamespace, err := delivery.NewNamespace(ctx)
		if err != nil {
			return err
		}
		args := delivery.Defaults()
		args.Mode, args.Host = delivery.ModeKeel, "keel.changelog.com"
		args.Namespace = keelNamespace.Name
		args.AppNamespace, args.Deployments = pulumi.String("changelog"), pulumi.StringArray{pulumi.String("changelog")}
		args.PullSecret, args.TLSSecret = pulumi.String("changelog-registry-1a2b"), pulumi.String("changelog-com-tls")
		args.IngressClass = pulumi.String("traefik")
		args.WebhookPassword = pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)
		args.Image = "thechangelog/changelog.com:master"
		for _, edit := range edits {
			edit(&args)
		}
		_, err = delivery.New(ctx, "delivery", &args)
		return err
	}, pulumi.WithMocks(projectName, "prod", g))
	require.NoError(t, err)
	return g
}

func TestKeelIsReachedAtOnePathOnly(t *testing.T) {
	t.Parallel()
	g := declareKeel(t)
	spec := g.find(t, ingressType, "delivery").inputs["spec"].ObjectValue()
	rule := only(t, spec["rules"])
	require.Equal(t, "keel.changelog.com", rule["host"].StringValue())
	path := only(t, rule["http"].ObjectValue()["paths"])
	require.Equal(t, "/v1/webhooks/dockerhub", path["path"].StringValue())
	require.Equal(t, "Exact", path["pathType"].StringValue())
	require.Equal(t, "traefik", spec["ingressClassName"].StringValue())
	require.Equal(t, "changelog-com-tls", only(t, spec["tls"])["secretName"].StringValue())
	require.True(t, g.waitsFor(ingressType+" delivery", releaseType+" delivery"))

	for policy, from := range map[string]string{"webhook": "ingress", "metrics": "monitoring"} {
		policy := g.find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "keel-"+policy).inputs["spec"].ObjectValue()
		opening := only(t, policy["ingress"])
		require.Contains(t, only(t, opening["from"])["namespaceSelector"].String(), from)
		require.InDelta(t, 9300, only(t, opening["ports"])["port"].NumberValue(), 0)
	}
	values := g.find(t, releaseType, "delivery").inputs["values"].ObjectValue()
	require.NotContains(t, values, resource.PropertyKey("ingress"), "the chart's would open every path")
	require.Equal(t, "ClusterIP", values["service"].ObjectValue()["type"].StringValue(), "the chart's is a NodeBalancer of its own")
}

// A registry calls the route that understands it; whoever is no registry calls the native one.
func TestKeelListensToTheRegistryOfTheImage(t *testing.T) {
	t.Parallel()
	for image, route := range map[string]string{
		"thechangelog/changelog.com:master":            "dockerhub",
		"docker.io/library/ghost:latest":               "dockerhub",
		"ghcr.io/thechangelog/changelog.com:master":    "github",
		"quay.io/org/app:main":                         "quay",
		"acme.azurecr.io/app:main":                     "azure",
		"registry.gitlab.com/group/app:main":           "native",
		"acme.jfrog.io/docker/app:main":                "native",
		"harbor.example.com/library/app:main":          "native",
		"1234.dkr.ecr.us-east-1.amazonaws.com/app:dev": "native",
	} {
		path := func(chosen string) string {
			g := declareKeel(t, func(args *delivery.Args) { args.Image, args.Webhook.Route = image, chosen })
			rule := only(t, g.find(t, ingressType, "delivery").inputs["spec"].ObjectValue()["rules"])
			return only(t, rule["http"].ObjectValue()["paths"])["path"].StringValue()
		}
		require.Equal(t, "/v1/webhooks/"+route, path(""), image)
		require.Equal(t, "/v1/webhooks/harbor", path("harbor"), "what is said wins")
	}
}

func TestWhatHindersKeelIsSaid(t *testing.T) {
	t.Parallel()
	warnings := func(image, route string, steady bool) string {
		args := delivery.Defaults()
		args.Mode, args.Host, args.Image, args.Webhook.Route = delivery.ModeKeel, "keel.example.com", image, route
		return strings.Join(args.Warnings(steady), "\n")
	}
	require.Empty(t, warnings("org/app:main", "", false))
	require.Empty(t, warnings("ghcr.io/org/app:main", "", false))
	require.Contains(t, warnings("ghcr.io/org/app:v1.2", "", true), "app.image: Keel follows the tag of ghcr.io/org/app:v1.2, which looks like a version")
	require.Contains(t, warnings("registry.gitlab.com/org/app:main", "", false),
		"delivery: registry.gitlab.com does not tell Keel of pushes")
	require.Contains(t, warnings("registry.gitlab.com/org/app:main", "", false), "https://keel.example.com/v1/webhooks/native")
	require.Empty(t, warnings("registry.gitlab.com/org/app:main", "native", false), "its owner knows")
	require.Contains(t, warnings("1234.dkr.ecr.us-east-1.amazonaws.com/app:dev", "native", false), "valid for 12 hours")
	pinned := delivery.Defaults()
	pinned.Image = "registry.gitlab.com/org/app" + digest
	require.Empty(t, pinned.Warnings(false))
	pinned.Image = "1234.dkr.ecr.us-east-1.amazonaws.com/app" + digest
	require.Contains(t, strings.Join(pinned.Warnings(false), ""), "after that neither a new node nor Keel gets the image")
}

func TestKeelAsksForThePasswordAndItIsInNoValue(t *testing.T) {
	t.Parallel()
	g := declareKeel(t)
	account := g.find(t, "kubernetes:core/v1:Secret", "delivery")
	data := plain(account.inputs["stringData"]).ObjectValue()
	require.Equal(t, "dockerhub", plain(data["BASIC_AUTH_USER"]).StringValue())
	require.Equal(t, secret, plain(data["BASIC_AUTH_PASSWORD"]).StringValue())
	require.Contains(t, data, resource.PropertyKey("TOKEN_SECRET"), "Keel's own is guessed from the time of its start")
	for key, node := range g.resources {
		if key != "kubernetes:core/v1:Secret delivery" {
			require.NotContains(t, resource.NewProperty(node.inputs).String(), secret, key)
		}
	}
	values := g.find(t, releaseType, "delivery").inputs["values"].ObjectValue()
	require.Equal(t, "true", environment(values["extraEnv"])["AUTHENTICATED_WEBHOOKS"])
	require.False(t, values["secret"].ObjectValue()["create"].BoolValue())
	require.Equal(t, "delivery-1a2b3c4d", values["secret"].ObjectValue()["name"].StringValue(), "a new password restarts Keel")
}

func TestKeelMayChangeOneDeploymentAndNothingElse(t *testing.T) {
	t.Parallel()
	g := declareKeel(t)
	values := g.find(t, releaseType, "delivery").inputs["values"].ObjectValue()
	require.Equal(t, "changelog", environment(values["extraEnv"])["RESTRICTED_NAMESPACE"])
	require.False(t, values["rbac"].ObjectValue()["clusterRole"].ObjectValue()["create"].BoolValue())
	require.False(t, values["helmProvider"].ObjectValue()["enabled"].BoolValue())

	role := g.find(t, "kubernetes:rbac.authorization.k8s.io/v1:Role", "delivery").inputs
	require.Equal(t, "changelog", role["metadata"].ObjectValue()["namespace"].StringValue())
	for _, rule := range role["rules"].ArrayValue() {
		rule := rule.ObjectValue()
		what, verbs := texts(rule["resources"]), texts(rule["verbs"])
		if !slices.Contains(verbs, "update") && !slices.Contains(what, "secrets") {
			require.Subset(t, []string{"list", "watch"}, verbs, what)
			continue
		}
		require.Len(t, verbs, 1)
		require.Len(t, rule["resourceNames"].ArrayValue(), 1, what)
	}
	require.True(t, g.waitsFor(releaseType+" delivery", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding delivery"))
}

func TestKeelKeepsToTheRulesOfItsNamespace(t *testing.T) {
	t.Parallel()
	g := declareKeel(t)
	values := g.find(t, releaseType, "delivery").inputs["values"].ObjectValue()
	require.True(t, values["podSecurityContext"].ObjectValue()["runAsNonRoot"].BoolValue())
	require.False(t, values["containerSecurityContext"].ObjectValue()["allowPrivilegeEscalation"].BoolValue())
	require.Contains(t, values["resources"].ObjectValue()["limits"].ObjectValue(), resource.PropertyKey("memory"))
	endpoint := only(t, g.find(t, monitorType, "delivery").inputs["spec"].ObjectValue()["endpoints"])
	require.Equal(t, "/metrics", endpoint["path"].StringValue())
}

func TestOnlyKeelMarksTheAppAndOwnsPartOfIt(t *testing.T) {
	t.Parallel()
	args := delivery.Defaults()
	require.Equal(t, delivery.ModePinned, args.Mode)
	require.Empty(t, args.Annotations())
	require.Empty(t, args.Leave())
	require.Empty(t, args.SecretNames())
	args.Mode = delivery.ModeKeel
	require.Equal(t, map[string]string{
		"keel.sh/policy": "force", "keel.sh/matchTag": "true", "keel.sh/trigger": "poll", "keel.sh/pollSchedule": "@every 5m",
	}, args.Annotations())
	require.NotContains(t, strings.Join(args.Leave(), " "), "image", "Keel keeps to the tag, which stays the stack file's")
	require.Equal(t, []string{"keel-webhook-password"}, args.SecretNames())
}

func TestEveryFaultOfDeliveryIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*delivery.Args)
		fault string
	}{
		"unknown mode":     {func(a *delivery.Args) { a.Mode = "flux" }, `delivery.mode: Unsupported value: "flux"`},
		"no host":          {func(a *delivery.Args) { a.Host = "" }, "delivery.host: Invalid value"},
		"too often":        {func(a *delivery.Args) { a.PollSchedule = "@every 5s" }, "delivery.pollSchedule: Invalid value"},
		"no schedule":      {func(a *delivery.Args) { a.PollSchedule = "5m" }, `delivery.pollSchedule: Invalid value: "5m": must be "@every"`},
		"no user":          {func(a *delivery.Args) { a.Webhook.User = "" }, "delivery.webhook.user: Required value"},
		"user and more":    {func(a *delivery.Args) { a.Webhook.User = "a:b" }, "delivery.webhook.user: Invalid value"},
		"unknown route":    {func(a *delivery.Args) { a.Webhook.Route = "registry" }, `delivery.webhook.route: Unsupported value: "registry"`},
		"no password name": {func(a *delivery.Args) { a.Webhook.Password = "" }, "delivery.webhook.password: Required value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := delivery.Defaults()
			args.Mode, args.Host = delivery.ModeKeel, "keel.changelog.com"
			require.Empty(t, args.Validate(field.NewPath("delivery")))
			test.edit(&args)
			require.ErrorContains(t, args.Validate(field.NewPath("delivery")).ToAggregate(), test.fault)
		})
	}
}

func TestAnImageFitsTheWayOfDelivery(t *testing.T) {
	t.Parallel()
	for image, fits := range map[string]string{
		"thechangelog/changelog.com:master":          delivery.ModeKeel,
		"thechangelog/changelog.com":                 delivery.ModeKeel,
		"thechangelog/changelog.com" + digest:        delivery.ModePinned,
		"thechangelog/changelog.com:master" + digest: delivery.ModePinned,
	} {
		for _, mode := range []string{delivery.ModeKeel, delivery.ModePinned} {
			args := delivery.Args{Mode: mode}
			faults := args.ValidateImage(field.NewPath("app", "image"), image)
			if mode == fits {
				require.Empty(t, faults, "%s: %s", mode, image)
			} else {
				require.ErrorContains(t, faults.ToAggregate(), "app.image: Invalid value", "%s: %s", mode, image)
			}
		}
	}
}

// only returns the one object of a list.
func only(t *testing.T, list resource.PropertyValue) resource.PropertyMap {
	t.Helper()
	require.Len(t, list.ArrayValue(), 1)
	return list.ArrayValue()[0].ObjectValue()
}

// environment returns the plain variables of a list of name and value.
func environment(list resource.PropertyValue) map[string]string {
	variables := map[string]string{}
	for _, variable := range list.ArrayValue() {
		if value := plain(variable.ObjectValue()["value"]); value.IsString() {
			variables[variable.ObjectValue()["name"].StringValue()] = value.StringValue()
		}
	}
	return variables
}

func texts(list resource.PropertyValue) []string {
	found := map[string]bool{}
	for _, text := range list.ArrayValue() {
		found[text.StringValue()] = true
	}
	return slices.Sorted(maps.Keys(found))
}
