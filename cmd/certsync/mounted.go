package main

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mounted is a certificate that can be used, as cert-manager left it in a Secret.
type mounted struct {
	domain string
	leaf   *x509.Certificate
	names  []string // that it is valid for
	wanted []string // those that it has to be for
	chain  string   // PEM, the leaf first
	key    string   // PEM of PKCS#8, whatever it was: Fastly takes no other
	// publicKey is what Fastly knows the key by.
	publicKey string
}

// both are the names of a domain's certificate: itself, and all names right below it.
func both(domain string) []string { return []string{domain, "*." + domain} }

// served are those of a domain's names that a public name needs: Fastly activates no other, since they are on no service. A
// public name that is among the domains has a certificate of its own.
func served(domain string, domains, public []string) []string {
	if len(public) == 0 {
		return both(domain)
	}
	var needed []string
	if slices.Contains(public, domain) {
		needed = append(needed, domain)
	}
	if slices.ContainsFunc(public, func(name string) bool {
		_, parent, _ := strings.Cut(name, ".")
		return parent == domain && !slices.Contains(domains, name)
	}) {
		needed = append(needed, "*."+domain)
	}
	return needed
}

// folder is what was found in the folder of a domain: a certificate, or why it cannot be used.
type folder struct {
	domain      string
	path        string
	certificate *mounted
	err         error
}

type folders []folder

func (m folders) domains() []string {
	names := make([]string, len(m))
	for i, one := range m {
		names[i] = one.domain
	}
	return names
}

// refused tells of the certificates that cannot be used.
func (m folders) refused() error {
	errs := make([]error, len(m))
	for i, one := range m {
		errs[i] = one.err
	}
	return errors.Join(errs...)
}

const toMount = "mount one Secret per domain in it, or give another to --certificates"

// load reads the certificates of all domains, which some public names need. Kubernetes keeps files of its own beside them, with
// names that begin with a dot.
func load(dir string, public []string, log *slog.Logger) (folders, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("there is no folder %s to read: "+toMount, dir)
	}
	var found folders
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		about, err := os.Stat(path) // the folder behind a link, too
		if strings.HasPrefix(entry.Name(), ".") || err != nil || !about.IsDir() {
			continue
		}
		found = append(found, folder{domain: strings.ToLower(entry.Name()), path: path})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no certificate in %s: "+toMount, dir)
	}
	for i := range found {
		one := &found[i]
		one.certificate, one.err = read(one.domain, one.path, served(one.domain, found.domains(), public), time.Now())
		if one.err != nil {
			one.err = fmt.Errorf("%s: %w", one.domain, one.err)
			log.Error("cannot use the mounted certificate", "domain", one.domain, "because", one.err)
		} else {
			c := one.certificate
			log.Info("found a mounted certificate", "domain", c.domain, "names", strings.Join(c.names, ","),
				"from", day(c.leaf.NotBefore), "until", day(c.leaf.NotAfter), "serial", c.leaf.SerialNumber)
		}
	}
	return found, nil
}

// read reads and checks the certificate of one domain.
func read(domain, dir string, wanted []string, now time.Time) (*mounted, error) {
	chain, err := readFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		return nil, err
	}
	key, err := readFile(filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, err
	}
	m := &mounted{domain: domain, wanted: wanted}
	if err := m.readChain(chain); err != nil {
		return nil, err
	}
	if err := m.readKey(key); err != nil {
		return nil, err
	}
	if err := m.check(now); err != nil {
		return nil, err
	}
	return m, nil
}

func readFile(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no %s: see whether cert-manager has issued the certificate of that Secret", path)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read, so give the process the right to: %w", path, err)
	}
	return content, nil
}

const reissue = "have cert-manager issue it again (cmctl renew)"

// readChain takes the certificates, and nothing else, out of a PEM file.
func (m *mounted) readChain(content []byte) error {
	var chain strings.Builder
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return errors.New("tls.crt holds a certificate that cannot be understood: " + reissue)
		}
		if m.leaf == nil {
			m.leaf = certificate
		}
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
	if m.leaf == nil {
		return errors.New("tls.crt holds no certificate in PEM: " + reissue)
	}
	for _, name := range m.leaf.DNSNames {
		m.names = append(m.names, strings.ToLower(name))
	}
	m.chain = chain.String()
	return nil
}

// readKey takes a private key in any of the usual forms. Its errors say nothing of its content.
func (m *mounted) readKey(content []byte) error {
	block, _ := pem.Decode(content)
	for rest := content; block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY"); {
		block, rest = pem.Decode(rest) // parameters of an elliptic curve come first
	}
	if block == nil {
		return errors.New("tls.key holds no private key in PEM: " + reissue)
	}
	key, err := parseKey(block.Bytes)
	if err != nil {
		return errors.New("tls.key holds a private key that cannot be understood: " + reissue + ", with an RSA or ECDSA key")
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return errors.New("tls.key holds a kind of key that Fastly does not take: " + reissue + ", with an RSA or ECDSA key")
	}
	m.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(m.leaf.PublicKey) {
		return errors.New("tls.key is not the key of tls.crt: " + reissue)
	}
	m.publicKey, err = publicKeySHA1(m.leaf.PublicKey)
	return err
}

func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a key that signs")
	}
	return signer, nil
}

// publicKeySHA1 is how Fastly writes which key it has: the SHA-1 of the public key's PEM text, with the newline at its end.
// Fastly does not document that; it is what its answers hold that were recorded with go-fastly (fixtures/tls/create.yaml).
func publicKeySHA1(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", errors.New("tls.crt holds a kind of key that Fastly does not take: " + reissue + ", with an RSA or ECDSA key")
	}
	sum := sha1.Sum(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return hex.EncodeToString(sum[:]), nil
}

func (m *mounted) check(now time.Time) error {
	const why = "see `kubectl describe certificate` for why cert-manager has not renewed it"
	switch {
	case now.After(m.leaf.NotAfter):
		return fmt.Errorf("the mounted certificate expired on %s: %s", day(m.leaf.NotAfter), why)
	case now.Before(m.leaf.NotBefore):
		return fmt.Errorf("the mounted certificate is not valid before %s: wait until then", day(m.leaf.NotBefore))
	}
	for _, name := range m.wanted {
		if !slices.Contains(m.names, name) {
			return fmt.Errorf("the mounted certificate is for %s and not for %s: add it to dnsNames of the Certificate",
				strings.Join(m.names, ", "), name)
		}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }
