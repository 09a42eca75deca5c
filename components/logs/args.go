package logs

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Args describes what is logged, and for how long.
type Args struct {
	// Retention is how long lines are kept: at least a day. Default 14d.
	Retention string `json:"retention"`
	// Labels are further ones, beside source, namespace, app and container: node or stream. All else that is known of a line goes
	// with it, and can be asked for, without being a label: each combination of their values is a stream of its own, and many
	// small streams are what makes Loki slow.
	Labels []string `json:"labels"`
	// Hidden are names of parameters in URLs, beside those that always are: their values are not stored. A name stands for those
	// that end with it too, after a dash, a dot, an underscore or in brackets.
	Hidden []string `json:"hidden"`
	// Resources are those of Loki.
	Resources Resources `json:"resources"`
	// Values are merged over those of the chart loki, last. No secret belongs here.
	Values map[string]any `json:"values"`

	// Off says that the stack does without.
	Off bool `json:"-"`
	// Bucket keeps the lines.
	Bucket Bucket `json:"-"`
	// StorageClass is the class of the volume, which holds what is not in the bucket yet.
	StorageClass pulumi.StringInput `json:"-"`
}

// Resources of Loki. Memory is reserved and limited; CPU is reserved only.
type Resources struct {
	// CPU is in cores. Default 100m.
	CPU string `json:"cpu"`
	// Memory is in bytes. Default 768Mi.
	Memory string `json:"memory"`
}

// Bucket is one of Object Storage, and a key that opens it.
type Bucket struct {
	Name, Endpoint, Region, AccessKey, SecretKey pulumi.StringInput
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{Retention: "14d", Resources: Resources{CPU: "100m", Memory: "768Mi"}}
}

// SwitchOff is what the text off does in the place of all keys.
func (a *Args) SwitchOff() { a.Off = true }

var (
	// labels are those of every line, and furtherLabels those that a stack may add. Together they are fewer than the 15 that Loki
	// takes by default: whoever lets labels of pods through has more sooner or later, and loses all lines of such a pod.
	labels        = []string{"app", "container", "namespace", "source"}
	furtherLabels = []string{"node", "stream"}
)

// hidden are the parameters in URLs that are as good as a key.
var hidden = []string{
	"code", "credential", "hmac", "jwt", "key", "otp", "passphrase", "passwd", "password", "password_confirmation", "pwd",
	"secret", "sig", "signature", "ticket", "token",
}

// parameter is what a name of a parameter is made of, apart from what hiding adds.
var parameter = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// minRetention is the shortest that Loki has, in seconds.
const minRetention = 24 * 60 * 60

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	if a.Off {
		return nil
	}
	faults := check.Duration(path.Child("retention"), a.Retention)
	if len(faults) == 0 && check.Seconds(a.Retention) < minRetention {
		faults = append(faults, field.Invalid(path.Child("retention"), a.Retention, "must be a day or more, as Loki's is"))
	}
	seen := sets.New(labels...)
	for i, label := range a.Labels {
		at := path.Child("labels").Index(i)
		if !seen.Has(label) {
			faults = append(faults, check.OneOf(at, label, furtherLabels...)...)
		}
		faults = append(faults, check.Unique(seen, at, label)...)
	}
	for i, name := range a.Hidden {
		if !parameter.MatchString(name) {
			faults = append(faults, field.Invalid(path.Child("hidden").Index(i), name,
				"must be the name of a parameter: letters, digits, dots, dashes and underscores"))
		}
	}
	faults = append(faults, check.Quantity(path.Child("resources", "cpu"), a.Resources.CPU)...)
	return append(faults, check.Quantity(path.Child("resources", "memory"), a.Resources.Memory)...)
}

// What a platform of a handful of nodes writes a day at most, compressed, in GB, and Linode's prices: docs/components/logs.md.
const (
	gbPerDay   = 1
	includedGB = 250
	gbPrice    = 0.02 // USD a month
	// absurdPrice is what Object Storage costs in all, as long as nobody stores much.
	absurdPrice = 5
)

// Warnings tell what a long retention may come to cost.
func (a *Args) Warnings(path *field.Path) []string {
	const day = 24 * 60 * 60
	stored := check.Seconds(a.Retention) / day * gbPerDay
	price := float64(stored-includedGB) * gbPrice
	if a.Off || price <= absurdPrice {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s of logs come to %d GB at %d GB a day, %.0f USD a month beside the %d that Object "+
		"Storage costs anyway (docs/components/logs.md)", path.Child("retention"), a.Retention, stored, gbPerDay, price,
		absurdPrice)}
}
