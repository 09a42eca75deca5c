package app

import (
	"cmp"
	"slices"
	"time"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// Process is one program of an application, in any number of replicas.
type Process struct {
	// Command replaces the entrypoint of the image. Default: the image's own.
	// Upstream: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
	Command []string `json:"command"`
	// Arguments of the command, in place of those of the image.
	Arguments []string `json:"args"`
	// Port is where it listens. A process that does not is a worker: nothing is sent to it.
	Port int `json:"port"`
	// Replicas is how many run at the same time, also while a new version rolls out; with Autoscale, the least that run.
	// Default 2.
	Replicas int `json:"replicas"`
	// Autoscale adds replicas under load; nil keeps to Replicas.
	Autoscale *Autoscale `json:"autoscale"`
	// Resources is what each replica gets.
	Resources Resources `json:"resources"`
	// Health is how Kubernetes asks a replica whether it is well.
	Health Health `json:"health"`
	// Metrics is where Prometheus finds its metrics; nil where it has none.
	Metrics *Metrics `json:"metrics"`
	// GracePeriod is how long a replica that is told to stop (SIGTERM) may take to finish what it does, before it is killed. One
	// that listens goes on serving for the first ten seconds of it. Default 60s.
	GracePeriod string `json:"gracePeriod"`
	// DatabaseConnections is how many connections each replica holds at most. Required of web where the pooler of the database
	// gives each of them a connection of its own; others hold as many as web unless they say so.
	DatabaseConnections int `json:"databaseConnections"`
	// Volumes are disks, which hold one replica to one node, and outlive it. They are the exception: a process with a disk has
	// one replica, which stops before the next version starts, and stays away for minutes when its node is lost.
	Volumes []Volume `json:"volumes"`
}

// NamedProcess is a process beside web.
type NamedProcess struct {
	// Name of the process, unique in the application. Its objects are named after both.
	Name string `json:"name"`
	// Image is another one than the application's, with a digest.
	Image string `json:"image"`
	// User is the numeric user of that image, and not root. Default: the application's.
	User *int `json:"user"`
	// Env is laid over the plain environment.
	Env map[string]string `json:"env"`
	// Hosts are names of its own that it answers to.
	Hosts []string `json:"hosts"`
	// Path begins those of the requests that it gets: of its own hosts, or of the application's. Default: all of its own hosts.
	// A process with a port, and neither hosts nor a path, serves the pods of its namespace only.
	Path string `json:"path"`

	Process
}

// Default fills in what holds where nothing else is said.
func (p *NamedProcess) Default() { p.Process = defaultProcess() }

func defaultProcess() Process {
	return Process{Replicas: 2, Resources: Resources{CPU: "250m", Memory: "512Mi"}, GracePeriod: "60s"}
}

// webName is the process that serves visitors. The application's own keys describe it, and its objects have the application's
// name.
const webName = "web"

// defaultHealth is the path that web is asked for its health at.
const defaultHealth = "/health"

// process is a process of an application, and what it shares with the others.
type process struct {
	NamedProcess

	app *Args
	// resource is the name of its resources in the graph.
	resource string
}

// processes are those of the application, web first.
func (a *Args) processes(name string) []*process {
	web := NamedProcess{Name: webName, Hosts: a.Hosts, Process: a.Process}
	if !web.Health.asks() {
		web.Health.Path = defaultHealth
	}
	all := []*process{{NamedProcess: web, app: a, resource: name}}
	beside := a.Processes
	if a.tries() {
		beside = append(slices.Clone(beside), a.candidate())
	}
	for _, named := range beside {
		all = append(all, &process{NamedProcess: named, app: a, resource: name + "-" + named.Name})
	}
	return all
}

// object is the name of its objects.
func (p *process) object() string {
	if p.Name == webName {
		return p.app.Name
	}
	return p.app.Name + "-" + p.Name
}

// image is the one that it runs.
func (p *process) image() string { return cmp.Or(p.Image, p.app.Image) }

// user is whom it runs as.
func (p *process) user() int {
	if p.User != nil {
		return *p.User
	}
	return p.app.User
}

// followed tells whether it runs what is delivered.
func (p *process) followed() bool { return p.Image == "" }

// serves tells whether requests are sent to it.
func (p *process) serves() bool { return p.Port != 0 }

// servicePort is where pods of the namespace reach it: at its own port, as they know it. Web's is that of HTTP.
func (p *process) servicePort() int {
	if p.Name == webName {
		return 80
	}
	return p.Port
}

// most is how many replicas run at the same time, while a new version rolls out.
func (p *process) most() int {
	if len(p.Volumes) > 0 {
		return p.Replicas
	}
	if p.Autoscale != nil {
		return p.Autoscale.Max + surge
	}
	return p.Replicas + surge
}

// gracePeriod is in seconds. Validate has checked it.
func (p *process) gracePeriod() int {
	period, _ := time.ParseDuration(p.GracePeriod)
	return int(period.Seconds())
}

func (p *process) metadata() *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(p.object()), Namespace: p.app.Namespace, Labels: kube.Labels(p.object(), p.Name),
	}
}

func (p *process) selector() *metav1.LabelSelectorArgs {
	return &metav1.LabelSelectorArgs{MatchLabels: kube.SelectorLabels(p.object())}
}

// leave are the properties of the Deployment that belong to others: to what delivers new versions, and to the autoscaler.
func (p *process) leave() []string {
	var leave []string
	if p.Autoscale != nil {
		leave = append(leave, "spec.replicas")
	}
	if p.followed() {
		leave = append(leave, p.app.Leave...)
	}
	return leave
}

// AllHosts are the names that the application answers to, those of web first, and that of versions that are tried last.
func (a *Args) AllHosts() []string {
	hosts := slices.Clone(a.Hosts)
	for _, process := range a.Processes {
		hosts = append(hosts, process.Hosts...)
	}
	if host := a.CandidateHost(); host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}
