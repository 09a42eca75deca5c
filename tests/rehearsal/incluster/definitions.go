package incluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var definitions = apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions")

// definitionSource says which custom resource definitions a chart brings that the platform's own custom resources need.
type definitionSource struct {
	kinds []kind
	// module is the operator's Go module, which holds the definitions in folder, one file <group>_<plural>.yaml each. Empty
	// where there is none.
	module, folder string
	// version of the module; empty where it is the chart's.
	version string
}

// kind is a kind of custom resource.
type kind struct {
	group, plural, name string
	clusterScoped       bool
	versions            []string // the last one is stored
}

// definitionSources are by the chart's name.
var definitionSources = map[string]definitionSource{
	"cloud-firewall-crd": {kinds: []kind{
		{
			group: cloudFirewalls.Group, plural: cloudFirewalls.Resource, name: "CloudFirewall",
			versions: []string{cloudFirewalls.Version},
		},
	}},
	"cert-manager": {
		module: "github.com/cert-manager/cert-manager", folder: "deploy/crds",
		kinds: []kind{
			{group: certificateGroup, plural: "clusterissuers", name: "ClusterIssuer", clusterScoped: true, versions: v1},
			{group: certificateGroup, plural: "issuers", name: "Issuer", versions: v1},
			{group: certificateGroup, plural: "certificates", name: "Certificate", versions: v1},
		},
	},
	"kube-prometheus-stack": {
		module: "github.com/prometheus-operator/prometheus-operator", folder: "example/prometheus-operator-crd",
		version: "v0.93.1", // the operator of kube-prometheus-stack 88
		kinds: []kind{
			{group: monitoringGroup, plural: "servicemonitors", name: "ServiceMonitor", versions: v1},
			{group: monitoringGroup, plural: "podmonitors", name: "PodMonitor", versions: v1},
			{group: monitoringGroup, plural: "probes", name: "Probe", versions: v1},
			{group: monitoringGroup, plural: "prometheusrules", name: "PrometheusRule", versions: v1},
			{group: monitoringGroup, plural: "scrapeconfigs", name: "ScrapeConfig", versions: []string{"v1alpha1"}},
			{group: monitoringGroup, plural: "alertmanagerconfigs", name: "AlertmanagerConfig", versions: []string{"v1alpha1"}},
		},
	},
	"pgo": {kinds: []kind{
		{group: postgresGroup, plural: "postgresclusters", name: "PostgresCluster", versions: []string{"v1", "v1beta1"}},
	}},
}

// schemalessLabel marks the definitions that accept anything.
const schemalessLabel = "lke-platform.rehearsal/schemaless"

var v1 = []string{"v1"}

const (
	certificateGroup = "cert-manager.io"
	monitoringGroup  = "monitoring.coreos.com"
	postgresGroup    = "postgres-operator.crunchydata.com"
)

// define installs the custom resource definitions of a release that is not rendered: the operator's own where its Go module
// has them, else stand-ins without a schema.
func (c *cluster) define(ctx context.Context, release Release) error {
	source := definitionSources[release.Chart]
	if source.version == "" {
		source.version = release.Version
	}
	folder := ""
	if source.module != "" {
		downloaded, err := downloadModule(ctx, source.module+"@"+source.version)
		if err != nil {
			c.log.Warn("custom resource definitions stay without a schema", "chart", release.Chart, "error", err)
		} else {
			folder = filepath.Join(downloaded, source.folder)
		}
	}
	for _, kind := range source.kinds {
		definition, err := kind.read(folder)
		if err != nil {
			definition = kind.standIn()
		}
		if _, err := c.dynamic.Resource(definitions).Apply(ctx, definition.GetName(), definition, apply); err != nil {
			return fmt.Errorf("defining %s: %w", kind.name, err)
		}
	}
	return nil
}

// downloadModule returns the folder of a Go module, <path>@<version>, which Go downloads once.
func downloadModule(ctx context.Context, module string) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	command.Dir = "/" // in no module, so that it changes none
	output, err := command.Output()
	var answer struct{ Dir, Error string }
	if decodeErr := json.Unmarshal(output, &answer); decodeErr != nil {
		return "", fmt.Errorf("downloading Go module %s: %w", module, err)
	}
	if err != nil {
		return "", fmt.Errorf("downloading Go module %s: %s", module, strings.TrimSpace(answer.Error))
	}
	return answer.Dir, nil
}

// read reads a definition from a folder as controller-gen writes them.
func (k kind) read(folder string) (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(filepath.Join(folder, k.group+"_"+k.plural+".yaml"))
	if err != nil {
		return nil, err
	}
	definition := &unstructured.Unstructured{}
	return definition, yaml.Unmarshal(text, &definition.Object)
}

// standIn returns a definition that accepts anything.
func (k kind) standIn() *unstructured.Unstructured {
	scope := "Namespaced"
	if k.clusterScoped {
		scope = "Cluster"
	}
	var versions []any
	for i, version := range k.versions {
		versions = append(versions, map[string]any{
			"name": version, "served": true, "storage": i == len(k.versions)-1,
			"subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{
				"type": "object", "x-kubernetes-preserve-unknown-fields": true,
			}},
		})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": definitions.GroupVersion().String(), "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name": k.plural + "." + k.group, "labels": map[string]any{schemalessLabel: "true"},
		},
		"spec": map[string]any{
			"group": k.group, "scope": scope, "versions": versions,
			"names": map[string]any{
				"kind": k.name, "listKind": k.name + "List", "plural": k.plural, "singular": strings.ToLower(k.name),
			},
		},
	}}
}
