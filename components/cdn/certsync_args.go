package cdn

import (
	"strings"

	"github.com/distribution/reference"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// TLS says whose certificates Fastly serves.
type TLS struct {
	// Mode is uploaded, for those that the cluster gets and certsync copies to Fastly, or managed, for those that Fastly gets
	// itself. Default uploaded.
	Mode string `json:"mode"`
	// Authority is who issues managed certificates: certainly, lets-encrypt or globalsign. Default certainly, Fastly's own.
	Authority string `json:"authority"`
	// Image is that of cmd/certsync, with a digest or a tag of its own. It has to exist before the first `pulumi up`.
	Image string `json:"image"`
	// Token is the name of the stack's secret that holds a Fastly token which may manage TLS. Default fastly-tls-token.
	Token string `json:"token"`
	// Configuration is the ID of the TLS configuration at Fastly that serves the domains. Default: the account's default one.
	// Upstream: https://www.fastly.com/documentation/reference/api/tls/custom-certs/configuration/
	Configuration string `json:"configuration"`
}

// Modes of TLS.
const (
	Uploaded = "uploaded"
	Managed  = "managed"
)

// Authorities that Fastly gets certificates from.
const (
	certainly   = "certainly"
	letsEncrypt = "lets-encrypt"
	globalSign  = "globalsign"
)

// TLSDefaults are the TLS arguments where nothing else is said.
func TLSDefaults() TLS { return TLS{Mode: Uploaded, Authority: certainly, Token: "fastly-tls-token"} }

// IsManaged says whether Fastly gets the certificates itself.
func (t *TLS) IsManaged() bool { return t.Mode == Managed }

// Validate returns every fault of what configuration can set, with its path.
func (t *TLS) Validate(path *field.Path) field.ErrorList {
	faults := check.OneOf(path.Child("mode"), t.Mode, Uploaded, Managed)
	faults = append(faults, check.OneOf(path.Child("authority"), t.Authority, certainly, letsEncrypt, globalSign)...)
	if !t.IsManaged() {
		faults = append(faults, validateImage(path.Child("image"), t.Image)...)
		faults = append(faults, check.SecretName(path.Child("token"), t.Token)...)
	}
	if strings.ContainsAny(t.Configuration, " \t\n/") {
		faults = append(faults, field.Invalid(path.Child("configuration"), t.Configuration,
			"must be the ID of a TLS configuration; leave it out for the account's default one"))
	}
	return faults
}

// validateImage refuses an image that can change under the same name: nothing would run the new one.
func validateImage(path *field.Path, image string) field.ErrorList {
	if image == "" {
		return field.ErrorList{field.Required(path, "must name the image of certsync")}
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return field.ErrorList{field.Invalid(path, image, err.Error())}
	}
	if _, pinned := named.(reference.Digested); pinned {
		return nil
	}
	if tagged, ok := named.(reference.Tagged); !ok || tagged.Tag() == "latest" {
		return field.ErrorList{field.Invalid(path, image, "must have a digest, or a tag other than latest")}
	}
	return nil
}

// SecretNames are the secrets of the stack that TLS uses.
func (t *TLS) SecretNames() []string {
	if t.IsManaged() {
		return nil
	}
	return []string{t.Token}
}

// CertificateSyncArgs describes what copies certificates to Fastly.
type CertificateSyncArgs struct {
	TLS
	// Stack marks all that is made at Fastly as this stack's. It is unique in the Fastly account.
	Stack string
	// Namespace is where it runs, and where the Secrets of Certificates are.
	Namespace pulumi.StringInput
	// Certificates are the names of the Secrets that hold certificates and keys, by domain or host. That of a domain is
	// valid for the domain and for all names right below it, that of a host for the host.
	Certificates pulumi.StringMap
	// Names are the public names that are served: of a certificate, what none of them needs is not activated.
	Names []string
	// ServiceIDs are those of the Fastly services with Names: a name can be activated only when an active service has it.
	ServiceIDs pulumi.StringArray
	// Bypassed says that no name leads to Fastly, so that nothing may wait for it: it may be down. The runs on a schedule go on,
	// and once it is over, one is waited for again.
	Bypassed bool
	// TokenValue is the value of the stack's secret TLS.Token.
	TokenValue pulumi.StringInput
}

// checkInputs refuses what the caller has not given.
func (a *CertificateSyncArgs) checkInputs() field.ErrorList {
	var faults field.ErrorList
	for name, missing := range map[string]bool{
		"stack":        a.Stack == "",
		"namespace":    a.Namespace == nil,
		"certificates": len(a.Certificates) == 0,
		"names":        len(a.Names) == 0,
		"serviceIDs":   len(a.ServiceIDs) == 0,
		"tokenValue":   a.TokenValue == nil,
	} {
		if missing {
			faults = append(faults, field.Required(field.NewPath(name), "must be given"))
		}
	}
	return faults
}
