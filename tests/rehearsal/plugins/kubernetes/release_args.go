package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"helm.sh/helm/v3/pkg/chartutil"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"sigs.k8s.io/yaml"
)

// releaseArgs are the properties of a release that a rehearsal can follow, by their official names:
// https://www.pulumi.com/registry/packages/kubernetes/api-docs/helm/v3/release/. All others are refused.
type releaseArgs struct {
	Name           string         `json:"name"`
	Namespace      string         `json:"namespace"`
	Chart          string         `json:"chart"` // the path of an archive or of an unpacked chart
	Version        string         `json:"version"`
	Values         map[string]any `json:"values"`
	ValueYamlFiles []any          `json:"valueYamlFiles"` // assets; Values take precedence over them

	Atomic                   bool   `json:"atomic"`
	CleanupOnFail            bool   `json:"cleanupOnFail"`
	CreateNamespace          bool   `json:"createNamespace"`
	Description              string `json:"description"`
	DisableCRDHooks          bool   `json:"disableCRDHooks"` // means the hooks of upgrades
	DisableOpenapiValidation bool   `json:"disableOpenapiValidation"`
	DisableWebhooks          bool   `json:"disableWebhooks"` // means the hooks of installations
	ForceUpdate              bool   `json:"forceUpdate"`
	MaxHistory               int    `json:"maxHistory"` // revisions to keep, 0 for all
	RecreatePods             bool   `json:"recreatePods"`
	RenderSubchartNotes      bool   `json:"renderSubchartNotes"`
	SkipAwait                bool   `json:"skipAwait"`
	SkipCrds                 bool   `json:"skipCrds"`
	Timeout                  int    `json:"timeout"` // seconds, by default 300
	WaitForJobs              bool   `json:"waitForJobs"`
	Compat                   string `json:"compat"` // set by the SDK, without a meaning here
}

func (a *releaseArgs) timeout() time.Duration {
	if a.Timeout > 0 {
		return time.Duration(a.Timeout) * time.Second
	}
	return 300 * time.Second
}

// readReleaseArgs reads known properties.
func readReleaseArgs(properties resource.PropertyMap) (*releaseArgs, error) {
	defaults, err := valuesFromFiles(plainValue(properties["valueYamlFiles"]))
	if err != nil {
		return nil, err
	}
	rest := plain(properties)
	delete(rest, "valueYamlFiles")
	text, err := json.Marshal(rest.Mappable())
	if err != nil {
		return nil, fmt.Errorf("reading the properties of a release: %w", err)
	}
	args := &releaseArgs{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(args); err != nil {
		return nil, fmt.Errorf("reading the properties of a release: %w", err)
	}
	if args.Values == nil {
		args.Values = map[string]any{}
	}
	chartutil.MergeTables(args.Values, defaults)
	return args, nil
}

// valuesFromFiles merges YAML files, the later over the earlier.
func valuesFromFiles(files resource.PropertyValue) (map[string]any, error) {
	merged := map[string]any{}
	if !files.IsArray() {
		return merged, nil
	}
	for i, file := range files.ArrayValue() {
		if !file.IsAsset() {
			return nil, fmt.Errorf("valueYamlFiles[%d]: a file asset is wanted, not %s", i, file.TypeString())
		}
		text, err := file.AssetValue().Bytes()
		if err != nil {
			return nil, fmt.Errorf("valueYamlFiles[%d]: %w", i, err)
		}
		values := map[string]any{}
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, fmt.Errorf("valueYamlFiles[%d]: %w", i, err)
		}
		merged = chartutil.MergeTables(values, merged)
	}
	return merged, nil
}

// unknownProperties finds the properties that a release does not have, even where values are not known yet.
func unknownProperties(properties resource.PropertyMap) map[string]error {
	var known []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[releaseArgs]()) {
		known = append(known, field.Tag.Get("json"))
	}
	slices.Sort(known)
	faults := map[string]error{}
	for key := range properties {
		if !slices.Contains(known, string(key)) {
			faults[string(key)] = fmt.Errorf("the rehearsal's release has no property %q; it has %s",
				key, strings.Join(known, ", "))
		}
	}
	return faults
}

// satisfies tells whether a version is one that a program asked for: none in particular, an exact one or a range.
func satisfies(version, asked string) bool {
	constraint, err := semver.NewConstraint(asked)
	parsed, invalid := semver.NewVersion(version)
	return asked == "" || version == asked || err == nil && invalid == nil && constraint.Check(parsed)
}

// liveReleaseInputs returns the inputs of a release with the values and the version that Helm has, where these differ. A release
// without inputs is one to import.
func liveReleaseInputs(inputs resource.PropertyMap, live *helmrelease.Release) (resource.PropertyMap, error) {
	importing := len(inputs) == 0
	if importing {
		inputs = resource.PropertyMap{
			"name": resource.NewProperty(live.Name), "namespace": resource.NewProperty(live.Namespace),
			"chart": resource.NewProperty(live.Chart.Metadata.Name),
		}
	}
	inputs = maps.Clone(inputs)
	args, err := readReleaseArgs(inputs)
	if err != nil {
		return nil, err
	}
	if version := live.Chart.Metadata.Version; importing || !satisfies(version, args.Version) {
		inputs["version"] = resource.NewProperty(version)
	}
	want, err := json.Marshal(args.Values)
	if err != nil {
		return nil, err
	}
	have, err := json.Marshal(live.Config)
	if err != nil {
		return nil, err
	}
	if len(args.Values)+len(live.Config) > 0 && !bytes.Equal(want, have) {
		values := resource.NewProperty(resource.NewPropertyMapFromMap(live.Config))
		if inputs["values"].ContainsSecrets() {
			values = resource.MakeSecret(values)
		}
		inputs["values"] = values
	}
	return inputs, nil
}
