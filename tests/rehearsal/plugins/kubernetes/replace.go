package kubernetes

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// immutable lists the paths at which a change means another object, as the official provider has them.
func (o *object) immutable(olds, news resource.PropertyMap) []resource.PropertyPath {
	fields := append([]string{"metadata.name", "metadata.namespace"}, replacing[o.gvk.GroupKind()]...)
	if o.gvk.Group == "" && (o.gvk.Kind == "Secret" && (!o.EnableSecretMutable || isImmutable(olds, news)) ||
		o.gvk.Kind == "ConfigMap" && (!o.EnableConfigMapMutable || isImmutable(olds, news))) {
		fields = append(fields, "data", "stringData", "binaryData")
	}
	paths := make([]resource.PropertyPath, len(fields))
	for i, field := range fields {
		paths[i], _ = resource.ParsePropertyPath(field) // constants
	}
	return paths
}

// isImmutable tells whether a Secret or ConfigMap said, or says, that it never changes.
func isImmutable(olds, news resource.PropertyMap) bool {
	isTrue := func(value resource.PropertyValue) bool { return value.IsBool() && value.BoolValue() }
	return isTrue(olds["immutable"]) || isTrue(news["immutable"])
}

var selector = []string{"spec.selector"}

var replacing = map[schema.GroupKind][]string{
	{Group: "apps", Kind: "DaemonSet"}:  selector,
	{Group: "apps", Kind: "Deployment"}: selector,
	{Group: "apps", Kind: "StatefulSet"}: {
		"spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates",
	},
	{Group: "batch", Kind: "Job"}: {"spec.completions", "spec.parallelism", "spec.selector", "spec.template"},
	{Kind: "PersistentVolume"}: {
		"spec.awsElasticBlockStore", "spec.csi", "spec.hostPath", "spec.local", "spec.nfs",
	},
	{Kind: "PersistentVolumeClaim"}: {
		"spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName",
	},
	{Kind: "Pod"}:           {"spec"},
	{Kind: "ResourceQuota"}: {"spec.scopes"},
	{Kind: "Secret"}:        {"type"},
	{Kind: "Service"}:       {"spec.clusterIP"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {"roleRef"},
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {"roleRef"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                  {"parameters", "provisioner"},
}
