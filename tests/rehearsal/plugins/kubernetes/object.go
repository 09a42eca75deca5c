package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is the resource type for the objects of one kind.
type object struct {
	*cluster
	gvk schema.GroupVersionKind
}

// typeOf returns the kind that a resource's token stands for: kubernetes:<group>/<version>:<Kind>, with "core" for the group
// that has no name.
func typeOf(token tokens.Type) (schema.GroupVersionKind, error) {
	group, version, found := strings.Cut(string(token.Module().Name()), "/")
	kind := string(token.Name())
	switch {
	case !found, group == "helm.sh":
		return schema.GroupVersionKind{}, fmt.Errorf("the rehearsal's Kubernetes provider does not know %s: it knows the kinds "+
			"of the API server (kubernetes:<group>/<version>:<Kind>) and %s", token, releaseToken)
	case strings.HasSuffix(kind, "List"), strings.HasSuffix(kind, "Patch"):
		return schema.GroupVersionKind{}, fmt.Errorf("the rehearsal's Kubernetes provider does not know %s: lists and patches "+
			"are left to the official provider", token)
	case group == "core":
		group = ""
	}
	return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, nil
}

func (o *object) isSecret() bool {
	return o.gvk.Group == "" && o.gvk.Kind == "Secret"
}

// id is what the engine knows an object by: <namespace>/<name>, or the name alone where there are no namespaces.
func id(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func splitID(id string) (namespace, name string) {
	if namespace, name, found := strings.Cut(id, "/"); found {
		return namespace, name
	}
	return "", id
}

// toObject makes a Kubernetes object of known properties. A Secret's stringData becomes data, as the API server would make
// it, because server-side apply keeps no record of stringData.
func (o *object) toObject(properties resource.PropertyMap) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(properties.MapRepl(dashed, revealed))
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", o.gvk.Kind, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", o.gvk.Kind, err)
	}
	clear, _, err := unstructured.NestedStringMap(object.Object, "stringData")
	if err != nil || !o.isSecret() {
		return object, err
	}
	delete(object.Object, "stringData")
	for key, value := range clear {
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		if err := unstructured.SetNestedField(object.Object, encoded, "data", key); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// toInputs is the way back from toObject. The keys of stringData and the secrets are those of the properties that the object
// was made of.
func (o *object) toInputs(object map[string]any, from resource.PropertyMap) resource.PropertyMap {
	inputs := fromObject(object)
	clear, data := plainValue(from["stringData"]), inputs["data"]
	if o.isSecret() && clear.IsObject() && data.IsObject() {
		stringData := resource.PropertyMap{}
		for key := range clear.ObjectValue() {
			if encoded, found := data.ObjectValue()[key]; found && encoded.IsString() {
				decoded, err := base64.StdEncoding.DecodeString(encoded.StringValue())
				if err == nil {
					stringData[key] = resource.NewProperty(string(decoded))
					delete(data.ObjectValue(), key)
				}
			}
		}
		inputs["stringData"] = resource.NewProperty(stringData)
		if _, had := from["data"]; !had && len(data.ObjectValue()) == 0 {
			delete(inputs, "data")
		}
	}
	o.hide(inputs, from)
	return inputs
}

// toOutputs makes properties of a live object, without the API server's own bookkeeping.
func (o *object) toOutputs(live *unstructured.Unstructured, inputs resource.PropertyMap) resource.PropertyMap {
	live = live.DeepCopy()
	live.SetManagedFields(nil)
	outputs := fromObject(live.Object)
	o.hide(outputs, inputs)
	return outputs
}

// hide makes secrets of all outputs that are secret in the inputs. What a Secret holds is secret where the program has said so,
// as the SDK does for those that are declared: one that is only read is not hidden by itself.
func (o *object) hide(outputs, inputs resource.PropertyMap) {
	hide(outputs, inputs)
	if o.isSecret() && (inputs["data"].ContainsSecrets() || inputs["stringData"].ContainsSecrets()) {
		hideKey(outputs, "data")
		hideKey(outputs, "stringData")
	}
}

func hide(outputs, inputs resource.PropertyMap) {
	for key, input := range inputs {
		output := outputs[key]
		switch {
		case input.IsObject() && output.IsObject():
			hide(output.ObjectValue(), input.ObjectValue())
		case input.ContainsSecrets():
			// A list is hidden as a whole: the API server may have put it in another order.
			hideKey(outputs, key)
		}
	}
}

func hideKey(properties resource.PropertyMap, key resource.PropertyKey) {
	if value, found := properties[key]; found && !value.IsSecret() {
		properties[key] = resource.MakeSecret(value)
	}
}

// plain returns a copy of the properties without secretness.
func plain(properties resource.PropertyMap) resource.PropertyMap {
	copied := resource.PropertyMap{}
	for key, value := range properties {
		copied[key] = plainValue(value)
	}
	return copied
}

func plainValue(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return plainValue(value.SecretValue().Element)
	case value.IsObject():
		return resource.NewProperty(plain(value.ObjectValue()))
	case value.IsArray():
		list := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, element := range value.ArrayValue() {
			list[i] = plainValue(element)
		}
		return resource.NewProperty(list)
	default:
		return value
	}
}

// revealed strips secretness while properties are mapped to plain values.
func revealed(value resource.PropertyValue) (any, bool) {
	if value.IsSecret() {
		return value.SecretValue().Element.MapRepl(dashed, revealed), true
	}
	return nil, false
}

// The SDKs spell x-kubernetes-… in the schemas of custom resource definitions with underscores.
const dashedPrefix, underscoredPrefix = "x-kubernetes-", "x_kubernetes_"

func dashed(key string) (string, bool) {
	return strings.ReplaceAll(key, "_", "-"), strings.HasPrefix(key, underscoredPrefix)
}

func underscored(key string) (resource.PropertyKey, bool) {
	return resource.PropertyKey(strings.ReplaceAll(key, "-", "_")), strings.HasPrefix(key, dashedPrefix)
}

func fromObject(object map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMapRepl(object, underscored, nil)
}
