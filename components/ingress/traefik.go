package ingress

import (
	"maps"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
)

var traefik = kind{
	chart:       charts.Traefik,
	class:       "traefik",
	labels:      map[string]string{"app.kubernetes.io/name": "traefik"},
	webPorts:    []any{"web", "websecure"},
	metricsPort: "metrics",
	values:      traefikValues,
	confined:    true,
	forwarders:  []string{"values.ports.web.forwardedHeaders", "values.ports.websecure.forwardedHeaders"},
}

const (
	// traefikReadTimeout is how long a visitor may take to send a request; Traefik's own minute cuts off slow uploads.
	traefikReadTimeout = "10m"
	// A controller that is told to stop still accepts requests for as long as nodes may still send some, and then has time to
	// finish them. Both fit into the time until it is killed, in seconds.
	traefikAcceptTime = "10s"
	traefikDrainTime  = "45s"
	traefikStopLimit  = 60
	// An app's replica whose node is lost counts as ready for another minute, and takes no connections: half of all requests to
	// two of them go there first. They are tried again after dialTimeout, in seconds, as often as that half of them comes to
	// nothing: replicas take turns, so that the next may be the lost one again where requests cross. Only what was not sent
	// yet is repeated.
	dialTimeout, dialAttempts = 1, 6
	// traefikRetry is the name that entry points know the retry by.
	traefikRetry = "next-replica"
)

// traefikValues are the values of the chart.
// Upstream: https://github.com/traefik/traefik-helm-chart/blob/master/traefik/VALUES.md
func traefikValues(args *Args, b *balancer, identity *Identity) pulumi.Map {
	deployment := pulumi.Map{
		"kind":                          pulumi.String(onEveryNode),
		"terminationGracePeriodSeconds": pulumi.Int(traefikStopLimit),
	}
	values := pulumi.Map{
		"deployment":     deployment,
		"updateStrategy": updateStrategy(),
		"ingressClass": pulumi.Map{
			"enabled": pulumi.Bool(true), "isDefaultClass": pulumi.Bool(false), "name": pulumi.String("traefik"),
		},
		// Plain Ingress objects are all that it serves. Their status gets the address of the Service.
		"providers": pulumi.Map{
			"kubernetesCRD": pulumi.Map{"enabled": pulumi.Bool(false)},
			"kubernetesIngress": pulumi.Map{
				"enabled": pulumi.Bool(true), "publishedService": pulumi.Map{"enabled": pulumi.Bool(true)},
				// The media are out of the cluster, in a bucket.
				"allowExternalNameServices": pulumi.Bool(true),
				"namespaces":                pulumi.ToStringArray(args.watched()),
			},
			"file": pulumi.Map{"enabled": pulumi.Bool(true), "content": traefikFile(identity)},
		},
		"rbac":                pulumi.Map{"enabled": pulumi.Bool(false)},
		"additionalArguments": pulumi.Array{pulumi.Sprintf("--serverstransport.forwardingtimeouts.dialtimeout=%ds", dialTimeout)},
		"ports":               pulumi.Map{"web": traefikRedirect(b), "websecure": traefikWeb(b)},
		"service": pulumi.Map{
			"annotations": b.annotations,
			"spec": pulumi.Map{
				"type": pulumi.String("LoadBalancer"), "externalTrafficPolicy": pulumi.String("Cluster"),
				"trafficDistribution": pulumi.String(sameNode),
			},
		},
		"metrics":   pulumi.Map{"prometheus": traefikMetrics(args)},
		"accessLog": traefikLog(),
		"api":       pulumi.Map{"dashboard": pulumi.Bool(false)},
		"global": pulumi.Map{
			"checkNewVersion": pulumi.Bool(false), "sendAnonymousUsage": pulumi.Bool(false),
			// Fastly says who the visitor is, and its own site is none. Whoever may connect past it does need to be named.
			"notAppendXForwardedFor": pulumi.Bool(!args.IsOpen()),
		},
	}
	maps.Copy(values, args.pods("100m", "256Mi"))
	if identity != nil {
		deployment["additionalVolumes"], values["additionalVolumeMounts"] = identity.authorityVolume()
	}
	return values
}

func traefikMetrics(args *Args) pulumi.Map {
	metrics := pulumi.Map{
		"service":        pulumi.Map{"enabled": pulumi.Bool(true)},
		"serviceMonitor": pulumi.Map{"enabled": pulumi.Bool(true)},
		// The graph sees to it that monitors can be made.
		"disableAPICheck": pulumi.Bool(true),
	}
	if len(args.LatencyBuckets) > 0 {
		metrics["buckets"] = pulumi.String(strings.Join(args.LatencyBuckets, ","))
	}
	return metrics
}

// traefikFile is what no Ingress can say: it holds for all of them.
// Upstream: https://doc.traefik.io/traefik/reference/routing-configuration/http/tls/tls-options/
func traefikFile(identity *Identity) pulumi.Map {
	content := pulumi.Map{"http": pulumi.Map{"middlewares": pulumi.Map{
		traefikRetry: pulumi.Map{"retry": pulumi.Map{"attempts": pulumi.Int(dialAttempts)}},
	}}}
	if identity != nil {
		content["tls"] = pulumi.Map{"options": pulumi.Map{"default": pulumi.Map{"clientAuth": pulumi.Map{
			"caFiles":        pulumi.ToStringArray([]string{authorityFile}),
			"clientAuthType": pulumi.String("RequireAndVerifyClientCert"),
		}}}}
	}
	return content
}

// traefikLog is a line of JSON for each request. Of headers it has none but the request's identifier: others hold keys.
// Upstream: https://doc.traefik.io/traefik/reference/install-configuration/observability/logs-and-accesslogs/
func traefikLog() pulumi.Map {
	return pulumi.Map{
		"enabled": pulumi.Bool(true), "format": pulumi.String("json"),
		"fields": pulumi.Map{"headers": pulumi.Map{
			"defaultMode": pulumi.String("drop"), "names": pulumi.StringMap{requestID: pulumi.String("keep")},
		}},
	}
}

// traefikPort is an entry point that is reached through the NodeBalancer.
func traefikPort(b *balancer) pulumi.Map {
	return pulumi.Map{
		"proxyProtocol":    pulumi.Map{"trustedIPs": pulumi.ToStringArray(b.proxies)},
		"forwardedHeaders": pulumi.Map{"trustedIPs": b.forwarders},
		"transport": pulumi.Map{
			"respondingTimeouts": pulumi.Map{"readTimeout": pulumi.String(traefikReadTimeout)},
			"lifeCycle": pulumi.Map{
				"requestAcceptGraceTimeout": pulumi.String(traefikAcceptTime),
				"graceTimeOut":              pulumi.String(traefikDrainTime),
			},
		},
	}
}

// traefikWeb is the entry point that answers.
func traefikWeb(b *balancer) pulumi.Map {
	port := traefikPort(b)
	port["http"] = pulumi.Map{"middlewares": pulumi.ToStringArray([]string{traefikRetry + "@file"})}
	return port
}

// traefikRedirect is the entry point that sends visitors on to HTTPS.
func traefikRedirect(b *balancer) pulumi.Map {
	port := traefikPort(b)
	port["http"] = pulumi.Map{"redirections": pulumi.Map{"entryPoint": pulumi.Map{
		"to": pulumi.String("websecure"), "scheme": pulumi.String("https"), "permanent": pulumi.Bool(true),
	}}}
	return port
}
