package mend

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"lke-platform/components/internal/live"
)

const (
	deployed    = "{apiVersion: v1, kind: Secret, metadata: {namespace: edge, name: v1, labels: {owner: helm, name: traefik, status: deployed}}}"
	upgrading   = "{apiVersion: v1, kind: Secret, metadata: {namespace: edge, name: v2, labels: {owner: helm, name: traefik, status: pending-upgrade}}}"
	another     = "{apiVersion: v1, kind: Secret, metadata: {namespace: edge, name: v3, labels: {owner: helm, name: other, status: pending-install}}}"
	elsewhere   = "{apiVersion: v1, kind: Secret, metadata: {namespace: mail, name: v1, labels: {owner: helm, name: traefik, status: pending-install}}}"
	credentials = "{apiVersion: v1, kind: Secret, metadata: {namespace: edge, name: key, labels: {name: traefik}}}"
)

func TestOnlyWhatCutsAReleaseOffIsForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		known bool
		left  []string
	}{
		"a release of the state loses what is under way":     {true, []string{"edge/key", "edge/v1", "edge/v3", "mail/v1"}},
		"a release that no state knows is made from scratch": {false, []string{"edge/key", "edge/v3", "mail/v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var held []runtime.Object
			for _, text := range []string{deployed, upgrading, another, elsewhere, credentials} {
				object := &unstructured.Unstructured{}
				require.NoError(t, yaml.Unmarshal([]byte(text), &object.Object))
				held = append(held, object)
			}
			client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
				map[schema.GroupVersionResource]string{live.Secrets: "SecretList"}, held...)
			forgotten, err := forget(t.Context(), client.Resource(live.Secrets).Namespace("edge"), "traefik", test.known)
			require.NoError(t, err)
			require.Equal(t, len(held)-len(test.left), forgotten)

			left, err := client.Resource(live.Secrets).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			var names []string
			for _, secret := range left.Items {
				names = append(names, secret.GetNamespace()+"/"+secret.GetName())
			}
			require.ElementsMatch(t, test.left, names)
		})
	}
}
