package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/charts"
	"lke-platform/components/ingress"
	"lke-platform/components/lke"
)

const (
	linodeAnnotation = "service.beta.kubernetes.io/linode-loadbalancer-"
	fastlyIPv4       = "23.235.32.0/20"
	fastlyIPv6       = "2a04:4e40::/32"
)

// ingressArgs are those of a controller in a cluster.
func ingressArgs() ingress.Args {
	args := ingress.Defaults()
	args.Kubeconfig = pulumi.String(kubeconfig())
	return args
}

// ingressValues declares a controller of one kind, and returns the values of its release and the annotations of its Service.
func ingressValues(t *testing.T, kind string, edit func(*ingress.Args)) (values, annotations map[string]any) {
	t.Helper()
	args := ingressArgs()
	args.Controller = kind
	args.FastlyRanges = pulumi.ToStringArray([]string{fastlyIPv4, fastlyIPv6})
	args.Label = "platform-staging"
	if edit != nil {
		edit(&args)
	}
	g := declare(t, func(ctx *pulumi.Context) error {
		_, err := ingress.New(ctx, "ingress", &args)
		return err
	})
	name := map[string]string{ingress.Traefik: "traefik", ingress.NGINX: "nginx"}[kind]
	values, _ = reveal(g.find(t, releaseType, "ingress-"+name).inputs["values"]).(map[string]any)
	annotations, _ = at(values, "service", "annotations").(map[string]any)
	if kind == ingress.NGINX {
		annotations, _ = at(values, "controller", "service", "annotations").(map[string]any)
	}
	return values, annotations
}

// declare runs a part of a program.
func declare(t *testing.T, program pulumi.RunFunc) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(program, pulumi.WithMocks(projectName, "test", g)))
	return g
}

// at returns what stands in nested maps under a path.
func at(value any, path ...string) any {
	for _, key := range path {
		entries, _ := value.(map[string]any)
		value = entries[key]
	}
	return value
}

func TestBothEndsOfTheNodeBalancerSpeakTheProxyProtocol(t *testing.T) {
	t.Parallel()
	peers := []any{"192.168.255.0/24", "192.168.128.0/17", "10.2.0.0/16"}

	values, annotations := ingressValues(t, ingress.Traefik, nil)
	require.Equal(t, "v2", annotations[linodeAnnotation+"default-proxy-protocol"])
	for _, port := range []string{"web", "websecure"} {
		require.Equal(t, peers, at(values, "ports", port, "proxyProtocol", "trustedIPs"), port)
	}

	values, annotations = ingressValues(t, ingress.NGINX, nil)
	require.Equal(t, "v2", annotations[linodeAnnotation+"default-proxy-protocol"])
	require.Equal(t, "true", at(values, "controller", "config", "use-proxy-protocol"))
	trusted, _ := at(values, "controller", "config", "proxy-real-ip-cidr").(string)
	require.Subset(t, strings.Split(trusted, ","), peers)
}

func TestFastlyIsBelievedAboutWhoTheVisitorIs(t *testing.T) {
	t.Parallel()
	values, _ := ingressValues(t, ingress.Traefik, func(args *ingress.Args) { args.Allow = []string{"192.0.2.0/24"} })
	for _, port := range []string{"web", "websecure"} {
		require.Equal(t, []any{fastlyIPv4, fastlyIPv6}, at(values, "ports", port, "forwardedHeaders", "trustedIPs"),
			"an office that may connect is no proxy")
	}
	require.Equal(t, true, at(values, "global", "notAppendXForwardedFor"), "the visitor alone, and not Fastly's site")
	values, _ = ingressValues(t, ingress.Traefik, func(args *ingress.Args) { args.Open = new(true) })
	require.Equal(t, false, at(values, "global", "notAppendXForwardedFor"), "nobody else says who connects past Fastly")
	values, _ = ingressValues(t, ingress.NGINX, nil)
	require.Equal(t, "true", at(values, "controller", "config", "use-forwarded-headers"))
	require.Equal(t, "false", at(values, "controller", "config", "compute-full-forwarded-for"), "the visitor alone, as Traefik says it")
	require.Contains(t, at(values, "controller", "config", "proxy-real-ip-cidr"), ","+fastlyIPv4+","+fastlyIPv6)
}

func TestOnlyFastlyAndWhoIsAllowedReachTheOrigin(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{ingress.Traefik, ingress.NGINX} {
		_, annotations := ingressValues(t, kind, func(args *ingress.Args) {
			args.Allow = []string{"192.0.2.0/24", "2001:db8::/32"}
		})
		acl, _ := annotations[linodeAnnotation+"firewall-acl"].(string)
		require.JSONEq(t, `{"allowList": {"ipv4": ["23.235.32.0/20", "192.0.2.0/24"],
			"ipv6": ["2a04:4e40::/32", "2001:db8::/32"]}}`, acl)

		_, annotations = ingressValues(t, kind, func(args *ingress.Args) { args.Open = new(true) })
		require.NotContains(t, annotations, linodeAnnotation+"firewall-acl")
	}
	var list map[string]map[string][]string
	_, annotations := ingressValues(t, ingress.Traefik, func(args *ingress.Args) {
		args.FastlyRanges = pulumi.ToStringArray([]string{fastlyIPv4})
	})
	require.NoError(t, json.Unmarshal([]byte(annotations[linodeAnnotation+"firewall-acl"].(string)), &list))
	require.NotContains(t, list["allowList"], "ipv6", "an empty list would be a fault")
}

// With an address beside the name, what is inside the cluster reaches that without the PROXY header that nginx insists on.
func TestTheServiceShowsItsNameOnly(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{ingress.Traefik, ingress.NGINX} {
		_, annotations := ingressValues(t, kind, nil)
		require.Equal(t, "true", annotations[linodeAnnotation+"hostname-only-ingress"])
		require.Equal(t, "platform-staging-"+kind, annotations[linodeAnnotation+"tags"], "by which the program finds its addresses")
	}
}

// Fastly's networks are those of all its customers: who connects from there shows a certificate that only this stack's service has.
func TestTheOriginAnswersNobodyElsesFastlyService(t *testing.T) {
	t.Parallel()
	const file = "/etc/cdn-authority/ca.crt"
	demand := func(kind string, values map[string]any) (asks bool, volumes, mounts any) {
		if kind == ingress.NGINX {
			snippet, _ := at(values, "controller", "config", "http-snippet").(string)
			return snippet == "ssl_client_certificate "+file+";\nssl_verify_client on;",
				at(values, "controller", "extraVolumes"), at(values, "controller", "extraVolumeMounts")
		}
		clients := at(values, "providers", "file", "content", "tls", "options", "default", "clientAuth")
		return at(clients, "clientAuthType") == "RequireAndVerifyClientCert" && at(clients, "caFiles").([]any)[0] == file,
			at(values, "deployment", "additionalVolumes"), at(values, "additionalVolumeMounts")
	}
	for _, kind := range []string{ingress.Traefik, ingress.NGINX} {
		values, _ := ingressValues(t, kind, nil)
		asks, volumes, mounts := demand(kind, values)
		require.True(t, asks, kind)
		require.Equal(t, []any{map[string]any{"name": "cdn-authority", "secret": map[string]any{
			"secretName": "cdn-client", "items": []any{map[string]any{"key": "ca.crt", "path": "ca.crt"}},
		}}}, volumes, "the client's key is not the controller's to read")
		require.Equal(t, "/etc/cdn-authority", at(mounts.([]any)[0], "mountPath"))

		for name, open := range map[string]func(*ingress.Args){
			"open to all":            func(args *ingress.Args) { args.Open = new(true) },
			"during a bypass":        func(args *ingress.Args) { args.Bypass = new(true) },
			"on the way back of one": func(args *ingress.Args) { args.Bypass = new(false) },
			"with WebSockets":        func(args *ingress.Args) { args.Anonymous = true },
		} {
			values, _ := ingressValues(t, kind, open)
			asks, volumes, _ := demand(kind, values)
			require.False(t, asks, "%s, %s", kind, name)
			require.Nil(t, volumes, "%s, %s", kind, name)
		}
	}
}

func TestTheCertificateOfTheCDNIsMadeBeforeItIsAskedFor(t *testing.T) {
	t.Parallel()
	g := declareIngress(t)
	const certificates, issuers = "kubernetes:cert-manager.io/v1:Certificate ", "kubernetes:cert-manager.io/v1:Issuer "
	for _, order := range [][2]string{
		{releaseType + " ingress-traefik", certificates + "ingress-client"},
		{certificates + "ingress-client", issuers + "ingress-issuer"},
		{issuers + "ingress-issuer", certificates + "ingress-authority"},
		{certificates + "ingress-authority", issuers + "ingress-root"},
		{"test:index:Backend fastly", certificates + "ingress-client"},
	} {
		require.True(t, g.waitsFor(order[0], order[1]), "%s before %s", order[1], order[0])
	}
	require.False(t, g.waitsFor("test:index:Backend fastly", releaseType+" ingress-traefik"),
		"Fastly has it before it is asked for it, also where the controller is there already")
	authority := reveal(g.find(t, "kubernetes:cert-manager.io/v1:Certificate", "ingress-authority").inputs["spec"])
	require.Equal(t, true, at(authority, "isCA"))
	require.Equal(t, "Never", at(authority, "privateKey", "rotationPolicy"), "what it has signed outlives its renewal")
	client := reveal(g.find(t, "kubernetes:cert-manager.io/v1:Certificate", "ingress-client").inputs["spec"])
	require.Equal(t, []any{"digital signature", "client auth"}, at(client, "usages"))

	require.True(t, g.find(t, "test:index:Backend", "fastly").inputs["key"].IsSecret())
}

// declareIngress declares Traefik for two namespaces, and what Fastly is told of its certificate.
func declareIngress(t *testing.T) *graph {
	t.Helper()
	args := ingressArgs()
	args.FastlyRanges = pulumi.ToStringArray([]string{fastlyIPv4})
	args.Label = "platform-test"
	args.Serves = map[string]pulumi.StringInput{"site": pulumi.String("site"), "keel": pulumi.String("keel")}
	return declare(t, func(ctx *pulumi.Context) error {
		controller, err := ingress.New(ctx, "ingress", &args)
		if err != nil {
			return err
		}
		return ctx.RegisterResource("test:index:Backend", "fastly", pulumi.Map{"key": controller.Identity.Key},
			&pulumi.CustomResourceState{})
	})
}

// Traefik faces the internet. By its chart's own role it reads every Secret of the cluster, Linode's token among them.
func TestTraefikReadsSecretsOnlyWhereItServes(t *testing.T) {
	t.Parallel()
	g := declareIngress(t)
	values, _ := reveal(g.find(t, releaseType, "ingress-traefik").inputs["values"]).(map[string]any)
	require.Equal(t, false, at(values, "rbac", "enabled"))
	require.Equal(t, []any{"ingress", "keel", "site"}, at(values, "providers", "kubernetesIngress", "namespaces"),
		"or it would ask for what it may not have, and serve nothing")
	const rbac = "kubernetes:rbac.authorization.k8s.io/v1:"
	everywhere := reveal(g.find(t, rbac+"ClusterRole", "ingress-traefik").inputs["rules"]).([]any)
	for _, rule := range everywhere {
		require.NotContains(t, at(rule, "resources"), "secrets")
		require.NotContains(t, at(rule, "resources"), "configmaps")
		require.NotContains(t, at(rule, "resources"), "*")
	}
	secrets := reveal(g.find(t, rbac+"ClusterRole", "ingress-traefik-certificates").inputs["rules"]).([]any)
	require.Equal(t, []any{map[string]any{
		"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get", "list", "watch"},
	}}, secrets)
	for _, namespace := range []string{"ingress", "keel", "site"} {
		key := rbac + "RoleBinding ingress-traefik-" + namespace
		require.True(t, g.waitsFor(releaseType+" ingress-traefik", key))
		binding := g.resources[key].inputs
		require.Equal(t, namespace, at(reveal(binding["metadata"]), "namespace"))
		require.Equal(t, "ingress-traefik-certificates", at(reveal(binding["roleRef"]), "name"))
		require.Equal(t, map[string]any{"kind": "ServiceAccount", "name": "traefik", "namespace": "ingress"},
			reveal(binding["subjects"]).([]any)[0])
	}
	for key := range g.resources {
		if strings.HasPrefix(key, rbac+"ClusterRoleBinding ") {
			require.NotContains(t, key, "certificates", "that would be everywhere")
		}
	}
}

// A lost node's replicas of an app count as ready for another minute, and take no connections.
func TestARequestToALostReplicaGoesToTheNextOne(t *testing.T) {
	t.Parallel()
	values, _ := ingressValues(t, ingress.Traefik, nil)
	require.Equal(t, []any{"--serverstransport.forwardingtimeouts.dialtimeout=1s"}, at(values, "additionalArguments"))
	names := at(values, "ports", "websecure", "http", "middlewares").([]any)
	require.Equal(t, []any{"next-replica@file"}, names)
	require.InDelta(t, 6, at(values, "providers", "file", "content", "http", "middlewares", "next-replica", "retry", "attempts"), 0)
	require.Equal(t, true, at(values, "providers", "file", "enabled"))

	values, _ = ingressValues(t, ingress.NGINX, nil)
	require.Equal(t, "1", at(values, "controller", "config", "proxy-connect-timeout"), "after which it asks the next by itself")
	require.Equal(t, "6", at(values, "controller", "config", "proxy-next-upstream-tries"))
}

// The NodeBalancer notices when a node is lost, and Kubernetes only a minute later: so no node depends on another.
func TestEachNodeHasAWayInOfItsOwn(t *testing.T) {
	t.Parallel()
	for kind, path := range map[string]struct{ pods, kind, service []string }{
		ingress.Traefik: {nil, []string{"deployment", "kind"}, []string{"service", "spec"}},
		ingress.NGINX:   {[]string{"controller"}, []string{"controller", "kind"}, []string{"controller", "service"}},
	} {
		values, annotations := ingressValues(t, kind, func(args *ingress.Args) {
			args.Taints = []lke.Taint{{Key: "for", Value: "databases", Effect: "NoSchedule"}}
		})
		require.Equal(t, "DaemonSet", at(values, path.kind...), kind)
		service := at(values, path.service...)
		require.Equal(t, "PreferSameNode", at(service, "trafficDistribution"), kind)
		require.Equal(t, "Cluster", at(service, "externalTrafficPolicy"), "%s: while its own starts, a node passes on to others", kind)
		pods := at(values, path.pods...)
		require.Equal(t, []any{map[string]any{"key": "for", "operator": "Equal", "value": "databases", "effect": "NoSchedule"}},
			at(pods, "tolerations"), "%s: what a pool keeps away, and no lost node, which a release would wait for", kind)
		require.Equal(t, map[string]any{"maxSurge": "100%", "maxUnavailable": 0.}, at(pods, "updateStrategy", "rollingUpdate"), kind)
		require.Equal(t, "platform-app", at(pods, "priorityClassName"), kind)
		require.NotEmpty(t, at(pods, "resources", "requests", "cpu"), kind)
		require.NotEmpty(t, at(pods, "resources", "limits", "memory"), kind)
		for check, seconds := range map[string]string{"check-interval": "3", "check-timeout": "2", "check-attempts": "2"} {
			require.Equal(t, seconds, annotations[linodeAnnotation+check], kind)
		}
	}
}

func TestBothControllersServeTheSamePlainIngressObjects(t *testing.T) {
	t.Parallel()
	values, _ := ingressValues(t, ingress.Traefik, nil)
	require.Equal(t, true, at(values, "providers", "kubernetesIngress", "enabled"))
	require.Equal(t, true, at(values, "providers", "kubernetesIngress", "publishedService", "enabled"))
	require.Equal(t, false, at(values, "providers", "kubernetesCRD", "enabled"))
	require.Equal(t, "traefik", at(values, "ingressClass", "name"))
	require.Equal(t, map[string]any{"to": "websecure", "scheme": "https", "permanent": true},
		at(values, "ports", "web", "http", "redirections", "entryPoint"))
	require.Nil(t, at(values, "ports", "websecure", "http", "redirections"))
	require.Equal(t, true, at(values, "metrics", "prometheus", "serviceMonitor", "enabled"))

	values, _ = ingressValues(t, ingress.NGINX, nil)
	require.Equal(t, "nginx", at(values, "controller", "ingressClassResource", "name"))
	require.Equal(t, "true", at(values, "controller", "config", "force-ssl-redirect"))
	require.Equal(t, "0", at(values, "controller", "config", "proxy-body-size"), "Traefik has no limit either")
	require.Equal(t, true, at(values, "controller", "metrics", "serviceMonitor", "enabled"))
	values, _ = ingressValues(t, ingress.NGINX, func(args *ingress.Args) { args.MaxBodySize = "256Mi" })
	require.Equal(t, "268435456", at(values, "controller", "config", "proxy-body-size"))
}

// The stacks run one controller; the other one's values have to be right too.
func TestTheValuesOfBothControllersExistInTheirCharts(t *testing.T) {
	t.Parallel()
	data := chartData(t)
	for kind, chart := range map[string]charts.Chart{ingress.Traefik: charts.Traefik, ingress.NGINX: charts.IngressNGINX} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			values, _ := ingressValues(t, kind, nil)
			requireKnown(t, data, chart.Path(), chart.Version, values)
		})
	}
}

func TestIngressObjectsComeAfterTheControllerAndGoBeforeIt(t *testing.T) {
	t.Parallel()
	for kind, class := range map[string]string{ingress.Traefik: "traefik", ingress.NGINX: "nginx"} {
		args := ingressArgs()
		args.Controller, args.Open, args.Label = kind, new(true), "platform-staging"
		g := declare(t, func(ctx *pulumi.Context) error {
			controller, err := ingress.New(ctx, "ingress", &args)
			if err != nil {
				return err
			}
			return ctx.RegisterResource("test:index:Ingress", "app", pulumi.StringMap{"class": controller.ClassName},
				&pulumi.CustomResourceState{})
		})
		require.Equal(t, class, g.find(t, "test:index:Ingress", "app").inputs["class"].StringValue())
		require.True(t, g.waitsFor("test:index:Ingress app", releaseType+" ingress-"+class))
		require.True(t, g.waitsFor(releaseType+" ingress-"+class, "kubernetes:core/v1:Namespace ingress"))
	}
}

func TestTheNamespaceOfTheControllerOpensItsPortsOnly(t *testing.T) {
	t.Parallel()
	args := ingressArgs()
	args.Open, args.Label = new(true), "platform-staging"
	g := declare(t, func(ctx *pulumi.Context) error {
		_, err := ingress.New(ctx, "ingress", &args)
		return err
	})
	const policy = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
	web := at(reveal(g.find(t, policy, "ingress-traefik-web").inputs["spec"]), "ingress").([]any)[0]
	require.Nil(t, at(web, "from"), "a NodeBalancer is no pod that could be named")
	require.Equal(t, []any{map[string]any{"port": "web"}, map[string]any{"port": "websecure"}}, at(web, "ports"))
	metrics := at(reveal(g.find(t, policy, "ingress-traefik-metrics").inputs["spec"]), "ingress").([]any)[0]
	require.NotEmpty(t, at(metrics, "from"))
	namespace := g.find(t, "kubernetes:core/v1:Namespace", "ingress").inputs["metadata"].ObjectValue()["labels"].ObjectValue()
	require.Equal(t, resource.NewProperty("restricted"), namespace["pod-security.kubernetes.io/enforce"])
}

func TestValuesOfTheUserComeLast(t *testing.T) {
	t.Parallel()
	values, _ := ingressValues(t, ingress.Traefik, func(args *ingress.Args) {
		args.Values = map[string]any{"ports": map[string]any{"websecure": map[string]any{"exposedPort": 8443}}}
	})
	require.EqualValues(t, 8443, at(values, "ports", "websecure", "exposedPort"))
	require.NotNil(t, at(values, "ports", "websecure", "proxyProtocol"))
}

func TestEveryFaultOfTheIngressIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*ingress.Args)
		fault string
	}{
		"unknown controller":   {func(a *ingress.Args) { a.Controller = "haproxy" }, `controller: Unsupported value: "haproxy": supported values: "traefik", "nginx"`},
		"an address":           {func(a *ingress.Args) { a.Allow = []string{"192.0.2.1"} }, `allow[0]: Invalid value: "192.0.2.1": must be a network in CIDR form`},
		"an address's network": {func(a *ingress.Args) { a.Allow = []string{"192.0.2.1/24"} }, `allow[0]: Invalid value: "192.0.2.1/24": must be written as 192.0.2.0/24`},
		"twice the same":       {func(a *ingress.Args) { a.Allow = []string{"192.0.2.0/24", "192.0.2.0/24"} }, `allow[1]: Duplicate value: "192.0.2.0/24"`},
		"a door in no wall":    {func(a *ingress.Args) { a.Open, a.Allow = new(true), []string{"192.0.2.0/24"} }, "allow: Forbidden: has no effect"},
		"a limit for Traefik":  {func(a *ingress.Args) { a.MaxBodySize = "1Gi" }, "maxBodySize: Forbidden: traefik passes bodies on"},
		"no size":              {func(a *ingress.Args) { a.Controller, a.MaxBodySize = ingress.NGINX, "big" }, `maxBodySize: Invalid value: "big": must be a quantity`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := ingressArgs()
			test.edit(&args)
			faults := args.Validate(nil)
			require.Len(t, faults, 1)
			require.ErrorContains(t, faults[0], test.fault)
		})
	}
}

func TestAnOriginThatNobodyCouldReachIsRefused(t *testing.T) {
	t.Parallel()
	args := ingressArgs()
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := ingress.New(ctx, "ingress", &args)
		return err
	}, pulumi.WithMocks(projectName, "test", &graph{resources: map[string]*node{}}))
	require.ErrorContains(t, err, "nobody could connect")
}
