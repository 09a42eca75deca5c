package app

import (
	"maps"
	"slices"

	"github.com/distribution/reference"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Args describes a web application.
type Args struct {
	// Name is the application's name: that of its objects in Kubernetes.
	Name string `json:"name"`
	// Image is the container image, with a tag or a digest.
	Image string `json:"image"`
	// Port is where the application listens. Default 4000.
	Port int `json:"port"`
	// Replicas is how many run at the same time, also while a new version rolls out. Default 2.
	Replicas int `json:"replicas"`
	// User is the numeric user that the container runs as; root (0) is refused. Default 1000.
	User int `json:"user"`
	// Resources is what each replica gets.
	Resources Resources `json:"resources"`
	// Health is how Kubernetes asks a replica whether it is well.
	Health Health `json:"health"`
	// Hosts are the names that the application answers to.
	Hosts []string `json:"hosts"`
	// Env is the plain environment.
	Env map[string]string `json:"env"`
	// Secrets is the secret environment: the name of a secret of the stack by environment variable.
	Secrets map[string]string `json:"secrets"`

	// Namespace is where the application runs.
	Namespace pulumi.StringInput `json:"-"`
	// IngressClass is the class of the controller that serves Hosts.
	IngressClass pulumi.StringInput `json:"-"`
	// SecretValues holds a value for every entry of Secrets, by environment variable.
	SecretValues pulumi.StringMapInput `json:"-"`
}

// Resources of one replica. Memory is reserved and limited; CPU is reserved only, since a limit slows a replica down
// while the node is idle.
type Resources struct {
	// CPU is in cores. Default 250m.
	CPU string `json:"cpu"`
	// Memory is in bytes. Default 512Mi.
	Memory string `json:"memory"`
}

// Health is an HTTP request that answers 200 when all is well.
type Health struct {
	// Path of the request. Default /health.
	Path string `json:"path"`
	// Host header of the request, for applications that redirect unknown hosts. Default: the address of the pod.
	Host string `json:"host"`
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{
		Port:      4000,
		Replicas:  2,
		User:      1000,
		Resources: Resources{CPU: "250m", Memory: "512Mi"},
		Health:    Health{Path: "/health"},
	}
}

// Validate returns every fault of the arguments, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), a.Name)
	faults = append(faults, validateImage(path.Child("image"), a.Image)...)
	faults = append(faults, check.Between(path.Child("port"), a.Port, 1, 65535)...)
	faults = append(faults, check.Between(path.Child("replicas"), a.Replicas, 1, 100)...)
	faults = append(faults, check.Between(path.Child("user"), a.User, 1, 65535)...)
	faults = append(faults, check.Quantity(path.Child("resources", "cpu"), a.Resources.CPU)...)
	faults = append(faults, check.Quantity(path.Child("resources", "memory"), a.Resources.Memory)...)
	faults = append(faults, check.URLPath(path.Child("health", "path"), a.Health.Path)...)
	faults = append(faults, check.Domains(path.Child("hosts"), a.Hosts)...)
	return append(faults, a.validateEnvironment(path)...)
}

func (a *Args) validateEnvironment(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		faults = append(faults, validateVariable(path.Child("env").Key(name), name)...)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Secrets)) {
		faults = append(faults, validateVariable(path.Child("secrets").Key(name), name)...)
		if _, twice := a.Env[name]; twice {
			faults = append(faults, field.Forbidden(path.Child("env").Key(name), "stands in secrets too"))
		}
	}
	return faults
}

func validateVariable(path *field.Path, name string) field.ErrorList {
	var faults field.ErrorList
	for _, reason := range validation.IsEnvVarName(name) {
		faults = append(faults, field.Invalid(path, name, reason))
	}
	return faults
}

func validateImage(path *field.Path, image string) field.ErrorList {
	if image == "" {
		return field.ErrorList{field.Required(path, "must name a container image")}
	}
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return field.ErrorList{field.Invalid(path, image, err.Error())}
	}
	return nil
}

// MutableImage says whether the image can change under the same name: it has neither a digest nor a tag other than
// latest.
func (a *Args) MutableImage() bool {
	named, err := reference.ParseNormalizedNamed(a.Image)
	if err != nil {
		return false // Validate's to report
	}
	if _, pinned := named.(reference.Digested); pinned {
		return false
	}
	tagged, ok := reference.TagNameOnly(named).(reference.Tagged)
	return ok && tagged.Tag() == "latest"
}

// SecretNames are the secrets of the stack that the application uses, each once and sorted.
func (a *Args) SecretNames() []string {
	return sets.List(sets.New(slices.Collect(maps.Values(a.Secrets))...))
}
