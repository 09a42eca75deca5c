// Package inputs reads what hooks are shown of a resource.
package inputs

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

// At returns what an object holds at the end of a path, null where it holds nothing.
func At(object resource.PropertyMap, path ...resource.PropertyKey) resource.PropertyValue {
	value := resource.NewProperty(object)
	for _, key := range path {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		if !value.IsObject() {
			return resource.NewNullProperty()
		}
		value = value.ObjectValue()[key]
	}
	return value
}
