package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

// object is one of Kubernetes' as a chart writes it.
type object map[string]any

const (
	definitionKind = "CustomResourceDefinition"
	secretKind     = "Secret"
	hidden         = "(secret)"
)

// render returns what the releases of a graph make, by release and by name. A chart is shown the kinds that are given, beside
// those of Kubernetes itself. What is missing or broken is a fault of its release.
func (g *graph) render(kinds []string) (made map[string]map[string]object, faults map[string]error) {
	made, faults = map[string]map[string]object{}, map[string]error{}
	for name, r := range g.releases {
		objects, err := g.renderRelease(r, kinds)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s is not at hand", r.Chart)
		}
		made[name], faults[name] = objects, err
	}
	return made, faults
}

// renderRelease does what `helm template --is-upgrade` does.
func (g *graph) renderRelease(r *release, kinds []string) (map[string]object, error) {
	archive, err := loader.Load(filepath.Join(g.root, r.Chart))
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.ClientOnly, install.DryRun, install.IsUpgrade, install.IncludeCRDs = true, true, true, true
	install.ReleaseName, install.Namespace, install.APIVersions = r.Name, r.Namespace, kinds
	if g.kubernetes != "" {
		if install.KubeVersion, err = chartutil.ParseKubeVersion(g.kubernetes); err != nil {
			return nil, fmt.Errorf("reading the version of Kubernetes: %w", err)
		}
	}
	rendered, err := install.Run(archive, r.Values)
	if err != nil {
		return nil, err
	}
	texts := []string{rendered.Manifest}
	for _, hook := range rendered.Hooks {
		if !slices.Contains(hook.Events, helmrelease.HookTest) {
			texts = append(texts, hook.Manifest)
		}
	}
	return read(texts, r.Namespace)
}

// read takes objects out of manifests, by name.
func read(texts []string, namespace string) (map[string]object, error) {
	objects := map[string]object{}
	for _, text := range texts {
		for _, document := range releaseutil.SplitManifests(text) {
			var o object
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				return nil, fmt.Errorf("reading what the chart makes: %w", err)
			}
			if o["kind"] != nil {
				objects[o.name(namespace)] = o
			}
		}
	}
	return objects, nil
}

// name is kind and name, with its namespace where that is another one.
func (o object) name(namespace string) string {
	name := fmt.Sprint(o.at("metadata", "name"))
	if own, _ := o.at("metadata", "namespace").(string); own != "" && own != namespace {
		name = own + "/" + name
	}
	return fmt.Sprint(o["kind"], " ", name)
}

// at is what stands somewhere in the object.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, key := range path {
		fields, _ := value.(map[string]any)
		value = fields[key]
	}
	return value
}

// text is the object as it is compared: without what is secret, and without labels that only name the version of the chart.
// Those of pods stay: pods are replaced for them.
func (o object) text() (string, error) {
	if labels, is := o.at("metadata", "labels").(map[string]any); is {
		for _, key := range []string{"helm.sh/chart", "chart", "app.kubernetes.io/version"} {
			delete(labels, key)
		}
	}
	if o["kind"] == secretKind {
		for _, field := range []string{"data", "stringData"} {
			values, _ := o[field].(map[string]any)
			for key := range values {
				values[key] = hidden
			}
		}
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", o.name(""), err)
	}
	return string(text), nil
}

// served are the versions that a definition serves.
func (o object) served() string {
	var names []string
	versions, _ := o.at("spec", "versions").([]any)
	for _, version := range versions {
		if fields, _ := version.(map[string]any); fields["served"] == true {
			names = append(names, fmt.Sprint(fields["name"]))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// kinds are what definitions among the objects bring, in the forms in which charts ask for them.
func kinds(made map[string]map[string]object) (all []string) {
	for _, objects := range made {
		for _, o := range objects {
			if o["kind"] != definitionKind {
				continue
			}
			for _, version := range strings.Split(o.served(), ", ") {
				api := fmt.Sprint(o.at("spec", "group"), "/", version)
				all = append(all, api, fmt.Sprint(api, "/", o.at("spec", "names", "kind")))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
