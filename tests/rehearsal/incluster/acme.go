package incluster

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/linode/linodego"
	"golang.org/x/crypto/acme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"lke-platform/tests/rehearsal/simulation"
)

// refusal is why an ACME server issues no certificate, in cert-manager's words.
type refusal struct{ state, reason string }

func (r *refusal) Error() string { return fmt.Sprintf("order is in %q state: %s", r.state, r.reason) }

// refused tells what a server refuses from what can be tried again at once.
func refused(what string, err error) error {
	var answer *acme.Error
	if errors.As(err, &answer) && answer.StatusCode/100 == 4 {
		return &refusal{"errored", fmt.Sprintf("Failed to %s Order: %v", what, err)}
	}
	return err
}

// account returns a client of the server that is asked in place of an issuer's, nil where none is. It has an account there.
func (c *cluster) account(ctx context.Context, issuer *unstructured.Unstructured) (*acme.Client, error) {
	named, _, _ := unstructured.NestedString(issuer.Object, "spec", "acme", "server")
	server := c.options.ACME[named]
	if server == nil {
		return nil, nil
	}
	c.letsEncrypt.mu.Lock()
	defer c.letsEncrypt.mu.Unlock()
	if known := c.letsEncrypt.accounts[server.Directory]; known != nil {
		return known, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	client := &acme.Client{Key: key, DirectoryURL: server.Directory, HTTPClient: server.Client}
	contact := &acme.Account{}
	if email, _, _ := unstructured.NestedString(issuer.Object, "spec", "acme", "email"); email != "" {
		contact.Contact = []string{"mailto:" + email}
	}
	if _, err := client.Register(ctx, contact, acme.AcceptTOS); err != nil {
		return nil, fmt.Errorf("registering the account of issuer %s: %w", issuer.GetName(), err)
	}
	if c.letsEncrypt.accounts == nil {
		c.letsEncrypt.accounts = map[string]*acme.Client{}
	}
	c.letsEncrypt.accounts[server.Directory] = client
	return client, nil
}

// orderFrom orders a certificate from a server, which says how its names are to be proven.
func (c *cluster) orderFrom(
	ctx context.Context, issuer *unstructured.Unstructured, wanted *certificate,
) (*order, error) {
	client, err := c.account(ctx, issuer)
	if err != nil {
		return nil, err
	}
	accepted, err := client.AuthorizeOrder(ctx, acme.DomainIDs(wanted.Spec.DNSNames...))
	if err != nil {
		return nil, refused("create", err)
	}
	placed := &order{client: client, finalize: accepted.FinalizeURL}
	for _, url := range accepted.AuthzURLs {
		authorization, err := client.GetAuthorization(ctx, url)
		if err != nil {
			return nil, err
		}
		one, err := c.challengeOf(ctx, issuer, client, authorization)
		if err != nil {
			return nil, err
		}
		placed.challenges = append(placed.challenges, one)
	}
	return placed, nil
}

// challengeOf is the one by which a name is proven through DNS.
func (c *cluster) challengeOf(
	ctx context.Context, issuer *unstructured.Unstructured, client *acme.Client, authorization *acme.Authorization,
) (*challenge, error) {
	name := authorization.Identifier.Value
	byDNS := slices.IndexFunc(authorization.Challenges, func(one *acme.Challenge) bool { return one.Type == "dns-01" })
	if byDNS < 0 {
		return nil, fmt.Errorf("the ACME server takes no proof by DNS of %s", name)
	}
	reply := authorization.Challenges[byDNS]
	text, err := client.DNS01ChallengeRecord(reply.Token)
	if err != nil {
		return nil, err
	}
	solver := solverOf(issuer, name)
	account, err := c.solversAccount(ctx, issuer, solver)
	if err != nil {
		return nil, err
	}
	return &challenge{
		record: proofPrefix + name, text: text, follows: followsAliases(solver), account: account,
		reply: reply, authorizes: authorization.URI,
	}, nil
}

// solversAccount is the Linode account, opened by the token that the solver reads: from the namespace of its issuer, or from that
// of cert-manager where the issuer is for all.
func (c *cluster) solversAccount(
	ctx context.Context, issuer *unstructured.Unstructured, solver map[string]any,
) (*linodego.Client, error) {
	reference, _, _ := unstructured.NestedStringMap(solver, "dns01", "webhook", "config", "apiKeySecretRef")
	namespace := issuer.GetNamespace()
	if namespace == "" {
		namespace = certManager
	}
	secret, err := c.client.CoreV1().Secrets(namespace).Get(ctx, reference["name"], metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the solver's token: %w", err)
	}
	account := linodego.NewClient(nil)
	account.SetBaseURL(c.options.LinodeURL)
	account.SetToken(string(secret.Data[reference["key"]]))
	return &account, nil
}

// show has the server look at a proof, with errNotYet until it has.
func (o *order) show(ctx context.Context, one *challenge) error {
	if o.client == nil {
		return nil
	}
	authorization, err := o.client.GetAuthorization(ctx, one.authorizes)
	if err != nil {
		return err
	}
	switch authorization.Status {
	case acme.StatusValid:
		return nil
	case acme.StatusInvalid:
		fault := &acme.AuthorizationError{Identifier: authorization.Identifier.Value}
		for _, tried := range authorization.Challenges {
			if tried.Error != nil {
				fault.Errors = append(fault.Errors, tried.Error)
			}
		}
		// cert-manager writes this into the Challenge, which nobody makes here.
		return &refusal{"invalid", fault.Error()}
	}
	waits := slices.ContainsFunc(authorization.Challenges, func(tried *acme.Challenge) bool {
		return tried.URI == one.reply.URI && tried.Status == acme.StatusPending
	})
	if waits { // an attempt before this one may have got there, and not heard so
		if _, err := o.client.Accept(ctx, one.reply); err != nil {
			return refused("complete", err)
		}
	}
	return errNotYet
}

// fetch has the server issue the certificate, all of whose names are proven.
func (o *order) fetch(ctx context.Context, wanted *certificate) (*issued, error) {
	key, encoded, err := wanted.newKey()
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: wanted.Spec.CommonName}, DNSNames: wanted.Spec.DNSNames,
	}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := o.client.CreateOrderCert(ctx, o.finalize, request, true)
	if err != nil {
		return nil, refused("finalize", err)
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, certificate := range chain {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}); err != nil {
			return nil, err
		}
	}
	return &issued{leaf: leaf, chain: text.Bytes(), key: encoded}, nil
}

// firstRetry and longestRetry are how long cert-manager waits after a failure until it tries again, twice as long each time.
// Upstream: https://cert-manager.io/docs/faq/acme/
const (
	firstRetry   = time.Hour
	longestRetry = 32 * time.Hour
)

// isHeldBack says whether a certificate that could not be had is not tried again yet. One that changed is, and one that somebody
// asks for.
func (w *certificate) isHeldBack(object *unstructured.Unstructured) bool {
	failed := w.Status.LastFailureTime
	if failed == nil || conditionOf(object, "Issuing")["reason"] != "Failed" {
		return false
	}
	pause := min(firstRetry<<max(w.Status.FailedIssuanceAttempts-1, 0), longestRetry)
	return time.Since(failed.Time) < pause/simulation.Haste
}

// noteRefusal says in the status of a certificate why it cannot be had. One that is there still stays.
func (c *cluster) noteRefusal(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured, wanted *certificate,
	why *refusal,
) error {
	order := fmt.Sprintf("%s-%d", wanted.Name, wanted.Status.Revision+1)
	issuing := holds(object, "Issuing", "Failed", fmt.Sprintf("The certificate request has failed to complete and will be "+
		"retried: Failed to wait for order resource %q to become ready: %s", order, why))
	ready := conditionOf(object, "Ready")
	if ready["status"] != "True" {
		ready = holds(object, "Ready", "DoesNotExist", "Issuing certificate as Secret does not exist")
		ready["status"] = "False"
		c.giveUp("%s: %w", wanted.Name, why)
	}
	issuing["status"] = "False"
	return c.patchStatus(ctx, resource, object, map[string]any{
		"conditions":      []any{ready, issuing},
		"lastFailureTime": timestamp(time.Now()), "failedIssuanceAttempts": wanted.Status.FailedIssuanceAttempts + 1,
	})
}
