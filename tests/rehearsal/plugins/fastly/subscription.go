package fastly

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// TLSSubscription is a certificate that Fastly gets and renews.
// https://www.pulumi.com/registry/packages/fastly/api-docs/tlssubscription/
type TLSSubscription struct{}

// Annotate gives the resource its official token.
func (r *TLSSubscription) Annotate(a infer.Annotator) {
	a.SetToken("index/tlsSubscription", "TlsSubscription")
}

// TLSSubscriptionArgs is what a program declares of a subscription.
type TLSSubscriptionArgs struct {
	CertificateAuthority string   `pulumi:"certificateAuthority" provider:"replaceOnChanges"`
	CommonName           *string  `pulumi:"commonName,optional"`
	ConfigurationID      *string  `pulumi:"configurationId,optional"`
	Domains              []string `pulumi:"domains"`
	ForceDestroy         *bool    `pulumi:"forceDestroy,optional"`
	ForceUpdate          *bool    `pulumi:"forceUpdate,optional"`
}

// Annotate declares the official defaults.
func (s *TLSSubscriptionArgs) Annotate(a infer.Annotator) {
	a.SetDefault(&s.ForceDestroy, false)
	a.SetDefault(&s.ForceUpdate, false)
}

// TLSSubscriptionState is what the stack knows of a subscription.
type TLSSubscriptionState struct {
	TLSSubscriptionArgs
	CertificateID         string          `pulumi:"certificateId"`
	ManagedDNSChallenges  []DNSChallenge  `pulumi:"managedDnsChallenges"`
	ManagedHTTPChallenges []HTTPChallenge `pulumi:"managedHttpChallenges"`
	State                 string          `pulumi:"state"`
}

// DNSChallenge is an alias that proves a name.
type DNSChallenge struct {
	RecordName  *string `pulumi:"recordName,optional"`
	RecordType  *string `pulumi:"recordType,optional"`
	RecordValue *string `pulumi:"recordValue,optional"`
}

// Annotate gives the type its official token.
func (d *DNSChallenge) Annotate(a infer.Annotator) {
	a.SetToken("index/TlsSubscriptionManagedDnsChallenge", "TlsSubscriptionManagedDnsChallenge")
}

// HTTPChallenge are records that lead a name to Fastly, which proves it too.
type HTTPChallenge struct {
	RecordName   *string  `pulumi:"recordName,optional"`
	RecordType   *string  `pulumi:"recordType,optional"`
	RecordValues []string `pulumi:"recordValues,optional"`
}

// Annotate gives the type its official token.
func (d *HTTPChallenge) Annotate(a infer.Annotator) {
	a.SetToken("index/TlsSubscriptionManagedHttpChallenge", "TlsSubscriptionManagedHttpChallenge")
}

// Create orders the certificate.
func (TLSSubscription) Create(
	ctx context.Context, req infer.CreateRequest[TLSSubscriptionArgs],
) (infer.CreateResponse[TLSSubscriptionState], error) {
	if req.DryRun {
		return infer.CreateResponse[TLSSubscriptionState]{Output: TLSSubscriptionState{TLSSubscriptionArgs: req.Inputs}}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.CreateResponse[TLSSubscriptionState]{}, err
	}
	input := &fastly.CreateTLSSubscriptionInput{
		CertificateAuthority: req.Inputs.CertificateAuthority, Domains: tlsDomains(req.Inputs.Domains),
	}
	if id := value(req.Inputs.ConfigurationID); id != "" {
		input.Configuration = &fastly.TLSConfiguration{ID: id}
	}
	if name := value(req.Inputs.CommonName); name != "" {
		input.CommonName = &fastly.TLSDomain{ID: name}
	}
	made, err := client.CreateTLSSubscription(ctx, input)
	if err != nil {
		return infer.CreateResponse[TLSSubscriptionState]{}, fmt.Errorf("creating TLS subscription for domains %v: %w",
			req.Inputs.Domains, err)
	}
	state, err := readSubscription(ctx, client, made.ID, &req.Inputs)
	return infer.CreateResponse[TLSSubscriptionState]{ID: made.ID, Output: state}, err
}

func tlsDomains(names []string) []*fastly.TLSDomain {
	domains := make([]*fastly.TLSDomain, len(names))
	for i, name := range names {
		domains[i] = &fastly.TLSDomain{ID: name}
	}
	return domains
}

func readSubscription(
	ctx context.Context, client *fastly.Client, id string, declared *TLSSubscriptionArgs,
) (TLSSubscriptionState, error) {
	found, err := client.GetTLSSubscription(ctx, &fastly.GetTLSSubscriptionInput{
		ID: id, Include: fastly.ToPointer("tls_authorizations"),
	})
	if err != nil {
		return TLSSubscriptionState{}, fmt.Errorf("fetching TLS subscription %s: %w", id, err)
	}
	state := TLSSubscriptionState{
		TLSSubscriptionArgs: *declared, State: found.State,
		ManagedDNSChallenges: []DNSChallenge{}, ManagedHTTPChallenges: []HTTPChallenge{},
	}
	state.CertificateAuthority, state.Domains = found.CertificateAuthority, nil
	for _, domain := range found.Domains {
		state.Domains = append(state.Domains, domain.ID)
	}
	slices.Sort(state.Domains) // a set
	state.CommonName, state.ConfigurationID = &found.CommonName.ID, &found.Configuration.ID
	if len(found.Certificates) > 0 {
		state.CertificateID = found.Certificates[0].ID
	}
	for _, authorization := range found.Authorizations {
		for _, c := range authorization.Challenges {
			if c.Type == "managed-dns" {
				state.ManagedDNSChallenges = append(state.ManagedDNSChallenges,
					DNSChallenge{&c.RecordName, &c.RecordType, &c.Values[0]})
			} else {
				state.ManagedHTTPChallenges = append(state.ManagedHTTPChallenges,
					HTTPChallenge{&c.RecordName, &c.RecordType, slices.Sorted(slices.Values(c.Values))})
			}
		}
	}
	return state, nil
}

// Read looks at the subscription. What the program leaves to Fastly is no input.
func (TLSSubscription) Read(
	ctx context.Context, req infer.ReadRequest[TLSSubscriptionArgs, TLSSubscriptionState],
) (infer.ReadResponse[TLSSubscriptionArgs, TLSSubscriptionState], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.ReadResponse[TLSSubscriptionArgs, TLSSubscriptionState]{}, err
	}
	state, err := readSubscription(ctx, client, req.ID, &req.Inputs)
	if isMissing(err) {
		return infer.ReadResponse[TLSSubscriptionArgs, TLSSubscriptionState]{}, nil
	}
	if err != nil {
		return infer.ReadResponse[TLSSubscriptionArgs, TLSSubscriptionState]{}, err
	}
	args := state.TLSSubscriptionArgs
	if req.Inputs.CommonName == nil {
		args.CommonName = nil
	}
	if req.Inputs.ConfigurationID == nil {
		args.ConfigurationID = nil
	}
	return infer.ReadResponse[TLSSubscriptionArgs, TLSSubscriptionState]{ID: req.ID, Inputs: args, State: state}, nil
}

func isMissing(err error) bool {
	var failed *fastly.HTTPError
	return errors.As(err, &failed) && failed.StatusCode == http.StatusNotFound
}

// Update changes the names, or the configuration.
func (TLSSubscription) Update(
	ctx context.Context, req infer.UpdateRequest[TLSSubscriptionArgs, TLSSubscriptionState],
) (infer.UpdateResponse[TLSSubscriptionState], error) {
	state := req.State
	state.TLSSubscriptionArgs = req.Inputs
	if req.DryRun {
		return infer.UpdateResponse[TLSSubscriptionState]{Output: state}, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return infer.UpdateResponse[TLSSubscriptionState]{}, err
	}
	configuration := firstOf(value(req.Inputs.ConfigurationID), value(req.State.ConfigurationID))
	_, err = client.UpdateTLSSubscription(ctx, &fastly.UpdateTLSSubscriptionInput{
		ID: req.ID, Force: value(req.Inputs.ForceUpdate), Domains: tlsDomains(req.Inputs.Domains),
		CommonName:    &fastly.TLSDomain{ID: firstOf(value(req.Inputs.CommonName), value(req.State.CommonName))},
		Configuration: &fastly.TLSConfiguration{ID: configuration},
	})
	if err != nil {
		return infer.UpdateResponse[TLSSubscriptionState]{}, fmt.Errorf("updating TLS subscription %s: %w", req.ID, err)
	}
	state, err = readSubscription(ctx, client, req.ID, &req.Inputs)
	return infer.UpdateResponse[TLSSubscriptionState]{Output: state}, err
}

// Delete gives the certificate up.
func (TLSSubscription) Delete(
	ctx context.Context, req infer.DeleteRequest[TLSSubscriptionState],
) (infer.DeleteResponse, error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.DeleteResponse{}, err
	}
	err = client.DeleteTLSSubscription(ctx, &fastly.DeleteTLSSubscriptionInput{
		ID: req.ID, Force: value(req.State.ForceDestroy),
	})
	if err != nil {
		return infer.DeleteResponse{}, fmt.Errorf("deleting TLS subscription %s: %w", req.ID, err)
	}
	return infer.DeleteResponse{}, nil
}

// TLSSubscriptionValidation waits for the certificate of a subscription.
// https://www.pulumi.com/registry/packages/fastly/api-docs/tlssubscriptionvalidation/
type TLSSubscriptionValidation struct{}

// Annotate gives the resource its official token.
func (r *TLSSubscriptionValidation) Annotate(a infer.Annotator) {
	a.SetToken("index/tlsSubscriptionValidation", "TlsSubscriptionValidation")
}

// TLSSubscriptionValidationArgs is what a program declares of a wait.
type TLSSubscriptionValidationArgs struct {
	SubscriptionID string `pulumi:"subscriptionId" provider:"replaceOnChanges"`
}

// TLSSubscriptionValidationState is what the stack knows of a wait that is over.
type TLSSubscriptionValidationState struct {
	TLSSubscriptionValidationArgs
}

// How long the official provider waits, and how often it looks, which here has to be more often.
const (
	validationLimit = 45 * time.Minute
	validationPause = 250 * time.Millisecond
)

// Create waits.
func (TLSSubscriptionValidation) Create(
	ctx context.Context, req infer.CreateRequest[TLSSubscriptionValidationArgs],
) (infer.CreateResponse[TLSSubscriptionValidationState], error) {
	id := req.Inputs.SubscriptionID
	done := infer.CreateResponse[TLSSubscriptionValidationState]{
		ID: id, Output: TLSSubscriptionValidationState{req.Inputs},
	}
	if req.DryRun {
		return done, nil
	}
	client, err := connect(ctx)
	if err != nil {
		return done, err
	}
	limited, stop := context.WithTimeout(ctx, validationLimit)
	defer stop()
	for {
		found, err := client.GetTLSSubscription(ctx, &fastly.GetTLSSubscriptionInput{ID: id})
		if err != nil {
			return done, fmt.Errorf("fetching TLS subscription %s: %w", id, err)
		}
		if found.State == "issued" {
			return done, nil
		}
		select {
		case <-limited.Done():
			return done, fmt.Errorf("expected subscription state to be issued but it was %s", found.State)
		case <-time.After(validationPause):
		}
	}
}

// Read forgets a wait whose certificate is gone.
func (TLSSubscriptionValidation) Read(
	ctx context.Context, req infer.ReadRequest[TLSSubscriptionValidationArgs, TLSSubscriptionValidationState],
) (infer.ReadResponse[TLSSubscriptionValidationArgs, TLSSubscriptionValidationState], error) {
	gone := infer.ReadResponse[TLSSubscriptionValidationArgs, TLSSubscriptionValidationState]{}
	client, err := connect(ctx)
	if err != nil {
		return gone, err
	}
	found, err := client.GetTLSSubscription(ctx, &fastly.GetTLSSubscriptionInput{ID: req.ID})
	if isMissing(err) || err == nil && len(found.Certificates) == 0 {
		return gone, nil
	}
	if err != nil {
		return gone, fmt.Errorf("fetching TLS subscription %s: %w", req.ID, err)
	}
	args := TLSSubscriptionValidationArgs{SubscriptionID: req.ID}
	return infer.ReadResponse[TLSSubscriptionValidationArgs, TLSSubscriptionValidationState]{
		ID: req.ID, Inputs: args, State: TLSSubscriptionValidationState{args},
	}, nil
}
