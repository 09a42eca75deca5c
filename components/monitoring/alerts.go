package monitoring

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Alerts says who is told of what. All of it reaches the receivers directly, without the CDN: an alert about the CDN arrives.
type Alerts struct {
	// Receivers are told. Without one, alerts are seen in Grafana only.
	Receivers []Receiver `json:"receivers"`
	// DeadManSwitch calls a service outside for as long as all is well, so that silence means trouble too.
	DeadManSwitch *DeadManSwitch `json:"deadManSwitch"`
	// BackupAge is how old the newest backup of a database may be. It has to be longer than the time between two backups, full
	// or differential. Default 26h.
	BackupAge string `json:"backupAge"`
	// FullBackupAge is how old the newest full backup may be. Default 8d.
	FullBackupAge string `json:"fullBackupAge"`
	// Pages is the address at which docs/alerts of the repository is to be read, where messages lead to. Default docs/alerts,
	// which tells whoever has the repository where to look.
	Pages string `json:"pages"`
}

// Receiver is told of alerts, and of their end, in one way.
type Receiver struct {
	// Name tells the receivers apart.
	Name string `json:"name"`
	// Severity is the least that the receiver is told of: warning or critical. Default warning.
	Severity string `json:"severity"`
	// Slack, Webhook and Email are the ways; each receiver has one.
	Slack   *Slack   `json:"slack"`
	Webhook *Webhook `json:"webhook"`
	Email   *Email   `json:"email"`
}

// Slack is a channel of a Slack workspace, or of what understands Slack's messages.
// Upstream: https://api.slack.com/messaging/webhooks
type Slack struct {
	// Channel begins with a # sign.
	Channel string `json:"channel"`
	// URL names the secret of the stack that holds the URL of the incoming webhook.
	URL string `json:"url"`
}

// Webhook is an HTTP service that takes Alertmanager's own messages.
// Upstream: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type Webhook struct {
	// URL names the secret of the stack that holds the URL.
	URL string `json:"url"`
}

// Email is sent over SMTP with TLS. Linode opens the ports of SMTP only on request for a new account.
type Email struct {
	To   string `json:"to"`
	From string `json:"from"`
	// Server is the host and the port of the mail server: smtp.example.com:587.
	Server string `json:"server"`
	User   string `json:"user"`
	// Password names the secret of the stack that holds the user's password.
	Password string `json:"password"`
}

// DeadManSwitch is a service that raises the alarm when it is not called any more, for instance healthchecks.io or Dead Man's
// Snitch.
type DeadManSwitch struct {
	// URL names the secret of the stack that holds the URL to call.
	URL string `json:"url"`
	// Interval is the time between two calls. Give the service twice as long before it raises the alarm. Default 5m.
	Interval string `json:"interval"`
}

const (
	critical = "critical"
	warning  = "warning"

	// nobody is told of what has no other receiver.
	nobody = "null"
	// deadManSwitch is the receiver of the alert that always fires.
	deadManSwitch = "dead-man-switch"

	defaultInterval = "5m"
	defaultPages    = "docs/alerts"
)

// Unrouted says whether nobody hears of an alert, or of the end of all alerts.
func (a *Alerts) Unrouted() bool { return len(a.Receivers) == 0 || a.DeadManSwitch == nil }

func (a *Alerts) validate(path *field.Path) field.ErrorList {
	faults := check.Duration(path.Child("backupAge"), a.BackupAge)
	faults = append(faults, check.Duration(path.Child("fullBackupAge"), a.FullBackupAge)...)
	if address, err := url.Parse(a.Pages); a.Pages != defaultPages && (err != nil || address.Scheme != "https") {
		faults = append(faults, field.Invalid(path.Child("pages"), a.Pages, "must be an address that begins with https://"))
	}
	if a.DeadManSwitch != nil {
		at := path.Child("deadManSwitch")
		faults = append(faults, check.SecretName(at.Child("url"), a.DeadManSwitch.URL)...)
		faults = append(faults, check.Duration(at.Child("interval"), cmp.Or(a.DeadManSwitch.Interval, defaultInterval))...)
	}
	seen := sets.New(nobody, deadManSwitch)
	for i, receiver := range a.Receivers {
		at := path.Child("receivers").Index(i)
		faults = append(faults, receiver.validate(at)...)
		faults = append(faults, check.Unique(seen, at.Child("name"), receiver.Name)...)
	}
	return faults
}

func (r *Receiver) validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), r.Name)
	faults = append(faults, check.OneOf(path.Child("severity"), cmp.Or(r.Severity, warning), warning, critical)...)
	ways := 0
	if r.Slack != nil {
		ways++
		faults = append(faults, check.Required(path.Child("slack", "channel"), r.Slack.Channel)...)
		faults = append(faults, check.SecretName(path.Child("slack", "url"), r.Slack.URL)...)
	}
	if r.Webhook != nil {
		ways++
		faults = append(faults, check.SecretName(path.Child("webhook", "url"), r.Webhook.URL)...)
	}
	if r.Email != nil {
		ways++
		faults = append(faults, r.Email.validate(path.Child("email"))...)
	}
	if ways != 1 {
		faults = append(faults, field.Invalid(path, r.Name, "must have one of slack, webhook and email"))
	}
	return faults
}

func (e *Email) validate(path *field.Path) field.ErrorList {
	faults := check.Required(path.Child("to"), e.To)
	faults = append(faults, check.Required(path.Child("from"), e.From)...)
	if host, port, err := net.SplitHostPort(e.Server); err != nil || host == "" || !isPort(port) {
		faults = append(faults, field.Invalid(path.Child("server"), e.Server, "must be a host and a port: smtp.example.com:587"))
	}
	faults = append(faults, check.Required(path.Child("user"), e.User)...)
	return append(faults, check.SecretName(path.Child("password"), e.Password)...)
}

func isPort(text string) bool {
	port, err := strconv.Atoi(text)
	return err == nil && port > 0 && port < 1<<16
}

// secretNames are the secrets that Alertmanager reads.
func (a *Alerts) secretNames() []string {
	var names []string
	for _, r := range a.Receivers {
		switch {
		case r.Slack != nil:
			names = append(names, r.Slack.URL)
		case r.Webhook != nil:
			names = append(names, r.Webhook.URL)
		case r.Email != nil:
			names = append(names, r.Email.Password)
		}
	}
	if a.DeadManSwitch != nil {
		names = append(names, a.DeadManSwitch.URL)
	}
	return names
}

// config is Alertmanager's configuration. It stands in a release's values, so it names files where there are secrets.
// Upstream: https://prometheus.io/docs/alerting/latest/configuration/
func (a *Alerts) config(grafanaURL string) pulumi.Map {
	receivers := pulumi.Array{pulumi.Map{"name": pulumi.String(nobody)}}
	var routes pulumi.Array
	if a.DeadManSwitch != nil {
		receivers = append(receivers, a.DeadManSwitch.receiver())
		routes = append(routes, a.DeadManSwitch.route())
	}
	for _, r := range a.Receivers {
		receivers = append(receivers, r.receiver(grafanaURL))
		routes = append(routes, r.route())
	}
	return pulumi.Map{
		"route": pulumi.Map{
			"receiver":        pulumi.String(nobody),
			"group_by":        pulumi.ToStringArray([]string{"alertname", "namespace"}),
			"group_wait":      pulumi.String("30s"),
			"group_interval":  pulumi.String("5m"),
			"repeat_interval": pulumi.String("12h"),
			"routes":          routes,
		},
		"receivers": receivers,
	}
}

// route takes the alert that always fires. What is due is looked at every minute, so that a call is late by that at most.
func (d *DeadManSwitch) route() pulumi.Map {
	return pulumi.Map{
		"receiver":        pulumi.String(deadManSwitch),
		"matchers":        pulumi.ToStringArray([]string{`alertname = "Watchdog"`}),
		"group_wait":      pulumi.String("0s"),
		"group_interval":  pulumi.String("1m"),
		"repeat_interval": pulumi.String(cmp.Or(d.Interval, defaultInterval)),
	}
}

func (d *DeadManSwitch) receiver() pulumi.Map {
	return pulumi.Map{
		"name": pulumi.String(deadManSwitch),
		"webhook_configs": pulumi.Array{pulumi.Map{
			"url_file": secretFile(d.URL),
			// The end of this alert is nothing that a call should tell: a call means that all is well.
			"send_resolved": pulumi.Bool(false),
		}},
	}
}

func (r *Receiver) route() pulumi.Map {
	severities := critical
	if cmp.Or(r.Severity, warning) == warning {
		severities = critical + "|" + warning
	}
	return pulumi.Map{
		"receiver": pulumi.String(r.Name),
		"matchers": pulumi.ToStringArray([]string{`severity =~ "` + severities + `"`}),
		// The next receiver is told as well.
		"continue": pulumi.Bool(true),
	}
}

func (r *Receiver) receiver(grafanaURL string) pulumi.Map {
	receiver := pulumi.Map{"name": pulumi.String(r.Name)}
	switch {
	case r.Slack != nil:
		receiver["slack_configs"] = pulumi.Array{pulumi.Map{
			"api_url_file":  secretFile(r.Slack.URL),
			"channel":       pulumi.String(r.Slack.Channel),
			"send_resolved": pulumi.Bool(true),
			"title":         pulumi.String(title),
			"title_link":    pulumi.String(grafanaURL + "/alerting/groups"),
			"text":          pulumi.String(text),
		}}
	case r.Webhook != nil:
		receiver["webhook_configs"] = pulumi.Array{pulumi.Map{
			"url_file":      secretFile(r.Webhook.URL),
			"send_resolved": pulumi.Bool(true),
		}}
	case r.Email != nil:
		receiver["email_configs"] = pulumi.Array{pulumi.Map{
			"to":                 pulumi.String(r.Email.To),
			"from":               pulumi.String(r.Email.From),
			"smarthost":          pulumi.String(r.Email.Server),
			"auth_username":      pulumi.String(r.Email.User),
			"auth_password_file": secretFile(r.Email.Password),
			"send_resolved":      pulumi.Bool(true),
		}}
	}
	return receiver
}

// A message says what is wrong, what visitors notice, what to look at first, and where to read on. Alerts of the chart's own say
// some of that.
const (
	title = `{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}` +
		`{{ with .CommonLabels.stack }} on {{ . }}{{ end }} ({{ .Alerts | len }})`
	text = `{{ range .Alerts }}*{{ .Labels.severity }}: {{ .Annotations.summary }}*
{{ .Annotations.description }}
{{ with .Annotations.impact }}What visitors notice: {{ . }}
{{ end }}{{ with .Annotations.command }}First: ` + "`{{ . }}`" + `
{{ end }}{{ with .Annotations.runbook_url }}{{ . }}
{{ end }}{{ end }}`
)

// secretFile is where Alertmanager finds a secret: the operator mounts each Secret that it is given under its name.
func secretFile(name string) pulumi.String {
	return pulumi.String(path.Join("/etc/alertmanager/secrets", receiversSecret, name))
}
