// Package live asks the API server of a cluster for what no resource of the graph holds.
package live

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// answerTime is how long the API server has for an answer.
const answerTime = 30 * time.Second

// Secrets is the resource that Secrets are.
var Secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// Connect returns a client of the cluster of a kubeconfig.
func Connect(kubeconfig string) (dynamic.Interface, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(kubeconfig))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.Timeout = answerTime
	config.QPS = -1 // whoever empties nodes asks for each pod; the API server has limits of its own
	return dynamic.NewForConfig(config)
}

// Secret returns what a Secret of the cluster of a kubeconfig holds, by key.
func Secret(ctx context.Context, kubeconfig, namespace, name string) (map[string]string, error) {
	client, err := Connect(kubeconfig)
	if err != nil {
		return nil, err
	}
	secret, err := client.Resource(Secrets).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	encoded, _, err := unstructured.NestedStringMap(secret.Object, "data")
	if err != nil {
		return nil, err
	}
	held := map[string]string{}
	for key, value := range encoded {
		decoded, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, fmt.Errorf("decoding %s: %w", key, err)
		}
		held[key] = string(decoded)
	}
	return held, nil
}
