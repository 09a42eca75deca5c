package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fastly/go-fastly/v12/fastly"
)

// sync makes one attempt to bring Fastly in step with the certificates that can be used.
func (s *session) sync(ctx context.Context, m folders) error {
	have, err := s.read(ctx)
	if err != nil {
		return err
	}
	configuration, err := s.findConfiguration(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range m {
		if one.certificate == nil {
			continue
		}
		if err := s.domain(ctx, have, one.certificate, configuration); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", one.domain, err))
			if !goesOn(ctx, err) {
				return errors.Join(errs...)
			}
		}
	}
	return errors.Join(append(errs, s.prune(ctx, have, m))...)
}

// domain brings one domain in step: its certificate, then where that is served.
func (s *session) domain(ctx context.Context, have *account, m *mounted, configuration string) error {
	serving, err := s.ensure(ctx, have, m)
	if serving == nil {
		return err
	}
	errs := []error{err}
	for _, name := range m.wanted {
		if err := s.activate(ctx, have, name, serving, configuration); err != nil {
			errs = append(errs, err)
			if !goesOn(ctx, err) {
				return errors.Join(errs...)
			}
		}
	}
	return errors.Join(errs...)
}

// ensure returns what Fastly has for a domain, once it is what is mounted. Where it cannot be made so, what is there goes on
// serving, and is returned with the error.
func (s *session) ensure(ctx context.Context, have *account, m *mounted) (*fastly.CustomTLSCertificate, error) {
	there := have.certificate(s.nameOf(m.domain))
	if there == nil {
		return s.create(ctx, have, m)
	}
	about := []any{"domain", m.domain, "certificate", there.ID, "until", day(at(there.NotAfter)), "serial", there.SerialNumber}
	switch lost := missing(namesOf(there), m.names); {
	case there.SerialNumber == m.leaf.SerialNumber.String() && at(there.NotAfter).Equal(m.leaf.NotAfter):
		s.log.Info("Fastly has this certificate", about...)
		return there, s.upload(ctx, have, m) // which does something only if the key is lost
	case newer(there, m):
		s.log.Info("Fastly has a newer certificate, which stays", about...)
		return there, nil
	case len(lost) > 0:
		return there, fmt.Errorf("the mounted certificate lacks %s, which Fastly's has, so that it cannot replace it: "+
			"add that to dnsNames of the Certificate, or `certsync remove %s` and sync again", strings.Join(lost, ", "), m.domain)
	}
	s.log.Info("Fastly has an older certificate", about...)
	return s.replace(ctx, have, m, there)
}

// newer says whether another run, which saw a renewed Secret, was here before.
func newer(there *fastly.CustomTLSCertificate, m *mounted) bool {
	return at(there.NotBefore).After(m.leaf.NotBefore) && !at(there.NotAfter).Before(m.leaf.NotAfter) &&
		len(missing(m.wanted, namesOf(there))) == 0
}

// missing returns what of some names is not among others.
func missing(names, among []string) (lost []string) {
	for _, name := range names {
		if !slices.Contains(among, name) {
			lost = append(lost, name)
		}
	}
	return lost
}

// upload gives Fastly a key that it does not have.
func (s *session) upload(ctx context.Context, have *account, m *mounted) error {
	if have.hasKey(m.publicKey) {
		return nil
	}
	key, err := s.api.CreatePrivateKey(ctx, &fastly.CreatePrivateKeyInput{Key: m.key, Name: s.nameOf(m.domain)})
	if err != nil {
		return explain(err, "take the key", "give the Certificate an RSA key of 2048 bits or an ECDSA key "+
			"of 256; if the account is a trial, "+ofFastlys)
	}
	have.keys = append(have.keys, key)
	s.changed("uploaded the key", "domain", m.domain, "key", key.ID, "publicKeySHA1", m.publicKey)
	return nil
}

const untrusted = "let an issuer sign it that browsers trust (Let's Encrypt's staging is none)"

func (s *session) create(ctx context.Context, have *account, m *mounted) (*fastly.CustomTLSCertificate, error) {
	if err := s.upload(ctx, have, m); err != nil {
		return nil, err
	}
	made, err := s.api.CreateCustomTLSCertificate(ctx, &fastly.CreateCustomTLSCertificateInput{
		CertBlob: m.chain, Name: s.nameOf(m.domain)})
	if err != nil {
		return nil, explain(err, "take the certificate", untrusted)
	}
	have.certificates = append(have.certificates, made)
	s.changed("created the certificate", "domain", m.domain, "certificate", made.ID, "until", day(m.leaf.NotAfter))
	return made, nil
}

// replace changes a certificate in place, so that it goes on being served without a gap.
func (s *session) replace(
	ctx context.Context, have *account, m *mounted, there *fastly.CustomTLSCertificate,
) (*fastly.CustomTLSCertificate, error) {
	if err := s.upload(ctx, have, m); err != nil {
		return nil, err
	}
	made, err := s.api.UpdateCustomTLSCertificate(ctx, &fastly.UpdateCustomTLSCertificateInput{
		ID: there.ID, CertBlob: m.chain, Name: s.nameOf(m.domain)})
	if err != nil {
		return nil, explain(err, "replace the certificate", untrusted)
	}
	have.certificates[slices.Index(have.certificates, there)] = made
	s.changed("replaced the certificate", "domain", m.domain, "certificate", made.ID, "until", day(m.leaf.NotAfter))
	return made, nil
}

// activate has Fastly serve a certificate for a name. An activation with another certificate of this stack is moved, without a
// gap; one with somebody else's is left alone.
func (s *session) activate(
	ctx context.Context, have *account, name string, serving *fastly.CustomTLSCertificate, configuration string,
) error {
	const next = "the name must be on an active Fastly service of this account, and on no TLS subscription"
	there := have.activation(name, configuration)
	if there == nil {
		made, err := s.api.CreateTLSActivation(ctx, &fastly.CreateTLSActivationInput{
			Certificate:   &fastly.CustomTLSCertificate{ID: serving.ID},
			Configuration: &fastly.TLSConfiguration{ID: configuration},
			Domain:        &fastly.TLSDomain{ID: name},
		})
		if err != nil {
			return explain(err, "activate "+name, next)
		}
		made.Certificate, made.Configuration, made.Domain =
			serving, &fastly.TLSConfiguration{ID: configuration}, &fastly.TLSDomain{ID: name}
		have.activations = append(have.activations, made)
		s.changed("activated", "name", name, "certificate", serving.ID, "configuration", configuration, "activation", made.ID)
		return nil
	}
	if there.Certificate != nil && there.Certificate.ID == serving.ID {
		return nil
	}
	if err := s.mayMove(have, there, name, serving); err != nil {
		return err
	}
	_, err := s.api.UpdateTLSActivation(ctx, &fastly.UpdateTLSActivationInput{
		ID: there.ID, Certificate: &fastly.CustomTLSCertificate{ID: serving.ID}})
	if err != nil {
		return explain(err, "activate "+name, next)
	}
	there.Certificate = serving
	s.changed("moved the activation", "name", name, "certificate", serving.ID, "activation", there.ID)
	return nil
}

func (s *session) mayMove(have *account, a *fastly.TLSActivation, name string, to *fastly.CustomTLSCertificate) error {
	var other *fastly.CustomTLSCertificate
	if a.Certificate != nil {
		other = have.byID(a.Certificate.ID)
	}
	if other == nil {
		return &busy{why: name + " is activated with a certificate that was not there a moment ago"}
	}
	if _, ours := s.domainOf(other.Name); !ours {
		return fmt.Errorf("%s is activated with the certificate %q (%s), which this stack did not make: "+
			"rename that to %q, for certsync to take it over without a gap", name, other.Name, other.ID, to.Name)
	}
	return nil
}

// prune deletes what this stack made and nothing uses any more. It never touches what is activated, or does not carry its name.
func (s *session) prune(ctx context.Context, have *account, m folders) error {
	for _, one := range slices.Clone(have.certificates) {
		domain, ours := s.domainOf(one.Name)
		if !ours {
			continue
		}
		isMounted := slices.Contains(m.domains(), domain)
		activated := len(have.activationsOf(one.ID))
		switch {
		case activated == 0 && (!isMounted || have.certificate(one.Name) != one):
			if err := s.deleteCertificate(ctx, one); err != nil {
				return err
			}
		case activated > 0 && !isMounted:
			s.log.Warn("still activated, though nothing is mounted for it: `certsync remove "+domain+"` takes it back",
				"domain", domain, "certificate", one.ID, "until", day(at(one.NotAfter)))
		}
	}
	unused, err := s.keys(ctx, "false")
	if err != nil {
		return err
	}
	for _, key := range unused {
		_, ours := s.domainOf(key.Name)
		if ours && !m.hasKey(key.PublicKeySHA1) {
			if err := s.deleteKey(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m folders) hasKey(publicKey string) bool {
	return slices.ContainsFunc(m, func(one folder) bool {
		return one.certificate != nil && strings.EqualFold(one.certificate.publicKey, publicKey)
	})
}
