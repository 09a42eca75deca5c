package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
)

// account is what Fastly has, as read at the beginning of an attempt and kept in step with what is done.
type account struct {
	keys         []*fastly.PrivateKey
	certificates []*fastly.CustomTLSCertificate
	activations  []*fastly.TLSActivation
}

// A page is asked for with the most items that Fastly gives, and is the last one when it has fewer than Fastly always gives.
const pageSize, smallestPage = 100, 20

// pages gathers what a list holds.
func pages[T any](list func(page int) ([]T, error)) (all []T, err error) {
	for page := 1; ; page++ {
		items, err := list(page)
		all = append(all, items...)
		if err != nil || len(items) < smallestPage {
			return all, explain(err, "read TLS objects", "see what it says")
		}
	}
}

func (s *session) read(ctx context.Context) (*account, error) {
	keys, err := s.keys(ctx, "")
	if err != nil {
		return nil, err
	}
	certificates, err := pages(func(page int) ([]*fastly.CustomTLSCertificate, error) {
		return s.api.ListCustomTLSCertificates(ctx, &fastly.ListCustomTLSCertificatesInput{PageNumber: page, PageSize: pageSize})
	})
	if err != nil {
		return nil, err
	}
	activations, err := pages(func(page int) ([]*fastly.TLSActivation, error) {
		return s.api.ListTLSActivations(ctx, &fastly.ListTLSActivationsInput{PageNumber: page, PageSize: pageSize})
	})
	if err != nil {
		return nil, err
	}
	return &account{keys, certificates, activations}, nil
}

// keys lists the account's keys; inUse "false" limits it to those that no certificate belongs to.
func (s *session) keys(ctx context.Context, inUse string) ([]*fastly.PrivateKey, error) {
	return pages(func(page int) ([]*fastly.PrivateKey, error) {
		return s.api.ListPrivateKeys(ctx, &fastly.ListPrivateKeysInput{FilterInUse: inUse, PageNumber: page, PageSize: pageSize})
	})
}

// findConfiguration returns the ID of the TLS configuration that domains are activated with.
func (s *session) findConfiguration(ctx context.Context) (string, error) {
	all, err := pages(func(page int) ([]*fastly.CustomTLSConfiguration, error) {
		input := &fastly.ListCustomTLSConfigurationsInput{PageNumber: page, PageSize: pageSize}
		return s.api.ListCustomTLSConfigurations(ctx, input)
	})
	if err != nil {
		return "", err
	}
	var known []string
	for _, one := range all {
		if one.ID == s.configuration || s.configuration == "" && one.Default {
			return one.ID, nil
		}
		known = append(known, fmt.Sprintf("%s (%s)", one.ID, one.Name))
	}
	if len(known) == 0 {
		known = []string{"none, so set TLS up once in Fastly's web interface, or have its support do it"}
	}
	asked := "TLS configuration " + s.configuration
	if s.configuration == "" {
		asked = "default TLS configuration"
	}
	return "", fmt.Errorf("the account has no %s: give one of these to --configuration: %s", asked, strings.Join(known, ", "))
}

// nameOf is the name of everything that is made for a domain. Neither part has a blank, so no two stacks share one.
func (s *session) nameOf(domain string) string { return s.stack + " " + domain }

// domainOf returns the domain that something was made for, if this stack made it.
func (s *session) domainOf(name string) (domain string, ours bool) {
	domain, ours = strings.CutPrefix(name, s.stack+" ")
	return domain, ours && domain != "" && !strings.Contains(domain, " ")
}

func (a *account) hasKey(publicKey string) bool {
	return slices.ContainsFunc(a.keys, func(k *fastly.PrivateKey) bool { return strings.EqualFold(k.PublicKeySHA1, publicKey) })
}

func (a *account) byID(id string) *fastly.CustomTLSCertificate {
	at := slices.IndexFunc(a.certificates, func(c *fastly.CustomTLSCertificate) bool { return c.ID == id })
	if at < 0 {
		return nil
	}
	return a.certificates[at]
}

// activationsOf returns the activations with a certificate.
func (a *account) activationsOf(certificate string) (found []*fastly.TLSActivation) {
	for _, one := range a.activations {
		if one.Certificate != nil && one.Certificate.ID == certificate {
			found = append(found, one)
		}
	}
	return found
}

// activation returns how a name is activated with a TLS configuration, nil when it is not.
func (a *account) activation(name, configuration string) *fastly.TLSActivation {
	for _, one := range a.activations {
		if one.Domain != nil && one.Domain.ID == name && one.Configuration != nil && one.Configuration.ID == configuration {
			return one
		}
	}
	return nil
}

// certificate returns the one of a name, nil when there is none. Of several, which two runs at once can make, all runs choose the
// same: the one that serves the most, then the first by ID, since a replacement makes a certificate new but keeps that.
func (a *account) certificate(name string) (best *fastly.CustomTLSCertificate) {
	for _, one := range a.certificates {
		if one.Name != name {
			continue
		}
		if best == nil {
			best = one
			continue
		}
		serves, most := len(a.activationsOf(one.ID)), len(a.activationsOf(best.ID))
		if serves > most || serves == most && one.ID < best.ID {
			best = one
		}
	}
	return best
}

// at is a time that Fastly may leave out.
func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// namesOf are the names that a certificate at Fastly is valid for.
func namesOf(c *fastly.CustomTLSCertificate) []string {
	names := make([]string, len(c.Domains))
	for i, one := range c.Domains {
		names[i] = strings.ToLower(one.ID)
	}
	return names
}
