package incluster

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
)

// certificate is what counts in a Certificate of cert-manager: https://cert-manager.io/docs/reference/api-docs/
type certificate struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName            string           `json:"secretName"`
		CommonName            string           `json:"commonName"`
		DNSNames              []string         `json:"dnsNames"`
		Duration              *metav1.Duration `json:"duration"`
		RenewBefore           *metav1.Duration `json:"renewBefore"`
		RenewBeforePercentage *int64           `json:"renewBeforePercentage"`
		IssuerRef             struct {
			Name string `json:"name"`
			Kind string `json:"kind"`
		} `json:"issuerRef"`
		IsCA       bool     `json:"isCA"`
		Usages     []string `json:"usages"`
		PrivateKey struct {
			Algorithm string `json:"algorithm"`
			Encoding  string `json:"encoding"`
			Size      int    `json:"size"`
		} `json:"privateKey"`
		SecretTemplate struct {
			Annotations map[string]string `json:"annotations"`
			Labels      map[string]string `json:"labels"`
		} `json:"secretTemplate"`
	} `json:"spec"`
	Status struct {
		Revision               int64        `json:"revision"`
		RenewalTime            *metav1.Time `json:"renewalTime"`
		LastFailureTime        *metav1.Time `json:"lastFailureTime"`
		FailedIssuanceAttempts int          `json:"failedIssuanceAttempts"`
	} `json:"status"`
}

// issued is a certificate that was issued, and what goes into its Secret.
type issued struct {
	leaf       *x509.Certificate
	chain, key []byte
	authority  *x509.Certificate // nil where it is in no Secret
}

// readyIssuer registers the account of an issuer, so to speak. One that signs by itself is ready when it has what it signs with.
func (c *cluster) readyIssuer(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	if object.GetDeletionTimestamp() != nil || conditionHolds(object, "Ready") {
		return nil
	}
	if isYoung(object) {
		return errNotYet
	}
	if _, err := c.account(ctx, object); err != nil {
		return err
	}
	reason, message := "ACMEAccountRegistered", "The ACME account was registered with the ACME server"
	if _, acme, _ := unstructured.NestedMap(object.Object, "spec", "acme"); !acme {
		if _, err := c.authority(ctx, object); err != nil {
			return err
		}
		reason, message = "IsReady", ""
	}
	return c.setStatus(ctx, resource, object, map[string]any{"conditions": []any{holds(object, "Ready", reason, message)}})
}

// issueCertificate issues a certificate when its issuer is ready and Linode has the zones that prove its names, and anew when it
// is to be renewed: in its time, or because somebody asks for it, as `cmctl renew` does by a condition.
func (c *cluster) issueCertificate(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	var wanted certificate
	if err := decode(object, &wanted); err != nil {
		return err
	}
	renewed := conditionHolds(object, "Issuing")
	if object.GetDeletionTimestamp() != nil || conditionHolds(object, "Ready") && !renewed && !wanted.isDue() {
		return nil
	}
	issuer, err := c.issuerOf(ctx, resource, &wanted)
	switch {
	case err != nil:
		return err
	case isYoung(object) || issuer == nil || !conditionHolds(issuer, "Ready") || wanted.isHeldBack(object):
		return errNotYet
	}
	kept, err := c.keptCertificate(ctx, &wanted)
	if err != nil {
		return err
	}
	if kept != nil && !renewed {
		return c.patchStatus(ctx, resource, object, wanted.status(object, kept))
	}
	got, err := c.obtain(ctx, issuer, &wanted)
	if why := new(refusal); errors.As(err, &why) {
		return c.noteRefusal(ctx, resource, object, &wanted, why)
	}
	if err != nil {
		return err
	}
	if err := c.keepCertificate(ctx, &wanted, got); err != nil {
		return err
	}
	status := wanted.status(object, got.leaf)
	status["revision"] = wanted.Status.Revision + 1
	return c.patchStatus(ctx, resource, object, status)
}

// obtain has a certificate issued, by who is asked in the issuer's place or else by what that signs with.
func (c *cluster) obtain(ctx context.Context, issuer *unstructured.Unstructured, wanted *certificate) (*issued, error) {
	if _, isACME, _ := unstructured.NestedString(issuer.Object, "spec", "acme", "server"); isACME {
		proven, err := c.prove(ctx, issuer, wanted)
		if err != nil {
			return nil, err
		}
		if proven.client != nil {
			return proven.fetch(ctx, wanted)
		}
	}
	signer, err := c.authority(ctx, issuer)
	if err != nil {
		return nil, err
	}
	return wanted.issue(signer)
}

// isDue says whether the certificate is to be renewed by now.
func (w *certificate) isDue() bool {
	return w.Status.RenewalTime != nil && time.Now().After(w.Status.RenewalTime.Time)
}

// patchStatus changes fields of a status; nil takes one away. Conditions are those that are given, and no others.
func (c *cluster) patchStatus(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured, status map[string]any,
) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = c.dynamic.Resource(resource).Namespace(object.GetNamespace()).Patch(ctx, object.GetName(), types.MergePatchType,
		patch, metav1.PatchOptions{FieldManager: fieldManager}, "status")
	if apierrors.IsNotFound(err) { // it went meanwhile
		return nil
	}
	return err
}

// status is that of a certificate that is there.
func (w *certificate) status(object *unstructured.Unstructured, leaf *x509.Certificate) map[string]any {
	return map[string]any{
		"conditions":  []any{holds(object, "Ready", "Ready", "Certificate is up to date and has not expired")},
		"notBefore":   timestamp(leaf.NotBefore),
		"notAfter":    timestamp(leaf.NotAfter),
		"renewalTime": timestamp(w.renewal(leaf)),
		// of a failure before it
		"lastFailureTime": nil, "failedIssuanceAttempts": nil,
	}
}

// keptCertificate returns the certificate that is in the Secret already, where it is what is wanted: nothing is issued then.
func (c *cluster) keptCertificate(ctx context.Context, wanted *certificate) (*x509.Certificate, error) {
	secret, err := c.client.CoreV1().Secrets(wanted.Namespace).Get(ctx, wanted.Spec.SecretName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, nil
	}
	kept, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || !sameNames(kept.DNSNames, wanted.Spec.DNSNames) || time.Now().After(wanted.renewal(kept)) ||
		secret.Annotations["cert-manager.io/issuer-name"] != wanted.Spec.IssuerRef.Name {
		return nil, nil
	}
	return kept, nil
}

// sameNames says whether two certificates are for the same names, in whatever order.
func sameNames(one, other []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(one)), slices.Sorted(slices.Values(other)))
}

// issuerOf returns the issuer of a certificate; nil where there is none.
func (c *cluster) issuerOf(
	ctx context.Context, certificates schema.GroupVersionResource, wanted *certificate,
) (*unstructured.Unstructured, error) {
	resource, namespace := certificates.GroupVersion().WithResource("issuers"), wanted.Namespace
	if wanted.Spec.IssuerRef.Kind == "ClusterIssuer" {
		resource, namespace = certificates.GroupVersion().WithResource("clusterissuers"), ""
	}
	issuer, err := c.dynamic.Resource(resource).Namespace(namespace).Get(ctx, wanted.Spec.IssuerRef.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return issuer, err
}

// keepCertificate writes the Secret of a certificate as cert-manager does.
func (c *cluster) keepCertificate(ctx context.Context, wanted *certificate, got *issued) error {
	annotations := map[string]string{
		"cert-manager.io/alt-names":        strings.Join(wanted.Spec.DNSNames, ","),
		"cert-manager.io/certificate-name": wanted.Name,
		"cert-manager.io/common-name":      got.leaf.Subject.CommonName,
		"cert-manager.io/issuer-group":     certificateGroup,
		"cert-manager.io/issuer-kind":      wanted.Spec.IssuerRef.Kind,
		"cert-manager.io/issuer-name":      wanted.Spec.IssuerRef.Name,
	}
	maps.Copy(annotations, wanted.Spec.SecretTemplate.Annotations)
	labels := map[string]string{"controller.cert-manager.io/fao": "true"}
	maps.Copy(labels, wanted.Spec.SecretTemplate.Labels)
	data := map[string][]byte{corev1.TLSCertKey: got.chain, corev1.TLSPrivateKeyKey: got.key}
	if got.authority != nil {
		data[authorityKey] = encodeCertificate(got.authority)
	}
	secret := corev1apply.Secret(wanted.Spec.SecretName, wanted.Namespace).
		WithAnnotations(annotations).WithLabels(labels).WithType(corev1.SecretTypeTLS).WithData(data)
	_, err := c.client.CoreV1().Secrets(wanted.Namespace).Apply(ctx, secret, apply)
	return err
}

// issue makes a key and a certificate, signed by an authority; where there is none, by itself.
func (w *certificate) issue(signer *authority) (*issued, error) {
	key, encoded, err := w.newKey()
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	duration := 90 * 24 * time.Hour // Let's Encrypt's, and cert-manager's default
	if w.Spec.Duration != nil {
		duration = w.Spec.Duration.Duration
	}
	now := time.Now().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: w.Spec.CommonName},
		DNSNames:     w.Spec.DNSNames,
		NotBefore:    now,
		NotAfter:     now.Add(duration),
		IsCA:         w.Spec.IsCA, BasicConstraintsValid: true,
	}
	template.KeyUsage, template.ExtKeyUsage = w.usages()
	got, parent, signingKey := &issued{key: encoded}, template, key
	if signer != nil {
		parent, signingKey, got.authority = signer.certificate, signer.key, signer.certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signingKey)
	if err != nil {
		return nil, err
	}
	if got.leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	got.chain = encodeCertificate(got.leaf)
	return got, nil
}

// usages are what the certificate is good for; Let's Encrypt's are for servers, whatever is asked for.
func (w *certificate) usages() (usage x509.KeyUsage, extended []x509.ExtKeyUsage) {
	if len(w.Spec.Usages) == 0 {
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, name := range w.Spec.Usages {
		switch name {
		case "digital signature":
			usage |= x509.KeyUsageDigitalSignature
		case "key encipherment":
			usage |= x509.KeyUsageKeyEncipherment
		case "cert sign":
			usage |= x509.KeyUsageCertSign
		case "client auth":
			extended = append(extended, x509.ExtKeyUsageClientAuth)
		case "server auth":
			extended = append(extended, x509.ExtKeyUsageServerAuth)
		}
	}
	if w.Spec.IsCA {
		usage |= x509.KeyUsageCertSign
	}
	return usage, extended
}

// newKey makes a private key of the kind asked for, by default RSA of 2048 bits in PKCS #1.
func (w *certificate) newKey() (key crypto.Signer, encoded []byte, err error) {
	asked := w.Spec.PrivateKey
	switch asked.Algorithm {
	case "ECDSA":
		curves := map[int]elliptic.Curve{0: elliptic.P256(), 256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521()}
		if curves[asked.Size] == nil {
			return nil, nil, fmt.Errorf("a key for ECDSA cannot have %d bits", asked.Size)
		}
		key, err = ecdsa.GenerateKey(curves[asked.Size], rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, cmp.Or(asked.Size, 2048))
	}
	if err != nil {
		return nil, nil, err
	}
	encoded, err = encodeKey(key, asked.Encoding)
	return key, encoded, err
}

// encodeKey encodes a key in PKCS #8, or in the older form of its algorithm, which is what PKCS1 means for cert-manager.
func encodeKey(key crypto.Signer, encoding string) ([]byte, error) {
	block := &pem.Block{Type: "PRIVATE KEY"}
	var err error
	switch older := key.(type) {
	case *rsa.PrivateKey:
		if encoding != "PKCS8" {
			block.Type, block.Bytes = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(older)
		}
	case *ecdsa.PrivateKey:
		if encoding != "PKCS8" {
			block.Type = "EC PRIVATE KEY"
			block.Bytes, err = x509.MarshalECPrivateKey(older)
		}
	}
	if block.Bytes == nil && err == nil {
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
	}
	return pem.EncodeToMemory(block), err
}

// renewal is when cert-manager would issue the certificate anew: by default when a third of its life is left.
func (w *certificate) renewal(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	before := life / 3
	switch {
	case w.Spec.RenewBefore != nil:
		before = w.Spec.RenewBefore.Duration
	case w.Spec.RenewBeforePercentage != nil:
		before = life * time.Duration(*w.Spec.RenewBeforePercentage) / 100
	}
	return leaf.NotAfter.Add(-before)
}
