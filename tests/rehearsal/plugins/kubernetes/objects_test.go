package kubernetes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	stand "lke-platform/tests/rehearsal/plugins/kubernetes"
)

const (
	namespaceToken  = "kubernetes:core/v1:Namespace"
	configMapToken  = "kubernetes:core/v1:ConfigMap"
	secretToken     = "kubernetes:core/v1:Secret"
	serviceToken    = "kubernetes:core/v1:Service"
	deploymentToken = "kubernetes:apps/v1:Deployment"
	ingressToken    = "kubernetes:networking.k8s.io/v1:Ingress"
	budgetToken     = "kubernetes:policy/v1:PodDisruptionBudget"
	crdToken        = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
	widgetToken     = "kubernetes:shop.example/v1:Widget"
)

func meta(namespace, name string) props { return props{"namespace": namespace, "name": name} }

func (e *engine) namespace(name string) {
	e.Helper()
	e.succeed(e.up(namespaceToken, name, props{"metadata": props{"name": name}}))
}

// web is a Deployment that says the same things in several ways: quantities, ports without a protocol.
func web(namespace string, replicas int, image string) props {
	return props{
		"metadata": props{"namespace": namespace, "name": "web", "labels": props{"app": "web"}},
		"spec": props{
			"replicas": replicas,
			"selector": props{"matchLabels": props{"app": "web"}},
			"template": props{
				"metadata": props{"labels": props{"app": "web"}},
				"spec": props{
					"terminationGracePeriodSeconds": 0,
					"containers": []any{props{
						"name": "web", "image": image,
						"ports":     []any{props{"containerPort": 8080}, props{"containerPort": 8081, "name": "metrics"}},
						"env":       []any{props{"name": "MODE", "value": "shop"}},
						"resources": props{"requests": props{"cpu": "1000m", "memory": "0.5Gi"}},
					}},
					"tolerations": []any{props{
						"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30,
					}},
				},
			},
		},
	}
}

func TestDeployment(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("deployment")

	_, _, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:1"))
	require.NoError(t, err)
	require.Equal(t, "deployment/web", e.states[urnOf(deploymentToken, "web")].id)
	require.EqualValues(t, 2, e.output(deploymentToken, "web", "status.readyReplicas"), "create waits for the pods")
	require.Nil(t, e.output(deploymentToken, "web", "metadata.managedFields"))

	t.Run("no change", func(t *testing.T) {
		e.succeed(e.up(deploymentToken, "web", web("deployment", 2, "shop:1")))
		did, changed, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:1"))
		e.must("same", did, changed, err)
		require.Empty(t, e.refresh(deploymentToken, "web"), "neither defaults nor normalised quantities are drift")
	})
	t.Run("update", func(t *testing.T) {
		did, changed, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
		e.must("update", did, changed, err)
		require.Equal(t, []string{"spec.template.spec.containers[0].image"}, changed)
		require.EqualValues(t, 2, e.output(deploymentToken, "web", "status.updatedReplicas"), "update waits for the pods")
	})
	t.Run("drift by hand is seen and mended", func(t *testing.T) {
		e.byHand("kubectl-edit", "deployments", "deployment", "web", `{"metadata":{"labels":{"app":"other","extra":"1"}},
			"spec":{"minReadySeconds":1,"template":{"spec":{"containers":[{"name":"web","image":"shop:evil",
			"ports":[{"containerPort":8080,"protocol":"TCP"},{"containerPort":8081,"protocol":"TCP","name":"metrics"}],
			"env":[{"name":"MODE","value":"shop"},{"name":"DEBUG","value":"1"}],
			"resources":{"requests":{"cpu":"2","memory":"512Mi"}}}],"tolerations":[]}}}}`)
		require.ElementsMatch(t, []string{
			"metadata.labels.app", "spec.template.spec.containers[0].image",
			"spec.template.spec.containers[0].resources.requests.cpu", "spec.template.spec.tolerations",
		}, e.refresh(deploymentToken, "web"), "all fields that the program set, and no others")
		_, _, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
		require.ErrorContains(t, err, "preview: ")
		require.ErrorContains(t, err, `conflicts with "kubectl-edit"`)
		e.skipPreview = true
		did, _, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
		e.skipPreview = false
		e.must("update", did, nil, err)
		require.Empty(t, e.refresh(deploymentToken, "web"))
		require.Equal(t, "1", e.live("deployments", "deployment", "web").GetLabels()["extra"])
	})
	t.Run("another controller is not overruled", func(t *testing.T) { otherControllerKeepsItsField(t, e) })
	t.Run("ignored fields stay with their controllers", func(t *testing.T) { ignoredFieldsStay(t, e) })
	t.Run("an immutable field replaces", func(t *testing.T) {
		program := web("deployment", 1, "shop:2")
		program["spec"].(props)["selector"] = props{"matchLabels": props{"app": "web", "v": "2"}}
		program["spec"].(props)["template"].(props)["metadata"] = props{"labels": props{"app": "web", "v": "2"}}
		before := e.live("deployments", "deployment", "web").GetUID()
		did, changed, err := e.up(deploymentToken, "web", program)
		e.must("replace", did, changed, err)
		require.Contains(t, changed, "spec.selector.matchLabels.v")
		require.NotEqual(t, before, e.live("deployments", "deployment", "web").GetUID())
	})
	t.Run("delete waits", func(t *testing.T) {
		require.NoError(t, e.destroy(deploymentToken, "web"))
		_, err := objects("deployments", "deployment").Get(t.Context(), "web", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err))
	})
}

func otherControllerKeepsItsField(t *testing.T, e *engine) {
	t.Helper()
	e.byHand("autoscaler", "deployments", "deployment", "web", `{"spec":{"replicas":3}}`)
	require.Equal(t, []string{"spec.replicas"}, e.refresh(deploymentToken, "web"))
	_, _, err := e.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
	require.ErrorContains(t, err, `conflict with "autoscaler"`)
	require.ErrorContains(t, err, "ignoreChanges")
	e.byHand("kubectl", "deployments", "deployment", "web", `{"spec":{"replicas":4}}`, "scale")
	e.skipPreview = true
	_, _, err = e.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
	e.skipPreview = false
	require.ErrorContains(t, err, `conflict with "kubectl" with subresource "scale"`)
	insisting := onCluster(t, stand.Options{}, props{"enablePatchForce": true})
	insisting.states = e.states
	did, _, err := insisting.up(deploymentToken, "web", web("deployment", 2, "shop:2"))
	e.must("update", did, nil, err)
	e.byHand("autoscaler", "deployments", "deployment", "web", `{"spec":{"replicas":3}}`)
}

func ignoredFieldsStay(t *testing.T, e *engine) {
	t.Helper()
	image := "spec.template.spec.containers[0].image"
	e.byHand("keel", "deployments", "deployment", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"web",
		"image":"shop:keel","ports":[{"containerPort":8080,"protocol":"TCP"}],"env":[{"name":"MODE","value":"shop"}],
		"resources":{"requests":{"cpu":"1","memory":"512Mi"}}}]}}}}`)
	program := web("deployment", 2, "shop:9")
	program["metadata"].(props)["labels"].(props)["tier"] = "front"
	did, changed, err := e.up(deploymentToken, "web", program, image, "spec.replicas")
	e.must("update", did, changed, err)
	require.Equal(t, []string{"metadata.labels.tier"}, changed)
	live := e.live("deployments", "deployment", "web")
	require.Equal(t, "front", live.GetLabels()["tier"])
	containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	require.Equal(t, "shop:keel", containers[0].(map[string]any)["image"])
	replicas, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	require.EqualValues(t, 3, replicas)
	did, changed, err = e.up(deploymentToken, "web", program, image, "spec.replicas")
	e.must("same", did, changed, err)
}

func TestUnreadyDeployment(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("unready")
	program := web("unready", 1, "shop:1")
	program["metadata"].(props)["annotations"] = props{"pulumi.com/timeoutSeconds": "2"}
	containers := program["spec"].(props)["template"].(props)["spec"].(props)["containers"].([]any)
	containers[0].(props)["resources"] = props{"requests": props{"cpu": "64"}}

	_, _, err := e.up(deploymentToken, "web", program)
	require.ErrorContains(t, err, "Deployment unready/web is not ready after 2s")
	unready := e.states[urnOf(deploymentToken, "web")]
	require.NotNil(t, unready, "the state keeps what was created")
	require.Contains(t, strings.Join(unready.unready, "\n"), "Insufficient cpu")

	require.Empty(t, e.refresh(deploymentToken, "web"))
	require.NotEmpty(t, e.states[urnOf(deploymentToken, "web")].unready, "refresh still finds it unready")

	containers[0].(props)["resources"] = props{"requests": props{"cpu": "100m"}}
	program["metadata"].(props)["annotations"] = props{}
	did, _, err := e.up(deploymentToken, "web", program)
	e.must("update", did, nil, err)
	require.Empty(t, e.states[urnOf(deploymentToken, "web")].unready)
}

func TestCancelEndsWaits(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("cancel")
	program := web("cancel", 1, "shop:1")
	containers := program["spec"].(props)["template"].(props)["spec"].(props)["containers"].([]any)
	containers[0].(props)["resources"] = props{"requests": props{"cpu": "64"}}
	failed := make(chan error)
	go func() {
		_, _, err := e.up(deploymentToken, "web", program)
		failed <- err
	}()
	require.Eventually(t, func() bool {
		_, err := objects("deployments", "cancel").Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	_, err := e.provider.Cancel(t.Context(), nil)
	require.NoError(t, err)
	require.ErrorContains(t, <-failed, "when the operation was cancelled")
	require.NotNil(t, e.states[urnOf(deploymentToken, "web")])
}

func TestConfigMapsAndSecrets(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, props{"namespace": "data"})
	mutable := onCluster(t, stand.Options{}, props{
		"namespace": "data", "enableConfigMapMutable": true, "enableSecretMutable": "true", "enablePatchForce": true,
	})
	e.namespace("data")

	t.Run("automatic names", func(t *testing.T) {
		e.succeed(e.up(configMapToken, "settings", props{"data": props{"a": "1"}}))
		first := e.states[urnOf(configMapToken, "settings")].id
		require.Regexp(t, `^data/settings-[0-9a-f]{8}$`, first)
		require.Equal(t, "true", e.output(configMapToken, "settings", `metadata.annotations["pulumi.com/autonamed"]`))
		did, changed, err := e.up(configMapToken, "settings", props{"data": props{"a": "1"}, "metadata": props{"labels": props{"x": "y"}}})
		e.must("update", did, changed, err)
		require.Equal(t, first, e.states[urnOf(configMapToken, "settings")].id)
	})
	t.Run("data replaces", func(t *testing.T) {
		named := func(value string) props { return props{"metadata": props{"name": "named"}, "data": props{"a": value}} }
		e.succeed(e.up(configMapToken, "named", named("1")))
		did, _, err := e.up(configMapToken, "named", named("2"))
		e.must("replace", did, nil, err)
		require.Equal(t, "2", e.output(configMapToken, "named", "data.a"))
	})
	t.Run("data is updated where configured", func(t *testing.T) {
		e := mutable
		named := func(value props) props { return props{"metadata": props{"name": "mutable"}, "stringData": value} }
		e.succeed(e.up(secretToken, "mutable", named(props{"password": "old", "dropped": "x"})))
		did, _, err := e.up(secretToken, "mutable", named(props{"password": "new"}))
		e.must("update", did, nil, err)
		data, _, _ := unstructured.NestedStringMap(e.live("secrets", "data", "mutable").Object, "data")
		require.Equal(t, map[string]string{"password": "bmV3"}, data)
		require.Empty(t, e.refresh(secretToken, "mutable"))

		e.byHand("kubectl-edit", "secrets", "data", "mutable", `{"data":{"password":"aGFuZA=="}}`)
		require.Equal(t, []string{"stringData.password"}, e.refresh(secretToken, "mutable"))
		did, _, err = e.up(secretToken, "mutable", named(props{"password": "new"}))
		e.must("update", did, nil, err)
		e.succeed(e.up(secretToken, "mutable", props{"metadata": props{"name": "mutable"}, "stringData": props{"password": "new"}, "immutable": true}))
		did, _, err = e.up(secretToken, "mutable", named(props{"password": "newer"}))
		e.must("replace", did, nil, err)
	})
	t.Run("secrets stay secret", func(t *testing.T) {
		e.succeed(e.up(secretToken, "hidden", props{"stringData": resource.MakeSecret(resource.NewProperty(
			resource.PropertyMap{"password": resource.NewProperty("p")}))}))
		hidden := e.states[urnOf(secretToken, "hidden")]
		require.True(t, hidden.inputs["stringData"].IsSecret())
		require.True(t, hidden.outputs["data"].IsSecret())

		e.succeed(e.up(configMapToken, "hidden", props{"data": props{"a": resource.MakeSecret(resource.NewProperty("s")), "b": "c"}}))
		outputs := e.states[urnOf(configMapToken, "hidden")].outputs
		require.True(t, outputs["data"].ObjectValue()["a"].IsSecret())
		require.False(t, outputs["data"].ObjectValue()["b"].IsSecret())
	})
	t.Run("what was deleted by hand is gone", func(t *testing.T) {
		e.succeed(e.up(configMapToken, "lost", props{"metadata": props{"name": "lost"}}))
		require.NoError(t, objects("configmaps", "data").Delete(t.Context(), "lost", metav1.DeleteOptions{}))
		require.Equal(t, []string{"gone"}, e.refresh(configMapToken, "lost"))
	})
	t.Run("what exists is not taken over", func(t *testing.T) {
		exists := props{"metadata": props{"name": "kube-root-ca.crt"}}
		_, _, err := e.up(configMapToken, "exists", exists)
		require.ErrorContains(t, err, "ConfigMap data/kube-root-ca.crt exists already")
		require.ErrorContains(t, err, `pulumi import kubernetes:core/v1:ConfigMap exists data/kube-root-ca.crt`)
		imported, err := e.provider.Read(t.Context(), &pulumirpc.ReadRequest{
			Id: "data/kube-root-ca.crt", Urn: string(urnOf(configMapToken, "exists")),
		})
		require.NoError(t, err)
		inputs := e.decode(imported.GetInputs())
		require.Contains(t, inputs["data"].ObjectValue(), resource.PropertyKey("ca.crt"))
		require.NotContains(t, inputs["metadata"].ObjectValue(), resource.PropertyKey("uid"))
	})
}

func TestBadObjects(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	misspelt := web("default", 1, "shop:1")
	misspelt["spec"].(props)["replica"] = 2
	for name, bad := range map[string]struct {
		token   string
		program props
		want    []string
	}{
		"misspelt field":           {deploymentToken, misspelt, []string{"preview", `unknown field "spec.replica"`}},
		"misspelt top-level field": {configMapToken, props{"dada": props{}}, []string{"preview", `unknown field "dada"`}},
		"no such kind":             {"kubernetes:shop.example/v1:Nothing", props{}, []string{"kind Nothing of shop.example/v1"}},
		"wrong apiVersion":         {configMapToken, props{"apiVersion": "v2"}, []string{"apiVersion", `"v2"`, configMapToken}},
		"bad name":                 {configMapToken, props{"metadata": props{"name": "No_Name"}}, []string{"metadata.name", "No_Name"}},
		"bad label":                {configMapToken, props{"metadata": props{"labels": props{"a": 1}}}, []string{"metadata.labels[a]"}},
		"generated name":           {configMapToken, props{"metadata": props{"generateName": "x-"}}, []string{"generateName"}},
		"bad waitFor": {configMapToken, props{"metadata": props{"annotations": props{"pulumi.com/waitFor": "Ready"}}},
			[]string{"metadata.annotations[pulumi.com/waitFor]", "condition="}},
		"patch":     {"kubernetes:core/v1:ConfigMapPatch", props{}, []string{"kubernetes:core/v1:ConfigMapPatch"}},
		"list":      {"kubernetes:core/v1:ConfigMapList", props{}, []string{"kubernetes:core/v1:ConfigMapList"}},
		"component": {"kubernetes:helm.sh/v4:Chart", props{}, []string{"kubernetes:helm.sh/v4:Chart"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := e.up(bad.token, "bad", bad.program)
			for _, want := range bad.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestServiceBudgetIngress(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("edge")
	service := func(port int) props {
		return props{"metadata": meta("edge", "web"), "spec": props{
			"selector": props{"app": "web"}, "ports": []any{props{"port": port, "targetPort": "http"}},
		}}
	}
	e.succeed(e.up(serviceToken, "web", service(80)))
	require.NotEmpty(t, e.output(serviceToken, "web", "spec.clusterIP"))
	require.Empty(t, e.refresh(serviceToken, "web"))
	did, _, err := e.up(serviceToken, "web", service(81))
	e.must("update", did, nil, err)
	require.Len(t, e.output(serviceToken, "web", "spec.ports"), 1)

	e.succeed(e.up(budgetToken, "web", props{"metadata": meta("edge", "web"), "spec": props{
		"maxUnavailable": 1, "selector": props{"matchLabels": props{"app": "web"}},
	}}))
	require.Empty(t, e.refresh(budgetToken, "web"))

	ingress := props{"metadata": meta("edge", "web"), "spec": props{"rules": []any{props{
		"host": "shop.example", "http": props{"paths": []any{props{
			"path": "/", "pathType": "Prefix", "backend": props{"service": props{"name": "web", "port": props{"number": 81}}},
		}}},
	}}}}
	created := make(chan error)
	go func() {
		_, _, err := e.up(ingressToken, "web", ingress)
		created <- err
	}()
	require.Eventually(t, func() bool {
		_, err := objects("ingresses", "edge").Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	select {
	case err := <-created:
		t.Fatalf("the ingress was taken for ready without an address: %v", err)
	default:
	}
	e.byHand("controller", "ingresses", "edge", "web", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, "status")
	require.NoError(t, <-created)
	require.Empty(t, e.refresh(ingressToken, "web"))
	require.NoError(t, e.destroy(namespaceToken, "edge"), "deleting a namespace waits for what is in it")
	require.Equal(t, []string{"gone"}, e.refresh(ingressToken, "web"))
}

func TestCustomResources(t *testing.T) {
	t.Parallel()
	e := onCluster(t, stand.Options{}, nil)
	e.namespace("widgets")
	widget := props{
		"metadata": props{"namespace": "widgets", "name": "one", "annotations": props{
			"pulumi.com/waitFor": `["condition=Ready", "jsonpath={.status.phase}=Fine"]`,
		}},
		"spec": props{"size": "1000m"},
	}
	inputs, err := e.check(urnOf(widgetToken, "one"), nil, resource.NewPropertyMapFromMap(widget))
	require.NoError(t, err)
	_, err = e.provider.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: string(urnOf(widgetToken, "one")), Properties: e.encode(inputs), Preview: true,
	})
	require.NoError(t, err, "a preview passes without the definition")

	e.succeed(e.up(crdToken, "widgets", widgetDefinition()))
	require.Empty(t, e.refresh(crdToken, "widgets"))

	created := make(chan error)
	go func() {
		_, _, err := e.up(widgetToken, "one", widget)
		created <- err
	}()
	require.Eventually(t, func() bool {
		_, err := objects("widgets", "widgets").Get(t.Context(), "one", metav1.GetOptions{})
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	e.byHand("operator", "widgets", "widgets", "one",
		`{"status":{"observedGeneration":0,"phase":"Fine","conditions":[{"type":"Ready","status":"True"}]}}`, "status")
	e.byHand("operator", "widgets", "widgets", "one", `{"status":{"observedGeneration":1,"phase":"Broken"}}`, "status")
	select {
	case err := <-created:
		t.Fatalf("the widget was taken for ready too early: %v", err)
	default:
	}
	e.byHand("operator", "widgets", "widgets", "one", `{"status":{"phase":"Fine"}}`, "status")
	require.NoError(t, <-created)
	require.Equal(t, "Fine", e.output(widgetToken, "one", "status.phase"))

	misspelt := props{"metadata": meta("widgets", "two"), "spec": props{"sise": "1"}}
	_, _, err = e.up(widgetToken, "two", misspelt)
	require.ErrorContains(t, err, `unknown field "spec.sise"`)

	require.NoError(t, e.destroy(crdToken, "widgets"))
	require.Equal(t, []string{"gone"}, e.refresh(widgetToken, "one"))
}

// widgetDefinition is spelt as the SDKs do: with x_kubernetes_….
func widgetDefinition() props {
	return props{
		"metadata": props{"name": "widgets.shop.example"},
		"spec": props{
			"group": "shop.example", "scope": "Namespaced",
			"names": props{"plural": "widgets", "singular": "widget", "kind": "Widget"},
			"versions": []any{props{
				"name": "v1", "served": true, "storage": true, "subresources": props{"status": props{}},
				"schema": props{"openAPIV3Schema": props{"type": "object", "properties": props{
					"spec":   props{"type": "object", "properties": props{"size": props{"x_kubernetes_int_or_string": true}}},
					"status": props{"type": "object", "x_kubernetes_preserve_unknown_fields": true},
				}}},
			}},
		},
	}
}
