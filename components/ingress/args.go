package ingress

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/network"
	"lke-platform/components/lke"
)

// The controllers. Both serve the same plain Ingress objects.
const (
	Traefik = "traefik"
	NGINX   = "nginx"
)

// requestID is the header with the identifier of a request. The CDN writes it, both controllers log it, and the application gets
// it.
const requestID = "X-Request-Id"

// Args describes the way into the cluster.
type Args struct {
	// Controller is traefik or nginx. Default traefik: ingress-nginx has had no security fixes since March 2026.
	// Another controller comes with a NodeBalancer, and an address, of its own.
	Controller string `json:"controller"`
	// Allow lists the networks, in CIDR form, that may connect beside Fastly: an office, a monitor. They have to show the same
	// certificate as Fastly does.
	Allow []string `json:"allow"`
	// Open lets everybody connect past Fastly, without a certificate, or nobody. Default: everybody while the stack file has a
	// cdn.bypass, true or false, so that the way stays open until cached names have run out; otherwise nobody.
	Open *bool `json:"open"`
	// MaxBodySize is the largest request body, for instance 256Mi. Default: no limit but the application's.
	// Only nginx has it: Traefik passes bodies on as they come, and could count only what it holds back.
	MaxBodySize string `json:"maxBodySize"`
	// Values are merged over the values of the controller's chart, whatever they say.
	Values map[string]any `json:"values"`

	// Taints are those of the cluster's nodes, all of which the NodeBalancer sends to.
	Taints []lke.Taint `json:"-"`
	// Bypass is the stack's cdn.bypass.
	Bypass *bool `json:"-"`
	// FastlyRanges are the networks that Fastly connects from. They may connect, and are believed about who the visitor is.
	// During a bypass, when Fastly may not be there to say, those of before are believed.
	FastlyRanges pulumi.StringArrayInput `json:"-"`
	// Kubeconfig leads to the cluster, to read what cert-manager has made there.
	Kubeconfig pulumi.StringInput `json:"-"`
	// Anonymous says that the CDN cannot always show its certificate, so that nobody is asked for one.
	Anonymous bool `json:"-"`
	// DefaultCertificate is the Secret, as namespace/name, with a certificate for the name that the CDN asks for when it
	// connects. nginx would show one of its own making; Traefik finds it by itself.
	DefaultCertificate pulumi.StringInput `json:"-"`
	// Label names the stack in the Linode account, which all stacks share; the tag of the NodeBalancer begins with it.
	Label string `json:"-"`
	// LatencyBuckets are the times, in seconds, that answers are counted by. ingress-nginx has them all by default.
	LatencyBuckets []string `json:"-"`
	// Serves are the namespaces, by name, whose Ingress objects are served, and whose Secrets hold the certificates for them.
	// Traefik sees no others.
	Serves map[string]pulumi.StringInput `json:"-"`
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args { return Args{Controller: Traefik} }

// IsOpen says whether everybody may connect.
func (a *Args) IsOpen() bool {
	if a.Open != nil {
		return *a.Open
	}
	return a.Bypass != nil
}

// tag tells the NodeBalancer from all others. Where the controller changes there are two for a while.
func (a *Args) tag() string { return a.tagOf(a.kind()) }

func (a *Args) tagOf(k kind) string { return a.Label + "-" + k.class }

func (a *Args) bypassed() bool { return a.Bypass != nil && *a.Bypass }

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.OneOf(path.Child("controller"), a.Controller, Traefik, NGINX)
	faults = append(faults, network.Validate(path.Child("allow"), a.Allow)...)
	if a.Open != nil && *a.Open && len(a.Allow) > 0 {
		faults = append(faults, field.Forbidden(path.Child("allow"), "has no effect while open lets everybody connect"))
	}
	if a.MaxBodySize == "" {
		return faults
	}
	if a.Controller == Traefik {
		return append(faults, field.Forbidden(path.Child("maxBodySize"),
			"traefik passes bodies on as they come; limit them in the application"))
	}
	return append(faults, check.Quantity(path.Child("maxBodySize"), a.MaxBodySize)...)
}
