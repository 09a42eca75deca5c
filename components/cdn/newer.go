package cdn

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newerPlugin asks for a plugin that is newer than the SDK. The SDK's own (8.14.0, Terraform provider 5.16.0) refuses a service
// without classic domains, asks for domain management where it no longer is, and takes a certificate that is being renewed for
// lost. This one (Terraform provider 9.x) does none of that; for what a service declares here both have the same properties.
func newerPlugin() pulumi.ResourceOption { return pulumi.Version("12.6.0") }

// domain is a name in Fastly's domain management, which the SDK has no type for.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/domain/
type domain struct {
	pulumi.CustomResourceState
}

type domainInputs struct {
	FQDN      pulumi.StringInput `pulumi:"fqdn"`
	ServiceID pulumi.StringInput `pulumi:"serviceId"`
}

type domainProperties struct {
	FQDN      string `pulumi:"fqdn"`
	ServiceID string `pulumi:"serviceId"`
}

func (domainInputs) ElementType() reflect.Type { return reflect.TypeFor[domainProperties]() }

func newDomain(ctx *pulumi.Context, name string, inputs domainInputs, opts ...pulumi.ResourceOption) (*domain, error) {
	d := &domain{}
	return d, ctx.RegisterResource("fastly:index/domain:Domain", name, inputs, d, append(opts, newerPlugin())...)
}

// subscription is a certificate that Fastly gets and renews.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/tlssubscription/
type subscription struct {
	pulumi.CustomResourceState

	// Challenges are records that prove to the authority whose the names are.
	Challenges pulumi.ArrayOutput `pulumi:"managedDnsChallenges"`
}

type subscriptionInputs struct {
	CertificateAuthority pulumi.StringInput      `pulumi:"certificateAuthority"`
	ConfigurationID      pulumi.StringPtrInput   `pulumi:"configurationId"`
	Domains              pulumi.StringArrayInput `pulumi:"domains"`
	ForceDestroy         pulumi.BoolInput        `pulumi:"forceDestroy"`
}

type subscriptionProperties struct {
	CertificateAuthority string   `pulumi:"certificateAuthority"`
	ConfigurationID      *string  `pulumi:"configurationId"`
	Domains              []string `pulumi:"domains"`
	ForceDestroy         bool     `pulumi:"forceDestroy"`
}

func (subscriptionInputs) ElementType() reflect.Type {
	return reflect.TypeFor[subscriptionProperties]()
}

func newSubscription(
	ctx *pulumi.Context, name string, inputs subscriptionInputs, opts ...pulumi.ResourceOption,
) (*subscription, error) {
	s := &subscription{}
	return s, ctx.RegisterResource("fastly:index/tlsSubscription:TlsSubscription", name, inputs, s,
		append(opts, newerPlugin())...)
}

// validation is there when the certificate of a subscription is.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/tlssubscriptionvalidation/
type validation struct {
	pulumi.CustomResourceState
}

type validationInputs struct {
	SubscriptionID pulumi.StringInput `pulumi:"subscriptionId"`
}

type validationProperties struct {
	SubscriptionID string `pulumi:"subscriptionId"`
}

func (validationInputs) ElementType() reflect.Type { return reflect.TypeFor[validationProperties]() }

func newValidation(
	ctx *pulumi.Context, name string, inputs validationInputs, opts ...pulumi.ResourceOption,
) (*validation, error) {
	v := &validation{}
	return v, ctx.RegisterResource("fastly:index/tlsSubscriptionValidation:TlsSubscriptionValidation", name, inputs, v,
		append(opts, newerPlugin())...)
}
