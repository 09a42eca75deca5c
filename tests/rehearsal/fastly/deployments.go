package fastly

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	cryptotls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Deployment is what Fastly's sites have of a service: its active version, and what has no version.
type Deployment struct {
	ServiceID string
	Name      string
	Version   int
	// Domains are the names that lead to the service, classic ones and those of domain management.
	Domains []string
	// Objects are those of the version, as the API answers them, by their path below the version. Dynamic snippets have their
	// content.
	Objects map[string][]map[string]any
	// Settings are those of the version.
	Settings map[string]any
	// Products are the IDs of those that are enabled.
	Products []string
	// Items are the entries of ACLs and the items of dictionaries, by the ID of what they are in.
	Items map[string][]map[string]any
}

// Deployments returns that of each service that has an active version. They are copies.
func (a *API) Deployments() ([]Deployment, error) {
	var content []byte
	var err error
	a.store.View(func(s *state) {
		var active []Deployment
		for _, svc := range s.Services {
			if v := svc.active(); v != nil && svc.DeletedAt == nil {
				active = append(active, s.deployment(svc, v))
			}
		}
		content, err = json.Marshal(active)
	})
	if err != nil {
		return nil, err
	}
	var copies []Deployment
	return copies, json.Unmarshal(content, &copies)
}

func (s *state) deployment(svc *service, v *version) Deployment {
	d := Deployment{
		ServiceID: svc.ID, Name: svc.Name, Version: v.Number, Settings: v.Settings[settingsPath],
		Objects: map[string][]map[string]any{}, Items: map[string][]map[string]any{},
	}
	for _, o := range v.Objects["domain"] {
		d.Domains = append(d.Domains, o.text("name"))
	}
	for _, managed := range s.Domains {
		if managed.ServiceID != nil && *managed.ServiceID == svc.ID {
			d.Domains = append(d.Domains, managed.FQDN)
		}
	}
	for path, objects := range v.Objects {
		for _, o := range objects {
			d.Objects[path] = append(d.Objects[path], svc.complete(path, o))
		}
	}
	for product := range svc.Products {
		d.Products = append(d.Products, product)
	}
	slices.Sort(d.Products)
	for owner, items := range svc.Collections {
		for _, o := range items {
			d.Items[owner] = append(d.Items[owner], o)
		}
	}
	return d
}

// complete returns an object with its content, which a dynamic snippet has elsewhere.
func (svc *service) complete(path string, o object) object {
	if path != "snippet" || o["dynamic"] != "1" {
		return o
	}
	completed := object{}
	for name, value := range o {
		completed[name] = value
	}
	completed["content"] = svc.DynamicSnippets[o.text("id")].text("content")
	return completed
}

// KeyPairs returns what domains are served with, by the domain, which may be a wildcard. It needs Options.KeepKeys.
func (a *API) KeyPairs() map[string]*cryptotls.Certificate {
	served := map[string]*cryptotls.Certificate{}
	a.store.View(func(s *state) {
		for _, activation := range s.TLS.Activations {
			if pair := s.TLS.keyPair(activation.Certificate); pair != nil {
				served[activation.Domain] = pair
			}
		}
	})
	return served
}

// keyPair is a certificate with its key, nil where one of them was not kept.
func (t *tlsState) keyPair(certificate string) *cryptotls.Certificate {
	c, err := t.certificate(certificate)
	if err != nil {
		return nil
	}
	key := c.Key
	for _, uploaded := range t.Keys {
		if uploaded.PublicKeySHA1 == c.PublicKeySHA1 {
			key = uploaded.PEM
		}
	}
	pair, err := cryptotls.X509KeyPair([]byte(c.PEM), []byte(key))
	if err != nil {
		return nil
	}
	return &pair
}

// sign makes a certificate that Fastly gets itself a real one. Its authority is nowhere on this computer: it signs itself.
func (c *tlsCertificate) sign(at time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(at.UnixNano()), Subject: pkix.Name{CommonName: c.IssuedTo}, DNSNames: c.Domains,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("signing a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content}))
	c.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return nil
}

// Accepts says whether a token opens the API.
func (a *API) Accepts(token string) bool { return token == a.token }

// OnChange has f called after each change of the state, before whoever made it gets his answer.
func (a *API) OnChange(f func()) { a.changed.Store(&f) }
