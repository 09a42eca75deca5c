//go:build linux

package live

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// equipment is what LKE installs in a cluster and pods cannot do without.
//
//go:embed coredns.yaml
var equipment []byte

// equipped are the programs in its images.
func (o Options) equipped() map[string]string {
	return map[string]string{"registry.k8s.io/coredns/coredns": filepath.Join(o.Bin, "coredns")}
}

// Equip implements kubernetes.Machines. What somebody changed is as LKE has it again.
func (m *Machines) Equip(ctx context.Context, kubeconfig []byte) error {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return err
	}
	cluster, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(equipment), len(equipment)); ; {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		_, err = cluster.Resource(resource).Namespace(object.GetNamespace()).
			Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "lke", Force: true})
		if err != nil {
			return fmt.Errorf("installing %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}
