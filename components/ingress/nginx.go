package ingress

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"lke-platform/components/charts"
)

var nginx = kind{
	chart:       charts.IngressNGINX,
	class:       "nginx",
	labels:      map[string]string{"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"},
	webPorts:    []any{"http", "https"},
	metricsPort: "metrics",
	values:      nginxValues,
	forwarders:  []string{`values.controller.config["proxy-real-ip-cidr"]`},
}

// nginxValues are the values of the chart.
// Upstream: https://github.com/kubernetes/ingress-nginx/blob/main/charts/ingress-nginx/README.md
func nginxValues(args *Args, b *balancer, identity *Identity) pulumi.Map {
	config := nginxConfig(args, b)
	controller := pulumi.Map{
		"kind":           pulumi.String(onEveryNode),
		"updateStrategy": updateStrategy(),
		"ingressClassResource": pulumi.Map{
			"enabled": pulumi.Bool(true), "default": pulumi.Bool(false), "name": pulumi.String("nginx"),
		},
		"config": config,
		// It checks annotations, which only this program writes here, and has let attackers in before (CVE-2025-1974).
		"admissionWebhooks": pulumi.Map{"enabled": pulumi.Bool(false)},
		"publishService":    pulumi.Map{"enabled": pulumi.Bool(true)},
		"service": pulumi.Map{
			"annotations":           b.annotations,
			"type":                  pulumi.String("LoadBalancer"),
			"externalTrafficPolicy": pulumi.String("Cluster"),
			"trafficDistribution":   pulumi.String(sameNode),
		},
		"metrics": pulumi.Map{
			"enabled": pulumi.Bool(true), "serviceMonitor": pulumi.Map{"enabled": pulumi.Bool(true)},
		},
	}
	if args.DefaultCertificate != nil {
		controller["extraArgs"] = pulumi.Map{"default-ssl-certificate": args.DefaultCertificate}
	}
	if identity != nil {
		controller["extraVolumes"], controller["extraVolumeMounts"] = identity.authorityVolume()
		// For all names: the annotations of an Ingress would hold for its own only.
		config["http-snippet"] = pulumi.String("ssl_client_certificate " + authorityFile + ";\nssl_verify_client on;")
	}
	maps.Copy(controller, args.pods("100m", "512Mi"))
	return pulumi.Map{"controller": controller}
}

// nginxConfig is the controller's ConfigMap.
// Upstream: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/
func nginxConfig(args *Args, b *balancer) pulumi.Map {
	return pulumi.Map{
		"use-proxy-protocol":    pulumi.String("true"),
		"use-forwarded-headers": pulumi.String("true"),
		// The visitor alone, and not the site of Fastly's that asks for him.
		"compute-full-forwarded-for": pulumi.String("false"),
		// One list for both: who may speak the PROXY protocol, and whose X-Forwarded-For is believed.
		"proxy-real-ip-cidr": b.forwarders.ApplyT(func(fastly []string) string {
			return strings.Join(slices.Concat(b.proxies, fastly), ",")
		}),
		"force-ssl-redirect": pulumi.String("true"),
		// Like Traefik, it passes bodies on as they come.
		"proxy-body-size":         pulumi.String(args.bodyLimit()),
		"proxy-request-buffering": pulumi.String("off"),
		// See dialTimeout; what was not sent yet is then sent to the next replica.
		"proxy-connect-timeout":     pulumi.Sprintf("%d", dialTimeout),
		"proxy-next-upstream-tries": pulumi.Sprintf("%d", dialAttempts),
		// By default it is the number of the node's processors, each with memory of its own.
		"worker-processes":       pulumi.String("2"),
		"log-format-escape-json": pulumi.String("true"),
		"log-format-upstream":    pulumi.String(nginxLog),
	}
}

// nginxLog is a line of JSON for each request, with the fields that Traefik has, by its names, so that both are read and asked in
// the same way. All is text: a number that is missing would be no JSON.
const nginxLog = `{"time":"$time_iso8601","RequestMethod":"$request_method","RequestHost":"$host","RequestPath":"$request_uri",` +
	`"DownstreamStatus":"$status","Seconds":"$request_time","OriginStatus":"$upstream_status",` +
	`"OriginSeconds":"$upstream_response_time","DownstreamContentSize":"$body_bytes_sent","ClientHost":"$remote_addr",` +
	`"ServiceName":"$proxy_upstream_name","request_` + requestID + `":"$req_id"}`

// bodyLimit is MaxBodySize as nginx wants it: in bytes, 0 for no limit.
func (a *Args) bodyLimit() string {
	limit, err := resource.ParseQuantity(a.MaxBodySize)
	if err != nil {
		return "0" // Validate's to report, unless there is none
	}
	return strconv.FormatInt(limit.Value(), 10)
}
