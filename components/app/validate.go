package app

import (
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // a time zone is known or not, whatever machine the program runs on

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Properties of the bucket that Args.Media can hand to the application.
const (
	bucketName      = "bucket"
	bucketRegion    = "region"
	bucketEndpoint  = "endpoint"
	bucketAccessKey = "accessKey"
	bucketSecretKey = "secretKey"
)

// maxCronJobName is what Kubernetes leaves of a name's 63 characters, since it adds the time to the names of runs.
const maxCronJobName = 52

// Validate returns every fault of the arguments, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), a.Name)
	faults = append(faults, validateImage(path.Child("image"), a.Image)...)
	if a.Registry != nil {
		faults = append(faults, check.Required(path.Child("registry", "username"), a.Registry.Username)...)
		faults = append(faults, check.SecretName(path.Child("registry", "password"), a.Registry.Password)...)
	}
	faults = append(faults, check.Between(path.Child("port"), a.Port, 1, 65535)...)
	faults = append(faults, check.Between(path.Child("replicas"), a.Replicas, 1, 100)...)
	if a.Autoscale != nil {
		faults = append(faults, a.Autoscale.validate(path.Child("autoscale"), a.Replicas)...)
	}
	faults = append(faults, check.Between(path.Child("user"), a.User, 0, 65535)...)
	faults = append(faults, check.Quantity(path.Child("resources", "cpu"), a.Resources.CPU)...)
	faults = append(faults, check.Quantity(path.Child("resources", "memory"), a.Resources.Memory)...)
	faults = append(faults, a.Health.validate(path.Child("health"))...)
	if a.Metrics != nil {
		faults = append(faults, a.validateMetrics(path.Child("metrics"))...)
	}
	faults = append(faults, check.Domains(path.Child("hosts"), a.Hosts)...)
	faults = append(faults, check.Between(path.Child("databaseConnections"), a.DatabaseConnections, 0, 1000)...)
	faults = append(faults, a.validateEnvironment(path)...)
	return append(faults, a.validateJobs(path.Child("jobs"))...)
}

func (s *Autoscale) validate(path *field.Path, replicas int) field.ErrorList {
	faults := check.Between(path.Child("max"), s.Max, 1, 100)
	if s.Max < replicas && len(faults) == 0 {
		faults = append(faults, field.Invalid(path.Child("max"), s.Max, "must not be below replicas"))
	}
	if s.CPUPercent != 0 {
		faults = append(faults, check.Between(path.Child("cpuPercent"), s.CPUPercent, 10, 500)...)
	}
	return faults
}

func (a *Args) validateMetrics(path *field.Path) field.ErrorList {
	faults := check.URLPath(path.Child("path"), a.metricsPath())
	if a.Metrics.Port != 0 {
		faults = append(faults, check.Between(path.Child("port"), a.Metrics.Port, 1, 65535)...)
	}
	if _, found := a.Secrets[a.Metrics.Token]; !found && a.Metrics.Token != "" {
		faults = append(faults, field.NotFound(path.Child("token"), a.Metrics.Token))
	}
	return faults
}

// validateEnvironment also refuses a variable that is set twice: which of the two wins would be chance.
func (a *Args) validateEnvironment(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	setIn := map[string]string{}
	for _, section := range []struct {
		name      string
		variables map[string]string
		allowed   []string
	}{
		{"secrets", a.Secrets, nil},
		{"database", a.Database, databaseKeys},
		{"media", a.Media, []string{bucketName, bucketRegion, bucketEndpoint, bucketAccessKey, bucketSecretKey}},
		{"env", a.Env, nil},
	} {
		for _, name := range slices.Sorted(maps.Keys(section.variables)) {
			at := path.Child(section.name).Key(name)
			for _, reason := range validation.IsEnvVarName(name) {
				faults = append(faults, field.Invalid(at, name, reason))
			}
			if section.name == "secrets" {
				faults = append(faults, check.SecretName(at, section.variables[name])...)
			}
			if section.allowed != nil {
				faults = append(faults, check.OneOf(at, section.variables[name], section.allowed...)...)
			}
			if other, twice := setIn[name]; twice {
				faults = append(faults, field.Forbidden(at, fmt.Sprintf("stands in %s too", other)))
			}
			setIn[name] = section.name
		}
	}
	return faults
}

func (a *Args) validateJobs(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	seen := sets.New[string]()
	for i, job := range a.Jobs {
		at := path.Index(i)
		faults = append(faults, check.Name(at.Child("name"), job.Name)...)
		if seen.Has(job.Name) {
			faults = append(faults, field.Duplicate(at.Child("name"), job.Name))
		}
		seen.Insert(job.Name)
		if length := len(a.jobName(job)); length > maxCronJobName {
			faults = append(faults, field.TooLong(at.Child("name"), job.Name, len(job.Name)-(length-maxCronJobName)))
		}
		faults = append(faults, check.Schedule(at.Child("schedule"), job.Schedule)...)
		if _, err := time.LoadLocation(job.timeZone()); err != nil || job.TimeZone == "Local" {
			faults = append(faults, field.Invalid(at.Child("timeZone"), job.TimeZone,
				"must be a time zone, for instance US/Central"))
		}
		if len(job.Command) == 0 || job.Command[0] == "" {
			faults = append(faults, field.Required(at.Child("command"), "must say what to run"))
		}
		if timeout, err := job.timeout(); err != nil || timeout < time.Second {
			faults = append(faults, field.Invalid(at.Child("timeout"), job.Timeout, "must be a duration, for instance 30m"))
		}
	}
	return faults
}
