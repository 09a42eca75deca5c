package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

const (
	jobTimeout     = time.Hour
	releaseTimeout = 10 * time.Minute
)

// theirs are the endings of what others name after the application in its namespace: the operator its database, and the graph.
var theirs = sets.New(webName, releaseName, candidateName, "load", "primary", "replicas", "ha", "pods", "pgbouncer", "repo-host")

// Validate returns every fault of the arguments, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), a.Name)
	faults = append(faults, check.Image(path.Child("image"), a.Image)...)
	if a.Registry != nil {
		faults = append(faults, check.Required(path.Child("registry", "username"), a.Registry.Username)...)
		faults = append(faults, check.SecretName(path.Child("registry", "password"), a.Registry.Password)...)
	}
	faults = append(faults, check.Between(path.Child("user"), a.User, 0, 65535)...)
	faults = append(faults, check.Hosts(path.Child("hosts"), a.Hosts)...)
	faults = append(faults, a.validateEnvironment(path)...)
	faults = append(faults, a.validateFiles(path.Child("files"))...)
	if a.Release != nil {
		faults = append(faults, a.Release.validate(path.Child("release"))...)
	}
	faults = append(faults, a.validateCandidate(path.Child("candidate"))...)
	faults = append(faults, a.validateProcesses(path)...)
	return append(faults, a.validateJobs(path.Child("jobs"))...)
}

func (r *Release) validate(path *field.Path) field.ErrorList {
	faults := command(path.Child("command"), r.Command, true)
	if r.Timeout != "" {
		faults = append(faults, between(path.Child("timeout"), r.Timeout, time.Second, 24*time.Hour)...)
	}
	return faults
}

// validateProcesses also refuses what two processes cannot both have.
func (a *Args) validateProcesses(path *field.Path) field.ErrorList {
	processes := a.processes("")[:1+len(a.Processes)] // without what is tried, which is web once more
	faults := check.Between(path.Child("port"), a.Port, 1, 65535)
	names, claims, paths, ports := sets.New[string](), sets.New[string](), sets.New("/"), sets.New(a.Port)
	faults = append(faults, processes[0].validate(path, claims)...)
	for i, process := range processes[1:] {
		at := path.Child("processes").Index(i)
		faults = append(faults, process.validate(at, claims)...)
		faults = append(faults, a.validateName(at.Child("name"), process.Name, names)...)
		faults = append(faults, validateOwnImage(at.Child("image"), process.Image)...)
		if process.User != nil {
			faults = append(faults, check.Between(at.Child("user"), *process.User, 1, 65535)...)
		}
		for _, name := range slices.Sorted(maps.Keys(process.Env)) {
			for _, reason := range validation.IsEnvVarName(name) {
				faults = append(faults, field.Invalid(at.Child("env").Key(name), name, reason))
			}
		}
		faults = append(faults, process.validateRoute(at, paths)...)
		// Another image may listen where it likes. Two processes of one that listen alike are a port that was forgotten.
		if process.serves() && process.followed() {
			faults = append(faults, check.Unique(ports, at.Child("port"), process.Port)...)
		}
	}
	return faults
}

// validateName checks the name of what stands beside web. What a Service selects by is the name, so that no two may have one.
func (a *Args) validateName(path *field.Path, name string, seen sets.Set[string]) field.ErrorList {
	faults := check.Name(path, name)
	if theirs.Has(name) || strings.HasPrefix(name, "repo1-") || strings.HasPrefix(name, "pg-") {
		faults = append(faults, field.Forbidden(path, a.Name+"-"+name+" is the name of what belongs to the platform"))
	}
	faults = append(faults, check.Unique(seen, path, name)...)
	if most := validation.DNS1123LabelMaxLength - len(a.Name+"-"); len(name) > most && most > 0 {
		faults = append(faults, field.TooLong(path, name, most))
	}
	return faults
}

// validate checks what every process has. claims are the names of the volumes of those before it.
func (p *process) validate(path *field.Path, claims sets.Set[string]) field.ErrorList {
	faults := check.Between(path.Child("replicas"), p.Replicas, 1, 100)
	if p.Autoscale != nil {
		faults = append(faults, p.Autoscale.validate(path.Child("autoscale"), p.Replicas)...)
	}
	faults = append(faults, command(path.Child("command"), p.Command, false)...)
	faults = append(faults, check.Quantity(path.Child("resources", "cpu"), p.Resources.CPU)...)
	faults = append(faults, check.Quantity(path.Child("resources", "memory"), p.Resources.Memory)...)
	faults = append(faults, p.Health.validate(path.Child("health"), p.serves())...)
	if p.Metrics != nil {
		faults = append(faults, p.validateMetrics(path.Child("metrics"))...)
	}
	least := time.Second
	if p.serves() {
		least += drainDelay * time.Second
	}
	faults = append(faults, between(path.Child("gracePeriod"), p.GracePeriod, least, time.Hour)...)
	faults = append(faults, check.Between(path.Child("databaseConnections"), p.DatabaseConnections, 0, 1000)...)
	return append(faults, p.validateVolumes(path, claims)...)
}

// validateRoute checks where the requests of a process beside web come from. taken are the paths of the application's hosts.
func (p *process) validateRoute(path *field.Path, taken sets.Set[string]) field.ErrorList {
	var faults field.ErrorList
	if p.Port != 0 {
		faults = check.Between(path.Child("port"), p.Port, 1, 65535)
	} else if len(p.Hosts) > 0 || p.Path != "" {
		faults = field.ErrorList{field.Required(path.Child("port"), "a process with hosts or a path listens somewhere")}
	}
	if len(p.Hosts) > 0 {
		faults = append(faults, check.Hosts(path.Child("hosts"), p.Hosts)...)
	}
	if p.Path == "" {
		return faults
	}
	faults = append(faults, check.URLPath(path.Child("path"), p.Path)...)
	if len(p.Hosts) > 0 {
		return faults
	}
	faults = append(faults, check.Unique(taken, path.Child("path"), p.Path)...)
	return faults
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
		{"caches", a.Caches, []string{cacheURI, cacheHost, cachePort}},
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
				value := section.variables[name]
				switch section.name {
				case "database":
					_, value = databaseOf(value)
				case "caches":
					_, value, _ = strings.Cut(value, "/")
				}
				faults = append(faults, check.OneOf(at, value, section.allowed...)...)
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
	for _, process := range a.Processes {
		seen.Insert(process.Name)
	}
	for i, job := range a.Jobs {
		at := path.Index(i)
		faults = append(faults, a.validateName(at.Child("name"), job.Name, seen)...)
		if length := len(a.jobName(job)); length > maxCronJobName {
			faults = append(faults, field.TooLong(at.Child("name"), job.Name, len(job.Name)-(length-maxCronJobName)))
		}
		faults = append(faults, check.Schedule(at.Child("schedule"), job.Schedule)...)
		if _, err := time.LoadLocation(job.timeZone()); err != nil || job.TimeZone == "Local" {
			faults = append(faults, field.Invalid(at.Child("timeZone"), job.TimeZone,
				"must be a time zone, for instance US/Central"))
		}
		faults = append(faults, command(at.Child("command"), job.Command, true)...)
		if timeout, err := duration(job.Timeout, jobTimeout); err != nil || timeout < time.Second {
			faults = append(faults, field.Invalid(at.Child("timeout"), job.Timeout, "must be a duration, for instance 30m"))
		}
	}
	return faults
}

// command refuses what cannot be run.
func command(path *field.Path, command []string, required bool) field.ErrorList {
	if len(command) == 0 && !required {
		return nil
	}
	if len(command) == 0 || command[0] == "" {
		return field.ErrorList{field.Required(path, "must say what to run")}
	}
	return nil
}

// duration reads a duration; where there is no text it is the other.
func duration(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	return time.ParseDuration(text)
}

// between refuses what is no duration within the bounds, which are both allowed.
func between(path *field.Path, text string, least, most time.Duration) field.ErrorList {
	if length, err := time.ParseDuration(text); err != nil || length < least || length > most {
		return field.ErrorList{field.Invalid(path, text, fmt.Sprintf("must be a duration from %s to %s", least, most))}
	}
	return nil
}
