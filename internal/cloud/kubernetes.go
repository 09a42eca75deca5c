package cloud

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"sigs.k8s.io/yaml"
)

// Kubernetes is the API of the cluster of a kubeconfig, which opens it with a token, as Linode's do.
func Kubernetes(kubeconfig string) (API, error) {
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server    string `json:"server"`
				Authority []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal([]byte(kubeconfig), &config); err != nil {
		return API{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 || config.Users[0].User.Token == "" {
		return API{}, errors.New("the kubeconfig is not one of Linode's: it has no token, or more than one cluster")
	}
	cluster, transport := config.Clusters[0].Cluster, http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(cluster.Authority)
	return API{
		URL: cluster.Server, Header: "Authorization", Token: "Bearer " + config.Users[0].User.Token,
		Client: &http.Client{Timeout: client.Timeout, Transport: transport},
	}, nil
}
