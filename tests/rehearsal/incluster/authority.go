package incluster

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// authorityKey is the key of a certificate's Secret that holds what has signed it.
const authorityKey = "ca.crt"

// authority is what an issuer of the kind ca signs with.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// authority returns what an issuer signs with, nil where the certificates of one sign themselves.
func (c *cluster) authority(ctx context.Context, issuer *unstructured.Unstructured) (*authority, error) {
	name, signs, _ := unstructured.NestedString(issuer.Object, "spec", "ca", "secretName")
	if !signs {
		return nil, nil
	}
	secret, err := c.client.CoreV1().Secrets(issuer.GetNamespace()).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, errNotYet
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("signing with Secret %s: %w", name, err)
	}
	if !pair.Leaf.IsCA {
		return nil, fmt.Errorf("signing with Secret %s: certificate is not a CA", name)
	}
	return &authority{certificate: pair.Leaf, key: pair.PrivateKey.(crypto.Signer)}, nil
}

func encodeCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
