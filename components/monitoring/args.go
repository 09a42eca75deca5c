package monitoring

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/monitoring/dashboards"
)

// Args describes the monitoring of a cluster.
type Args struct {
	// Retention is how long Prometheus keeps what it has measured, at most: "30d". Default 30d.
	Retention string `json:"retention"`
	// Storage is the size of Prometheus' volume, at least 10Gi. Default 50Gi.
	//
	// Another size begins the history anew, in a new volume; the old one stays, and costs, until its claim is deleted.
	Storage string `json:"storage"`
	// RetentionSize is how much of Storage the history may take; what is older than that goes before Retention is over. At most
	// 90 % of Storage, since the newest measurements and compaction need room beside it. Default: 75 % of Storage.
	RetentionSize string `json:"retentionSize"`
	// Resources are those of Prometheus. It takes some 4 KiB of memory for each of its series.
	Resources Resources `json:"resources"`
	// Grafana shows it all.
	Grafana Grafana `json:"grafana"`
	// Alerts says who is told when something is wrong.
	Alerts Alerts `json:"alerts"`
	// Objectives are how well the platform means to serve; "off" does without. Default: those of Objectives where visitors are
	// real, which is where the stack is protected, and none elsewhere.
	Objectives *Objectives `json:"objectives"`
	// Fastly has its own statistics of what visitors get. Default: none, and the probes tell alone.
	Fastly *Fastly `json:"fastly"`
	// Dashboards are files in the project's folder, each with a dashboard as Grafana exports it: beside the platform's own.
	Dashboards []string `json:"dashboards"`
	// Values are merged over those of the chart kube-prometheus-stack, last. No secret belongs here.
	Values map[string]any `json:"values"`

	// LogsURL and LogsPort are where Grafana finds Loki; none where nothing is stored.
	LogsURL  string `json:"-"`
	LogsPort int    `json:"-"`
	// Folder is the project's folder, which the files of Dashboards are in. Default: the current one.
	Folder string `json:"-"`
	// Platform is what the platform's own dashboards show.
	Platform dashboards.Platform `json:"-"`
	// NodePrices are what nodes cost a month, in USD, by their types.
	NodePrices map[string]float64 `json:"-"`
	// GrafanaHost is the public name of Grafana.
	GrafanaHost string `json:"-"`
	// StorageClass is the class of the volumes. They hold what can be measured again, and may go when they are released.
	StorageClass pulumi.StringInput `json:"-"`
	// SecretValues holds the value of every secret of SecretNames, by that name.
	SecretValues pulumi.StringMapInput `json:"-"`
}

// Resources of Prometheus. Memory is reserved and limited; CPU is reserved only.
type Resources struct {
	// CPU is in cores. Default 250m.
	CPU string `json:"cpu"`
	// Memory is in bytes. Default 2Gi.
	Memory string `json:"memory"`
}

// Grafana is the login of the one account that Grafana has. It keeps no data: its dashboards are code, and what is clicked
// together is gone when it restarts.
type Grafana struct {
	// User is the name of the account. Default admin.
	User string `json:"user"`
	// Password names the secret of the stack that holds the password. Default grafana-password.
	Password string `json:"password"`
}

const (
	// minVolume is the least size of a volume at Linode, in bytes.
	minVolume = 10 << 30
	// historyShare is how much of the volume the history takes by default, and mostHistoryShare what it may take; in percent.
	historyShare, mostHistoryShare = 75, 90
)

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{
		Retention: "30d",
		Storage:   "50Gi",
		Resources: Resources{CPU: "250m", Memory: "2Gi"},
		Grafana:   Grafana{User: "admin", Password: "grafana-password"},
		Alerts:    Alerts{BackupAge: "26h", FullBackupAge: "8d", Pages: defaultPages},
	}
}

// Validate returns every fault of the arguments, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Duration(path.Child("retention"), a.Retention)
	faults = append(faults, a.validateStorage(path)...)
	faults = append(faults, check.Quantity(path.Child("resources", "cpu"), a.Resources.CPU)...)
	faults = append(faults, check.Quantity(path.Child("resources", "memory"), a.Resources.Memory)...)
	faults = append(faults, check.Required(path.Child("grafana", "user"), a.Grafana.User)...)
	faults = append(faults, check.SecretName(path.Child("grafana", "password"), a.Grafana.Password)...)
	faults = append(faults, a.Objectives.validate(path.Child("objectives"), a.Retention)...)
	if a.Fastly != nil {
		faults = append(faults, check.SecretName(path.Child("fastly", "token"), a.Fastly.Token)...)
	}
	faults = append(faults, a.validateDashboards(path.Child("dashboards"))...)
	return append(faults, a.Alerts.validate(path.Child("alerts"))...)
}

func (a *Args) validateStorage(path *field.Path) field.ErrorList {
	faults := check.Quantity(path.Child("storage"), a.Storage)
	if a.RetentionSize != "" {
		faults = append(faults, check.Quantity(path.Child("retentionSize"), a.RetentionSize)...)
	}
	if len(faults) > 0 {
		return faults
	}
	storage := resource.MustParse(a.Storage)
	if storage.Value() < minVolume {
		faults = append(faults, field.Invalid(path.Child("storage"), a.Storage, "must be 10Gi or more, as Linode's volumes are"))
	}
	if most := storage.Value() * mostHistoryShare / 100; a.historyBytes() > most {
		faults = append(faults, field.Invalid(path.Child("retentionSize"), a.RetentionSize, fmt.Sprintf(
			"must be %s or less, %d %% of storage", resource.NewQuantity(most, resource.BinarySI), mostHistoryShare)))
	}
	return faults
}

// historyBytes is how many bytes the history may take. Both quantities are valid.
func (a *Args) historyBytes() int64 {
	if a.RetentionSize != "" {
		size := resource.MustParse(a.RetentionSize)
		return size.Value()
	}
	size := resource.MustParse(a.Storage)
	return size.Value() * historyShare / 100
}

// SecretNames are the secrets of the stack that monitoring uses, each once and sorted.
func (a *Args) SecretNames() []string {
	names := append(a.Alerts.secretNames(), a.Grafana.Password)
	if a.Fastly != nil {
		names = append(names, a.Fastly.Token)
	}
	return sets.List(sets.New(names...))
}
