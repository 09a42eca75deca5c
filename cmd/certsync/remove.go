package main

import (
	"context"
	"slices"

	"github.com/fastly/go-fastly/v12/fastly"
)

// remove makes one attempt to take back what was made for the stack, or for some of its domains. What is gone already is as good.
func (s *session) remove(ctx context.Context, domains []string) error {
	have, err := s.read(ctx)
	if err != nil {
		return err
	}
	meant := func(name string) bool {
		domain, ours := s.domainOf(name)
		return ours && (len(domains) == 0 || slices.Contains(domains, domain))
	}
	for _, certificate := range have.certificates {
		if !meant(certificate.Name) {
			continue
		}
		for _, activation := range have.activationsOf(certificate.ID) {
			if err := s.deactivate(ctx, activation); err != nil {
				return err
			}
		}
		if err := s.deleteCertificate(ctx, certificate); err != nil {
			return err
		}
	}
	for _, key := range have.keys {
		if !meant(key.Name) {
			continue
		}
		if err := s.deleteKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) deactivate(ctx context.Context, a *fastly.TLSActivation) error {
	name := ""
	if a.Domain != nil {
		name = a.Domain.ID
	}
	err := s.api.DeleteTLSActivation(ctx, &fastly.DeleteTLSActivationInput{ID: a.ID})
	if err != nil && !isGone(err) {
		return explain(err, "take back the activation of "+name, "take it back in Fastly's web interface, and run this again")
	}
	s.changed("took back the activation", "name", name, "activation", a.ID)
	return nil
}

func (s *session) deleteCertificate(ctx context.Context, c *fastly.CustomTLSCertificate) error {
	err := s.api.DeleteCustomTLSCertificate(ctx, &fastly.DeleteCustomTLSCertificateInput{ID: c.ID})
	if err != nil && !isGone(err) {
		return explain(err, "delete the certificate "+c.Name+" ("+c.ID+")", "take back what still uses it, and run this again")
	}
	s.changed("deleted the certificate", "name", c.Name, "certificate", c.ID)
	return nil
}

func (s *session) deleteKey(ctx context.Context, k *fastly.PrivateKey) error {
	err := s.api.DeletePrivateKey(ctx, &fastly.DeletePrivateKeyInput{ID: k.ID})
	if err != nil && !isGone(err) {
		return explain(err, "delete the key "+k.Name+" ("+k.ID+")", "delete the certificate that uses it, and run this again")
	}
	s.changed("deleted the key", "name", k.Name, "key", k.ID)
	return nil
}
