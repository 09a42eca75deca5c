package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"lke-platform/tests/rehearsal/simulation"
)

// identity is what a cluster keeps for life, so that a kubeconfig handed out once stays valid: its port, the
// administrator's token and the keys. It is one file, replaced in one step, so that a crash leaves no half of it.
type identity struct {
	Port              int    `json:"port"`
	Token             string `json:"token"`
	CA                string `json:"ca"`                // PEM, as all below
	Certificate       string `json:"certificate"`       // of the API server
	Key               string `json:"key"`               // of the API server
	ServiceAccountKey string `json:"serviceAccountKey"` // signs service account tokens
}

// loadIdentity returns the identity of the cluster whose data is in dir, issued anew for a new cluster. Where somebody else
// listens on the cluster's port, it gets another.
func loadIdentity(dir string) (identity, error) {
	var loaded identity
	store, err := simulation.OpenStore[identity](filepath.Join(dir, "identity.json"))
	if err != nil {
		return loaded, err
	}
	err = store.Update(func(i *identity) error {
		if i.CA == "" {
			if err := i.issue(); err != nil {
				return err
			}
		}
		if !portFree(i.Port) {
			if i.Port, err = freePort(); err != nil {
				return err
			}
		}
		loaded = *i
		return nil
	})
	return loaded, err
}

// portFree tells whether a program could listen on the port; no port, 0, is not free.
func portFree(port int) bool {
	if port == 0 {
		return false
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && listener.Close() == nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// issue makes the token, the keys and the certificates.
func (i *identity) issue() error {
	caKey, _, err := newKey()
	if err != nil {
		return err
	}
	serverKey, serverKeyPEM, err := newKey()
	if err != nil {
		return err
	}
	_, serviceAccountKeyPEM, err := newKey()
	if err != nil {
		return err
	}
	ca := certificate("lke-platform rehearsal", 1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	server := certificate("kube-apiserver", 2)
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 128, 0, 1)}
	if i.CA, err = sign(ca, ca, &caKey.PublicKey, caKey); err != nil {
		return err
	}
	if i.Certificate, err = sign(server, ca, &serverKey.PublicKey, caKey); err != nil {
		return err
	}
	i.Token, i.Key, i.ServiceAccountKey = rand.Text(), serverKeyPEM, serviceAccountKeyPEM
	return nil
}

func certificate(name string, serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
	}
}

func newKey() (*ecdsa.PrivateKey, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalECPrivateKey(key)
	return key, encode("EC PRIVATE KEY", der), err
}

func sign(subject, issuer *x509.Certificate, key *ecdsa.PublicKey, issuerKey *ecdsa.PrivateKey) (string, error) {
	der, err := x509.CreateCertificate(rand.Reader, subject, issuer, key, issuerKey)
	return encode("CERTIFICATE", der), err
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// kubeconfig returns the administrator's kubeconfig, its names and its token as in LKE's.
func (i *identity) kubeconfig(clusterID int) ([]byte, error) {
	name := fmt.Sprintf("lke%d", clusterID)
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{
		Server:                   fmt.Sprintf("https://127.0.0.1:%d", i.Port),
		CertificateAuthorityData: []byte(i.CA),
	}
	config.AuthInfos[name+"-admin"] = &api.AuthInfo{Token: i.Token}
	config.Contexts[name+"-ctx"] = &api.Context{Cluster: name, AuthInfo: name + "-admin", Namespace: "default"}
	config.CurrentContext = name + "-ctx"
	return clientcmd.Write(*config)
}

// write puts the files that the programs read into dir, new at every start: a crash may have left anything there.
func (i *identity) write(dir string, kubeconfig []byte, stages string) error {
	files := map[string]string{
		"ca.crt":              i.CA,
		"apiserver.crt":       i.Certificate,
		"apiserver.key":       i.Key,
		"service-account.key": i.ServiceAccountKey,
		"tokens.csv":          i.Token + ",lke-admin,lke-admin,system:masters\n",
		"kubeconfig.yaml":     string(kubeconfig),
		"kwok.yaml":           stages,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
