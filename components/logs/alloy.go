package logs

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// pipelineText is what Alloy does with each line.
//
//go:embed pipeline.alloy
var pipelineText string

// pipelineTemplate has other brackets than the templates that stand in the pipeline.
var pipelineTemplate = template.Must(template.New("pipeline.alloy").Delims("<<", ">>").Parse(pipelineText))

const (
	pipelineFile = "config.alloy"
	// podLogs is where the kubelet has what containers write; positionsDir is where Alloy notes how far it has read, which it has
	// to know in its next pod.
	podLogs, positionsDir = "/var/log/pods", "/var/lib/alloy"
)

// pipeline is Alloy's configuration.
// Upstream: https://grafana.com/docs/alloy/latest/reference/components/loki/
func (a *Args) pipeline() (string, error) {
	values := struct {
		PodLogs, URL, Parameters, Headers string
		Labels, Metadata                  []string
	}{
		PodLogs: podLogs, URL: URL, Parameters: a.parameters(), Headers: headers,
		Labels: slices.Concat(labels, a.Labels), Metadata: a.metadata(),
	}
	var pipeline strings.Builder
	if err := pipelineTemplate.Execute(&pipeline, values); err != nil {
		return "", fmt.Errorf("writing the pipeline: %w", err)
	}
	return pipeline.String(), nil
}

// metadata are what goes with a line of a container without being a label.
func (a *Args) metadata() []string {
	return slices.DeleteFunc(slices.Concat([]string{"pod"}, furtherLabels), func(name string) bool {
		return slices.Contains(a.Labels, name)
	})
}

// parameters is the expression that matches a parameter of a URL that is to be hidden, whose value is its one group. In JSON of
// Traefik's an ampersand is \u0026, and in a URL brackets may be %5B and %5D.
func (a *Args) parameters() string {
	names := slices.Concat(hidden, a.Hidden)
	for i, name := range names {
		names[i] = regexp.QuoteMeta(name)
	}
	return `(?i)(?:[?&;]|\\u0026)(?:[^=&;?\s"\\]*(?:[-_.[]|%5B))?(?:` + strings.Join(names, "|") +
		`)(?:\]|%5D)?=([^&;#\s"'\\<>]+)`
}

// headers is the expression that matches a header that is to be hidden, as somebody may have logged it, whose value is its one
// group. A value in quotes ends with them, another one with its line.
const headers = `(?i)\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-(?:api|auth|csrf|access)-(?:key|token))` +
	`(?:\\?["']?\s*(?:=>|[:=])|\\?["']\s*,)\s*\[?\\?["']?([^"'\s\\\[][^"'\\]*)`

// alloyValues are those of the chart.
// Upstream: https://github.com/grafana/alloy/tree/main/operations/helm/charts/alloy
func alloyValues(config pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"crds": pulumi.Map{"create": pulumi.Bool(false)},
		"alloy": pulumi.Map{
			"configMap": pulumi.Map{
				"create": pulumi.Bool(false), "name": config, "key": pulumi.String(pipelineFile),
			},
			// Of all Alloys one reads the events of the cluster.
			"clustering":      pulumi.Map{"enabled": pulumi.Bool(true)},
			"enableReporting": pulumi.Bool(false),
			"storagePath":     pulumi.String(positionsDir),
			"resources":       kube.Requests("25m", "192Mi"),
			"securityContext": rootWithoutRights(),
			"mounts": pulumi.Map{"extra": pulumi.Array{
				pulumi.Map{
					"name": pulumi.String("pods"), "mountPath": pulumi.String(podLogs), "readOnly": pulumi.Bool(true),
				},
				pulumi.Map{"name": pulumi.String("positions"), "mountPath": pulumi.String(positionsDir)},
			}},
		},
		"configReloader": pulumi.Map{"enabled": pulumi.Bool(false)},
		"controller": pulumi.Map{
			"type": pulumi.String("daemonset"),
			// Every node has logs, whatever keeps others away from it.
			"tolerations": pulumi.Array{pulumi.Map{"operator": pulumi.String("Exists")}},
			"updateStrategy": pulumi.Map{
				"type": pulumi.String("RollingUpdate"), "rollingUpdate": pulumi.Map{"maxUnavailable": pulumi.String("25%")},
			},
			"volumes": pulumi.Map{"extra": pulumi.Array{
				hostPath("pods", podLogs, "Directory"), hostPath("positions", positionsDir, "DirectoryOrCreate"),
			}},
		},
		"rbac": pulumi.Map{
			"rules":        pulumi.Array{mayWatch("pods")},
			"clusterRules": pulumi.Array{mayWatch("events")},
		},
		"serviceMonitor": pulumi.Map{"enabled": pulumi.Bool(true)},
	}
}

// rootWithoutRights owns the files that the kubelet writes, and can do nothing else.
func rootWithoutRights() pulumi.Map {
	return pulumi.Map{
		"runAsUser":                pulumi.Int(0),
		"allowPrivilegeEscalation": pulumi.Bool(false),
		"readOnlyRootFilesystem":   pulumi.Bool(true),
		"capabilities":             pulumi.Map{"drop": pulumi.ToStringArray([]string{"ALL"})},
		"seccompProfile":           pulumi.Map{"type": pulumi.String("RuntimeDefault")},
	}
}

func hostPath(name, path, kind string) pulumi.Map {
	return pulumi.Map{
		"name": pulumi.String(name), "hostPath": pulumi.Map{"path": pulumi.String(path), "type": pulumi.String(kind)},
	}
}

// mayWatch is all that Alloy needs. The chart's own rules let it read every Secret of the cluster.
func mayWatch(resource string) pulumi.Map {
	return pulumi.Map{
		"apiGroups": pulumi.ToStringArray([]string{""}), "resources": pulumi.ToStringArray([]string{resource}),
		"verbs": pulumi.ToStringArray([]string{"get", "list", "watch"}),
	}
}
