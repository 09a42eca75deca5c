package delivery

import (
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// The ways in which a new version of the app arrives.
const (
	// ModePinned means that the stack file names the image by its digest: a new version is a change of that line.
	ModePinned = "pinned"
	// ModeKeel means that Keel watches the tag that the stack file names, and rolls out whatever is pushed to it.
	ModeKeel = "keel"
)

// Args says how new versions of the app arrive.
type Args struct {
	// Mode is pinned or keel. Default pinned.
	Mode string `json:"mode"`
	// Host is the public name at which Keel is told of pushes, for instance keel.example.com. Required by keel.
	Host string `json:"host"`
	// PollSchedule is how often Keel asks the registry, in case that a call got lost. Default "@every 5m".
	PollSchedule string `json:"pollSchedule"`
	// Webhook is who calls Host.
	Webhook Webhook `json:"webhook"`
	// Values are laid over those of Keel's chart, last and whatever they say.
	// Upstream: https://github.com/keel-hq/keel/blob/master/chart/keel/values.yaml
	Values map[string]any `json:"values"`

	// Namespace is Keel's, from NewNamespace.
	Namespace pulumi.StringInput `json:"-"`
	// Image is the app's, with the tag that Keel follows.
	Image string `json:"-"`
	// AppNamespace is the only namespace that Keel looks into.
	AppNamespace pulumi.StringInput `json:"-"`
	// Deployments are the names of the only Deployments in AppNamespace that Keel may change.
	Deployments pulumi.StringArray `json:"-"`
	// PullSecret is the Secret in AppNamespace with the credentials of the image's registry; nil for a public image.
	PullSecret pulumi.StringInput `json:"-"`
	// WebhookPassword is the value of the secret that Webhook.Password names.
	WebhookPassword pulumi.StringInput `json:"-"`
	// IngressClass is the class of the controller that serves Host.
	IngressClass pulumi.StringInput `json:"-"`
	// TLSSecret is the Secret in Namespace that holds a certificate for Host; nil leaves TLS to the ingress controller.
	TLSSecret pulumi.StringInput `json:"-"`
}

// Webhook is what tells Keel of pushes, and the account that it uses.
type Webhook struct {
	// Route says who calls: dockerhub, github, quay, azure or harbor, whose registries do that by themselves, or native for all
	// else, such as a step of your CI. Default: that of Image's registry.
	Route string `json:"route"`
	// User of the account. Default dockerhub.
	User string `json:"user"`
	// Password is the name of the stack's secret that holds the password. Default keel-webhook-password.
	Password string `json:"password"`
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{
		Mode:         ModePinned,
		PollSchedule: "@every 5m",
		Webhook:      Webhook{User: "dockerhub", Password: "keel-webhook-password"},
	}
}

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.OneOf(path.Child("mode"), a.Mode, ModePinned, ModeKeel)
	if !a.Keel() {
		return faults
	}
	faults = append(faults, check.Domain(path.Child("host"), a.Host)...)
	every, isInterval := strings.CutPrefix(a.PollSchedule, "@every ")
	if interval, err := time.ParseDuration(every); err != nil || !isInterval || interval < time.Minute {
		faults = append(faults, field.Invalid(path.Child("pollSchedule"), a.PollSchedule,
			`must be "@every" and a duration of a minute or more, for instance "@every 5m"`))
	}
	webhook := path.Child("webhook")
	if a.Webhook.Route != "" {
		faults = append(faults, check.OneOf(webhook.Child("route"), a.Webhook.Route, routes...)...)
	}
	faults = append(faults, check.Required(webhook.Child("user"), a.Webhook.User)...)
	if strings.Contains(a.Webhook.User, ":") {
		faults = append(faults, field.Invalid(webhook.Child("user"), a.Webhook.User, "must not contain a colon"))
	}
	return append(faults, check.SecretName(webhook.Child("password"), a.Webhook.Password)...)
}

// SecretNames are the secrets of the stack that delivery uses.
func (a *Args) SecretNames() []string {
	if !a.Keel() {
		return nil
	}
	return []string{a.Webhook.Password}
}

// Keel says whether Keel delivers.
func (a *Args) Keel() bool { return a.Mode == ModeKeel }

// Annotations are what Keel wants to find on the app's Deployments: it follows the tag of the image, no other, and asks for it
// besides being called.
// Upstream: https://keel.sh/docs/#policies
func (a *Args) Annotations() map[string]string {
	if !a.Keel() {
		return nil
	}
	return map[string]string{
		"keel.sh/policy":       "force",
		"keel.sh/matchTag":     "true",
		"keel.sh/trigger":      "poll",
		"keel.sh/pollSchedule": a.PollSchedule,
	}
}

// Leave are the properties of the Deployments that are Keel's. As it follows one tag, it never changes the image: what rolls
// the pods is the time that it notes on their template, and then they pull. So everything else, the tag included, stays Pulumi's.
func (a *Args) Leave() []string {
	if !a.Keel() {
		return nil
	}
	return []string{
		`spec.template.metadata.annotations["keel.sh/update-time"]`,
		`metadata.annotations["kubernetes.io/change-cause"]`,
	}
}
