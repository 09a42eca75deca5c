package fastly

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tlsCertificate is a certificate with whose private key Fastly can serve.
type tlsCertificate struct {
	ID                 string    `json:"id"`
	Name               string    `json:"name"`
	Domains            []string  `json:"domains"` // the SANs
	IssuedTo           string    `json:"issued_to"`
	Issuer             string    `json:"issuer"`
	NotBefore          time.Time `json:"not_before"`
	NotAfter           time.Time `json:"not_after"`
	SerialNumber       string    `json:"serial_number"`
	SignatureAlgorithm string    `json:"signature_algorithm"`
	PublicKeySHA1      string    `json:"public_key_sha1"`
	CreatedAt          time.Time `json:"created_at"` // of what is there now: a replacement sets it anew
	UpdatedAt          time.Time `json:"updated_at"`
	// PEM is the chain, and Key the private key where no client uploaded it.
	PEM string `json:"pem,omitempty"`
	Key string `json:"key,omitempty"`
}

func (c *tlsCertificate) describe() *resource {
	return &resource{
		ID: c.ID, Type: "tls_certificate", Attributes: object{
			"name": c.Name, "issued_to": c.IssuedTo, "issuer": c.Issuer, "serial_number": c.SerialNumber,
			"signature_algorithm": c.SignatureAlgorithm, "not_before": stamp(c.NotBefore), "not_after": stamp(c.NotAfter),
			"created_at": stamp(c.CreatedAt), "updated_at": stamp(c.UpdatedAt), "replace": false,
		},
		Relationships: map[string]relationship{"tls_domains": toMany("tls_domain", c.Domains)},
	}
}

func (t *tlsState) certificate(id string) (*tlsCertificate, error) {
	at := slices.IndexFunc(t.Certificates, func(c *tlsCertificate) bool { return c.ID == id })
	if at < 0 {
		return nil, unknown("certificate")
	}
	return t.Certificates[at], nil
}

func listCertificates(s *state, r request) (any, error) {
	chosen, err := selectionOf(r, []string{
		"filter[in_use]", "filter[not_after]", "filter[not_after][lte]", "filter[tls_domains.id]", "sort",
	}, []string{"tls_activations"})
	if err != nil {
		return nil, err
	}
	until, err := chosen.until()
	if err != nil {
		return nil, err
	}
	sorted, err := sortedCertificates(s.TLS.Certificates, chosen.Get("sort"))
	if err != nil {
		return nil, err
	}
	var list []described
	for _, c := range sorted {
		activations := s.TLS.activationsWith(c.ID)
		inUse := strconv.FormatBool(len(activations) > 0)
		if !chosen.passes("filter[in_use]", inUse) || !chosen.passes("filter[tls_domains.id]", c.Domains...) ||
			!until.IsZero() && c.NotAfter.After(until) {
			continue
		}
		one := described{resource: c.describe()}
		if chosen.includes("tls_activations") {
			one.Relationships["tls_activations"] = toMany("tls_activation", idsOf(activations))
			for _, a := range activations {
				one.included = append(one.included, a.describe())
			}
		}
		list = append(list, one)
	}
	return pageOf(list, r)
}

// until returns the end that a filter sets to what certificates may be valid until, none when there is no such filter.
func (s selection) until() (time.Time, error) {
	text := s.Get("filter[not_after][lte]") + s.Get("filter[not_after]") // one of the two; go-fastly sends the latter
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, refused("Invalid parameter", "filter[not_after] must be a date")
}

func sortedCertificates(list []*tlsCertificate, by string) ([]*tlsCertificate, error) {
	field, descending := strings.CutPrefix(by, "-")
	var at func(*tlsCertificate) time.Time
	switch field {
	case "":
		return newestFirst(list, func(c *tlsCertificate) time.Time { return c.CreatedAt }), nil
	case "created_at":
		at = func(c *tlsCertificate) time.Time { return c.CreatedAt }
	case "not_before":
		at = func(c *tlsCertificate) time.Time { return c.NotBefore }
	case "not_after":
		at = func(c *tlsCertificate) time.Time { return c.NotAfter }
	default:
		return nil, refused("Invalid parameter", "sort cannot be "+by)
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *tlsCertificate) int { return at(a).Compare(at(b)) })
	if descending {
		slices.Reverse(sorted)
	}
	return sorted, nil
}

func getCertificate(s *state, r request) (any, error) {
	c, err := s.TLS.certificate(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return found(c.describe()), nil
}

func createCertificate(s *state, r request) (any, error) {
	text := r.attribute("cert_blob")
	if text == "" {
		return nil, absent("cert_blob")
	}
	c, err := s.TLS.readCertificate(text, time.Now().UTC())
	if err != nil {
		return nil, refused(noCertificate, err.Error())
	}
	c.ID, c.Name = newID(), r.attribute("name")
	if c.Name == "" {
		c.Name = c.IssuedTo
	}
	s.TLS.Certificates = append(s.TLS.Certificates, c)
	return created(c.describe()), nil
}

// updateCertificate replaces a certificate, renames it, or both. What is activated with it stays so.
func updateCertificate(s *state, r request) (any, error) {
	c, err := s.TLS.certificate(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	text, name := r.attribute("cert_blob"), r.attribute("name")
	if text == "" && name == "" {
		return nil, absent("cert_blob")
	}
	changed := *c
	if text != "" {
		next, err := s.TLS.readCertificate(text, time.Now().UTC())
		if err != nil {
			return nil, refused(certificateAsItWas, err.Error())
		}
		for _, domain := range c.Domains {
			if !slices.Contains(next.Domains, domain) {
				return nil, refused(certificateAsItWas, "must contain all SAN entries of the current certificate, lacks "+domain)
			}
		}
		next.ID, next.Name = c.ID, c.Name
		changed = *next
	}
	if name != "" {
		changed.Name = name
	}
	changed.UpdatedAt = time.Now().UTC()
	*c = changed
	return found(c.describe()), nil
}

func deleteCertificate(s *state, r request) (any, error) {
	c, err := s.TLS.certificate(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if len(s.TLS.activationsWith(c.ID)) > 0 {
		return nil, refused(certificateStays, "the certificate is enabled for a domain")
	}
	s.TLS.Certificates = slices.DeleteFunc(s.TLS.Certificates, func(one *tlsCertificate) bool { return one == c })
	return nil, nil
}

// readCertificate reads a chain, the leaf first. It must be of an uploaded key and valid now, or one day; who issued it
// is not checked, as Fastly takes self-signed ones too.
func (t *tlsState) readCertificate(text string, now time.Time) (*tlsCertificate, error) {
	leaf, err := readChain([]byte(text))
	if err != nil {
		return nil, err
	}
	key, err := publicKeySHA1(leaf.PublicKey)
	switch {
	case err != nil:
		return nil, err
	case len(leaf.DNSNames) == 0:
		return nil, errors.New("need at least one DNS name, got none") // on record, terraform-provider-fastly issue 994
	case now.After(leaf.NotAfter):
		return nil, errors.New("certificate expired at " + stamp(leaf.NotAfter))
	case !t.hasKey(key):
		return nil, errors.New("no private key matches the certificate")
	}
	c := &tlsCertificate{
		IssuedTo: leaf.Subject.CommonName, Issuer: leaf.Issuer.CommonName, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		SerialNumber: leaf.SerialNumber.String(), SignatureAlgorithm: leaf.SignatureAlgorithm.String(), PublicKeySHA1: key,
		CreatedAt: now, UpdatedAt: now, PEM: text,
	}
	for _, name := range leaf.DNSNames {
		c.Domains = append(c.Domains, strings.ToLower(name))
	}
	if c.IssuedTo == "" {
		c.IssuedTo = c.Domains[0]
	}
	return c, nil
}

var errCertificateFormat = errors.New("cert_blob must be certificates in PEM, and nothing else")

// readChain returns the first of the certificates in a text that holds nothing else.
func readChain(text []byte) (leaf *x509.Certificate, err error) {
	for rest := text; len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errCertificateFormat
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errCertificateFormat
		}
		if leaf == nil {
			leaf = certificate
		}
	}
	if leaf == nil {
		return nil, errCertificateFormat
	}
	return leaf, nil
}
