package app

import (
	"cmp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/kube"
)

// Metrics is an HTTP request that answers in Prometheus' text format.
type Metrics struct {
	// Path of the request. Default /metrics.
	Path string `json:"path"`
	// Port where the process answers it. Default: the port that serves visitors, who can then ask too.
	Port int `json:"port"`
	// Token is the variable of the secret environment that holds the bearer token which the application asks for.
	Token string `json:"token"`
}

func (m *Metrics) path() string { return cmp.Or(m.Path, "/metrics") }

// metricsPortName is the port that answers with metrics; portName where that is the one that serves visitors.
func (p *process) metricsPortName() string {
	if p.Metrics == nil || p.Metrics.Port == 0 || p.Metrics.Port == p.Port {
		return portName
	}
	return metricsPortName
}

// newMonitor has Prometheus collect the metrics of a process: behind its Service, or of the pods of a worker, which has none.
func (a *App) newMonitor(ctx *pulumi.Context, p *process, shared *shared) error {
	if p.Metrics == nil {
		return nil
	}
	endpoint := pulumi.Map{"port": pulumi.String(p.metricsPortName()), "path": pulumi.String(p.Metrics.path())}
	if p.Metrics.Token != "" {
		endpoint["authorization"] = pulumi.Map{"credentials": pulumi.Map{
			"name": shared.environment.Metadata.Name(), "key": pulumi.String(p.Metrics.Token),
		}}
	}
	monitor := kube.NewServiceMonitor
	if !p.serves() {
		monitor = kube.NewPodMonitor
	}
	return monitor(ctx, p.resource, p.metadata(), kube.SelectorLabels(p.object()), endpoint, pulumi.Parent(a))
}

func (p *process) validateMetrics(path *field.Path) field.ErrorList {
	faults := check.URLPath(path.Child("path"), p.Metrics.path())
	if p.Metrics.Port != 0 {
		faults = append(faults, check.Between(path.Child("port"), p.Metrics.Port, 1, 65535)...)
	} else if !p.serves() {
		faults = append(faults, field.Required(path.Child("port"), "a worker has no other port"))
	}
	if _, found := p.app.Secrets[p.Metrics.Token]; !found && p.Metrics.Token != "" {
		faults = append(faults, field.NotFound(path.Child("token"), p.Metrics.Token))
	}
	return faults
}
