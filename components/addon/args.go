package addon

import (
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/charts"
	"lke-platform/components/internal/check"
	"lke-platform/components/namespace"
)

// Args describes a chart of the stack's own.
type Args struct {
	// Name of the release and of its namespace, unique in the stack.
	Name string `json:"name"`
	// Chart is the chart's name, or its whole reference in an OCI registry (oci://…).
	Chart string `json:"chart"`
	// Repository is the URL of the chart's repository; none for a chart in a registry.
	Repository string `json:"repository"`
	// Version of the chart.
	Version string `json:"version"`
	// SHA256 is the digest of the chart's archive. `make charts` tells it.
	SHA256 string `json:"sha256"`
	// Values of the chart. Secrets do not belong here.
	Values map[string]any `json:"values"`
	// Secrets are entries of a Secret that has the release's name, for the values to refer to: by key the name of the stack's
	// secret.
	Secrets map[string]string `json:"secrets"`
	// Standard is what the pods are held to: restricted, baseline or privileged. Default restricted.
	Standard string `json:"standard"`
	// Open says which namespaces reach which ports; none do otherwise.
	Open []Opening `json:"open"`
	// After are the names of other charts that have to be there before.
	After []string `json:"after"`

	// SecretValues holds a value for every secret of SecretNames, by name.
	SecretValues pulumi.StringMap `json:"-"`
}

// Opening lets other namespaces in.
type Opening struct {
	// From are namespaces: that of the app, monitoring for metrics.
	From []string `json:"from"`
	// Ports are numbers.
	Ports []int `json:"ports"`
}

// Default fills in what holds where nothing else is said.
func (a *Args) Default() { a.Standard = string(namespace.Restricted) }

// Pinned is the chart as it was reviewed.
func (a *Args) Pinned() charts.Chart {
	return charts.Chart{Name: a.Chart, Repository: a.Repository, Version: a.Version, SHA256: a.SHA256}
}

func (a *Args) openings() (openings []namespace.Opening) {
	for _, opening := range a.Open {
		var ports []any
		for _, port := range opening.Ports {
			ports = append(ports, port)
		}
		openings = append(openings, namespace.Opening{
			Name: "from-" + strings.Join(opening.From, "-"), Namespaces: opening.From, Ports: ports,
		})
	}
	return openings
}

// SecretNames are the secrets of the stack that the chart is given, each once and sorted.
func (a *Args) SecretNames() []string {
	names := sets.New[string]()
	for _, name := range a.Secrets {
		names.Insert(name)
	}
	return sets.List(names)
}

// longestName is what Helm takes as the name of a release.
const longestName = 53

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), a.Name)
	if len(a.Name) > longestName {
		faults = append(faults, field.TooLong(path.Child("name"), a.Name, longestName))
	}
	faults = append(faults, check.Required(path.Child("chart"), a.Chart)...)
	faults = append(faults, check.Required(path.Child("version"), a.Version)...)
	switch isOCI := strings.HasPrefix(a.Chart, "oci://"); {
	case isOCI && a.Repository != "":
		faults = append(faults, field.Forbidden(path.Child("repository"), "a chart in a registry is named by chart alone"))
	case !isOCI && !strings.HasPrefix(a.Repository, "https://"):
		faults = append(faults, field.Invalid(path.Child("repository"), a.Repository, "must be the https URL of a repository"))
	}
	if !digest.MatchString(a.SHA256) {
		faults = append(faults, field.Invalid(path.Child("sha256"), a.SHA256,
			"must be the digest of the chart's archive, which `make charts` tells"))
	}
	faults = append(faults, check.OneOf(path.Child("standard"), a.Standard,
		string(namespace.Restricted), string(namespace.Baseline), string(namespace.Privileged))...)
	policies := sets.New[string]()
	for i, opening := range a.openings() {
		if policies.Has(opening.Name) {
			faults = append(faults, field.Duplicate(path.Child("open").Index(i).Child("from"), a.Open[i].From))
		}
		policies.Insert(opening.Name)
	}
	for i, opening := range a.Open {
		at := path.Child("open").Index(i)
		if len(opening.From) == 0 {
			faults = append(faults, field.Required(at.Child("from"), "must name a namespace"))
		}
		for j, name := range opening.From {
			faults = append(faults, check.Name(at.Child("from").Index(j), name)...)
		}
		for j, port := range opening.Ports {
			faults = append(faults, check.Between(at.Child("ports").Index(j), port, 1, 65535)...)
		}
	}
	for key, name := range a.Secrets {
		at := path.Child("secrets").Key(key)
		for _, reason := range validation.IsConfigMapKey(key) {
			faults = append(faults, field.Invalid(at, key, reason))
		}
		faults = append(faults, check.SecretName(at, name)...)
	}
	return faults
}

// ValidateAll checks all of a stack's own charts. taken are the namespaces that are the platform's.
func ValidateAll(path *field.Path, all []Args, taken ...string) field.ErrorList {
	var faults field.ErrorList
	seen := sets.New[string]()
	for i := range all {
		at := path.Index(i)
		faults = append(faults, all[i].Validate(at)...)
		faults = append(faults, namespace.CheckFree(at.Child("name"), all[i].Name, taken...)...)
		for j, name := range all[i].After {
			if !seen.Has(name) {
				faults = append(faults, field.NotSupported(at.Child("after").Index(j), name, sets.List(seen)))
			}
		}
		faults = append(faults, check.Unique(seen, at.Child("name"), all[i].Name)...)
	}
	return faults
}
