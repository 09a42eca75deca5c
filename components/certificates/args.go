package certificates

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Args describes who issues certificates, and to whom.
type Args struct {
	// Email is where Let's Encrypt writes to; it is the account's contact.
	Email string `json:"email"`
	// Issuer is the one that certificates come from: production, or staging, whose certificates no browser and no Fastly
	// trusts, but whose limits are high. Default production.
	// Upstream: https://letsencrypt.org/docs/staging-environment/
	Issuer string `json:"issuer"`
	// Values are merged over the values of the cert-manager chart.
	// Upstream: https://artifacthub.io/packages/helm/cert-manager/cert-manager
	Values map[string]any `json:"values"`

	// Delegated are zones that Linode does not have: there, aliases lead to where the proofs are.
	Delegated []string `json:"-"`
	// Label names the stack in the Linode account, which all stacks share; the label of the token begins with it.
	Label string `json:"-"`
}

// Issuers that can be asked for.
const (
	Production = "production"
	Staging    = "staging"
)

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{Issuer: Production}
}

// Trusted says whether browsers and Fastly trust the certificates.
func (a *Args) Trusted() bool { return a.Issuer == Production }

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Email(path.Child("email"), a.Email)
	return append(faults, check.OneOf(path.Child("issuer"), a.Issuer, Production, Staging)...)
}

// Request describes certificates in one namespace. Every domain and every host gets one of its own, so that a name
// that cannot be issued takes no other with it.
type Request struct {
	// Domains get a certificate for themselves and for every name right under them (*.domain).
	Domains []string
	// Hosts get a certificate for themselves only.
	Hosts []string
	// Namespace is where the certificates and their Secrets are: that of the Ingress that names them.
	Namespace pulumi.StringInput
	// Issuer is the name of the ClusterIssuer: Issuers.Name.
	Issuer pulumi.StringInput
}

// Cover has the request cover hosts, each by a certificate of its own. A wildcard has that of the name that it stands below.
func (r *Request) Cover(hosts []string) {
	for _, host := range hosts {
		below, isWildcard := strings.CutPrefix(host, "*.")
		switch {
		case !isWildcard:
			r.Hosts = append(r.Hosts, host)
		case !slices.Contains(r.Domains, below):
			r.Domains = append(r.Domains, below)
		}
	}
	r.Hosts = slices.DeleteFunc(r.Hosts, func(host string) bool { return slices.Contains(r.Domains, host) })
}

// Meets says whether one name is proven for both requests.
func (r *Request) Meets(other *Request) bool {
	names := sets.New(slices.Concat(r.Domains, r.Hosts)...)
	return names.HasAny(slices.Concat(other.Domains, other.Hosts)...)
}

// Validate returns every fault of the names, with its path.
func (r *Request) Validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if len(r.Domains)+len(r.Hosts) == 0 {
		faults = append(faults, field.Required(path.Child("domains"), "must name at least one domain or host"))
	}
	secrets := sets.New[string]()
	validate := func(path *field.Path, names []string) {
		for i, name := range names {
			faults = append(faults, check.Domain(path.Index(i), name)...)
			// a-b.com and a.b.com would share a Secret.
			if secrets.Has(SecretName(name)) {
				faults = append(faults, field.Duplicate(path.Index(i), name))
			}
			secrets.Insert(SecretName(name))
		}
	}
	validate(path.Child("domains"), r.Domains)
	validate(path.Child("hosts"), r.Hosts)
	return faults
}
