package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"lke-platform/components/ingress"
)

const (
	linodeAnnotation = "service.beta.kubernetes.io/linode-loadbalancer-"
	fastlyIPv4       = "23.235.32.0/20"
	fastlyIPv6       = "2a04:4e40::/32"
)

// ingressValues declares a controller of one kind, and returns the values of its release and the annotations of its Service.
func ingressValues(t *testing.T, kind string, edit func(*ingress.Args)) (values, annotations map[string]any) {
	t.Helper()
	args := ingress.Defaults()
	args.Controller = kind
	args.FastlyRanges = pulumi.ToStringArray([]string{fastlyIPv4, fastlyIPv6})
	args.Annotations = map[string]string{"external-dns.alpha.kubernetes.io/hostname": "origin.example.com"}
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

// With an address beside the name, external-dns asks for an A and a CNAME record, of which only one can be; and what is inside
// the cluster reaches the address without the PROXY header that nginx insists on.
func TestTheServiceShowsItsNameOnly(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{ingress.Traefik, ingress.NGINX} {
		_, annotations := ingressValues(t, kind, nil)
		require.Equal(t, "true", annotations[linodeAnnotation+"hostname-only-ingress"])
		require.Equal(t, "origin.example.com", annotations["external-dns.alpha.kubernetes.io/hostname"])
	}
}

func TestTheWayInOutlivesANode(t *testing.T) {
	t.Parallel()
	for kind, path := range map[string][]string{ingress.Traefik: nil, ingress.NGINX: {"controller"}} {
		values, _ := ingressValues(t, kind, func(args *ingress.Args) { args.Replicas = 3 })
		pods := at(values, path...)
		rule := at(pods, "topologySpreadConstraints").([]any)[0]
		require.Equal(t, "kubernetes.io/hostname", at(rule, "topologyKey"), kind)
		require.Equal(t, "DoNotSchedule", at(rule, "whenUnsatisfiable"), kind)
		require.Equal(t, "Honor", at(rule, "nodeTaintsPolicy"), "%s: a drained node must not hold up the replica it gives away", kind)
		require.Len(t, at(pods, "tolerations"), 2, kind)
		require.Equal(t, "platform-app", at(pods, "priorityClassName"), kind)
		require.NotEmpty(t, at(pods, "resources", "requests", "cpu"), kind)
		require.NotEmpty(t, at(pods, "resources", "limits", "memory"), kind)
	}
	values, _ := ingressValues(t, ingress.Traefik, nil)
	require.EqualValues(t, 2, at(values, "deployment", "replicas"))
	require.EqualValues(t, 1, at(values, "podDisruptionBudget", "maxUnavailable"))
	values, _ = ingressValues(t, ingress.NGINX, func(args *ingress.Args) { args.Replicas = 3 })
	require.EqualValues(t, 3, at(values, "controller", "replicaCount"))
	require.EqualValues(t, 2, at(values, "controller", "minAvailable"))
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
	for kind, chart := range map[string]string{ingress.Traefik: "traefik", ingress.NGINX: "ingress-nginx"} {
		values, _ := ingressValues(t, kind, nil)
		faults, _, err := data.CheckValues(chart, values)
		require.NoError(t, err)
		require.Empty(t, faults, strings.Join(faults, "\n"))
	}
}

func TestIngressObjectsComeAfterTheControllerAndGoBeforeIt(t *testing.T) {
	t.Parallel()
	for kind, class := range map[string]string{ingress.Traefik: "traefik", ingress.NGINX: "nginx"} {
		args := ingress.Defaults()
		args.Controller, args.Open = kind, new(true)
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
	args := ingress.Defaults()
	args.Open = new(true)
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
		"one replica":          {func(a *ingress.Args) { a.Replicas = 1 }, "replicas: Invalid value: 1: must be between 2 and 100"},
		"an address":           {func(a *ingress.Args) { a.Allow = []string{"192.0.2.1"} }, `allow[0]: Invalid value: "192.0.2.1": must be a network in CIDR form`},
		"an address's network": {func(a *ingress.Args) { a.Allow = []string{"192.0.2.1/24"} }, `allow[0]: Invalid value: "192.0.2.1/24": must be written as 192.0.2.0/24`},
		"twice the same":       {func(a *ingress.Args) { a.Allow = []string{"192.0.2.0/24", "192.0.2.0/24"} }, `allow[1]: Duplicate value: "192.0.2.0/24"`},
		"a door in no wall":    {func(a *ingress.Args) { a.Open, a.Allow = new(true), []string{"192.0.2.0/24"} }, "allow: Forbidden: has no effect"},
		"a limit for Traefik":  {func(a *ingress.Args) { a.MaxBodySize = "1Gi" }, "maxBodySize: Forbidden: traefik passes bodies on"},
		"no size":              {func(a *ingress.Args) { a.Controller, a.MaxBodySize = ingress.NGINX, "big" }, `maxBodySize: Invalid value: "big": must be a quantity`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := ingress.Defaults()
			test.edit(&args)
			faults := args.Validate(nil)
			require.Len(t, faults, 1)
			require.ErrorContains(t, faults[0], test.fault)
		})
	}
}

func TestAnOriginThatNobodyCouldReachIsRefused(t *testing.T) {
	t.Parallel()
	args := ingress.Defaults()
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := ingress.New(ctx, "ingress", &args)
		return err
	}, pulumi.WithMocks(projectName, "test", &graph{resources: map[string]*node{}}))
	require.ErrorContains(t, err, "nobody could connect")
}
