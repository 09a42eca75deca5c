package fastly

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"time"
)

// tlsKey is what Fastly tells of a private key.
type tlsKey struct {
	// PEM is the key itself, only where an edge serves with it.
	PEM           string    `json:"pem,omitempty"`
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Type          string    `json:"type"`   // RSA or ECDSA
	Length        int       `json:"length"` // bits
	PublicKeySHA1 string    `json:"public_key_sha1"`
	CreatedAt     time.Time `json:"created_at"`
}

func (k *tlsKey) describe() *resource {
	return &resource{ID: k.ID, Type: "tls_private_key", Attributes: object{
		"name": optional(k.Name), "key_type": k.Type, "key_length": k.Length, "public_key_sha1": k.PublicKeySHA1,
		"created_at": stamp(k.CreatedAt), "replace": false,
	}}
}

func (t *tlsState) key(id string) (*tlsKey, error) {
	at := slices.IndexFunc(t.Keys, func(k *tlsKey) bool { return k.ID == id })
	if at < 0 {
		return nil, unknown("private key")
	}
	return t.Keys[at], nil
}

// hasKey says whether the private key of a public one was uploaded.
func (t *tlsState) hasKey(publicKeySHA1 string) bool {
	return slices.ContainsFunc(t.Keys, func(k *tlsKey) bool { return k.PublicKeySHA1 == publicKeySHA1 })
}

// uses says whether a certificate belongs to a key; that it is activated is not needed.
func (t *tlsState) uses(k *tlsKey) bool {
	return slices.ContainsFunc(t.Certificates, func(c *tlsCertificate) bool { return c.PublicKeySHA1 == k.PublicKeySHA1 })
}

func listKeys(s *state, r request) (any, error) {
	chosen, err := selectionOf(r, []string{"filter[in_use]"}, nil)
	if err != nil {
		return nil, err
	}
	if chosen.Has("filter[in_use]") && chosen.Get("filter[in_use]") != "false" {
		return nil, refused("Invalid parameter", "filter[in_use] can only be false")
	}
	var list []described
	for _, k := range newestFirst(s.TLS.Keys, func(k *tlsKey) time.Time { return k.CreatedAt }) {
		if !chosen.Has("filter[in_use]") || !s.TLS.uses(k) {
			list = append(list, described{resource: k.describe()})
		}
	}
	return pageOf(list, r)
}

func getKey(s *state, r request) (any, error) {
	k, err := s.TLS.key(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return found(k.describe()), nil
}

func createKey(s *state, r request) (any, error) {
	if r.account.Trial { // in words of its own: Fastly says no more than that it is for paid accounts
		return nil, refused(noKey, "certificates of one's own are for paid accounts")
	}
	text := r.attribute("key")
	if text == "" {
		return nil, absent("key")
	}
	k, err := readKey([]byte(text))
	if err != nil {
		return nil, refused(noKey, err.Error())
	}
	if s.TLS.hasKey(k.PublicKeySHA1) {
		return nil, refused(noKey, "public_key_sha1 has already been taken")
	}
	k.ID, k.Name, k.CreatedAt = newID(), r.attribute("name"), time.Now().UTC()
	if r.keepKeys {
		k.PEM = text
	}
	s.TLS.Keys = append(s.TLS.Keys, k)
	answer := k.describe()
	answer.Attributes["created_at"] = nil // as Fastly's answer to this request has it
	return created(answer), nil
}

func deleteKey(s *state, r request) (any, error) {
	k, err := s.TLS.key(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if s.TLS.uses(k) {
		return nil, refused(keyStays, "the key is matched to a certificate")
	}
	s.TLS.Keys = slices.DeleteFunc(s.TLS.Keys, func(one *tlsKey) bool { return one == k })
	return nil, nil
}

var errKeyFormat = errors.New("key must be an unencrypted private key in PEM and PKCS#8 (BEGIN PRIVATE KEY)")

// readKey takes what Fastly tells of it out of a private key, of which nothing else is kept. Its errors hold none of it.
func readKey(text []byte) (*tlsKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errKeyFormat
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errKeyFormat
	}
	k := &tlsKey{}
	var public crypto.PublicKey
	switch key := key.(type) {
	case *rsa.PrivateKey:
		k.Type, k.Length, public = "RSA", key.N.BitLen(), key.Public()
	case *ecdsa.PrivateKey:
		k.Type, k.Length, public = "ECDSA", key.Params().BitSize, key.Public()
	default:
		return nil, errors.New("key must be of type RSA or ECDSA")
	}
	if k.Type == "RSA" && k.Length != 2048 || k.Type == "ECDSA" && k.Length != 256 && k.Length != 384 {
		return nil, errors.New("key must have 2048 bits (RSA), or 256 or 384 (ECDSA)")
	}
	k.PublicKeySHA1, err = publicKeySHA1(public)
	return k, err
}

// publicKeySHA1 is what Fastly identifies a key by: the SHA-1 of the public key's PEM text, the newline at its end
// included. That is not documented; it is so in the answers that are recorded in go-fastly (fixtures/tls/create.yaml).
func publicKeySHA1(key crypto.PublicKey) (string, error) {
	content, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", errors.New("the kind of the public key is not known")
	}
	sum := sha1.Sum(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: content}))
	return hex.EncodeToString(sum[:]), nil
}
