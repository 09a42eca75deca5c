package cdn

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
)

// Subscriptions are certificates that Fastly gets, serves and renews itself, one for each name, so that a name that cannot be
// proven takes no other with it.
type Subscriptions struct {
	pulumi.ResourceState

	// Challenges are where the record _acme-challenge.<name> has to lead, as an alias (CNAME), by name.
	Challenges map[string]pulumi.StringOutput

	name     string
	children map[string]*subscription
}

// SubscriptionsArgs describes certificates that Fastly gets.
type SubscriptionsArgs struct {
	// Authority issues them.
	Authority string
	// Configuration is the ID of the TLS configuration at Fastly; "" for the account's default one.
	Configuration string
	// Names are on an active service already: Fastly proves no others.
	Names []string
}

// NewSubscriptions orders certificates.
func NewSubscriptions(
	ctx *pulumi.Context, name string, args *SubscriptionsArgs, opts ...pulumi.ResourceOption,
) (*Subscriptions, error) {
	s := &Subscriptions{
		name: name, Challenges: map[string]pulumi.StringOutput{}, children: map[string]*subscription{},
	}
	if err := ctx.RegisterComponentResource("lke-platform:cdn:Subscriptions", name, s, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	for _, host := range args.Names {
		inputs := subscriptionInputs{
			CertificateAuthority: pulumi.String(args.Authority), Domains: pulumi.StringArray{pulumi.String(host)},
			// The name leads elsewhere by then: its records go before.
			ForceDestroy: pulumi.Bool(true),
		}
		if args.Configuration != "" {
			inputs.ConfigurationID = pulumi.String(args.Configuration)
		}
		child, err := newSubscription(ctx, name+"-"+host, inputs, pulumi.Parent(s))
		if err != nil {
			return nil, fmt.Errorf("cdn: ordering the certificate of %s: %w", host, err)
		}
		s.children[host] = child
		s.Challenges[host] = child.Challenges.ApplyT(challengeTarget).(pulumi.StringOutput)
	}
	return s, component.Done(ctx, s, pulumi.Map{})
}

// challengeTarget is where the one record of a subscription with one name leads.
func challengeTarget(challenges []any) (string, error) {
	for _, one := range challenges {
		record, _ := one.(map[string]any)
		if target, isText := record["recordValue"].(string); isText {
			return target, nil
		}
	}
	return "", fmt.Errorf("cdn: Fastly names no record that proves the name: %v", challenges)
}

// Await returns what to wait for: behind it, Fastly serves each of some names with its certificate. The caller has it come after
// the records of Challenges.
func (s *Subscriptions) Await(
	ctx *pulumi.Context, names []string, opts ...pulumi.ResourceOption,
) ([]pulumi.Resource, error) {
	var ready []pulumi.Resource
	for _, host := range names {
		child := s.children[host]
		issued, err := newValidation(ctx, s.name+"-"+host, validationInputs{SubscriptionID: child.ID()},
			append(opts, pulumi.Parent(child))...)
		if err != nil {
			return nil, fmt.Errorf("cdn: waiting for the certificate of %s: %w", host, err)
		}
		ready = append(ready, issued)
	}
	return ready, nil
}
